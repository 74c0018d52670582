//! How often a device speaks, learned from its own recent messages, and what its silence means. Pure.
//!
//! A heartbeat is a set of messages (`cwm-oke.md §7.1`): what comes within a few seconds of the first is one set,
//! and the gaps between the beginnings of sets are what is learned from.

use std::time::Duration;

use crate::model::Timestamp;

/// A device's recent gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rhythm {
    /// How its family counts them.
    rule: &'static Silence,
    /// When the set that is coming in began.
    began: Option<Timestamp>,
    /// Gaps in milliseconds, the oldest overwritten first.
    gaps: [u32; GAPS_MAX],
    count: u8,
    next: u8,
    /// What was learned before this start of the server.
    before: Option<Duration>,
}

/// How the silence of a family's devices is judged.
#[derive(Debug, PartialEq, Eq)]
pub struct Silence {
    /// Messages within this time of the first are one set.
    pub set_lasts: Duration,
    /// A device is offline after so many of its intervals …
    pub intervals: u32,
    /// … and this much more, …
    pub more: Duration,
    /// … and not before this: a network's hiccup is no absence.
    pub least: Duration,
    /// When the dialect says how often its devices speak: such a device is late after this from its first message on,
    /// and offline after `least`. A slower pace that was learned stretches both.
    pub late: Option<Duration>,
    /// The interval that is taken for granted until one is learned. A device of such a family is late after two of its
    /// intervals and `more`.
    pub pace: Option<Duration>,
}

impl Silence {
    /// Of devices that nothing else is known of: three minutes for one that speaks each minute (`cwm-oke.md §13.5`).
    pub const USUAL: Self = Self {
        set_lasts: Duration::from_secs(5),
        intervals: 3,
        more: Duration::ZERO,
        least: Duration::from_secs(30),
        late: None,
        pace: None,
    };
}

/// What a device's silence means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Heard within the time that its rhythm allows.
    pub online: bool,
    /// Silent for longer than its rhythm explains; it may be online still.
    pub late: bool,
    /// The rhythm that was learned; `None` until then.
    pub rhythm: Option<Duration>,
}

impl Rhythm {
    /// One of which nothing was heard.
    pub(super) const fn new(rule: &'static Silence) -> Self {
        Self { rule, began: None, gaps: [0; GAPS_MAX], count: 0, next: 0, before: None }
    }

    /// One whose interval was learned earlier.
    pub(super) const fn learned_before(rule: &'static Silence, interval: Duration) -> Self {
        Self { before: Some(interval), ..Self::new(rule) }
    }

    /// Counts the gaps that follow as another rule says.
    pub(super) const fn judge_by(&mut self, rule: &'static Silence) {
        self.rule = rule;
    }

