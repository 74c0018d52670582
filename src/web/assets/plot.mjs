// The plots of a page: each figure's drawing by the server makes way for one that moves. All share one stretch of time and
// one cursor. Without this module the page shows the server's drawings and its links to other ranges.

import { draw, frame } from './draw.mjs';
import { listen } from './stream.mjs';
import { bucketLength, shown, whole } from './scale.mjs';

const SPAN_MIN = 10_000, SPAN_MAX = 5 * 366 * 86_400_000;

// What all figures share: the stretch of time, the cursor, and whether the end is now.
class View {
  constructor(span) {
    this.span = span;
    this.to = Date.now();
    this.live = true;
    this.cursor = NaN;
    this.figures = [];
  }

  get from() {
    return this.to - this.span;
  }

  // Shows a stretch of time; one that ends now goes on with the clock.
  show(from, to) {
    const now = Date.now();
    const stays = this.live && to >= this.to - 1;
    this.span = Math.min(Math.max(to - from, SPAN_MIN), SPAN_MAX);
    this.to = stays ? now : Math.min((from + to) / 2 + this.span / 2, now);
    this.live = stays || this.to >= now - 1000;
    this.changed();
    this.figures.forEach((figure) => figure.wants());
  }

  zoom(times, about = this.live ? this.to : this.cursor) {
    const at = about >= this.from && about <= this.to ? about : (this.from + this.to) / 2;
    this.show(at - (at - this.from) * times, at + (this.to - at) * times);
  }

  point(time) {
    this.cursor = time;
    this.changed();
  }

  // Draws all again, once for each picture of the screen.
  changed() {
    this.due ??= requestAnimationFrame(() => {
      this.due = undefined;
      this.figures.forEach((figure) => figure.draw());
      this.told?.();
    });
  }
}

// One series of one device: what was asked of the server, and what came since.
class Series {
  constructor(data, pace) {
    Object.assign(this, { device: data.device, sensor: data.sensor, label: data.label ?? data.sensor, unit: data.unit ?? '' });
    this.factor = Number(data.factor ?? 1);
    this.offset = Number(data.offset ?? 0);
    this.outside = JSON.parse(data.bounds ?? '[]');
    this.bounds = this.outside.flat().filter((bound) => bound !== null);
    this.fired = JSON.parse(data.fired ?? '[]');
    this.pace = pace;
    this.buckets = [];
    this.length = 1000;
  }

  // How far two buckets may be from each other: three of the device's own intervals, or of the buckets'.
  get apart() {
    return Math.max(this.length * 2.5, this.pace * 3000);
  }

  asShown(number) {
    return number * this.factor + this.offset;
  }

