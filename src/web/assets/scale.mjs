// Scales of plots: round steps for numbers, and for times in the viewer's own zone.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [1, 2, 5, 10, 15, 30].map((count) => count * SECOND)
  .concat([1, 2, 5, 10, 15, 30].map((count) => count * MINUTE), [1, 2, 3, 6, 12].map((count) => count * HOUR));
const DAYS = [1, 2, 7, 14];
const MONTHS = [1, 2, 3, 6, 12];

// Lengths of buckets in seconds. From a minute on the server has them at hand (it keeps sums by the minute and the hour).
const LENGTHS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

// The length of buckets with which so long a stretch has no more of them than `count`.
export function bucketLength(span, count) {
  return LENGTHS.find((length) => span / (length * SECOND) <= count) ?? LENGTHS.at(-1);
}

// About so many round numbers from `low` to `high`, and how many digits they need after the point.
export function numbers(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((times) => times * power >= rough) * power;
  const digits = Math.max(0, Math.min(12, -Math.floor(Math.log10(step) + 1e-9)));
  const ticks = [];
  for (let place = Math.ceil(low / step - 1e-9); place * step <= high + step * 1e-9; place += 1) ticks.push(place * step);
  return { ticks, digits };
}

// The room that numbers from `low` to `high` need: a little above and below, and some also where all are the same.
export function room(low, high) {
  if (!(low <= high)) return [0, 1];
  const span = high - low;
  const air = span > 0 ? span * 0.06 : Math.max(Math.abs(low) * 0.02, 0.5);
  return [low - air, high + air];
}

// Round times from `from` to `to`, no more than `count`, each with its words. Days and months begin where the viewer lives.
export function times(from, to, count) {
  const span = to - from;
  const step = STEPS.find((length) => span / length <= count);
  if (step) return marks(firstOf(from, step), (at) => new Date(at.getTime() + step), to, step < MINUTE ? CLOCK : HOURS);
  const days = DAYS.find((length) => span / (length * DAY) <= count);
  if (days) return marks(dayOf(from), (at) => moved(at, days, 0), to, DATE, from);
  const months = MONTHS.find((length) => span / (length * 30 * DAY) <= count) ?? 12;
  const first = new Date(from);
  return marks(new Date(first.getFullYear(), first.getMonth(), 1), (at) => moved(at, 0, months), to, MONTH, from);
}

function marks(first, next, to, words, from = -Infinity) {
  const found = [];
  for (let at = first, turns = 0; at <= to && turns < 100; at = next(at), turns += 1) {
    if (at >= from) found.push({ at: at.getTime(), text: isMidnight(at) && words !== MONTH ? DATE.format(at) : words.format(at) });
  }
  return found;
}

function isMidnight(at) {
  return at.getHours() === 0 && at.getMinutes() === 0 && at.getSeconds() === 0;
}

function dayOf(time) {
  const at = new Date(time);
  return new Date(at.getFullYear(), at.getMonth(), at.getDate());
}

function moved(at, days, months) {
  return new Date(at.getFullYear(), at.getMonth() + months, at.getDate() + days);
}

// The first multiple of a step of the day's own clock, at or after a time.
function firstOf(time, step) {
  const day = dayOf(time).getTime();
  return new Date(day + Math.ceil((time - day) / step) * step);
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const HOURS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DATE = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const MONTH = new Intl.DateTimeFormat(undefined, { month: 'short', year: 'numeric' });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

// A time with its date, for whoever wants to know it exactly.
export function whole(time) {
  return WHOLE.format(new Date(time));
}

// A number with the digits that a plot of this height can tell apart.
export function shown(number, span) {
  if (!Number.isFinite(number)) return '–';
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.max(span, Math.abs(number) * 1e-6, 1e-9)))));
  return String(Number(number.toFixed(digits)));
}
