//! One connection as a state machine: how fast it may talk, how long it may be silent, whom it speaks for
//! (`websocket-mcu.md §6, §9`). Pure: time comes in, decisions come out.

use std::time::Duration;

use crate::model::Timestamp;

/// A connection between its opening and its end.
#[derive(Clone, Debug)]
pub(super) struct Session {
    limits: Limits,
    /// When it spoke last, or was opened.
    heard: Timestamp,
    /// Until when its messages are paid for.
    paid: Timestamp,
    /// Messages dropped in the present flood, and when the last one was.
    flood: u32,
    flooded: Timestamp,
    /// The boards that spoke on it, the newest last.
    boards: Vec<u32>,
}

/// What a connection may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// Messages in a second; 0 is any number.
    pub(super) per_second: u32,
    /// Longest silence.
    pub(super) silence: Duration,
}

/// What to do with a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Take it.
    Take,
    /// Drop it, and count it.
    Drop,
    /// Drop it, and end the connection: it does not stop.
    End,
}

impl Session {
    /// A connection that was just opened.
    pub(super) const fn new(limits: Limits, now: Timestamp) -> Self {
        Self { limits, heard: now, paid: now, flood: 0, flooded: now, boards: Vec::new() }
    }

    /// A message came, of any kind.
    pub(super) fn comes(&mut self, now: Timestamp) -> Pace {
        if now < self.heard {
            // The server's clock was set back: what was paid for ahead of it is long past.
            self.paid = self.paid.min(now);
        }
        self.heard = now;
        if self.limits.per_second == 0 {
            return Pace::Take;
        }
        // A steady allowance that holds a second's worth: a board that was cut off may catch up.
        let price = Duration::from_secs(1) / self.limits.per_second;
        let paid = self.paid.max(now).plus(price);
        if paid <= now.plus(Duration::from_secs(1)) {
            self.paid = paid;
            return Pace::Take;
        }
        if self.flooded.plus(FLOOD_FORGOTTEN) < now {
            self.flood = 0;
        }
        self.flooded = now;
        self.flood = self.flood.saturating_add(1);
        if self.flood > self.limits.per_second.saturating_mul(FLOOD_SECONDS) { Pace::End } else { Pace::Drop }
    }

    /// The message was of this board.
    pub(super) fn speaks_for(&mut self, board: u32) {
        if self.boards.last() == Some(&board) {
            return;
        }
        self.boards.retain(|known| *known != board);
        if self.boards.len() >= BOARDS_MAX {
            self.boards.remove(0);
        }
        self.boards.push(board);
    }

    /// The boards that spoke on it, the newest last; of very many the newest.
    pub(super) fn boards(&self) -> &[u32] {
        &self.boards
    }

    /// How long it may go on saying nothing; zero when it is time to end it.
    pub(super) fn patience(&self, now: Timestamp) -> Duration {
        let left = self.heard.plus(self.limits.silence).micros().saturating_sub(now.micros());
        Duration::from_micros(u64::try_from(left).unwrap_or(0))
    }
}

/// A flood that paused for so long is another one.
const FLOOD_FORGOTTEN: Duration = Duration::from_secs(10);
/// So many seconds' worth of dropped messages end a connection.
const FLOOD_SECONDS: u32 = 10;
/// A connection speaks for one board; a gateway may speak for several.
const BOARDS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_second: 50, silence: Duration::from_secs(90) };

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + milliseconds * 1000)
    }

    #[test]
    fn a_board_s_pace_and_a_burst_are_taken() {
        let mut session = Session::new(LIMITS, at(0));
        assert!((0..200).all(|n| session.comes(at(n * 3000)) == Pace::Take));
        let mut session = Session::new(LIMITS, at(0));
        assert!((0..50).all(|_| session.comes(at(0)) == Pace::Take));
        assert_eq!(session.comes(at(0)), Pace::Drop);
        assert_eq!(session.comes(at(1000)), Pace::Take);
    }

    #[test]
    fn a_flood_is_thinned_out_and_then_ended() {
        let mut session = Session::new(LIMITS, at(0));
        let paces: Vec<Pace> = (0..1000).map(|n| session.comes(at(n))).collect();
        let taken = paces.iter().filter(|pace| **pace == Pace::Take).count();
        assert!((95..=101).contains(&taken), "{taken} in the first second");
        assert_eq!(paces.iter().filter(|pace| **pace == Pace::Drop).count(), 500);
        assert_eq!(paces.last(), Some(&Pace::End));
    }

    #[test]
    fn a_clock_that_is_set_back_costs_no_message() {
        let mut session = Session::new(LIMITS, at(0));
        for milliseconds in [7_200_000, 7_203_000, 3000, 6000, 0] {
            assert_eq!(session.comes(at(milliseconds)), Pace::Take);
        }
        assert_eq!(session.patience(at(0)), LIMITS.silence);
    }

    #[test]
    fn little_floods_far_apart_end_nothing() {
        let mut session = Session::new(LIMITS, at(0));
        for burst in 0..50 {
            let paces: Vec<Pace> = (0..150).map(|_| session.comes(at(burst * 15_000))).collect();
            assert!(!paces.contains(&Pace::End), "burst {burst}");
        }
    }

    #[test]
    fn without_a_limit_everything_is_taken() {
        let mut session = Session::new(Limits { per_second: 0, ..LIMITS }, at(0));
        assert!((0..10_000).all(|_| session.comes(at(0)) == Pace::Take));
    }

    #[test]
    fn silence_is_measured_from_the_last_message() {
        let mut session = Session::new(LIMITS, at(0));
        assert_eq!(session.patience(at(0)), Duration::from_secs(90));
        session.comes(at(30_000));
        assert_eq!(session.patience(at(60_000)), Duration::from_mins(1));
        assert_eq!(session.patience(at(120_000)), Duration::ZERO);
        assert_eq!(session.patience(at(999_000)), Duration::ZERO);
    }

    #[test]
    fn a_gateway_s_boards_are_remembered_and_not_without_end() {
        let mut session = Session::new(LIMITS, at(0));
        for board in [5, 7, 5, 5] {
            session.speaks_for(board);
        }
        assert_eq!(session.boards(), [7, 5]);
        (0..1000).for_each(|board| session.speaks_for(board));
        assert_eq!((session.boards().len(), session.boards().last()), (BOARDS_MAX, Some(&999)));
    }
}
