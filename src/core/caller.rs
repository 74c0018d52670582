//! Who calls, and how that was proved.

use std::net::IpAddr;
use std::sync::Arc;

use crate::model::{DeviceId, Origin, Role, Sees, Timestamp, User, UserId};

/// Who a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// What this caller may do; never more than the user.
    pub role: Role,
    /// The only devices that the caller's token is for, of those that the user sees; `None` is all of them.
    pub devices: Option<Arc<[DeviceId]>>,
    /// How the caller proved it.
    pub how: How,
}

/// How a caller proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By a secret of a session.
    Session {
        /// The session's id.
        id: String,
        /// When the secret ends.
        expires: Timestamp,
    },
    /// By an API token.
    Token {
        /// The token's id.
        id: String,
        /// When it ends, if ever.
        expires: Option<Timestamp>,
    },
    /// By being on this machine, at the control socket.
    Local,
}

impl Caller {
    /// The caller at the control socket: whoever may open it owns the server anyway.
    pub fn local() -> Self {
        let user = User {
            id: UserId::new("local"),
            name: "local".to_owned(),
            role: Role::Admin,
            sees: Sees::House,
            created: Timestamp::from_micros(0),
        };
        Self { user, role: Role::Admin, devices: None, how: How::Local }
    }

    /// Whether the caller sees the house's devices beside the own.
    pub fn sees(&self) -> Sees {
        self.user.sees
    }

    /// Whether the caller may do all that its user may: it is no token of a smaller scope. What concerns the account
    /// itself is for such callers alone, else a small token could make a large one.
    pub fn is_unbounded(&self) -> bool {
        self.role == self.user.role && self.devices.is_none()
    }

    /// Whose sessions and tokens the caller may reach: its own only, or, as `None`, everybody's.
    pub fn own_only(&self) -> Option<&UserId> {
        Some(&self.user.id).filter(|_| self.role < Role::Admin)
    }

    /// The session that the caller has, if it has one.
    pub fn session(&self) -> Option<&str> {
        match &self.how {
            How::Session { id, .. } => Some(id),
            How::Token { .. } | How::Local => None,
        }
    }

    /// How transitions name this caller: `user:<name>`.
    pub fn by(&self) -> String {
        format!("user:{}", self.user.name)
    }
}

/// From where a request came, as far as sign-ins are concerned.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address.
    pub peer: IpAddr,
    /// What the program calls itself; any text.
    pub agent: String,
}

impl Visitor {
    /// Somebody at an address, of whom nothing else is known.
    pub fn at(peer: IpAddr) -> Self {
        Self { peer, agent: String::new() }
    }

    /// What is kept of it.
    pub(super) fn origin(&self) -> Origin {
        let agent = self.agent.chars().filter(|letter| !letter.is_control());
        Origin { peer: self.peer.to_canonical().to_string(), agent: agent.take(AGENT_CHARS_MAX).collect() }
    }
}

const AGENT_CHARS_MAX: usize = 200;