  async load(from, to, count, signal) {
    const length = bucketLength(to - from, count);
    const query = new URLSearchParams({ sensor: this.sensor, agg: 'min,max,avg,count', bucket_s: length, from: new Date(from).toISOString(), to: new Date(to).toISOString() });
    const answer = await fetch(`/api/v1/devices/${encodeURIComponent(this.device)}/data?${query}`, { signal, headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.error?.message ?? `the server answered ${answer.status}`);
    const { items } = await answer.json();
    this.length = length * 1000;
    this.buckets = items.map((item) => this.bucket(Date.parse(item.time), item));
  }

  bucket(time, { min, max, avg, count }) {
    const [one, other] = [this.asShown(min), this.asShown(max)];
    return { time, min: Math.min(one, other), max: Math.max(one, other), avg: this.asShown(avg), count };
  }

  // Takes a value that has just arrived.
  hear(time, raw) {
    const value = this.asShown(Number(raw));
    if (!Number.isFinite(value) || typeof raw === 'string') return false;
    const begin = Math.floor(time / this.length) * this.length;
    const last = this.buckets.at(-1);
    if (last && begin < last.time) return false;
    if (last?.time !== begin) {
      this.buckets.push({ time: begin, min: value, max: value, avg: value, count: 1 });
      return true;
    }
    const count = last.count + 1;
    Object.assign(last, { min: Math.min(last.min, value), max: Math.max(last.max, value), avg: last.avg + (value - last.avg) / count, count });
    return true;
  }

  // The bucket that is closest to a time, unless nothing is near.
  near(time) {
    let found;
    for (const bucket of this.buckets) {
      const far = Math.abs(bucket.time + this.length / 2 - time);
      if (far <= this.apart && !(far >= Math.abs((found?.time ?? Infinity) + this.length / 2 - time))) found = bucket;
    }
    return found;
  }
}

class Figure {
  constructor(element, view, pace) {
    this.element = element;
    this.view = view;
    this.pace = pace;
    this.all = [new Series(element.dataset, pace)];
    this.canvas = document.createElement('canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'img');
    this.canvas.setAttribute('aria-label', this.all[0].label);
    this.output = element.querySelector('output');
    element.querySelector('.drawing').replaceChildren(this.canvas);
    this.listen();
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen && this.stale) this.wants();
    }, { rootMargin: '200px' }).observe(element);
  }

  // Asks for what is to be seen, when it is seen and the hand has come to rest.
  wants() {
    this.stale = true;
    if (!this.seen) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 120);
  }

  async load() {
    this.stale = false;
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    const { from, to, span } = this.view;
    const count = Math.max(60, Math.min(500, Math.floor(this.canvas.clientWidth / 2)));
    try {
      await Promise.all(this.all.map((series) => series.load(from - span * 0.1, to + 1000, count, signal)));
      this.say(undefined);
    } catch (error) {
      if (signal.aborted) return;
      this.say(`Cannot read the values: ${error.message}`);
    }
    this.element.dataset.loaded = Number(this.element.dataset.loaded ?? 0) + 1;
    this.view.changed();
  }

  say(fault) {
    this.fault = fault;
    this.element.classList.toggle('failed', fault !== undefined);
  }

  // Shows another sensor over the first, or the first alone.
  overlay(data) {
    this.all.splice(1);
    if (data) this.all.push(new Series(data, this.pace));
    this.wants();
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0);
    this.wants();
    this.view.changed();
  }

  draw() {
    if (!this.seen || this.canvas.clientWidth === 0) return;
    const { from, to, cursor } = this.view;
    const isTwo = this.all.some((series) => series.unit !== this.all[0].unit);
    this.plot = frame(this.canvas.clientWidth, this.canvas.clientHeight, from, to, isTwo);
    this.scales = draw(this.canvas.getContext('2d'), this.plot, this.all, { from, to, cursor, drag: this.drag, colours: colours() });
    const words = this.words();
    if (this.output.textContent !== words) this.output.textContent = words;
    this.canvas.setAttribute('aria-label', `${this.all.map((series) => series.label).join(', ')} from ${whole(from)} to ${whole(to)}. ${words}`);
  }

  // What stands under the plot: the values at the cursor, or what there is.
  words() {
    if (this.fault) return this.fault;
    const { from, to, cursor } = this.view;
    if (Number.isFinite(cursor)) {
      const told = this.all.map((series) => this.told(series, series.near(cursor)));
      return `${whole(cursor)}: ${told.join('; ')}`;
    }
    const [series] = this.all;
    const inside = series.buckets.filter((bucket) => bucket.time + series.length >= from && bucket.time <= to);
    if (inside.length === 0) return 'No values in this time.';
    const low = Math.min(...inside.map((bucket) => bucket.min)), high = Math.max(...inside.map((bucket) => bucket.max));
    return `${shown(low, high - low)} to ${shown(high, high - low)} ${series.unit}`.trim();
  }

  told(series, bucket) {
    const name = this.all.length > 1 ? `${series.label} ` : '';
    if (!bucket) return `${name}no value`;
    const span = bucket.max - bucket.min;
    const mean = `${name}${shown(bucket.avg, span || 0.01)} ${series.unit}`.trim();
    return bucket.count > 1 && span > 0 ? `${mean} (${shown(bucket.min, span)} to ${shown(bucket.max, span)}, ${bucket.count} values)` : mean;
  }

  listen() {
    const { canvas, view } = this;
    const x = (event) => Math.min(Math.max(event.offsetX, this.plot.left), this.plot.right);
    canvas.addEventListener('pointermove', (event) => {
      if (!this.plot) return;
      if (this.drag) this.drag[1] = x(event);
      view.point(this.plot.time(x(event)));
    });
    canvas.addEventListener('pointerleave', () => !this.drag && view.point(NaN));
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.plot || event.button !== 0 || event.pointerType === 'touch') return;
      canvas.setPointerCapture(event.pointerId);
      this.drag = [x(event), x(event)];
    });
    const let_go = (event) => {
      const drag = this.drag;
      this.drag = undefined;
      if (!drag) return;
      const [left, right] = [Math.min(...drag), Math.max(...drag)];
      if (event.type === 'pointerup' && right - left > 5) view.show(this.plot.time(left), this.plot.time(right));
      else view.changed();
    };
    canvas.addEventListener('pointerup', let_go);
    canvas.addEventListener('pointercancel', let_go);
    canvas.addEventListener('dblclick', () => view.zoom(4));
    canvas.addEventListener('keydown', (event) => this.key(event));
    canvas.addEventListener('blur', () => view.point(NaN));
  }

  key(event) {
    const { view } = this;
    const step = view.span / 50;
    const cursor = Number.isFinite(view.cursor) ? view.cursor : view.to;
    const move = (by) => (event.shiftKey ? view.show(view.from + by * 10, view.to + by * 10) : view.point(Math.min(Math.max(cursor + by, view.from), view.to)));
    const acts = {
      ArrowLeft: () => move(-step), ArrowRight: () => move(step),
      '+': () => view.zoom(0.5, cursor), '=': () => view.zoom(0.5, cursor), '-': () => view.zoom(2, cursor),
      Home: () => view.point(view.from), End: () => view.show(Date.now() - view.span, Date.now()), Escape: () => view.point(NaN),
    };
    if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    acts[event.key]();
  }
}

