//! A board's message on its way to the store: read, placed, durable (`websocket-mcu.md §4, §6, §9`).

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Mcu;
use super::boards::{Fault, Link, Placed};
use super::profiles::Ready;
use super::sample::{self, Field, Sample};
use super::series::{Series, Totals};
use crate::core::{Accepted, Claim, Event, Hub, HubError, Known, Report};
use crate::model::{DeviceId, Gap, Reading, SensorName, Timestamp, Value, Verdict};

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is on disk.
    Stored {
        /// Whose it was.
        board: u32,
        /// Whether a command waits for the board.
        pending: bool,
    },
    /// Recording is paused: it was heard and is not kept.
    Passed(u32),
    /// It could not be read; it is on disk all the same.
    Unread,
    /// There was nothing in it.
    Empty,
    /// Its board is not let in.
    Refused,
}

/// Takes one message. `of` is the board that spoke before it on the same connection.
///
/// # Errors
/// It could not be stored: the connection has to end, so that the board's counter shows the loss.
pub(super) async fn take(
    mcu: &Mcu,
    hub: &Hub,
    link: &Arc<Link>,
    raw: Bytes,
    of: Option<u32>,
) -> Result<Taken, HubError> {
    match sample::read(&raw, mcu.settings.fields_max) {
        Ok(None) => Ok(Taken::Empty),
        Ok(Some(sample)) => store(mcu, hub, link, raw, &sample).await,
        Err(fault) => unread(mcu, hub, link, raw, fault, of).await,
    }
}

async fn store(
    mcu: &Mcu,
    hub: &Hub,
    link: &Arc<Link>,
    raw: Bytes,
    sample: &Sample,
) -> Result<Taken, HubError> {
    let address = sample.id.to_string();
    if !link.proven && !mcu.settings.known.iter().any(|pair| pair.from == link.peer && pair.board == address)
    {
        return Ok(Taken::Refused);
    }
    let known = match hub.claim(Claim { family: &mcu.name, address: &address, parent: None }) {
        Ok(known) => known,
        Err(HubError::Refused(_)) => return Ok(Taken::Refused),
        Err(HubError::TooFast(_)) => {
            mcu.boards.notice(sample.id, Fault::TooFast, hub.now());
            return Ok(Taken::Empty);
        }
        Err(error) => return Err(error),
    };
    let resumed = resumed(mcu, hub, sample.id, &known).await?;
    let ready = mcu.profiles.of(&address);
    let now = hub.now();
    let Placed { mut series, stranger } = mcu.boards.heard(sample.id, &known.names().id, link, resumed, now);
    if !hub.is_recording(&mcu.name) {
        pass_over(mcu, hub, &known, &raw, sample, series);
        return Ok(Taken::Passed(sample.id));
    }
    let before = series.totals;
    let mut read = readings(&ready, sample);
    series.hear(read.counter, stranger);
    told(&mut read.list, before, series.totals);
    let report = report(hub, link, Some(known), raw, Verdict::Ok, read.list);
    let accepted = patiently(hub, report).await?;
    mcu.boards.stored(sample.id, series);
    if read.bad > 0 {
        mcu.boards.notice(sample.id, Fault::Fields(read.bad, read.fault), now);
    }
    Ok(Taken::Stored { board: sample.id, pending: accepted.pending })
}

/// Hears a message while recording is paused. The counter goes on, so that what was passed over is no loss afterwards.
fn pass_over(mcu: &Mcu, hub: &Hub, known: &Known, raw: &[u8], sample: &Sample, series: Series) {
    let ready = mcu.profiles.of(&known.names().address);
    let last = readings(&ready, sample).counter.or(series.last);
    mcu.boards.passed_over(sample.id, Series { last, ..series }, raw, hub.now());
    hub.pass_over(&mcu.name, Some(&known.names().id));
}

/// Keeps a message that could not be read, for the board that spoke before it on this connection, if one did.
async fn unread(
    mcu: &Mcu,
    hub: &Hub,
    link: &Arc<Link>,
    raw: Bytes,
    fault: sample::Fault,
    of: Option<u32>,
) -> Result<Taken, HubError> {
    tracing::info!(peer = %link.peer, "message kept but not used: {fault}");
    let known = of.and_then(|board| {
        mcu.boards.notice(board, Fault::Malformed(fault.to_string()), hub.now());
        hub.claim(Claim { family: &mcu.name, address: &board.to_string(), parent: None }).ok()
    });
    if !hub.is_recording(&mcu.name) {
        hub.pass_over(&mcu.name, known.as_ref().map(|known| &known.names().id));
        return Ok(Taken::Unread);
    }
    patiently(hub, report(hub, link, known, raw, Verdict::Malformed, Vec::new())).await?;
    Ok(Taken::Unread)
}

