//! `/data` and `/devices/{id}/data`: who sends, what is said, and 202 when it is on disk
//! (`accounts-dashboard.md §3, §4`).

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use super::body::{self, Part};
use super::devices::One;
use super::record::{self, Record};
use super::refuse::Refusal;
use super::{TokenDevices, carrier};
use crate::core::{Accepted, Event, Hub, Known, Report, TokenFault, is_device_token};
use crate::http::{Exchange, Reply};
use crate::model::{DeviceId, Role, Timestamp, Verdict};

/// Answers one upload.
pub(super) async fn upload(dialect: Arc<TokenDevices>, hub: Hub, exchange: Exchange) -> Reply {
    match take(&dialect, &hub, &exchange).await {
        Ok(taken) => {
            let status = if is_get(&exchange) { StatusCode::OK } else { StatusCode::ACCEPTED };
            Reply::json(status, taken.body())
        }
        Err(refusal) => refusal.into_reply(&exchange),
    }
}

/// What became of an upload.
#[derive(Debug, Default)]
struct Taken {
    accepted: usize,
    dropped: usize,
    repeated: usize,
}

impl Taken {
    fn body(&self) -> String {
        let mut body = format!("{{\"accepted\":{}", self.accepted);
        for (name, count) in [("dropped", self.dropped), ("duplicate", self.repeated)] {
            if count > 0 {
                // A string takes whatever is written to it.
                write!(body, ",\"{name}\":{count}").ok();
            }
        }
        body.push('}');
        body
    }
}

/// Who sends.
enum Sender {
    Device(DeviceId),
    /// A person, who has not said for which device yet.
    Person,
}

async fn take(dialect: &TokenDevices, hub: &Hub, exchange: &Exchange) -> Result<Taken, Refusal> {
    let secret = carrier::secret(&exchange.headers, exchange.query.as_deref()).ok_or(Refusal::NoToken)?;
    let sender = sender(hub, exchange, &secret).await.inspect_err(|refusal| {
        // Its owner shall see that it still calls.
        if let Refusal::BadToken(TokenFault::Ended { device }) = refusal {
            turned_away(dialect, hub, exchange, device, refusal);
        }
    })?;
    let read = parts(exchange);
    let device = match (sender, exchange.param("id")) {
        (Sender::Device(device), None) => device,
        (Sender::Device(device), Some(id)) if device.as_str() == id => device,
        (Sender::Device(_), Some(_)) => return Err(Refusal::OtherDevice),
        (Sender::Person, Some(id)) => DeviceId::new(id),
        (Sender::Person, None) => named(read.as_deref().unwrap_or_default())?,
    };
    let device = hub.device(&device).filter(|device| device.names.family == dialect.name);
    let device = device.ok_or_else(|| {
        if is_device_token(secret.expose_secret()) { Refusal::OtherDevice } else { Refusal::NoDevice }
    })?;
    let one = dialect.devices.one(&device.names.id);
    let (cost, allowed, at) = (read.as_ref().map_or(1, Vec::len), dialect.settings.allowance(), hub.now());
    one.spend(cost, allowed, at)
        .map_err(|retry_after_s| Refusal::TooFast { per_second: allowed.per_second, retry_after_s })?;
    let id = device.names.id.clone();
    let known = hub.claim_id(&id).map_err(Refusal::from);
    let known = known.inspect_err(|refusal| turned_away(dialect, hub, exchange, &id, refusal))?;
    let upload = Upload { dialect, hub, exchange, at, raw: raw(exchange, &secret), one, known };
    let outcome = match read {
        Ok(parts) => upload.store(parts).await,
        Err(fault) => Err(Refusal::Body(fault)),
    };
    if let Err(refusal) = &outcome
        && refusal.is_of_content()
    {
        let raw = upload.raw.clone();
        hub.accept(upload.report(raw, Verdict::Malformed, None, Record::default())).await?;
    }
    outcome
}

/// Notes a call with the device that it was for, if there still is one.
fn turned_away(dialect: &TokenDevices, hub: &Hub, exchange: &Exchange, device: &DeviceId, why: &Refusal) {
    if hub.device(device).is_some_and(|device| device.names.family == dialect.name) {
        let peer = exchange.peer.ip();
        dialect.devices.rejected(device, peer, why.to_string(), hub.now());
    }
}

/// Finds out who sends, by the kind of the token.
async fn sender(hub: &Hub, exchange: &Exchange, secret: &SecretString) -> Result<Sender, Refusal> {
    let secret = secret.expose_secret();
    let peer = exchange.peer.ip();
    if is_device_token(secret) {
        let pass = hub.present_device_token(secret, peer).map_err(Refusal::BadToken)?;
        return Ok(Sender::Device(pass.device));
    }
    let caller = hub.who(secret).await?.ok_or(Refusal::BadUserToken)?;
    if caller.role < Role::Operator {
        return Err(Refusal::Role);
    }
    Ok(Sender::Person)
}

/// The device that the records of a person name, all the same one.
fn named(parts: &[Part]) -> Result<DeviceId, Refusal> {
    let mut ids = parts.iter().map(|part| part.value.get("id").and_then(Json::as_str));
    let first = ids.next().flatten().ok_or(Refusal::DeviceRequired)?;
    if ids.all(|id| id == Some(first)) { Ok(DeviceId::new(first)) } else { Err(Refusal::DeviceRequired) }
}

/// The records of an upload: of the body, or of the query of a GET.
fn parts(exchange: &Exchange) -> Result<Vec<Part>, body::Fault> {
    if !is_get(exchange) || !exchange.body.is_empty() {
        return body::read(&exchange.body, exchange.header(CONTENT_TYPE.as_str()));
    }
    let pairs = body::form(exchange.query.as_deref().unwrap_or_default().as_bytes(), &[carrier::QUERY]);
    if pairs.is_empty() {
        return Err(body::Fault::Empty);
    }
    Ok(vec![Part { value: Json::Object(pairs), bytes: 0..0 }])
}

