//! Nights, a letter a second: `0` empty, `1` a fresh beat, `s` occupied without a new beat, `2` movement, `9` a
//! status that means nothing, `.` no row at all.

use super::*;

fn second(at: usize, letter: char) -> Option<Sample> {
    let (status, fresh) = match letter {
        '0' => (Status::Empty, false),
        '1' => (Status::Occupied, true),
        's' => (Status::Occupied, false),
        '2' => (Status::Movement, false),
        '9' => (Status::Other(7), false),
        '.' => return None,
        other => panic!("{other} is no second"),
    };
    Some(Sample {
        at: Timestamp::from_micros(i64::try_from(at).unwrap() * 1_000_000),
        device_time: None,
        index: i64::try_from(at).ok(),
        hr_bpm: None,
        rr_rpm: None,
        sv_index: None,
        hrv_ms: None,
        signal_strength: None,
        status,
        beats_ms: Vec::new(),
        fresh,
    })
}

fn night(text: &str) -> Vec<Sample> {
    let letters = text.chars().filter(|letter| !letter.is_whitespace());
    letters.enumerate().filter_map(|(at, letter)| second(at, letter)).collect()
}

fn words(told: &[Reading]) -> Vec<String> {
    let word = |reading: &Reading| {
        let value = match &reading.value {
            Value::Text(text) => text.clone(),
            Value::Bool(truth) => truth.to_string(),
            Value::Integer(_) | Value::Real(_) | Value::Gap(_) => panic!("{reading:?}"),
        };
        let at = reading.created.unwrap().seconds();
        if reading.sensor == EVENT {
            format!("{value}@{at}")
        } else {
            format!("{}={value}@{at}", reading.sensor)
        }
    };
    told.iter().map(word).collect()
}

fn told(text: &str, rule: &PresenceSettings) -> Vec<String> {
    words(&Bed::default().observe(&night(text), rule))
}

/// What is told of presence alone.
fn presence(text: &str) -> Vec<String> {
    let mut told = told(text, &PresenceSettings::default());
    told.retain(|word| word.starts_with("presence") || word.starts_with("bed"));
    told
}

/// Six messages like B, four like A, one like C of the page's §9.
const THIRTY_EMPTY: &str = "00000 00000 00000 00000 00000 00000";
const TWENTY_IN_BED: &str = "111s1 111s1 111s1 111s1";
const TURNING_OVER: &str = "1222s s1111";

#[test]
fn the_night_of_the_page() {
    let night = format!("{THIRTY_EMPTY} {TWENTY_IN_BED} {TURNING_OVER}");
    assert_eq!(
        told(&night, &PresenceSettings::default()),
        [
            "presence=unknown@0",
            "moving=false@0",
            "vitals=false@0",
            "presence=empty@0",
            "vitals=true@30",
            "vitals_available@30",
            "presence=occupied@30",
            "bed_entered@30",
            "moving=true@51",
            "movement_started@51",
            "moving=false@54",
            "movement_ended@54",
        ]
    );
}

#[test]
fn nothing_depends_on_where_messages_end() {
    let night = night(&format!("{THIRTY_EMPTY} {TWENTY_IN_BED} {TURNING_OVER} {THIRTY_EMPTY}"));
    let rule = PresenceSettings::default();
    let whole = Bed::default().observe(&night, &rule);
    for rows in 1..20 {
        let mut bed = Bed::default();
        let told: Vec<Reading> = night.chunks(rows).flat_map(|rows| bed.observe(rows, &rule)).collect();
        assert_eq!(told, whole, "{rows} rows a message");
    }
}

