// One stream of events for a page, however many of its scripts listen. A page that nobody looks at holds none: browsers and
// the server have few to give.

const wanted = [];
const REFUSED_MS = 5000;
let source, due;

// Calls `hear(name, data)` for events of these names, of one device or of all, `say(true)` when the stream is there and
// `say(false)` when it is not. Who listens `along` hears what comes, and has no more asked for.
export function listen({ events, device, hear, say, along = false }) {
  wanted.push({ events: new Set(events), device, hear, say, along });
  due ??= setTimeout(open);
}

function open() {
  due = undefined;
  source?.close();
  source = undefined;
  if (document.hidden || wanted.length === 0) return;
  const query = new URLSearchParams({ event: [...new Set(wanted.flatMap(({ events }) => [...events]))].join(',') });
  const devices = new Set(wanted.filter(({ along }) => !along).map(({ device }) => device));
  if (devices.size === 1 && !devices.has(undefined)) query.set('device', [...devices][0]);
  source = new EventSource(`/api/v1/stream?${query}`);
  const say = (is) => wanted.forEach((one) => one.say?.(is));
  source.addEventListener('open', () => say(true));
  source.addEventListener('error', ({ target }) => {
    say(false);
    // A browser comes back by itself after a break, but not after a refusal.
    if (target === source && target.readyState === EventSource.CLOSED) due ??= setTimeout(open, REFUSED_MS);
  });
  for (const name of ['reading', 'message', 'state', 'command', 'alert', 'resync']) {
    source.addEventListener(name, (event) => {
      const data = JSON.parse(event.data);
      const of = data.device?.id ?? data.id;
      for (const one of wanted) {
        if (name === 'resync' || (one.events.has(name) && (one.device === undefined || one.device === of))) one.hear(name, data);
      }
    });
  }
}

// A browser that keeps a page to come back to would keep its stream, too.
addEventListener('pagehide', () => {
  source?.close();
  source = undefined;
});
addEventListener('pageshow', (event) => {
  if (!event.persisted) return;
  wanted.forEach((one) => one.hear('resync', {}));
  open();
});
document.addEventListener('visibilitychange', () => {
  // What was missed meanwhile is not told again: whoever listens asks anew.
  if (!document.hidden) wanted.forEach((one) => one.hear('resync', {}));
  open();
});
