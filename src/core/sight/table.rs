//! Owners and shares in memory.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::records::{Owned, Shared, Turn};
use super::{Person, Share};
use crate::model::{DeviceId, Timestamp, UserId};

/// What this server knows of owners and shares.
#[derive(Debug)]
pub(in crate::core) struct Table {
    /// This server's name among those of the store.
    server: String,
    known: RwLock<Known>,
    /// Changes are made, and those of others read, one at a time.
    pub(super) changes: tokio::sync::Mutex<()>,
    seen: Mutex<Seen>,
}

/// How far the store was read.
#[derive(Debug, Default)]
struct Seen {
    read: Option<Timestamp>,
    /// What other servers' turns were then.
    others: Vec<Turn>,
}

/// The tables themselves.
#[derive(Debug, Default)]
pub(super) struct Known {
    owners: HashMap<DeviceId, Person>,
    owned: HashMap<UserId, HashSet<DeviceId>>,
    shares: HashMap<DeviceId, HashMap<UserId, (Person, Share)>>,
    shared: HashMap<UserId, HashSet<DeviceId>>,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            server: uuid::Uuid::new_v4().simple().to_string(),
            known: RwLock::default(),
            changes: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        }
    }
}

impl Known {
    /// Whose a device is.
    pub(super) fn owner(&self, device: &DeviceId) -> Option<&Person> {
        self.owners.get(device)
    }

    /// What a device is shared with a user for.
    pub(super) fn shared(&self, device: &DeviceId, user: &UserId) -> Option<Share> {
        self.shares.get(device)?.get(user).map(|(_, share)| *share)
    }

    /// With whom a device is shared, by name.
    pub(super) fn shares(&self, device: &DeviceId) -> Vec<(Person, Share)> {
        let mut shares: Vec<_> =
            self.shares.get(device).into_iter().flat_map(HashMap::values).cloned().collect();
        shares.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        shares
    }

    /// The devices that are a user's.
    pub(super) fn owned(&self, user: &UserId) -> Vec<DeviceId> {
        self.owned.get(user).into_iter().flatten().cloned().collect()
    }

    /// The devices that a user sees without seeing the house.
    pub(super) fn seen_by(&self, user: &UserId) -> HashSet<DeviceId> {
        let own = self.owned.get(user).into_iter().flatten();
        own.chain(self.shared.get(user).into_iter().flatten()).cloned().collect()
    }

    /// The devices that a user does not see although it sees the house.
    pub(super) fn hidden_from(&self, user: &UserId) -> HashSet<DeviceId> {
        let seen = |device: &DeviceId| self.shared(device, user).is_some();
        let others = self.owners.iter().filter(|(device, owner)| owner.id != *user && !seen(device));
        others.map(|(device, _)| device.clone()).collect()
    }

    fn put_owner(&mut self, owned: &Owned) {
        if let Some(before) = self.owners.remove(&owned.device) {
            leave(&mut self.owned, &before.id, &owned.device);
        }
        if let Some(owner) = &owned.owner {
            self.owned.entry(owner.id.clone()).or_default().insert(owned.device.clone());
            self.owners.insert(owned.device.clone(), owner.clone());
        }
    }

    fn put_share(&mut self, shared: &Shared) {
        let Shared { device, with, share, .. } = shared;
        if let Some(share) = share {
            self.shared.entry(with.id.clone()).or_default().insert(device.clone());
            self.shares.entry(device.clone()).or_default().insert(with.id.clone(), (with.clone(), *share));
            return;
        }
        leave(&mut self.shared, &with.id, device);
        if let Some(shares) = self.shares.get_mut(device) {
            shares.remove(&with.id);
            if shares.is_empty() {
                self.shares.remove(device);
            }
        }
    }

    fn forget(&mut self, device: &DeviceId) {
        for user in self.shares.remove(device).into_iter().flat_map(HashMap::into_keys) {
            leave(&mut self.shared, &user, device);
        }
    }
}

/// Takes a device out of a user's; one who has none left is not listed.
fn leave(of: &mut HashMap<UserId, HashSet<DeviceId>>, user: &UserId, device: &DeviceId) {
    if let Some(devices) = of.get_mut(user) {
        devices.remove(device);
        if devices.is_empty() {
            of.remove(user);
        }
    }
}

impl Table {
    /// The tables, to look into.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Known> {
        // Every change is a few plain assignments: a panic leaves nothing that is worse than either state.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over whose a device is.
    pub(super) fn owned(&self, owned: &Owned) {
        self.write(|known| known.put_owner(owned));
    }

    /// Takes over a share or its end.
    pub(super) fn shared(&self, shared: &Shared) {
        self.write(|known| known.put_share(shared));
    }

    /// Ends the shares of a device that is gone. Its owner stays: so does what it said.
    pub(in crate::core) fn forget(&self, device: &DeviceId) {
        self.write(|known| known.forget(device));
    }

    fn write<T>(&self, change: impl FnOnce(&mut Known) -> T) -> T {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// From when on the store is to be read: some time before the last reading, since clocks of several servers differ.
    pub(super) fn since(&self) -> Timestamp {
        let never = Timestamp::from_micros(i64::MIN);
        self.seen().read.map_or(never, |read| read.minus(CLOCKS_DIFFER))
    }

    /// Notes that the store was read.
    pub(super) fn was_read(&self, at: Timestamp) {
        self.seen().read = Some(at);
    }

    /// The other servers' turns, if they are others than those that this server heard of.
    pub(super) fn news(&self, mut turns: Vec<Turn>) -> Option<Vec<Turn>> {
        turns.retain(|turn| turn.server != self.server);
        turns.sort_by(|a, b| a.server.cmp(&b.server));
        (self.seen().others != turns).then_some(turns)
    }

    /// Notes that what they changed was read.
    pub(super) fn heard_of(&self, others: Vec<Turn>) {
        self.seen().others = others;
    }

    /// Tells other servers of a change.
    pub(super) fn turn(&self) -> Turn {
        Turn { server: self.server.clone(), turn: uuid::Uuid::new_v4().simple().to_string() }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CLOCKS_DIFFER: Duration = Duration::from_mins(10);