#[test]
fn presence_turns_only_when_the_rules_say_so() {
    let cases: [(&str, &str, &[&str]); 14] = [
        ("nothing said", "", &[]),
        ("fifteen zeros are not enough", "000000000000000", &["presence=unknown@0"]),
        ("sixteen are", "0000000000000000", &["presence=unknown@0", "presence=empty@0"]),
        ("nine in bed are not enough", "111111111", &["presence=unknown@0"]),
        ("ten are, and nobody saw him enter", "1111111111", &["presence=unknown@0", "presence=occupied@0"]),
        ("ten of fifteen", "s00s0s0s1ss1sss", &["presence=unknown@0", "presence=occupied@0"]),
        ("nine of fifteen", "s00s0s0s10s1s0ss", &["presence=unknown@0"]),
        ("movement alone is nobody", "22222222222222222222", &["presence=unknown@0"]),
        (
            "movement counts once vital signs are there",
            "22222222s1111111",
            &["presence=unknown@0", "presence=occupied@0"],
        ),
        ("but four of those are too few", "2222222222221111", &["presence=unknown@0"]),
        ("movement breaks a row of zeros", "0000000000200000000000", &["presence=unknown@0"]),
        (
            "an unknown status breaks nothing",
            "00000000990000000099",
            &["presence=unknown@0", "presence=empty@0"],
        ),
        ("nor does it count", "9999999999999999999999", &["presence=unknown@0"]),
        (
            "up and back at once is one exit",
            "1111111111 0000000000000000 1111111111",
            &[
                "presence=unknown@0",
                "presence=occupied@0",
                "presence=empty@10",
                "bed_left@10",
                "presence=occupied@26",
                "bed_entered@26",
            ],
        ),
    ];
    for (what, night, expected) in cases {
        assert_eq!(presence(night), expected, "{what}");
    }
}

#[test]
fn sitting_up_for_a_moment_is_no_exit() {
    let night = "1111111111 000000000000000 1 000000000000000 1111111111";
    assert_eq!(presence(night), ["presence=unknown@0", "presence=occupied@0"]);
}

#[test]
fn leaving_through_movement_is_dated_by_the_first_empty_second() {
    let night = "1111111111 222 00000000000000000000";
    assert_eq!(
        presence(night),
        ["presence=unknown@0", "presence=occupied@0", "presence=empty@13", "bed_left@13",]
    );
}

#[test]
fn while_the_hold_lasts_nothing_is_concluded() {
    let rule = PresenceSettings { empty_samples: 0, movement_hold_s: 4, ..PresenceSettings::default() };
    let mut told = told("1111111111 2 00000", &rule);
    told.retain(|word| !word.starts_with("vitals"));
    assert_eq!(
        told,
        [
            "presence=unknown@0",
            "moving=false@0",
            "presence=occupied@0",
            "moving=true@10",
            "movement_started@10",
            // Decided at 14, when four seconds were over.
            "moving=false@11",
            "movement_ended@11",
            "presence=empty@11",
            "bed_left@11",
        ]
    );
}

#[test]
fn movements_close_to_each_other_are_one() {
    let rule = PresenceSettings::default();
    let movements = |text: &str| told(text, &rule).iter().filter(|word| word.starts_with("movement")).count();
    assert_eq!(movements("1 222 11 222 1111"), 2, "one that starts and ends");
    assert_eq!(movements("1 222 111 222 1111"), 4, "three seconds apart: two");
    assert_eq!(movements("1 222 9999 222 1111"), 2, "an unknown status is no calm");
    assert_eq!(movements("1 222"), 1, "it goes on");
}

#[test]
fn vital_signs_are_lost_after_eight_seconds_twice_as_fast_in_an_empty_bed() {
    let rule = PresenceSettings::default();
    let vitals = |text: &str| {
        let mut told = told(text, &rule);
        told.retain(|word| word.starts_with("vitals_"));
        told
    };
    assert_eq!(vitals("1 ssssssss 1"), ["vitals_available@0"]);
    assert_eq!(vitals("1 sssssssss 1"), ["vitals_available@0", "vitals_lost@1", "vitals_available@10"]);
    assert_eq!(vitals("1 0000 1"), ["vitals_available@0"]);
    assert_eq!(vitals("1 00000"), ["vitals_available@0", "vitals_lost@1"]);
    assert_eq!(vitals("1 ss 222 sss 2"), ["vitals_available@0", "vitals_lost@1"], "movement shows none");
}

