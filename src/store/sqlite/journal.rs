//! Appends to the ledger: the next number and the chained hash.

use rusqlite::{Connection, OptionalExtension as _};

use super::own;
use crate::model::{DeviceRef, Direction, HmacCheck, Seq, Timestamp, Verdict};
use crate::store::StoreError;
use crate::store::ledger::{self, GENESIS, Link};

/// The ledger's end, within one transaction.
#[derive(Clone, Copy)]
pub(super) struct Journal {
    seq: i64,
    hash: [u8; 32],
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

impl Journal {
    /// Reads the end.
    pub(super) fn at_end(db: &Connection) -> Result<Self, StoreError> {
        let end = db
            .prepare_cached("SELECT seq, hash FROM message ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok(Self { seq: row.get(0)?, hash: row.get(1)? }))
            .optional()?;
        Ok(end.unwrap_or(Self { seq: 0, hash: GENESIS }))
    }

    /// The place of the next message.
    pub(super) fn next(&self) -> Seq {
        Seq(self.seq + 1)
    }

    /// Appends one message.
    pub(super) fn append(&mut self, db: &Connection, message: &Message<'_>) -> Result<Seq, StoreError> {
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
        let hash = link.hash(&self.hash);
        db.prepare_cached(
            "INSERT INTO message (seq, at_us, device_id, family, address, name, direction, verdict, peer, raw, \
             digest, hash, hmac) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute((
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
        *self = Self { seq: seq.0, hash };
        if let (Some(device), Direction::Out) = (message.device, message.direction) {
            // What comes in is filed with what it says.
            own::note(db, device.id.as_str(), &[seq.0])?;
        }
        Ok(seq)
    }
}
