//! How many records a device may send: 20 in a second, and 200 at once (`accounts-dashboard.md §4`). Pure.

use std::time::Duration;

use crate::model::Timestamp;

/// A device's allowance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Until when its records are paid for, in microseconds since 1970; 0 before the first.
    paid_us: i64,
}

/// What an allowance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Records in a second; 0 is any number.
    pub(super) per_second: u32,
    /// Records at once.
    pub(super) burst: u32,
}

impl Pace {
    /// Takes `records` off the allowance, or says after how many seconds to come again. An upload is taken whole as long
    /// as something is left, also one that is larger than a burst: the next one waits the longer for it.
    pub(super) fn spend(&mut self, records: usize, allowed: Allowance, now: Timestamp) -> Result<(), u64> {
        if allowed.per_second == 0 {
            return Ok(());
        }
        let price = 1_000_000 / i64::from(allowed.per_second);
        let credit = price * i64::from(allowed.burst.max(1));
        let most = credit + price * RECORDS_MAX;
        let now = now.micros();
        // Of a clock that was set back, what was paid ahead of it is long past.
        if self.paid_us > now + most {
            self.paid_us = now;
        }
        let paid = self.paid_us.max(now);
        if paid + price > now + credit {
            let wait = u64::try_from(paid + price - now - credit).unwrap_or_default();
            return Err(Duration::from_micros(wait).as_secs() + 1);
        }
        let records = i64::try_from(records).unwrap_or(RECORDS_MAX).min(RECORDS_MAX);
        self.paid_us = paid + price * records;
        Ok(())
    }
}

/// No upload has more (`body`).
const RECORDS_MAX: i64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Allowance = Allowance { per_second: 20, burst: 200 };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + milliseconds * 1000)
    }

    #[test]
    fn a_burst_is_taken_and_then_the_steady_pace() {
        let mut pace = Pace::default();
        assert!((0..200).all(|_| pace.spend(1, USUAL, at(0)).is_ok()));
        assert_eq!(pace.spend(1, USUAL, at(0)), Err(1));
        assert_eq!(pace.spend(1, USUAL, at(49)), Err(1));
        assert_eq!(pace.spend(1, USUAL, at(50)), Ok(()));
        let taken = (0..1000).filter(|n| pace.spend(1, USUAL, at(50 + n * 10)).is_ok()).count();
        assert_eq!(taken, 199, "ten seconds");
    }

    #[test]
    fn a_large_batch_is_taken_whole_and_paid_for_afterwards() {
        let mut pace = Pace::default();
        assert_eq!(pace.spend(1000, USUAL, at(0)), Ok(()));
        assert_eq!(pace.spend(1, USUAL, at(0)), Err(41));
        assert!(pace.spend(1, USUAL, at(40_000)).is_err());
        assert_eq!(pace.spend(1, USUAL, at(40_100)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_nothing() {
        let mut pace = Pace::default();
        for milliseconds in [7_200_000, 0, 7_200_000, 0] {
            assert_eq!(pace.spend(1, USUAL, at(milliseconds)), Ok(()));
        }
        assert!((0..10_000).all(|_| pace.spend(1, Allowance { per_second: 0, burst: 0 }, at(0)).is_ok()));
    }
}
