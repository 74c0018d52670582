//! What the fleet did, in figures: for a person, and as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::latency::Latency;
use crate::family::simulator::{Came, Outcome, Purpose, Stroke, Then, Trouble};

/// Counts while the fleet runs.
#[derive(Debug, Default)]
pub(super) struct Figures {
    calls: BTreeMap<Purpose, Counts>,
    handshakes: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    took: Latency,
    broken: u64,
    refused: u64,
    on_purpose: u64,
}

impl Figures {
    pub(super) fn handshake(&mut self, took: Option<Duration>) {
        match took {
            Some(took) => self.handshakes.took.note(took),
            None => self.handshakes.broken += 1,
        }
    }

    pub(super) fn stroke(&mut self, stroke: &Stroke, came: &Came, took: Duration) {
        let counts = self.calls.entry(stroke.purpose).or_default();
        let open = matches!(came, Came::Bytes { open: true, .. });
        match stroke.then {
            _ if *came == Came::Nothing => counts.broken += 1,
            Then::Vanishes(_) => counts.on_purpose += 1,
            Then::GoesOn | Then::Answer if !open => counts.broken += 1,
            Then::GoesOn | Then::Answer if !stroke.apart.is_zero() => counts.on_purpose += 1,
            // The server's answer to what cannot be taken is that it hangs up.
            Then::End if stroke.purpose == Purpose::Send => counts.on_purpose += 1,
            Then::GoesOn | Then::Answer | Then::End => counts.took.note(took),
        }
    }

    pub(super) fn call(&mut self, purpose: Purpose, trouble: Trouble, outcome: &Outcome, took: Duration) {
        let counts = self.calls.entry(purpose).or_default();
        match (outcome, trouble) {
            (Outcome::Answered { status: 200..300, .. }, Trouble::Slow) => counts.on_purpose += 1,
            (Outcome::Answered { status: 200..300, .. }, _) => counts.took.note(took),
            (Outcome::Answered { .. }, _) => counts.refused += 1,
            (_, Trouble::HalfSent | Trouble::HalfHeard) => counts.on_purpose += 1,
            (Outcome::Broken | Outcome::Unsent, _) => counts.broken += 1,
        }
    }
}

/// What the fleet did.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What people call such devices.
    #[serde(skip)]
    pub called: &'static str,
    /// Devices that call.
    pub devices: u32,
    /// What the chances came from.
    pub seed: u64,
    /// How long it took.
    pub took_s: f64,
    /// Distinct messages that left.
    pub messages: u64,
    /// Of those, how many the server confirmed.
    pub confirmed: u64,
    /// Messages a second.
    pub per_second: f64,
    /// Distinct commands that arrived.
    pub commands: u64,
    /// Files that arrived.
    pub files: u64,
    /// Answers that the dialect does not provide for.
    pub odd_count: u64,
    /// The first few of them.
    pub odd: Vec<String>,
    /// How the acts went.
    pub acts: Vec<Act>,
    /// How long calls took.
    pub calls: Vec<Calls>,
}

/// A stretch of the run with one fault, or none.
#[derive(Clone, Debug, Serialize)]
pub struct Act {
    /// The fault's name; `fair weather` without one.
    pub name: &'static str,
    /// How long it took.
    pub took_s: f64,
}

/// Calls of one purpose. Times are in milliseconds, of calls that were answered and not made slow on purpose.
#[derive(Clone, Debug, Serialize)]
pub struct Calls {
    /// What for.
    pub purpose: &'static str,
    /// Answered with a status of 200 to 299.
    pub answered: u64,
    /// Answered with another status.
    pub refused: u64,
    /// Not answered.
    pub broken: u64,
    /// Cut off or slowed on purpose.
    pub on_purpose: u64,
    /// Half of them took at most this long.
    pub p50_ms: f64,
    /// Nine tenths.
    pub p90_ms: f64,
    /// Ninety-nine hundredths.
    pub p99_ms: f64,
    /// All but a thousandth.
    pub p999_ms: f64,
    /// All of them.
    pub max_ms: f64,
}

