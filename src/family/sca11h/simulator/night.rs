//! What a pretend bed feels, second by second: nobody, somebody asleep, somebody who turns over (`sca11h.md §4.4`). Pure.

use crate::family::simulator::Chance;

/// One second as the node's algorithm puts it out. A zero is no value, but of the signal strength and the status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Second {
    pub(super) hr: u32,
    pub(super) rr: u32,
    pub(super) sv: u32,
    pub(super) hrv: u32,
    pub(super) strength: u32,
    pub(super) status: u32,
    /// The newest first.
    pub(super) beats: [u32; 3],
}

/// A bed and who uses it.
#[derive(Debug)]
pub(super) struct Night {
    chance: Chance,
    lived: u32,
    /// Seconds of movement that are left.
    moving: u32,
    /// What the last beat gave: HR, SV and HRV repeat until the next one.
    vitals: [u32; 3],
}

impl Night {
    /// A bed; beds of other numbers are at other times of their night.
    pub(super) fn new(number: u32, chance: Chance) -> Self {
        Self { chance, lived: number.wrapping_mul(STAGGER_S) % CYCLE_S, moving: 0, vitals: [62, 55, 35] }
    }

    /// The next second.
    pub(super) fn next(&mut self) -> Second {
        self.lived = (self.lived + 1) % CYCLE_S;
        if self.lived < EMPTY_S {
            self.moving = 0;
            return Second { strength: self.near(135, 20), ..Second::default() };
        }
        if self.moving == 0 && self.chance.permille(TURNS_PERMILLE) {
            self.moving = self.near(2, 8);
        }
        let [hr, sv, hrv] = self.vitals;
        if self.moving > 0 {
            self.moving -= 1;
            let strength = self.near(8_000, 8_000);
            return Second { strength, status: 2, ..Second::default() };
        }
        let second = Second {
            hr,
            rr: self.near(13, 4),
            sv,
            hrv,
            strength: self.near(880, 90),
            status: 1,
            beats: [0; 3],
        };
        if !self.chance.permille(BEATS_PERMILLE) {
            return second;
        }
        let hr = (hr + self.chance.below(3)).saturating_sub(1).clamp(52, 74);
        self.vitals = [hr, self.near(45, 20), self.near(25, 30)];
        let [hr, sv, hrv] = self.vitals;
        let mut beat = || 60_000 / hr + self.chance.below(60) - 30;
        let beats = [beat(), if hr > 60 { beat() } else { 0 }, 0];
        Second { hr, sv, hrv, beats, ..second }
    }

    fn near(&mut self, from: u32, spread: u32) -> u32 {
        from + self.chance.below(spread)
    }
}

/// Half an hour stands for a night, so that a short run sees all of it.
const CYCLE_S: u32 = 1800;
const EMPTY_S: u32 = 300;
const STAGGER_S: u32 = 420;
const TURNS_PERMILLE: u32 = 6;
const BEATS_PERMILLE: u32 = 850;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_has_everything_in_it() {
        let mut night = Night::new(0, Chance::new(7));
        let seconds: Vec<Second> = (0..CYCLE_S).map(|_| night.next()).collect();
        let count = |status| seconds.iter().filter(|second| second.status == status).count();
        assert_eq!(count(0), usize::try_from(EMPTY_S).unwrap());
        assert!(count(1) > 1000 && count(2) > 10, "{} {}", count(1), count(2));
        assert!(seconds.iter().filter(|second| second.status == 1).all(|second| second.hr > 35));
        assert!(seconds.iter().filter(|second| second.status != 1).all(|second| second.hr == 0));
        assert!(seconds.iter().any(|second| second.status == 1 && second.beats == [0; 3]));
    }
}