// The sheet's own colours, asked for again when they change: light or dark.
const dark = matchMedia('(prefers-color-scheme: dark)');
let known;
dark.addEventListener('change', () => (known = undefined));
function colours() {
  if (known) return known;
  const probe = document.createElement('span');
  probe.hidden = true;
  document.body.append(probe);
  const of = (name) => {
    probe.className = `colour-${name}`;
    return getComputedStyle(probe).color;
  };
  known = { text: of('text'), dim: of('dim'), line: of('line'), bound: of('warn'), alarm: of('bad'), select: of('select'), series: ['one', 'two', 'three', 'four'].map(of) };
  probe.remove();
  return known;
}

// Hears of new values and draws them where the end of a plot is now.
function follow(view, device, note) {
  const hear = (name, { sensor, value, time_received }) => {
    if (name === 'resync') view.figures.forEach((figure) => figure.wants());
    const time = Date.parse(time_received);
    for (const figure of view.figures) {
      for (const series of figure.all) if (series.sensor === sensor && series.hear(time, value)) view.changed();
    }
  };
  listen({ events: ['reading'], device, hear, say: note });
}

// Adds the plots of sensors that the page did not have; what stands above the others may be chosen over them from now on.
function take(section, fresh, view, pace) {
  for (const element of fresh?.querySelectorAll('figure.plot') ?? []) {
    const old = view.figures.find((one) => one.element.dataset.sensor === element.dataset.sensor);
    if (old) {
      const chosen = old.element.querySelector('select.overlay')?.value ?? '';
      old.element.querySelector('figcaption').replaceWith(element.querySelector('figcaption'));
      const select = old.element.querySelector('select.overlay');
      if (select) select.value = chosen;
      continue;
    }
    section.querySelector('.grid').append(element);
    view.figures.push(new Figure(element, view, pace));
  }
  section.querySelector('.more')?.remove();
  section.append(...(fresh?.querySelectorAll('.more') ?? []));
}

function start(section) {
  const { device, span, pace } = section.dataset;
  const view = new View(Number(span) * 1000);
  view.figures = [...section.querySelectorAll('figure.plot')].map((element) => new Figure(element, view, Number(pace || 0)));
  const links = [...section.querySelectorAll('.ranges a')];
  for (const link of links) {
    link.addEventListener('click', (event) => {
      event.preventDefault();
      document.dispatchEvent(new CustomEvent('range', { detail: link.href }));
      const now = Date.now();
      view.show(now - Number(link.dataset.span) * 1000, now);
    });
  }
  const status = section.querySelector('.live');
  let heard = false;
  view.told = () => {
    links.forEach((link) => (view.live && Math.abs(Number(link.dataset.span) * 1000 - view.span) < 1 ? link.setAttribute('aria-current', 'true') : link.removeAttribute('aria-current')));
    const words = !view.live ? `${whole(view.from)} to ${whole(view.to)}` : heard ? 'Live' : 'Waiting for the server';
    if (status.textContent !== words) status.textContent = words;
  };
  section.addEventListener('change', ({ target }) => {
    if (!target.matches('select.overlay')) return;
    const figure = view.figures.find((one) => one.element.contains(target));
    const other = view.figures.find((one) => one.element.dataset.sensor === target.value);
    figure.overlay(other?.element.dataset);
  });
  document.addEventListener('sensors', ({ detail }) => take(section, detail.querySelector('section.plots'), view, Number(pace || 0)));
  follow(view, device, (is) => { heard = is; view.changed(); });
  setInterval(() => {
    if (!view.live || document.hidden) return;
    view.to = Date.now();
    view.changed();
  }, 1000);
  dark.addEventListener('change', () => view.changed());
  section.classList.add('moving');
  view.changed();
}

document.querySelectorAll('section.plots').forEach(start);
