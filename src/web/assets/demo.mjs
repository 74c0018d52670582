// The demo page, live: values move as they arrive, commands change as they are fetched and answered. Without this module the page
// shows how things stood when it was asked for.

import { ofDial, point } from './gauge.mjs';
import { tellAll } from './shell.mjs';

const WINDOW = 100;
const OPEN = ['queued', 'sent', 'accepted'];

class Demo {
  constructor(section) {
    this.section = section;
    this.most = Number(section.dataset.most);
    this.confirmed = section.querySelector('.confirmed');
    this.told = section.querySelector('.told');
    this.dial = section.querySelector('svg.dial');
    this.curves = new Map();
    for (const path of section.querySelectorAll('.curve')) {
      const points = path.dataset.points ? path.dataset.points.split(',').map(Number) : [];
      this.curves.set(path.dataset.sensor, { path, points, last: path.dataset.last });
    }
    section.querySelector('.order')?.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.order(event.target);
    });
    this.watch();
  }

  watch() {
    const query = new URLSearchParams({ event: 'reading,command', device: this.section.dataset.device, last_event_id: this.section.dataset.from });
    const source = new EventSource(`/api/v1/stream?${query}`);
    source.addEventListener('reading', (event) => this.reading(JSON.parse(event.data)));
    source.addEventListener('command', (event) => this.command(JSON.parse(event.data)));
  }

  reading({ sensor, value, shown, unit, time_received: at }) {
    const curve = this.curves.get(sensor);
    // The page had it already.
    if (curve?.last && at <= curve.last) return;
    if (curve && typeof value === 'number') {
      curve.points.push(value);
      if (curve.points.length > WINDOW) curve.points.shift();
      this.changed();
    }
    const stat = this.section.querySelector(`dd[data-sensor="${CSS.escape(sensor)}"]`);
    if (stat) stat.querySelector('.shown').textContent = shown ?? value ?? '–';
    if (stat && unit) stat.querySelector('.unit').textContent = unit;
    if (this.dial && sensor === 'data' && typeof value === 'number') point(this.dial, ofDial(this.dial), value);
  }

  // Draws once for each picture of the screen.
  changed() {
    this.due ??= requestAnimationFrame(() => {
      this.due = undefined;
      for (const { path, points } of this.curves.values()) {
        const at = (value, place) => `${place ? 'L' : 'M'}${((place * 100) / (WINDOW - 1)).toFixed(2)} ${(100 - (value / this.most) * 100).toFixed(2)}`;
        path.setAttribute('d', points.map(at).join(''));
        path.dataset.points = points.join(',');
      }
    });
  }

  command({ id, state, payload, reply, transitions }) {
    if (!this.told) return;
    let line = this.told.querySelector(`[data-command="${CSS.escape(id)}"]`);
    if (!line) {
      line = document.createElement('li');
      line.dataset.command = id;
      this.told.prepend(line);
      while (this.told.children.length > 4) this.told.lastElementChild.remove();
    }
    const part = (name, text, className) => Object.assign(document.createElement(name), { textContent: text, className: className ?? '' });
    const time = part('time', '', 'ago');
    time.dateTime = transitions.at(-1)?.at ?? '';
    line.replaceChildren(part('span', state, `tag ${state}`), ' ', part('code', JSON.stringify(payload)), ' ', time);
    if (reply) line.append(document.createElement('br'), part('span', 'It answered', 'dim'), ' ', part('code', JSON.stringify(reply._pld ?? reply)));
    else if (OPEN.includes(state)) line.append(document.createElement('br'), part('span', transitions.at(-1)?.reason ?? '', 'dim'));
    tellAll(line);
  }

  async order(form) {
    const button = form.querySelector('button');
    button.disabled = true;
    const fields = new FormData(form);
    const said = { cmd: fields.get('cmd'), payload: JSON.parse(fields.get('payload')) };
    try {
      const answer = await fetch(new URL(form.action).pathname.replace('/devices/', '/api/v1/devices/'), { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(said) });
      const told = await answer.json();
      if (!answer.ok) throw new Error(told.error?.message ?? `the server answered ${answer.status}`);
      this.command(told);
    } catch (error) {
      const wrong = Object.assign(document.createElement('li'), { className: 'wrong', textContent: error.message });
      this.told.prepend(wrong);
    }
    button.disabled = false;
  }
}

const demos = [...document.querySelectorAll('.demo[data-device]')].map((section) => new Demo(section));

// What another person does, or what goes wrong: the page is asked for again when a demo stands elsewhere than shown.
async function look() {
  const answer = await fetch('/api/v1/demo').catch(() => null);
  if (!answer?.ok) return;
  for (const { demo, state, confirmed } of (await answer.json()).items) {
    const section = document.getElementById(demo);
    if (section && section.dataset.state !== state && !section.querySelector('input:focus')) location.replace('/demo');
    const its = demos.find((one) => one.section === section);
    if (its?.confirmed) its.confirmed.textContent = confirmed;
  }
}

if (document.querySelector('.demo')) setInterval(look, 2000);
