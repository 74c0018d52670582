//! What a node hears: a status whose number it looks at, and nothing that could hurt it: no body, no redirect, no
//! cookie (`tswarm-node.md §3, §4`).

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderValue, WWW_AUTHENTICATE};

use super::rejected::Reason;
use crate::core::HubError;
use crate::http::{Exchange, Reply};

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 202: the node sleeps.
    Taken,
    /// 423: the node stays awake.
    StayAwake,
    /// 405: the node comes again with POST.
    ComeWithPost,
    /// The node was turned away.
    Turned(Turned),
}

/// Why a node was turned away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turned {
    /// In one word.
    pub(super) reason: Reason,
    /// The login that it showed.
    pub(super) login: String,
    /// Which node it said it was.
    pub(super) node: String,
    /// In words.
    pub(super) detail: String,
}

impl Outcome {
    /// The answer.
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Taken => Reply::empty(StatusCode::ACCEPTED),
            Self::StayAwake => Reply::empty(StatusCode::LOCKED),
            Self::ComeWithPost => {
                Reply::empty(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static("POST"))
            }
            Self::Turned(turned) => turned.reply(),
        }
    }
}

impl Turned {
    /// The answer.
    pub(super) fn reply(&self) -> Reply {
        let status = status(self.reason);
        let reply = Reply::empty(status);
        if status == StatusCode::UNAUTHORIZED {
            reply.with(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE))
        } else {
            reply
        }
    }
}

/// The answer to what is none of a node's business, whatever the method: 405 would mean something (§4.1).
pub(super) fn nothing_here() -> Reply {
    Reply::empty(StatusCode::NOT_FOUND)
}

/// The answer when nothing could be stored. Writes the one log line.
pub(super) fn failed(error: &HubError, exchange: &Exchange) -> Reply {
    let (path, peer) = (&exchange.path, exchange.peer.ip());
    let status = match error {
        HubError::TooFast(_) | HubError::TooMany { .. } => {
            tracing::info!(%peer, path, "not stored: {error}");
            StatusCode::TOO_MANY_REQUESTS
        }
        HubError::Refused(_)
        | HubError::NotFound(_)
        | HubError::Conflict { .. }
        | HubError::Invalid { .. }
        | HubError::Unauthorized
        | HubError::Account(_)
        | HubError::TooLarge { .. }
        | HubError::Disk(_)
        | HubError::Busy
        | HubError::Store(_) => {
            tracing::error!(%peer, path, "not stored: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Reply::empty(status)
}

fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::NoCredentials
        | Reason::UnreadableCredentials
        | Reason::UnknownLogin
        | Reason::WrongSecret
        | Reason::Revoked
        | Reason::TooMany => StatusCode::UNAUTHORIZED,
        Reason::NotItsNode | Reason::TwoNames | Reason::WaitingForApproval => StatusCode::FORBIDDEN,
        Reason::TwoCredentials | Reason::UnreadableBody | Reason::BodyNotTaken => StatusCode::BAD_REQUEST,
    }
}

/// §4.2: what the original's framework sends.
const CHALLENGE: &str = "Basic realm=\"api\"";
