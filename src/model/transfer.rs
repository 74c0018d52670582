//! Sending a file to a device piece by piece through its command queue: what is sent, and the only ways a
//! transfer moves on (`cwm-oke.md §8`). Pure: takes what became of its commands and the time, and says what is next.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::random_id;
use super::{CommandId, CommandState, DeviceRef, Timestamp};

random_id! {
    /// A transfer's name: random text.
    TransferId
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TransferState {
    /// Waiting for its turn, or for its module to be online.
    Queued,
    /// Pieces are on their way.
    Transferring,
    /// The module took every piece. Whether the equipment has the file whole is not known, or not yet.
    Delivered,
    /// The equipment lists the file with the checksum of what was sent. Final.
    Confirmed,
    /// Given up. Final.
    Failed,
    /// Withdrawn by a person. Final.
    Aborted,
}

impl TransferState {
    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Transferring => "transferring",
            Self::Delivered => "delivered",
            Self::Confirmed => "confirmed",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
        }
    }
}

/// The file as it was published when the transfer was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parcel {
    /// The name it is published under.
    pub file: String,
    /// The name the equipment is to know it by.
    pub name: String,
    /// Its length in bytes, at most [`PARCEL_BYTES_MAX`].
    pub size: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// MD5, lower-case hex.
    pub md5: String,
    /// CRC-16/IBM-3740 (`cwm-oke.md §5.1`): four hex digits in upper case.
    pub crc16: String,
}

/// The longest file that may be sent (`cwm-oke.md §8`).
pub const PARCEL_BYTES_MAX: u64 = (1 << 31) - 1;

/// A file on its way to a device, or what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// The device it is for.
    pub device: DeviceRef,
    /// The address of the device that fetches the pieces; the same one unless another stands in front.
    pub via: String,
    /// The file.
    pub parcel: Parcel,
    /// Length of a piece in bytes. A shorter one ends the file.
    pub piece_bytes: u32,
    /// Where it stands.
    pub state: TransferState,
    /// Why it stands there, as a sentence for a person.
    pub reason: String,
    /// Who asked for it: `user:<name>`.
    pub by: String,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it last moved on.
    pub changed: Timestamp,
    /// How many pieces the module took since the file was begun last.
    pub taken: u64,
    /// How often the file was begun anew.
    pub restarts: u32,
    /// The command that is under way.
    pub open: Option<Errand>,
    /// When the equipment is to be asked what it has; `None` when it is not, or not any more.
    pub ask_at: Option<Timestamp>,
    /// How often it was asked.
    pub asked: u32,
    /// What it listed last for this file, if that does not confirm it.
    pub listed: Option<String>,
    /// Whether it listed another checksum than that of what was sent.
    pub differs: bool,
}

/// A command of a transfer. Its id follows from the transfer, so that a crash between noting and queueing it
/// can neither lose nor double it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// The command.
    pub command: CommandId,
    /// What it carries.
    pub what: Load,
}

/// What a command of a transfer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Load {
    /// A piece of the file.
    Piece {
        /// Where in the file it begins.
        offset: u64,
        /// Its length in bytes; 0 for the one that closes a file whose length is a multiple.
        len: u32,
    },
    /// The question what files the equipment has.
    Directory,
}

/// What an equipment's directory says of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It has the file, with a checksum of what was sent. The checksum as listed.
    Same(String),
    /// It has a file of this name with another checksum, which is given.
    Other(String),
    /// It has a file of this name and gives no checksum.
    Unsigned,
}

/// What a transfer does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// Its next command is to be queued.
    Errand(Errand),
    /// Nothing before this time.
    NotBefore(Timestamp),
    /// A command is under way, or it waits to be begun.
    Wait,
    /// Nothing any more.
    Nothing,
}

/// How patient transfers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a file is begun anew after a piece was given up.
    pub restarts_max: u32,
    /// How often the equipment is asked what it has; 0 asks never.
    pub asks_max: u32,
    /// How long the answer may take.
    pub answer_within: Duration,
}

impl Transfer {
    /// How many pieces the file makes: a file whose length is a multiple is closed by an empty one.
    pub fn pieces(&self) -> u64 {
        self.parcel.size / u64::from(self.piece_bytes.max(1)) + 1
    }

    /// How much of the file the module took, 0 to 100.
    pub fn percent(&self) -> u8 {
        let share = self.taken.min(self.pieces()) * 100 / self.pieces();
        u8::try_from(share).unwrap_or(100)
    }

    /// How many bytes of the file the module took.
    pub fn taken_bytes(&self) -> u64 {
        (self.taken * u64::from(self.piece_bytes)).min(self.parcel.size)
    }

    /// Whether nothing happens any more.
    pub fn is_over(&self) -> bool {
        match self.state {
            TransferState::Queued | TransferState::Transferring => false,
            TransferState::Delivered => self.ask_at.is_none() && self.open.is_none(),
            TransferState::Confirmed | TransferState::Failed | TransferState::Aborted => true,
        }
    }

    /// Sends the first piece on its way.
    pub fn begin(&mut self, at: Timestamp) {
        if self.state == TransferState::Queued {
            self.go(TransferState::Transferring, "its pieces are on their way", at);
        }
    }