fn is_get(exchange: &Exchange) -> bool {
    exchange.method == Method::GET
}

/// What the ledger keeps of an upload: its bytes, without the token if that stands among them.
fn raw(exchange: &Exchange, secret: &SecretString) -> Bytes {
    if is_get(exchange) && exchange.body.is_empty() {
        return Bytes::from(carrier::without(exchange.query.as_deref().unwrap_or_default()));
    }
    let secret = secret.expose_secret().as_bytes();
    let mut raw = exchange.body.clone();
    while let Some(at) = memchr::memmem::find(&raw, secret) {
        // As long as it was, so that what stands behind it keeps its place.
        let mut clean = raw.to_vec();
        clean.iter_mut().skip(at).take(secret.len()).for_each(|byte| *byte = b'*');
        raw = Bytes::from(clean);
    }
    raw
}

/// An upload whose sender is known.
struct Upload<'a> {
    dialect: &'a TokenDevices,
    hub: &'a Hub,
    exchange: &'a Exchange,
    at: Timestamp,
    raw: Bytes,
    one: One,
    known: Known,
}

impl Upload<'_> {
    /// Reads the records and puts them on disk.
    async fn store(&self, parts: Vec<Part>) -> Result<Taken, Refusal> {
        let Upload { dialect, hub, exchange, at, .. } = *self;
        let gauge = self.one.prepare(hub, &self.known.names().id).await?;
        let records = parts.iter().map(|part| record::read(&part.value, &dialect.zone, gauge.as_ref()));
        let mut records = records.collect::<Result<Vec<Record>, _>>().map_err(|_| Refusal::TooManySensors)?;
        self.one.admit(&mut records, at);
        let dropped = records.iter().map(|record| record.dropped).sum();
        if records.iter().all(|record| record.readings.is_empty()) {
            return Err(Refusal::NoValue(records.into_iter().find_map(|record| record.fault)));
        }
        let accepted = records.iter().filter(|record| !record.readings.is_empty()).count();
        let key = exchange.header("idempotency-key").filter(|key| !key.is_empty());
        let one_by_one = key.is_none() && records.iter().any(|record| record.seq.is_some());
        let stored = if one_by_one {
            self.each(&parts, records).await?
        } else {
            let print = key.map(of_key);
            let all = Record {
                readings: records.into_iter().flat_map(|record| record.readings).collect(),
                ..Record::default()
            };
            vec![hub.accept(self.report(self.raw.clone(), Verdict::Ok, print, all)).await?]
        };
        let repeated = stored.iter().filter(|stored| stored.verdict == Verdict::Duplicate).count();
        let repeated = if one_by_one { repeated } else { repeated * accepted };
        Ok(Taken { accepted, dropped, repeated })
    }

    /// Each record is a message of its own, so that one that comes again in other company is known. They go to the
    /// store one behind the other without a wait between them.
    async fn each(&self, parts: &[Part], records: Vec<Record>) -> Result<Vec<Accepted>, Refusal> {
        let mut stored = Vec::with_capacity(records.len());
        let mut reports = parts.iter().zip(records).filter(|(_, record)| !record.readings.is_empty()).map(
            |(part, record)| {
                let raw = if parts.len() > 1 && part.bytes.end <= self.raw.len() && !part.bytes.is_empty() {
                    self.raw.slice(part.bytes.clone())
                } else {
                    self.raw.clone()
                };
                let print = record.seq.as_deref().map(|seq| of_seq(seq, &record));
                self.report(raw, Verdict::Ok, print, record)
            },
        );
        loop {
            let some: Vec<_> = reports.by_ref().take(AT_ONCE).map(|report| self.hub.accept(report)).collect();
            if some.is_empty() {
                return Ok(stored);
            }
            for outcome in join_all(some).await {
                stored.push(outcome?);
            }
        }
    }

    fn report(&self, raw: Bytes, verdict: Verdict, fingerprint: Option<[u8; 16]>, record: Record) -> Report {
        Report {
            device: Some(self.known.clone()),
            at: self.at,
            raw,
            verdict,
            hmac: None,
            fingerprint,
            events: vec![Event::Readings(record.readings)],
            peer: self.exchange.peer.ip().to_string(),
        }
    }
}

/// What makes two records with a number the same one: the number and what they say. A device that counts from zero after
/// each start loses nothing then.
fn of_seq(seq: &str, record: &Record) -> [u8; 16] {
    let mut print = Fingerprint::default();
    print.part(b"seq");
    print.part(seq.as_bytes());
    let mut text = record.created.map(|at| at.micros().to_string()).unwrap_or_default().into_bytes();
    print.part(&text);
    for reading in &record.readings {
        print.part(reading.sensor.as_bytes());
        text.clear();
        // A value of ours has JSON, and a Vec takes it.
        serde_json::to_writer(&mut text, &reading.value).ok();
        print.part(&text);
    }
    print.done()
}

/// The sum of parts, each with its length before it.
#[derive(Default)]
struct Fingerprint(Sha256);

impl Fingerprint {
    fn part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn done(self) -> [u8; 16] {
        let sum: [u8; 32] = self.0.finalize().into();
        // The half of a sum is as unlikely to meet another as anybody needs.
        sum.first_chunk::<16>().copied().unwrap_or_default()
    }
}

fn of_key(key: &str) -> [u8; 16] {
    let mut print = Fingerprint::default();
    print.part(b"key");
    print.part(key.as_bytes());
    print.done()
}

/// Messages that are with the store at a time: fewer than its queue holds.
const AT_ONCE: usize = 64;