    /// How gaps are counted.
    pub(super) const fn rule(&self) -> &'static Silence {
        self.rule
    }

    /// Notes a message.
    pub(super) fn heard(&mut self, at: Timestamp) {
        let Some(began) = self.began else {
            self.began = Some(at);
            return;
        };
        let gap_us = at.micros().saturating_sub(began.micros());
        if gap_us < 0 {
            // The server's clock was set back: begin anew.
            self.began = Some(at);
            return;
        }
        let gap = Duration::from_micros(u64::try_from(gap_us).unwrap_or(0));
        if gap < self.rule.set_lasts {
            return;
        }
        self.began = Some(at);
        if let Some(place) = self.gaps.get_mut(usize::from(self.next)) {
            *place = u32::try_from(gap.as_millis()).unwrap_or(u32::MAX);
        }
        self.next = (self.next + 1) % GAPS_COUNT;
        self.count = (self.count + 1).min(GAPS_COUNT);
    }

    /// The median of the recent gaps once there are enough, else what was learned before.
    pub(super) fn interval(&self) -> Option<Duration> {
        if self.count < GAPS_NEEDED {
            return self.before;
        }
        let mut gaps = self.gaps;
        let gaps = gaps.get_mut(..usize::from(self.count))?;
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).map(|gap| Duration::from_millis(u64::from(*gap)))
    }

    /// What the silence since `seen` means. `window` holds until an interval is learned.
    pub(super) fn presence(&self, seen: Option<Timestamp>, now: Timestamp, window: Duration) -> Presence {
        let rhythm = self.interval();
        let Silence { intervals, more, least, late, pace, .. } = *self.rule;
        let offline_after = |interval: Duration| (interval * intervals + more).max(least);
        let (late_after, offline_after) = match (rhythm, late) {
            _ if let Some(pace) = pace => {
                let interval = rhythm.unwrap_or(pace);
                (interval * 2 + more, offline_after(interval))
            }
            (None, None) => (window, window),
            (Some(interval), None) => (interval + (interval / 2).max(LATE_SLACK), offline_after(interval)),
            (None, Some(late)) => (late, least),
            (Some(interval), Some(late)) => ((interval + interval / 2).max(late), offline_after(interval)),
        };
        let within = |span: Duration| seen.is_some_and(|seen| seen.plus(span) >= now);
        Presence {
            online: within(offline_after),
            late: (rhythm.is_some() || late.is_some() || pace.is_some()) && !within(late_after),
            rhythm,
        }
    }
}

