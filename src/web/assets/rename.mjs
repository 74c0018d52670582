// Renaming in place: changed is green, the same name is orange, somebody else's is red and the box shows the old name again. Escape takes
// back what was typed.

for (const form of document.querySelectorAll('form[data-rename]')) {
  const box = form.elements.namedItem('name');
  const said = document.getElementById(box.getAttribute('aria-describedby'));
  let known = box.defaultValue;

  const look = (word, text) => {
    box.classList.remove('good', 'warn', 'bad');
    box.classList.add(word);
    said.className = `said ${word}`;
    said.textContent = text;
  };

  box.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    box.value = known;
    box.classList.remove('good', 'warn', 'bad');
    said.textContent = '';
  });

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = box.value.trim();
    const answer = await fetch(`/api/v1/devices/${encodeURIComponent(form.dataset.rename)}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name }),
    }).catch(() => null);
    const told = await answer?.json().catch(() => null);
    if (!answer?.ok) {
      const taken = answer?.status === 409;
      look('bad', taken ? `“${name}” is already used by another device.` : (told?.error?.message ?? 'The server did not answer: try again.'));
      box.value = known;
      return;
    }
    if (told.unchanged) {
      look('warn', 'That is its name already: nothing was changed.');
      return;
    }
    look('good', `Updated from “${known}” to “${told.name}”.`);
    [known, box.value, box.defaultValue] = [told.name, told.name, told.name];
    const title = document.querySelector('h1');
    if (title) title.textContent = told.name;
  });
}
