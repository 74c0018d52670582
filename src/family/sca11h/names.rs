//! Settings: what `sca11h.md` marks unknown or leaves to the owner (§13).

use serde::{Deserialize, Serialize};

/// What an owner may set right without a new build.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sca11hSettings {}