/// Gaps that are remembered: a quarter of an hour of minutes.
const GAPS_MAX: usize = 15;
const GAPS_COUNT: u8 = 15;
/// Gaps from which an interval is believed.
const GAPS_NEEDED: u8 = 5;
/// A device is late half an interval after it was due, and this much at least.
const LATE_SLACK: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_mins(3);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(0).plus(Duration::from_secs(seconds))
    }

    fn each(interval_s: u64, times: u64) -> (Rhythm, u64) {
        let mut rhythm = Rhythm::new(&Silence::USUAL);
        for n in 0..times {
            rhythm.heard(at(n * interval_s));
        }
        (rhythm, (times - 1) * interval_s)
    }

    #[test]
    fn until_enough_is_heard_the_window_holds() {
        let (rhythm, last) = each(60, 5);
        let presence = |after| rhythm.presence(Some(at(last)), at(last + after), WINDOW);
        assert_eq!(presence(180), Presence { online: true, late: false, rhythm: None });
        assert_eq!(presence(181), Presence { online: false, late: false, rhythm: None });
        let never = rhythm.presence(None, at(0), WINDOW);
        assert!(!never.online && !never.late);
    }

    #[test]
    fn a_device_of_each_minute_is_late_after_a_minute_and_a_half_and_gone_after_three() {
        let (rhythm, last) = each(60, 9);
        let presence = |after| rhythm.presence(Some(at(last)), at(last + after), WINDOW);
        assert_eq!(
            presence(90),
            Presence { online: true, late: false, rhythm: Some(Duration::from_mins(1)) }
        );
        assert!(presence(91).online && presence(91).late);
        assert!(presence(180).online);
        assert!(!presence(181).online && presence(181).late);
    }

    #[test]
    fn a_slow_device_is_given_its_own_time() {
        let (rhythm, last) = each(900, 6);
        let presence = |after| rhythm.presence(Some(at(last)), at(last + after), WINDOW);
        assert!(presence(1_300).online && !presence(1_300).late);
        assert!(presence(1_400).late);
        assert!(presence(2_700).online && !presence(2_701).online);
    }

    #[test]
    fn a_set_of_messages_counts_once() {
        let mut rhythm = Rhythm::new(&Silence::USUAL);
        for minute in 0..8 {
            for second in 0..4 {
                rhythm.heard(at(minute * 60 + second));
            }
        }
        assert_eq!(rhythm.interval(), Some(Duration::from_mins(1)));
    }

    #[test]
    fn one_long_silence_changes_nothing_and_a_new_pace_is_learned() {
        let (mut rhythm, last) = each(60, 9);
        rhythm.heard(at(last + 7_200));
        assert_eq!(rhythm.interval(), Some(Duration::from_mins(1)));
        for n in 1..=9 {
            rhythm.heard(at(last + 7_200 + n * 300));
        }
        assert_eq!(rhythm.interval(), Some(Duration::from_mins(5)));
    }

    #[test]
    fn a_clock_set_back_is_no_gap() {
        let (mut rhythm, _) = each(60, 9);
        rhythm.heard(at(1));
        rhythm.heard(at(61));
        assert_eq!(rhythm.interval(), Some(Duration::from_mins(1)));
    }

    #[test]
    fn what_was_learned_before_holds_until_enough_is_heard_again() {
        let mut rhythm = Rhythm::learned_before(&Silence::USUAL, Duration::from_secs(20));
        rhythm.heard(at(0));
        rhythm.heard(at(60));
        assert_eq!(rhythm.interval(), Some(Duration::from_secs(20)));
    }

    #[test]
    fn a_family_has_its_own_rule() {
        const EACH_FIVE: Silence = Silence {
            set_lasts: Duration::from_secs(1),
            intervals: 3,
            more: Duration::from_secs(10),
            least: Duration::ZERO,
            late: None,
            pace: None,
        };
        let mut rhythm = Rhythm::new(&EACH_FIVE);
        for n in 0_i64..9 {
            // A little early at times: still a message of its own.
            rhythm.heard(Timestamp::from_micros(n * 5_000_000 - (n % 2) * 40_000));
        }
        let interval = rhythm.interval().unwrap();
        assert!(interval.abs_diff(Duration::from_secs(5)) <= Duration::from_millis(40), "{interval:?}");
        let presence = |after: u64| rhythm.presence(Some(at(40)), at(40 + after), WINDOW);
        assert!(presence(14).online && !presence(14).late);
        assert!(presence(16).online && presence(16).late);
        assert!(presence(24).online && !presence(26).online);
    }

    /// Whether a device is online, and late, so many seconds after the last of the times that it was heard.
    fn heard(silence: &'static Silence, interval_s: u64, times: u64) -> impl Fn(u64) -> (bool, bool) {
        let mut rhythm = Rhythm::new(silence);
        (0..times).for_each(|n| rhythm.heard(at(n * interval_s)));
        let last = at((times - 1) * interval_s);
        move |after| {
            let presence = rhythm.presence(Some(last), last.plus(Duration::from_secs(after)), WINDOW);
            (presence.online, presence.late)
        }
    }

    #[test]
    fn a_pace_is_taken_for_granted_until_another_is_learned() {
        const EACH_300: Silence =
            Silence { more: Duration::from_mins(1), pace: Some(Duration::from_mins(5)), ..Silence::USUAL };
        let heard = |interval_s, times| heard(&EACH_300, interval_s, times);
        for times in [1, 9] {
            let node = heard(300, times);
            assert_eq!([node(660), node(661)], [(true, false), (true, true)]);
            assert_eq!([node(960), node(961)], [(true, true), (false, true)]);
        }
        let quick = heard(60, 9);
        assert_eq!([quick(180), quick(181), quick(241)], [(true, false), (true, true), (false, true)]);
    }

    #[test]
    fn a_dialect_that_says_how_often_its_devices_speak_is_taken_at_its_word() {
        const EACH_THREE: Silence = Silence {
            set_lasts: Duration::from_secs(1),
            late: Some(Duration::from_secs(10)),
            ..Silence::USUAL
        };
        let heard = |interval_s, times| heard(&EACH_THREE, interval_s, times);
        for times in [1, 9] {
            let board = heard(3, times);
            assert_eq!(board(10), (true, false));
            assert_eq!(board(11), (true, true));
            assert_eq!([board(30), board(31)], [(true, true), (false, true)]);
        }
        let slow = heard(60, 9);
        assert_eq!(
            [slow(90), slow(91), slow(180), slow(181)],
            [(true, false), (true, true), (true, true), (false, true)]
        );
    }
}
