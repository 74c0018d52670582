// The lists of alerts, made anew when one fires or is over; never under somebody's hands.
import { pageAt, tellAll } from './shell.mjs';

let due = false;

const inUse = (part) => part.contains(document.activeElement) || part.querySelector('details[open]');

async function renew() {
  const part = document.querySelector('[data-alerts]');
  if (!part || inUse(part)) {
    due = true;
    return;
  }
  const page = await pageAt(location.href);
  const fresh = page?.querySelector('[data-alerts]');
  due = !fresh || inUse(part);
  if (due) return;
  part.replaceWith(fresh);
  tellAll(fresh);
}

document.addEventListener('alerts', () => void renew());
document.addEventListener('focusout', () => due && setTimeout(renew, 0));
document.addEventListener('toggle', () => due && setTimeout(renew, 0), true);
