//! Bound sockets, TCP or Unix, and accepting on either.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::NetError;

/// A socket that listens and nobody accepts on yet.
#[derive(Debug)]
pub enum BoundListener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket; its file is removed when this is dropped, if we made it.
    Unix(UnixListener, Option<SocketFile>),
}

/// The file of a Unix socket, removed on drop.
#[derive(Debug)]
pub struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!("{} not removed: {error}", self.0.display());
        }
    }
}

impl BoundListener {
    /// Binds an address; port 0 chooses a free one.
    pub async fn tcp(addr: SocketAddr) -> Result<Self, NetError> {
        let bound = TcpListener::bind(addr).await;
        bound.map(Self::Tcp).map_err(|cause| NetError::open(addr.to_string(), cause))
    }

    /// Binds a Unix socket that only this user may open. A file left by a server that is gone is replaced, one that
    /// somebody answers on is not.
    pub fn unix(path: &Path) -> Result<Self, NetError> {
        let place = path.display().to_string();
        let failed = |cause| NetError::open(place.clone(), cause);
        if fs::symlink_metadata(path).is_ok_and(|facts| facts.file_type().is_socket()) {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(NetError::InUse { place });
            }
            fs::remove_file(path).map_err(failed)?;
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self::Unix(listener, Some(file)))
    }

    /// Takes a TCP listener handed over by the service manager.
    pub fn from_std_tcp(listener: std::net::TcpListener) -> Result<Self, NetError> {
        let taken = listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener));
        taken.map(Self::Tcp).map_err(|cause| NetError::open("the socket handed over", cause))
    }

    /// Takes a Unix listener handed over by the service manager, who also looks after its file.
    pub fn from_std_unix(listener: std::os::unix::net::UnixListener) -> Result<Self, NetError> {
        let taken = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
        taken
            .map(|listener| Self::Unix(listener, None))
            .map_err(|cause| NetError::open("the socket handed over", cause))
    }

    /// Lets the system ask long silent clients whether they are still there, so that one which lost its power gives its
    /// connection back: the first time after 30 s, then every 10 s, and after three questions without an answer the
    /// connection ends (`websocket-mcu.md §6`). Every connection that is accepted has it from the listening socket.
    pub fn keep_alive(&self) -> Result<(), NetError> {
        let Self::Tcp(listener) = self else { return Ok(()) };
        let set = || {
            sockopt::set_socket_keepalive(listener, true)?;
            sockopt::set_tcp_keepidle(listener, KEEPALIVE_AFTER)?;
            sockopt::set_tcp_keepintvl(listener, KEEPALIVE_EVERY)?;
            sockopt::set_tcp_keepcnt(listener, KEEPALIVE_TRIES)
        };
        set().map_err(|error: rustix::io::Errno| NetError::open("TCP keepalive", error.into()))
    }

    /// Lets the system keep as many newcomers waiting as it is set to (`net.core.somaxconn`), also on a socket that was
    /// opened with a shorter queue: after a power cut all devices of a house call in one second (`tswarm-node.md §6`).
    pub fn lengthen_queue(&self) -> Result<(), NetError> {
        let Self::Tcp(listener) = self else { return Ok(()) };
        rustix::net::listen(listener, QUEUE_MAX_COUNT)
            .map_err(|error| NetError::open("the queue of newcomers", error.into()))
    }

    /// The address, with the port that was chosen; `None` for a Unix socket.
    pub fn addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, addr) = listener.accept().await?;
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("no TCP_NODELAY for {addr}: {error}");
                }
                // An IPv4 client of a dual-stack socket is shown as what it is.
                Ok((Stream::Tcp(stream), SocketAddr::new(addr.ip().to_canonical(), addr.port())))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            }
        }
    }
}

/// An accepted connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// The system takes less if it is set to less.
const QUEUE_MAX_COUNT: i32 = 65_535;
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVE_TRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_connections_are_asked_whether_they_are_there() {
        let plain = BoundListener::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        let asking = BoundListener::tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        asking.keep_alive().unwrap();
        for (listener, asks) in [(plain, false), (asking, true)] {
            let _client = TcpStream::connect(listener.addr().unwrap()).await.unwrap();
            let (Stream::Tcp(accepted), _) = listener.accept().await.unwrap() else { panic!("TCP") };
            assert_eq!(sockopt::socket_keepalive(&accepted).unwrap(), asks);
            if asks {
                assert_eq!(sockopt::tcp_keepidle(&accepted).unwrap(), KEEPALIVE_AFTER);
                assert_eq!(sockopt::tcp_keepintvl(&accepted).unwrap(), KEEPALIVE_EVERY);
                assert_eq!(sockopt::tcp_keepcnt(&accepted).unwrap(), KEEPALIVE_TRIES);
            }
        }
    }
}
