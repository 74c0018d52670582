//! What alarms go through: tables of cases, and what holds for every history.

use proptest::prelude::*;

use super::*;

/// Between 0 and 100, with a hysteresis of 2.
const BOUNDS: Bounds = Bounds { low: Some(0.0), high: Some(100.0), hysteresis: None };
const NONE: Holds = Holds { fire: Duration::ZERO, clear: Duration::ZERO };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000)
}

fn seconds(at_: Timestamp) -> i64 {
    (at_.micros() - at(0).micros()) / 1_000_000
}

const fn holds(fire: u64, clear: u64) -> Holds {
    Holds { fire: Duration::from_secs(fire), clear: Duration::from_secs(clear) }
}

fn told(changes: Vec<Change>) -> Vec<String> {
    let one = |change| match change {
        Change::Fired { at, trip, nth } => {
            format!("{} fired #{nth} {} since {}", seconds(at), trip.side, seconds(trip.at))
        }
        Change::Resolved { at, .. } => format!("{} resolved", seconds(at)),
    };
    changes.into_iter().map(one).collect()
}

/// One thing that happens to an alarm.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A value measured at a second.
    Is(i64, f64),
    /// Time passes to a second.
    Tick(i64),
}
use Step::{Is, Tick};

fn run(alarm: &mut Alarm, holds: Holds, steps: &[Step]) -> Vec<String> {
    let mut all = Vec::new();
    for step in steps {
        all.extend(told(match *step {
            Is(second, value) => alarm.sample(&BOUNDS, holds, Sample { at: at(second), value }, at(second)),
            Tick(second) => alarm.tick(holds, at(second)),
        }));
    }
    all
}

/// What is told of a history: what it shows, the holds, the steps, the changes.
type Case = (&'static str, Holds, &'static [Step], &'static [&'static str]);

const CASES: &[Case] = &[
    ("exactly at a bound is inside", NONE, &[Is(0, 100.0), Is(1, 0.0), Tick(99)], &[]),
    (
        "out and in again",
        NONE,
        &[Is(0, 50.0), Is(10, 100.5), Is(20, 101.0), Is(30, 98.0), Is(40, 50.0)],
        &["10 fired #1 high since 10", "30 resolved"],
    ),
    (
        "flapping within the hysteresis is one event",
        NONE,
        &[Is(0, 100.5), Is(1, 99.0), Is(2, 100.5), Is(3, 98.5), Is(4, 101.0), Is(5, 98.1), Is(6, 97.9)],
        &["0 fired #1 high since 0", "6 resolved"],
    ),
    (
        "from one side to the other it goes on",
        NONE,
        &[Is(0, 101.0), Is(1, -1.0), Is(2, 1.0), Is(3, 2.0)],
        &["0 fired #1 high since 0", "2 resolved"],
    ),
    ("not for long enough", holds(60, 0), &[Is(0, 101.0), Is(59, 50.0), Tick(500)], &[]),
    (
        "the hold ends by the clock",
        holds(60, 0),
        &[Is(0, 101.0), Tick(59), Tick(61)],
        &["60 fired #1 high since 0"],
    ),
    (
        "the hold ends before the value that comes after it",
        holds(60, 0),
        &[Is(0, 101.0), Is(90, 50.0)],
        &["60 fired #1 high since 0", "90 resolved"],
    ),
    ("a value at the end of the hold is heard", holds(60, 0), &[Is(0, 101.0), Is(60, 50.0), Tick(999)], &[]),
    (
        "and one that is outside fires",
        holds(60, 0),
        &[Is(0, 101.0), Is(60, 101.0)],
        &["60 fired #1 high since 0"],
    ),
    (
        "a hold is not begun anew within the hysteresis",
        holds(60, 0),
        &[Is(0, 101.0), Is(30, 99.0), Is(50, 101.0), Tick(60)],
        &["60 fired #1 high since 0"],
    ),
    (
        "cleared only after its hold",
        holds(0, 30),
        &[Is(0, 101.0), Is(10, 50.0), Is(20, 101.0), Is(30, 50.0), Tick(59), Tick(60)],
        &["0 fired #1 high since 0", "60 resolved"],
    ),
    (
        "while it clears, the hysteresis is inside",
        holds(0, 30),
        &[Is(0, 101.0), Is(10, 50.0), Is(20, 99.0), Is(40, 99.0)],
        &["0 fired #1 high since 0", "40 resolved"],
    ),
    (
        "what is older than the last value never fires and never resolves",
        NONE,
        &[Is(10, 50.0), Is(9, 200.0), Is(20, 200.0), Is(15, 50.0), Is(20, 200.0), Tick(99)],
        &["20 fired #1 high since 20"],
    ),
    (
        "each cause counts",
        NONE,
        &[Is(0, -1.0), Is(1, 50.0), Is(1, -1.0), Is(2, 50.0)],
        &["0 fired #1 low since 0", "1 resolved", "1 fired #2 low since 1", "2 resolved"],
    ),
];

#[test]
fn an_alarm_goes_its_way() {
    for (what, holds, steps, expected) in CASES {
        assert_eq!(run(&mut Alarm::default(), *holds, steps), *expected, "{what}");
    }
}

