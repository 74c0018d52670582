//! A board's message on its way to the store: read, placed, durable (`websocket-mcu.md §4, §6, §9`).

use std::fmt::Write as _;
use std::future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::Either;

use super::Mcu;
use super::boards::{Fault, Link, Placed};
use super::profiles::Ready;
use super::sample::{self, Field, Sample};
use super::series::{Series, Totals};
use crate::core::{Accepted, Claim, Event, Hub, HubError, Known, Report, Whole};
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

/// Takes messages that came together: each is read and placed in its order, they go to the store one behind the other
/// without a wait between them, and when this returns all are on disk. `of` is the board that spoke before them on the same
/// connection.
///
/// # Errors
/// One could not be stored: the connection has to end, so that its board's counter shows the loss.
pub(super) async fn take(
    mcu: &Mcu,
    hub: &Hub,
    link: &Arc<Link>,
    raws: &[Bytes],
    of: Option<u32>,
) -> Result<Vec<Taken>, HubError> {
    let taken = Vec::with_capacity(raws.len());
    let (ahead, under_way) = (Vec::new(), Vec::with_capacity(raws.len()));
    let mut intake = Intake { mcu, hub, link, of, speaker: None, ahead, under_way, taken };
    for raw in raws {
        let mut tries = 0;
        while let Err(error) = intake.add(raw).await {
            intake.settle().await?;
            // The store has as much to do as it may. A board cannot be told to come back.
            if !matches!(error, HubError::Busy) || tries >= BUSY_TRIES {
                return Err(error);
            }
            tries += 1;
            tokio::time::sleep(BUSY_WAIT).await;
        }
    }
    intake.settle().await?;
    Ok(intake.taken)
}

/// Messages of one connection on their way to the store.
struct Intake<'a> {
    mcu: &'a Mcu,
    hub: &'a Hub,
    link: &'a Arc<Link>,
    /// The board that spoke last.
    of: Option<u32>,
    /// The same as it was found, if it was one of these messages: mostly the next is of that board too.
    speaker: Option<Speaker>,
    /// The counters of boards as they will be when what is under way is stored, the newest last.
    ahead: Vec<(u32, DeviceId, Series)>,
    under_way: Vec<UnderWay>,
    taken: Vec<Taken>,
}

type Stored = Result<Accepted, HubError>;

/// A board as a message found it.
struct Speaker {
    board: u32,
    known: Known,
    ready: Arc<Ready>,
}

/// A message that the store has been given.
struct UnderWay {
    /// What becomes of it, or became of it at once.
    accepted: Either<Whole<Stored>, future::Ready<Stored>>,
    /// Its place among those that were taken.
    place: usize,
    /// Whose it is, and its counters then; `None` when it could not be read.
    then: Option<(u32, Series)>,
    noticed: Option<Fault>,
}

