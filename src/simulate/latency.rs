//! How long things took: counts in buckets, narrow enough for percentiles. Pure.

use std::time::Duration;

/// Counts by duration; a bucket is at most 1/32 wider than what it holds.
#[derive(Clone, Debug)]
pub(super) struct Latency {
    buckets: Vec<u64>,
    count: u64,
    longest_us: u64,
}

impl Default for Latency {
    fn default() -> Self {
        Self { buckets: vec![0; BUCKETS], count: 0, longest_us: 0 }
    }
}

impl Latency {
    pub(super) fn note(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(place(us)) {
            *bucket += 1;
        }
        self.count += 1;
        self.longest_us = self.longest_us.max(us);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The time, in microseconds, that so many of a thousand did not exceed.
    pub(super) fn permille_us(&self, share: u64) -> u64 {
        let rank = (self.count * share).div_ceil(1000).max(1);
        let mut below = 0;
        for (at, found) in self.buckets.iter().enumerate() {
            below += found;
            if below >= rank {
                return upper(at).min(self.longest_us);
            }
        }
        self.longest_us
    }

    pub(super) fn longest_us(&self) -> u64 {
        self.longest_us
    }
}

/// Values below 32 have a bucket each; above, each doubling has 32.
fn place(us: u64) -> usize {
    let doubling = (us | 1).ilog2().saturating_sub(LINEAR_BITS);
    let inside = us >> doubling;
    usize::try_from((u64::from(doubling) << LINEAR_BITS) + inside)
        .map_or(BUCKETS - 1, |at| at.min(BUCKETS - 1))
}

/// The longest time that falls into a bucket.
fn upper(at: usize) -> u64 {
    let at = u64::try_from(at).unwrap_or(u64::MAX);
    let doubling = (at >> LINEAR_BITS).saturating_sub(1);
    let inside = at - (doubling << LINEAR_BITS);
    ((inside + 1) << doubling) - 1
}

const LINEAR_BITS: u32 = 5;
/// Up to 2^40 µs: twelve days.
const BUCKETS: usize = 37 << LINEAR_BITS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_of_a_thousand_steps() {
        let mut latency = Latency::default();
        for ms in 1..=1000 {
            latency.note(Duration::from_millis(ms));
        }
        for (share, expected) in [(500, 500_000), (900, 900_000), (990, 990_000)] {
            let found = latency.permille_us(share);
            assert!(found >= expected && found <= expected + expected / 30, "{share}: {found}");
        }
        assert_eq!(latency.permille_us(1000), 1_000_000);
        assert_eq!(latency.longest_us(), 1_000_000);
        assert_eq!(Latency::default().permille_us(500), 0);
    }

    proptest! {
        #[test]
        fn a_bucket_holds_what_is_put_into_it(us in 0_u64..1 << 40) {
            let end = upper(place(us));
            prop_assert!(end >= us && end - us <= us / 32, "{us} is in a bucket that ends at {end}");
        }
    }
}
