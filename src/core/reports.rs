//! What devices do: claim who they are, report, and fetch commands.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::hub::astray;
use super::registry::Known;
use super::rhythm::{Presence, Silence};
use super::whole::Whole;
use super::{FeedEvent, Heard, Hub, HubError, UnknownPolicy};
use crate::model::{
    CommandId, Datum, Device, DeviceId, DeviceRef, DeviceState, Dress, FamilyName, HmacCheck, Lease, Reading,
    Seq, Timestamp, Verdict, WireId,
};
use crate::store::{Acknowledgement, Outcome, Reply, ReportWrite, Reported, StoreError, Write};

/// Who a message says it is from.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The dialect.
    pub family: &'a FamilyName,
    /// The sender's address, 1 to 64 characters.
    pub address: &'a str,
    /// The address of the device that carries its messages, if that is another one.
    pub parent: Option<&'a str>,
}

/// A message that was read, with all that follows from it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose it is, as claimed; `None` when the message did not say.
    pub device: Option<Known>,
    /// When it arrived.
    pub at: Timestamp,
    /// The exact bytes.
    pub raw: Bytes,
    /// What the check found.
    pub verdict: Verdict,
    /// What the check of its HMAC found; `None` when it was not looked at.
    pub hmac: Option<HmacCheck>,
    /// What makes two messages of the device the same one; `None` never repeats.
    pub fingerprint: Option<[u8; 16]>,
    /// What it says. Not looked at when the verdict is `BadCrc` or `Malformed`: the message is kept, and
    /// nothing in it is believed.
    pub events: Vec<Event>,
    /// The peer's address without port.
    pub peer: String,
}

impl Report {
    /// A message that says nothing: it is kept as it came.
    pub fn unread(device: Option<Known>, at: Timestamp, raw: Bytes, peer: String) -> Self {
        let (verdict, events) = (Verdict::Malformed, Vec::new());
        Self { device, at, raw, verdict, hmac: None, fingerprint: None, events, peer }
    }
}

/// One thing a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Values.
    Readings(Vec<Reading>),
    /// It may be the reply to a command. At most one counts per report.
    Reply {
        /// The command's number on the wire.
        wire_id: WireId,
        /// Top-level keys of what was replied; a command that shares one is preferred.
        keys: Vec<String>,
        /// How long ago the command may have been handed out; `None` is as long as the settings say.
        within: Option<Duration>,
    },
}

/// What became of a report. The message is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its place in the ledger.
    pub seq: Seq,
    /// The verdict as stored.
    pub verdict: Verdict,
    /// Whether a command waits for the device, or for the one that fetches for it.
    pub pending: bool,
}

/// How a command is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What the device says of the command it got last.
    pub last: Acknowledgement,
    /// How long the command is taken as being on its way. `None` when the device never says what became of one: it
    /// stays `sent`, and [`Hub::hand_back`] is due if its bytes did not leave.
    pub hold: Option<Duration>,
    /// How often a command may be handed out before it is given up.
    pub attempts_max: u32,
}

/// What a device that asked gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The command, if one is due.
    pub lease: Option<Lease>,
    /// Whether another waits behind it.
    pub more: bool,
}

impl Hub {
    /// Finds who a message is from, or what the policy makes of a newcomer. No wait: a newcomer is stored
    /// with its first report.
    pub fn claim(&self, claim: Claim<'_>) -> Result<Known, HubError> {
        check_address(claim.address)?;
        let parent = match claim.parent.filter(|parent| !parent.eq_ignore_ascii_case(claim.address)) {
            Some(address) => {
                check_address(address)?;
                Some(self.claim_one(claim.family, address, None)?)
            }
            None => None,
        };
        let parent_id = parent.as_ref().map(|parent| parent.names.id.clone());
        let mut device = self.claim_one(claim.family, claim.address, parent_id.clone())?;
        // Who carried this message is its parent for this message; who carried the first one stays in the store.
        let parent = match (parent, &device.parent) {
            (None, Some(id)) => self.0.registry.shared(id),
            (parent, _) => parent,
        };
        if device.parent.is_none() && parent_id.is_some() {
            Arc::make_mut(&mut device).parent = parent_id;
        }
        let known = Known { device, parent };
        self.spend(&known)?;
        Ok(known)
    }

