//! Commands: what is to be said to a device, and the only ways its state may change.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::id::random_id;
use super::{DeviceRef, Timestamp};

/// The number a command carries on the wire, which pairs a reply with it (`_id` of a CWM).
pub type WireId = u16;

random_id! {
    /// A command's name: random text.
    CommandId
}

impl CommandId {
    /// The one id of what a plan wants said at a time, sorted by that time: whoever carries out the plan comes
    /// to the same, so that it is queued once.
    pub fn planned(plan: &str, at: Timestamp) -> Self {
        let digest = sha2::Sha256::digest(format!("{plan}@{}", at.micros()));
        let mut tail = [0; 10];
        for (byte, drawn) in tail.iter_mut().zip(digest) {
            *byte = drawn;
        }
        let milliseconds = u64::try_from(at.micros().div_euclid(1000)).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &tail).into_uuid();
        Self::new(&id.simple().to_string())
    }
}

/// Where a command stands. It is in exactly one state, and every change carries a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandState {
    /// Waiting for the device to ask.
    Queued,
    /// Handed out; the device has not said that it took it.
    Sent,
    /// The device took it. A reply may still come; a missing one means nothing (`cwm-oke.md §7.3`).
    Accepted,
    /// The device replied. Final.
    Answered,
    /// Given up. Final.
    Failed,
    /// Its time ran out before the device took it. Final.
    Expired,
    /// Withdrawn by a person before it was handed out. Final.
    Cancelled,
}

impl CommandState {
    /// Every state, in the order a command may pass through them.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Sent,
        Self::Accepted,
        Self::Answered,
        Self::Failed,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The word used in the API and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word used in the API and the store.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing can happen to the command any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Answered | Self::Failed | Self::Expired | Self::Cancelled => true,
            Self::Queued | Self::Sent | Self::Accepted => false,
        }
    }

    /// Checks a change of state. `Queued` to `Answered` is the late reply to an earlier try.
    ///
    /// # Errors
    /// [`Illegal`] when the state machine has no such edge.
    pub const fn to(self, next: Self) -> Result<Self, Illegal> {
        use CommandState::{Accepted, Answered, Cancelled, Expired, Failed, Queued, Sent};
        match (self, next) {
            (Queued, Sent | Answered | Expired | Cancelled | Failed)
            | (Sent, Queued | Accepted | Answered | Failed | Expired)
            | (Accepted, Answered | Failed) => Ok(next),
            _ => Err(Illegal { from: self, to: next }),
        }
    }
}

/// A change of state that the state machine does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command cannot go from {} to {}", from.as_str(), to.as_str())]
pub struct Illegal {
    /// Where it stood.
    pub from: CommandState,
    /// Where it was to go.
    pub to: CommandState,
}

/// Which of a device's waiting commands goes first. Among equals the oldest does.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// After everything else: pieces of files.
    Low,
    /// What people ask for, unless they say otherwise.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

impl Priority {
    /// Every priority, the last to go first.
    pub const ALL: [Self; 3] = [Self::Low, Self::Normal, Self::High];

    /// The word used in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }

    /// Reads the word used in the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == text)
    }

    /// The number used in the store: the higher goes first.
    pub const fn rank(self) -> i16 {
        match self {
            Self::Low => -1,
            Self::Normal => 0,
            Self::High => 1,
        }
    }

    /// Reads the number used in the store.
    pub fn from_rank(rank: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.rank() == rank)
    }
}

/// One change of a command's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Transition {
    /// When.
    pub at: Timestamp,
    /// The state it went to.
    pub state: CommandState,
    /// Why, as a sentence for a person.
    pub reason: String,
    /// Who or what caused it: `user:<name>`, `device:<address>` or `server`.
    pub by: String,
}

/// Makes the exact bytes of a command once its number is known. Pure: the same number gives the same bytes.
pub type Encoder = Arc<dyn Fn(WireId) -> Result<Bytes, EncodeError> + Send + Sync>;

