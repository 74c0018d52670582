//! What a pretend device is to the driver that lends it real sockets (`simulate`): it says what to send next, and is
//! told what became of it. Pure: no clock, no socket, no chance but its seed's.
//!
//! Some make calls and are answered ([`Caller`]), some keep a connection on which both sides speak when they like
//! ([`Talker`]).

use std::time::Duration;

use bytes::Bytes;

pub use super::chance::Chance;
pub use super::talker::{Came, Stroke, Talker, Then, Vanish};
use crate::model::{Timestamp, Verdict};

/// A pretend device with the equipment behind it.
pub trait Simulator: Send {
    /// What devices of its kind have in common.
    fn habits(&self) -> Habits;

    /// The addresses it speaks for, that of the device which calls first.
    fn addresses(&self) -> &[String];

    /// Turns on what shall go wrong from now on; `None` is fair weather.
    fn suffer(&mut self, fault: Option<Fault>);

    /// Lets its time come to `now`: what falls due is queued in it.
    fn tick(&mut self, now: Timestamp);

    /// Something an operator might ask of it now.
    fn order(&mut self) -> Order;

    /// How it speaks; always the same way.
    fn way(&mut self) -> Way<'_>;
}

/// How a pretend device speaks.
pub enum Way<'a> {
    /// It makes calls, and each is answered.
    Calls(&'a mut dyn Caller),
    /// It keeps a connection.
    Talks(&'a mut dyn Talker),
}

/// A pretend device that makes calls.
pub trait Caller: Send {
    /// The next call; `None` when it has nothing to say before its next tick. Each call given is to be followed by
    /// [`Caller::heard`].
    fn next(&mut self, now: Timestamp) -> Option<Call>;

    /// Learns what became of the last call. Every fact that an audit can check is told.
    fn heard(&mut self, now: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact));

    /// The client certificate it was given, if any.
    fn identity(&self) -> Option<&Identity> {
        None
    }

    /// Tells it what an operator made for it, so that it can prove who it is.
    fn entrust(&mut self, secret: &str) {
        let _ = secret;
    }

    /// Gives it a key of its own to be certified, in place of one that the server makes.
    fn bring(&mut self, application: Application) {
        drop(application);
    }

    /// Wishes for a published file of so many bytes.
    fn fetch(&mut self, name: &str, size: usize) {
        let _ = (name, size);
    }
}

/// What the pretend devices of a dialect have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Habits {
    /// What people call several of them.
    pub called: &'static str,
    /// Which listener they call.
    pub door: Door,
    /// How often one is given a turn by the clock on the wall.
    pub every: Duration,
    /// Messages of one with all equipment behind it in a minute, about.
    pub a_minute: f64,
    /// How much of their time a run plays unless told otherwise, as people write it.
    pub span: &'static str,
    /// What can go wrong with them.
    pub faults: &'static [Fault],
    /// Whether they fetch published files and take files in pieces.
    pub files: bool,
    /// What becomes of orders.
    pub orders: Orders,
    /// What an operator makes for each of them before it can call.
    pub given: Given,
    /// Whether each message is a new one, also if it says what another said.
    pub alike_is_new: bool,
}

/// What becomes of the orders that pretend devices are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orders {
    /// Each is carried out and told of.
    Each,
    /// One takes the place of another that was not carried out yet.
    Newest,
    /// Each is carried out and nobody is told: it is over once it was sent.
    Silent,
    /// They take none.
    Never,
}

/// What an operator makes for a pretend device, so that it can prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// Nothing.
    Nothing,
    /// A login with its address as the name. The device is not made: its first call does that.
    Login,
    /// A token.
    Token,
}

/// A listener of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// That with TLS, where the API is, too.
    Https,
    /// That for plain HTTP.
    Http,
    /// That for microcontrollers.
    Ws,
}

impl Door {
    /// As it stands in front of an address.
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ws => "ws",
        }
    }

    /// The port that nobody writes down.
    pub const fn usual_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http | Self::Ws => 80,
        }
    }
}

/// Who a pretend device shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its number in the fleet, from 1. The same number has the same addresses in every run.
    pub number: u32,
    /// How many pieces of equipment stand behind it.
    pub behind: u8,
    /// What all its chances come from.
    pub seed: u64,
}

/// What can go wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Some messages carry a wrong checksum.
    BadCrc,
    /// Some messages carry none.
    NoCrc,
    /// Some requests break off in the middle of their body; the message comes again.
    HalfBody,
    /// Some requests trickle.
    Slow,
    /// Some answers get lost, and the message comes again.
    Duplicate,
    /// Every call is made on a connection of its own, by everybody at once.
    ReconnectStorm,
    /// The device's clock is wrong or stands still.
    ClockSkew,
    /// The connection ends while a command is being fetched.
    KillMidPull,
    /// Some messages are none.
    Garbage,
    /// Messages come several at once, cut where no message ends.
    Glued,
    /// The device is gone, without a word: its power was cut.
    Vanish,
    /// It starts anew, and its counter with it.
    Reboot,
    /// It speaks as other clients of the same listener do.
    Neighbours,
}

impl Fault {
    /// Each of them.
    pub const ALL: [Self; 13] = [
        Self::BadCrc,
        Self::NoCrc,
        Self::HalfBody,
        Self::Slow,
        Self::Duplicate,
        Self::ReconnectStorm,
        Self::ClockSkew,
        Self::KillMidPull,
        Self::Garbage,
        Self::Glued,
        Self::Vanish,
        Self::Reboot,
        Self::Neighbours,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadCrc => "bad-crc",
            Self::NoCrc => "no-crc",
            Self::HalfBody => "half-body",
            Self::Slow => "slow",
            Self::Duplicate => "duplicate",
            Self::ReconnectStorm => "reconnect-storm",
            Self::ClockSkew => "clock-skew",
            Self::KillMidPull => "kill-mid-pull",
            Self::Garbage => "garbage",
            Self::Glued => "glued",
            Self::Vanish => "vanish",
            Self::Reboot => "reboot",
            Self::Neighbours => "neighbours",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.as_str() == text)
    }
}

