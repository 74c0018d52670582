//! `/firmware/device/<mac>/`: a node says which parameters it has and hears which it shall have (`sca11h.md §5`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, StatusCode};

use super::asked::{Asked, Said};
use super::first::FirstRequest;
use super::habits::Habits;
use super::identity::canonical;
use super::logs::SyncLine;
use super::names::{NoChangeReply, ReplyFraming};
use super::parameters::Parameters;
use super::pars::Pars;
use super::refused::{refused, unproven};
use super::{Sca11h, change, firmware};
use crate::core::{Acknowledgement, Claim, CommandFilter, Event, Hub, HubError, Known, Report, Terms};
use crate::http::query::{self, Plus};
use crate::http::{Exchange, Reply};
use crate::model::{CommandRecord, CommandState, Device, DeviceId, DeviceState, Dress, Timestamp, Verdict};

/// A request that was read.
struct Sync<'a> {
    at: Timestamp,
    /// The part of the path, percent-decoded.
    segment: String,
    exchange: &'a Exchange,
    peer: String,
}

impl Sync<'_> {
    fn report(&self, device: Option<Known>, verdict: Verdict, event: Option<Event>) -> Report {
        Report {
            device,
            at: self.at,
            raw: self.exchange.body.clone(),
            verdict,
            hmac: None,
            // The same words a day later are news: it still has what it had.
            fingerprint: None,
            events: event.into_iter().collect(),
            peer: self.peer.clone(),
        }
    }
}

/// A node's changes that can still happen, newest first.
struct Open(Vec<(CommandRecord, Pars)>);

/// What became of a sync.
enum Heard {
    /// The body of the answer, and how it is sent.
    Told(Bytes, Habits),
    Unproven,
}

/// Answers one sync.
pub(super) async fn sync(sca: Arc<Sca11h>, hub: Hub, exchange: Exchange) -> Reply {
    let exchange = Arc::new(exchange);
    let heard = {
        let (sca, hub, exchange) = (Arc::clone(&sca), hub.clone(), Arc::clone(&exchange));
        // A node that hangs up must not part what it was handed from what is noted of it.
        hub.clone().whole(async move { answer(&sca, &hub, &exchange).await }).await
    };
    match heard {
        Ok(Heard::Told(body, habits)) => framed(body, habits),
        Ok(Heard::Unproven) => unproven(&sca.settings, &exchange),
        Err(error) => refused(error, &exchange),
    }
}

async fn answer(sca: &Sca11h, hub: &Hub, exchange: &Exchange) -> Result<Heard, HubError> {
    let segment = query::decode(exchange.param("mac").unwrap_or_default().as_bytes(), Plus::Literal);
    let sync = Sync {
        at: hub.now(),
        segment: String::from_utf8_lossy(&segment).into_owned(),
        exchange,
        peer: exchange.peer.ip().to_string(),
    };
    match Asked::read(&exchange.body) {
        Asked::Said(said) => hear(sca, hub, &sync, &said).await,
        Asked::Nothing if exchange.method == Method::GET => look(sca, hub, &sync).await,
        Asked::Nothing => unread(sca, hub, &sync, "there is no body").await,
        Asked::Unreadable(why) => unread(sca, hub, &sync, &why).await,
    }
}

/// Takes what a node says, and hands out what waits for it.
async fn hear(sca: &Sca11h, hub: &Hub, sync: &Sync<'_>, said: &Said) -> Result<Heard, HubError> {
    let address = sca.identities.of_sync(hub, &sync.segment, said.name.as_deref()).await?;
    let _turn = sca.syncs.of(&address).await;
    let known = match hub.claim(Claim { family: &sca.name, address: &address, parent: None }) {
        Err(HubError::Invalid { message, .. }) => return unread(sca, hub, sync, &message).await,
        known => known?,
    };
    let id = known.names().id.clone();
    if !sca.wishes.proves(hub, &id, sync.exchange.header("authorization")).await? {
        return Ok(Heard::Unproven);
    }
    let mut open = Open::of(hub, &known.device).await?;
    let asked_for = open.wants(said) || is_sent_last(hub, &id, said).await?;
    let made = open.take_confirmed(said);
    let report = sync.report(Some(known), Verdict::Ok, made.as_ref().map(settling));
    hub.accept(report).await?;
    hub.keep_new(&FirstRequest::of(&id, "sync", sync.exchange, sync.at)).await?;
    tie(sca, hub, sync, said.name.as_deref()).await?;
    let habits = sca.habits(hub, &id).await?;
    let Some(device) = hub.device(&id) else { return Ok(Heard::Told(NOTHING, habits)) };
    let mut added = None;
    if is_served(&device) {
        added = firmware::addition(hub, &device, sync.exchange.header("host"), &said.versions).await?;
    }
    let dress = added.as_ref().map(|(members, _)| firmware::dress(members.clone()));
    let sent = deliver(sca, hub, sync, &device, said, &open, dress).await?;
    note(sca, hub, &device, sync, said, asked_for, sent.as_ref()).await?;
    let is_change = sent.is_some();
    let mut body = sent.unwrap_or_else(|| no_change(said, habits));
    let Some((members, told)) = added else { return Ok(Heard::Told(body, habits)) };
    if !is_change {
        body = firmware::merged(&body, &members);
        hub.said(&device.names, &sync.peer, body.clone()).await?;
    }
    hub.keep(&told).await?;
    Ok(Heard::Told(body, habits))
}

