// A gauge's geometry and dial: the same sums as the server's (family/token/gauge.rs, family/token/face.rs, page/dial.rs). A
// gauge here is { min, max, start, range, clockwise, decimals, bands, bounds }: digits after the point or none said, parts of
// the scale as [from, to, state] with the worse ones last, and [low, high] with nulls; angles are degrees clockwise from twelve
// o'clock.

const BEYOND = 0.03, SCALE = 86, RIM = 95, TICKS = 10;
// What a band means, the mildest first.
export const STATES = { good: 'in order', warn: 'needs a look', bad: 'wrong' };
const BANDS_MAX = 6, DECIMALS_MAX = 6;
const SVG = 'http://www.w3.org/2000/svg';

export const way = (gauge) => (gauge.clockwise ? 1 : -1);
export const share = (gauge, value) => (value - gauge.min) / (gauge.max - gauge.min);
const within = (number, least, most) => Math.min(Math.max(number, least), most);

// The pointer's angle at a value; beyond the scale it stops a little after its end.
export function angleAt(gauge, value) {
  return gauge.start + way(gauge) * gauge.range * within(share(gauge, value), -BEYOND, 1 + BEYOND);
}

// The value at a pointer's angle.
export function valueAt(gauge, angle) {
  const least = gauge.range >= 360 ? 0 : gauge.range / 2 - 180;
  const turned = (way(gauge) * (angle - gauge.start) - least) % 360;
  const along = (turned < 0 ? turned + 360 : turned) + least;
  return gauge.min + ((gauge.max - gauge.min) * along) / gauge.range;
}

// A number with so many digits after its point. A half goes away from zero, and nothing has no sign.
export function rounded(value, digits) {
  const scale = 10 ** digits;
  const held = (Math.sign(value) * Math.round(Math.abs(value) * scale)) / scale;
  const text = (Number.isFinite(held) ? held : value).toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}

// A read-out: to a thousandth of the scale.
export function shown(gauge, value) {
  return rounded(value, within(Math.ceil(-Math.log10((gauge.max - gauge.min) / 1000)), 0, 9));
}

// The same with the digits that a person chose.
export const read = (gauge, value) => (gauge.decimals === undefined ? shown(gauge, value) : rounded(value, gauge.decimals));

// What it means that the pointer is at a value; undefined outside of all bands.
export function stateAt(gauge, value) {
  const words = Object.keys(STATES);
  return words.findLast((word) => (gauge.bands ?? []).some(([from, to, state]) => state === word && value >= from && value <= to));
}

// What is wrong with a gauge, by its field; undefined when nothing is.
export function fault(gauge) {
  for (const name of ['min', 'max', 'start', 'range']) if (!Number.isFinite(gauge[name])) return { field: name, message: 'a number is missing here' };
  if (!(gauge.max > gauge.min)) return { field: 'min', message: 'the least value is less than the greatest' };
  if (!(gauge.range > 0 && gauge.range <= 360)) return { field: 'range', message: 'the range is above 0 and at most 360 degrees' };
  if (Math.abs(gauge.start) > 360) return { field: 'start', message: 'the starting angle is -360 to 360 degrees' };
  const { decimals, bands = [] } = gauge;
  if (decimals !== undefined && !(Number.isInteger(decimals) && decimals >= 0 && decimals <= DECIMALS_MAX)) return { field: 'decimals', message: `digits are a whole number from 0 to ${DECIMALS_MAX}` };
  if (bands.length > BANDS_MAX) return { field: 'bands', message: `a gauge has ${BANDS_MAX} bands at most` };
  for (const [from, to] of bands) {
    if (!Number.isFinite(from) || !Number.isFinite(to)) return { field: 'bands', message: 'a band begins and ends at a number' };
    if (from >= to) return { field: 'bands', message: 'a band ends at more than it begins with' };
  }
  return undefined;
}

function place(angle, radius) {
  const turn = (angle / 360) * 2 * Math.PI;
  return [100 + radius * Math.sin(turn), 100 - radius * Math.cos(turn)].map((number) => number.toFixed(2));
}

const trimmed = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

