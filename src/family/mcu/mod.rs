//! Microcontrollers over WebSocket (`websocket-mcu.md`): CSV samples in, `n,value` commands out.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `names` | settings: what the page leaves unknown, with its defaults |

mod names;

use std::fmt;
use std::sync::Arc;

pub use names::McuSettings;

use super::{CommandText, DraftText, Family, Invalid};
use crate::core::Hub;
use crate::http::{RouteError, Routes};
use crate::model::FamilyName;

/// The dialect.
pub struct Mcu {
    name: FamilyName,
    settings: Arc<McuSettings>,
}

impl Mcu {
    /// The dialect with its settings.
    pub fn new(settings: McuSettings) -> Self {
        Self { name: FamilyName::new(NAME), settings: Arc::new(settings) }
    }
}

impl Family for Mcu {
    fn name(&self) -> FamilyName {
        self.name.clone()
    }

    fn routes(self: Arc<Self>, _hub: Hub, _routes: &mut Routes) -> Result<(), RouteError> {
        Ok(())
    }

    fn draft(&self, _text: &CommandText) -> Result<DraftText, Invalid> {
        Err(Invalid::new("cmd", "boards take no commands yet"))
    }
}

impl fmt::Debug for Mcu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mcu").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The dialect's name.
const NAME: &str = "mcu";
