//! The ConnectWare Module (CWM) and the OpenKitchen Equipment (OKE) behind it (`cwm-oke.md`).
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | every wire name and habit that the vendor's readable pages do not settle, with its default |
//! | `crc` | the message's checksum |
//! | `scan` | a strict JSON scanner that keeps positions in the exact text |
//! | `okm` | exact text → typed message and verdict |
//! | `envelope` | a request's arguments → exact texts, tolerantly |
//! | `draft` | an operator's words → exact bytes |
//! | `telemetry` | payload → readings |
//! | `parcel`, `directory` | pieces of files as messages; what equipment says it has |
//! | `courier`, `pace` | carries files to equipment, piece by piece, no faster than is allowed |
//! | `reply` | answers, byte for byte |
//! | `truths` | what holds whatever comes in, for property tests and fuzzers |
//! | `dictionary.toml` | what a module's own values mean |
//! | `hmac` | the proof that a request carries |
//! | `proof` | checks it with the key of the module |
//! | `policy` | what is asked of a module before it is believed |
//! | `applicant` | who asks for a certificate, and with what |
//! | `answer` | answers that an owner may write |
//! | `push`, `pull`, `time`, `provision`, `download` | one exchange each |
//! | `simulator` | a pretend module, for `homeport simulate` |
//! | `care` | what the server looks after by itself: `wanted` ports, `counters` that restart |
//! | `error` | what a module hears instead, and the status of each cause |

mod answer;
mod applicant;
mod care;
mod counters;
mod courier;
mod crc;
mod directory;
mod download;
mod draft;
mod envelope;
mod error;
mod hmac;
mod names;
mod okm;
mod pace;
mod parcel;
mod policy;
mod proof;
mod provision;
mod pull;
mod push;
mod reply;
mod scan;
mod simulator;
mod telemetry;
mod time;
#[cfg(any(test, fuzzing))]
pub mod truths;
mod wanted;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use tokio::sync::MutexGuard;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use names::{BadMessages, CrcCase, CwmNames, CwmSettings};
pub use parcel::FileSettings;
pub use policy::{Capture, HmacPolicy, Repeat, SpeaksFor};

use self::care::Care;
use self::courier::Courier;
use super::capture::captured;
use super::simulator::{Role, Simulator};
use super::turns::Turns;
use super::{Chore, CommandText, Delivery, DraftText, Facts, Family, Invalid, Issuer, NoIssuer, Template};
use crate::core::{Hub, HubError};
use crate::http::{BoxFuture, Exchange, Handler, ListenerKind, Reply, Rest, RouteError, Routes, handler};
use crate::model::{Device, FamilyName};

/// The dialect.
pub struct Cwm {
    name: FamilyName,
    settings: Arc<CwmSettings>,
    issuer: Arc<dyn Issuer>,
    /// Devices that are being given certificates wait for each other, where their addresses share a turn.
    turns: Turns,
    courier: Courier,
    care: Care,
}

impl Cwm {
    /// The dialect with its settings. It has no certificates to hand out until [`Cwm::with_issuer`].
    pub fn new(settings: CwmSettings) -> Self {
        Self {
            name: FamilyName::new(NAME),
            courier: Courier::new(settings.files.bytes_per_second_max),
            care: Care::default(),
            settings: Arc::new(settings),
            issuer: Arc::new(NoIssuer),
            turns: Turns::default(),
        }
    }

    /// Gives it the authority that makes certificates for modules.
    #[must_use]
    pub fn with_issuer(self, issuer: Arc<dyn Issuer>) -> Self {
        Self { issuer, ..self }
    }

    /// The turn of a device; `None` when that would take too long.
    async fn turn(&self, address: &str) -> Option<MutexGuard<'_, ()>> {
        timeout(TURN_WITHIN, self.turns.of(address)).await.ok()
    }

    /// Writes a call to the capture log, if the owner wants such calls there.
    async fn capture(
        &self,
        call: Capture,
        hub: &Hub,
        exchange: &Exchange,
        device: Option<String>,
        status: StatusCode,
    ) {
        let wanted = &self.settings.capture;
        let unread = status == StatusCode::BAD_REQUEST && wanted.contains(&Capture::Unreadable);
        if unread || wanted.contains(&call) {
            let capture = captured(exchange, hub.now(), device, status.as_u16());
            Box::pin(hub.capture(&capture)).await;
        }
    }

    /// A path's handler.
    fn answers<R>(self: &Arc<Self>, hub: &Hub, answer: fn(Arc<Self>, Hub, Exchange) -> R) -> Handler
    where
        R: Future<Output = Reply> + Send + 'static,
    {
        let (cwm, hub) = (Arc::clone(self), hub.clone());
        handler(move |exchange| answer(Arc::clone(&cwm), hub.clone(), exchange))
    }
}

