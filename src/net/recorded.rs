//! A socket that keeps its first bytes, so that a handshake that failed can be told about.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The socket of one connection; keeps what it reads until told that it is enough.
pub(super) struct Recorded<T> {
    socket: T,
    seen: Option<Seen>,
}

/// The first bytes of a connection; outlives a handshake that broke off.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Vec<u8>>>);

impl Seen {
    /// What was read so far, at most [`SEEN_MAX_BYTES`].
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SEEN_MAX_BYTES.saturating_sub(kept.len());
        kept.extend(bytes.iter().take(room));
    }
}

impl<T> Recorded<T> {
    pub(super) const fn new(socket: T, seen: Seen) -> Self {
        Self { socket, seen: Some(seen) }
    }

    /// Keeps nothing more.
    pub(super) fn enough(&mut self) {
        self.seen = None;
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Recorded<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        if let Some(seen) = &self.seen {
            seen.keep(buf.filled().get(before..).unwrap_or_default());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Recorded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// A hello with post-quantum shares has 1.8 KB; what follows it says little.
const SEEN_MAX_BYTES: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn the_first_bytes_are_kept_until_it_is_enough() {
        let seen = Seen::default();
        let mut socket = Recorded::new(&[7_u8; 9000][..], seen.clone());
        let mut part = vec![0; 10];
        socket.read_exact(&mut part).await.unwrap();
        assert_eq!(seen.bytes(), [7; 10]);
        socket.read_exact(&mut [0; 5000]).await.unwrap();
        assert_eq!(seen.bytes().len(), SEEN_MAX_BYTES);
        let seen = Seen::default();
        let mut socket = Recorded::new(&[7_u8; 20][..], seen.clone());
        socket.enough();
        socket.read_exact(&mut part).await.unwrap();
        assert!(seen.bytes().is_empty());
    }
}
