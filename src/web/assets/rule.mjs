// The form of a rule: shows the fields of the chosen kind, and what the rule would be for, while one types.
import { pageAt, tellAll } from './shell.mjs';

const form = document.querySelector('form[data-rule]');
const WAIT_MS = 300;
let timer;
let asked = 0;

function fit() {
  const kind = new FormData(form).get('kind') ?? 'bounds';
  for (const part of form.querySelectorAll('[data-of]')) part.hidden = !part.dataset.of.split(' ').includes(kind);
}

// The fields as the Preview button would send them.
function query() {
  const data = new FormData(form);
  return new URLSearchParams([...data].filter(([, text]) => text !== '')).toString();
}

async function look() {
  const own = ++asked;
  if (!form.elements.whom.value && !form.elements.which?.value) return;
  const page = await pageAt(`${form.getAttribute('action')}?${query()}`);
  const fresh = page?.querySelector('[data-preview]');
  if (own !== asked || !fresh) return;
  // A form that is not whole yet is no reason to take away what is shown.
  if (!page.querySelector('.note.bad')) {
    const place = document.querySelector('[data-preview]');
    if (place.innerHTML !== fresh.innerHTML) place.innerHTML = fresh.innerHTML;
    tellAll(place);
  }
  const sensors = page.getElementById('sensors');
  if (sensors) document.getElementById('sensors').replaceWith(sensors);
}

if (form && !form.querySelector('fieldset').disabled) {
  fit();
  for (const button of form.querySelectorAll('[data-look]')) button.hidden = true;
  const soon = () => {
    fit();
    clearTimeout(timer);
    timer = setTimeout(look, WAIT_MS);
  };
  form.addEventListener('input', soon);
  form.addEventListener('change', soon);
  void look();
}
