//! Device dialects: a folder each, and the list of them. What every dialect offers is [`Family`].

mod calibrate;
mod capture;
mod chance;
pub mod cwm;
mod days;
mod download;
mod issuer;
pub mod mcu;
pub mod sca11h;
pub mod schedules;
pub mod simulator;
mod swarm;
mod talker;
pub mod templates;
pub mod token;
pub mod tswarm;
mod turns;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use calibrate::{CalibrateFrom, Calibration, Period};
pub use days::{BadLine, Day, DayFile, Days, Imported, OldFile};
pub use issuer::{IssueError, Issued, Issuer, KeyKind, NoIssuer, Wish, WishedKey};
pub use swarm::{Added, Decision, HoldNote, NewNode, NodeNote, Swarm};
pub use token::{BANDS_MAX, Band, BandState, DECIMALS_MAX, Face, Gauge, rounded};
use tokio_util::sync::CancellationToken;

use crate::core::{Hub, HubError, Order, Silence};
use crate::http::{BoxFuture, RouteError, Routes};
use crate::model::{CommandRecord, Device, DeviceRef, Encoder, FamilyName, Priority, Timestamp, User};

/// One dialect. Object-safe: the server keeps a list.
pub trait Family: Send + Sync + 'static {
    /// Its name, as in the API's `family`.
    fn name(&self) -> FamilyName;

    /// Adds its paths to the device table.
    ///
    /// # Errors
    /// When a path is another's already.
    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError>;

    /// How the dialect writes a device's address that a person typed.
    fn address(&self, typed: &str) -> String {
        typed.to_owned()
    }

    /// Turns an operator's words into what the device would get. Pure: reads no clock and no store.
    ///
    /// # Errors
    /// [`Invalid`] names the field at fault and the way to put it right.
    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid>;

    /// Where a command stands in the dialect's own words, when those are more than its state says.
    fn delivery(&self, command: &CommandRecord) -> Option<&'static str> {
        let _ = command;
        None
    }

    /// Checks that a file can be sent to a device piece by piece. Gives the length of a piece in bytes.
    ///
    /// # Errors
    /// [`Invalid`] names the field at fault; also when the dialect's devices take no files.
    fn pieces(&self, delivery: &Delivery) -> Result<u32, Invalid> {
        let _ = delivery;
        Err(Invalid::new("device", format!("devices of the family {} take no files", self.name())))
    }

    /// Commands an operator may start from.
    fn templates(&self) -> Vec<Template> {
        Vec::new()
    }

    /// What people may set at one device, or at any of the dialect's, each with the control that it needs. Empty in a
    /// dialect whose commands have no fixed form.
    fn controls(&self, device: Option<&Device>) -> Vec<Control> {
        let _ = device;
        Vec::new()
    }

    /// What the dialect knows of a device beside its values: members for people to read.
    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        let _ = (hub, device);
        Box::pin(async { Ok(Facts::new()) })
    }

    /// Takes a wish about one device that the dialect then carries out of its own accord; `null` takes it back.
    /// Gives `false` when it knows no wish of that name.
    fn wish<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        name: &'a str,
        wish: &'a serde_json::Value,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        let _ = (hub, device, name, wish);
        Box::pin(async { Ok(false) })
    }

    /// Whether its devices prove themselves with tokens of ours ([`Hub::issue_device_token`]), so that `rotate` and
    /// `revoke` mean those.
    fn has_tokens(&self) -> bool {
        false
    }

    /// Makes a device for a person, with the token that it is to show; `None` in a dialect whose devices come by
    /// themselves.
    fn enroll<'a>(
        &'a self,
        hub: &'a Hub,
        wanted: &'a Enrolment,
    ) -> Option<BoxFuture<'a, Result<Enrolled, HubError>>> {
        let _ = (hub, wanted);
        None
    }

    /// Works out what a device should be set to from what it measured. Changes nothing.
    ///
    /// # Errors
    /// `Invalid` names the part of `from` at fault; also when the dialect's devices are not calibrated.
    fn calibrate<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        from: &'a CalibrateFrom,
    ) -> BoxFuture<'a, Result<Calibration, HubError>> {
        let _ = (hub, device, from);
        let message = format!("devices of the family {} are not calibrated", self.name());
        Box::pin(async { Err(HubError::Invalid { field: "device", message }) })
    }

    /// What its devices' own values mean: the text of a data dictionary, used after those of the owner.
    fn dictionary(&self) -> Option<&'static str> {
        None
    }

    /// What the settings say of the meaning of values: texts of data dictionaries, beside [`Family::dictionary`].
    fn dictionaries(&self) -> Vec<String> {
        Vec::new()
    }

    /// What a device's values mean may depend on what it is: the profile that it has, by the settings or by a person's
    /// choice. Dictionaries may be for one profile alone.
    fn profile(&self, device: &DeviceRef) -> Option<String> {
        let _ = device;
        None
    }

    /// Whether a command would reach a device at once, on a connection that is open; `None` in a dialect whose devices
    /// come and fetch.
    fn reachable(&self, device: &Device) -> Option<bool> {
        let _ = device;
        None
    }

    /// Whether a person may pause the keeping of what its devices say: only where they are told of nothing that it was
    /// stored.
    fn may_pause(&self) -> bool {
        false
    }

    /// What the dialect does with files of a day; `None` when its first server wrote none.
    fn days(&self) -> Option<&dyn Days> {
        None
    }

    /// What people do with a swarm of small nodes; `None` in a dialect whose devices are no such nodes.
    fn swarm(&self) -> Option<&dyn Swarm> {
        None
    }

    /// A pretend device to rehearse with; `None` when the dialect has none.
    fn simulator(&self, _role: simulator::Role) -> Option<Box<dyn simulator::Simulator>> {
        None
    }

    /// A pretend device for people to look at: the same one each time, and each tick lets it say something. `None` when the
    /// dialect has none.
    fn demonstration(&self) -> Option<Box<dyn simulator::Simulator>> {
        None
    }

    /// What the silence of its devices means.
    fn silence(&self) -> &'static Silence {
        &Silence::USUAL
    }

    /// What the dialect does of its own accord while the server runs. Each chore ends soon after `stop`; the
    /// store is still open then.
    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        let _ = (hub, stop);
        Vec::new()
    }
}

