//! The Murata SCA11H bed sensor in cloud mode (`sca11h.md`): plain HTTP, XML in, parameters out.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | settings: what the page leaves unknown, with its defaults |
//! | `sample` | one second of a bed, as every other file understands it |

mod names;
mod sample;

use std::fmt;
use std::sync::Arc;

use hyper::StatusCode;

pub use names::Sca11hSettings;

use super::{CommandText, DraftText, Family, Invalid};
use crate::core::Hub;
use crate::http::{ListenerKind, Reply, RouteError, Routes, handler};
use crate::model::FamilyName;

/// The dialect.
pub struct Sca11h {
    name: FamilyName,
    settings: Arc<Sca11hSettings>,
}

impl Sca11h {
    /// The dialect with its settings.
    pub fn new(settings: Sca11hSettings) -> Self {
        Self { name: FamilyName::new(NAME), settings: Arc::new(settings) }
    }
}

impl Family for Sca11h {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, _hub: Hub, routes: &mut Routes) -> Result<(), RouteError> {
        let alive = handler(|_| async { Reply::bytes(StatusCode::OK, ALIVE_TYPE, ALIVE) });
        routes.add_read(ListenerKind::Http, "/", alive)
    }

    fn draft(&self, _text: &CommandText) -> Result<DraftText, Invalid> {
        Err(Invalid::new("cmd", "an SCA11H takes no commands"))
    }
}

impl fmt::Debug for Sca11h {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sca11h").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "sca11h";
/// What set-up guides tell people to look for (§3.1).
const ALIVE: &[u8] = b"Flask server is running!";
const ALIVE_TYPE: &str = "text/html; charset=utf-8";
