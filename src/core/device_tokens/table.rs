//! Every token in memory, by its hash: a message is placed without a wait.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::{DeviceToken, End, Issued, TokenFault, Used};
use crate::core::neighbours::{Neighbours, Part};
use crate::core::secrets::from_hex;
use crate::model::{DeviceId, Timestamp};

/// The tokens that this server knows.
#[derive(Debug, Default)]
pub(in crate::core) struct Tokens {
    by_hash: RwLock<HashMap<[u8; 32], Entry>>,
    /// Tokens change one at a time.
    pub(super) changes: tokio::sync::Mutex<()>,
    /// Counts the changes.
    pub(super) generation: watch::Sender<u64>,
    pub(super) neighbours: Neighbours<Self>,
    swept: Mutex<Option<Timestamp>>,
}

#[derive(Debug)]
struct Entry {
    issued: Issued,
    ends: Option<Timestamp>,
    used: Mutex<Use>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Use {
    last: Option<(Timestamp, IpAddr)>,
    kept: Option<Timestamp>,
}

impl Part for Tokens {
    const TURNS: &'static str = "device_token_turn";
}

impl Tokens {
    /// Whose a token is; notes its use.
    pub(super) fn present(
        &self,
        hash: &[u8; 32],
        peer: IpAddr,
        now: Timestamp,
    ) -> Result<DeviceId, TokenFault> {
        let by_hash = self.read();
        let entry = by_hash.get(hash).ok_or(TokenFault::Unknown)?;
        let device = entry.issued.device.clone();
        if !entry.is_good(now) {
            return Err(TokenFault::Ended { device });
        }
        entry.used().last = Some((now, peer));
        Ok(device)
    }

    /// When a token that is good now ends.
    pub(super) fn ends(&self, hash: &[u8; 32], now: Timestamp) -> Result<Option<Timestamp>, TokenFault> {
        let by_hash = self.read();
        let entry = by_hash.get(hash).ok_or(TokenFault::Unknown)?;
        if entry.is_good(now) {
            return Ok(entry.ends);
        }
        Err(TokenFault::Ended { device: entry.issued.device.clone() })
    }

    /// The good tokens of a device.
    pub(super) fn of(&self, device: &DeviceId, now: Timestamp) -> Vec<Issued> {
        let by_hash = self.read();
        let good = by_hash.values().filter(|entry| entry.issued.device == *device && entry.is_good(now));
        good.map(|entry| entry.issued.clone()).collect()
    }

    /// Every device that has a good token.
    pub(super) fn devices(&self, now: Timestamp) -> HashSet<DeviceId> {
        let by_hash = self.read();
        let good = by_hash.values().filter(|entry| entry.is_good(now));
        good.map(|entry| entry.issued.device.clone()).collect()
    }

    /// What is told of them, the newest first.
    pub(super) fn told(&self, device: &DeviceId, now: Timestamp) -> Vec<DeviceToken> {
        let by_hash = self.read();
        let good = by_hash.values().filter(|entry| entry.issued.device == *device && entry.is_good(now));
        let mut told: Vec<_> = good.map(Entry::told).collect();
        told.sort_by(|a, b| (b.created, &b.id).cmp(&(a.created, &a.id)));
        told
    }

    /// Takes one over; one that is known stays as it is.
    pub(super) fn issued(&self, issued: &Issued) {
        let Some(hash) = from_hex(&issued.hash) else { return };
        let mut by_hash = self.write();
        by_hash.entry(hash).or_insert_with(|| Entry {
            issued: issued.clone(),
            ends: None,
            used: Mutex::default(),
        });
        drop(by_hash);
        self.changed();
    }

    /// Takes over an end; one that is known is never put off.
    pub(super) fn ended(&self, end: &End) {
        let Some(hash) = from_hex(&end.hash) else { return };
        let mut by_hash = self.write();
        let Some(entry) = by_hash.get_mut(&hash) else { return };
        entry.ends = Some(entry.ends.map_or(end.at, |known| known.min(end.at)));
        drop(by_hash);
        self.changed();
    }

    /// Takes over a use, if it is later than those that this server saw.
    pub(super) fn used(&self, used: &Used) {
        let Some(hash) = from_hex(&used.hash) else { return };
        if let Some(entry) = self.read().get(&hash) {
            let mut known = entry.used();
            known.kept = known.kept.max(Some(used.at));
            if known.last.is_none_or(|(at, _)| at < used.at) {
                known.last = Some((used.at, used.peer));
            }
        }
    }

    /// Uses that are worth a write by now.
    pub(super) fn uses_to_keep(&self, now: Timestamp, limit: usize) -> Vec<Used> {
        let by_hash = self.read();
        let due = by_hash.values().filter(|entry| entry.is_good(now)).filter_map(|entry| {
            let Use { last, kept } = *entry.used();
            let (at, peer) = last?;
            let due = kept.is_none_or(|kept| at >= kept.plus(USE_KEPT_EVERY));
            due.then(|| Used { hash: entry.issued.hash.clone(), at, peer })
        });
        due.take(limit).collect()
    }

    /// Notes that a use is in the store.
    pub(super) fn use_kept(&self, used: &Used) {
        let Some(hash) = from_hex(&used.hash) else { return };
        if let Some(entry) = self.read().get(&hash) {
            let mut known = entry.used();
            known.kept = known.kept.max(Some(used.at));
        }
    }

    /// Tokens whose end is so long ago.
    pub(super) fn ended_before(&self, before: Timestamp, limit: usize) -> Vec<[u8; 32]> {
        let by_hash = self.read();
        let old = by_hash.iter().filter(|(_, entry)| entry.ends.is_some_and(|end| end < before));
        old.take(limit).map(|(hash, _)| *hash).collect()
    }

    /// Forgets one.
    pub(super) fn drop_one(&self, hash: &[u8; 32]) {
        self.write().remove(hash);
    }

    /// Whether it is time for the sweep's part.
    pub(super) fn sweeps(&self, now: Timestamp) -> bool {
        let mut last = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|swept| now >= swept.plus(SWEEP_EVERY) || now < swept);
        if due {
            *last = Some(now);
        }
        due
    }

    fn changed(&self) {
        self.generation.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<[u8; 32], Entry>> {
        // Every change is one plain assignment: a panic leaves nothing half done.
        self.by_hash.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<[u8; 32], Entry>> {
        self.by_hash.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_good(&self, now: Timestamp) -> bool {
        self.ends.is_none_or(|end| now < end)
    }

    fn used(&self) -> std::sync::MutexGuard<'_, Use> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> DeviceToken {
        let last = self.used().last;
        DeviceToken {
            id: self.issued.id.clone(),
            device: self.issued.device.clone(),
            created: self.issued.at,
            by: self.issued.by.clone(),
            ends: self.ends,
            last_used: last.map(|(at, _)| at),
            last_peer: last.map(|(_, peer)| peer),
        }
    }
}

const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// A use is written so often at most.
const USE_KEPT_EVERY: Duration = Duration::from_mins(15);