#[test]
fn a_value_of_a_time_to_come_does_not_deafen_the_alarm() {
    let mut alarm = Alarm::default();
    let mut say =
        |second, value, now| told(alarm.sample(&BOUNDS, NONE, Sample { at: at(second), value }, at(now)));
    assert!(say(86_400, 50.0, 0).is_empty(), "the clock was a day ahead");
    assert_eq!(say(10, 200.0, 10), ["10 fired #1 high since 10"], "and was set back");
}

#[test]
fn edited_bounds_are_judged_at_once() {
    let narrow = Bounds { high: Some(40.0), ..BOUNDS };
    let mut alarm = Alarm::default();
    assert!(told(alarm.retune(&narrow, NONE, at(0))).is_empty(), "nothing is known yet");
    run(&mut alarm, NONE, &[Is(0, 99.5)]);
    assert_eq!(told(alarm.retune(&narrow, NONE, at(5))), ["5 fired #1 high since 5"]);
    assert!(told(alarm.retune(&Bounds { high: Some(50.0), ..BOUNDS }, NONE, at(6))).is_empty(), "it goes on");
    let long = holds(0, 600);
    assert_eq!(
        told(alarm.retune(&BOUNDS, long, at(7))),
        ["7 resolved"],
        "hysteresis and hold are of other bounds"
    );
    let held = holds(60, 0);
    assert!(told(alarm.retune(&narrow, held, at(10))).is_empty());
    assert_eq!(told(alarm.tick(held, at(70))), ["70 fired #2 high since 10"]);
    assert_eq!(told(alarm.end(at(80))), ["80 resolved"]);
    assert!(told(alarm.end(at(81))).is_empty());
}

#[test]
fn a_silence_ends_with_a_sign_of_life_and_not_with_a_restart() {
    let silent = |second, heard: Option<i64>| Trip {
        at: at(second),
        side: Side::Silent,
        value: None,
        bound: Some(30.0),
        heard: heard.map(at),
    };
    let mut alarm = Alarm::default();
    let fired = alarm.silence(NONE, Some(silent(40, Some(10))), Some(at(10)), at(41));
    assert_eq!(told(fired), ["40 fired #1 silent since 40"]);
    assert!(alarm.silence(NONE, Some(silent(40, Some(10))), Some(at(10)), at(50)).is_empty());
    // After a restart the device has its time again, and is not silent yet; nothing was heard all the same.
    assert!(alarm.silence(NONE, None, Some(at(10)), at(100)).is_empty());
    assert_eq!(told(alarm.silence(NONE, None, Some(at(120)), at(121))), ["120 resolved"]);
    assert!(alarm.silence(NONE, None, Some(at(120)), at(122)).is_empty());
    // One that was never heard.
    let fired = alarm.silence(holds(60, 0), Some(silent(200, None)), None, at(210));
    assert!(fired.is_empty(), "it must last");
    assert_eq!(
        told(alarm.silence(holds(60, 0), Some(silent(200, None)), None, at(300))),
        ["260 fired #2 silent since 200"]
    );
    assert_eq!(told(alarm.silence(NONE, None, Some(at(310)), at(311))), ["310 resolved"]);
}

fn step() -> impl Strategy<Value = (i64, f64, bool)> {
    (
        0_i64..40,
        prop_oneof![Just(-5.0), Just(0.0), Just(1.0), Just(50.0), Just(99.0), Just(100.0), Just(101.0)],
        any::<bool>(),
    )
}

proptest! {
    /// Firing and resolving take turns; ticks between values and restarts at any point change nothing; nothing out of
    /// order does anything.
    #[test]
    fn histories_are_told_once_however_they_are_cut(
        steps in proptest::collection::vec(step(), 1..60),
        fire in 0_u64..50,
        clear in 0_u64..50,
        late in -100_i64..-1,
    ) {
        let holds = holds(fire, clear);
        let (mut plain, mut cut) = (Alarm::default(), Alarm::default());
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let mut second = 0;
        for (wait, value, odd) in steps {
            if odd {
                // Ticks, an old value and a restart.
                other.extend(told(cut.tick(holds, at(second + wait / 2))));
                let old = cut.last().map_or(at(0), |last| last.at).minus(Duration::from_secs(late.unsigned_abs()));
                if cut.last().is_some() {
                    let sample = Sample { at: old, value: 1e6 };
                    let nothing = cut.sample(&BOUNDS, holds, sample, at(second)).is_empty();
                    prop_assert!(nothing);
                }
                cut = serde_json::from_str(&serde_json::to_string(&cut).unwrap()).unwrap();
            }
            second += wait;
            let sample = Sample { at: at(second), value };
            one.extend(told(plain.sample(&BOUNDS, holds, sample, at(second))));
            other.extend(told(cut.sample(&BOUNDS, holds, sample, at(second))));
            if plain.last().is_some_and(|last| BOUNDS.outside(last.value).is_some()) && fire == 0 {
                prop_assert!(plain.is_firing());
            }
        }
        one.extend(told(plain.tick(holds, at(second + 1000))));
        other.extend(told(cut.tick(holds, at(second + 1000))));
        prop_assert_eq!(&one, &other);
        for (nth, line) in one.iter().enumerate() {
            prop_assert_eq!(line.contains("fired"), nth % 2 == 0, "{:?}", one);
        }
    }
}
