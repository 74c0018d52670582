//! Fingerprints on their way to their places. Each has a place of its own among all of its device, on a page that hardly
//! any other of the same filing shares: put there with each filing they would cost a page each. So they are kept as runs,
//! in memory too, until many go at once, in the order of their places and a few at a time.

use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::history::wire::{Bytes, put, put_signed};

/// A message's fingerprint and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Print {
    pub(super) device: i64,
    pub(super) print: [u8; 16],
}

impl Hash for Print {
    /// The print is a hash already: half of it is enough to tell many apart, and who could choose eight bytes of it could
    /// not choose what the set makes of them.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [first, ..] = self.print.as_chunks::<8>().0 else { return };
        state.write_u64(u64::from_le_bytes(*first) ^ self.device.cast_unsigned());
    }
}

/// The fingerprints of all runs.
#[derive(Default)]
pub(super) struct Prints {
    known: HashSet<Print>,
    /// Those that are being put into their places, in their order; empty when none are.
    going: VecDeque<(Print, i64)>,
    /// The last run among them.
    upto: i64,
    /// How many of them the transaction that runs has put there.
    gone: usize,
    /// Those that it has pruned.
    pruned: Vec<Print>,
}

impl Prints {
    /// Reads what an earlier run of the server left.
    pub(super) fn load(db: &Connection) -> Result<Self, StoreError> {
        let mut prints = Self::default();
        each_run(db, |_, run| {
            prints.known.extend(run.into_iter().map(|(print, _)| print));
            Ok(())
        })?;
        Ok(prints)
    }

    /// Whether a run has it.
    pub(super) fn has(&self, print: &Print) -> bool {
        self.known.contains(print)
    }

    /// Notes one that was filed.
    pub(super) fn add(&mut self, print: Print) {
        self.known.insert(print);
    }

    /// Whether some are to be put into their places.
    pub(super) fn is_due(&self) -> bool {
        !self.going.is_empty() || self.known.len() >= TOGETHER
    }

    /// Puts some into their places, within a transaction.
    pub(super) fn place_some(&mut self, db: &Connection) -> Result<(), StoreError> {
        if !self.is_due() {
            return Ok(());
        }
        if self.going.is_empty() {
            let mut all = Vec::with_capacity(self.known.len());
            each_run(db, |last, run| {
                self.upto = last;
                all.extend(run);
                Ok(())
            })?;
            all.sort_unstable();
            self.going = all.into();
        }
        let mut insert = db.prepare_cached(
            "INSERT INTO fingerprint (device, fingerprint, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )?;
        let mut known = db.prepare_cached("SELECT 1 FROM device WHERE key = ?")?;
        let mut of: Option<(i64, bool)> = None;
        self.gone = self.going.len().min(AT_ONCE);
        for (print, seq) in self.going.iter().take(self.gone) {
            // A device that was forgotten has no fingerprints; 0 stands for one that did not say who it is.
            let stays = match of {
                Some((device, stays)) if device == print.device => stays,
                Some(_) | None => print.device == 0 || known.exists([print.device])?,
            };
            of = Some((print.device, stays));
            if stays {
                insert.execute((print.device, print.print, seq))?;
            }
        }
        if self.gone == self.going.len() {
            db.prepare_cached("DELETE FROM print_run WHERE last <= ?")?.execute([self.upto])?;
        }
        Ok(())
    }

    /// The transaction is on disk.
    pub(super) fn commit(&mut self) {
        for (print, _) in self.going.drain(..self.gone) {
            self.known.remove(&print);
        }
        for print in self.pruned.drain(..) {
            self.known.remove(&print);
        }
        self.gone = 0;
    }

    /// The transaction came to nothing.
    pub(super) fn roll_back(&mut self) {
        self.gone = 0;
        self.pruned.clear();
    }

    /// Removes those of entries before one from the runs, within a transaction; says how many.
    pub(super) fn prune(&mut self, db: &Connection, below: i64) -> Result<u64, StoreError> {
        let before = self.pruned.len();
        let mut work = Vec::new();
        each_run(db, |last, mut run| {
            let old = run.extract_if(.., |(_, seq)| *seq < below).map(|(print, _)| print);
            let before = self.pruned.len();
            self.pruned.extend(old);
            if self.pruned.len() > before {
                work.push((last, run));
            }
            Ok(())
        })?;
        // Gathered anew, without them.
        self.going.clear();
        for (last, run) in work {
            db.prepare_cached("DELETE FROM print_run WHERE last = ?")?.execute([last])?;
            keep(db, last, &run)?;
        }
        Ok((self.pruned.len() - before) as u64)
    }
}

/// Keeps a run, within a transaction.
pub(super) fn keep(db: &Connection, last: i64, run: &[(Print, i64)]) -> Result<(), StoreError> {
    if run.is_empty() {
        return Ok(());
    }
    let mut body = Vec::with_capacity(24 * run.len());
    for (print, seq) in run {
        put_signed(&mut body, print.device);
        put(&mut body, (last - seq).cast_unsigned());
        body.extend(print.print);
    }
    db.prepare_cached("INSERT INTO print_run (last, body) VALUES (?, ?)")?.execute((last, body))?;
    Ok(())
}

fn each_run(
    db: &Connection,
    mut take: impl FnMut(i64, Vec<(Print, i64)>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut runs = db.prepare_cached("SELECT last, body FROM print_run ORDER BY last")?;
    let mut found = runs.query([])?;
    while let Some(row) = found.next()? {
        let last = row.get(0)?;
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        let run = read(last, body).ok_or_else(|| {
            StoreError::Failed(format!("the run of fingerprints that ends with {last} is damaged: restore a backup"))
        })?;
        take(last, run)?;
    }
    Ok(())
}

fn read(last: i64, body: &[u8]) -> Option<Vec<(Print, i64)>> {
    let mut rest = Bytes::new(body);
    let mut run = Vec::with_capacity(body.len() / 18);
    while !rest.is_empty() {
        let device = rest.signed()?;
        let seq = last.checked_sub_unsigned(rest.number()?)?;
        let print = *rest.take(16)?.first_chunk::<16>()?;
        run.push((Print { device, print }, seq));
    }
    Some(run)
}

/// So many wait before they are put into their places together. About 50 bytes of memory each.
const TOGETHER: usize = 1 << 16;
/// So many are put there by one transaction: as many again as come meanwhile.
const AT_ONCE: usize = 2048;
