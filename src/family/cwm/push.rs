//! `/push`: messages come in, and are confirmed only when they are on disk (`cwm-oke.md §3.2`).

use std::sync::Arc;

use hyper::StatusCode;

use super::courier::Courier;
use super::envelope::{self, Message};
use super::error::CwmError;
use super::names::BadMessages;
use super::okm::{self, Okm};
use super::policy::Capture;
use super::proof::{self, Prover};
use super::telemetry::Said;
use super::{Cwm, reply};
use crate::core::{Claim, Event, Hub, HubError, Known, Presented, Report};
use crate::http::{ClientCert, Exchange, Reply};
use crate::model::{DeviceId, FamilyName, HmacCheck, Timestamp, Verdict};

/// Answers one push.
pub(super) async fn push(cwm: Arc<Cwm>, hub: Hub, exchange: Exchange) -> Reply {
    let names = &cwm.settings.names;
    let peer = exchange.peer.addr.ip().to_string();
    let reply = match take(&cwm, &hub, &exchange, &peer).await {
        Ok(answer) => Reply::json(StatusCode::OK, reply::pushed(names, answer.taken, answer.pending)),
        Err(error) => error.into_reply(reply::pushed(names, false, false), &exchange.path, &peer),
    };
    cwm.capture(Capture::Push, &hub, &exchange, None, reply.status).await;
    reply
}

/// What a push is answered.
struct Answer {
    taken: bool,
    pending: bool,
}

/// Open, authenticate, report, reply. All senders are checked before anything is stored, so that a push is
/// refused as a whole.
async fn take(cwm: &Cwm, hub: &Hub, exchange: &Exchange, peer: &str) -> Result<Answer, CwmError> {
    let settings = &cwm.settings;
    let prover = Prover::new(cwm, hub, exchange);
    let prove = |text: &[u8], messages: &[Message]| prover.check_messages(text, messages);
    let opened = envelope::messages(exchange.query.as_deref(), &exchange.body, settings, prove);
    if opened.messages.is_empty() {
        return Err(CwmError::unreadable("the request has no message: send it as req={\"okm\":{...}}"));
    }
    let hmac = prover.settle(opened.hmac).await?;
    if hmac == Some(HmacCheck::Bad) {
        tracing::warn!(%peer, "message taken although its HMAC does not hold");
    }
    let mut claimed = Vec::with_capacity(opened.messages.len());
    for message in opened.messages {
        let known = authenticate(hub, &cwm.name, &message, exchange.peer.certificate())?;
        if let Some(known) = &known {
            proof::check_name(cwm, exchange.peer.certificate(), &known.via().names.address)?;
        }
        claimed.push((known, message));
    }
    let mut answer = Answer { taken: true, pending: false };
    for (known, message) in claimed {
        let unusable = note(&message, peer);
        let overheard = overheard(cwm, known.as_ref(), &message);
        let carrier = known.as_ref().map(|known| known.via().names.id.clone());
        let report = Report { hmac, ..report(hub, known, message, peer) };
        let noted = cwm.care.note(&report, settings);
        let accepted = hub.accept(report).await?;
        if let (Some(carrier), Some(shown)) = (&carrier, exchange.peer.certificate()) {
            hub.presented(carrier, presented(shown));
        }
        if let Some((device, payload)) = overheard {
            // The message is stored; a directory that could not be used now is asked for again.
            if let Err(error) = Box::pin(Courier::heard(cwm, hub, &device, &payload)).await {
                tracing::warn!(%peer, %error, "a directory was not looked at");
            }
        }
        if let Some(noted) = noted {
            answer.pending |= Box::pin(cwm.care.act(cwm, hub, noted, accepted.verdict)).await;
        }
        answer.pending |= accepted.pending;
        answer.taken &= match settings.bad_messages {
            BadMessages::Quarantine => true,
            BadMessages::Reject => !unusable,
        };
    }
    Ok(answer)
}

