// The gauge editor: a dial that follows the fields, and a slider to test its pointer.

import { STATES, angleAt, draw, fault, ofDial, point, read } from './gauge.mjs';

for (const form of document.querySelectorAll('form[data-gauge]')) {
  const svg = form.querySelector('svg.dial');
  const slider = form.querySelector('[data-test]');
  const at = (name) => form.elements.namedItem(name);
  const number = (name) => (at(name).value.trim() === '' ? NaN : Number(at(name).value.trim().replace(',', '.')));
  const tell = (part, text) => (form.querySelector(`[data-${part}]`).textContent = text);

  const { bounds } = ofDial(svg);
  const bands = () => [...form.querySelectorAll('[data-zone]')].flatMap((row) => {
    const [from, to, state] = [...row.querySelectorAll('input, select')];
    return from.value.trim() || to.value.trim() ? [[number(from.name), number(to.name), state.value]] : [];
  });
  const worst = Object.keys(STATES);

  const follow = () => {
    const gauge = {
      min: number('minVal'), max: number('maxVal'), start: number('startAngle'), range: number('maxRange'), clockwise: at('increaseClockwise').checked,
      decimals: at('decimals').value.trim() === '' ? undefined : number('decimals'),
      bands: bands().toSorted((one, other) => worst.indexOf(one[2]) - worst.indexOf(other[2])), bounds,
    };
    const wrong = fault(gauge);
    tell('fault', wrong ? `No dial: ${wrong.message}.` : '');
    svg.classList.toggle('stale', Boolean(wrong));
    if (wrong) return;
    const percentage = Number(slider.value);
    const value = gauge.min + ((gauge.max - gauge.min) * percentage) / 100;
    const unit = at('unit').value.trim();
    draw(svg, gauge);
    point(svg, gauge, value, unit);
    tell('percentage', `${percentage} %`);
    tell('value', `${read(gauge, value)}${unit && ` ${unit}`}`);
    tell('angle', `${Math.round(angleAt(gauge, value) * 10) / 10}°`);
  };
  form.addEventListener('input', follow);
  follow();
}
