//! What a node hears when nothing could be stored, and the status of each cause (`sca11h.md §4.2`).

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};

use super::names::Sca11hSettings;
use crate::core::HubError;
use crate::http::{Exchange, Reject, Reply};

/// The answer to a request that came to nothing. Writes the one log line.
pub(super) fn refused(error: HubError, exchange: &Exchange) -> Reply {
    let (path, peer) = (&exchange.path, exchange.peer.ip());
    match error {
        HubError::Refused(sentence) => {
            let line = format!("{peer} on {path}: {sentence}");
            Reject::forbidden("this device is not let in").log(line).into_reply()
        }
        HubError::TooFast(sentence) => {
            let line = format!("{peer} on {path}: {sentence}");
            Reject::unavailable("too many messages: send them again later").log(line).into_reply()
        }
        error @ (HubError::NotFound(_)
        | HubError::Conflict { .. }
        | HubError::Invalid { .. }
        | HubError::Unauthorized
        | HubError::Account(_)
        | HubError::TooMany { .. }
        | HubError::TooLarge { .. }
        | HubError::Disk(_)
        | HubError::Busy
        | HubError::Store(_)) => {
            tracing::error!(%peer, path, "not stored: {error}");
            Reject::unavailable("nothing was stored: send it again").into_reply()
        }
    }
}

/// The answer to wrong credentials, or none: a challenge only where the owner wants one (§8).
pub(super) fn unproven(settings: &Sca11hSettings, exchange: &Exchange) -> Reply {
    let peer = exchange.peer.ip();
    let line = format!("{peer} on {}: the credentials set for this device are not shown", exchange.path);
    if settings.challenge {
        let reply = Reject::unauthorized("wrong user name or password").log(line).into_reply();
        return reply.with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"homeport\""));
    }
    Reject::forbidden("this request does not prove who made it").log(line).into_reply()
}