/// Keeps what cannot be read, and has nothing to say to it (§5.2).
async fn unread(sca: &Sca11h, hub: &Hub, sync: &Sync<'_>, why: &str) -> Result<Heard, HubError> {
    let address = sca.identities.of_sync(hub, &sync.segment, None).await?;
    let known = match hub.claim(Claim { family: &sca.name, address: &address, parent: None }) {
        // No device can have such an address.
        Err(HubError::Invalid { .. }) => None,
        known => Some(known?),
    };
    let mut habits = sca.settings.habits();
    if let Some(known) = &known {
        let id = &known.names().id;
        if !sca.wishes.proves(hub, id, sync.exchange.header("authorization")).await? {
            return Ok(Heard::Unproven);
        }
        habits = sca.habits(hub, id).await?;
    }
    hub.accept(sync.report(known, Verdict::Malformed, None)).await?;
    let (peer, mac) = (&sync.peer, &sync.segment);
    tracing::warn!(%peer, %mac, "a sync is kept and not used: {why}");
    Ok(Heard::Told(NOTHING, habits))
}

/// Ties the node's names together. Who shows no proof where the MAC's own device wants one takes its name from nobody.
async fn tie(sca: &Sca11h, hub: &Hub, sync: &Sync<'_>, name: Option<&str>) -> Result<(), HubError> {
    let shown = sync.exchange.header("authorization");
    let proven = match hub.device_by_address(&sca.name, &canonical(&sync.segment)) {
        Some(own) => sca.wishes.proves(hub, &own.names.id, shown).await?,
        None => true,
    };
    if proven { sca.identities.tie(hub, &sync.segment, name).await } else { Ok(()) }
}

/// Answers a GET without a body, whose meaning nobody knows (§5.2): with what a sync would hear, and without a trace.
async fn look(sca: &Sca11h, hub: &Hub, sync: &Sync<'_>) -> Result<Heard, HubError> {
    let address = sca.identities.of_sync(hub, &sync.segment, None).await?;
    let Some(device) = hub.device_by_address(&sca.name, &address) else {
        return Ok(Heard::Told(NOTHING, sca.settings.habits()));
    };
    let id = &device.names.id;
    if !sca.wishes.proves(hub, id, sync.exchange.header("authorization")).await? {
        return Ok(Heard::Unproven);
    }
    let habits = sca.habits(hub, id).await?;
    let open = if is_served(&device) { Open::of(hub, &device).await? } else { Open(Vec::new()) };
    let pending = open.0.first().map(|(command, _)| command.bytes.clone());
    Ok(Heard::Told(pending.unwrap_or(NOTHING), habits))
}

/// Hands out what waits for the node, unless it holds a change of which it says nothing.
async fn deliver(
    sca: &Sca11h,
    hub: &Hub,
    sync: &Sync<'_>,
    device: &Device,
    said: &Said,
    open: &Open,
    dress: Option<Dress>,
) -> Result<Option<Bytes>, HubError> {
    if !is_served(device) || open.0.is_empty() {
        return Ok(None);
    }
    if said.written().is_none() && open.0.iter().any(|(command, _)| command.state == CommandState::Sent) {
        return Ok(None);
    }
    // The newest change is what its owner wants; those before it were overtaken.
    let newer = open.0.first().is_some_and(|(command, _)| command.state == CommandState::Queued);
    for (command, _) in open.0.iter().skip(1).filter(|(command, _)| command.state == CommandState::Queued) {
        if let Err(error) = hub.cancel(&command.id, "server").await {
            tracing::debug!(command = %command.id, %error, "an overtaken change went its own way meanwhile");
        }
    }
    let terms = Terms {
        last: Acknowledgement::NotTaken,
        hold: Some(change::LIFE),
        attempts_max: if newer { 1 } else { SYNCS_MAX },
    };
    let pulled = hub.lease_dressed(&sca.name, &device.names.address, terms, &sync.peer, dress).await?;
    let given_up = pulled.lease.is_none() && !newer;
    if given_up && open.0.iter().any(|(command, _)| command.attempts >= SYNCS_MAX) {
        let has = said.pars.as_deref().unwrap_or("none");
        tracing::warn!(device = %device.names.address, has, "parameters were sent {SYNCS_MAX} times and are not applied");
    }
    Ok(pulled.lease.map(|lease| lease.bytes))
}