impl Intake<'_> {
    async fn add(&mut self, raw: &Bytes) -> Result<(), HubError> {
        match sample::read(raw, self.mcu.settings.fields_max) {
            Ok(None) => self.taken.push(Taken::Empty),
            Ok(Some(sample)) => self.place(raw, &sample).await?,
            Err(fault) => self.unread(raw, fault)?,
        }
        Ok(())
    }

    async fn place(&mut self, raw: &Bytes, sample: &Sample) -> Result<(), HubError> {
        let (mcu, hub, link) = (self.mcu, self.hub, self.link);
        let (known, ready) = match self.speaker(sample.id) {
            Ok(found) => found,
            Err(HubError::Refused(_)) => {
                self.taken.push(Taken::Refused);
                return Ok(());
            }
            Err(HubError::TooFast(_)) => {
                mcu.boards.notice(sample.id, Fault::TooFast, hub.now());
                self.taken.push(Taken::Empty);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let resumed = resumed(mcu, hub, sample.id, &known).await?;
        let now = hub.now();
        let device = known.names().id.clone();
        let recording = hub.is_recording(&mcu.name);
        if !recording {
            // What is under way counts first; where there is nothing, this is no wait.
            self.settle().await?;
        }
        let Placed { mut series, stranger } = mcu.boards.heard(sample.id, &device, link, resumed, now);
        if !recording {
            pass_over(mcu, hub, &known, raw, sample, series);
            self.of = Some(sample.id);
            self.taken.push(Taken::Passed(sample.id));
            return Ok(());
        }
        let mut ahead = self.ahead.iter().rev();
        if let Some((_, _, ahead)) = ahead.find(|(board, known, _)| *board == sample.id && *known == device) {
            series = *ahead;
        }
        let before = series.totals;
        let mut read = readings(&ready, sample);
        series.hear(read.counter, stranger);
        told(&mut read.list, before, series.totals);
        let report = report(hub, link, Some(known), raw.clone(), Verdict::Ok, read.list);
        let noticed = (read.bad > 0).then_some(Fault::Fields(read.bad, read.fault));
        let board = sample.id;
        self.send(report, Some((board, series)), noticed, Taken::Stored { board, pending: false })?;
        self.ahead.push((board, device, series));
        self.of = Some(board);
        Ok(())
    }

    /// The board with a number and its columns.
    ///
    /// # Errors
    /// It is not let in, on this connection or at all, or sends too much.
    fn speaker(&mut self, board: u32) -> Result<(Known, Arc<Ready>), HubError> {
        let (mcu, hub, link) = (self.mcu, self.hub, self.link);
        if let Some(speaker) = self.speaker.as_ref().filter(|speaker| speaker.board == board) {
            return Ok((hub.claim_again(&speaker.known)?, Arc::clone(&speaker.ready)));
        }
        let address = board.to_string();
        let known_here = || {
            let mut pairs = mcu.settings.known.iter();
            pairs.any(|pair| pair.from == link.peer && pair.board == address)
        };
        if !link.proven && !known_here() {
            return Err(HubError::Refused("the board is not known to call from here".to_owned()));
        }
        let known = hub.claim(Claim { family: &mcu.name, address: &address, parent: None })?;
        let ready = mcu.profiles.of(&address);
        self.speaker = Some(Speaker { board, known: known.clone(), ready: Arc::clone(&ready) });
        Ok((known, ready))
    }

    /// Keeps a message that could not be read, for the board that spoke before it on this connection, if one did.
    fn unread(&mut self, raw: &Bytes, fault: sample::Fault) -> Result<(), HubError> {
        let (mcu, hub) = (self.mcu, self.hub);
        tracing::info!(peer = %self.link.peer, "message kept but not used: {fault}");
        let known = self.of.and_then(|board| {
            mcu.boards.notice(board, Fault::Malformed(fault.to_string()), hub.now());
            hub.claim(Claim { family: &mcu.name, address: &board.to_string(), parent: None }).ok()
        });
        if !hub.is_recording(&mcu.name) {
            hub.pass_over(&mcu.name, known.as_ref().map(|known| &known.names().id));
            self.taken.push(Taken::Unread);
            return Ok(());
        }
        let report = report(hub, self.link, known, raw.clone(), Verdict::Malformed, Vec::new());
        self.send(report, None, None, Taken::Unread)
    }

    /// Gives a report to the store; `Busy` at once when it takes no more.
    fn send(
        &mut self,
        report: Report,
        then: Option<(u32, Series)>,
        noticed: Option<Fault>,
        taken: Taken,
    ) -> Result<(), HubError> {
        let mut accepted = self.hub.accept(report);
        let accepted = match (&mut accepted).now_or_never() {
            Some(at_once) => Either::Right(future::ready(Ok(at_once?))),
            None => Either::Left(accepted),
        };
        self.under_way.push(UnderWay { accepted, place: self.taken.len(), then, noticed });
        self.taken.push(taken);
        Ok(())
    }

    /// Waits until all that is under way is on disk.
    async fn settle(&mut self) -> Result<(), HubError> {
        self.ahead.clear();
        for UnderWay { accepted, place, then, noticed } in std::mem::take(&mut self.under_way) {
            let accepted = accepted.await?;
            let Some((board, series)) = then else { continue };
            self.mcu.boards.stored(board, series);
            if let Some(fault) = noticed {
                self.mcu.boards.notice(board, fault, self.hub.now());
            }
            if let Some(taken) = self.taken.get_mut(place) {
                *taken = Taken::Stored { board, pending: accepted.pending };
            }
        }
        Ok(())
    }
}

/// Hears a message while recording is paused. The counter goes on, so that what was passed over is no loss afterwards.
fn pass_over(mcu: &Mcu, hub: &Hub, known: &Known, raw: &[u8], sample: &Sample, series: Series) {
    let ready = mcu.profiles.of(&known.names().address);
    let last = readings(&ready, sample).counter.or(series.last);
    mcu.boards.passed_over(sample.id, Series { last, ..series }, raw, hub.now());
    hub.pass_over(&mcu.name, Some(&known.names().id));
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

/// Readings that the server adds: `series`, as running totals.
const LOST: &str = super::profile::OWN_SENSORS[0];
const RESTARTS: &str = super::profile::OWN_SENSORS[1];
const REPEATS: &str = super::profile::OWN_SENSORS[2];
/// Five seconds in all.
const BUSY_TRIES: u32 = 100;
const BUSY_WAIT: Duration = Duration::from_millis(50);