    /// The same of a device whose id is known.
    pub fn claim_id(&self, id: &DeviceId) -> Result<Known, HubError> {
        let device = self.0.registry.shared(id).ok_or(HubError::NotFound("device"))?;
        let device = let_in(device)?;
        let parent = device.parent.as_ref().and_then(|id| self.0.registry.shared(id));
        let known = Known { device, parent };
        self.spend(&known)?;
        Ok(known)
    }

    /// The same of a device that was claimed a moment ago, for the message that came with that one.
    pub fn claim_again(&self, known: &Known) -> Result<Known, HubError> {
        self.spend(known)?;
        Ok(known.clone())
    }

    /// Who sends more than its share is told to come back, and keeps its messages meanwhile.
    fn spend(&self, known: &Known) -> Result<(), HubError> {
        let Some(most) = self.0.settings.load().messages_per_minute else { return Ok(()) };
        let names = &known.via().names;
        if self.0.registry.spend(&names.id, self.now(), most) {
            return Ok(());
        }
        let message = format!(
            "{} sends more than {most} messages a minute (limits.device_messages_max_per_minute)",
            names.address
        );
        Err(HubError::TooFast(message))
    }

    /// Sends a report and all that follows from it to the store. Durable when the future ends; it holds little, since
    /// every message waits in one.
    pub fn accept(&self, report: Report) -> Whole<Result<Accepted, HubError>> {
        // The hub keeps a share of what it sends, to tell of it afterwards.
        let report = Arc::new(self.report_write(report));
        let stored = self.write(Write::Report(Arc::clone(&report)));
        let hub = self.clone();
        self.whole(async move {
            match stored.await {
                // Another server on the same store met the newcomer first: take its id and try once more.
                Err(StoreError::Conflict(_)) if report.device.is_some() => {
                    Box::pin(hub.accept_again(&report)).await
                }
                outcome => hub.accepted(&report, outcome?),
            }
        })
    }

    async fn accept_again(&self, report: &ReportWrite) -> Result<Accepted, HubError> {
        self.refresh().await?;
        let report = Arc::new(self.claimed_again(report)?);
        let outcome = self.write(Write::Report(Arc::clone(&report))).await?;
        self.accepted(&report, outcome)
    }

    fn accepted(&self, report: &ReportWrite, outcome: Outcome) -> Result<Accepted, HubError> {
        let Outcome::Reported(reported) = outcome else { return Err(astray(&outcome)) };
        match report.names() {
            Some(names) => self.0.tally.received(&names.family, reported.verdict),
            None => self.0.tally.received(&FamilyName::new("unknown"), reported.verdict),
        }
        let accepted = Accepted { seq: reported.seq, verdict: reported.verdict, pending: reported.pending };
        self.told(report, reported);
        Ok(accepted)
    }

    /// Hands a device its oldest due command, as the settings say. A device that is unknown, held or blocked gets
    /// nothing.
    pub async fn lease(
        &self,
        family: &FamilyName,
        address: &str,
        last: Acknowledgement,
        peer: &str,
    ) -> Result<Pulled, HubError> {
        let settings = self.settings();
        let terms = Terms { last, hold: Some(settings.lease_hold), attempts_max: settings.attempts_max };
        self.lease_on(family, address, terms, peer).await
    }

    /// The same on terms of the dialect's own.
    pub async fn lease_on(
        &self,
        family: &FamilyName,
        address: &str,
        terms: Terms,
        peer: &str,
    ) -> Result<Pulled, HubError> {
        self.lease_dressed(family, address, terms, peer, None).await
    }

