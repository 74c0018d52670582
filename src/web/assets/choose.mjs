// <button data-choose="name"> ticks all boxes of that name in its form, or none when all are.

document.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-choose]');
  if (!button) return;
  const boxes = [...button.form.elements].filter((one) => one.type === 'checkbox' && one.name === button.dataset.choose);
  const all = boxes.every((box) => box.checked);
  boxes.forEach((box) => (box.checked = !all));
});
