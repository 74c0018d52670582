//! What a watcher wants to hear, and events as text.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;

use crate::core::{CommandFilter, DeviceFilter, FeedEvent, Heard, HubError, Place, Sight, Told};
use crate::model::{
    Alert, AlertNote, CommandState, Device, DeviceId, DeviceRef, Direction, FamilyName, Seq, Timestamp,
    Verdict,
};
use crate::web::App;
use crate::web::api::alerts::AlertShape;
use crate::web::api::data::Names;
use crate::web::error::WebError;
use crate::web::params::Params;
use crate::web::shape::{CommandShape, DeviceShape};

/// What is told, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Reading,
    Message,
    State,
    Command,
    Alert,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Reading, Self::Message, Self::State, Self::Command, Self::Alert];
    const WORDS: &'static str = "reading, message, state, command, alert";

    const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Message => "message",
            Self::State => "state",
            Self::Command => "command",
            Self::Alert => "alert",
        }
    }

    /// Whether it can be told again out of the ledger.
    const fn is_in_ledger(self) -> bool {
        match self {
            Self::Reading | Self::Message => true,
            Self::State | Self::Command | Self::Alert => false,
        }
    }
}

/// What one watcher hears.
pub(super) struct Wanted {
    sight: Sight,
    kinds: HashSet<Kind>,
    /// None named means all.
    devices: HashSet<DeviceId>,
    families: HashSet<FamilyName>,
}

/// A message, without its bytes.
#[derive(Serialize)]
struct HeardShape<'a> {
    seq: Seq,
    at: Timestamp,
    device: Option<&'a DeviceRef>,
    direction: Direction,
    verdict: Verdict,
    size: usize,
}

