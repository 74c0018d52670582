//! What the writer remembers between two batches, so that it need not read it again for each message. Nothing of it
//! is needed after a crash: all can be read from the database.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use rusqlite::Connection;

use super::inbox::Inbox;
use super::journal::{End, Journal};
use super::pages;
use super::prints::Prints;
use crate::model::{Device, DeviceId};
use crate::store::StoreError;
use crate::store::history::merge::FANOUT;
use crate::store::history::newest;
use crate::store::history::page::Page;

/// What is remembered.
pub(super) struct Recall {
    pub(super) inbox: Inbox,
    pub(super) pages: Pages,
    pub(super) prints: Prints,
    end: Option<End>,
    devices: HashMap<DeviceId, Met>,
    /// Devices that an open command is for, or that would fetch one. There may be some too many, never one too
    /// few. `None` when it has to be read.
    awaited: Option<HashSet<String>>,
    /// Whether a command was closed since it was read.
    closed: bool,
}

/// A device that a message named before.
#[derive(Clone, Copy)]
struct Met {
    key: i64,
    has_parent: bool,
}

impl Recall {
    /// What an earlier run left.
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        Ok(Self {
            inbox: Inbox::load(db)?,
            pages: Pages::default(),
            prints: Prints::load(db)?,
            end: None,
            devices: HashMap::new(),
            awaited: None,
            closed: false,
        })
    }

    /// The ledger's end.
    pub(super) fn journal<'db>(&self, db: &'db Connection) -> Result<Journal<'db>, StoreError> {
        Ok(Journal::after(db, self.end.map_or_else(|| End::read(db), Ok)?))
    }

    /// The transaction is on disk, and this is the ledger's end.
    pub(super) fn commit(&mut self, end: End) {
        self.end = Some(end);
        // What was filed comes first: some of it may have gone on at once.
        self.inbox.commit(&mut self.prints);
        self.prints.commit();
    }

    /// The transaction came to nothing, and what was learnt in it may not be so.
    pub(super) fn roll_back(&mut self) {
        self.end = None;
        self.prints.roll_back();
        self.inbox.roll_back();
        self.forget();
    }

    /// Forgets what a change of devices may have made wrong.
    pub(super) fn forget(&mut self) {
        self.devices.clear();
        self.pages.newest.clear();
        self.awaited = None;
    }

    /// The keys of devices that were all met before and lack nothing that this report could add.
    pub(super) fn met(&self, devices: &[Arc<Device>]) -> Option<Vec<i64>> {
        let key = |device: &Arc<Device>| {
            let met = self.devices.get(&device.names.id)?;
            (met.has_parent || device.parent.is_none()).then_some(met.key)
        };
        devices.iter().map(key).collect()
    }

    /// Notes that a device is stored, as a report gave it.
    pub(super) fn meet(&mut self, device: &Device, key: i64) {
        if self.devices.len() >= DEVICES_MAX {
            self.devices.clear();
        }
        // A report that gives no parent says nothing of one; the next that gives one asks the database again.
        let met = Met { key, has_parent: device.parent.is_some() };
        self.devices.insert(device.names.id.clone(), met);
    }

    /// Whether a command may be open that is for one of these devices, or that it would fetch.
    pub(super) fn awaited(&mut self, db: &Connection, device: &DeviceId) -> Result<bool, StoreError> {
        if self.awaited.is_none() {
            let mut query = db.prepare_cached(
                "WITH open AS (SELECT device_id, via_id FROM command WHERE state IN ('queued', 'sent', 'accepted')
                    AND (state <> 'sent' OR hold_until_us IS NOT NULL))
                 SELECT device_id FROM open UNION SELECT via_id FROM open",
            )?;
            let found = query.query_map([], |found| found.get(0))?;
            self.awaited = Some(found.collect::<Result<_, _>>()?);
        }
        Ok(self.awaited.as_ref().is_some_and(|awaited| awaited.contains(device.as_str())))
    }

    /// Notes that a command was queued.
    pub(super) fn await_too(&mut self, devices: [&DeviceId; 2]) {
        if let Some(awaited) = &mut self.awaited {
            awaited.extend(devices.map(|id| id.as_str().to_owned()));
        }
    }

    /// Notes that a command was closed; the set is read anew at the next [`Recall::sweep`].
    pub(super) fn close_one(&mut self) {
        self.closed = true;
    }

    /// Lets go of devices that are in the set for nothing.
    pub(super) fn sweep(&mut self) {
        if std::mem::take(&mut self.closed) {
            self.awaited = None;
        }
    }
}

/// What is remembered of pages.
#[derive(Default)]
pub(super) struct Pages {
    /// The newest values of devices.
    newest: HashMap<i64, Page>,
    /// How many small pages of a device were written since it was looked at whether they are to be merged.
    small: HashMap<i64, usize>,
    /// Devices whose pages are to be looked at.
    due: VecDeque<i64>,
}

impl Pages {
    /// Notes that a small page was written, and gives the newest values after it.
    pub(super) fn newest_after(
        &mut self,
        db: &Connection,
        device: i64,
        page: &Page,
        past: bool,
    ) -> Result<&Page, StoreError> {
        let small = self.small.entry(device).or_default();
        *small += 1;
        // Once, until it is looked at.
        if *small == FANOUT {
            self.due.push_back(device);
        }
        if !self.newest.contains_key(&device) && self.newest.len() >= NEWEST_DEVICES_MAX {
            self.newest.clear();
        }
        let known = match self.newest.entry(device) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(pages::newest(db, device)?),
        };
        *known = if past { newest::beside(known, page) } else { newest::after(known, page) };
        Ok(known)
    }

    /// A device whose pages are to be looked at.
    pub(super) fn next_due(&mut self) -> Option<i64> {
        let device = self.due.pop_front()?;
        self.small.remove(&device);
        Some(device)
    }

    /// Whether there is one.
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }
}

/// Devices remembered at most: beyond it the memory starts anew. About 100 bytes each.
const DEVICES_MAX: usize = 262_144;
/// Devices whose newest values are remembered at most. About a kilobyte each.
const NEWEST_DEVICES_MAX: usize = 2048;