// An arc along the scale, in thirds, since an arc of a whole turn is none.
function arc(at, gauge, radius, from, to) {
  const third = (to - from) / 3;
  const [first, ...rest] = [from, from + third, to - third, to].map((part) => place(at(part), radius).join(' '));
  return `M${first}${rest.map((end) => `A${radius} ${radius} 0 0 ${gauge.clockwise ? 1 : 0} ${end}`).join('')}`;
}

// Draws scale, bands, bounds, ticks and labels of a gauge into an <svg class="dial">.
export function draw(svg, gauge) {
  const at = (part) => gauge.start + way(gauge) * gauge.range * part;
  const on = (value) => within(share(gauge, value), 0, 1);
  const tick = (part, outer, inner) => `M${place(at(part), outer).join(' ')}L${place(at(part), inner).join(' ')}`;
  svg.querySelectorAll('.end, .zone, .out, .bound').forEach((part) => part.remove());
  const add = (name, attributes, before) => {
    const part = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
    svg.insertBefore(part, svg.querySelector(before));
    return part;
  };
  svg.querySelector('.scale').setAttribute('d', arc(at, gauge, SCALE, 0, 1));
  for (const [from, to, state] of gauge.bands ?? []) {
    if (on(from) < on(to)) add('path', { class: `zone ${state}`, d: arc(at, gauge, SCALE, on(from), on(to)) }, '.ticks');
  }
  let lines = '';
  for (const [low, high] of gauge.bounds ?? []) {
    const outside = [low !== null && [0, on(low)], high !== null && [on(high), 1]];
    for (const [from, to] of outside.filter((one) => one && one[0] < one[1])) add('path', { class: 'out', d: arc(at, gauge, RIM, from, to) }, '.ticks');
    const parts = [low, high].filter((bound) => bound !== null).map((bound) => share(gauge, bound));
    lines += parts.filter((part) => part >= 0 && part <= 1).map((part) => tick(part, RIM + 3, SCALE - 7)).join('');
  }
  if (lines) add('path', { class: 'bound', d: lines }, '.ticks');
  svg.querySelector('.ticks').setAttribute('d', Array.from({ length: TICKS + 1 }, (_, count) => tick(count / TICKS, SCALE - 9, SCALE - 15)).join(''));
  const ends = [[0, gauge.min], [1, gauge.max]].slice(0, gauge.range > 345 ? 1 : 2);
  for (const [part, value] of ends) {
    const [x, y] = place(at(part), SCALE - 27);
    add('text', { class: 'end', x: Number(x).toFixed(1), y: (Number(y) + 4).toFixed(1) }, '.needle').textContent = trimmed(shown(gauge, value));
  }
}

// Turns the needle to a value and writes the read-out.
export function point(svg, gauge, value, unit = svg.dataset.unit ?? '') {
  const part = share(gauge, value);
  const told = read(gauge, value);
  const state = stateAt(gauge, value);
  const needle = svg.querySelector('.needle');
  needle.setAttribute('transform', `rotate(${angleAt(gauge, value).toFixed(2)} 100 100)`);
  needle.classList.remove('gone');
  svg.querySelector('.read').textContent = told;
  svg.querySelector('.unit').textContent = unit;
  svg.classList.toggle('beyond', part < 0 || part > 1);
  for (const word of Object.keys(STATES)) svg.classList.toggle(`is-${word}`, state === word);
  const [least, most] = [gauge.min, gauge.max].map((end) => trimmed(shown(gauge, end)));
  const beyond = part < 0 || part > 1 ? ', beyond its end' : '';
  svg.setAttribute('aria-label', `${told}${unit && ` ${unit}`} on a scale from ${least} to ${most}${beyond}${state ? `: ${STATES[state]}` : ''}`);
}

// The gauge of a dial that the server drew.
export function ofDial(svg) {
  const { min, max, start, range, clockwise, decimals, bands, bounds } = svg.dataset;
  return {
    min: Number(min), max: Number(max), start: Number(start), range: Number(range), clockwise: clockwise === 'true',
    decimals: decimals ? Number(decimals) : undefined, bands: JSON.parse(bands || '[]'), bounds: JSON.parse(bounds || '[]'),
  };
}
