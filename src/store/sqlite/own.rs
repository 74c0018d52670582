//! Which entries of the ledger are a device's own: rows of many, each named by its last entry.
//!
//! Entries that come in are filed together, those that go out one by one: rows of a device may lie within each other's
//! stretch, but no entry is in two of them.

use std::collections::BinaryHeap;

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::history::wire::{Bytes, put_count};

/// Notes entries of a device, given in the order of the ledger.
pub(super) fn note(db: &Connection, device_id: &str, seqs: &[i64]) -> Result<(), StoreError> {
    let mut insert =
        db.prepare_cached("INSERT INTO messages_of (device_id, last, earlier) VALUES (?, ?, ?)")?;
    let mut left = seqs;
    while let Some(last) = left.last() {
        let near = left.partition_point(|seq| last - seq >= SPAN);
        let (before, row) = left.split_at(near);
        let mut earlier = Vec::with_capacity(2 * row.len());
        for pair in row.windows(2).rev() {
            if let [one, next] = pair {
                put_count(&mut earlier, usize::try_from(next - one).unwrap_or_default());
            }
        }
        insert.execute((device_id, last, earlier))?;
        left = before;
    }
    Ok(())
}

/// Gives the entries of a device before one, newest first, until `take` has enough.
pub(super) fn walk(
    db: &Connection,
    device_id: &str,
    before: i64,
    mut take: impl FnMut(i64) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut rows = db.prepare_cached(
        "SELECT last, earlier FROM messages_of WHERE device_id = ? AND last < ? ORDER BY last DESC",
    )?;
    let mut rows = rows.query((device_id, before.saturating_add(SPAN)))?;
    let mut next = rows.next()?;
    let mut read: BinaryHeap<i64> = BinaryHeap::new();
    loop {
        while let Some(row) = next {
            let last = row.get(0)?;
            // A row that is not read yet ends before this entry, so that nothing in it comes first.
            if read.peek().is_some_and(|newest| *newest > last) {
                break;
            }
            let earlier = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            let seqs = seqs(last, earlier).ok_or_else(|| {
                StoreError::Failed(format!(
                    "the list of messages that ends with {last} is damaged: restore a backup"
                ))
            })?;
            read.extend(seqs.into_iter().filter(|seq| *seq < before));
            next = rows.next()?;
        }
        let Some(seq) = read.pop() else { return Ok(()) };
        if !take(seq)? {
            return Ok(());
        }
    }
}

fn seqs(last: i64, earlier: &[u8]) -> Option<Vec<i64>> {
    let mut seqs = vec![last];
    let (mut seq, mut rest) = (last, Bytes::new(earlier));
    while !rest.is_empty() {
        seq -= i64::try_from(rest.number()?).ok().filter(|step| (1..SPAN).contains(step))?;
        seqs.push(seq);
    }
    Some(seqs)
}

/// Entries of one row lie closer to its last one than this: whoever reads from an entry on need look no further.
const SPAN: i64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_walked_from_the_newest_on() {
        let db = Connection::open_in_memory().unwrap();
        db.execute_batch(
            "CREATE TABLE messages_of (device_id TEXT, last INTEGER, earlier BLOB, PRIMARY KEY (device_id, last))",
        )
        .unwrap();
        // What came in is noted together; each fifth went out and was noted alone, before it.
        let mut seqs: Vec<i64> = (1..300).map(|n| n * 3).collect();
        seqs.extend((1..40).map(|n| 2000 + n * 1500));
        for (nth, seq) in seqs.iter().enumerate().filter(|(nth, _)| nth % 5 == 0) {
            note(&db, "d", &[*seq]).unwrap();
            note(&db, "other", &[i64::try_from(nth).unwrap()]).unwrap();
        }
        for many in seqs.chunks(64) {
            let came_in: Vec<i64> = many.iter().copied().filter(|seq| !is_out(&seqs, *seq)).collect();
            note(&db, "d", &came_in).unwrap();
        }
        seqs.reverse();
        let walked = |before: i64, limit: usize| {
            let mut walked = Vec::new();
            walk(&db, "d", before, |seq| {
                walked.push(seq);
                Ok(walked.len() < limit)
            })
            .unwrap();
            walked
        };
        assert_eq!(walked(i64::MAX, usize::MAX), seqs);
        for before in [1, 3, 4, 448, 449, 450, 897, 3500, 3501, 12_345, 62_000] {
            let rest: Vec<i64> = seqs.iter().copied().filter(|seq| *seq < before).collect();
            assert_eq!(walked(before, usize::MAX), rest, "{before}");
            assert_eq!(walked(before, 3), rest[..rest.len().min(3)], "{before}");
        }
        db.execute("UPDATE messages_of SET earlier = x'00'", []).unwrap();
        let error = walk(&db, "d", i64::MAX, |_| Ok(true)).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    fn is_out(seqs: &[i64], seq: i64) -> bool {
        seqs.iter().position(|known| *known == seq).is_some_and(|nth| nth % 5 == 0)
    }
}