#[test]
fn a_silence_ends_runs_and_a_long_one_all_knowledge() {
    let silence = |seconds: usize| ".".repeat(seconds);
    // Ten zeros, then ten more after a gap: no twenty in a row.
    assert_eq!(presence(&format!("0000000000 {} 0000000000", silence(15))), ["presence=unknown@0"]);
    assert_eq!(
        presence(&format!("0000000000 {} 0000000000", silence(14))),
        ["presence=unknown@0", "presence=empty@0",]
    );
    // Somebody lay there before a pause, and is still there after it.
    let night = format!("1111111111 {} 1111111111", silence(590));
    assert_eq!(presence(&night), ["presence=unknown@0", "presence=occupied@0"]);
    let night = format!("1111111111 {} 1111111111", silence(600));
    assert_eq!(
        presence(&night),
        ["presence=unknown@0", "presence=occupied@0", "presence=unknown@610", "presence=occupied@610",]
    );
    // Vital signs that do not come at once after it are lost.
    let told = told(&format!("1 {} s", silence(20)), &PresenceSettings::default());
    assert!(told.contains(&"vitals_lost@21".to_owned()), "{told:?}");
}

#[test]
fn a_clock_set_back_holds_nothing_up() {
    let rule = PresenceSettings::default();
    let mut bed = Bed::default();
    let mut late = night("1111111111 22");
    for sample in &mut late {
        sample.at = sample.at.plus(Duration::from_secs(100));
    }
    bed.observe(&late, &rule);
    let told = words(&bed.observe(&night("s"), &rule));
    assert_eq!(told, ["moving=false@0", "movement_ended@0"]);
}

#[test]
fn a_restart_at_any_second_changes_nothing() {
    let rule = PresenceSettings::default();
    let night = night(&format!("{THIRTY_EMPTY} {TWENTY_IN_BED} {TURNING_OVER} sssssssssssss {THIRTY_EMPTY}"));
    let whole = Bed::default().observe(&night, &rule);
    for cut in 1..night.len() {
        let (before, after) = night.split_at(cut);
        let mut told = Bed::default().observe(before, &rule);
        let mut latest: Vec<Datum> = Vec::new();
        for reading in &told {
            latest.retain(|datum| datum.sensor != reading.sensor);
            latest.push(Datum {
                sensor: reading.sensor.clone(),
                value: reading.value.clone(),
                time_received: Timestamp::from_micros(0),
                time_created: reading.created,
                seq: crate::model::Seq(1),
                counts: reading.counts,
            });
        }
        // What two messages hold at the least: the rules look no further back.
        let seconds: Vec<Second> = before
            .iter()
            .skip(before.len().saturating_sub(40))
            .map(|sample| Second { at: sample.at, status: sample.status, fresh: sample.fresh })
            .collect();
        let mut bed = Bed::recalled(&latest, &seconds, &rule);
        told.extend(bed.observe(after, &rule));
        assert_eq!(told, whole, "restarted after second {cut}");
    }
}

#[test]
fn numbers_that_cannot_be_meant_are_refused() {
    assert_eq!(PresenceSettings::default().check(), Ok(()));
    let wrong = PresenceSettings { window_nonzero_min: 16, ..PresenceSettings::default() };
    assert!(wrong.check().unwrap_err().contains("window_nonzero_min"));
    let wrong = PresenceSettings { window_occupied_min: 11, ..PresenceSettings::default() };
    assert!(wrong.check().unwrap_err().contains("window_occupied_min"));
    let wrong = PresenceSettings { window_occupied_min: 0, ..PresenceSettings::default() };
    assert!(wrong.check().is_err());
}
