//! A refusal: a status that cannot be a success, a sentence for the caller and another for the log.

use std::fmt;

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::{Reply, Takes};

/// Why a request was not done. Made only by the constructors below, so the status is never below 400.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    status: StatusCode,
    code: &'static str,
    field: Option<&'static str>,
    caller: Box<str>,
    log: Box<str>,
    retry_after_s: Option<u64>,
    takes: Option<Takes>,
    close: bool,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $code:literal, close $close:literal;)*) => {
        impl Reject {
            $($(#[$doc])*
            pub fn $name(caller: impl Into<String>) -> Self {
                let caller: Box<str> = caller.into().into();
                Self {
                    status: StatusCode::$status,
                    code: $code,
                    field: None,
                    log: caller.clone(),
                    caller,
                    retry_after_s: None,
                    takes: None,
                    close: $close,
                }
            })*
        }
    };
}

refusals! {
    /// 400: the request cannot be read.
    bad_request = BAD_REQUEST, "bad_request", close false;
    /// 401: who asks is not known.
    unauthorized = UNAUTHORIZED, "unauthorized", close false;
    /// 403: who asks is known and may not.
    forbidden = FORBIDDEN, "forbidden", close false;
    /// 404: there is nothing here.
    not_found = NOT_FOUND, "not_found", close false;
    /// 408: the request came too slowly. The connection is closed.
    too_slow = REQUEST_TIMEOUT, "too_slow", close true;
    /// 412: the caller wants it only as it was, and it has changed.
    changed = PRECONDITION_FAILED, "changed", close false;
    /// 413: the body is over its cap. The connection is closed.
    too_large = PAYLOAD_TOO_LARGE, "too_large", close true;
    /// 416: there are no such bytes.
    out_of_range = RANGE_NOT_SATISFIABLE, "out_of_range", close false;
    /// 422: it can be read and makes no sense.
    unprocessable = UNPROCESSABLE_ENTITY, "invalid", close false;
    /// 429: too many requests.
    too_many = TOO_MANY_REQUESTS, "too_many", close false;
    /// 500: our fault.
    internal = INTERNAL_SERVER_ERROR, "internal", close false;
    /// 503: could not be stored now; try again.
    unavailable = SERVICE_UNAVAILABLE, "unavailable", close false;
}

impl Reject {
    /// 405: not with this method.
    pub fn method(takes: Takes) -> Self {
        let sentence = match takes {
            Takes::Exchanges => "this path takes GET, POST and PUT".to_owned(),
            Takes::Reads => "this path takes GET and HEAD".to_owned(),
            Takes::Every => "this path takes every method".to_owned(),
            Takes::Only(list) => format!("this path takes {list}"),
        };
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method_not_allowed",
            takes: Some(takes),
            ..Self::bad_request(sentence)
        }
    }

    /// Gives the log another sentence than the caller hears.
    #[must_use]
    pub fn log(mut self, sentence: impl Into<String>) -> Self {
        self.log = sentence.into().into();
        self
    }

    /// Gives scripts another word than is usual for the status.
    #[must_use]
    pub const fn code(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    /// Names the field of the request that is at fault.
    #[must_use]
    pub const fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Tells the caller when to try again.
    #[must_use]
    pub const fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Closes the connection after it: only another one could have another outcome.
    #[must_use]
    pub const fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// Status code, 400 or above.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// What the caller hears.
    pub fn caller(&self) -> &str {
        &self.caller
    }

    /// The answer: `{"error":{"code":"…","message":"…"}}`, with a `field` if one was named. Writes the one log line of this refusal.
    pub fn into_reply(self) -> Reply {
        if self.status.is_server_error() {
            tracing::error!(status = self.status.as_u16(), "request refused: {}", self.log);
        } else {
            tracing::info!(status = self.status.as_u16(), "request refused: {}", self.log);
        }
        let mut error = serde_json::json!({"code": self.code, "message": self.caller});
        if let (Some(field), Some(members)) = (self.field, error.as_object_mut()) {
            members.insert("field".to_owned(), field.into());
        }
        let body = serde_json::json!({ "error": error }).to_string();
        let mut reply = Reply::json(self.status, body);
        if let Some(seconds) = self.retry_after_s {
            reply = reply.with(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(takes) = self.takes {
            reply = reply.with(header::ALLOW, HeaderValue::from_static(takes.list()));
        }
        if self.close { reply.closing() } else { reply }
    }
}

impl From<Reject> for Reply {
    fn from(reject: Reject) -> Self {
        reject.into_reply()
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status.as_u16(), self.log)
    }
}

impl std::error::Error for Reject {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_never_hears_the_sentence_for_the_log() {
        let reply =
            Reject::unavailable("try again").log("disk full on /dev/sda1").retry_after(30).into_reply();
        assert_eq!(reply.status, 503);
        assert_eq!(&reply.body[..], br#"{"error":{"code":"unavailable","message":"try again"}}"#);
        let response = reply.into_response();
        assert_eq!(response.headers()["retry-after"], "30");
    }
}
