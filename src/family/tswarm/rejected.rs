//! Calls that were turned away: who called, as whom, and why. A node cannot tell its owner (`tswarm-node.md §5, §8`).
//!
//! Calls of one address for one reason are one entry with a count. They are written now and then, so that whoever calls
//! in a rage costs no write for each call.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::{Hub, HubError, Kept};
use crate::model::Timestamp;

/// Why a call was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Reason {
    /// It showed no credentials.
    NoCredentials,
    /// What it showed cannot be read.
    UnreadableCredentials,
    /// It carries two `Authorization` headers that differ.
    TwoCredentials,
    /// There is no such login or token.
    UnknownLogin,
    /// The secret is another one.
    WrongSecret,
    /// The node was revoked, or blocked.
    Revoked,
    /// The login is not for this node.
    NotItsNode,
    /// The path names one node and the body another.
    TwoNames,
    /// The node waits to be approved.
    WaitingForApproval,
    /// The body says nothing that could be used.
    UnreadableBody,
    /// The body was too large, too slow or broke off.
    BodyNotTaken,
    /// There were so many that they are no longer told apart.
    TooMany,
}

/// Calls that were turned away for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rejected {
    /// The caller's address.
    pub(super) peer: String,
    /// The login that it showed; empty when it showed none.
    pub(super) login: String,
    /// The node that it said it was; empty when it did not say.
    pub(super) node: String,
    /// Why.
    pub(super) reason: Reason,
    /// The same in words, with what to do about it where that is known.
    pub(super) detail: String,
    /// How often.
    pub(super) count: u64,
    /// The first time.
    pub(super) first: Timestamp,
    /// The last time.
    pub(super) last: Timestamp,
}

impl Kept for Rejected {
    const KIND: &'static str = "tswarm_rejected";
    const KEEP_MAX: Option<u32> = Some(500);

    fn key(&self) -> String {
        format!("{} {:?} {} {}", self.peer, self.reason, self.login, self.node)
    }
}

/// What was turned away lately and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<Lately>);

#[derive(Debug, Default)]
struct Lately {
    calls: HashMap<String, Rejected>,
    /// How many of one address were told apart in its minute, and when that began.
    told: HashMap<IpAddr, (Timestamp, u32)>,
}

impl Rejections {
    /// Notes a call. `false` when its address has had its share of entries: the call was counted.
    pub(super) fn note(&self, peer: IpAddr, per_minute: u32, call: Rejected) -> bool {
        let mut lately = self.lock();
        if lately.told.len() >= ADDRESSES_MAX {
            let before = call.last.minus(MINUTE);
            lately.told.retain(|_, (began, _)| *began > before);
            if lately.told.len() >= ADDRESSES_MAX {
                lately.told.clear();
            }
        }
        let (began, told) = lately.told.entry(peer).or_insert((call.last, 0));
        if call.last >= began.plus(MINUTE) {
            (*began, *told) = (call.last, 0);
        }
        *told = told.saturating_add(1);
        let apart = *told <= per_minute && lately.calls.len() < CALLS_MAX;
        let call = if apart { call } else { together(call) };
        lately.add(call);
        apart
    }

    /// Writes what is not written yet.
    pub(super) async fn keep(&self, hub: &Hub) -> Result<(), HubError> {
        let calls = std::mem::take(&mut self.lock().calls);
        let mut left = calls.into_values();
        for call in left.by_ref() {
            if let Err(error) = keep(hub, &call).await {
                let mut lately = self.lock();
                std::iter::once(call).chain(left).for_each(|call| lately.add(call));
                return Err(error);
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Lately> {
        // Every change is a whole entry, so a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lately {
    fn add(&mut self, call: Rejected) {
        let key = call.key();
        let joined = match self.calls.remove(&key) {
            Some(before) => before.joined(call),
            None => call,
        };
        drop(self.calls.insert(key, joined));
    }
}

impl Rejected {
    /// One entry of two, in the words of the later one.
    fn joined(self, other: Self) -> Self {
        let (earlier, later) = if self.last <= other.last { (self, other) } else { (other, self) };
        Self {
            count: earlier.count.saturating_add(later.count),
            first: earlier.first.min(later.first),
            ..later
        }
    }
}

async fn keep(hub: &Hub, call: &Rejected) -> Result<(), HubError> {
    match hub.kept::<Rejected>(&call.key()).await? {
        Some(before) => hub.keep(&before.joined(call.clone())).await,
        None => hub.keep(call).await,
    }
}

/// The entry of those that are no longer told apart.
fn together(call: Rejected) -> Rejected {
    Rejected {
        login: String::new(),
        node: String::new(),
        reason: Reason::TooMany,
        detail: "more wrong calls than are told apart in a minute".to_owned(),
        ..call
    }
}

const MINUTE: Duration = Duration::from_mins(1);
const ADDRESSES_MAX: usize = 10_000;
/// Entries that wait to be written.
const CALLS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    fn call(node: &str, at: i64) -> Rejected {
        let at = Timestamp::from_micros(at);
        Rejected {
            peer: "192.0.2.1".to_owned(),
            login: "l".to_owned(),
            node: node.to_owned(),
            reason: Reason::WrongSecret,
            detail: String::new(),
            count: 1,
            first: at,
            last: at,
        }
    }

    #[test]
    fn calls_of_one_kind_are_one_entry_and_many_of_an_address_are_no_longer_told_apart() {
        let rejections = Rejections::default();
        let peer: IpAddr = [192, 0, 2, 1].into();
        assert!(rejections.note(peer, 3, call("a", 1)));
        assert!(rejections.note(peer, 3, call("a", 2)));
        assert!(rejections.note(peer, 3, call("b", 3)));
        assert!(!rejections.note(peer, 3, call("c", 4)));
        assert!(!rejections.note(peer, 3, call("d", 5)));
        let other: IpAddr = [192, 0, 2, 2].into();
        assert!(rejections.note(other, 3, Rejected { peer: other.to_string(), ..call("c", 6) }));
        assert!(rejections.note(peer, 3, call("e", 60_000_001)), "a minute later");
        let lately = rejections.lock();
        let mut found: Vec<_> = lately.calls.values().map(|one| (one.node.as_str(), one.count)).collect();
        found.sort_unstable();
        assert_eq!(found, [("", 2), ("a", 2), ("b", 1), ("c", 1), ("e", 1)]);
    }
}
