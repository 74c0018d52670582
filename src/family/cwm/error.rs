//! Why a module does not hear "taken", and the status each cause gets (`cwm-oke.md §2`).

use bytes::Bytes;
use hyper::StatusCode;

use crate::core::HubError;
use crate::family::IssueError;
use crate::http::{Reject, Reply};
use crate::model::HmacCheck;

/// What went wrong with an exchange, by whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CwmError {
    /// The request has nothing in it that could be read.
    #[error("{0}")]
    Unreadable(String),
    /// The device is not let in.
    #[error("{0}")]
    Refused(String),
    /// The policy wants a proof of who asks, and there is none that holds.
    #[error("no valid sha256hmac ({}): the settings require one (`cwm.hmac`)", .0.as_str())]
    Unproven(HmacCheck),
    /// There is no certificate to hand out now; the module backs off and comes back.
    #[error("{0}")]
    Unissued(IssueError),
    /// What the owner wrote cannot be used. Until it is put right the module backs off and comes back.
    #[error("{0}: put it right, no restart is needed")]
    Misconfigured(String),
    /// Nothing was stored: the module keeps its message, backs off and comes back.
    #[error("{0}")]
    Unavailable(HubError),
}

impl CwmError {
    /// A request with nothing in it that could be read, and what would be.
    pub(super) fn unreadable(sentence: &str) -> Self {
        Self::Unreadable(sentence.to_owned())
    }

    /// The answer. `not_taken` is the body a module understands as "keep it". Writes the one log line.
    pub(super) fn into_reply(self, not_taken: Bytes, path: &str, peer: &str) -> Reply {
        match self {
            Self::Unreadable(sentence) => {
                let line = format!("{peer} on {path}: {sentence}");
                Reject::bad_request(sentence).log(line).into_reply()
            }
            Self::Refused(sentence) => Reject::forbidden("this device is not let in")
                .log(format!("{peer} on {path}: {sentence}"))
                .into_reply(),
            Self::Unproven(_) => Reject::forbidden("this request does not prove who made it")
                .log(format!("{peer} on {path}: {self}"))
                .into_reply(),
            Self::Unissued(_) | Self::Misconfigured(_) => {
                tracing::error!(%peer, path, "not answered: {self}");
                Reply::json(StatusCode::SERVICE_UNAVAILABLE, not_taken)
            }
            Self::Unavailable(HubError::TooFast(sentence)) => {
                tracing::info!(%peer, path, "not taken: {sentence}");
                Reply::json(StatusCode::SERVICE_UNAVAILABLE, not_taken)
            }
            Self::Unavailable(error) => {
                tracing::error!(%peer, path, "not taken: {error}");
                Reply::json(StatusCode::SERVICE_UNAVAILABLE, not_taken)
            }
        }
    }
}

impl From<HubError> for CwmError {
    fn from(error: HubError) -> Self {
        match error {
            HubError::Refused(sentence) => Self::Refused(sentence),
            HubError::NotFound(_)
            | HubError::Conflict { .. }
            | HubError::Invalid { .. }
            | HubError::Unauthorized
            | HubError::Account(_)
            | HubError::TooMany { .. }
            | HubError::TooLarge { .. }
            | HubError::Disk(_)
            | HubError::TooFast(_)
            | HubError::Busy
            | HubError::Store(_) => Self::Unavailable(error),
        }
    }
}
