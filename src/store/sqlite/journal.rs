//! Appends to the ledger: the next number and the chained hash.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _};

use super::own;
use super::prints::Print;
use crate::model::{DeviceRef, Direction, HmacCheck, Seq, Timestamp, Verdict};
use crate::store::StoreError;
use crate::store::ledger::{self, GENESIS, Link};

/// The ledger's end.
#[derive(Clone, Copy)]
pub(super) struct End {
    seq: i64,
    hash: [u8; 32],
}

/// The ledger within one transaction. What every message needs is prepared once: to look a statement up costs as much as
/// a small row.
pub(super) struct Journal<'db> {
    db: &'db Connection,
    end: End,
    insert: Option<CachedStatement<'db>>,
    known: Option<CachedStatement<'db>>,
}

/// What is to be appended.
pub(super) struct Message<'a> {
    pub(super) at: Timestamp,
    pub(super) device: Option<&'a DeviceRef>,
    pub(super) direction: Direction,
    pub(super) verdict: Verdict,
    pub(super) hmac: Option<HmacCheck>,
    pub(super) peer: &'a str,
    pub(super) raw: &'a [u8],
}

impl End {
    /// Reads it.
    pub(super) fn read(db: &Connection) -> Result<Self, StoreError> {
        let end = db
            .prepare_cached("SELECT seq, hash FROM message ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok(Self { seq: row.get(0)?, hash: row.get(1)? }))
            .optional()?;
        Ok(end.unwrap_or(Self { seq: 0, hash: GENESIS }))
    }
}

impl<'db> Journal<'db> {
    /// Goes on from an end.
    pub(super) fn after(db: &'db Connection, end: End) -> Self {
        Self { db, end, insert: None, known: None }
    }

    /// Where it ends now.
    pub(super) fn end(&self) -> End {
        self.end
    }

    /// Goes back to where it ended before.
    pub(super) fn roll_back_to(&mut self, end: End) {
        self.end = end;
    }

    /// The place of the next message.
    pub(super) fn next(&self) -> Seq {
        Seq(self.end.seq + 1)
    }

    /// Whether a fingerprint is in its place.
    pub(super) fn has(&mut self, Print { device, print }: Print) -> Result<bool, StoreError> {
        let known = match &mut self.known {
            Some(known) => known,
            known @ None => known.insert(
                self.db.prepare_cached("SELECT 1 FROM fingerprint WHERE device = ? AND fingerprint = ?")?,
            ),
        };
        Ok(known.exists((device, print))?)
    }

    /// Appends one message.
    pub(super) fn append(&mut self, message: &Message<'_>) -> Result<Seq, StoreError> {
        let seq = self.next();
        let digest = ledger::digest(message.raw);
        let family = message.device.map_or("", |device| device.family.as_str());
        let address = message.device.map_or("", |device| device.address.as_str());
        let link = Link {
            seq,
            at: message.at,
            family,
            address,
            direction: message.direction,
            verdict: message.verdict,
            peer: message.peer,
            digest,
        };
        let hash = link.hash(&self.end.hash);
        let insert = match &mut self.insert {
            Some(insert) => insert,
            insert @ None => insert.insert(self.db.prepare_cached(INSERT)?),
        };
        insert.execute((
            seq.0,
            message.at.micros(),
            message.device.map(|device| device.id.as_str()),
            family,
            address,
            message.device.map_or("", |device| device.name.as_str()),
            message.direction.as_str(),
            message.verdict.as_str(),
            message.peer,
            message.raw,
            digest,
            hash,
            message.hmac.map(HmacCheck::as_str),
        ))?;
        self.end = End { seq: seq.0, hash };
        if let (Some(device), Direction::Out) = (message.device, message.direction) {
            // What comes in is filed with what it says.
            own::note(self.db, device.id.as_str(), &[seq.0])?;
        }
        Ok(seq)
    }
}

const INSERT: &str = "INSERT INTO message (seq, at_us, device_id, family, address, name, direction, verdict, peer, raw, \
     digest, hash, hmac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
