//! Adaptive calibration from what a node already pushed (`sca11h.md §6.2`): finds an empty and an occupied stretch,
//! or takes the ones it is given, and works the parameters out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::change;
use super::formula::{self, EMPTY_DEVIATION_MAX, EMPTY_MEDIAN_MAX, Stretches};
use super::parameters::Parameters;
use super::sample::Status;
use crate::core::{DataFilter, Hub, HubError};
use crate::family::{CalibrateFrom, Calibration, Facts, Period};
use crate::model::{Datum, Device, DeviceId, Seq, Timestamp, Value};

/// What one second of the bed contributes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Second {
    status: Option<i64>,
    ss: Option<i64>,
    sv: Option<i64>,
}

/// A stretch of the bed's history.
#[derive(Clone, Debug)]
struct Stretch {
    period: Period,
    /// Whether it was found rather than given.
    found: bool,
    seconds: Vec<Second>,
}

/// Works out parameters for a device. Changes nothing.
pub(super) async fn calibrate(
    hub: &Hub,
    device: &Device,
    from: &CalibrateFrom,
) -> Result<Calibration, HubError> {
    check(from)?;
    let id = &device.names.id;
    let (mut empty, mut occupied) = (None, None);
    if let Some(period) = from.empty {
        empty = Some(Stretch { period, found: false, seconds: read(hub, id, period, &SENSORS).await? });
    }
    if let Some(period) = from.occupied {
        occupied = Some(Stretch { period, found: false, seconds: read(hub, id, period, &SENSORS).await? });
    }
    search(hub, id, from, &mut empty, &mut occupied).await?;
    let empty = enough(empty, "empty", EMPTY_SECONDS_MIN, from)?;
    let occupied = enough(occupied, "occupied", OCCUPIED_SECONDS_MIN, from)?;
    let stretches = Stretches {
        empty_ss: empty.still().filter_map(|second| second.ss).collect(),
        occupied_ss: occupied.still().filter_map(|second| second.ss).collect(),
        occupied_sv: occupied.still().map(|second| second.sv.unwrap_or(0)).collect(),
    };
    let computed = formula::compute(&stretches);
    let mut doubts = computed.doubts(&stretches);
    doubts.extend(empty.strangers("empty", Status::Occupied));
    doubts.extend(occupied.strangers("occupied", Status::Empty));
    let now = hub.kept::<Parameters>(id.as_str()).await?.and_then(|known| known.newest());
    let quality = now.map(|now| {
        let (quality, change) = computed.quality(now.pars);
        json!({ "grade": quality, "largest_change": change, "compared_with": now.pars.to_string() })
    });
    let unusable = computed.pars.check().err().map(|wrong| wrong.to_string());
    let mut shown = Facts::new();
    shown.insert("pars".to_owned(), json!(computed.pars.to_string()));
    shown.insert("fields".to_owned(), computed.pars.named());
    shown.insert("inputs".to_owned(), json!({ "empty": empty.shown(), "occupied": occupied.shown() }));
    shown.insert("computed".to_owned(), json!(computed));
    shown.insert("quality".to_owned(), quality.unwrap_or(Json::Null));
    shown.insert("doubts".to_owned(), json!(doubts));
    let payload = computed.pars.reply();
    Ok(Calibration { shown, unusable, cmd: change::CMD.to_owned(), payload })
}

fn check(from: &CalibrateFrom) -> Result<(), HubError> {
    for (field, period) in [("empty", from.empty), ("occupied", from.occupied)] {
        let Some(period) = period else { continue };
        let most = Duration::from_secs(PERIOD_MAX_S);
        if period.from >= period.to || period.from.plus(most) < period.to {
            let message =
                format!("{field} is a period of at most {PERIOD_MAX_S} s whose `from` is before its `to`");
            return Err(HubError::invalid(field, message));
        }
    }
    if !(WINDOW_MIN_S..=PERIOD_MAX_S).contains(&from.window.as_secs()) {
        let message = format!("window_s is {WINDOW_MIN_S} to {PERIOD_MAX_S} seconds");
        return Err(HubError::invalid("window_s", message));
    }
    let most = CalibrateFrom::WINDOWS_MAX;
    if from.windows() > most {
        let message = format!("search_days has more than {most} stretches of window_s in it");
        return Err(HubError::invalid("search_days", message));
    }
    Ok(())
}

/// Goes back from now, window by window, until an empty and an occupied one are found.
async fn search(
    hub: &Hub,
    device: &DeviceId,
    from: &CalibrateFrom,
    empty: &mut Option<Stretch>,
    occupied: &mut Option<Stretch>,
) -> Result<(), HubError> {
    let mut to = hub.now();
    for _ in 0..from.windows() {
        if empty.is_some() && occupied.is_some() {
            break;
        }
        let period = Period { from: to.minus(from.window), to };
        to = period.from;
        // Most stretches are neither: their status alone says so.
        let seconds = read(hub, device, period, &[STATUS]).await?;
        let mut stretch = Stretch { period, found: true, seconds };
        if !stretch.may_be_quiet(from.window) && !stretch.is_asleep(from.window) {
            continue;
        }
        stretch.seconds = read(hub, device, period, &SENSORS).await?;
        if empty.is_none() && stretch.is_quiet(from.window) {
            *empty = Some(stretch);
        } else if occupied.is_none() && stretch.is_asleep(from.window) {
            *occupied = Some(stretch);
        }
    }
    Ok(())
}

