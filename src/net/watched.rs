//! A connection under time limits that hyper cannot tell apart: resting, sending a header block, not reading.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::limits::Limits;
use crate::http::{Body, BoxError};

/// Where a connection is between requests; shared by the socket, the service and the answer's body.
#[derive(Clone, Default)]
pub(super) struct Phase(Arc<State>);

#[derive(Default)]
struct State {
    phase: AtomicU8,
    /// Whether something was written that is not flushed.
    unflushed: AtomicBool,
    /// How many requests there were.
    turns: AtomicU32,
    /// Whether the last answer of the connection is on its way, with nothing more to be added to it.
    ends: AtomicBool,
}

impl Phase {
    /// The header block is complete: from here other limits count.
    pub(super) fn busy(&self) {
        self.set(BUSY);
        self.0.turns.fetch_add(1, Ordering::Relaxed);
        self.0.ends.store(false, Ordering::Relaxed);
    }

    /// hyper has all of the connection's last answer.
    pub(super) fn end(&self) {
        self.0.ends.store(true, Ordering::Relaxed);
    }

    /// Whether hyper has all of the connection's last answer, so that the end follows.
    pub(super) fn ends(&self) -> bool {
        self.0.ends.load(Ordering::Relaxed)
    }

    /// How many requests there were so far, if the connection rests: everything that was asked is answered to the
    /// last byte, and nothing of another request has come.
    pub(super) fn rests(&self) -> Option<u32> {
        let rests = self.now() == IDLE && !self.0.unflushed.load(Ordering::Relaxed);
        rests.then(|| self.turns())
    }

    /// Whether no request is complete, and everything that was asked before is answered to the last byte.
    pub(super) fn asks_nothing_yet(&self) -> bool {
        self.now() != BUSY && !self.0.unflushed.load(Ordering::Relaxed)
    }

    /// How many requests there were so far.
    pub(super) fn turns(&self) -> u32 {
        self.0.turns.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.phase.store(phase, Ordering::Relaxed);
    }

    fn now(&self) -> u8 {
        self.0.phase.load(Ordering::Relaxed)
    }

    fn unflushed(&self, unflushed: bool) {
        self.0.unflushed.store(unflushed, Ordering::Relaxed);
    }
}

/// The socket of one connection.
pub(super) struct Watched<T> {
    socket: T,
    /// Read before, and to be read again.
    early: Bytes,
    phase: Phase,
    /// What is waited for, by its phase and turn, and until when.
    timed: (u8, u32),
    due: Instant,
    /// Rings when it is due, or earlier. `None` when nobody minds how long it is silent.
    reading: Option<Pin<Box<Sleep>>>,
    writing: Option<Pin<Box<Sleep>>>,
    idle: Duration,
    head: Duration,
    write: Duration,
}

impl<T> Watched<T> {
    pub(super) fn new(socket: T, phase: Phase, limits: &Limits) -> Self {
        let idle = Duration::from_secs(limits.idle_time_s);
        Self {
            socket,
            early: Bytes::new(),
            phase,
            timed: (IDLE, 0),
            due: Instant::now() + idle,
            reading: Some(Box::pin(sleep(idle))),
            writing: None,
            idle,
            head: Duration::from_millis(limits.header_time_ms),
            write: Duration::from_millis(limits.write_time_ms),
        }
    }

    /// Lets these bytes be read once more, before any others.
    pub(super) fn put_back(&mut self, early: Bytes) {
        if early.is_empty() {
            return; // and lets go of the buffer that it may be the empty rest of
        }
        let behind = std::mem::replace(&mut self.early, early);
        if !behind.is_empty() {
            self.early = [&self.early[..], &behind[..]].concat().into();
        }
    }

    /// From here it may be silent for as long as it likes.
    pub(super) fn unwatch(&mut self) {
        self.reading = None;
        self.phase.busy();
    }

    /// From here the head of a request may take no longer than this.
    pub(super) fn hurry(&mut self, head: Duration) {
        self.head = self.head.min(head);
        self.due = self.due.min(Instant::now() + self.head);
        if let Some(clock) = &mut self.reading
            && self.due < clock.deadline()
        {
            clock.as_mut().reset(self.due);
        }
    }

    /// Whether what is waited for comes too late. The time begins anew when something else is waited for; the clock is
    /// set only where it would ring too late, and again when it rang too early, since it costs more than a look at it.
    fn read_late(&mut self, cx: &mut Context<'_>, waits: bool) -> bool {
        let Some(clock) = &mut self.reading else { return false };
        let phase = self.phase.now();
        let timed = (phase, self.phase.turns());
        if timed != self.timed {
            // What came may be all of it.
            if !waits {
                return false;
            }
            self.timed = timed;
            self.due = Instant::now() + if phase == HEAD { self.head } else { self.idle };
            if self.due < clock.deadline() {
                clock.as_mut().reset(self.due);
            }
        }
        if phase == BUSY || clock.as_mut().poll(cx).is_pending() {
            return false;
        }
        if self.due <= Instant::now() {
            return true;
        }
        clock.as_mut().reset(self.due);
        clock.as_mut().poll(cx).is_ready()
    }

    /// Passes on how a write went, unless it has been waiting for too long.
    fn write_late<R>(&mut self, cx: &mut Context<'_>, went: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if went.is_ready() {
            self.writing = None;
            return went;
        }
        let limit = self.write;
        let clock = self.writing.get_or_insert_with(|| Box::pin(sleep(limit)));
        match clock.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.early.is_empty() {
            let length = self.early.len().min(buf.remaining());
            let part = self.early.split_to(length);
            buf.put_slice(&part);
            if self.phase.now() == IDLE {
                self.phase.set(HEAD); // a request that came together with the one before it
            }
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let went = Pin::new(&mut self.socket).poll_read(cx, buf);
        if buf.filled().len() > before && self.phase.now() == IDLE {
            self.phase.set(HEAD);
        }
        // Checked after every read, so a byte now and then does not put the end off.
        if self.read_late(cx, went.is_pending()) {
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        } else {
            went
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.phase.unflushed(true);
        let went = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.write_late(cx, went)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.phase.unflushed(true);
        let went = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.write_late(cx, went)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let went = Pin::new(&mut self.socket).poll_flush(cx);
        if let Poll::Ready(Ok(())) = went {
            // hyper flushes the socket when it has nothing left to write itself.
            self.phase.unflushed(false);
        }
        self.write_late(cx, went)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let went = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.write_late(cx, went)
    }
}

/// The answer's body; when hyper has taken all of it, the connection rests again.
pub(super) struct Answer {
    body: Body,
    phase: Phase,
    last: bool,
}

impl Answer {
    /// `last` when the connection surely ends after it.
    pub(super) const fn new(body: Body, phase: Phase, last: bool) -> Self {
        Self { body, phase, last }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.last {
            self.phase.end();
        }
        self.phase.set(IDLE);
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