    /// What is next. The errand must be noted ([`Transfer::note`]) before its command is queued.
    pub fn onward(&self, now: Timestamp) -> Onward {
        if self.open.is_some() {
            return Onward::Wait;
        }
        match (self.state, self.ask_at) {
            (TransferState::Queued, _) => Onward::Wait,
            (TransferState::Transferring, _) => {
                let offset = self.taken * u64::from(self.piece_bytes);
                let left = self.parcel.size.saturating_sub(offset);
                let len = u32::try_from(left).unwrap_or(u32::MAX).min(self.piece_bytes);
                let id = format!("{}-{}-{}", self.id, self.restarts, self.taken);
                Onward::Errand(Errand { command: CommandId::new(&id), what: Load::Piece { offset, len } })
            }
            (TransferState::Delivered, Some(at)) if at > now => Onward::NotBefore(at),
            (TransferState::Delivered, Some(_)) => {
                let id = format!("{}-dir-{}", self.id, self.asked);
                Onward::Errand(Errand { command: CommandId::new(&id), what: Load::Directory })
            }
            (TransferState::Delivered, None)
            | (TransferState::Confirmed | TransferState::Failed | TransferState::Aborted, _) => {
                Onward::Nothing
            }
        }
    }

    /// Notes the command that is about to be queued.
    pub fn note(&mut self, errand: Errand) {
        if errand.what == Load::Directory {
            self.asked += 1;
        }
        self.open = Some(errand);
    }

    /// Takes what became of the command under way. `why` is the reason its last change of state gave.
    pub fn settle(&mut self, became: CommandState, why: &str, at: Timestamp, patience: Patience) {
        let Some(errand) = &self.open else { return };
        match (errand.what, became) {
            (_, CommandState::Queued | CommandState::Sent) => {}
            (Load::Piece { .. }, CommandState::Accepted | CommandState::Answered) => {
                self.open = None;
                self.taken += 1;
                self.changed = at;
                if self.taken == self.pieces() {
                    self.ask_at = (patience.asks_max > 0).then_some(at);
                    self.go(TransferState::Delivered, "the module took every piece", at);
                }
            }
            (Load::Piece { .. }, CommandState::Failed) if self.restarts < patience.restarts_max => {
                // Offset 0 opens the file anew (§8); in the middle nobody knows what the equipment has.
                self.open = None;
                self.restarts += 1;
                self.taken = 0;
                self.changed = at;
                self.reason = format!("begun anew, for a piece was given up: {why}");
            }
            (Load::Piece { .. }, CommandState::Failed | CommandState::Expired) => {
                self.fail(&format!("a piece was given up: {why}"), at);
            }
            (Load::Piece { .. }, CommandState::Cancelled) => {
                self.abort("a piece was withdrawn from the queue", at);
            }
            (Load::Directory, CommandState::Accepted | CommandState::Answered) => {
                self.open = None;
                self.ask_at = Some(at.plus(patience.answer_within));
            }
            (Load::Directory, CommandState::Failed | CommandState::Expired | CommandState::Cancelled) => {
                self.open = None;
                self.conclude(at);
            }
        }
    }

    /// Takes what the equipment's directory says of the file, whether it was asked or not.
    pub fn listed(&mut self, listing: &Listing, at: Timestamp) {
        if self.state != TransferState::Delivered {
            return;
        }
        match listing {
            Listing::Same(sum) => {
                self.listed = None;
                self.go(TransferState::Confirmed, &format!("the equipment lists it with {sum}"), at);
            }
            Listing::Other(sum) => {
                self.differs = true;
                self.listed = Some(format!(
                    "the equipment lists it with {sum}, which is the checksum of something else"
                ));
            }
            Listing::Unsigned => {
                self.differs = false;
                self.listed = Some("the equipment lists it without a checksum".to_owned());
            }
        }
        if self.is_over() {
            self.open = None;
            self.ask_at = None;
        }
    }

    /// Ends the questions when enough were asked and the last one had its time.
    pub fn lose_patience(&mut self, now: Timestamp, patience: Patience) {
        let waited = self.ask_at.is_some_and(|at| at <= now);
        if self.open.is_none() && waited && self.asked >= patience.asks_max {
            self.conclude(now);
        }
    }

    /// Gives the transfer up.
    pub fn fail(&mut self, why: &str, at: Timestamp) {
        self.end(TransferState::Failed, why, at);
    }

    /// Withdraws it. What the module took stays there.
    pub fn abort(&mut self, why: &str, at: Timestamp) {
        self.end(TransferState::Aborted, why, at);
    }

    /// The end of a delivered transfer that was not confirmed.
    fn conclude(&mut self, at: Timestamp) {
        self.ask_at = None;
        let said = self.listed.clone().unwrap_or_else(|| "the equipment did not list the file".to_owned());
        if self.differs {
            self.go(TransferState::Failed, &said, at);
        } else {
            self.reason = format!("the module took every piece; {said}");
        }
    }

    fn end(&mut self, state: TransferState, why: &str, at: Timestamp) {
        if !self.is_over() {
            self.open = None;
            self.ask_at = None;
            self.go(state, why, at);
        }
    }

    fn go(&mut self, state: TransferState, why: &str, at: Timestamp) {
        self.state = state;
        why.clone_into(&mut self.reason);
        self.changed = at;
    }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;
