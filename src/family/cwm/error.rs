//! Why a module does not hear "taken", and the status each cause gets (`cwm-oke.md §2`).

use bytes::Bytes;
use hyper::StatusCode;

use crate::core::HubError;
use crate::http::{Reject, Reply};

/// What went wrong with an exchange, by whose fault it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CwmError {
    /// The request has nothing in it that could be read.
    #[error("{0}")]
    Unreadable(&'static str),
    /// The device is not let in.
    #[error("{0}")]
    Refused(String),
    /// Nothing was stored: the module keeps its message, backs off and comes back.
    #[error("{0}")]
    Unavailable(HubError),
}

impl CwmError {
    /// The answer. `not_taken` is the body a module understands as "keep it". Writes the one log line.
    pub(super) fn into_reply(self, not_taken: Bytes, path: &str, peer: &str) -> Reply {
        match self {
            Self::Unreadable(sentence) => {
                Reject::bad_request(sentence).log(format!("{peer} on {path}: {sentence}")).into_reply()
            }
            Self::Refused(sentence) => Reject::forbidden("this device is not let in")
                .log(format!("{peer} on {path}: {sentence}"))
                .into_reply(),
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
            | HubError::TooMany { .. }
            | HubError::TooLarge { .. }
            | HubError::Disk(_)
            | HubError::Busy
            | HubError::Store(_) => Self::Unavailable(error),
        }
    }
}
