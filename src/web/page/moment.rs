//! Times in pages: UTC without script; with it in the viewer's zone, the whole time on hover.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::model::Timestamp;

/// A time as an element that `shell.mjs` rewrites for the viewer. Templates write it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    at: Timestamp,
    told: Told,
}

/// What people want to know of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// When it was.
    At,
    /// How long ago it was.
    Ago,
    /// How long it has lasted by now.
    Since(Timestamp),
}

impl Moment {
    /// A time of which people want to know when it was.
    pub(crate) const fn at(at: Timestamp) -> Self {
        Self { at, told: Told::At }
    }

    /// A time of which people want to know how long ago it was.
    pub(crate) const fn ago(at: Timestamp) -> Self {
        Self { at, told: Told::Ago }
    }

    /// A time since which something lasts, told at another: `27 seconds`. It is written in few letters, as long lists are
    /// full of them.
    pub(crate) const fn since(at: Timestamp, now: Timestamp) -> Self {
        Self { at, told: Told::Since(now) }
    }
}

/// How far into a stretch of time another time is, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "a place on a screen")]
pub(crate) fn share(at: Timestamp, from: Timestamp, to: Timestamp) -> f64 {
    let span = (to.micros() - from.micros()).max(1);
    (at.micros() - from.micros()).clamp(0, span) as f64 / span as f64
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at;
        match self.told {
            Told::At => write!(f, "<time datetime=\"{at}\">{} UTC</time>", super::brief(at)),
            Told::Ago => write!(f, "<time datetime=\"{at}\" class=\"ago\">{} UTC</time>", super::brief(at)),
            Told::Since(now) => {
                let words = lasting(now.seconds() - at.seconds());
                write!(f, "<time datetime=\"{}Z\" class=\"since\">{words}</time>", at.civil_seconds())
            }
        }
    }
}

impl HtmlSafe for Moment {}

/// So many seconds in the largest unit that says something; the same words as `shell.mjs` finds.
fn lasting(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_there_for_people_without_script_and_for_programs() {
        let at = Timestamp::parse("2024-03-01T12:00:00.25Z").unwrap();
        assert_eq!(
            Moment::ago(at).to_string(),
            "<time datetime=\"2024-03-01T12:00:00.250000Z\" class=\"ago\">2024-03-01 12:00:00 UTC</time>"
        );
        assert!(!Moment::at(at).to_string().contains("ago"));
        assert_eq!(
            Moment::since(at, at.plus(std::time::Duration::from_secs(61))).to_string(),
            "<time datetime=\"2024-03-01T12:00:00Z\" class=\"since\">1 minute</time>"
        );
    }

    #[test]
    fn what_lasts_is_told_in_the_largest_unit() {
        let words = [-5, 0, 1, 59, 60, 3599, 3600, 86_399, 86_400, 3_000_000].map(lasting);
        assert_eq!(
            words,
            [
                "0 seconds",
                "0 seconds",
                "1 second",
                "59 seconds",
                "1 minute",
                "59 minutes",
                "1 hour",
                "23 hours",
                "1 day",
                "34 days"
            ]
        );
    }
}
