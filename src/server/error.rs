//! Why the server does not run. Each text names the cause and the fix.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::core::HubError;
use crate::http::{ListenerKind, RouteError};
use crate::net::NetError;
use crate::pki::PkiError;
use crate::store::StoreError;

/// Why the server did not start or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A setting that another room reads is wrong.
    #[error("[{section}] {message}")]
    Setting {
        /// Its section.
        section: String,
        /// What is wrong.
        message: String,
    },
    /// The data folder cannot be used.
    #[error(
        "the data folder {} cannot be written ({cause}): make it and give it to the user that runs homeport, or name another with --data-dir", dir.display()
    )]
    DataFolder {
        /// The folder.
        dir: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another server has the data folder.
    #[error(
        "another homeport serves the data folder {}: stop it, or name another folder with --data-dir", .0.display()
    )]
    SecondServer(PathBuf),
    /// The control socket cannot be made.
    #[error("the control socket {} cannot be made ({cause}): use a shorter path or a local disk for --data-dir", path.display())]
    Control {
        /// Where.
        path: PathBuf,
        /// What the system says.
        cause: NetError,
    },
    /// A listener's port is taken.
    #[error(
        "{kind}: {addr} is in use by another program (`ss -ltnp` shows which): stop it, or choose another port with --{kind} ADDRESS:PORT"
    )]
    PortInUse {
        /// Which listener.
        kind: ListenerKind,
        /// Where.
        addr: SocketAddr,
    },
    /// A listener's port is for privileged programs.
    #[error(
        "{kind}: {addr} is a privileged port: give homeport the right (`setcap cap_net_bind_service=+ep` on the program, AmbientCapabilities= in its unit, or socket activation), or choose a port above 1023 with --{kind} ADDRESS:PORT"
    )]
    PortPrivileged {
        /// Which listener.
        kind: ListenerKind,
        /// Where.
        addr: SocketAddr,
    },
    /// A listener cannot be opened.
    #[error(
        "{kind}: cannot listen on {addr} ({cause}): check the address, which must be one of this machine's"
    )]
    Listen {
        /// Which listener.
        kind: ListenerKind,
        /// Where.
        addr: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// A socket of the service manager is for nobody.
    #[error(
        "the service manager handed over a socket called `{name}`: {why}. Give each listener a socket unit of its own with one ListenStream= and FileDescriptorName=https, http, ws or admin"
    )]
    Handed {
        /// What it is called.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] PkiError),
    /// A socket or TLS itself.
    #[error(transparent)]
    Net(#[from] NetError),
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The hub.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// Two families want one path.
    #[error("two device families want the same path: {0}")]
    Routes(#[from] RouteError),
    /// The system refused something else.
    #[error("{what}: {cause}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
}
