// The lists of alerts, made anew when one fires or is over; never under somebody's hands.
import { tellAll } from './shell.mjs';

let due = false;

const inUse = (part) => part.contains(document.activeElement) || part.querySelector('details[open]');

async function renew() {
  const part = document.querySelector('[data-alerts]');
  if (!part || inUse(part)) {
    due = true;
    return;
  }
  due = false;
  try {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const fresh = page.querySelector('[data-alerts]');
    if (!fresh || inUse(part)) return;
    part.replaceWith(fresh);
    tellAll(fresh);
  } catch {
    due = true;
  }
}

document.addEventListener('alerts', () => void renew());
document.addEventListener('focusout', () => due && setTimeout(renew, 0));
document.addEventListener('toggle', () => due && setTimeout(renew, 0), true);