/// Makes what goes out of a command's bytes, where more is said with it.
#[derive(Clone)]
pub struct Dress(pub Arc<dyn Fn(&Bytes) -> Bytes + Send + Sync>);

impl fmt::Debug for Dress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dress")
    }
}

/// Why a command's bytes cannot be made; the text names the cause and the fix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(pub String);

/// A command that is to be queued.
#[derive(Clone)]
pub struct Draft {
    /// Its id, given by whoever made the draft.
    pub id: CommandId,
    /// The device it is for.
    pub device: DeviceRef,
    /// The device that will fetch it: the CWM in front of an OKE, else the device itself.
    pub via: DeviceRef,
    /// The verb, for instance `wr`.
    pub cmd: String,
    /// The payload as JSON text.
    pub payload: String,
    /// Makes its bytes.
    pub encode: Encoder,
    /// Whether it goes before others.
    pub priority: Priority,
    /// With so many commands waiting for the device that fetches, one more is refused.
    pub waiting_max: u32,
    /// When it was made.
    pub at: Timestamp,
    /// When it expires if the device has not taken it.
    pub expires: Timestamp,
    /// Who asked for it: `user:<name>` or `server`.
    pub by: String,
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("id", &self.id).field("device", &self.device).finish_non_exhaustive()
    }
}

/// A command as handed to the device that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Which command.
    pub id: CommandId,
    /// Its number on the wire.
    pub wire_id: WireId,
    /// The exact bytes.
    pub bytes: Bytes,
}

/// A command as the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRecord {
    /// Its id.
    pub id: CommandId,
    /// The device it is for.
    pub device: DeviceRef,
    /// The verb.
    pub cmd: String,
    /// The payload as JSON text.
    pub payload: String,
    /// Its number on the wire.
    pub wire_id: WireId,
    /// The exact bytes the device gets.
    pub bytes: Bytes,
    /// Where it stands.
    pub state: CommandState,
    /// How often it was handed out.
    pub attempts: u32,
    /// When it was queued.
    pub created: Timestamp,
    /// When it expires if not taken.
    pub expires: Timestamp,
    /// Whether it goes before others.
    pub priority: Priority,
    /// Every change of state, oldest first.
    pub transitions: Vec<Transition>,
    /// The reply's exact text, when one came.
    pub reply: Option<Bytes>,
}

impl CommandRecord {
    /// The wait before the next try, after `attempts` tries: 10 s, 20 s, 40 s … at most 10 min.
    pub fn back_off(attempts: u32) -> Duration {
        Duration::from_secs((10_u64 << attempts.saturating_sub(1).min(6)).min(600))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_states_lead_nowhere() {
        for from in CommandState::ALL.into_iter().filter(|state| state.is_final()) {
            for to in CommandState::ALL {
                assert_eq!(from.to(to), Err(Illegal { from, to }));
            }
        }
    }

    #[test]
    fn words_read_back() {
        for state in CommandState::ALL {
            assert_eq!(CommandState::parse(state.as_str()), Some(state));
        }
    }

    #[test]
    fn a_planned_id_is_the_same_for_everybody_and_sorts_by_its_time() {
        let at = |minute: i64| Timestamp::from_micros(1_700_000_000_000_000 + minute * 60_000_000);
        assert_eq!(CommandId::planned("a", at(1)), CommandId::planned("a", at(1)));
        assert_ne!(CommandId::planned("a", at(1)), CommandId::planned("b", at(1)));
        assert!(CommandId::planned("a", at(1)).as_str() < CommandId::planned("a", at(2)).as_str());
        assert!(CommandId::planned("a", at(1)).as_str() < CommandId::random().as_str());
    }

    #[test]
    fn back_off_grows_and_stops_growing() {
        let waits: Vec<u64> = (1..=9).map(|n| CommandRecord::back_off(n).as_secs()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 600, 600, 600]);
    }
}