/// What was known of a board's counters before this start of the server.
async fn resumed(mcu: &Mcu, hub: &Hub, board: u32, known: &Known) -> Result<Series, HubError> {
    let device = &known.names().id;
    if mcu.boards.knows(board, device) || known.device.last_seen.is_none() {
        return Ok(Series::default());
    }
    let counter = mcu.profiles.of(&known.names().address);
    let counter = counter.counter.map(|column| counter.sensor(column));
    recall(hub, device, counter, hub.recording_turned(&mcu.name)).await
}

/// A counter from before recording was paused or resumed says nothing of losses: what came meanwhile was heard.
async fn recall(
    hub: &Hub,
    device: &DeviceId,
    counter: Option<SensorName>,
    turned: Option<Timestamp>,
) -> Result<Series, HubError> {
    let mut series = Series::default();
    for datum in hub.latest(device).await? {
        let Some(number) = whole(&datum.value) else { continue };
        if counter.as_ref() == Some(&datum.sensor)
            && turned.is_none_or(|turned| turned <= datum.time_received)
        {
            series.last = Some(number);
        }
        match datum.sensor.as_str() {
            LOST => series.totals.lost = number,
            RESTARTS => series.totals.restarts = number,
            REPEATS => series.totals.repeats = number,
            _ => {}
        }
    }
    Ok(series)
}

/// The values of a message.
struct Read {
    list: Vec<Reading>,
    counter: Option<i64>,
    bad: u64,
    fault: String,
}

/// A bad field is a gap, and spoils no other (§9).
fn readings(ready: &Ready, sample: &Sample) -> Read {
    let mut read = Read {
        list: Vec::with_capacity(sample.fields.len() + 1),
        counter: None,
        bad: 0,
        fault: String::new(),
    };
    for (column, field) in sample.fields.iter().enumerate() {
        let sensor = ready.sensor(column);
        let value = match field {
            Field::Number(value) if ready.counter == Some(column) => counted(value),
            Field::Number(value) => value.clone(),
            Field::Empty => Value::Gap(Gap),
            Field::Bad(text) => {
                read.bad += 1;
                if read.fault.is_empty() {
                    // Writing to a String cannot fail.
                    let _ = write!(read.fault, "{} is no finite number: `{text}`", sensor.as_str());
                }
                Value::Gap(Gap)
            }
        };
        if ready.counter == Some(column) {
            read.counter = whole(&value);
        }
        read.list.push(Reading { sensor, value, created: None, counts: ready.counter != Some(column) });
    }
    if sample.beyond > 0 {
        read.bad += u64::try_from(sample.beyond).unwrap_or(u64::MAX);
        read.fault = format!("{} fields too many (`mcu.fields_max`)", sample.beyond);
    }
    read
}

/// Adds what the counter told, where it is another number than before.
fn told(list: &mut Vec<Reading>, before: Totals, now: Totals) {
    let totals = [
        (LOST, before.lost, now.lost),
        (RESTARTS, before.restarts, now.restarts),
        (REPEATS, before.repeats, now.repeats),
    ];
    for (name, _, now) in totals.into_iter().filter(|(_, before, now)| before != now) {
        list.push(Reading {
            sensor: SensorName::from(name),
            value: Value::Integer(now),
            created: None,
            counts: false,
        });
    }
}

/// A counter that a program keeps as a float is a whole number all the same.
pub(super) fn counted(value: &Value) -> Value {
    whole(value).map_or_else(|| value.clone(), Value::Integer)
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(whole) => Some(*whole),
        #[expect(clippy::cast_possible_truncation, reason = "it is checked to be whole and small")]
        Value::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => Some(*real as i64),
        Value::Real(_) | Value::Bool(_) | Value::Text(_) | Value::Gap(_) => None,
    }
}

fn report(
    hub: &Hub,
    link: &Link,
    device: Option<Known>,
    raw: Bytes,
    verdict: Verdict,
    readings: Vec<Reading>,
) -> Report {
    Report {
        device,
        at: hub.now(),
        raw,
        verdict,
        hmac: None,
        // A board whose counter stands still says the same again and means it.
        fingerprint: None,
        events: vec![Event::Readings(readings)],
        peer: link.peer_text.clone(),
    }
}

/// Stores a report, and waits while the store has as much to do as it may: a board cannot be told to come back.
async fn patiently(hub: &Hub, report: Report) -> Result<Accepted, HubError> {
    for _ in 0..BUSY_TRIES {
        match hub.accept(report.clone()).await {
            Err(HubError::Busy) => tokio::time::sleep(BUSY_WAIT).await,
            done => return done,
        }
    }
    hub.accept(report).await
}

/// Readings that the server adds: `series`, as running totals.
const LOST: &str = super::profile::OWN_SENSORS[0];
const RESTARTS: &str = super::profile::OWN_SENSORS[1];
const REPEATS: &str = super::profile::OWN_SENSORS[2];
/// Five seconds in all.
const BUSY_TRIES: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(50);
