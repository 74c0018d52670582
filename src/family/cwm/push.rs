//! `/push`: messages come in, and are confirmed only when they are on disk (`cwm-oke.md §3.2`).

use std::future::Future;
use std::sync::Arc;

use hyper::StatusCode;

use super::care::Noted;
use super::courier::Courier;
use super::envelope::{self, Message, Opened};
use super::error::CwmError;
use super::names::BadMessages;
use super::okm::{self, Okm};
use super::policy::Capture;
use super::proof::{self, Prover};
use super::telemetry::Said;
use super::{Cwm, reply};
use crate::core::{Accepted, Claim, Event, Hub, HubError, Known, Presented, Report, Whole};
use crate::http::{ClientCert, Exchange, Reply};
use crate::model::{DeviceId, FamilyName, HmacCheck, Timestamp, Verdict};

/// Answers one push.
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an async fn has room for the request twice, and each message needs one"
)]
pub(super) fn push(cwm: Arc<Cwm>, hub: Hub, exchange: Exchange) -> impl Future<Output = Reply> + Send {
    async move {
        let push =
            Push { cwm: &cwm, hub: &hub, exchange: &exchange, peer: exchange.peer.addr.ip().to_string() };
        let names = &cwm.settings.names;
        let reply = match push.take().await {
            Ok(answer) => Reply::json(StatusCode::OK, reply::pushed(names, answer.taken, answer.pending)),
            Err(error) => error.into_reply(reply::pushed(names, false, false), &exchange.path, &push.peer),
        };
        cwm.capture(Capture::Push, &hub, &exchange, None, reply.status).await;
        reply
    }
}

/// One request.
struct Push<'a> {
    cwm: &'a Cwm,
    hub: &'a Hub,
    exchange: &'a Exchange,
    peer: String,
}

/// What a push is answered.
struct Answer {
    taken: bool,
    pending: bool,
}

/// One message on its way to the disk, with what is to be done when it is there.
struct Step {
    stored: Whole<Result<Accepted, HubError>>,
    unusable: bool,
    /// Who brought it.
    carrier: Option<DeviceId>,
    overheard: Option<Box<(DeviceId, serde_json::Value)>>,
    noted: Option<Box<Noted>>,
}

impl Push<'_> {
    /// Open, authenticate, report, reply. All senders are checked before anything is stored, so that a push is
    /// refused as a whole.
    async fn take(&self) -> Result<Answer, CwmError> {
        let (hmac, claimed) = {
            let prover = Prover::new(self.cwm, self.hub, self.exchange);
            let opened = self.open(&prover)?;
            (prover.settle(opened.hmac).await?, self.claim(opened.messages)?)
        };
        if hmac == Some(HmacCheck::Bad) {
            tracing::warn!(peer = %self.peer, "message taken although its HMAC does not hold");
        }
        let mut answer = Answer { taken: true, pending: false };
        let mut claimed = claimed.into_iter();
        while let Some(step) = claimed.next().map(|(known, message)| self.begin(known, message, hmac)) {
            answer.taken &= match self.cwm.settings.bad_messages {
                BadMessages::Quarantine => true,
                BadMessages::Reject => !step.unusable,
            };
            answer.pending |= self.end(step).await?;
        }
        Ok(answer)
    }

    fn open(&self, prover: &Prover<'_>) -> Result<Opened, CwmError> {
        let prove = |text: &[u8], messages: &[Message]| prover.check_messages(text, messages);
        let Exchange { query, body, .. } = self.exchange;
        let opened = envelope::messages(query.as_deref(), body, &self.cwm.settings, prove);
        if opened.messages.is_empty() {
            return Err(CwmError::unreadable("the request has no message: send it as req={\"okm\":{...}}"));
        }
        Ok(opened)
    }

    fn claim(&self, messages: Vec<Message>) -> Result<Vec<(Option<Known>, Message)>, CwmError> {
        let shown = self.exchange.peer.certificate();
        let claimed = messages.into_iter().map(|message| {
            let known = authenticate(self.hub, &self.cwm.name, &message, shown)?;
            if let Some(known) = &known {
                proof::check_name(self.cwm, shown, &known.via().names.address)?;
            }
            Ok((known, message))
        });
        claimed.collect()
    }

    fn begin(&self, known: Option<Known>, message: Message, hmac: Option<HmacCheck>) -> Step {
        let unusable = note(&message, &self.peer);
        let overheard = overheard(self.cwm, known.as_ref(), &message).map(Box::new);
        let carrier = known.as_ref().map(|known| known.via().names.id.clone());
        let report = Report { hmac, ..report(self.hub, known, message, &self.peer) };
        let noted = self.cwm.care.note(&report, &self.cwm.settings).map(Box::new);
        Step { stored: self.hub.accept(report), unusable, carrier, overheard, noted }
    }

    /// Says whether something waits for the module.
    async fn end(&self, step: Step) -> Result<bool, CwmError> {
        let Step { stored, unusable: _, carrier, overheard, noted } = step;
        let accepted = stored.await?;
        if let (Some(carrier), Some(shown)) = (&carrier, self.exchange.peer.certificate()) {
            self.hub.presented(carrier, presented(shown));
        }
        if let Some(overheard) = overheard {
            let (device, payload) = &*overheard;
            // The message is stored; a directory that could not be used now is asked for again.
            if let Err(error) = Box::pin(Courier::heard(self.cwm, self.hub, device, payload)).await {
                tracing::warn!(peer = %self.peer, %error, "a directory was not looked at");
            }
        }
        let mut pending = accepted.pending;
        if let Some(noted) = noted {
            pending |= Box::pin(self.cwm.care.act(self.cwm, self.hub, *noted, accepted.verdict)).await;
        }
        Ok(pending)
    }
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