impl CwmSettings {
    /// Says what a device would stumble over, before one does.
    ///
    /// # Errors
    /// The key at fault, what is wrong with it and what would be right.
    pub fn check(&self) -> Result<(), String> {
        answer_of("time_answer", &self.time_answer, self.time_answer_file.as_deref(), &time::PLACES)?;
        let (set, file) = (&self.provision_answer, self.provision_answer_file.as_deref());
        answer_of("provision_answer", set, file, &provision::PLACES)?;
        let hosts = [("provision_host", &self.provision_host), ("push_host", &self.push_host)];
        for (key, host) in hosts.into_iter().chain([("pull_host", &self.pull_host)]) {
            let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | '_');
            if host.len() > 64 || !host.chars().all(letter) {
                return Err(format!(
                    "`{key}`: a module takes a bare DNS name or IPv4 address of at most 64 characters"
                ));
            }
        }
        Ok(())
    }
}

fn answer_of(key: &str, set: &str, file: Option<&Path>, places: &[&str]) -> Result<(), String> {
    let Some(file) = file else {
        return answer::check(set, places).map_err(|cause| format!("`{key}`: {cause}"));
    };
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let sound = text.and_then(|text| answer::check(&text, places));
    sound.map_err(|cause| format!("`{key}_file`, {}: {cause}", file.display()))
}

impl Family for Cwm {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        routes.add(ListenerKind::Https, "/push", self.answers(&hub, push::push))?;
        routes.add(ListenerKind::Https, "/pull", self.answers(&hub, pull::pull))?;
        routes.add(ListenerKind::Https, "/time", self.answers(&hub, time::time))?;
        routes.add(ListenerKind::Https, "/provision", self.answers(&hub, provision::provision))?;
        routes.add(ListenerKind::Https, "/provision/{*below}", self.answers(&hub, provision::provision))?;
        downloads(&hub, routes)
    }

    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        vec![
            Box::pin(Courier::work(Arc::clone(&self), hub.clone(), stop.clone())),
            Box::pin(Care::work(self, hub.clone(), stop.clone())),
        ]
    }

    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid> {
        draft::draft(text, &self.settings)
    }

    fn pieces(&self, delivery: &Delivery) -> Result<u32, Invalid> {
        parcel::check(delivery, &self.settings)?;
        Ok(self.settings.files.fragment_bytes.get())
    }

    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        Box::pin(self.care.facts(hub, device))
    }

    fn wish<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        name: &'a str,
        wish: &'a serde_json::Value,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        Box::pin(self.care.wish(hub, device, name, wish))
    }

    fn dictionary(&self) -> Option<&'static str> {
        Some(include_str!("dictionary.toml"))
    }

    fn dictionaries(&self) -> Vec<String> {
        vec![include_str!("simulator/oven.toml").to_owned()]
    }

    fn templates(&self) -> Vec<Template> {
        self.settings.templates.clone()
    }

    fn simulator(&self, role: Role) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Module::new(Arc::clone(&self.settings), role)))
    }

    fn demonstration(&self) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Module::with_oven(Arc::clone(&self.settings))))
    }
}

/// The paths of published files.
fn downloads(hub: &Hub, routes: &mut Routes) -> Result<(), RouteError> {
    for path in ["/file/{name}", "/files/{name}"] {
        let hub = hub.clone();
        let download = handler(move |exchange| {
            let hub = hub.clone();
            async move { download::download(&hub, exchange).await }
        });
        routes.add_read(ListenerKind::Https, path, download)?;
    }
    let hub = hub.clone();
    let at_root: Rest = Arc::new(move |exchange| {
        let hub = hub.clone();
        Box::pin(async move { download::at_root(&hub, exchange).await })
    });
    routes.add_rest(ListenerKind::Https, at_root)
}

impl fmt::Debug for Cwm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cwm").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "cwm";
/// A module waits at least 20 s for its answer (`cwm-oke.md §2`), and making a key takes its time too.
const TURN_WITHIN: Duration = Duration::from_secs(6);