/// The payload of a sound message that may be the directory a delivered file waits for.
fn overheard(cwm: &Cwm, known: Option<&Known>, message: &Message) -> Option<(DeviceId, serde_json::Value)> {
    let device = known.map(|known| &known.device.names.id).filter(|id| cwm.courier.listens_to(id))?;
    let sound = matches!(message.read.verdict, Verdict::Ok | Verdict::NoCrc);
    let payload = sound.then(|| okm::payload(&message.text, &cwm.settings)).flatten()?;
    Some((device.clone(), payload))
}

/// Who the message is from: its first source, carried by its last. A malformed message makes no device.
fn authenticate(
    hub: &Hub,
    family: &FamilyName,
    message: &Message,
    shown: Option<&ClientCert>,
) -> Result<Option<Known>, CwmError> {
    let Some((address, parent)) = sender(&message.read.okm) else { return Ok(None) };
    let parent = parent.or_else(|| carrier(hub, family, address, shown));
    let malformed = message.read.verdict == Verdict::Malformed;
    if malformed && hub.device_by_address(family, address).is_none() {
        return Ok(None);
    }
    match hub.claim(Claim { family, address, parent: parent.filter(|_| !malformed) }) {
        Ok(known) => Ok(Some(known)),
        // The reader let the address pass and the hub did not: keep the message without a device.
        Err(HubError::Invalid { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Who carries a message whose source is one element: the module that the client certificate names, if it is good
/// and names one we know (§3.2). A connection alone says nothing: a proxy may put many modules through one.
pub(super) fn carrier<'a>(
    hub: &Hub,
    family: &FamilyName,
    address: &str,
    shown: Option<&'a ClientCert>,
) -> Option<&'a str> {
    let name = shown.filter(|shown| shown.fault.is_none())?.name.as_deref()?;
    (!name.eq_ignore_ascii_case(address) && hub.device_by_address(family, name).is_some()).then_some(name)
}

fn presented(shown: &ClientCert) -> Presented<'_> {
    Presented {
        fingerprint: &shown.fingerprint,
        subject: &shown.subject,
        not_after: Timestamp::from_micros(shown.not_after_s.saturating_mul(1_000_000)),
        fault: shown.fault.as_deref(),
    }
}

/// A one-element source is its own carrier (§4.3).
fn sender(okm: &Okm) -> Option<(&str, Option<&str>)> {
    match okm.src.as_slice() {
        [] => None,
        [only] => Some((only, None)),
        [first, .., last] => Some((first, Some(last))),
    }
}

/// Logs what is wrong with a message, once. Says whether it cannot be used.
fn note(message: &Message, peer: &str) -> bool {
    let size = message.text.len();
    match (&message.read.fault, message.read.verdict) {
        (Some(fault), _) => {
            tracing::warn!(%peer, size, "message kept but not used: it is malformed: {fault}");
            true
        }
        (None, Verdict::BadCrc) => {
            let src = message.read.okm.src.join(",");
            tracing::warn!(%peer, size, %src, "message kept but not used: its checksum is wrong");
            true
        }
        (None, Verdict::NoCrc) => {
            let src = message.read.okm.src.join(",");
            tracing::warn!(%peer, size, %src, "message taken on trust: it has no checksum");
            false
        }
        (None, Verdict::Ok | Verdict::Malformed | Verdict::Duplicate | Verdict::None) => false,
    }
}

fn report(hub: &Hub, known: Option<Known>, message: Message, peer: &str) -> Report {
    let Message { text, read } = message;
    let mut events = Vec::new();
    if let (Some(Said { readings, lost, keys }), Verdict::Ok | Verdict::NoCrc, true) =
        (read.okm.payload, read.verdict, known.is_some())
    {
        if lost > 0 {
            tracing::info!(%peer, lost, "values left out or cut; the message itself is kept whole");
        }
        events.push(Event::Readings(readings));
        if let Some(wire_id) = read.okm.id {
            events.push(Event::Reply { wire_id, keys, within: None });
        }
    }
    Report {
        device: known,
        at: hub.now(),
        raw: text,
        verdict: read.verdict,
        fingerprint: read.fingerprint,
        events,
        peer: peer.to_owned(),
        hmac: None,
    }
}
