//! The words for what goes wrong: one for each kind of refusal, stable for scripts. `docs/api.md` has the same table, and
//! a test compares them.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::openapi::{RefOr, Response};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:ident $word:literal, $meaning:literal;)*) => {
        /// Why something was refused, as `error.code` says it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$({
                // Some are said by every call alike, and no description names them.
                let _ = refused::$name;
                Self::$name
            },)*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// The status that goes with it.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// What it means, for people.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }

        /// The codes as replies of a described call: `responses(…, refused::Conflict)`.
        pub(crate) mod refused {
            use super::{BTreeMap, Code, RefOr, Response};
            $(
                #[doc = $meaning]
                #[derive(Debug)]
                pub(crate) struct $name;

                impl utoipa::IntoResponses for $name {
                    fn responses() -> BTreeMap<String, RefOr<Response>> {
                        super::as_reply(Code::$name)
                    }
                }
            )*
        }
    };
}

codes! {
    Unreadable = BAD_REQUEST "unreadable", "the query or the body cannot be read at all, or did not arrive whole";
    NotSignedIn = UNAUTHORIZED "not_signed_in", "nothing proves who calls, or what does has ended";
    BadCredentials = UNAUTHORIZED "bad_credentials", "the user name or the password is wrong";
    RefreshExpired = UNAUTHORIZED "refresh_expired", "the refresh token is unknown or has ended: sign in again";
    RefreshReused = UNAUTHORIZED "refresh_reused", "the refresh token was used before, so all of its sign-in has ended: sign in again";
    RoleTooLow = FORBIDDEN "role_too_low", "the caller's role does not reach";
    HouseOnly = FORBIDDEN "house_only", "this concerns the whole house, and the caller sees only what is the caller's own";
    TokenScope = FORBIDDEN "token_scope", "the caller's token is for some devices only";
    ShareTooLow = FORBIDDEN "share_too_low", "what the device's owner allows the caller does not reach";
    ScopeTooSmall = FORBIDDEN "scope_too_small", "this concerns the whole account, and the token's scope is smaller";
    RegistrationClosed = FORBIDDEN "registration_closed", "nobody may register: an administrator makes accounts";
    InviteRequired = FORBIDDEN "invite_required", "whoever registers needs an invitation";
    InviteInvalid = FORBIDDEN "invite_invalid", "the invitation is unknown, past its end, or used up";
    CrossSite = FORBIDDEN "cross_site", "a browser sent this on behalf of another site";
    Refused = FORBIDDEN "refused", "the device is blocked, or unknown where unknown devices are refused";
    TokenMissing = UNAUTHORIZED "token_missing", "an upload without a token";
    BadToken = UNAUTHORIZED "bad_token", "an upload with a token that is not good here";
    Blocked = FORBIDDEN "blocked", "the device that uploads is not let in";
    BadJson = BAD_REQUEST "bad_json", "an upload that is empty, or no JSON";
    TooDeep = UNPROCESSABLE_ENTITY "too_deep", "an upload with more levels than are read";
    TooManyRecords = UNPROCESSABLE_ENTITY "too_many_records", "an upload with more records than are taken at once";
    NoValue = UNPROCESSABLE_ENTITY "no_value", "an upload without a value that can be stored";
    TooManySensors = UNPROCESSABLE_ENTITY "too_many_sensors", "more sensors than a record or a device may have";
    DeviceRequired = UNPROCESSABLE_ENTITY "device_required", "a person's token, and no device named to upload for";
    TooFast = TOO_MANY_REQUESTS "too_fast", "a device uploads more than it may: come back after `Retry-After` seconds";
    NotFound = NOT_FOUND "not_found", "there is no such thing, or not for this caller";
    Method = METHOD_NOT_ALLOWED "method_not_allowed", "the path exists, but not for this method; `Allow` says for which";
    NameTaken = CONFLICT "name_taken", "another one has this name";
    UsernameTaken = CONFLICT "username_taken", "somebody has this user name";
    Conflict = CONFLICT "conflict", "the change does not fit what is there";
    Gone = GONE "gone", "it was there, and was removed by age or amount";
    TooLarge = PAYLOAD_TOO_LARGE "too_large", "the body is longer than is taken; the message names the limit";
    InvalidField = UNPROCESSABLE_ENTITY "invalid_field", "a field makes no sense, or is over a limit that the message names";
    UsernameTooShort = UNPROCESSABLE_ENTITY "username_too_short", "a user name that somebody chooses has 5 characters or more";
    PasswordLength = UNPROCESSABLE_ENTITY "password_length", "a password has 8 to 128 characters";
    PasswordMismatch = UNPROCESSABLE_ENTITY "password_mismatch", "the password and its confirmation differ";
    TooMany = TOO_MANY_REQUESTS "too_many", "too many tries: come back after `Retry-After` seconds";
    Internal = INTERNAL_SERVER_ERROR "internal", "a mistake in homeport; its log has the cause";
    Busy = SERVICE_UNAVAILABLE "busy", "too much waits to be stored: come back after `Retry-After` seconds";
    StoreFailed = SERVICE_UNAVAILABLE "store_failed", "the store cannot do this now and nothing was changed";
    Disk = INSUFFICIENT_STORAGE "disk", "the folder for files cannot be read or written";
}

/// The reply under a key that says status and code; [`super::describe`] puts those of one status together.
fn as_reply(code: Code) -> BTreeMap<String, RefOr<Response>> {
    let key = format!("{} {}", code.status().as_u16(), code.as_str());
    BTreeMap::from([(key, RefOr::T(Response::new(code.meaning())))])
}

impl Code {
    /// The code with a word.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_code() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!(code.status().is_client_error() || code.status().is_server_error());
        }
    }
}