/// Keeps what the node said, and tells of parameters that nobody set.
async fn note(
    sca: &Sca11h,
    hub: &Hub,
    device: &Device,
    sync: &Sync<'_>,
    said: &Said,
    asked_for: bool,
    sent: Option<&Bytes>,
) -> Result<(), HubError> {
    let id = &device.names.id;
    let kept = hub.kept::<Parameters>(id.as_str()).await?;
    let mut known = kept.unwrap_or_else(|| Parameters::new(id.clone()));
    if let Some(drift) = known.hear(sync.at, &sync.segment, said, asked_for) {
        let (device, from, to) = (&device.names.address, &drift.from, &drift.to);
        tracing::warn!(%device, %from, %to, "the node has parameters that nobody set here");
    }
    hub.keep(&known).await?;
    if let Some(logs) = sca.logs.get() {
        let old = said.pars.as_deref().unwrap_or_default();
        let new = sent.and_then(|bytes| text_of(bytes)).unwrap_or_else(|| old.to_owned());
        logs.sync(&SyncLine { at: sync.at, mac: &sync.segment, old, new: &new }).await;
    }
    Ok(())
}

impl Open {
    async fn of(hub: &Hub, device: &Device) -> Result<Self, HubError> {
        let mut open = Vec::new();
        for state in [CommandState::Queued, CommandState::Sent, CommandState::Accepted] {
            let filter = CommandFilter {
                device: Some(device.names.id.clone()),
                state: Some(state),
                limit: OPEN_MAX,
                ..CommandFilter::default()
            };
            open.extend(hub.commands(filter).await?);
        }
        open.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
        let pars = |command: CommandRecord| change::pars_of(&command).map(|pars| (command, pars));
        Ok(Self(open.into_iter().filter_map(pars).collect()))
    }

    /// Takes out the change that the node says it made: one that it was sent, the newest of them.
    fn take_confirmed(&mut self, said: &Said) -> Option<CommandRecord> {
        let written = said.written()?;
        let made = |(command, pars): &(CommandRecord, Pars)| command.attempts > 0 && written.shows(*pars);
        let place = self.0.iter().position(made)?;
        Some(self.0.remove(place).0)
    }

    /// Whether somebody wants the parameters that the node says it has.
    fn wants(&self, said: &Said) -> bool {
        said.written().is_some_and(|written| self.0.iter().any(|(_, pars)| written.shows(*pars)))
    }
}

/// Whether a node has what it was sent last, although that was given up meanwhile: it took its time.
async fn is_sent_last(hub: &Hub, device: &DeviceId, said: &Said) -> Result<bool, HubError> {
    let Some(written) = said.written() else { return Ok(false) };
    let filter = CommandFilter { device: Some(device.clone()), limit: OPEN_MAX, ..CommandFilter::default() };
    let newest = hub.commands(filter).await?;
    let sent = newest.iter().filter(|command| command.attempts > 0).find_map(change::pars_of);
    Ok(sent.is_some_and(|pars| written.shows(pars)))
}

fn settling(command: &CommandRecord) -> Event {
    let keys = vec![change::CMD.to_owned()];
    // However long the node was away: what it reports now is what it was sent.
    Event::Reply { wire_id: command.wire_id, keys, within: Some(Duration::MAX) }
}

const fn is_served(device: &Device) -> bool {
    match device.state {
        DeviceState::Active => true,
        DeviceState::Held | DeviceState::Blocked => false,
    }
}

fn no_change(said: &Said, habits: Habits) -> Bytes {
    match habits.no_change_reply {
        NoChangeReply::Empty => NOTHING,
        NoChangeReply::Echo => match (said.written(), &said.pars) {
            (Some(written), _) if !written.five => Bytes::from(written.pars.reply()),
            (_, Some(text)) => Bytes::from(serde_json::json!({ change::CMD: text }).to_string()),
            (_, None) => NOTHING,
        },
    }
}

/// The parameters in a reply, for the log.
fn text_of(reply: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(reply).ok()?;
    json.get(change::CMD)?.as_str().map(str::to_owned)
}

fn framed(body: Bytes, habits: Habits) -> Reply {
    let reply = Reply::json(StatusCode::OK, body);
    let reply = match habits.reply_framing {
        ReplyFraming::Chunked => reply.chunked(),
        ReplyFraming::ContentLength => reply,
    };
    if habits.force_close { reply.closing() } else { reply }
}

/// What a node hears when nothing is to change.
const NOTHING: Bytes = Bytes::from_static(b"{}");
/// So often a node is sent the same before it is given up (§5.3).
const SYNCS_MAX: u32 = 3;
/// More changes than anybody queues for one node.
const OPEN_MAX: u32 = 100;
