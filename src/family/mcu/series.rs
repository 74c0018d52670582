//! What a board's send counter tells: losses, restarts, repeats (`websocket-mcu.md §6`). Pure.

/// A board's counter and what was counted by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Series {
    /// The counter of the newest message.
    pub(super) last: Option<i64>,
    /// What was counted since the board is known.
    pub(super) totals: Totals,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Messages that never came: gaps in the counter.
    pub(super) lost: i64,
    /// Times the counter began anew.
    pub(super) restarts: i64,
    /// Messages with the counter of the one before.
    pub(super) repeats: i64,
}

impl Series {
    /// Takes a message's counter; `None` when it has none. What comes from another board of the same number says
    /// nothing of losses: then `stranger`.
    pub(super) const fn hear(&mut self, counter: Option<i64>, stranger: bool) {
        let Some(now) = counter else { return };
        if let (Some(before), false) = (self.last, stranger) {
            let totals = &mut self.totals;
            if now < before {
                totals.restarts += 1;
            } else if now == before {
                totals.repeats += 1;
            } else {
                totals.lost = totals.lost.saturating_add(now.saturating_sub(before).saturating_sub(1));
            }
        }
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(counters: &[i64]) -> Totals {
        let mut series = Series::default();
        for counter in counters {
            series.hear(Some(*counter), false);
        }
        series.totals
    }

    #[test]
    fn gaps_are_losses_and_smaller_numbers_are_restarts() {
        // §12.3
        assert_eq!(heard(&[17, 19]), Totals { lost: 1, restarts: 0, repeats: 0 });
        assert_eq!(heard(&[17, 19, 0]), Totals { lost: 1, restarts: 1, repeats: 0 });
        assert_eq!(heard(&[0, 1, 2, 3]), Totals::default());
        assert_eq!(heard(&[7, 7, 8]), Totals { lost: 0, restarts: 0, repeats: 1 });
        // The first message of all says nothing of what came before.
        assert_eq!(heard(&[1_000]), Totals::default());
        assert_eq!(heard(&[i64::MIN, i64::MAX]).lost, i64::MAX - 1);
    }

    #[test]
    fn a_message_without_a_counter_and_one_of_a_stranger_count_nothing() {
        let mut series = Series::default();
        series.hear(Some(5), false);
        series.hear(None, false);
        series.hear(Some(90), true);
        series.hear(Some(6), true);
        assert_eq!(series, Series { last: Some(6), totals: Totals::default() });
        series.hear(Some(7), false);
        assert_eq!(series.totals, Totals::default());
    }
}
