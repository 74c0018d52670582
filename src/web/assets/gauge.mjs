// A gauge's geometry and dial: the same sums as the server's (family/token/gauge.rs, page/dial.rs). A gauge here is
// { min, max, start, range, clockwise }; angles are degrees clockwise from twelve o'clock.

const BEYOND = 0.03, SCALE = 86, TICKS = 10;
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

// A read-out: to a thousandth of the scale.
export function shown(gauge, value) {
  const digits = within(Math.ceil(-Math.log10((gauge.max - gauge.min) / 1000)), 0, 9);
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace('-', '') : text;
}

// What is wrong with a gauge, by its field; undefined when nothing is.
export function fault(gauge) {
  for (const name of ['min', 'max', 'start', 'range']) if (!Number.isFinite(gauge[name])) return { field: name, message: 'a number is missing here' };
  if (!(gauge.max > gauge.min)) return { field: 'min', message: 'the least value is less than the greatest' };
  if (!(gauge.range > 0 && gauge.range <= 360)) return { field: 'range', message: 'the range is above 0 and at most 360 degrees' };
  if (Math.abs(gauge.start) > 360) return { field: 'start', message: 'the starting angle is -360 to 360 degrees' };
  return undefined;
}

function place(angle, radius) {
  const turn = (angle / 360) * 2 * Math.PI;
  return [100 + radius * Math.sin(turn), 100 - radius * Math.cos(turn)].map((number) => number.toFixed(2));
}

const trimmed = (text) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

// Draws scale, ticks and labels of a gauge into an <svg class="dial">.
export function draw(svg, gauge) {
  const at = (part) => gauge.start + way(gauge) * gauge.range * part;
  const [a, b, c, d] = [0, 1 / 3, 2 / 3, 1].map((part) => place(at(part), SCALE).join(' '));
  const arc = `A${SCALE} ${SCALE} 0 0 ${gauge.clockwise ? 1 : 0} `;
  svg.querySelector('.scale').setAttribute('d', `M${a}${arc}${b}${arc}${c}${arc}${d}`);
  svg.querySelector('.ticks').setAttribute('d', Array.from({ length: TICKS + 1 }, (_, tick) => `M${place(at(tick / TICKS), SCALE - 9).join(' ')}L${place(at(tick / TICKS), SCALE - 15).join(' ')}`).join(''));
  svg.querySelectorAll('.end, .out').forEach((part) => part.remove());
  const ends = [[at(0), gauge.min], [at(1), gauge.max]].slice(0, gauge.range > 345 ? 1 : 2);
  for (const [angle, value] of ends) {
    const text = document.createElementNS(SVG, 'text');
    const [x, y] = place(angle, SCALE - 27);
    text.setAttribute('class', 'end');
    text.setAttribute('x', x);
    text.setAttribute('y', Number(y) + 4);
    text.textContent = trimmed(shown(gauge, value));
    svg.insertBefore(text, svg.querySelector('.needle'));
  }
}

// Turns the needle to a value and writes the read-out.
export function point(svg, gauge, value, unit = svg.dataset.unit ?? '') {
  const part = share(gauge, value);
  const read = shown(gauge, value);
  const needle = svg.querySelector('.needle');
  needle.setAttribute('transform', `rotate(${angleAt(gauge, value).toFixed(2)} 100 100)`);
  needle.classList.remove('gone');
  svg.querySelector('.read').textContent = read;
  svg.querySelector('.unit').textContent = unit;
  svg.classList.toggle('beyond', part < 0 || part > 1);
  const [least, most] = [gauge.min, gauge.max].map((end) => trimmed(shown(gauge, end)));
  svg.setAttribute('aria-label', `${read}${unit && ` ${unit}`} on a scale from ${least} to ${most}${part < 0 || part > 1 ? ', beyond its end' : ''}`);
}

// The gauge of a dial that the server drew.
export function ofDial(svg) {
  const { min, max, start, range, clockwise } = svg.dataset;
  return { min: Number(min), max: Number(max), start: Number(start), range: Number(range), clockwise: clockwise === 'true' };
}
