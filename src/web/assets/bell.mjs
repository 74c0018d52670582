// The bell: how many alerts fire, told by the stream, asked again now and then for what other servers found.

const bells = document.querySelectorAll('.bell');
const AGAIN_MS = 10_000;
let source;
let timer;
let shown = Number(document.querySelector('[data-firing]')?.textContent ?? 0);

// Writes the count wherever a page shows it.
function show(firing) {
  for (const bell of bells) bell.classList.toggle('bad', firing > 0);
  for (const place of document.querySelectorAll('[data-firing]')) place.textContent = firing;
  if (firing !== shown) document.dispatchEvent(new CustomEvent('alerts'));
  shown = firing;
}

async function ask() {
  clearTimeout(timer);
  try {
    const answer = await fetch('/api/v1/alerts/count', { headers: { accept: 'application/json' } });
    if (answer.ok) show((await answer.json()).firing);
  } catch {
    // The server is away: the count stays, and is asked for again.
  }
  if (!document.hidden) timer = setTimeout(ask, AGAIN_MS);
}

// A page that nobody looks at holds no stream.
function follow() {
  if (document.hidden) {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  } else if (!source) {
    source = new EventSource('/api/v1/stream?event=alert');
    source.addEventListener('alert', () => {
      document.dispatchEvent(new CustomEvent('alerts'));
      void ask();
    });
    source.addEventListener('resync', () => void ask());
    timer = setTimeout(ask, AGAIN_MS);
  }
}

if (bells.length > 0) {
  document.addEventListener('visibilitychange', () => {
    follow();
    if (!document.hidden) void ask();
  });
  follow();
}
