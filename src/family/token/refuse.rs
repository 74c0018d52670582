//! Why an upload is not taken, and what its sender hears (`accounts-dashboard.md §3, §4`).

use std::net::IpAddr;

use hyper::header::{HeaderValue, WWW_AUTHENTICATE};

use super::body;
use crate::core::{HubError, TokenFault};
use crate::http::{Exchange, Reject, Reply};

/// What is wrong with an upload, by whose fault it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// It carries no token.
    #[error("send the device's token: Authorization: Bearer dt_..., or X-Device-Token")]
    NoToken,
    /// The token is no device's, or no longer one's.
    #[error("{0}")]
    BadToken(TokenFault),
    /// The token is another device's than the path says.
    #[error("this token is another device's")]
    OtherDevice,
    /// A person's token that is none.
    #[error("this token is nobody's")]
    BadUserToken,
    /// A person's role does not reach.
    #[error("this needs the role operator")]
    Role,
    /// A person's token without a device.
    #[error("say which device: POST /api/v1/devices/ID/data, or an id in the body")]
    DeviceRequired,
    /// There is no such device.
    #[error("device not found")]
    NoDevice,
    /// The body cannot be read.
    #[error(transparent)]
    Body(body::Fault),
    /// There is nothing in it that could be kept.
    #[error("there is no usable value in it{}", .0.as_deref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    NoValue(Option<String>),
    /// A record has too many values.
    #[error("a record has 64 values at most")]
    TooManySensors,
    /// Faster than the allowance.
    #[error("too many records: at most {per_second} in a second")]
    TooFast {
        /// Records in a second.
        per_second: u32,
        /// When to come again.
        retry_after_s: u64,
    },
    /// The hub said no.
    #[error(transparent)]
    Hub(#[from] HubError),
}

impl Refusal {
    /// Whether the message is kept all the same: it is a known device's, and cannot be read.
    pub(super) const fn is_of_content(&self) -> bool {
        matches!(self, Self::Body(_) | Self::NoValue(_) | Self::TooManySensors)
    }

    /// The answer. Writes the one log line, which never has a token in it.
    pub(super) fn into_reply(self, exchange: &Exchange) -> Reply {
        let peer: IpAddr = exchange.peer.ip();
        let line = format!("{peer} on {}: {self}", exchange.path);
        let said = self.to_string();
        let challenged =
            matches!(self, Self::NoToken | Self::BadToken(_) | Self::OtherDevice | Self::BadUserToken);
        let reject = match self {
            Self::NoToken => Reject::unauthorized(said).code("token_missing"),
            Self::BadToken(_) | Self::OtherDevice | Self::BadUserToken => {
                Reject::unauthorized("this token is not good here").code("bad_token")
            }
            Self::Role => Reject::forbidden(said).code("role_too_low"),
            Self::DeviceRequired => Reject::unprocessable(said).code("device_required").field("id"),
            Self::NoDevice => Reject::not_found(said),
            Self::Body(body::Fault::Empty | body::Fault::BadJson(_)) => {
                Reject::bad_request(said).code("bad_json")
            }
            Self::Body(body::Fault::TooDeep) => Reject::unprocessable(said).code("too_deep"),
            Self::Body(body::Fault::TooMany(_)) => Reject::unprocessable(said).code("too_many_records"),
            Self::NoValue(_) => Reject::unprocessable(said).code("no_value").field("data"),
            Self::TooManySensors => Reject::unprocessable(said).code("too_many_sensors").field("data"),
            Self::TooFast { retry_after_s, .. } => {
                Reject::too_many(said).code("too_fast").retry_after(retry_after_s)
            }
            Self::Hub(error) => hub(error),
        };
        let reply = reject.log(line).into_reply();
        if challenged { reply.with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")) } else { reply }
    }
}

fn hub(error: HubError) -> Reject {
    match error {
        HubError::Refused(_) => Reject::forbidden("this device is not let in").code("blocked"),
        HubError::TooFast(sentence) => Reject::too_many(sentence).code("too_fast").retry_after(1),
        HubError::NotFound(_) => Reject::not_found("device not found"),
        HubError::Busy => Reject::unavailable("the server is busy: try again").code("busy").retry_after(1),
        HubError::Conflict { .. }
        | HubError::Invalid { .. }
        | HubError::Unauthorized
        | HubError::Account(_)
        | HubError::TooMany { .. }
        | HubError::TooLarge { .. }
        | HubError::Disk(_)
        | HubError::Store(_) => {
            tracing::error!(%error, "an upload was not stored");
            Reject::unavailable("nothing was stored: send it again").code("store_failed").retry_after(5)
        }
    }
}