impl Figures {
    pub(super) fn calls(&self) -> Vec<Calls> {
        let mut all = vec![row("handshake", &self.handshakes)];
        all.extend(Purpose::ALL.iter().filter_map(|purpose| {
            let counts = self.calls.get(purpose)?;
            Some(row(purpose.as_str(), counts))
        }));
        all
    }
}

fn row(purpose: &'static str, counts: &Counts) -> Calls {
    let Counts { took, broken, refused, on_purpose } = counts;
    Calls {
        purpose,
        answered: took.count(),
        refused: *refused,
        broken: *broken,
        on_purpose: *on_purpose,
        p50_ms: millis(took.permille_us(500)),
        p90_ms: millis(took.permille_us(900)),
        p99_ms: millis(took.permille_us(990)),
        p999_ms: millis(took.permille_us(999)),
        max_ms: millis(took.longest_us()),
    }
}

/// Microseconds as milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a run of 2^52 microseconds lasts a century")]
fn millis(us: u64) -> f64 {
    us as f64 / 1000.0
}

impl Summary {
    /// The figures as a person reads them.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // A string takes whatever is written to it.
        let _ = writeln!(
            out,
            "{} {}, {} messages in {}: {:.0} a second; {} confirmed, {} commands, {} files",
            self.devices,
            self.called,
            self.messages,
            span(self.took_s),
            self.per_second,
            self.confirmed,
            self.commands,
            self.files
        );
        let names =
            ["calls", "answered", "refused", "broken", "on purpose", "p50 ms", "p90", "p99", "p99.9", "max"];
        let [calls, answered, refused, broken, purpose, p50, p90, p99, p999, max] = names;
        let _ = writeln!(
            out,
            "\n{calls:<10} {answered:>9} {refused:>8} {broken:>7} {purpose:>11} {p50:>8} {p90:>8} {p99:>8} {p999:>8} {max:>9}"
        );
        for row in &self.calls {
            let _ = writeln!(
                out,
                "{:<10} {:>9} {:>8} {:>7} {:>11} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>9.2}",
                row.purpose,
                row.answered,
                row.refused,
                row.broken,
                row.on_purpose,
                row.p50_ms,
                row.p90_ms,
                row.p99_ms,
                row.p999_ms,
                row.max_ms
            );
        }
        out.push('\n');
        for act in &self.acts {
            let _ = writeln!(out, "{:<16} {}", act.name, span(act.took_s));
        }
        if self.odd_count > 0 {
            let _ = writeln!(
                out,
                "\n{} answers that the protocol does not provide for, for instance:",
                self.odd_count
            );
            for sentence in &self.odd {
                let _ = writeln!(out, "  {sentence}");
            }
        }
        out
    }
}

/// Seconds as people say them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a span of a run is small and not negative"
)]
fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.1} s");
    }
    let whole = seconds.round() as u64;
    format!("{} min {:02} s", whole / 60, whole % 60)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn calls_are_counted_by_how_they_went() {
        let mut figures = Figures::default();
        let answered = |status| Outcome::Answered { status, head: Bytes::new(), body: Bytes::new() };
        let ms = Duration::from_millis(2);
        for (trouble, outcome) in [
            (Trouble::None, answered(200)),
            (Trouble::Slow, answered(200)),
            (Trouble::None, answered(503)),
            (Trouble::None, Outcome::Broken),
            (Trouble::HalfHeard, Outcome::Broken),
            (Trouble::HalfSent, Outcome::Unsent),
        ] {
            figures.call(Purpose::Push, trouble, &outcome, ms);
        }
        let rows = figures.calls();
        let push = rows.iter().find(|row| row.purpose == "push").unwrap();
        assert_eq!((push.answered, push.refused, push.broken, push.on_purpose), (1, 1, 1, 3));
        assert!((push.p50_ms - 2.0).abs() < 0.1, "{}", push.p50_ms);
    }

    #[test]
    fn spans_are_said_in_minutes_from_one_on() {
        assert_eq!(span(3.25), "3.2 s");
        assert_eq!(span(192.4), "3 min 12 s");
    }
}
