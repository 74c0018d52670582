// What every page gets from script: times in the viewer's zone, texts to copy, a question before what cannot be undone; and for
// other modules, a page asked for again.

const SECOND = 1000;
const STEPS = [
  ['second', SECOND, 60],
  ['minute', 60 * SECOND, 60],
  ['hour', 3600 * SECOND, 24],
  ['day', 86_400 * SECOND, 14],
];
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'long' });
const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const since = Object.fromEntries(STEPS.map(([unit]) => [unit, new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay: 'long' })]));
const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'always' });

// How long ago a time was, in the largest unit that says something.
export function ago(at, now) {
  const past = now - at;
  for (const [unit, length, most] of STEPS) {
    if (Math.abs(past) < most * length) return words.format(-Math.trunc(past / length), unit);
  }
  return short.format(at);
}

// How long something has lasted since a time.
export function lasting(at, now) {
  const past = Math.max(now - at, 0);
  const [unit, length] = STEPS.find(([, length, most]) => past < most * length) ?? STEPS.at(-1);
  return since[unit].format(Math.trunc(past / length));
}

// Writes one <time> for the viewer.
export function tell(element, now = Date.now()) {
  const at = new Date(element.dateTime);
  if (Number.isNaN(at.getTime())) return;
  if (element.classList.contains('ago')) element.textContent = ago(at.getTime(), now);
  else if (element.classList.contains('since')) element.textContent = lasting(at.getTime(), now);
  else element.textContent = at.toDateString() === new Date(now).toDateString() ? clock.format(at) : short.format(at);
  element.title = whole.format(at);
}

// Writes all the times below an element.
export function tellAll(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll('time[datetime]')) tell(element, now);
}

// The page at an address as it is now; undefined when the server has none, leads elsewhere or is away.
export async function pageAt(address) {
  try {
    const answer = await fetch(address, { headers: { accept: 'text/html' } });
    if (!answer.ok || answer.redirected) return undefined;
    return new DOMParser().parseFromString(await answer.text(), 'text/html');
  } catch {
    return undefined;
  }
}

// <button data-copy="id"> copies the text of the element with that id, or an input's value.
async function copy(button) {
  const from = document.getElementById(button.dataset.copy);
  const said = button.textContent;
  try {
    await navigator.clipboard.writeText(from.value ?? from.textContent);
    button.textContent = 'Copied';
  } catch {
    const range = document.createRange();
    range.selectNodeContents(from);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    button.textContent = 'Selected: copy it now';
  }
  setTimeout(() => (button.textContent = said), 2000);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-copy]');
  if (button) void copy(button);
});

// <form data-sure="question"> is sent after a yes only.
document.addEventListener('submit', (event) => {
  const question = event.submitter?.dataset.sure ?? event.target.dataset.sure;
  if (question && !confirm(question)) event.preventDefault();
});

// A menu that lies over the page is closed by Escape and by leaving it.
for (const menu of document.querySelectorAll('details.menu')) {
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    menu.open = false;
    menu.querySelector('summary').focus();
  });
  menu.addEventListener('focusout', (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}

document.documentElement.classList.add('scripted');
tellAll();
setInterval(() => tellAll(), 10 * SECOND);
