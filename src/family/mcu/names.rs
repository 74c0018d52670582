//! Settings: what `websocket-mcu.md` marks unknown or leaves to the owner.

use serde::{Deserialize, Serialize};

/// What an owner may set right without a new build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McuSettings {}
