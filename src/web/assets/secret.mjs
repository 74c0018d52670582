// A secret that is shown once: its picture as a file, texts as files, and the news that the device's first value is there.

function save(blob, name) {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const QR_SIDE = 512;

// The symbol's modules are one path: drawn again on a canvas, since no other picture may be shown on our pages.
function png(svg, done) {
  const [, , width] = svg.getAttribute('viewBox').split(' ').map(Number);
  const canvas = Object.assign(document.createElement('canvas'), { width: QR_SIDE, height: QR_SIDE });
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, QR_SIDE, QR_SIDE);
  pen.scale(QR_SIDE / width, QR_SIDE / width);
  pen.fillStyle = '#000';
  for (const path of svg.querySelectorAll('path')) pen.fill(new Path2D(path.getAttribute('d')));
  canvas.toBlob(done, 'image/png');
}

document.addEventListener('click', ({ target }) => {
  const qr = target.closest('button[data-qr]');
  if (qr) {
    const svg = document.querySelector('#qr svg');
    const name = `${qr.dataset.name}.${qr.dataset.qr}`;
    if (qr.dataset.qr === 'png') png(svg, (blob) => save(blob, name));
    else save(new Blob([new XMLSerializer().serializeToString(svg)], { type: 'image/svg+xml' }), name);
  }
  const text = target.closest('button[data-save]');
  if (text) save(new Blob([document.getElementById(text.dataset.save).textContent], { type: 'application/json' }), text.dataset.name);
});

const first = document.querySelector('[data-first]');
if (first) {
  const source = new EventSource(`/api/v1/stream?${new URLSearchParams({ event: 'reading', device: first.dataset.first })}`);
  source.addEventListener('reading', (event) => {
    const { sensor, value } = JSON.parse(event.data);
    const link = Object.assign(document.createElement('a'), { href: `/devices/${first.dataset.first}`, textContent: 'Open Plots' });
    first.replaceChildren(Object.assign(document.createElement('span'), { className: 'tag ok', textContent: 'arrived' }), ` ${sensor} ${value}. `, link);
  });
}