/// A request to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What it is for.
    pub purpose: Purpose,
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Path and query, escaped.
    pub target: String,
    /// Header lines beside `Host` and `Content-Length`.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Bytes,
    /// How the request is put.
    pub form: Form,
    /// What shall go wrong with it.
    pub trouble: Trouble,
}

/// How a request is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// HTTP/1.1; a body has its length.
    #[default]
    Plain,
    /// HTTP/1.1; a body comes in chunks.
    Chunked,
    /// HTTP/1.1; a body is kept back until the server asks for it.
    Expecting,
    /// HTTP/1.0; the connection ends with the answer.
    Old,
    /// HTTP/1.0 as MicroPython's `urequests` writes it: name, colon, value and line end each by itself, `Host` without
    /// the port. Of the answer it reads the head, and then leaves the socket as it is (`tswarm-node.md §2`).
    Pieces,
}

/// What a call is for, and what it is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// To be given certificates.
    Provision,
    /// To set the clock.
    Time,
    /// To hand over a message.
    Push,
    /// To hand over a message, and be registered with it.
    Register,
    /// To fetch a command.
    Pull,
    /// To tell settings and hear which are wanted.
    Sync,
    /// To fetch a file.
    Download,
    /// To become a connection that lasts.
    Upgrade,
    /// To say something on it.
    Send,
    /// To end it in order.
    Goodbye,
}

impl Purpose {
    /// Each of them, in the order of a device's life.
    pub const ALL: [Self; 10] = [
        Self::Provision,
        Self::Time,
        Self::Push,
        Self::Register,
        Self::Pull,
        Self::Sync,
        Self::Download,
        Self::Upgrade,
        Self::Send,
        Self::Goodbye,
    ];

    /// What it is called in a summary.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Time => "time",
            Self::Push => "push",
            Self::Register => "register",
            Self::Pull => "pull",
            Self::Sync => "sync",
            Self::Download => "download",
            Self::Upgrade => "upgrade",
            Self::Send => "send",
            Self::Goodbye => "goodbye",
        }
    }
}

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// It trickles, and is answered.
    Slow,
    /// It is made on a fresh connection.
    Fresh,
    /// The connection ends in the middle of the request: the server cannot have it.
    HalfSent,
    /// The connection ends with the first byte of the answer: the server has it.
    HalfHeard,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came.
    Answered {
        /// Its status.
        status: u16,
        /// Its first lines, as they came.
        head: Bytes,
        /// Its body; one that comes in chunks still has their marks.
        body: Bytes,
    },
    /// No answer came; whether the server has the request is not known.
    Broken,
    /// The request did not leave as a whole: the server does not have it.
    Unsent,
}

/// Something that can be checked against what the server stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A message was on its way to the server, which may have it.
    Said {
        /// Its exact text.
        text: Bytes,
        /// Whose it is: a place in [`Simulator::addresses`]. `None` when it does not say: then the server may keep it
        /// anywhere.
        from: Option<usize>,
        /// What the server must find in it when it comes first.
        verdict: Verdict,
        /// Whether the server said that it has it.
        confirmed: bool,
    },
    /// A message that was said before is the server's for sure.
    Sure {
        /// Its exact text.
        text: Bytes,
    },
    /// The connection ended otherwise than in order: what was on it may have reached the other end or not.
    Vanished,
    /// A command came.
    Got {
        /// Its exact text.
        text: Bytes,
        /// Whether it came for the first time.
        first: bool,
    },
    /// A command was answered; the message itself is told by [`Fact::Said`].
    Replied {
        /// The command's exact text.
        to: Bytes,
        /// The reply's exact text.
        text: Bytes,
    },
    /// A message that was confirmed set a value, which is the newest one from now on.
    Shows {
        /// Whose it is: a place in [`Simulator::addresses`].
        from: usize,
        /// What the server calls it.
        sensor: &'static str,
        /// The value; `None` when it cannot be known any more.
        value: Option<i64>,
    },
    /// A message that was confirmed holds so many values of a sensor that the server did not have yet.
    Holds {
        /// Whose it is: a place in [`Simulator::addresses`].
        from: usize,
        /// What the server calls it.
        sensor: &'static str,
        /// How many.
        count: u64,
        /// Whether they must be stored; else they may be, too.
        sure: bool,
    },
    /// A file arrived whole.
    File {
        /// Its name.
        name: String,
        /// Its content.
        content: Bytes,
    },
    /// Something was answered that the dialect does not provide for.
    Odd(String),
}

/// A device's own key and the request to certify it, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Application {
    /// The key.
    pub key: String,
    /// The request.
    pub request: String,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Application")
    }
}

/// A certificate of a device's own, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// What an operator asks, as `POST /devices/{id}/commands` takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The device it is for.
    pub address: String,
    /// Where to, in the dialect's own way.
    pub dst: Vec<String>,
    /// The verb.
    pub cmd: &'static str,
    /// The payload, JSON text.
    pub payload: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_their_names() {
        for fault in Fault::ALL {
            assert_eq!(Fault::parse(fault.as_str()), Some(fault));
        }
        assert_eq!(Fault::parse("rain"), None);
    }
}
