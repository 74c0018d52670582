//! A plot as SVG: for the first paint, for print, and for whoever lets no script run. Pure.

use std::fmt::Write as _;

use crate::core::Bucket;
use crate::model::Timestamp;

/// The stretch of time of a drawing.
pub(super) struct Stretch {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    /// The length of a bucket.
    pub(super) length_s: u32,
    /// Buckets further apart have a gap between them.
    pub(super) apart_s: u32,
}

/// A point of the drawing, as shown.
struct Point {
    x: f64,
    at: Timestamp,
    min: f64,
    max: f64,
    avg: f64,
}

/// Draws buckets of one sensor, the oldest first; `shown` makes of a number what people read. Colours are the sheet's.
pub(super) fn svg(stretch: &Stretch, buckets: &[Bucket], shown: impl Fn(f64) -> f64) -> String {
    let points: Vec<Point> = buckets.iter().map(|bucket| point(stretch, bucket, &shown)).collect();
    let low = points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.max).fold(f64::NEG_INFINITY, f64::max);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"");
    if points.is_empty() {
        out.push_str("No values in this time\"><text class=\"axis\" x=\"300\" y=\"80\" text-anchor=\"middle\">No values in this time</text></svg>");
        return out;
    }
    let (bottom, top) = room(low, high);
    let y = |number: f64| HEIGHT - AIR - (number - bottom) / (top - bottom) * (HEIGHT - 2.0 * AIR);
    // A string takes whatever is written to it.
    let _ = write!(out, "From {} to {}\">", number(low), number(high));
    for value in [low, high].iter().take(if high > low { 2 } else { 1 }) {
        let at = y(*value);
        let _ = write!(
            out,
            "<path class=\"rule\" d=\"M{LEFT} {at:.1}H{WIDTH}\"/><text class=\"axis\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            number(*value)
        );
    }
    for piece in points.chunk_by(|one, next| is_close(stretch, one, next)) {
        let mut band = String::new();
        let mut line = String::new();
        for (place, point) in piece.iter().enumerate() {
            let step = if place == 0 { 'M' } else { 'L' };
            let _ = write!(band, "{step}{:.1} {:.1}", point.x, y(point.max));
            let _ = write!(line, "{step}{:.1} {:.1}", point.x, y(point.avg));
        }
        for point in piece.iter().rev() {
            let _ = write!(band, "L{:.1} {:.1}", point.x, y(point.min));
        }
        // A single point is a dot: a line of no length with round ends.
        let _ = write!(out, "<path class=\"band\" d=\"{band}Z\"/><path class=\"mean\" d=\"{line}h0\"/>");
    }
    out.push_str("</svg>");
    out
}

#[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
fn point(stretch: &Stretch, bucket: &Bucket, shown: impl Fn(f64) -> f64) -> Point {
    let span = stretch.to.micros() - stretch.from.micros();
    let half = i64::from(stretch.length_s) * 500_000;
    let into = (bucket.start.micros() + half - stretch.from.micros()).clamp(0, span);
    let (one, other) = (shown(bucket.min), shown(bucket.max));
    Point {
        x: LEFT + into as f64 / span.max(1) as f64 * (WIDTH - LEFT),
        at: bucket.start,
        min: one.min(other),
        max: one.max(other),
        avg: shown(bucket.avg()),
    }
}

fn is_close(stretch: &Stretch, one: &Point, next: &Point) -> bool {
    next.at.micros() - one.at.micros() <= i64::from(stretch.apart_s) * 1_000_000
}

/// What numbers from the least to the greatest need; some also where all are the same.
fn room(low: f64, high: f64) -> (f64, f64) {
    if high > low { (low, high) } else { (low - 1.0, high + 1.0) }
}

/// A number with four digits that matter.
fn number(number: f64) -> String {
    let digits = match number.abs() {
        large if large >= 1000.0 => 0,
        middling if middling >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
const LEFT: f64 = 56.0;
const AIR: f64 = 12.0;

#[cfg(test)]
mod tests {
    use super::*;

    const STRETCH: Stretch = Stretch {
        from: Timestamp::from_micros(0),
        to: Timestamp::from_micros(60_000_000),
        length_s: 1,
        apart_s: 3,
    };

    fn bucket(second: i64, min: f64, max: f64) -> Bucket {
        Bucket {
            sensor: "t".to_owned(),
            start: Timestamp::from_micros(second * 1_000_000),
            count: 2,
            min,
            max,
            sum: min + max,
            last: max,
        }
    }

    #[test]
    fn a_gap_is_a_gap_and_a_spike_is_seen() {
        let drawn = svg(
            &STRETCH,
            &[bucket(0, 1.0, 1.0), bucket(1, 1.0, 99.0), bucket(10, 2.0, 2.0), bucket(12, 2.0, 2.0)],
            |number| number,
        );
        assert_eq!(drawn.matches("class=\"band\"").count(), 2, "{drawn}");
        assert!(drawn.contains("From 1 to 99"), "{drawn}");
        assert!(drawn.contains(" 12.0"), "the greatest is at the top: {drawn}");
    }

    #[test]
    fn numbers_are_scaled_and_a_scale_may_turn_them_round() {
        let drawn = svg(&STRETCH, &[bucket(5, 10.0, 20.0)], |number| -number / 10.0);
        assert!(drawn.contains("From -2 to -1"), "{drawn}");
    }

    #[test]
    fn no_values_and_one_value_are_drawn_too() {
        assert!(svg(&STRETCH, &[], |number| number).contains("No values in this time"));
        let one = svg(&STRETCH, &[bucket(5, 7.25, 7.25)], |number| number);
        assert!(one.contains("7.25") && !one.contains("NaN"), "{one}");
    }
}
