//! Payload → readings (`cwm-oke.md §6.1, §7.1`). Pure.
//!
//! What stands under the heartbeat's member is named without it: `act_temp.0`, not `_hbt.act_temp.0`, since it is
//! the equipment's state whichever message brought it. Everything else is named by its path.

use std::collections::HashSet;

use super::names::CwmSettings;
use crate::core::telemetry::{Limits, flatten};
use crate::model::{Reading, Timestamp};

/// What a payload says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    /// Its values, each sensor once.
    pub(super) readings: Vec<Reading>,
    /// How many values were left out or cut.
    pub(super) lost: usize,
    /// The names of its members.
    pub(super) keys: Vec<String>,
}

/// Reads a payload's text.
///
/// # Errors
/// It is no JSON object.
pub(super) fn read(
    payload: &str,
    created: Option<Timestamp>,
    settings: &CwmSettings,
) -> serde_json::Result<Said> {
    let limits = Limits { readings_max: settings.readings_max, ..Limits::default() };
    let flat = flatten(payload, Some(&settings.names.heartbeat), created, limits)?;
    let mut said = Said { readings: flat.readings, lost: flat.losses_total, keys: flat.keys };
    let before = said.readings.len();
    once(&mut said.readings);
    said.readings.truncate(settings.readings_max);
    said.lost += before - said.readings.len();
    Ok(said)
}

/// A name may come twice, from inside and outside the heartbeat, by a dot in a name, or because a key stands twice: the
/// first counts.
fn once(readings: &mut Vec<Reading>) {
    if readings.len() > FEW {
        let mut names = HashSet::with_capacity(readings.len());
        return readings.retain(|reading| names.insert(reading.sensor.clone()));
    }
    let twice = |readings: &[Reading]| {
        let mut rest = readings;
        while let [first, others @ ..] = rest {
            if others.iter().any(|other| other.sensor == first.sensor) {
                return true;
            }
            rest = others;
        }
        false
    };
    if twice(readings) {
        let mut names = Vec::with_capacity(readings.len());
        readings.retain(|reading| {
            let new = !names.contains(&reading.sensor);
            names.push(reading.sensor.clone());
            new
        });
    }
}

/// So many names are compared with each other sooner than put into a set.
const FEW: usize = 24;

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::model::{Gap, Value};

    fn of(payload: &Json) -> Vec<(String, Value)> {
        let said = read(&payload.to_string(), None, &CwmSettings::default()).unwrap();
        said.readings.into_iter().map(|reading| (reading.sensor.into(), reading.value)).collect()
    }

    #[test]
    fn a_heartbeat_is_named_without_its_member() {
        let payload = json!({"_hbt": {"act_temp": [920, 1525], "recipe": [null, "Chili"]}});
        assert_eq!(
            of(&payload),
            [
                ("act_temp.0".into(), Value::Integer(920)),
                ("act_temp.1".into(), Value::Integer(1525)),
                ("recipe.0".into(), Value::Gap(Gap)),
                ("recipe.1".into(), Value::Text("Chili".into())),
            ]
        );
    }

    #[test]
    fn everything_else_is_named_by_its_path() {
        assert_eq!(
            of(&json!({"oven": {"setpt": 350.5, "door": "open"}, "_ping": true})),
            [
                ("oven.setpt".into(), Value::Real(350.5)),
                ("oven.door".into(), Value::Text("open".into())),
                ("_ping".into(), Value::Bool(true)),
            ]
        );
        assert_eq!(of(&json!({"_hbt": 5})), [("_hbt".into(), Value::Integer(5))]);
    }

    #[test]
    fn a_name_that_comes_twice_is_kept_once() {
        assert_eq!(
            of(&json!({"_hbt": {"door": 1}, "door": 2, "a": {"b": 3}, "a.b": 4})),
            [("door".into(), Value::Integer(1)), ("a.b".into(), Value::Integer(3))]
        );
    }

    #[test]
    fn a_key_that_stands_twice_counts_once() {
        let said =
            read(r#"{"a":1,"a":2,"b":{"c":3},"b":{"c":4,"d":5}}"#, None, &CwmSettings::default()).unwrap();
        let names: Vec<&str> = said.readings.iter().map(|reading| reading.sensor.as_str()).collect();
        assert_eq!(names, ["a", "b.c", "b.d"]);
        assert_eq!(said.readings[0].value, Value::Integer(1));
        assert_eq!(said.lost, 2);
    }

    #[test]
    fn many_names_and_few_are_treated_alike() {
        for count in [FEW - 1, FEW, FEW + 5] {
            let heartbeat: serde_json::Map<_, _> = (0..count).map(|n| (format!("s{n}"), n.into())).collect();
            let said = json!({ "_hbt": heartbeat, "s0": "again", "s": 1 }).to_string();
            let said = read(&said, None, &CwmSettings::default()).unwrap();
            assert_eq!((said.readings.len(), said.lost), (count + 1, 1));
            assert_eq!(said.readings[0].value, Value::Integer(0));
        }
    }
}