fn enough(
    stretch: Option<Stretch>,
    field: &'static str,
    least: usize,
    from: &CalibrateFrom,
) -> Result<Stretch, HubError> {
    let Some(stretch) = stretch else {
        let message = format!(
            "no {field} stretch of {} s was found in the last {} s: give the period `{field}`, or another window_s or search_days",
            from.window.as_secs(),
            from.search.as_secs()
        );
        return Err(HubError::invalid(field, message));
    };
    let found = stretch.still().filter(|second| second.ss.is_some()).count();
    if found < least {
        let message =
            format!("the {field} period has {found} seconds without movement stored: it needs {least}");
        return Err(HubError::invalid(field, message));
    }
    Ok(stretch)
}

impl Stretch {
    /// The seconds without movement (§6.2).
    fn still(&self) -> impl Iterator<Item = &Second> {
        self.seconds.iter().filter(|second| second.status != Some(Status::Movement.code()))
    }

    fn share(&self, status: Status) -> f64 {
        let of = self.seconds.iter().filter(|second| second.status == Some(status.code())).count();
        ratio(of, self.seconds.len())
    }

    /// Whether the sensor was on for most of it.
    fn is_whole(&self, window: Duration) -> bool {
        let seconds = usize::try_from(window.as_secs()).unwrap_or(usize::MAX);
        ratio(self.seconds.len(), seconds) >= WHOLE_SHARE_MIN
    }

    /// Whether the bed was empty.
    fn may_be_quiet(&self, window: Duration) -> bool {
        self.is_whole(window) && self.share(Status::Empty) >= EMPTY_SHARE_MIN
    }

    /// Whether it was empty, and the room quiet.
    fn is_quiet(&self, window: Duration) -> bool {
        if !self.may_be_quiet(window) {
            return false;
        }
        let empty_ss = self.still().filter_map(|second| second.ss).collect();
        let computed = formula::compute(&Stretches { empty_ss, ..Stretches::default() });
        computed.empty <= EMPTY_MEDIAN_MAX && computed.empty_deviation <= EMPTY_DEVIATION_MAX
    }

    /// Whether somebody lay still in it.
    fn is_asleep(&self, window: Duration) -> bool {
        self.is_whole(window) && self.share(Status::Occupied) >= OCCUPIED_SHARE_MIN
    }

    /// A doubt about a period in which the bed was otherwise for long.
    fn strangers(&self, field: &str, other: Status) -> Option<String> {
        let share = self.share(other);
        let word = if other == Status::Empty { "empty" } else { "occupied" };
        (share > STRANGERS_SHARE_MAX)
            .then(|| format!("in {:.0} % of the {field} period the bed was {word}", share * 100.0))
    }

    fn shown(&self) -> Json {
        let count = |status: Status| {
            self.seconds.iter().filter(|second| second.status == Some(status.code())).count()
        };
        json!({
            "from": self.period.from,
            "to": self.period.to,
            "found": self.found,
            "seconds": self.seconds.len(),
            "status_empty": count(Status::Empty),
            "status_occupied": count(Status::Occupied),
            "left_out_movement": count(Status::Movement),
        })
    }
}

/// The stored seconds of a period, in the order of their times.
async fn read(
    hub: &Hub,
    device: &DeviceId,
    period: Period,
    sensors: &[&str],
) -> Result<Vec<Second>, HubError> {
    let mut seconds: BTreeMap<(Timestamp, Seq), Second> = BTreeMap::new();
    let end = period.to.plus(LATE_MAX);
    for sensor in sensors {
        let mut from = period.from;
        while from < end {
            let to = from.plus(SLICE).min(end);
            let filter = DataFilter {
                whose: device.clone().into(),
                sensors: vec![(*sensor).to_owned()],
                from: Some(from),
                to: Some(to),
                limit: SLICE_VALUES_MAX,
                ..DataFilter::default()
            };
            for (_, datum) in hub.data(filter).await? {
                take(&mut seconds, period, sensor, &datum);
            }
            from = to;
        }
    }
    Ok(seconds.into_values().collect())
}

fn take(seconds: &mut BTreeMap<(Timestamp, Seq), Second>, period: Period, sensor: &str, datum: &Datum) {
    let at = datum.time_created.unwrap_or(datum.time_received);
    let Value::Integer(value) = datum.value else { return };
    if at < period.from || at >= period.to {
        return;
    }
    let second = seconds.entry((at, datum.seq)).or_default();
    match sensor {
        STATUS => second.status = Some(value),
        SIGNAL_STRENGTH => second.ss = Some(value),
        _ => second.sv = Some(value),
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a day")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

const STATUS: &str = "status";
const SIGNAL_STRENGTH: &str = "signal_strength";
const SV_INDEX: &str = "sv_index";
const SENSORS: [&str; 3] = [STATUS, SIGNAL_STRENGTH, SV_INDEX];
/// §6.2 step 1: what Murata's app asks for.
const EMPTY_SECONDS_MIN: usize = 15;
/// §6.2 step 3.
const OCCUPIED_SECONDS_MIN: usize = 45;
const PERIOD_MAX_S: u64 = 86_400;
const WINDOW_MIN_S: u64 = 60;
const WHOLE_SHARE_MIN: f64 = 0.8;
const EMPTY_SHARE_MIN: f64 = 0.98;
const OCCUPIED_SHARE_MIN: f64 = 0.9;
const STRANGERS_SHARE_MAX: f64 = 0.1;
/// A second reaches the server up to a report interval (90 s) and the tolerated skew (120 s) after it was measured.
const LATE_MAX: Duration = Duration::from_secs(210);
/// Read at a time, so that one answer of the store stays small.
const SLICE: Duration = Duration::from_mins(30);
const SLICE_VALUES_MAX: u32 = 20_000;
