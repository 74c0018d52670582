//! What goes wrong on the operator plane, and the one place that turns it into an answer.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use super::code::Code;
use crate::core::{AccountFault, HubError, Level, StoreError};
use crate::model::Role;

/// Why a person or a script did not get what it asked for. Each text may be shown to the asker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebError {
    /// The hub said no.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Nobody is signed in.
    #[error("sign in first: send `Authorization: Bearer TOKEN`, or POST /api/v1/auth/login")]
    SignIn,
    /// The caller's role does not reach.
    #[error("this needs the role {0}")]
    Role(Role),
    /// This concerns the whole house, which the caller does not see.
    #[error("this concerns the whole house: you see only what is yours and what is shared with you")]
    House,
    /// The caller's token is for some devices only.
    #[error("this token is for some devices only, and this concerns others")]
    TokenScope,
    /// The caller sees the device and may not do this with it.
    #[error("{}", refused_level(*.0))]
    Level(Level),
    /// There is no such thing, or not for this caller.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It was there once.
    #[error("{0}")]
    Gone(&'static str),
    /// A field of the request makes no sense.
    #[error("{message}")]
    Field {
        /// Which field.
        field: String,
        /// The sentence.
        message: String,
    },
    /// The request cannot be read at all.
    #[error("{0}")]
    Unreadable(String),
    /// The body is longer than is taken.
    #[error("the body is longer than {limit_bytes} bytes")]
    TooLarge {
        /// How much is taken.
        limit_bytes: usize,
    },
    /// The path exists, but not for this method.
    #[error("this path does not take that method")]
    Method,
    /// A browser sent this on behalf of another site.
    #[error("this request came from another site and was not carried out")]
    CrossSite,
    /// A page could not be made.
    #[error("the page could not be made")]
    Page(#[from] askama::Error),
}

/// An error as its answer shows it.
pub(crate) struct Shown {
    /// The status.
    pub(crate) status: StatusCode,
    /// The word for scripts.
    pub(crate) code: Code,
    /// The sentence for people.
    pub(crate) message: String,
    /// The field at fault.
    pub(crate) field: Option<String>,
    /// Seconds to wait before trying again.
    pub(crate) retry_after_s: Option<u64>,
}

impl Shown {
    /// Tells the asker when to come back, and the audit log why.
    pub(crate) fn mark(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self.code);
    }
}

fn refused_level(need: Level) -> &'static str {
    match need {
        Level::Nothing | Level::View => "this device is not shared with you",
        Level::Edit => {
            "this device is shared with you to look at it: who changes it is an editor or its owner"
        }
        Level::Own => "only the owner of this device may do that",
    }
}

impl WebError {
    /// A complaint about one field.
    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Field { field: field.to_owned(), message: message.into() }
    }

    /// What the asker is told; a failure on our side is logged here, once.
    pub(crate) fn shown(&self) -> Shown {
        let (code, field) = match self {
            Self::Hub(error) => return shown_hub(error),
            Self::SignIn => (Code::NotSignedIn, None),
            Self::Role(_) => (Code::RoleTooLow, None),
            Self::House => (Code::HouseOnly, None),
            Self::TokenScope => (Code::TokenScope, None),
            Self::Level(_) => (Code::ShareTooLow, None),
            Self::NotFound(_) => (Code::NotFound, None),
            Self::Gone(_) => (Code::Gone, None),
            Self::Field { field, .. } => (Code::InvalidField, Some(field.clone())),
            Self::Unreadable(_) => (Code::Unreadable, None),
            Self::TooLarge { .. } => (Code::TooLarge, None),
            Self::Method => (Code::Method, None),
            Self::CrossSite => (Code::CrossSite, None),
            Self::Page(error) => {
                tracing::error!(%error, "a page could not be made");
                (Code::Internal, None)
            }
        };
        Shown { status: code.status(), code, message: self.to_string(), field, retry_after_s: None }
    }
}

fn shown_hub(error: &HubError) -> Shown {
    let named = |field: &&'static str| Some((*field).to_owned()).filter(|field| !field.is_empty());
    let (code, field, retry_after_s) = match error {
        HubError::Refused(_) => (Code::Refused, None, None),
        HubError::NotFound(_) => (Code::NotFound, None, None),
        HubError::Conflict { field: "name", .. } => (Code::NameTaken, named(&"name"), None),
        HubError::Conflict { field, .. } => (Code::Conflict, named(field), None),
        HubError::Invalid { field, .. } => (Code::InvalidField, named(field), None),
        HubError::Unauthorized => (Code::BadCredentials, None, None),
        HubError::Account(fault) => shown_account(*fault),
        HubError::TooMany { retry_after_s } => (Code::TooMany, None, Some(*retry_after_s)),
        HubError::TooLarge { .. } => (Code::TooLarge, None, None),
        HubError::Disk(_) => (Code::Disk, None, None),
        HubError::TooFast(_) => (Code::TooMany, None, Some(1)),
        HubError::Busy => (Code::Busy, None, Some(1)),
        HubError::Store(cause) => return shown_store(cause),
    };
    Shown { status: code.status(), code, message: error.to_string(), field, retry_after_s }
}

/// The word for scripts and the field of each rule of accounts (`accounts-dashboard.md §3`).
fn shown_account(fault: AccountFault) -> (Code, Option<String>, Option<u64>) {
    let (code, field) = match fault {
        AccountFault::UsernameTaken => (Code::UsernameTaken, Some("username")),
        AccountFault::UsernameTooShort => (Code::UsernameTooShort, Some("username")),
        AccountFault::PasswordLength => (Code::PasswordLength, Some("password")),
        AccountFault::PasswordMismatch => (Code::PasswordMismatch, Some("password_confirmation")),
        AccountFault::RegistrationClosed => (Code::RegistrationClosed, None),
        AccountFault::InviteRequired => (Code::InviteRequired, Some("invite")),
        AccountFault::InviteInvalid => (Code::InviteInvalid, Some("invite")),
        AccountFault::RefreshExpired => (Code::RefreshExpired, None),
        AccountFault::RefreshReused => (Code::RefreshReused, None),
        AccountFault::ScopeTooSmall => (Code::ScopeTooSmall, None),
    };
    (code, field.map(str::to_owned), None)
}

/// The asker learns that nothing was stored; paths and the database's own words go to the log only.
fn shown_store(error: &StoreError) -> Shown {
    tracing::error!(%error, "the store failed a request");
    Shown {
        status: Code::StoreFailed.status(),
        code: Code::StoreFailed,
        message: "the store cannot do this now and nothing was changed; the server's log has the cause"
            .into(),
        field: None,
        retry_after_s: Some(5),
    }
}

impl IntoResponse for WebError {
    fn into_response(self) -> Response {
        self.answer()
    }
}

impl WebError {
    /// The answer in JSON.
    pub(crate) fn answer(&self) -> Response {
        let shown = self.shown();
        let mut error = json!({"code": shown.code.as_str(), "message": shown.message});
        if let (Some(field), Some(object)) = (&shown.field, error.as_object_mut()) {
            object.insert("field".to_owned(), json!(field));
        }
        let mut response = (shown.status, Json(json!({"error": error}))).into_response();
        shown.mark(&mut response);
        if shown.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
