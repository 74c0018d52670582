// The form of commands: a choice of family or example shows its form, a typed name or value chooses what it belongs to, and
// there is always one more field for a device.

const kind = document.getElementById('kind');
kind?.addEventListener('change', () => kind.requestSubmit());
if (kind) kind.querySelector('button').hidden = true;

const form = document.getElementById('command');
const names = form.querySelector('.names');

function choose(name, value) {
  const radio = form.querySelector(`input[type=radio][name="${name}"][value="${value}"]`);
  if (radio) radio.checked = true;
}

form.addEventListener('input', ({ target }) => {
  if (target.name === 'to') {
    choose('meant', 'devices');
    const last = names.lastElementChild;
    if (!last.querySelector('input').value) return;
    const more = last.cloneNode(true);
    const field = more.querySelector('input');
    field.value = '';
    field.setAttribute('aria-label', `Device ${names.children.length + 1}`);
    names.append(more);
  }
  if (target.name === 'tag' || target.name === 'group') choose('meant', target.name);
  if (target.name === 'payload') choose('raw', 'yes');
  if (target.name?.startsWith('f:')) choose('raw', '');
});
