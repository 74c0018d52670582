// A gauge's dial in a page: its needle follows the values as they arrive.

import { ofDial, point } from './gauge.mjs';
import { listen } from './stream.mjs';

const face = document.querySelector('[data-dial]');
if (face) {
  listen({
    events: ['reading'],
    device: face.dataset.dial,
    hear: (name, { sensor, value }) => {
      // The part of the page that holds it may have been exchanged.
      const svg = document.querySelector('[data-dial] svg.dial');
      if (name === 'reading' && svg && sensor === 'data' && typeof value === 'number') point(svg, ofDial(svg), value);
    },
  });
}