impl Wanted {
    /// What a query asks for, of what the caller sees.
    pub(super) fn of(app: &App, sight: &Sight, params: &Params) -> Result<Self, WebError> {
        let mut devices = HashSet::new();
        for text in params.texts("device") {
            devices.insert(app.hub.find_seen(sight, text)?.names.id);
        }
        let known = app.family_names();
        let families = params.texts("family").map(|text| {
            let family = FamilyName::new(text);
            known.contains(&family).then_some(family).ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(FamilyName::as_str).collect();
                WebError::field("family", format!("family is one of {}", names.join(", ")))
            })
        });
        let families = families.collect::<Result<_, _>>()?;
        let kinds = params.texts("event").flat_map(|text| text.split(',')).map(|word| {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word.trim());
            kind.ok_or_else(|| WebError::field("event", format!("event is one or more of {}", Kind::WORDS)))
        });
        let mut kinds = kinds.collect::<Result<HashSet<_>, _>>()?;
        if kinds.is_empty() {
            kinds.extend(Kind::ALL);
        }
        Ok(Self { sight: sight.clone(), kinds, devices, families })
    }

    /// The text of some events; empty when none of them is wanted.
    pub(super) async fn tell(&self, app: &App, told: Vec<Told>) -> Result<String, HubError> {
        let mut names = Names::default();
        let mut out = String::new();
        for told in told {
            match told {
                Told::Event(place, event) => self.event(app, &mut names, place, &event, &mut out),
                Told::Skipped { place, after, upto } => self.skipped(place, after, upto, &mut out),
                Told::Changed(place) => self.changed(app, place, &mut out).await?,
            }
        }
        Ok(out)
    }

    fn event(&self, app: &App, names: &mut Names, place: Place, event: &Arc<FeedEvent>, out: &mut String) {
        match &**event {
            FeedEvent::Reading { device, datum } => {
                if self.wants(Kind::Reading, Some(device)) {
                    let shape = names.shape(app, &device.id, datum.clone());
                    put(out, place, Kind::Reading.as_str(), &shape);
                }
            }
            FeedEvent::Message(heard) => {
                if self.wants(Kind::Message, heard.device.as_ref()) {
                    let Heard { seq, at, device, direction, verdict, size } = heard;
                    let shape = HeardShape {
                        seq: *seq,
                        at: *at,
                        device: device.as_ref(),
                        direction: *direction,
                        verdict: *verdict,
                        size: *size,
                    };
                    put(out, place, Kind::Message.as_str(), &shape);
                }
            }
            FeedEvent::State(device) => self.state(app, place, device.clone(), out),
            FeedEvent::Command(command) => {
                if self.wants(Kind::Command, Some(&command.device)) {
                    put(out, place, Kind::Command.as_str(), &CommandShape::new(app, command.clone()));
                }
            }
            FeedEvent::Alert(alert, note) => {
                if self.wants(Kind::Alert, Some(&alert.device)) {
                    let shape = AlertShape::new(Alert::clone(alert), AlertNote::clone(note));
                    put(out, place, Kind::Alert.as_str(), &shape);
                }
            }
        }
    }

    fn state(&self, app: &App, place: Place, device: Device, out: &mut String) {
        if self.wants(Kind::State, Some(&device.names)) {
            put(out, place, Kind::State.as_str(), &DeviceShape::new(&app.hub, &self.sight, device));
        }
    }

    fn wants(&self, kind: Kind, device: Option<&DeviceRef>) -> bool {
        self.kinds.contains(&kind)
            && (self.devices.is_empty() || device.is_some_and(|device| self.devices.contains(&device.id)))
            && (self.families.is_empty() || device.is_some_and(|one| self.families.contains(&one.family)))
            && self.sight.sees_of(device.map(|device| &device.id))
    }

    /// Says that messages and values are left out.
    fn skipped(&self, place: Place, after: Option<Seq>, upto: Seq, out: &mut String) {
        let events = self.names(true);
        if !events.is_empty() {
            put(out, place, RESYNC, &json!({"events": events, "after": after, "upto": upto}));
        }
    }

    /// Says that changes are left out, and how things are now, if they are not too many.
    async fn changed(&self, app: &App, place: Place, out: &mut String) -> Result<(), HubError> {
        let events = self.names(false);
        if events.is_empty() {
            return Ok(());
        }
        let devices = app.hub.devices(DeviceFilter { limit: CURRENT_MAX + 1, ..DeviceFilter::default() });
        let devices = devices.await?;
        let current = devices.len() <= usize::try_from(CURRENT_MAX).unwrap_or(usize::MAX);
        put(out, place, RESYNC, &json!({"events": events, "current": current}));
        if !current {
            return Ok(());
        }
        for device in devices {
            self.state(app, place, device, out);
        }
        for state in [CommandState::Accepted, CommandState::Sent, CommandState::Queued] {
            let filter = CommandFilter { state: Some(state), limit: CURRENT_MAX, ..CommandFilter::default() };
            for command in app.hub.commands(filter).await?.into_iter().rev() {
                if self.wants(Kind::Command, Some(&command.device)) {
                    put(out, place, Kind::Command.as_str(), &CommandShape::new(app, command));
                }
            }
        }
        Ok(())
    }

    fn names(&self, in_ledger: bool) -> Vec<&'static str> {
        let wanted = |kind: &Kind| kind.is_in_ledger() == in_ledger && self.kinds.contains(kind);
        Kind::ALL.into_iter().filter(wanted).map(Kind::as_str).collect()
    }
}

/// One event. JSON has no line ends in it.
fn put(out: &mut String, place: Place, name: &str, data: &impl Serialize) {
    match serde_json::to_string(data) {
        // Writing to a text cannot fail.
        Ok(data) => drop(write!(out, "id: {place}\nevent: {name}\ndata: {data}\n\n")),
        Err(error) => tracing::error!(%error, name, "an event has no text form"),
    }
}

/// Tells that something is not told.
const RESYNC: &str = "resync";
/// Devices and commands that are told as they are now.
const CURRENT_MAX: u32 = 1000;
