//! Every device in memory, so that a message is placed without asking the store.
//!
//! A device that was claimed but never stored is *tentative*: it keeps its id for the next message, and is
//! not shown to anybody.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::rhythm::{Presence, Rhythm, Silence};
use crate::model::{Device, DeviceId, DeviceRef, DeviceState, FamilyName, Timestamp};

/// A claimed device, with the device it speaks through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The device, as it was when something of it but `last_seen` changed last. It is stored with its first report.
    pub device: Arc<Device>,
    /// The device it speaks through, if any.
    pub parent: Option<Arc<Device>>,
}

impl Known {
    /// The device's names.
    pub fn names(&self) -> &DeviceRef {
        &self.device.names
    }

    /// Whether the device is let in or held.
    pub fn state(&self) -> DeviceState {
        self.device.state
    }

    /// The device that fetches commands for it: the parent, else itself.
    pub fn via(&self) -> &Device {
        self.parent.as_ref().unwrap_or(&self.device)
    }
}

#[derive(Debug)]
struct Entry {
    /// Shared with the messages that are on their way. Of its `last_seen` only whether there is one is true.
    device: Arc<Device>,
    last_seen: Option<Timestamp>,
    stored: bool,
    rhythm: Rhythm,
    /// The interval that the store was last told.
    rhythm_kept: Option<Duration>,
    /// Until when its messages are paid for, in microseconds since 1970.
    paid_us: i64,
}

#[derive(Debug, Default)]
struct Tables {
    by_id: HashMap<DeviceId, Entry>,
    /// By family, then by address in small letters.
    by_address: HashMap<FamilyName, HashMap<String, DeviceId>>,
    /// Families whose silence is judged by a rule of their own.
    silences: HashMap<FamilyName, &'static Silence>,
}

/// The devices this server knows.
#[derive(Debug, Default)]
pub(super) struct Registry(RwLock<Tables>);

impl Registry {
    /// The stored devices that are known.
    pub(super) fn ids(&self) -> HashSet<DeviceId> {
        let tables = self.read();
        let stored = tables.by_id.values().filter(|entry| entry.stored);
        stored.map(|entry| entry.device.names.id.clone()).collect()
    }

    /// Replaces what was known `before` the store was read by what it has. Tentative devices, and those that were stored
    /// since, stay unless their address is taken.
    pub(super) fn load(&self, devices: Vec<Device>, before: &HashSet<DeviceId>) {
        let mut tables = self.write();
        let known = std::mem::take(&mut *tables);
        tables.silences = known.silences;
        for device in devices {
            tables.put(device, true);
        }
        for entry in known.by_id.into_values() {
            let gone = entry.stored && before.contains(&entry.device.names.id);
            if let Some(after) = tables.by_id.get_mut(&entry.device.names.id) {
                after.rhythm = entry.rhythm;
                after.rhythm_kept = entry.rhythm_kept;
            } else if !gone && tables.id_at(&entry.device.names).is_none() {
                tables.put(entry.now(), entry.stored);
            }
        }
    }

    /// A stored device.
    pub(super) fn device(&self, id: &DeviceId) -> Option<Device> {
        self.read().by_id.get(id).filter(|entry| entry.stored).map(Entry::now)
    }

    /// The same for a message on its way.
    pub(super) fn shared(&self, id: &DeviceId) -> Option<Arc<Device>> {
        self.read().by_id.get(id).filter(|entry| entry.stored).map(|entry| Arc::clone(&entry.device))
    }

    /// Whether a device is stored.
    pub(super) fn has(&self, id: &DeviceId) -> bool {
        self.read().by_id.get(id).is_some_and(|entry| entry.stored)
    }

    /// A stored device by its address; letter case does not count.
    pub(super) fn by_address(&self, family: &FamilyName, address: &str) -> Option<Device> {
        let tables = self.read();
        tables.at(family, address).filter(|entry| entry.stored).map(Entry::now)
    }

    /// Every stored device, in no order.
    pub(super) fn all(&self) -> Vec<Device> {
        self.read().by_id.values().filter(|entry| entry.stored).map(Entry::now).collect()
    }

