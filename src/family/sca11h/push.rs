//! `/data/push/`: answered `done` when the bytes are on disk, whatever they are (`sca11h.md §4`).

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::{ALLOW, AUTHORIZATION, HeaderValue};
use hyper::{Method, StatusCode};
use sha2::{Digest as _, Sha256};

use super::body::{self, Message, Said};
use super::first::FirstRequest;
use super::nodes::{self, Node};
use super::peers::Conflict;
use super::refused::{refused, unproven};
use super::{Sca11h, clock};
use crate::core::{Accepted, Claim, Event, Hub, HubError, Known, Report};
use crate::http::{Exchange, Reply};
use crate::model::{Timestamp, Verdict};

/// The methods of the path, as the original lists them (§3.2).
pub(super) const METHODS: &str = "OPTIONS, POST";

/// Answers one push.
pub(super) async fn push(sca: Arc<Sca11h>, hub: Hub, exchange: Exchange) -> Reply {
    if exchange.method == Method::OPTIONS {
        return Reply::bytes(StatusCode::OK, TEXT, Bytes::new())
            .with(ALLOW, HeaderValue::from_static(METHODS));
    }
    let exchange = Arc::new(exchange);
    let taken = {
        let (sca, hub, exchange) = (Arc::clone(&sca), hub.clone(), Arc::clone(&exchange));
        // A node that hangs up must not part what is stored from what is remembered of it.
        hub.clone().whole(async move { take(&sca, &hub, &exchange).await }).await
    };
    match taken {
        Ok(Taken::Stored { close }) => {
            if let Some(logs) = sca.logs.get() {
                logs.data(&exchange.body).await;
            }
            let reply = Reply::bytes(StatusCode::OK, TEXT, DONE);
            if close { reply.closing() } else { reply }
        }
        Ok(Taken::Unproven) => unproven(&sca.settings, &exchange),
        Err(error) => refused(error, &exchange),
    }
}

/// What became of a push.
enum Taken {
    Stored { close: bool },
    Unproven,
}

/// One of the nodes of a push.
struct Speaker {
    known: Known,
    said: Said,
}

/// Read, find out who speaks, store. Nobody's rows are stored before all are known and let in.
async fn take(sca: &Sca11h, hub: &Hub, exchange: &Exchange) -> Result<Taken, HubError> {
    let at = hub.now();
    let peer = exchange.peer.ip();
    let Message { nodes, fault } = body::read(&exchange.body);
    if let Some(fault) = &fault {
        let size = exchange.body.len();
        tracing::warn!(%peer, size, "a push is not as it should be: {fault}");
    }
    if !nodes.iter().any(Said::has_rows) {
        return unread(sca, hub, exchange, nodes, at).await;
    }
    let mut speakers = Vec::with_capacity(nodes.len());
    for said in nodes {
        let address = match &said.node {
            Some(node) => sca.identities.of_node(hub, node).await?,
            None => sca.nodes.of_peer(peer),
        };
        let known = match hub.claim(Claim { family: &sca.name, address: &address, parent: None }) {
            Ok(known) => known,
            Err(HubError::Invalid { message, .. }) => {
                tracing::warn!(%peer, "a push is kept but not used: {message}");
                accept(hub, unusable(exchange, at, None)).await?;
                return Ok(Taken::Stored { close: sca.settings.force_close });
            }
            Err(error) => return Err(error),
        };
        if !sca.wishes.proves(hub, &known.names().id, authorization(exchange)).await? {
            return Ok(Taken::Unproven);
        }
        speakers.push(Speaker { known, said });
    }
    let mut close = false;
    for (place, speaker) in speakers.into_iter().enumerate() {
        let raw = match (place, &speaker.said.own) {
            (1.., Some(own)) => own.clone(),
            (0, _) | (_, None) => exchange.body.clone(),
        };
        close |= heard(sca, hub, exchange, speaker, raw, at).await?;
    }
    Ok(Taken::Stored { close })
}

/// Keeps a push that says nothing: with the device, if a node id could be made out and is known already.
async fn unread(
    sca: &Sca11h,
    hub: &Hub,
    exchange: &Exchange,
    nodes: Vec<Said>,
    at: Timestamp,
) -> Result<Taken, HubError> {
    let sound = nodes.iter().any(|said| said.skipped == 0);
    let mut known = None;
    if let Some(node) = nodes.into_iter().find_map(|said| said.node) {
        let address = sca.identities.of_node(hub, &node).await?;
        if sound || hub.device_by_address(&sca.name, &address).is_some() {
            known = match hub.claim(Claim { family: &sca.name, address: &address, parent: None }) {
                Ok(known) => Some(known),
                Err(HubError::Invalid { .. }) => None,
                Err(error) => return Err(error),
            };
        }
    }
    if let Some(known) = &known
        && !sca.wishes.proves(hub, &known.names().id, authorization(exchange)).await?
    {
        return Ok(Taken::Unproven);
    }
    let verdict = if sound && known.is_some() { Verdict::Ok } else { Verdict::Malformed };
    accept(hub, Report { verdict, ..unusable(exchange, at, known) }).await?;
    Ok(Taken::Stored { close: sca.settings.force_close })
}

