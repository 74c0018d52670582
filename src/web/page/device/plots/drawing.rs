//! A plot as SVG: for the first paint, for print, and for whoever lets no script run. Pure.

use std::fmt::Write as _;

use super::super::marks::Fired;
use crate::core::Bucket;
use crate::model::Timestamp;
use crate::web::page::bounds::Bound;
use crate::web::page::moment::share;

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
pub(super) fn svg(
    stretch: &Stretch,
    buckets: &[Bucket],
    bounds: &[Bound],
    fired: &[Fired],
    shown: impl Fn(f64) -> f64,
) -> String {
    let points: Vec<Point> = buckets.iter().map(|bucket| point(stretch, bucket, &shown)).collect();
    let low = points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.max).fold(f64::NEG_INFINITY, f64::max);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"");
    if points.is_empty() {
        out.push_str("No values in this time\"><text class=\"axis\" x=\"300\" y=\"80\" text-anchor=\"middle\">No values in this time</text></svg>");
        return out;
    }
    let (least, most) = reach(low, high, bounds);
    let (bottom, top) = room(least, most);
    let y = |number: f64| HEIGHT - AIR - (number - bottom) / (top - bottom) * (HEIGHT - 2.0 * AIR);
    // A string takes whatever is written to it.
    let _ = write!(out, "From {} to {}\">", number(low), number(high));
    marks(&mut out, stretch, bounds, fired, y);
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

fn point(stretch: &Stretch, bucket: &Bucket, shown: impl Fn(f64) -> f64) -> Point {
    let half = i64::from(stretch.length_s) * 500_000;
    let (one, other) = (shown(bucket.min), shown(bucket.max));
    Point {
        x: place(stretch, bucket.start.micros() + half),
        at: bucket.start,
        min: one.min(other),
        max: one.max(other),
        avg: shown(bucket.avg()),
    }
}

/// Where a time is, in microseconds.
fn place(stretch: &Stretch, at_us: i64) -> f64 {
    LEFT + share(Timestamp::from_micros(at_us), stretch.from, stretch.to) * (WIDTH - LEFT)
}

fn is_close(stretch: &Stretch, one: &Point, next: &Point) -> bool {
    next.at.micros() - one.at.micros() <= i64::from(stretch.apart_s) * 1_000_000
}

/// The least and the greatest that are shown: of the values, with bounds that are near.
fn reach(low: f64, high: f64, bounds: &[Bound]) -> (f64, f64) {
    let near = (high - low).max(high.abs() * 0.05);
    let is_near = |bound: &f64| *bound >= low - near && *bound <= high + near;
    let bounds = bounds.iter().flat_map(|Bound(low, high)| [*low, *high]).flatten().filter(is_near);
    bounds.fold((low, high), |(low, high), bound| (low.min(bound), high.max(bound)))
}

/// The times in which alerts fired, what is out of bounds, and the bounds.
fn marks(out: &mut String, stretch: &Stretch, bounds: &[Bound], fired: &[Fired], y: impl Fn(f64) -> f64) {
    let (left, width) = (LEFT, WIDTH - LEFT);
    for Fired(from, to) in fired {
        let at = |millis: i64| place(stretch, millis.saturating_mul(1000));
        let (from, to) = (at(*from), to.map_or(WIDTH, at));
        if to > from {
            let _ = write!(
                out,
                "<rect class=\"alarm\" x=\"{from:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
                to - from
            );
        }
    }
    for Bound(low, high) in bounds {
        let edges = [high.map(|high| (0.0, y(high))), low.map(|low| (y(low), HEIGHT))];
        for (top, bottom) in edges.into_iter().flatten() {
            let (top, bottom) = (top.clamp(0.0, HEIGHT), bottom.clamp(0.0, HEIGHT));
            let _ = write!(
                out,
                "<rect class=\"outside\" x=\"{left}\" y=\"{top:.1}\" width=\"{width}\" height=\"{:.1}\"/>",
                bottom - top
            );
        }
        for bound in [*low, *high].into_iter().flatten().map(&y).filter(|at| (0.0..=HEIGHT).contains(at)) {
            let _ = write!(out, "<path class=\"bound\" d=\"M{left} {bound:.1}H{WIDTH}\"/>");
        }
    }
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
            &[],
            &[],
            |number| number,
        );
        assert_eq!(drawn.matches("class=\"band\"").count(), 2, "{drawn}");
        assert!(drawn.contains("From 1 to 99"), "{drawn}");
        assert!(drawn.contains(" 12.0"), "the greatest is at the top: {drawn}");
    }

    #[test]
    fn numbers_are_scaled_and_a_scale_may_turn_them_round() {
        let drawn = svg(&STRETCH, &[bucket(5, 10.0, 20.0)], &[], &[], |number| -number / 10.0);
        assert!(drawn.contains("From -2 to -1"), "{drawn}");
    }

    #[test]
    fn bounds_that_are_near_are_lines_and_what_is_outside_is_shaded() {
        let values = [bucket(0, 1.0, 1.0), bucket(1, 9.0, 9.0)];
        let drawn =
            svg(&STRETCH, &values, &[Bound(Some(2.0), Some(10.0))], &[Fired(30_000, None)], |number| number);
        assert_eq!(drawn.matches("class=\"bound\"").count(), 2, "{drawn}");
        assert_eq!(drawn.matches("class=\"outside\"").count(), 2, "{drawn}");
        assert!(
            drawn.contains("class=\"alarm\" x=\"328.0\" y=\"0\" width=\"272.0\""),
            "from the middle on: {drawn}"
        );
        let far =
            svg(&STRETCH, &values, &[Bound(None, Some(1e6))], &[Fired(-9_000, Some(-5_000))], |number| {
                number
            });
        assert!(!far.contains("class=\"bound\"") && !far.contains("alarm"), "{far}");
    }

    #[test]
    fn no_values_and_one_value_are_drawn_too() {
        assert!(svg(&STRETCH, &[], &[], &[], |number| number).contains("No values in this time"));
        let one = svg(&STRETCH, &[bucket(5, 7.25, 7.25)], &[], &[], |number| number);
        assert!(one.contains("7.25") && !one.contains("NaN"), "{one}");
    }
}