    /// The device at an address, stored or tentative; else what `make` gives, kept as tentative. `make`
    /// giving `None` leaves the address unknown.
    pub(super) fn at_or(
        &self,
        family: &FamilyName,
        address: &str,
        make: impl FnOnce() -> Option<Device>,
    ) -> Option<Arc<Device>> {
        if let Some(entry) = self.read().at(family, address) {
            return Some(Arc::clone(&entry.device));
        }
        let mut tables = self.write();
        // Somebody may have been faster between the two locks.
        if let Some(entry) = tables.at(family, address) {
            return Some(Arc::clone(&entry.device));
        }
        Some(tables.put(make()?, false))
    }

    /// Notes that a device was stored as given.
    pub(super) fn stored(&self, device: Device) {
        self.write().put(device, true);
    }

    /// Notes that a report of these devices was stored. Gives those that are new to the store, or changed their
    /// parent by it.
    pub(super) fn heard(&self, devices: &[Arc<Device>], at: Timestamp) -> Vec<Device> {
        let mut tables = self.write();
        devices.iter().filter_map(|device| tables.heard(device, at)).collect()
    }

    /// Takes one message off a device's allowance of `per_minute`, which refills steadily and holds a minute's
    /// worth. `false` when there is none left.
    pub(super) fn spend(&self, id: &DeviceId, at: Timestamp, per_minute: NonZeroU32) -> bool {
        const MINUTE_US: i64 = 60_000_000;
        let mut tables = self.write();
        let Some(entry) = tables.by_id.get_mut(id) else { return true };
        let paid = entry.paid_us.max(at.micros()) + MINUTE_US / i64::from(per_minute.get());
        let enough = paid <= at.micros() + MINUTE_US;
        if enough {
            entry.paid_us = paid;
        }
        enough
    }

    /// Notes a sign of life that is not worth a write.
    pub(super) fn touch(&self, id: &DeviceId, at: Timestamp) {
        if let Some(entry) = self.write().by_id.get_mut(id) {
            entry.seen(at);
        }
    }

    /// Judges the silence of a family's devices by a rule from now on.
    pub(super) fn judge_silence(&self, family: FamilyName, rule: &'static Silence) {
        let mut tables = self.write();
        for entry in tables.by_id.values_mut().filter(|entry| entry.device.names.family == family) {
            entry.rhythm.judge_by(rule);
        }
        tables.silences.insert(family, rule);
    }

    /// What a stored device's silence means now; `seen` is when the asker knows it was heard.
    pub(super) fn presence(&self, device: &Device, now: Timestamp, window: Duration) -> Presence {
        match self.read().by_id.get(&device.names.id) {
            // The registry may know of a sign of life that was not worth a write.
            Some(entry) => entry.rhythm.presence(entry.last_seen.max(device.last_seen), now, window),
            None => Rhythm::new(&Silence::USUAL).presence(device.last_seen, now, window),
        }
    }

    /// Takes over an interval that was learned before this start.
    pub(super) fn rhythm_learned(&self, id: &DeviceId, interval: Duration) {
        if let Some(entry) = self.write().by_id.get_mut(id) {
            entry.rhythm = Rhythm::learned_before(entry.rhythm.rule(), interval);
            entry.rhythm_kept = Some(interval);
        }
    }

    /// Stored devices whose interval is no longer near the one that the store was told, `limit` at most.
    pub(super) fn rhythms_changed(&self, limit: usize) -> Vec<(DeviceId, Duration)> {
        let tables = self.read();
        let changed = tables.by_id.values().filter(|entry| entry.stored).filter_map(|entry| {
            let interval = entry.rhythm.interval()?;
            let far = |kept: Duration| kept.abs_diff(interval) > kept / RHYTHM_TOLD_PART;
            entry.rhythm_kept.is_none_or(far).then(|| (entry.device.names.id.clone(), interval))
        });
        changed.take(limit).collect()
    }

