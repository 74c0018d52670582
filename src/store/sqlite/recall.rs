//! What the writer remembers between two batches, so that it need not read it again for each message. Nothing of it
//! is needed after a crash: all can be read from the database.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;

use super::inbox::{Inbox, Said, SaidReading};
use super::journal::Journal;
use super::row::Column;
use crate::model::{Device, DeviceId};
use crate::store::StoreError;

/// What is remembered.
pub(super) struct Recall {
    pub(super) inbox: Inbox,
    pub(super) sensors: Sensors,
    journal: Option<Journal>,
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
            sensors: Sensors::default(),
            journal: None,
            devices: HashMap::new(),
            awaited: None,
            closed: false,
        })
    }

    /// The ledger's end.
    pub(super) fn journal(&self, db: &Connection) -> Result<Journal, StoreError> {
        self.journal.map_or_else(|| Journal::at_end(db), Ok)
    }

    /// The transaction is on disk, and this is the ledger's end.
    pub(super) fn commit(&mut self, journal: Journal) {
        self.journal = Some(journal);
        self.inbox.commit();
    }

    /// The transaction came to nothing, and what was learnt in it may not be so.
    pub(super) fn roll_back(&mut self) {
        self.journal = None;
        self.inbox.roll_back();
        self.forget();
    }

    /// Forgets what a change of devices may have made wrong.
    pub(super) fn forget(&mut self) {
        self.devices.clear();
        self.sensors.0.clear();
        self.awaited = None;
    }

    /// The keys of devices that were all met before and lack nothing that this report could add.
    pub(super) fn met(&self, devices: &[Device]) -> Option<Vec<i64>> {
        let key = |device: &Device| {
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

/// Keys of sensors by device.
#[derive(Default)]
pub(super) struct Sensors(HashMap<i64, Vec<(String, i64)>>);

impl Sensors {
    /// The key of a message's sensor at a place, which is made when it is new.
    pub(super) fn key(
        &mut self,
        db: &Connection,
        said: &Said<'_>,
        place: usize,
        reading: &SaidReading<'_>,
    ) -> Result<i64, StoreError> {
        if !self.0.contains_key(&said.device) && self.0.len() >= SENSOR_DEVICES_MAX {
            self.0.clear();
        }
        let known = match self.0.entry(said.device) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                let mut query = db.prepare_cached("SELECT name, key FROM sensor WHERE device = ?")?;
                let found = query.query_map([said.device], |found| Ok((found.get(0)?, found.get(1)?)))?;
                place.insert(found.collect::<Result<_, _>>()?)
            }
        };
        // A device's messages name its sensors in the same order.
        let likely = known.get(place).filter(|(name, _)| name == reading.sensor);
        if let Some((_, key)) = likely.or_else(|| known.iter().find(|(name, _)| name == reading.sensor)) {
            return Ok(*key);
        }
        db.prepare_cached(
            "INSERT INTO sensor (device, name, seq, at_us, created_us, kind, value) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute((
            said.device,
            reading.sensor,
            said.seq,
            said.at,
            reading.created,
            reading.kind,
            Column(reading.value),
        ))?;
        let key = db.last_insert_rowid();
        known.push((reading.sensor.to_owned(), key));
        Ok(key)
    }
}

/// Devices remembered at most: beyond it the memory starts anew. About 100 bytes each.
const DEVICES_MAX: usize = 262_144;
/// Devices whose sensors are remembered at most. About 500 bytes each.
const SENSOR_DEVICES_MAX: usize = 16_384;