    /// The same, and what goes out of a command's bytes is made by `dress`: the ledger has that.
    pub async fn lease_dressed(
        &self,
        family: &FamilyName,
        address: &str,
        terms: Terms,
        peer: &str,
        dress: Option<Dress>,
    ) -> Result<Pulled, HubError> {
        let Some(device) = self.device_by_address(family, address) else { return Ok(Pulled::default()) };
        let at = self.now();
        match device.state {
            DeviceState::Blocked => return Ok(Pulled::default()),
            DeviceState::Held => {
                self.0.registry.touch(&device.names.id, at);
                return Ok(Pulled::default());
            }
            DeviceState::Active => self.0.registry.touch(&device.names.id, at),
        }
        let write = Write::Lease {
            via: device.names.id,
            last: terms.last,
            at,
            until: terms.hold.map(|hold| at.plus(hold)),
            attempts_max: terms.attempts_max,
            peer: peer.to_owned(),
            dress,
        };
        let (hub, family) = (self.clone(), family.clone());
        self.whole(async move {
            let outcome = hub.write(write).await?;
            let Outcome::Leased(leased) = outcome else { return Err(astray(&outcome)) };
            if leased.lease.is_some() {
                hub.0.tally.sent(&family);
            }
            hub.tell_commands(leased.changed);
            Ok(Pulled { lease: leased.lease, more: leased.more })
        })
        .await
    }

    /// Takes back a command whose bytes did not leave.
    pub async fn hand_back(&self, id: &CommandId, reason: &str) -> Result<(), HubError> {
        let write = Write::HandBack { id: id.clone(), at: self.now(), reason: reason.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let outcome = hub.write(write).await?;
            let Outcome::Changed(changed) = outcome else { return Err(astray(&outcome)) };
            hub.tell_commands(changed);
            Ok(())
        })
        .await
    }

    /// Writes into the ledger what a device was told that is no command.
    pub async fn said(&self, device: &DeviceRef, peer: &str, raw: Bytes) -> Result<(), HubError> {
        let write = Write::Said { device: device.clone(), at: self.now(), peer: peer.to_owned(), raw };
        self.write(write).await?;
        Ok(())
    }

    /// A device by its address; letter case does not count.
    pub fn device_by_address(&self, family: &FamilyName, address: &str) -> Option<Device> {
        self.0.registry.by_address(family, address)
    }

    /// Judges the silence of a family's devices by a rule of their own from now on. For the start.
    pub fn judge_silence(&self, family: FamilyName, rule: &'static Silence) {
        self.0.registry.judge_silence(family, rule);
    }

    /// What a device's silence means: online, late, and the rhythm it is judged by.
    pub fn presence(&self, device: &Device) -> Presence {
        self.0.registry.presence(device, self.now(), self.0.settings.load().online_within)
    }

    /// Whether a device was heard within the time that its rhythm allows, or the online window until one is learned.
    pub fn online(&self, device: &Device) -> bool {
        self.presence(device).online
    }

    fn claim_one(
        &self,
        family: &FamilyName,
        address: &str,
        parent: Option<DeviceId>,
    ) -> Result<Arc<Device>, HubError> {
        let state = match self.0.settings.load().unknown {
            UnknownPolicy::Accept => Some(DeviceState::Active),
            UnknownPolicy::Hold => Some(DeviceState::Held),
            UnknownPolicy::Refuse => None,
        };
        let device = self
            .0
            .registry
            .at_or(family, address, || {
                state.map(|state| newcomer(family, address, state, parent, self.now()))
            })
            .ok_or_else(|| HubError::Refused(format!("device {address} is not known here")))?;
        let_in(device)
    }

    /// The same report, of the devices as they are known by now.
    fn claimed_again(&self, report: &ReportWrite) -> Result<ReportWrite, HubError> {
        let mut report = report.clone();
        let Some(names) = report.names().cloned() else { return Ok(report) };
        let parent = report.devices.iter().find(|device| device.names.id != names.id);
        let parent = parent.map(|parent| parent.names.address.as_str());
        let known = self.claim(Claim { family: &names.family, address: &names.address, parent })?;
        if let Some(reply) = &mut report.reply {
            reply.from = vec![known.names().id.clone()];
        }
        report.is_of(known);
        Ok(report)
    }

    fn report_write(&self, report: Report) -> ReportWrite {
        let Report { device: known, at, raw, verdict, hmac, fingerprint, events, peer } = report;
        let believed = match verdict {
            Verdict::Ok | Verdict::NoCrc | Verdict::Duplicate | Verdict::None => true,
            Verdict::BadCrc | Verdict::Malformed => false,
        };
        let mut readings = Vec::new();
        let mut reply = None;
        for event in events.into_iter().filter(|_| believed) {
            match event {
                Event::Readings(values) if readings.is_empty() => readings = values,
                Event::Readings(values) => readings.extend(values),
                Event::Reply { wire_id, keys, within } => {
                    let within = within.unwrap_or_else(|| self.0.settings.load().reply_window);
                    reply = known.as_ref().map(|known| Reply {
                        from: vec![known.names().id.clone()],
                        wire_id,
                        keys,
                        since: at.minus(within),
                    });
                }
            }
        }
        let mut write = ReportWrite {
            devices: Vec::new(),
            device: None,
            at,
            past: None,
            verdict,
            hmac,
            fingerprint,
            peer,
            raw,
            readings,
            reply,
            via: None,
        };
        if let Some(known) = known {
            write.is_of(known);
        }
        write
    }

    /// Brings the registry up to date and tells the feed. Only after the commit.
    fn told(&self, report: &ReportWrite, reported: Reported) {
        let teller = &self.0.teller;
        for changed in self.0.registry.heard(&report.devices, report.at) {
            teller.tell(FeedEvent::State(changed));
        }
        if teller.watched() {
            teller.tell(FeedEvent::Message(Heard::of(report, &reported)));
            let stored = match reported.verdict {
                Verdict::Ok | Verdict::NoCrc | Verdict::None => true,
                Verdict::BadCrc | Verdict::Malformed | Verdict::Duplicate => false,
            };
            if let Some(device) = report.names().filter(|_| stored) {
                self.tell_readings(device, report, reported.seq);
            }
        }
        teller.stir();
        self.tell_commands(reported.settled.map(|settled| settled.command).into_iter().collect());
    }

    fn tell_readings(&self, device: &DeviceRef, report: &ReportWrite, seq: Seq) {
        for Reading { sensor, value, created, counts } in &report.readings {
            let datum = Datum {
                sensor: sensor.clone(),
                value: value.clone(),
                time_received: report.at,
                time_created: *created,
                seq,
                counts: *counts,
            };
            self.0.teller.tell(FeedEvent::Reading { device: device.clone(), datum });
        }
    }
}

