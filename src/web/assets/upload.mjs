// Uploads a file as the body of a call, with how far it is.
const form = document.querySelector('form[data-upload]');

function send(file) {
  const fields = new FormData(form);
  const name = fields.get('name').trim() || file.name;
  const query = new URLSearchParams();
  for (const field of ['label', 'target']) if (fields.get(field).trim()) query.set(field, fields.get(field).trim());
  const said = form.querySelector('[data-said]');
  const bar = form.querySelector('progress');
  const button = form.querySelector('button');
  const call = new XMLHttpRequest();
  const end = (text) => {
    said.textContent = text;
    said.classList.add('wrong');
    bar.hidden = true;
    button.disabled = false;
  };
  call.open('PUT', `/api/v1/files/${encodeURIComponent(name)}?${query}`);
  call.responseType = 'json';
  call.upload.addEventListener('progress', (event) => {
    if (!event.lengthComputable) return;
    bar.value = event.loaded / event.total;
    said.textContent = `${Math.floor(100 * bar.value)} %`;
  });
  call.addEventListener('load', () => {
    if (call.status < 300) location.assign(`/published?done=${call.response?.replaced ? 'replaced' : 'uploaded'}`);
    else end(call.response?.error?.message ?? `The server answered ${call.status}.`);
  });
  call.addEventListener('error', () => end('The connection broke: try again.'));
  said.classList.remove('wrong');
  said.textContent = '0 %';
  bar.hidden = false;
  button.disabled = true;
  call.send(file);
}

form?.addEventListener('submit', (event) => {
  event.preventDefault();
  const file = form.elements.file.files[0];
  if (file) send(file);
});
