//! A small drawing of what a number was, for a card: no axes, one line, gaps as gaps. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use askama::filters::{Escaper as _, Html};

use super::moment::share;
use crate::core::Bucket;
use crate::model::Timestamp;

/// Draws the means of buckets, the oldest first; `None` where nothing would be seen. `shown` makes of a number what people
/// read.
pub(super) fn draw(
    label: &str,
    from: Timestamp,
    to: Timestamp,
    buckets: &[Bucket],
    shown: impl Fn(f64) -> f64,
) -> Option<String> {
    let points: Vec<(Timestamp, f64)> =
        buckets.iter().map(|bucket| (bucket.start, shown(bucket.avg()))).collect();
    let (_, newest) = *points.get(POINTS_MIN - 1).and(points.last())?;
    // What was heard of a short while ago only would be a speck at the edge.
    let from = points.first().map_or(from, |(first, _)| from.max(first.minus(LEAST).min(to.minus(SHORTEST))));
    let low = points.iter().map(|(_, number)| *number).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|(_, number)| *number).fold(f64::NEG_INFINITY, f64::max);
    // A line through noise would look like a storm: a twentieth of the amount is the least that is seen as a change.
    let span = (high - low).max(newest.abs() / 20.0).max(f64::MIN_POSITIVE);
    let middle = f64::midpoint(low, high);
    let y = |number: f64| HEIGHT / 2.0 - (number - middle) / span * (HEIGHT - 2.0 * AIR);
    let mut line = String::new();
    let mut last: Option<Timestamp> = None;
    for (at, number) in &points {
        let is_near = last.is_some_and(|last| at.micros() - last.micros() <= APART_US);
        // A point alone is a dot: a line of no length with round ends.
        let step = if is_near { "L" } else { "M" };
        let _ = write!(line, "{step}{:.0} {:.1}", share(*at, from, to) * WIDTH, y(*number));
        if !is_near {
            line.push_str("h0");
        }
        last = Some(*at);
    }
    let mut named = String::new();
    // A string takes whatever is written to it.
    let _ = Html.write_escaped_str(&mut named, label);
    Some(format!(
        "<svg class=\"spark\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" \
         aria-label=\"{named} in the last hour\"><path class=\"mean\" d=\"{line}\"/></svg>"
    ))
}

const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;
const AIR: f64 = 3.0;
/// Fewer points are no line.
const POINTS_MIN: usize = 3;
/// The shortest stretch that is drawn, and the room before the first value.
const SHORTEST: Duration = Duration::from_mins(10);
const LEAST: Duration = Duration::from_mins(1);
/// Minutes further apart have a gap between them.
const APART_US: i64 = 5 * 60 * 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(minute: i64, number: f64) -> Bucket {
        Bucket {
            sensor: "t".to_owned(),
            start: Timestamp::from_micros(minute * 60_000_000),
            count: 1,
            min: number,
            max: number,
            sum: number,
            last: number,
        }
    }

    fn drawn(buckets: &[Bucket]) -> Option<String> {
        let (from, to) = (Timestamp::from_micros(0), Timestamp::from_micros(3_600_000_000));
        draw("<b>", from, to, buckets, |number| number)
    }

    #[test]
    fn a_line_has_gaps_and_stays_inside() {
        let line = drawn(&[bucket(0, 1.0), bucket(1, 3.0), bucket(20, 2.0), bucket(59, 2.0)]).unwrap();
        assert_eq!(line.matches('M').count(), 3, "{line}");
        assert!(line.contains("M0 37.0h0L4 3.0"), "{line}");
        assert!(line.contains("&#60;b&#62; in the last hour"), "{line}");
    }

    #[test]
    fn nothing_is_no_line_and_what_stays_the_same_is_a_flat_one() {
        assert_eq!(drawn(&[]), None);
        assert_eq!(drawn(&[bucket(0, 5.0), bucket(1, 5.0)]), None);
        let line = drawn(&[bucket(0, 5.0), bucket(1, 5.0), bucket(2, 5.0)]).unwrap();
        assert!(line.contains("M0 20.0h0L4 20.0L8 20.0") && !line.contains("NaN"), "{line}");
        assert!(!drawn(&[bucket(0, 0.0), bucket(1, 0.0), bucket(2, 0.0)]).unwrap().contains("NaN"));
    }

    #[test]
    fn what_began_a_short_while_ago_has_the_whole_width() {
        let line = drawn(&[bucket(50, 1.0), bucket(54, 2.0), bucket(59, 3.0)]).unwrap();
        assert!(line.contains("M22 37.0") && line.contains("L218 3.0"), "{line}");
    }
}