/// Stores what one node says. Gives whether its connection is to be closed.
async fn heard(
    sca: &Sca11h,
    hub: &Hub,
    exchange: &Exchange,
    speaker: Speaker,
    raw: Bytes,
    at: Timestamp,
) -> Result<bool, HubError> {
    let Speaker { known, said } = speaker;
    let (id, address) = (known.names().id.clone(), known.names().address.clone());
    let peer = exchange.peer.ip();
    let habits = sca.habits(hub, &id).await?;
    let place = sca.nodes.at(&id);
    let mut node = place.lock().await;
    let mut memory = match &node.memory {
        Some(memory) => memory.clone(),
        None => nodes::recalled(sca, hub, &known.device).await?,
    };
    let times = clock::times(&said, at, habits.time_offset_s, sca.settings.skew_max());
    let news = memory.follow.take(&said, &times);
    let mut readings = memory.follow.readings(&news.samples, &times);
    readings.extend(memory.bed.observe(&news.samples, &sca.settings.presence));
    let verdict = if news.samples.is_empty() && news.repeated > 0 { Verdict::Duplicate } else { Verdict::Ok };
    let report = Report {
        device: Some(known),
        at,
        raw,
        verdict,
        hmac: None,
        fingerprint: fingerprint(&said, &exchange.body),
        events: vec![Event::Readings(readings)],
        peer: peer.to_string(),
    };
    let accepted = accept(hub, report).await?;
    if accepted.verdict != Verdict::Duplicate {
        node.memory = Some(memory);
    }
    if said.skipped > 0 {
        tracing::warn!(%peer, %address, skipped = said.skipped, "rows left out that cannot be read");
    }
    if said.node.is_some() {
        sca.nodes.speaks(peer, &address);
    }
    node.beside.clock_behind_s = times.behind_us.map(|behind| behind.div_euclid(1_000_000));
    node.beside.clock_believed = times.believed;
    node.beside.rows_skipped += said.skipped;
    node.beside.rows_repeated += news.repeated;
    (node.beside.network, node.beside.node) = (said.network, said.node);
    beside(hub, exchange, &mut node, (&id, &address), peer, at).await;
    Ok(habits.force_close)
}

/// What is kept of a push beside its rows. The rows are stored: a failure here is told in the log alone.
async fn beside(
    hub: &Hub,
    exchange: &Exchange,
    node: &mut Node,
    (id, address): (&crate::model::DeviceId, &str),
    peer: IpAddr,
    at: Timestamp,
) {
    if !node.introduced {
        node.introduced = true;
        if let Err(error) = hub.keep_new(&FirstRequest::of(id, "push", exchange, at)).await {
            tracing::warn!(address, %error, "the head of the first push was not kept");
        }
    }
    if let Some(peers) = node.peers.hear(peer, at) {
        let [one, other] = peers;
        tracing::warn!(address, %one, %other, "two peers push under one node id");
        if let Err(error) = hub.keep(&Conflict { device: id.clone(), peers, at }).await {
            tracing::warn!(address, %error, "the conflict was not kept");
        }
    }
}

fn authorization(exchange: &Exchange) -> Option<&str> {
    exchange.header(AUTHORIZATION.as_str())
}

fn unusable(exchange: &Exchange, at: Timestamp, known: Option<Known>) -> Report {
    let peer = exchange.peer.ip().to_string();
    Report::unread(known, at, exchange.body.clone(), peer)
}

async fn accept(hub: &Hub, report: Report) -> Result<Accepted, HubError> {
    hub.accept(report).await
}

/// What makes two pushes the same one: all their bytes, where the rows name their time. Bare rows name none: the same
/// ones may come again another day.
fn fingerprint(said: &Said, body: &[u8]) -> Option<[u8; 16]> {
    said.measured.iter().find(|measured| measured.time.is_some())?;
    let sum = Sha256::digest(body);
    sum.first_chunk::<16>().copied()
}

/// The original's answer (§3.2).
const DONE: &[u8] = b"done";
const TEXT: &str = "text/html; charset=utf-8";
