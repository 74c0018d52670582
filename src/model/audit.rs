//! What people and scripts did to the server, or were refused.

use serde::Serialize;

use super::{DeviceId, Timestamp, UserId};

/// One line of the audit log. It is written once and never changed. No secret is ever in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// When it was over.
    pub at: Timestamp,
    /// Who: a user's name, `local` at the control socket; of a failed sign-in the name that was typed.
    pub who: String,
    /// The user's id; `None` where nobody proved to be one.
    pub user: Option<UserId>,
    /// How the caller proved it: `session`, `token`, `control` or `none`.
    pub proof: String,
    /// The API token's id.
    pub token: Option<String>,
    /// The peer's address; `control` at the control socket.
    pub from: String,
    /// What was asked for, a word that stays: `device.rename`, `command.create`, `auth.login`.
    pub what: String,
    /// The device it was asked for.
    pub device: Option<DeviceId>,
    /// What else it was asked for: an id or a name.
    pub target: Option<String>,
    /// `ok`; the code of the refusal; `abandoned` when the caller hung up before the end.
    pub result: String,
}
