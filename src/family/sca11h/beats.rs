//! Beat-to-beat intervals of a second → a series in which no beat stands twice (`sca11h.md §4.4`). Pure.

use crate::model::Timestamp;

/// How far the series has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    /// When the run of beats began that is still going on, and the sum of its intervals since then, in milliseconds.
    run: Option<(Timestamp, i64)>,
}

impl Series {
    /// Takes the beats of one second, the newest first, and gives those that are new. Whether the two older ones may
    /// repeat beats of earlier seconds is unknown: they are left out while the intervals are ahead of the clock.
    pub(super) fn take<'b>(&mut self, at: Timestamp, beats: &'b [i64]) -> &'b [i64] {
        let Some(newest) = beats.first() else { return beats };
        let all: i64 = beats.iter().sum();
        let Some((began, so_far)) = self.run else {
            self.run = Some((at, 0));
            return beats;
        };
        let passed = at.micros().saturating_sub(began.micros()) / 1000;
        if passed < 0 || passed - so_far - all > BEHIND_MAX_MS {
            // The clock was set back, or beats were lost: begin anew.
            self.run = Some((at, 0));
            return beats;
        }
        let ahead = so_far + all - passed > AHEAD_MAX_MS;
        let (taken, sum) = if ahead { (beats.get(..1).unwrap_or(beats), *newest) } else { (beats, all) };
        // What is ahead although single beats alone were taken is the clock's doing, not a repeat.
        let sum = (so_far + sum).min(passed + AHEAD_MAX_MS);
        self.run = Some((began, sum));
        taken
    }
}

/// How far intervals may be ahead of the clock: the page's two seconds.
const AHEAD_MAX_MS: i64 = 2000;
const BEHIND_MAX_MS: i64 = 5000;

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(seconds: &[(i64, &[i64])]) -> Vec<usize> {
        let mut series = Series::default();
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        seconds.iter().map(|(second, beats)| series.take(at(*second), beats).len()).collect()
    }

    #[test]
    fn honest_beats_all_count() {
        // Sample A of §9, and a resting heart of 60.
        let beats: [(i64, &[i64]); 5] =
            [(0, &[978, 1004]), (1, &[991]), (2, &[1012]), (3, &[]), (4, &[969, 1020])];
        assert_eq!(taken(&beats), [2, 1, 1, 0, 2]);
        let minute: Vec<(i64, &[i64])> = (0..60).map(|second| (second, &[1000_i64][..])).collect();
        assert_eq!(taken(&minute), [1; 60]);
        let fast: Vec<(i64, &[i64])> = (0..60).map(|second| (second, &[500_i64, 500][..])).collect();
        assert_eq!(taken(&fast), [2; 60]);
    }

    #[test]
    fn repeated_beats_are_left_out() {
        // Each second tells of the last three beats at 60 a minute.
        let beats: Vec<(i64, &[i64])> = (0..30).map(|second| (second, &[1000_i64, 1000, 1000][..])).collect();
        let taken = taken(&beats);
        assert!(taken[3..].iter().all(|count| *count == 1), "{taken:?}");
    }

    #[test]
    fn a_pause_begins_a_new_run() {
        assert_eq!(taken(&[(0, &[900, 900]), (60, &[900, 900, 900]), (10, &[900, 900])]), [2, 3, 2]);
    }
}