/// A device that a person wants made.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// What people are to call it, as typed.
    pub name: String,
    /// Its own identity on the wire; one is made if the person has none in mind.
    pub address: Option<String>,
    /// Whose it is to be; `None` is the house.
    pub owner: Option<User>,
    /// `user:<name>`.
    pub by: String,
    /// What else was said of it, as for [`Family::wish`].
    pub wishes: Facts,
}

/// A device that was made.
#[derive(Debug)]
pub struct Enrolled {
    /// The device.
    pub device: Device,
    /// Its token, told once.
    pub token: secrecy::SecretString,
}

/// Members that a dialect adds to what people see of a device.
pub type Facts = serde_json::Map<String, serde_json::Value>;

/// A task that lasts as long as the server.
pub type Chore = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An operator's words.
#[derive(Clone, Debug)]
pub struct CommandText {
    /// The device's address; not needed when `dst` names it.
    pub address: Option<String>,
    /// The address of the device it speaks through, if it has one.
    pub parent: Option<String>,
    /// The verb.
    pub cmd: String,
    /// The payload as typed: JSON text.
    pub payload: String,
    /// Where to, in the dialect's own way, before `address` and `parent`. A single element may hold the whole
    /// list as a person typed it: a JSON array, names with commas between, or one bare name.
    pub dst: Option<Vec<String>>,
    /// The time to put into the message.
    pub at: Timestamp,
}

/// A file that is to be sent to a device.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The device's address.
    pub address: String,
    /// The address of the device it speaks through, if it has one.
    pub parent: Option<String>,
    /// The name the device is to know the file by.
    pub name: String,
    /// The file's length in bytes.
    pub size: u64,
}

