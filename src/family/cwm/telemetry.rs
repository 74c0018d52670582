//! Payload → readings (`cwm-oke.md §6.1, §7.1`). Pure.
//!
//! What stands under the heartbeat's member is named without it: `act_temp.0`, not `_hbt.act_temp.0`, since it is
//! the equipment's state whichever message brought it. Everything else is named by its path.

use std::collections::HashSet;

use serde_json::Value as Json;

use super::names::CwmSettings;
use crate::core::telemetry::{Flattened, Limits, flatten};
use crate::model::{Reading, Timestamp};

/// The readings of a payload, each sensor once, and how many values were left out or cut.
pub(super) fn readings(
    payload: &Json,
    created: Option<Timestamp>,
    settings: &CwmSettings,
) -> (Vec<Reading>, usize) {
    let Json::Object(members) = payload else { return (Vec::new(), 0) };
    let limits = Limits { readings_max: settings.readings_max, ..Limits::default() };
    let mut parts: Vec<Flattened> = Vec::new();
    let mut rest = members.clone();
    if let Some(Json::Object(heartbeat)) = members.get(&settings.names.heartbeat) {
        parts.push(flatten(&Json::Object(heartbeat.clone()), "", created, limits));
        rest.shift_remove(&settings.names.heartbeat);
    }
    parts.push(flatten(&Json::Object(rest), "", created, limits));
    let mut lost = 0;
    let mut names = HashSet::new();
    let mut readings = Vec::new();
    for part in parts {
        lost += part.losses_total;
        for reading in part.readings {
            // A name may come twice, from inside and outside the heartbeat or by a dot in a name: the first counts.
            if readings.len() < settings.readings_max && names.insert(reading.sensor.clone()) {
                readings.push(reading);
            } else {
                lost += 1;
            }
        }
    }
    (readings, lost)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Gap, Value};

    fn of(payload: &Json) -> Vec<(String, Value)> {
        let (readings, _) = readings(payload, None, &CwmSettings::default());
        readings.into_iter().map(|reading| (reading.sensor, reading.value)).collect()
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
