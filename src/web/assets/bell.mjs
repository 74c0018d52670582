// The bell: how many alerts fire, told by the page's stream, asked again now and then for what other servers found.
import { listen } from './stream.mjs';

const bells = document.querySelectorAll('.bell');
const AGAIN_MS = 5000;
let timer;
let shown = Number(document.querySelector('[data-firing]')?.textContent ?? 0);

// Writes the count wherever the page shows it.
function show(firing) {
  for (const bell of bells) bell.classList.toggle('bad', firing > 0);
  for (const place of document.querySelectorAll('[data-firing]')) place.textContent = firing;
  if (firing !== shown) document.dispatchEvent(new CustomEvent('alerts'));
  shown = firing;
}

async function ask() {
  clearTimeout(timer);
  try {
    const answer = document.hidden ? undefined : await fetch('/api/v1/alerts/count', { headers: { accept: 'application/json' } });
    if (answer?.ok) show((await answer.json()).firing);
  } catch {
    // The server is away: the count stays, and is asked for again.
  }
  timer = setTimeout(ask, AGAIN_MS);
}

if (bells.length > 0) {
  timer = setTimeout(ask, AGAIN_MS);
  listen({
    events: ['alert'],
    along: true,
    hear: (name) => {
      if (name === 'alert') document.dispatchEvent(new CustomEvent('alerts'));
      void ask();
    },
  });
}
