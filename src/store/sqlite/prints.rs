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
            StoreError::Failed(format!(
                "the run of fingerprints that ends with {last} is damaged: restore a backup"
            ))
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
const TOGETHER: usize = if cfg!(test) { 64 } else { 1 << 16 };
/// So many are put there by one transaction: as many again as come meanwhile.
const AT_ONCE: usize = if cfg!(test) { 24 } else { 2048 };

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE device (key INTEGER PRIMARY KEY);
             INSERT INTO device (key) VALUES (1), (2);
             CREATE TABLE print_run (last INTEGER PRIMARY KEY, body BLOB NOT NULL);
             CREATE TABLE fingerprint (device INTEGER, fingerprint BLOB, seq INTEGER,
                PRIMARY KEY (device, fingerprint)) WITHOUT ROWID",
        )
        .unwrap();
        db
    }

    /// The fingerprint of an entry: of device 0, 1, 2 or of 3, which is not there any more.
    fn print(seq: i64) -> Print {
        let print = u128::try_from(seq).unwrap().wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        Print { device: seq % 4, print: print.to_le_bytes() }
    }

    fn file(db: &Connection, prints: &mut Prints, seqs: std::ops::Range<i64>) {
        let run: Vec<_> = seqs.clone().map(|seq| (print(seq), seq)).collect();
        keep(db, seqs.end - 1, &run).unwrap();
        for (print, _) in run {
            prints.add(print);
        }
    }

    fn placed(db: &Connection) -> Vec<i64> {
        let mut query = db.prepare("SELECT seq FROM fingerprint ORDER BY seq").unwrap();
        query.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn is_known(db: &Connection, prints: &Prints, seq: i64) -> bool {
        let print = print(seq);
        let mut place = db.prepare("SELECT 1 FROM fingerprint WHERE device = ? AND fingerprint = ?").unwrap();
        prints.has(&print) || place.exists((print.device, print.print)).unwrap()
    }

    #[test]
    fn many_go_to_their_places_and_none_is_missed_meanwhile() {
        let (db, mut prints) = (base(), Prints::default());
        let mut next = 1;
        let mut steps = 0;
        while placed(&db).len() < 150 {
            file(&db, &mut prints, next..next + 7);
            next += 7;
            steps += 1;
            db.execute_batch("BEGIN").unwrap();
            prints.place_some(&db).unwrap();
            if steps % 3 == 0 {
                db.execute_batch("ROLLBACK").unwrap();
                prints.roll_back();
            } else {
                db.execute_batch("COMMIT").unwrap();
                prints.commit();
            }
            if steps % 11 == 0 {
                prints = Prints::load(&db).unwrap();
            }
            for seq in (1..next).filter(|seq| seq % 4 != 3) {
                assert!(is_known(&db, &prints, seq), "{seq} of {next}");
            }
            assert!(!is_known(&db, &prints, next));
            assert!(steps < 1000);
        }
        assert!(placed(&db).iter().all(|seq| seq % 4 != 3), "a device that is gone has none");
    }

    #[test]
    fn old_ones_are_pruned_from_runs() {
        let (db, mut prints) = (base(), Prints::default());
        file(&db, &mut prints, 1..11);
        file(&db, &mut prints, 11..21);
        file(&db, &mut prints, 21..31);
        assert_eq!(prints.prune(&db, 16).unwrap(), 15);
        prints.commit();
        for prints in [&prints, &Prints::load(&db).unwrap()] {
            let known: Vec<i64> = (1..=31).filter(|seq| is_known(&db, prints, *seq)).collect();
            assert_eq!(known, (16..=30).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_damaged_run_is_told() {
        let (db, mut prints) = (base(), Prints::default());
        file(&db, &mut prints, 1..11);
        db.execute("UPDATE print_run SET body = substr(body, 1, length(body) - 1)", []).unwrap();
        let error = Prints::load(&db).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("restore a backup"), "{error}");
    }
}
