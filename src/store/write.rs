//! Everything that may be written, and what each write answers.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{Prune, Pruned};
use crate::model::{
    Admission, AuditEntry, CommandId, CommandRecord, Credential, Device, DeviceId, DeviceRef, Draft, Dress,
    HmacCheck, Lease, Origin, Reading, Role, Sees, Seq, Session, Timestamp, Token, UserId, Verdict, WireId,
};

/// One durable change. Whole or not at all.
#[derive(Debug)]
pub enum Write {
    /// A message came in.
    Report(Arc<ReportWrite>),
    /// A person wants something said to a device. Adopts the device and its `via` (an unseen one is made
    /// before by `Device`).
    Enqueue(Box<Draft>),
    /// A device asks for its oldest due command.
    Lease {
        /// The device that asks.
        via: DeviceId,
        /// What it says of the command it got last.
        last: Acknowledgement,
        /// Now.
        at: Timestamp,
        /// Until when the command is taken as being on its way. `None` when the device never says what became of
        /// one: then `sent` is where it rests, and [`Write::HandBack`] takes it back if its bytes did not leave.
        until: Option<Timestamp>,
        /// How often a command may be handed out before it is given up.
        attempts_max: u32,
        /// The asking peer's address, for the ledger's entry of what went out.
        peer: String,
        /// Makes what goes out of the command's bytes, where more is said with it.
        dress: Option<Dress>,
    },
    /// Something was said to a device that is no command, for the ledger.
    Said {
        /// To whom.
        device: DeviceRef,
        /// When.
        at: Timestamp,
        /// The peer's address.
        peer: String,
        /// The exact bytes.
        raw: Bytes,
    },
    /// A command that was handed out did not leave: it goes back to the head of the queue. `Refused` unless it is
    /// `sent`.
    HandBack {
        /// Which.
        id: CommandId,
        /// When.
        at: Timestamp,
        /// Why, as a sentence for a person.
        reason: String,
    },
    /// A person withdraws a command; `Refused` unless it is queued.
    Cancel {
        /// Which.
        id: CommandId,
        /// When.
        at: Timestamp,
        /// `user:<name>`.
        by: String,
    },
    /// Time passes: queued (and sent, unanswered) commands past their expiry expire; sent commands past their
    /// hold return to the queue with back-off, or fail after `attempts_max`; sessions past their end go.
    Sweep {
        /// Now.
        at: Timestamp,
        /// How often a command may be handed out before it is given up.
        attempts_max: u32,
    },
    /// Makes a device, or changes one that has the same id: everything in `Device` but `created` is set.
    /// `Conflict` when (family, address) belongs to another id.
    Device(Box<Device>),
    /// Forgets a device: its row, readings and open commands go (the ledger stays, with the device's names).
    Forget(DeviceId),
    /// Puts into its places what messages said and an engine keeps aside for later. Readers ask for it; nobody else
    /// need.
    File,
    /// Users, sessions and tokens.
    User(Box<UserWrite>),
    /// Adds a row to the audit log.
    Audit(Box<AuditEntry>),
    /// Removes a bounded piece of what is old.
    Prune(Prune),
    /// Writes when the store was last tried, to see that it can be written.
    Probe {
        /// Now.
        at: Timestamp,
        /// So many bytes beside.
        bytes: usize,
    },
    /// Keeps a small document, or removes one.
    Record(Box<RecordWrite>),
    /// Keeps and removes several, all or none.
    Records(Vec<RecordWrite>),
}

/// A small document that is to be kept under its kind and key, or removed.
#[derive(Debug)]
pub struct RecordWrite {
    /// Which part's, and what it is.
    pub kind: &'static str,
    /// Its name among those of its kind.
    pub key: String,
    /// The device it is about; it goes when the device is forgotten.
    pub device: Option<DeviceId>,
    /// Now.
    pub at: Timestamp,
    /// The document as JSON text; `None` removes it, and one that is not there is no error.
    pub body: Option<String>,
    /// So many of this kind are kept, the newest; `None` keeps all.
    pub keep_max: Option<u32>,
    /// Whether it must be the first with its key: else `Conflict`.
    pub only_new: bool,
    /// The text that it must replace: else `Conflict`.
    pub was: Option<String>,
}

/// A message with all that follows from it.
#[derive(Clone, Debug)]
pub struct ReportWrite {
    /// Devices to make or touch first, in this order (a parent before its child). They were heard `at` its arrival: their
    /// own `last_seen` says nothing. For a known id only that (never backwards) and a missing `parent` are set.
    pub devices: Vec<Arc<Device>>,
    /// Whose message it is, one of them; `None` when it did not say.
    pub device: Option<Arc<Device>>,
    /// When it arrived.
    pub at: Timestamp,
    /// When its values arrived elsewhere, if they are brought over from there. Such a message is no sign of life, and
    /// its values are newest values only where they are newer than those.
    pub past: Option<Timestamp>,
    /// What the check found. `Ok`, `BadCrc` and `NoCrc` become `Duplicate` when `fingerprint` was stored before.
    pub verdict: Verdict,
    /// What the check of its HMAC found; `None` when it was not looked at.
    pub hmac: Option<HmacCheck>,
    /// What makes two messages the same one for this device; `None` never repeats.
    pub fingerprint: Option<[u8; 16]>,
    /// The peer's address without port.
    pub peer: String,
    /// The exact bytes.
    pub raw: Bytes,
    /// What it measured; not stored when the verdict turns out `Duplicate`.
    pub readings: Vec<Reading>,
    /// What it may answer; not looked at when the verdict turns out `Duplicate`.
    pub reply: Option<Reply>,
    /// The device whose queue the sender would fetch from: sets `Reported::pending`.
    pub via: Option<DeviceId>,
}

