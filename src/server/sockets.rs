//! Sockets: those that systemd hands over, those we open, and the control socket.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::ServerError;
use crate::http::ListenerKind;
use crate::net::{BoundListener, NetError};

/// Listening sockets that the service manager opened, by the name it gave them.
#[derive(Default)]
pub(super) struct Handed(HashMap<String, TcpListener>);

impl Handed {
    /// Takes what `LISTEN_FDS` announces. A name that is not ours is taken for https, since one socket alone
    /// carries its unit's name.
    pub(super) fn from_env() -> Self {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut handed = listenfd::ListenFd::from_env();
        let mut sockets = HashMap::new();
        for at in 0..handed.len() {
            let Ok(Some(socket)) = handed.take_tcp_listener(at) else { continue };
            let name =
                names.get(at).copied().filter(|name| matches!(*name, "https" | "http" | "ws" | "admin"));
            sockets.insert(name.unwrap_or("https").to_owned(), socket);
        }
        Self(sockets)
    }

    /// Whether there is one for a listener.
    pub(super) fn has(&self, kind: ListenerKind) -> bool {
        self.0.contains_key(kind.name())
    }

    /// The socket for a listener: handed over, else opened at `addr`, else none.
    pub(super) fn open(
        &mut self,
        kind: ListenerKind,
        addr: Option<SocketAddr>,
    ) -> Result<Option<BoundListener>, ServerError> {
        match (self.0.remove(kind.name()), addr) {
            (Some(socket), _) => listener(kind, socket).map(Some),
            (None, Some(addr)) => bind(kind, addr).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// Opens a socket for a listener.
pub(super) fn bind(kind: ListenerKind, addr: SocketAddr) -> Result<BoundListener, ServerError> {
    let socket = TcpListener::bind(addr).map_err(|cause| refused(kind, addr, cause))?;
    listener(kind, socket)
}

/// A listener as its kind of device needs it.
fn listener(kind: ListenerKind, socket: TcpListener) -> Result<BoundListener, ServerError> {
    let listener = BoundListener::from_std_tcp(socket)?;
    if kind == ListenerKind::Ws {
        listener.keep_alive()?;
    }
    Ok(listener)
}

fn refused(kind: ListenerKind, addr: SocketAddr, cause: io::Error) -> ServerError {
    match cause.kind() {
        io::ErrorKind::AddrInUse => ServerError::PortInUse { kind, addr },
        io::ErrorKind::PermissionDenied => ServerError::PortPrivileged { kind, addr },
        _ => ServerError::Listen { kind, addr, cause },
    }
}

/// Where the control socket of a data folder is.
pub fn control_path(data_dir: &Path) -> PathBuf {
    data_dir.join("control.sock")
}

/// Whether a server answers on the control socket of a data folder.
pub async fn is_running(data_dir: &Path) -> bool {
    tokio::net::UnixStream::connect(control_path(data_dir)).await.is_ok()
}

/// Makes the data folder, for its owner only, and tries to write in it.
pub(super) fn data_folder(dir: &Path) -> Result<(), ServerError> {
    let wrong = |cause| ServerError::DataFolder { dir: dir.to_owned(), cause };
    if !dir.is_dir() {
        fs::create_dir_all(dir).map_err(wrong)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(wrong)?;
    }
    let trial = dir.join(".writable");
    fs::write(&trial, b"").map_err(wrong)?;
    fs::remove_file(&trial).map_err(wrong)
}

/// Opens the control socket, mode 0600. A stale one is replaced; a live one means a second server.
pub(super) fn control(data_dir: &Path) -> Result<BoundListener, ServerError> {
    let path = control_path(data_dir);
    match BoundListener::unix(&path) {
        Ok(listener) => Ok(listener),
        Err(NetError::InUse { .. }) => Err(ServerError::SecondServer(data_dir.to_owned())),
        Err(cause) => Err(ServerError::Control { path, cause }),
    }
}

/// Removes a file that need not be there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
