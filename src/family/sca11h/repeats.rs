//! Which rows were taken before (`sca11h.md §4.5`): the node may send a second more than once. Pure.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use super::rows::Row;

/// A node's newest rows, by what names them.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    /// Time text and index, and what the row says, as hashes. The oldest first.
    kept: VecDeque<(u64, u64)>,
    /// The time text that came last, and the highest index that was heard with it.
    newest: Option<(u64, i64)>,
}

impl Repeats {
    /// Takes a row unless it was taken before. The page's key (time text and index) is enough while the device's clock
    /// is believed. A node that starts without a clock names its seconds like those before, so there the row must say
    /// the same, too. A row without index has no name.
    pub(super) fn take(&mut self, time: Option<&str>, row: &Row, believed: bool) -> bool {
        let Some(index) = row.index else { return true };
        let time = hash(time);
        let (key, says) = (hash((time, index)), hash(row));
        let ahead = self.newest.is_some_and(|(newest, highest)| newest == time && index > highest);
        if !ahead && self.kept.iter().rev().any(|(kept, said)| *kept == key && (believed || *said == says)) {
            return false;
        }
        self.newest = match self.newest {
            Some((newest, highest)) if newest == time => Some((time, highest.max(index))),
            Some(_) | None => Some((time, index)),
        };
        if self.kept.len() >= ROWS_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((key, says));
        true
    }
}

fn hash(what: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// More than ten minutes of seconds: seven messages of the longest kind.
const ROWS_KEPT: usize = 640;

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: i64, hr: i64) -> Row {
        Row { index: Some(index), hr: Some(hr), ..Row::default() }
    }

    #[test]
    fn a_row_is_taken_once() {
        let mut repeats = Repeats::default();
        let time = Some("2017-03-19T23:00:00Z");
        for index in 120..125 {
            assert!(repeats.take(time, &row(index, 60), true));
        }
        for index in 120..125 {
            assert!(!repeats.take(time, &row(index, 60), true));
            assert!(!repeats.take(time, &row(index, 61), true), "the first one counts");
        }
        assert!(repeats.take(time, &row(119, 60), true), "late, and new");
        assert!(repeats.take(Some("2017-03-19T23:10:00Z"), &row(120, 60), true), "another start");
    }

    #[test]
    fn a_node_that_restarts_without_a_clock_is_heard() {
        let mut repeats = Repeats::default();
        assert!(repeats.take(Some("1970-01-01T00:00:00"), &row(0, 60), false));
        assert!(!repeats.take(Some("1970-01-01T00:00:00"), &row(0, 60), false), "a repeat");
        assert!(repeats.take(Some("1970-01-01T00:00:00"), &row(0, 66), false), "says something else");
        assert!(repeats.take(None, &Row::default(), false) && repeats.take(None, &Row::default(), false));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut repeats = Repeats::default();
        for index in 0..10_000 {
            assert!(repeats.take(None, &row(index, 60), true));
        }
        assert_eq!(repeats.kept.len(), ROWS_KEPT);
        assert!(!repeats.take(None, &row(9_999, 60), true));
        assert!(repeats.take(None, &row(0, 60), true), "long ago");
    }
}
