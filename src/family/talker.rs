//! A pretend device that keeps a connection on which both sides speak when they like: it says what to write next, how
//! to put it and what may go wrong with it, and is told what came. Pure, as all of `simulator`.

use std::time::Duration;

use bytes::Bytes;

use super::simulator::{Fact, Purpose};

/// What it is to whoever lends it a connection.
pub trait Talker: Send {
    /// What it does next; `None` when it has nothing to do before its next tick. Each stroke given is to be followed by
    /// [`Talker::came`]. `host` is how the server is called.
    fn next(&mut self, host: &str) -> Option<Stroke>;

    /// Learns what came of the last stroke. Every fact that an audit can check is told. Says whether it may go on at
    /// once; else it rests a moment and tries again.
    fn came(&mut self, came: &Came, tell: &mut dyn FnMut(Fact)) -> bool;

    /// Makes it end its connection in order, and begin no other before its next tick.
    fn leave(&mut self);
}

/// One thing that it does on its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// What it is counted under.
    pub purpose: Purpose,
    /// Whether a connection is to be made for it.
    pub opens: bool,
    /// What is written, each piece by itself.
    pub pieces: Vec<Bytes>,
    /// The pause between two of them.
    pub apart: Duration,
    /// What follows.
    pub then: Then,
}

/// What follows what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It takes what has come by now.
    GoesOn,
    /// It waits until more than 100 bytes are there, and reads at most 200 (`websocket-mcu.md §2`).
    Answer,
    /// It reads until the other end has closed the connection, too.
    End,
    /// It is gone.
    Vanishes(Vanish),
}

/// A way to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vanish {
    /// The connection ends as the system ends one.
    Close,
    /// It is reset, and what was under way on it is lost.
    Reset,
    /// It stays, and nobody is there any more: a half-open connection.
    Freeze,
}

/// What came of a stroke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// There was no connection: nothing was written.
    Nothing,
    /// It was written, or was begun to be.
    Bytes {
        /// What was read since the stroke before.
        bytes: Bytes,
        /// Whether the connection is still of use.
        open: bool,
    },
}
