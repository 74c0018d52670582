//! Settings: what is asked of a module before it is believed, and what is handed out to it.

use serde::{Deserialize, Serialize};

use crate::model::HmacCheck;

/// What to make of `sha256hmac` (`cwm-oke.md §2.2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HmacPolicy {
    /// It is not looked at.
    Ignore,
    /// It is checked where there is one and a key is known; the result is kept beside the message, and nothing is
    /// refused.
    #[default]
    Verify,
    /// Whoever does not prove itself is refused.
    Require,
}

impl HmacPolicy {
    /// Whether a request with this result is let in.
    pub(super) const fn admits(self, found: HmacCheck) -> bool {
        match (self, found) {
            (Self::Ignore | Self::Verify, _) | (Self::Require, HmacCheck::Ok) => true,
            (Self::Require, HmacCheck::Bad | HmacCheck::Absent | HmacCheck::NoKey) => false,
        }
    }
}

/// In whose name a module may speak that shows a sound client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SpeaksFor {
    /// In any: the certificate says only that it may come in.
    #[default]
    Any,
    /// In its own, which is the common name of its certificate.
    Itself,
}

/// What a device hears that asks for its certificate once more. Whoever reaches `/provision` can name any device:
/// the stricter words keep a stranger from being given another's key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Repeat {
    /// The same as before, until it is revoked.
    #[default]
    Same,
    /// The same, if it shows the certificate it was given, or an HMAC that holds.
    Proven,
    /// Nothing, until it is revoked. Its private key is then not kept.
    Refuse,
}

/// A call that can be captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capture {
    /// `/provision` and below.
    Provision,
    /// `/push`
    Push,
    /// `/pull`
    Pull,
    /// `/time`
    Time,
    /// A push or pull that could not be read, and is therefore nowhere else.
    Unreadable,
}