/// A command that can be queued: everything but its number.
#[derive(Clone)]
pub struct DraftText {
    /// The dialect.
    pub family: FamilyName,
    /// The device it is for.
    pub address: String,
    /// The device that will fetch it; the same one unless another stands in front.
    pub via: String,
    /// The verb.
    pub cmd: String,
    /// The payload as it will be sent.
    pub payload: String,
    /// Makes the exact bytes once the number is known.
    pub encode: Encoder,
    /// What the operator should know before sending, if anything.
    pub warning: Option<String>,
    /// How long it waits to be taken, unless its maker says otherwise; `None` is as long as the settings say.
    pub life: Option<Duration>,
}

impl DraftText {
    /// The order that queues it: new, of normal priority, and waiting as long as is usual.
    pub fn into_order(self, by: impl Into<String>) -> Order {
        Order {
            id: None,
            family: self.family,
            address: self.address,
            via: Some(self.via),
            cmd: self.cmd,
            payload: self.payload,
            encode: self.encode,
            priority: Priority::default(),
            expires_in: self.life,
            by: by.into(),
        }
    }
}

impl std::fmt::Debug for DraftText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DraftText")
            .field("address", &self.address)
            .field("via", &self.via)
            .finish_non_exhaustive()
    }
}

/// Words that make no command.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Invalid {
    /// `dst`, `cmd` or `payload`.
    pub field: &'static str,
    /// The cause and the fix.
    pub message: String,
}

impl Invalid {
    /// Names a field and what is wrong with it.
    pub fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into() }
    }
}

/// A command with one value of a known kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The verb.
    pub name: String,
    /// What it is given.
    pub kind: ControlKind,
    /// Whether a person is asked again before it goes out.
    pub confirm: bool,
    /// The devices' profiles that have it.
    pub profiles: Vec<String>,
}

/// What a control gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ControlKind {
    /// On, sent as `1`, or off, sent as `0`.
    Switch,
    /// A number within bounds.
    Number {
        /// The least.
        min: Option<f64>,
        /// The most.
        max: Option<f64>,
    },
}

/// A command an operator may start from.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What people call it.
    pub name: String,
    /// The verb.
    pub cmd: String,
    /// The payload, JSON text.
    pub payload: String,
}

/// The settings of every dialect.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FamilySettings {
    /// Of the ConnectWare Module and the equipment behind it.
    pub cwm: cwm::CwmSettings,
    /// Of the SCA11H bed sensor.
    pub sca11h: sca11h::Sca11hSettings,
    /// Of microcontrollers over WebSocket.
    pub mcu: mcu::McuSettings,
    /// Of Tswarm nodes.
    pub tswarm: tswarm::TswarmSettings,
    /// Of devices that have a token.
    pub token: token::TokenSettings,
}

impl FamilySettings {
    /// Says what a device would stumble over, before one does.
    ///
    /// # Errors
    /// The section at fault, and in it the key, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.cwm.check().map_err(|message| ("cwm", message))?;
        self.sca11h.check().map_err(|message| ("sca11h", message))?;
        self.mcu.check().map_err(|message| ("mcu", message))?;
        self.tswarm.check().map_err(|message| ("tswarm", message))?;
        self.token.check().map_err(|message| ("token", message))
    }
}

/// Every dialect this server speaks. A new one is a folder and a line here.
pub fn all(settings: &FamilySettings, issuer: &Arc<dyn Issuer>) -> Vec<Arc<dyn Family>> {
    vec![
        Arc::new(cwm::Cwm::new(settings.cwm.clone()).with_issuer(Arc::clone(issuer))),
        Arc::new(sca11h::Sca11h::new(settings.sca11h.clone())),
        Arc::new(mcu::Mcu::new(settings.mcu.clone())),
        Arc::new(tswarm::Tswarm::new(settings.tswarm.clone())),
        Arc::new(token::TokenDevices::new(settings.token.clone())),
    ]
}
