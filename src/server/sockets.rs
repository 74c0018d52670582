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
    /// Takes what `LISTEN_FDS` announces.
    ///
    /// # Errors
    /// A socket that would wait for ever for somebody to accept on it.
    pub(super) fn from_env() -> Result<Self, ServerError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut handed = listenfd::ListenFd::from_env();
        let count = handed.len();
        let sockets = (0..count).zip(names.split(':').map(Some).chain(std::iter::repeat(None)));
        Self::named(count, sockets.map(|(at, name)| (name, handed.take_tcp_listener(at))))
    }

    /// Sorts sockets by their names. One socket alone carries its unit's name, and is taken for https.
    fn named<'a>(
        count: usize,
        sockets: impl Iterator<Item = (Option<&'a str>, io::Result<Option<TcpListener>>)>,
    ) -> Result<Self, ServerError> {
        let mut known = HashMap::new();
        for (name, socket) in sockets {
            let said = name.unwrap_or_default();
            let refused = |why: String| ServerError::Handed { name: said.to_owned(), why };
            let socket = socket.map_err(|error| refused(error.to_string()))?;
            let Some(socket) = socket else { continue };
            let ours = name.filter(|name| NAMES.contains(name));
            let name = match ours {
                Some(name) => name,
                None if count == 1 => "https",
                None => return Err(refused(format!("its name is none of {}", NAMES.join(", ")))),
            };
            if known.insert(name.to_owned(), socket).is_some() {
                return Err(refused("another socket has the same name".to_owned()));
            }
        }
        Ok(Self(known))
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
    listener.lengthen_queue()?;
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

/// What `FileDescriptorName=` of a socket unit may say.
const NAMES: [&str; 4] = ["https", "http", "ws", "admin"];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Result<Vec<String>, String> {
        let sockets = names.iter().map(|name| {
            let name = Some(*name).filter(|name| !name.is_empty());
            (name, TcpListener::bind("127.0.0.1:0").map(Some))
        });
        let mut known: Vec<_> =
            Handed::named(names.len(), sockets).map_err(|error| error.to_string())?.0.into_keys().collect();
        known.sort();
        Ok(known)
    }

    #[test]
    fn sockets_are_known_by_their_names() {
        assert_eq!(named(&[]).unwrap(), [""; 0]);
        assert_eq!(named(&["http", "ws", "https"]).unwrap(), ["http", "https", "ws"]);
        assert_eq!(named(&["homeport.socket"]).unwrap(), ["https"]);
        assert_eq!(named(&[""]).unwrap(), ["https"]);
    }

    #[test]
    fn a_socket_on_which_nobody_would_accept_is_refused() {
        for (names, why) in [
            (["http", "homeport.socket"], "`homeport.socket`"),
            (["http", ""], "none of https, http, ws, admin"),
            (["http", "http"], "another socket has the same name"),
        ] {
            let refused = named(&names).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
        let bad = [(Some("http"), Err(io::Error::other("fd 3 is not a valid tcp socket")))];
        assert!(Handed::named(1, bad.into_iter()).is_err());
    }
}
