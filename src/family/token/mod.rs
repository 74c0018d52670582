//! Any device with a token (`accounts-dashboard.md §3, §4`): one value or many by HTTP, plain or TLS.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | settings |
//! | `upload` | `/data` and `/devices/{id}/data`: one exchange |
//! | `carrier` | where in a request the token stands; pure |
//! | `body` | bytes → records as trees: JSON, forms, lines, a number; pure |
//! | `record` | a record → readings: names, levels, limits; pure |
//! | `time` | a device's own time, in every form; pure |
//! | `gauge` | a dial: settings, and the value at an angle; pure |
//! | `face` | how a dial looks: digits, coloured bands; pure |
//! | `pace` | how many records a device may send; pure |
//! | `config` | what a person said of a device: its type and what belongs to that |
//! | `devices` | what is in memory of each device, and what it lost |
//! | `enroll` | a device made by a person, with its token |
//! | `refuse` | what a sender hears whose upload is not taken |
//! | `simulator` | a pretend device |
//! | `sine` | a pretend device to look at |
//! | `truths` | what holds whatever comes in, for property tests and the fuzzer |

mod body;
mod carrier;
mod config;
mod devices;
mod enroll;
mod face;
mod gauge;
mod names;
mod pace;
mod record;
mod refuse;
mod simulator;
mod sine;
mod time;
#[cfg(any(test, fuzzing))]
pub mod truths;
mod upload;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Uri};
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use face::{BANDS_MAX, Band, BandState, DECIMALS_MAX, Face, rounded};
pub use gauge::Gauge;
pub use names::TokenSettings;

use self::config::Config;
use self::devices::Devices;
use super::simulator::{Role, Simulator};
use super::{Chore, CommandText, DraftText, Enrolled, Enrolment, Facts, Family, Invalid};
use crate::core::{Hub, HubError};
use crate::http::{BoxFuture, ListenerKind, Owner, RouteError, Routes, handler};
use crate::model::{Device, FamilyName};

/// The dialect.
pub struct TokenDevices {
    name: FamilyName,
    settings: TokenSettings,
    zone: TimeZone,
    devices: Devices,
    /// Devices are made one at a time, so that no two have one name.
    enrolling: tokio::sync::Mutex<()>,
    /// Configurations change one at a time.
    configuring: tokio::sync::Mutex<()>,
}

impl TokenDevices {
    /// The dialect with its settings.
    pub fn new(settings: TokenSettings) -> Self {
        Self {
            name: FamilyName::new(NAME),
            zone: settings.zone(),
            settings,
            devices: Devices::default(),
            enrolling: tokio::sync::Mutex::default(),
            configuring: tokio::sync::Mutex::default(),
        }
    }

    async fn configure(&self, hub: &Hub, device: &Device, name: &str, wish: &Json) -> Result<bool, HubError> {
        let _turn = self.configuring.lock().await;
        let id = &device.names.id;
        let mut config = hub.kept::<Config>(id.as_str()).await?.unwrap_or_else(|| Config::none(id.clone()));
        if !config.set(name, wish)? {
            return Ok(false);
        }
        config.check()?;
        hub.keep(&config).await?;
        self.devices.configured(id, config, hub.now());
        Ok(true)
    }

    async fn tidy(self: Arc<Self>, hub: Hub, stop: CancellationToken) {
        let mut ticks = interval(TIDY_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.devices.sweep(&hub);
        }
    }
}

impl Family for TokenDevices {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        for listener in [ListenerKind::Http, ListenerKind::Https] {
            for path in [ANY_PATH, ONE_PATH] {
                let (token, hub) = (Arc::clone(&self), hub.clone());
                let take = handler(move |exchange| upload::upload(Arc::clone(&token), hub.clone(), exchange));
                let owner = Owner::new(take).capped(BODY_MAX);
                // Where people are served too, what they read stands at the same paths.
                let owner = if listener == ListenerKind::Https { owner.minding(is_upload) } else { owner };
                routes.add_owner(listener, path, owner)?;
            }
        }
        Ok(())
    }

    fn draft(&self, _: &CommandText) -> Result<DraftText, Invalid> {
        Err(Invalid::new("device", "devices with a token only send: they take no commands"))
    }

    fn has_tokens(&self) -> bool {
        true
    }

    fn enroll<'a>(
        &'a self,
        hub: &'a Hub,
        wanted: &'a Enrolment,
    ) -> Option<BoxFuture<'a, Result<Enrolled, HubError>>> {
        Some(Box::pin(enroll::enroll(self, hub, wanted)))
    }

    fn facts<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Facts, HubError>> {
        Box::pin(async move {
            let id = &device.names.id;
            let config = hub.kept::<Config>(id.as_str()).await?.unwrap_or_else(|| Config::none(id.clone()));
            let mut facts = self.devices.facts(id);
            facts.insert("type".to_owned(), json!(config.kind));
            facts.insert("config".to_owned(), json!(config.members));
            Ok(facts)
        })
    }

    fn wish<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        name: &'a str,
        wish: &'a Json,
    ) -> BoxFuture<'a, Result<bool, HubError>> {
        Box::pin(self.configure(hub, device, name, wish))
    }

    fn chores(self: Arc<Self>, hub: &Hub, stop: &CancellationToken) -> Vec<Chore> {
        vec![Box::pin(self.tidy(hub.clone(), stop.clone()))]
    }

    fn simulator(&self, role: Role) -> Option<Box<dyn Simulator>> {
        Some(Box::new(simulator::Thing::new(role)))
    }

    fn demonstration(&self) -> Option<Box<dyn Simulator>> {
        Some(Box::new(sine::Sine::default()))
    }
}

/// Whether a request is an upload, where people read at the same paths: whatever is no GET, and a GET that brings its
/// token in the query.
fn is_upload(method: &Method, uri: &Uri) -> bool {
    !matches!(*method, Method::GET | Method::HEAD) || uri.query().is_some_and(carrier::is_in)
}

impl fmt::Debug for TokenDevices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenDevices").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "token";
/// `interface.md §3`.
const ANY_PATH: &str = "/api/v1/data";
const ONE_PATH: &str = "/api/v1/devices/{id}/data";
/// §4.
const BODY_MAX: usize = 64 * 1024;
const TIDY_EVERY: Duration = Duration::from_mins(10);
