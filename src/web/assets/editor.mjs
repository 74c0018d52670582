// The gauge editor: a dial that follows the fields, and a slider to test its pointer.

import { angleAt, draw, fault, point, shown } from './gauge.mjs';

for (const form of document.querySelectorAll('form[data-gauge]')) {
  const svg = form.querySelector('svg.dial');
  const slider = form.querySelector('[data-test]');
  const at = (name) => form.elements.namedItem(name);
  const number = (name) => (at(name).value.trim() === '' ? NaN : Number(at(name).value.trim().replace(',', '.')));
  const tell = (part, text) => (form.querySelector(`[data-${part}]`).textContent = text);

  const follow = () => {
    const gauge = { min: number('minVal'), max: number('maxVal'), start: number('startAngle'), range: number('maxRange'), clockwise: at('increaseClockwise').checked };
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
    tell('value', `${shown(gauge, value)}${unit && ` ${unit}`}`);
    tell('angle', `${Math.round(angleAt(gauge, value) * 10) / 10}°`);
  };
  form.addEventListener('input', follow);
  follow();
}
