//! The socket under TLS. It keeps its first bytes, so that a handshake that failed can be told about; it stops one that
//! begins with no TLS, before rustls answers it with an alert; and it holds back what may as well go out with the next
//! write, because each write is a segment, a system call and a waking of the other side.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::sniff::Speaks;
use super::watched::Phase;

/// The socket of one connection.
pub(super) struct Raw<T> {
    socket: T,
    /// While the handshake goes on.
    seen: Option<Seen>,
    /// Written by TLS, and not yet by us.
    held: Vec<u8>,
    phase: Phase,
}

/// The first bytes of a connection; outlives a handshake that broke off.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    /// What was read so far, at most [`SEEN_MAX_BYTES`].
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps what was read; `false` when the connection begins with something else than TLS.
    fn keep(&self, bytes: &[u8]) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SEEN_MAX_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        matches!(Speaks::of(&kept), Speaks::Tls | Speaks::Nothing)
    }
}

impl<T> Raw<T> {
    pub(super) const fn new(socket: T, seen: Seen, phase: Phase) -> Self {
        Self { socket, seen: Some(seen), held: Vec::new(), phase }
    }

    /// The handshake is over.
    pub(super) fn shaken(&mut self) {
        self.seen = None;
    }

    /// The socket itself, when nothing was held.
    pub(super) fn into_socket(self) -> T {
        self.socket
    }

    /// Whether these bytes may wait. Two kinds may: the ticket with which a handshake of TLS 1.3 ends, since nobody waits
    /// for it (in a handshake it is the first of our flights to be all cipher text, and longer than an alert); and the last
    /// answer of a connection, which the end of TLS follows at once.
    fn may_wait(&self, bufs: &[IoSlice<'_>], size: usize) -> bool {
        if self.held.len() + size > HELD_MAX_BYTES {
            return false;
        }
        if self.seen.is_some() {
            let first = bufs.iter().find_map(|buf| buf.first());
            return size > ALERT_MAX_BYTES && first == Some(&APPLICATION_DATA);
        }
        self.phase.ends()
    }
}

impl<T: AsyncWrite + Unpin> Raw<T> {
    /// Writes what is held, and these behind it; gives how many of these were written.
    fn write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let mut all = Vec::with_capacity(bufs.len() + 1);
            all.push(IoSlice::new(&self.held));
            all.extend(bufs.iter().map(|buf| IoSlice::new(buf)));
            let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, &all))?;
            drop(all);
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let own = written.min(self.held.len());
            self.held.drain(..own);
            if self.held.is_empty() {
                self.held = Vec::new();
                if written > own {
                    return Poll::Ready(Ok(written - own));
                }
            }
        }
        if bufs.is_empty() {
            return Poll::Ready(Ok(0));
        }
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Raw<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever reads on may wait for an answer to what is held; the ticket is the one thing that has none.
        if !self.held.is_empty() && (self.seen.is_some() || self.phase.ends()) {
            ready!(self.write(cx, &[]))?;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if let Some(seen) = &self.seen
            && !seen.keep(buf.filled().get(before..).unwrap_or_default())
        {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "no TLS")));
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Raw<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size = bufs.iter().map(|buf| buf.len()).sum();
        if self.may_wait(bufs, size) {
            for buf in bufs {
                self.held.extend_from_slice(buf);
            }
            return Poll::Ready(Ok(size));
        }
        self.write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() && self.seen.is_none() && !self.phase.ends() {
            ready!(self.write(cx, &[]))?;
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write(cx, &[]))?;
        if self.phase.ends() {
            return Poll::Ready(Ok(())); // it is closed next, which says the same
        }
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A hello with post-quantum shares has 1.8 KB; what follows it says little.
const SEEN_MAX_BYTES: usize = 4_096;
/// Most that waits: an answer to a device, and the end of TLS.
const HELD_MAX_BYTES: usize = 4_096;
/// A record with an alert: 5 bytes before it, 2 of it, its kind, and a tag of 16.
const ALERT_MAX_BYTES: usize = 24;
const APPLICATION_DATA: u8 = 23;

#[cfg(test)]
#[path = "raw_tests.rs"]
mod tests;