impl ReportWrite {
    /// The names of the device whose message it is.
    pub fn names(&self) -> Option<&DeviceRef> {
        self.device.as_ref().map(|device| &device.names)
    }

    /// When its devices were heard by it.
    pub fn heard(&self) -> Option<Timestamp> {
        // Nobody is heard by what is brought over.
        Some(self.at).filter(|_| self.past.is_none())
    }
}

/// A message's claim to be the reply to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Any of these devices may be the command's target.
    pub from: Vec<DeviceId>,
    /// The command's number on the wire.
    pub wire_id: WireId,
    /// Top-level payload keys; a command that shares one is preferred.
    pub keys: Vec<String>,
    /// Only commands handed out at or after this time match (`cwm-oke.md §7.3`: ten minutes).
    pub since: Timestamp,
}

/// A device that fetched a command and has not acknowledged it for so long is told to ask again, although
/// nothing new waits: a CWM says only with its next question that it took the last answer
/// (`cwm-oke.md §3.3`), and it asks only when told. Without this the command would be handed out twice.
/// Shorter than the minute between two heartbeats.
pub const ASK_AGAIN: Duration = Duration::from_secs(30);

/// What a device that asks says of the command it got last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// It took it: `sent` becomes `accepted`.
    Taken,
    /// It did not: `sent` goes back to the head of the queue at once, or fails after `attempts_max`.
    NotTaken,
}

/// Changes to users, sessions and tokens.
#[derive(Debug)]
pub enum UserWrite {
    /// Adds one; `Conflict` when the name is taken (letter case does not count).
    Add(Credential),
    /// Sets a password and ends the user's sessions.
    Password {
        /// Whose.
        user: UserId,
        /// Argon2id, PHC text.
        password_hash: String,
        /// The session that goes on.
        but: Option<String>,
    },
    /// Sets a role. `Refused` when it would leave no administrator.
    Role {
        /// Whose.
        user: UserId,
        /// To what.
        role: Role,
    },
    /// Sets which devices a user sees.
    Sees {
        /// Who.
        user: UserId,
        /// Which.
        sees: Sees,
    },
    /// Removes one with its sessions and tokens. `Refused` for the last administrator.
    Remove(UserId),
    /// Opens a session with what lets its holder in. Of a user's sessions the [`SESSIONS_MAX`] last used stay.
    OpenSession(Session, Admission),
    /// Renews a session, if what is shown is its newest refresh token: compared and replaced in one step, so of several
    /// that show it one succeeds. Whoever shows an older one ends the session. Outcome `Renewed`.
    Renew(Renewal),
    /// Notes a session's use, by its id.
    TouchSession {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
        /// From where.
        origin: Origin,
    },
    /// Ends one, by its id. Ending an unknown one is no error.
    CloseSession(String),
    /// Ends all of a user.
    CloseSessions {
        /// Whose.
        user: UserId,
        /// The one that goes on.
        but: Option<String>,
    },
    /// Adds an API token.
    AddToken(Token),
    /// Ends one, by its id.
    RevokeToken(String),
    /// Notes a token's use, by its id.
    TouchToken(String, Timestamp),
}

/// A refresh token that is shown, and what shall come in its place.
#[derive(Clone, Debug)]
pub struct Renewal {
    /// SHA-256 of the half that is the session's.
    pub family_hash: [u8; 32],
    /// SHA-256 of the other half.
    pub shown_hash: [u8; 32],
    /// When it was shown.
    pub at: Timestamp,
    /// From where.
    pub origin: Origin,
    /// The next one's other half.
    pub secret_hash: [u8; 32],
    /// When that ends.
    pub refresh_expires: Timestamp,
    /// What lets the holder in from now on; the one before it stays good until its end.
    pub admission: Admission,
}

/// What became of a renewal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// It is done; so the session's id.
    Done(String),
    /// The token was not the newest, or an older one was shown before: the session has ended.
    Reused,
    /// There is no such session, or the token is past its end.
    Ended,
}

/// Sessions that a user may have.
pub const SESSIONS_MAX: i64 = 100;

/// What a write did.
#[derive(Debug)]
pub enum Outcome {
    /// Of `Report`.
    Reported(Reported),
    /// Of `Enqueue`.
    Enqueued(Box<Enqueued>),
    /// Of `Lease`.
    Leased(Box<Leased>),
    /// Of `Cancel`, `HandBack` and `Sweep`: the commands that changed, as they now are.
    Changed(Vec<CommandRecord>),
    /// Of `Prune`.
    Pruned(Pruned),
    /// Of `Renew`.
    Renewed(Renewed),
    /// Of everything else.
    Done,
}

/// What became of a message.
#[derive(Debug)]
pub struct Reported {
    /// Its place in the ledger.
    pub seq: Seq,
    /// The verdict as stored.
    pub verdict: Verdict,
    /// Whether `via` should ask: a due command waits for it, or one it fetched is not acknowledged after
    /// [`ASK_AGAIN`] (only for an active device).
    pub pending: bool,
    /// The command it settled.
    pub settled: Option<Box<Settled>>,
}

/// A command that a message settled.
#[derive(Debug)]
pub struct Settled {
    /// The command as it now is.
    pub command: CommandRecord,
}

/// A command that was queued.
#[derive(Debug)]
pub struct Enqueued {
    /// The command as it now is, with its number and bytes.
    pub command: CommandRecord,
    /// The devices that were adopted by it.
    pub adopted: Vec<DeviceId>,
}

/// What a device that asked gets.
#[derive(Debug)]
pub struct Leased {
    /// The command, if one is due.
    pub lease: Option<Lease>,
    /// Whether another is waiting behind it.
    pub more: bool,
    /// Commands whose state changed, as they now are.
    pub changed: Vec<CommandRecord>,
}
