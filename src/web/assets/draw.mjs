// Draws a plot on a canvas: bands from the least to the greatest, lines through the means, gaps as gaps.

import { numbers, room, times } from './scale.mjs';

const LEFT = 56, RIGHT = 12, TOP = 10, BOTTOM = 24;

// Where things are on a plot of this size that shows this stretch of time.
export function frame(width, height, from, to, right) {
  const plot = { left: LEFT, right: width - (right ? LEFT : RIGHT), top: TOP, bottom: height - BOTTOM, width, height };
  plot.x = (time) => plot.left + ((time - from) / (to - from)) * (plot.right - plot.left);
  plot.time = (x) => from + ((x - plot.left) / (plot.right - plot.left)) * (to - from);
  return plot;
}

// Pieces of a line without a gap: `apart` is how far two neighbours may be from each other.
export function pieces(buckets, apart) {
  const found = [];
  let last = -Infinity;
  for (const bucket of buckets) {
    if (bucket.time - last > apart) found.push([]);
    found.at(-1).push(bucket);
    last = bucket.time;
  }
  return found;
}

// The least and the greatest of all buckets that are seen, with bounds that are near.
function reach(series, from, to) {
  let low = Infinity, high = -Infinity;
  for (const bucket of series.buckets) {
    if (bucket.time + series.length < from || bucket.time > to) continue;
    low = Math.min(low, bucket.min);
    high = Math.max(high, bucket.max);
  }
  for (const bound of series.bounds) {
    const near = Math.max(high - low, Math.abs(high) * 0.05);
    if (bound >= low - near && bound <= high + near) { low = Math.min(low, bound); high = Math.max(high, bound); }
  }
  return [low, high];
}

// Draws all series. Those of the first one's unit share the left axis, others the right one.
export function draw(context, plot, all, { from, to, cursor, drag, colours }) {
  context.clearRect(0, 0, plot.width, plot.height);
  context.font = '12px system-ui, sans-serif';
  const axes = [all.filter((series) => series.unit === all[0].unit), all.filter((series) => series.unit !== all[0].unit)];
  const scales = axes.map((group) => scaleOf(group, plot, from, to));
  timeAxis(context, plot, from, to, colours);
  numberAxis(context, plot, scales[0], false, colours);
  if (axes[1].length > 0) numberAxis(context, plot, scales[1], true, colours);
  context.save();
  context.beginPath();
  context.rect(plot.left, plot.top - 2, plot.right - plot.left, plot.bottom - plot.top + 4);
  context.clip();
  all.forEach((series, place) => {
    const scale = scales[series.unit === all[0].unit ? 0 : 1];
    bounds(context, plot, series, scale, colours);
    curve(context, plot, series, scale, colours.series[place % colours.series.length]);
  });
  if (drag) {
    const [left, right] = [Math.min(...drag), Math.max(...drag)];
    context.fillStyle = colours.select;
    context.fillRect(left, plot.top, right - left, plot.bottom - plot.top);
  }
  if (cursor >= from && cursor <= to) {
    context.strokeStyle = colours.text;
    context.globalAlpha = 0.6;
    stroke(context, [[plot.x(cursor), plot.top], [plot.x(cursor), plot.bottom]], 1);
  }
  context.restore();
  return scales;
}

function scaleOf(group, plot, from, to) {
  const reaches = group.map((series) => reach(series, from, to));
  const [low, high] = room(Math.min(...reaches.map(([least]) => least)), Math.max(...reaches.map(([, most]) => most)));
  const y = (number) => plot.bottom - ((number - low) / (high - low)) * (plot.bottom - plot.top);
  return { low, high, y, unit: group[0]?.unit ?? '' };
}

function stroke(context, points, width) {
  context.lineWidth = width;
  context.beginPath();
  points.forEach(([x, y], place) => (place === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
}

function timeAxis(context, plot, from, to, colours) {
  context.fillStyle = colours.dim;
  context.textAlign = 'center';
  context.textBaseline = 'top';
  for (const { at, text } of times(from, to, Math.max(2, Math.floor((plot.right - plot.left) / 90)))) {
    const x = Math.round(plot.x(at)) + 0.5;
    context.strokeStyle = colours.line;
    stroke(context, [[x, plot.top], [x, plot.bottom]], 1);
    const half = context.measureText(text).width / 2;
    if (x - half >= 0 && x + half <= plot.width) context.fillText(text, x, plot.bottom + 6);
  }
}

function numberAxis(context, plot, scale, right, colours) {
  context.fillStyle = colours.dim;
  context.textAlign = right ? 'left' : 'right';
  context.textBaseline = 'middle';
  const { ticks, digits } = numbers(scale.low, scale.high, Math.max(2, Math.floor((plot.bottom - plot.top) / 40)));
  for (const tick of ticks) {
    const y = Math.round(scale.y(tick)) + 0.5;
    context.strokeStyle = colours.line;
    if (!right) stroke(context, [[plot.left, y], [plot.right, y]], 1);
    context.fillText(tick.toFixed(digits), right ? plot.right + 6 : plot.left - 6, y);
  }
}

// What is outside of the bounds is shaded, and so are the times in which an alert fired.
function bounds(context, plot, series, scale, colours) {
  context.fillStyle = colours.alarm;
  context.globalAlpha = 0.13;
  for (const [from, to] of series.fired) {
    const [left, right] = [Math.max(plot.x(from), plot.left), to === null ? plot.right : Math.min(plot.x(to), plot.right)];
    if (right > left) context.fillRect(left, plot.top, right - left, plot.bottom - plot.top);
  }
  context.fillStyle = colours.bound;
  for (const [low, high] of series.outside) {
    if (high !== null) context.fillRect(plot.left, plot.top, plot.right - plot.left, Math.max(scale.y(high) - plot.top, 0));
    if (low !== null) context.fillRect(plot.left, scale.y(low), plot.right - plot.left, Math.max(plot.bottom - scale.y(low), 0));
  }
  context.globalAlpha = 1;
  context.strokeStyle = colours.bound;
  context.setLineDash([6, 4]);
  for (const bound of series.bounds) stroke(context, [[plot.left, scale.y(bound)], [plot.right, scale.y(bound)]], 1);
  context.setLineDash([]);
}

function curve(context, plot, series, scale, colour) {
  const middle = (bucket) => plot.x(bucket.time + (series.length > 1000 ? series.length / 2 : 0));
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineJoin = 'round';
  for (const piece of pieces(series.buckets, series.apart)) {
    context.globalAlpha = 0.22;
    context.beginPath();
    piece.forEach((bucket) => context.lineTo(middle(bucket), scale.y(bucket.max)));
    piece.toReversed().forEach((bucket) => context.lineTo(middle(bucket), scale.y(bucket.min)));
    context.fill();
    context.globalAlpha = 1;
    const points = piece.map((bucket) => [middle(bucket), scale.y(bucket.avg)]);
    if (points.length > 1) stroke(context, points, 1.6);
    if (points.length === 1) {
      context.beginPath();
      context.arc(...points[0], 2, 0, 2 * Math.PI);
      context.fill();
    }
  }
}
