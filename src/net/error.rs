//! Why a listener cannot open, with cause and fix.

use std::io;

/// A listener or its TLS set-up failed; nothing of it is open.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Another program has the port or socket.
    #[error("{place} is in use: stop the other program (`ss -lptn` names it) or choose another one")]
    InUse {
        /// Address or path.
        place: String,
    },
    /// The port may not be opened by this user.
    #[error(
        "{place} may not be opened by this user: ports below 1024 need CAP_NET_BIND_SERVICE, sockets a writable folder"
    )]
    Denied {
        /// Address or path.
        place: String,
    },
    /// Anything else.
    #[error("{place} cannot be opened: {cause}")]
    Open {
        /// Address or path.
        place: String,
        /// What the system says.
        cause: io::Error,
    },
    /// rustls refused the settings.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

impl NetError {
    pub(super) fn open(place: impl Into<String>, cause: io::Error) -> Self {
        let place = place.into();
        match cause.kind() {
            io::ErrorKind::AddrInUse => Self::InUse { place },
            io::ErrorKind::PermissionDenied => Self::Denied { place },
            _ => Self::Open { place, cause },
        }
    }
}
