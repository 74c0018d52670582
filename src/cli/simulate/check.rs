//! The audit's legwork: reads what the server stored through its API, and feeds it to the audit.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use super::desk::{Desk, SENT_AS, TOGETHER};
use crate::cli::client::{Client, escape, text};
use crate::simulate::{Audit, Direction, Found, Office as _, Rehearsed, StoredMessage, Verdict};

/// The number of the newest message; 0 when there is none.
pub(super) async fn newest_seq(client: &Client) -> anyhow::Result<i64> {
    let page = client.fetch("/messages?limit=1").await?;
    Ok(page.pointer("/items/0/seq").and_then(Value::as_i64).unwrap_or_default())
}

/// What was there before the fleet spoke.
pub(super) struct Before {
    /// The number of the newest message.
    pub(super) seq: i64,
    /// The file that every device fetches: its name and content.
    pub(super) file: Option<(String, Bytes)>,
}

/// Holds what the fleet was told against the messages since then, its commands, its newest values and the file.
pub(super) async fn audit(
    desk: &Desk,
    rehearsed: Rehearsed,
    before: &Before,
    tell: &dyn Fn(String),
) -> anyhow::Result<Found> {
    let devices = rehearsed.books.len();
    let addresses: Vec<String> = rehearsed.books.iter().flat_map(|(names, _)| names.clone()).collect();
    desk.learn(&addresses).await?;
    let mut audit = Audit::new(rehearsed.books, rehearsed.habits);
    let odd = rehearsed.summary.odd_count;
    if odd > 0 {
        audit.fault(format!("{odd} answers that the protocol does not provide for"));
    }
    if let Some((name, content)) = &before.file {
        let whole =
            rehearsed.files.iter().filter(|(_, other, found)| other == name && found == content).count();
        if whole != devices {
            audit.fault(format!("{name} arrived as it is at {whole} of {devices} devices"));
        }
        for (address, id) in &rehearsed.sent {
            let (state, _) = desk.transfer(id).await.map_err(anyhow::Error::msg)?;
            let mut arrived =
                rehearsed.files.iter().filter(|(at, other, _)| at == address && other == SENT_AS);
            let same = arrived.all(|(_, _, found)| found == content);
            if state != "confirmed" || !same {
                let how = if same { "" } else { ", and it arrived as something else" };
                audit.fault(format!("the file sent to the equipment of {address} is {state}{how}"));
            }
        }
    }
    messages(desk.client(), &mut audit, before.seq, tell).await?;
    tell("commands".to_owned());
    for (address, id) in &rehearsed.orders {
        let stored = desk.command(id).await.map_err(anyhow::Error::msg)?;
        audit.command(address, &stored);
    }
    tell("newest values".to_owned());
    values(desk, &mut audit).await?;
    counts(desk, &mut audit, before.seq, tell).await?;
    tell("the ledger's chain".to_owned());
    let checked = desk.client().fetch("/ledger/check").await.context("the ledger cannot be checked")?;
    for fault in checked.get("faults").and_then(Value::as_array).into_iter().flatten() {
        audit.fault(format!("ledger: {}", fault.as_str().unwrap_or_else(|| text(fault, "message"))));
    }
    Ok(audit.finish())
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    seq: i64,
    #[serde(borrow)]
    device: Option<Named<'a>>,
    direction: Direction,
    verdict: Verdict,
    #[serde(borrow)]
    raw: Option<Cow<'a, str>>,
    #[serde(borrow)]
    raw_base64: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    address: Cow<'a, str>,
}

/// Newest first, until the run's begin.
async fn messages(
    client: &Client,
    audit: &mut Audit,
    since: i64,
    tell: &dyn Fn(String),
) -> anyhow::Result<()> {
    let mut path = "/messages?limit=1000".to_owned();
    let mut read = 0_usize;
    loop {
        let body = client.call_raw(Method::GET, &path, None).await?;
        let page: Page<'_> = serde_json::from_slice(&body).context("a page of messages cannot be read")?;
        for item in &page.items {
            if item.seq <= since {
                return Ok(());
            }
            let bytes = match (&item.raw, &item.raw_base64) {
                (Some(text), _) => Cow::Borrowed(text.as_bytes()),
                (None, Some(text)) => Cow::Owned(STANDARD.decode(text.as_bytes()).context("base64")?),
                (None, None) => continue,
            };
            audit.message(&StoredMessage {
                seq: item.seq,
                address: item.device.as_ref().map_or("", |device| &device.address),
                direction: item.direction,
                verdict: item.verdict,
                text: &bytes,
            });
        }
        read += page.items.len();
        tell(format!("{read} messages"));
        let Some(next) = page.next else { return Ok(()) };
        path = format!("/messages?limit=1000&cursor={}", escape(&next));
    }
}

async fn values(desk: &Desk, audit: &mut Audit) -> anyhow::Result<()> {
    let wanted = audit.values();
    for some in wanted.chunks(TOGETHER) {
        let mut together = JoinSet::new();
        for (address, sensor, expected) in some.iter().cloned() {
            let (client, path) = (Arc::clone(desk.client()), format!("{}/series", desk.path(&address)));
            together.spawn(async move {
                let series = client.list(&path).await?;
                let datum = series.iter().find(|datum| text(datum, "sensor") == sensor);
                let found = datum.and_then(|datum| datum.get("value")).and_then(Value::as_i64);
                anyhow::Ok((address, sensor, expected, found))
            });
        }
        for read in together.join_all().await {
            let (address, sensor, expected, found) = read?;
            audit.value(&address, sensor, expected, found);
        }
    }
    Ok(())
}

/// How many values of some sensors came since the run's begin. A value is younger than the messages before it.
async fn counts(desk: &Desk, audit: &mut Audit, since: i64, tell: &dyn Fn(String)) -> anyhow::Result<()> {
    let wanted = audit.counts();
    let (all, mut done) = (wanted.len(), 0);
    for some in wanted.chunks(TOGETHER) {
        let mut together = JoinSet::new();
        for (address, sensor) in some.iter().cloned() {
            let (client, path) =
                (Arc::clone(desk.client()), format!("{}/data?sensor={sensor}", desk.path(&address)));
            together.spawn(async move {
                let found = stored_since(&client, &path, since).await?;
                anyhow::Ok((address, sensor, found))
            });
        }
        for read in together.join_all().await {
            let (address, sensor, found) = read?;
            audit.count(&address, sensor, found);
            done += 1;
        }
        tell(format!("values of {done} of {all} devices"));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Data<'a> {
    items: Vec<Placed>,
    #[serde(borrow)]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Placed {
    seq: i64,
}

async fn stored_since(client: &Client, path: &str, since: i64) -> anyhow::Result<u64> {
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let body = client.call_raw(Method::GET, &format!("{path}&limit=1000{cursor}"), None).await?;
        let page: Data<'_> = serde_json::from_slice(&body).context("a page of values cannot be read")?;
        count += page.items.iter().filter(|value| value.seq > since).count() as u64;
        let Some(next) = page.next else { return Ok(count) };
        cursor = format!("&cursor={}", escape(&next));
    }
}
