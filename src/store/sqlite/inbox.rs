//! What stored messages say, between the moment they are on disk and the moment it is in its places.
//!
//! A push touches the end of two tables and nothing else, so that its commit is small whatever the number of
//! devices: the ledger's, and here one row for all messages of a transaction. [`super::filing`] puts values, newest values,
//! fingerprints and signs of life where readers look for them, for many messages at once. After a crash the inbox is
//! still there and is filed at the next opening.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::{Connection, OptionalExtension as _};

use super::entry::{self, Entry};
use super::prints::{Print, Prints};
use crate::model::DeviceId;
use crate::store::StoreError;

/// The entries that wait, oldest first.
#[derive(Default)]
pub(super) struct Inbox {
    waiting: Vec<Entry>,
    prints: HashSet<Print>,
    /// How many of them were there before the transaction that runs.
    committed: usize,
    /// How many of them that transaction files.
    filed: usize,
    /// How many are committed and wait: readers look here whether they have to ask for filing.
    unfiled: Arc<AtomicUsize>,
}

/// A point within a transaction.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    length: usize,
    filed: usize,
}

impl Inbox {
    /// Reads what an earlier run left.
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut inbox = Self::default();
        let mut query = db.prepare("SELECT seq, body FROM inbox ORDER BY seq")?;
        // The ledger has a message's device by the name that lists are kept under.
        let mut own = db.prepare("SELECT device_id FROM message WHERE seq = ?")?;
        let mut rows = query.query([])?;
        while let Some(found) = rows.next()? {
            let seq = found.get(0)?;
            let body = found.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let entries = entry::read(seq, body)
                .ok_or_else(|| StoreError::Failed(format!("the inbox entry of message {seq} is damaged")))?;
            for mut entry in entries {
                let name: Option<Option<String>> =
                    own.query_row([entry.seq], |found| found.get(0)).optional()?;
                entry.device_id = name.flatten().as_deref().map(DeviceId::new).or(entry.device_id);
                inbox.take(entry);
            }
        }
        inbox.committed = inbox.waiting.len();
        inbox.unfiled.store(inbox.committed, Ordering::Release);
        Ok(inbox)
    }

    /// Where readers see whether something waits.
    pub(super) fn unfiled(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.unfiled)
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A point within the transaction, for [`Inbox::roll_back_to`].
    pub(super) fn mark(&self) -> Mark {
        Mark { length: self.waiting.len(), filed: self.filed }
    }

    /// Whether a message with this fingerprint waits.
    pub(super) fn has(&self, print: &Print) -> bool {
        self.prints.contains(print)
    }

    /// Takes a message's entry, within the transaction that stores the message.
    pub(super) fn take(&mut self, entry: Entry) {
        self.prints.extend(entry.print());
        self.waiting.push(entry);
    }

    /// Writes the entries that the transaction took and did not file, at its end.
    pub(super) fn write(&self, db: &Connection) -> Result<(), StoreError> {
        let new = self.waiting.get(self.committed.max(self.filed)..).unwrap_or_default();
        let Some(last) = new.last() else { return Ok(()) };
        db.prepare_cached("INSERT INTO inbox (seq, body) VALUES (?, ?)")?
            .execute((last.seq, entry::write(new)))?;
        Ok(())
    }

    /// The entries that are not filed yet, of this transaction too.
    pub(super) fn entries(&self) -> &[Entry] {
        self.waiting.get(self.filed..).unwrap_or_default()
    }

    /// Notes that the transaction that runs has filed all entries.
    pub(super) fn all_filed(&mut self) {
        self.filed = self.waiting.len();
    }

    /// The transaction is on disk. The fingerprints of what it filed are in a run now.
    pub(super) fn commit(&mut self, prints: &mut Prints) {
        for entry in self.waiting.drain(..self.filed) {
            if let Some(print) = entry.print() {
                self.prints.remove(&print);
                prints.add(print);
            }
        }
        self.filed = 0;
        self.committed = self.waiting.len();
        self.unfiled.store(self.committed, Ordering::Release);
    }

    /// The transaction came to nothing.
    pub(super) fn roll_back(&mut self) {
        self.roll_back_to(Mark { length: self.committed, filed: 0 });
    }

    /// What the transaction did since the mark came to nothing.
    pub(super) fn roll_back_to(&mut self, mark: Mark) {
        self.filed = mark.filed;
        for entry in self.waiting.drain(mark.length.min(self.waiting.len())..) {
            if let Some(print) = entry.print() {
                self.prints.remove(&print);
            }
        }
    }
}
