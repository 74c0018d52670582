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
//! | `reply` | answers, byte for byte |
//! | `push`, `pull`, `time`, `download` | one exchange each |
//! | `dictionary.toml` | what a module's own values mean |
//! | `truths` | what holds whatever comes in, for property tests and fuzzers |
//! | `error` | what a module hears instead, and the status of each cause |

mod crc;
mod download;
mod draft;
mod envelope;
mod error;
mod names;
mod okm;
mod pull;
mod push;
mod reply;
mod scan;
mod telemetry;
mod time;
#[cfg(any(test, fuzzing))]
pub mod truths;

use std::sync::Arc;

pub use names::{BadMessages, CrcCase, CwmNames, CwmSettings};

use super::{CommandText, DraftText, Family, Invalid, Template};
use crate::core::Hub;
use crate::http::{ListenerKind, Rest, RouteError, Routes, handler};
use crate::model::FamilyName;

/// The dialect.
#[derive(Debug)]
pub struct Cwm {
    name: FamilyName,
    settings: Arc<CwmSettings>,
}

impl Cwm {
    /// The dialect with its settings.
    pub fn new(settings: CwmSettings) -> Self {
        Self { name: FamilyName::new(NAME), settings: Arc::new(settings) }
    }
}

impl Family for Cwm {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        let (cwm, door) = (Arc::clone(&self), hub.clone());
        let push = handler(move |exchange| {
            let (cwm, hub) = (Arc::clone(&cwm), door.clone());
            async move { push::push(&cwm, &hub, exchange).await }
        });
        let (cwm, door) = (Arc::clone(&self), hub.clone());
        let pull = handler(move |exchange| {
            let (cwm, hub) = (Arc::clone(&cwm), door.clone());
            async move { pull::pull(&cwm, &hub, exchange).await }
        });
        let door = hub.clone();
        let time = handler(move |exchange| {
            let answer = time::time(&self, door.now(), &exchange);
            async move { answer }
        });
        routes.add(ListenerKind::Https, "/push", push)?;
        routes.add(ListenerKind::Https, "/pull", pull)?;
        routes.add(ListenerKind::Https, "/time", time)?;
        downloads(&hub, routes)
    }

    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid> {
        draft::draft(text, &self.settings)
    }

    fn dictionary(&self) -> Option<&'static str> {
        Some(include_str!("dictionary.toml"))
    }

    fn templates(&self) -> Vec<Template> {
        self.settings.templates.clone()
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

/// The dialect's name.
const NAME: &str = "cwm";
