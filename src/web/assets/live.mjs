// Keeps a page as things are. Values that come are written where they stand; parts with data-fresh="events" are asked for
// again after such events, and now and then:
//   data-of     the id of the device whose events count; all count without it
//   data-least  seconds between two times, data-anyway seconds after which it is asked again whatever happens
// A sensor of the device in data-sensors that does not stand there yet is asked for, too: its values are put in here, and who
// draws them hears 'sensors' with the fresh page.

import { ofDial, point, rounded } from './gauge.mjs';
import { pageAt, tell, tellAll } from './shell.mjs';
import { listen } from './stream.mjs';

const SOON = 500, LEAST = 3, ANYWAY = 120;
const parts = [...document.querySelectorAll('[data-fresh][id]')];
const status = document.querySelector('[data-live]');
const sensors = document.querySelector('[data-sensors][id]');
const names = (root) => [...(root?.querySelectorAll('[data-sensor]') ?? [])].map((one) => one.dataset.sensor);
const known = new Set(names(sensors));
const heard = new Set(known);
const least = Math.max(...parts.map((part) => Number(part.dataset.least ?? LEAST))) * 1000;
const anyway = Math.max(...parts.map((part) => Number(part.dataset.anyway ?? ANYWAY))) * 1000;
const strangers = new Set();
let begun = false, rows, timer, last = Date.now(), here = location.href;

// The places of each device on the page, by its id.
function find() {
  rows = new Map();
  for (const row of document.querySelectorAll('[data-device]')) {
    const { device } = row.dataset;
    rows.set(device, [...(rows.get(device) ?? []), row]);
  }
  for (const link of document.querySelectorAll('.devices h2 > a, .devices td:first-child > a')) {
    rows.set(link.getAttribute('href').split('/').at(-1), [link.closest('li, tr')]);
  }
}

// Writes a value that has just come.
function hear({ device, sensor, value, shown, outside, alarms, time_received }) {
  for (const row of rows.get(device.id) ?? []) {
    for (const time of row.querySelectorAll('time.since, time.seen')) {
      time.dateTime = time_received;
      tell(time);
    }
    const dial = sensor === 'data' && typeof value === 'number' && row.matches('.device') && row.querySelector('svg.dial');
    if (dial) point(dial, ofDial(dial), value);
    for (const old of row.querySelectorAll('span[data-sensor]')) {
      if (old.dataset.sensor === sensor) write(old, shown || words(value, old.dataset.decimals), Boolean(outside) || alarms?.length > 0, time_received, value);
    }
  }
}

// A value without a meaning, with the digits that a person chose.
function words(value, decimals) {
  if (value === null) return '–';
  return typeof value === 'number' && decimals !== undefined ? rounded(value, Number(decimals)) : String(value);
}

function write(old, words, wrong, at, value) {
  (old.closest('.main, .minor > div') ?? old).classList.toggle('wrong-value', wrong);
  for (const time of old.closest('tr, .value')?.querySelectorAll('time.ago') ?? []) {
    time.dateTime = at;
    tell(time);
  }
  const raw = old.parentElement.querySelector('[data-raw]');
  if (raw) raw.textContent = String(value ?? '');
  if (old.textContent === words) return;
  old.textContent = words;
  old.classList.remove('fresh');
  void old.offsetWidth;
  old.classList.add('fresh');
}

// Asks for the page again and puts in what is there now.
async function refresh() {
  last = Date.now();
  timer = undefined;
  const fresh = await pageAt(here);
  if (!fresh) return;
  const now = sensors && fresh.getElementById(sensors.id);
  const more = names(now).filter((name) => !known.has(name));
  // The first values of a device make another page of it.
  if (more.length > 0 && fresh.querySelector('section.plots') && !document.querySelector('section.plots')) return location.reload();
  parts.forEach((part) => swap(part, fresh.getElementById(part.id)));
  if (more.length > 0) {
    more.forEach((name) => known.add(name));
    swap(sensors, now);
    document.dispatchEvent(new CustomEvent('sensors', { detail: fresh }));
  }
  find();
  document.dispatchEvent(new CustomEvent('refreshed'));
}

// Puts a part's new content in. What a person opened stays open, what has the focus keeps it, and forms stay as they are.
function swap(part, fresh) {
  const held = part.contains(document.activeElement) ? document.activeElement : undefined;
  if (!fresh || held?.matches('input, select, textarea')) return;
  const keys = (root) => [...root.querySelectorAll('details')].map((one) => [one, `${one.closest('[id]')?.id} ${one.querySelector('summary').textContent}`]);
  const opened = new Set(keys(part).filter(([one]) => one.open).map(([, key]) => key));
  for (const [one, key] of keys(fresh)) one.open = opened.has(key);
  const forms = new Map([...part.querySelectorAll('form[data-stays]')].map((form) => [form.dataset.stays, form]));
  const checked = new Set([...part.querySelectorAll('input:checked')].map((box) => `${box.name} ${box.value}`));
  for (const box of fresh.querySelectorAll('input[type=checkbox]')) box.checked = checked.has(`${box.name} ${box.value}`);
  part.replaceChildren(...fresh.childNodes);
  for (const form of part.querySelectorAll('form[data-stays]')) form.replaceWith(forms.get(form.dataset.stays) ?? form);
  tellAll(part);
  const same = held?.id ? `#${CSS.escape(held.id)}` : held?.hasAttribute('href') && `a[href="${CSS.escape(held.getAttribute('href'))}"]`;
  if (same) part.querySelector(same)?.focus();
}

function soon() {
  timer ??= setTimeout(refresh, Math.max(SOON, last + least - Date.now()));
}

// Whether what a device said may change the page: it stands there, or was never heard of.
function concerns(id) {
  if (rows.has(id)) return true;
  const isNew = !strangers.has(id);
  strangers.add(id);
  return isNew;
}

// Whether a device's value is of a sensor that the page does not have.
function isStranger(id, sensor) {
  if (sensors?.dataset.sensors !== id || heard.has(sensor)) return false;
  heard.add(sensor);
  return true;
}

find();
const of = parts.map((part) => part.dataset.of);
listen({
  events: ['reading', ...parts.flatMap((part) => part.dataset.fresh.split(',').filter(Boolean))],
  device: of.every((id) => id === of[0]) ? of[0] : undefined,
  hear: (name, data) => {
    const id = data.device?.id ?? data.id;
    if (name === 'reading' && isStranger(id, data.sensor)) soon();
    else if (name === 'reading' && rows.has(id)) hear(data);
    else if (['state', 'alert', 'resync'].includes(name) || concerns(id)) soon();
  },
  say: (is) => {
    if (status) status.textContent = is ? 'Live' : 'Waiting for the server';
    // What came between the page and its stream was not told.
    if (is && !begun) soon();
    begun ||= is;
  },
});
// The plots show another stretch of time: what is beside them follows.
document.addEventListener('range', ({ detail }) => {
  here = detail.replace(/#.*/, '');
  void refresh();
});
setInterval(() => !document.hidden && Date.now() - last > anyway && soon(), 2000);
