//! Payload → readings (`cwm-oke.md §6.1, §7.1`). Pure.
//!
//! What stands under the heartbeat's member is named without it: `act_temp.0`, not `_hbt.act_temp.0`, since it is
//! the equipment's state whichever message brought it. Everything else is named by its path.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::names::CwmSettings;
use crate::core::telemetry::{Flattened, Limits, flatten, flatten_without};
use crate::model::{Reading, Timestamp};

/// The readings of a payload, each sensor once, and how many values were left out or cut.
pub(super) fn readings(
    payload: &Json,
    created: Option<Timestamp>,
    settings: &CwmSettings,
) -> (Vec<Reading>, usize) {
    let limits = Limits { readings_max: settings.readings_max, ..Limits::default() };
    let name = &settings.names.heartbeat;
    let parts: [Flattened; 2] = match payload.get(name) {
        Some(heartbeat @ Json::Object(_)) => {
            [flatten(heartbeat, "", created, limits), flatten_without(payload, Some(name), created, limits)]
        }
        Some(_) | None => [flatten_without(payload, None, created, limits), Flattened::default()],
    };
    let lost: usize = parts.iter().map(|part| part.losses_total).sum();
    let all: Vec<Reading> = parts.into_iter().flat_map(|part| part.readings).collect();
    // A name may come twice, from inside and outside the heartbeat or by a dot in a name: the first counts.
    let mut names = HashSet::with_capacity(all.len());
    let kept: Vec<bool> = all
        .iter()
        .map(|reading| names.len() < settings.readings_max && names.insert(reading.sensor.as_str()))
        .collect();
    let lost = lost + kept.iter().filter(|kept| !**kept).count();
    let readings = all.into_iter().zip(kept).filter_map(|(reading, kept)| kept.then_some(reading)).collect();
    (readings, lost)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Gap, Value};

    fn of(payload: &Json) -> Vec<(String, Value)> {
        let (readings, _) = readings(payload, None, &CwmSettings::default());
        readings.into_iter().map(|reading| (reading.sensor.into(), reading.value)).collect()
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
}
