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

mod crc;
mod draft;
mod names;
mod okm;
mod scan;

use std::sync::Arc;

pub use names::{BadMessages, CrcCase, CwmNames, CwmSettings};

use super::{CommandText, DraftText, Family, Invalid, Template};
use crate::model::FamilyName;

/// The dialect.
#[derive(Debug)]
pub struct Cwm {
    settings: Arc<CwmSettings>,
}

impl Cwm {
    /// The dialect with its settings.
    pub fn new(settings: CwmSettings) -> Self {
        Self { settings: Arc::new(settings) }
    }
}

impl Family for Cwm {
    fn name(&self) -> FamilyName {
        FamilyName::new(NAME)
    }

    fn draft(&self, text: &CommandText) -> Result<DraftText, Invalid> {
        draft::draft(text, &self.settings)
    }

    fn templates(&self) -> Vec<Template> {
        self.settings.templates.clone()
    }
}

/// The dialect's name.
const NAME: &str = "cwm";