impl ReportWrite {
    /// Says whose message it is. The devices are heard by it.
    fn is_of(&mut self, known: Known) {
        self.via = Some(known.via().names.id.clone());
        self.device = Some(Arc::clone(&known.device));
        self.devices = known.parent.into_iter().chain([known.device]).collect();
    }
}

/// The device, unless it is blocked.
fn let_in(device: Arc<Device>) -> Result<Arc<Device>, HubError> {
    match device.state {
        DeviceState::Blocked => Err(HubError::Refused(format!("device {} is blocked", device.names.address))),
        DeviceState::Active | DeviceState::Held => Ok(device),
    }
}

/// A device as it is made.
pub(super) fn newcomer(
    family: &FamilyName,
    address: &str,
    state: DeviceState,
    parent: Option<DeviceId>,
    at: Timestamp,
) -> Device {
    let names = DeviceRef {
        id: DeviceId::random(),
        family: family.clone(),
        address: address.to_owned(),
        name: address.to_owned(),
    };
    Device { names, state, parent, created: at, last_seen: None }
}

/// An address is 1 to 64 characters, none of them a control character.
pub(super) fn check_address(address: &str) -> Result<(), HubError> {
    if address.is_empty() {
        return Err(HubError::invalid("address", "the device's address is empty"));
    }
    if address.chars().count() > ADDRESS_CHARS_MAX {
        return Err(HubError::invalid(
            "address",
            format!("the device's address is longer than {ADDRESS_CHARS_MAX} characters"),
        ));
    }
    if address.chars().any(char::is_control) {
        return Err(HubError::invalid("address", "the device's address has a control character in it"));
    }
    Ok(())
}

const ADDRESS_CHARS_MAX: usize = 64;
