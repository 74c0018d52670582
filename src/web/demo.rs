//! The demo, as pages and API see and turn it: pretend devices that this server runs and that call it as real ones do. Who runs
//! them the composition root puts behind this.

use std::time::Duration;

use serde::Serialize;
use serde_json::Value as Json;

use crate::core::HubError;
use crate::http::BoxFuture;
use crate::model::{DeviceId, Timestamp};

/// The demos of this server: one of each kind.
pub trait Demos: Send + Sync {
    /// All of them, as they are now.
    fn list(&self) -> Vec<DemoNote>;

    /// Starts, pauses or stops one. Carried through although the asker may hang up.
    fn turn<'a>(
        &'a self,
        kind: DemoKind,
        wish: DemoWish,
        by: &'a str,
    ) -> BoxFuture<'a, Result<DemoTurned, HubError>>;
}

/// What a demo's device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DemoKind {
    /// An oven behind a module, which does what commands say.
    Oven,
    /// A gauge with a token that uploads a sine from 0 to 100.
    Sine,
}

impl DemoKind {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Oven, Self::Sine];

    /// Its word in paths.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oven => "oven",
            Self::Sine => "sine",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What somebody wants of a demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoWish {
    /// That it runs: begins, goes on after a pause, or goes on at another pace. Without a period the one that it has, else
    /// [`PERIOD`].
    Start(Option<Duration>),
    /// That it says nothing for now, and then goes on where it was.
    Pause,
    /// That it ends. Its device and what it said stay.
    Stop,
}

/// Where a demo stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DemoState {
    /// Nothing runs.
    #[default]
    Stopped,
    /// It says something each period.
    Running,
    /// It waits to go on.
    Paused,
}

impl DemoState {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Running => "running",
            Self::Paused => "paused",
        }
    }
}

/// One demo.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Demo)]
pub struct DemoNote {
    /// Which.
    pub demo: DemoKind,
    /// Where it stands.
    pub state: DemoState,
    /// How often it says something, in milliseconds.
    pub period_ms: u64,
    /// The device to look at; `None` where there is none, or none any more.
    pub device: Option<DeviceId>,
    /// When it was started; `None` while it is stopped.
    pub since: Option<Timestamp>,
    /// Who started it.
    pub by: Option<String>,
    /// Messages that the server confirmed since.
    pub confirmed: u64,
    /// What went wrong last, until something goes well.
    pub trouble: Option<String>,
}

/// What became of a wish.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TurnedDemo)]
pub struct DemoTurned {
    /// How it is now.
    #[serde(flatten)]
    pub note: DemoNote,
    /// Whether it was so already.
    pub unchanged: bool,
}

/// A period that somebody typed, within what there is; and what to tell them if it is another than they typed
/// (`accounts-dashboard.md §4`).
pub(crate) fn period(typed: &Json) -> (Option<Duration>, Option<String>) {
    let number = match typed {
        Json::Null => return (None, None),
        Json::Number(number) => number.as_f64(),
        Json::String(text) if text.trim().is_empty() => return (None, None),
        Json::String(text) => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()),
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    };
    let Some(wanted) = number else {
        let said = format!("the period is a number of milliseconds: it is {} ms now", PERIOD.as_millis());
        return (Some(PERIOD), Some(said));
    };
    let held = wanted.round().clamp(PERIOD_LEAST_MS, PERIOD_MOST_MS);
    let said = (held - wanted).abs() >= 1.0;
    let said = said.then(|| {
        format!("the period is {PERIOD_LEAST_MS} to {PERIOD_MOST_MS} ms: it is {held} ms now, not {wanted}")
    });
    (Some(Duration::from_secs_f64(held / 1000.0)), said)
}

/// Unless somebody says otherwise (`accounts-dashboard.md §1`).
pub const PERIOD: Duration = Duration::from_secs(2);
const PERIOD_LEAST_MS: f64 = 50.0;
const PERIOD_MOST_MS: f64 = 60_000.0;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_period_is_held_within_its_bounds_and_whoever_typed_it_is_told() {
        for (typed, wanted_ms, told) in [
            (json!(500), Some(500), false),
            (json!("100"), Some(100), false),
            (json!(" 60000 "), Some(60_000), false),
            (json!(1), Some(50), true),
            (json!(0), Some(50), true),
            (json!(-5), Some(50), true),
            (json!(60_001), Some(60_000), true),
            (json!(1e300), Some(60_000), true),
            (json!("soon"), Some(2000), true),
            (json!("NaN"), Some(2000), true),
            (json!([1]), Some(2000), true),
            (json!(""), None, false),
            (json!(null), None, false),
        ] {
            let (period, said) = period(&typed);
            assert_eq!(period.map(|period| period.as_millis()), wanted_ms, "{typed}");
            assert_eq!(said.is_some(), told, "{typed}: {said:?}");
        }
    }
}