    /// Notes that the store was told.
    pub(super) fn rhythm_kept(&self, id: &DeviceId, interval: Duration) {
        if let Some(entry) = self.write().by_id.get_mut(id) {
            entry.rhythm_kept = Some(interval);
        }
    }

    /// Drops a device; its children stand alone from now on.
    pub(super) fn forget(&self, id: &DeviceId) {
        let mut tables = self.write();
        if let Some(entry) = tables.by_id.remove(id) {
            let DeviceRef { family, address, .. } = &entry.device.names;
            if let Some(addresses) = tables.by_address.get_mut(family) {
                addresses.remove(&*small(address));
            }
        }
        for entry in tables.by_id.values_mut().filter(|entry| entry.device.parent.as_ref() == Some(id)) {
            Arc::make_mut(&mut entry.device).parent = None;
        }
    }

    /// Drops tentative devices made before `before`: their report never came to be stored.
    pub(super) fn sweep(&self, before: Timestamp) {
        let mut tables = self.write();
        let Tables { by_id, by_address, .. } = &mut *tables;
        by_id.retain(|_, entry| entry.stored || entry.device.created >= before);
        for addresses in by_address.values_mut() {
            addresses.retain(|_, id| by_id.contains_key(id));
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        // A panic cannot leave the tables half changed: every change is a few plain assignments.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tables> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The device as it is now.
    fn now(&self) -> Device {
        Device { last_seen: self.last_seen, ..Device::clone(&self.device) }
    }

    fn seen(&mut self, at: Timestamp) {
        self.last_seen = self.last_seen.max(Some(at));
        if self.device.last_seen.is_none() {
            Arc::make_mut(&mut self.device).last_seen = Some(at);
        }
    }
}

impl Tables {
    fn heard(&mut self, device: &Device, at: Timestamp) -> Option<Device> {
        let Some(entry) = self.by_id.get_mut(&device.names.id) else {
            let device = Device { last_seen: device.last_seen.max(Some(at)), ..device.clone() };
            self.put(device.clone(), true);
            return Some(device);
        };
        entry.rhythm.heard(at);
        let mut changed = !entry.stored;
        entry.stored = true;
        entry.seen(at);
        if entry.device.parent.is_none() && device.parent.is_some() {
            Arc::make_mut(&mut entry.device).parent.clone_from(&device.parent);
            changed = true;
        }
        changed.then(|| entry.now())
    }

    fn at(&self, family: &FamilyName, address: &str) -> Option<&Entry> {
        let id = self.by_address.get(family)?.get(&*small(address))?;
        self.by_id.get(id)
    }

    fn id_at(&self, names: &DeviceRef) -> Option<&DeviceId> {
        self.by_address.get(&names.family)?.get(&*small(&names.address))
    }

    fn put(&mut self, device: Device, stored: bool) -> Arc<Device> {
        let device = Arc::new(device);
        let id = device.names.id.clone();
        let addresses = self.by_address.entry(device.names.family.clone()).or_default();
        if let Some(before) = addresses.insert(small(&device.names.address).into_owned(), id.clone())
            && before != id
        {
            self.by_id.remove(&before);
        }
        let (rhythm, rhythm_kept, paid_us) = if let Some(entry) = self.by_id.remove(&id) {
            (entry.rhythm, entry.rhythm_kept, entry.paid_us)
        } else {
            let rule = self.silences.get(&device.names.family).copied();
            (Rhythm::new(rule.unwrap_or(&Silence::USUAL)), None, 0)
        };
        let entry = Entry {
            last_seen: device.last_seen,
            device: Arc::clone(&device),
            stored,
            rhythm,
            rhythm_kept,
            paid_us,
        };
        self.by_id.insert(id, entry);
        device
    }
}

/// The store is told of an interval that moved by more than this part of it.
const RHYTHM_TOLD_PART: u32 = 5;

/// An address in small letters, as nearly every device sends its own.
fn small(address: &str) -> Cow<'_, str> {
    if address.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(address.to_ascii_lowercase())
    } else {
        Cow::Borrowed(address)
    }
}
