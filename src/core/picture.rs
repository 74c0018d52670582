//! A device's present picture: the newest value of every key, merged over the messages of a split set. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Datum, Seq};

/// What is still true of the newest values (`cwm-oke.md §7.1`: a heartbeat may be split over several messages;
/// merge by key, newest wins). Elements of an array that is shorter now are no longer true: those that the newest
/// message about the array left out while it named all before them, and those not renewed for long.
pub fn picture(latest: Vec<Datum>) -> Vec<Datum> {
    let mut arrays: HashMap<String, Array> = HashMap::new();
    for datum in &latest {
        if let Some((array, place)) = element(&datum.sensor) {
            arrays.entry(array.to_owned()).or_default().take(place, datum);
        }
    }
    let holds = |datum: &Datum| match element(&datum.sensor) {
        Some((array, place)) => arrays.get(array).is_none_or(|array| array.holds(place, datum)),
        // The key was a plain value before it became an array.
        None => arrays.get(datum.sensor.as_str()).is_none_or(|array| datum.seq >= array.newest),
    };
    latest.into_iter().filter(holds).collect()
}

/// What the newest message about an array said.
struct Array {
    newest: Seq,
    at: i64,
    places: Vec<usize>,
}

impl Default for Array {
    fn default() -> Self {
        Self { newest: Seq(i64::MIN), at: i64::MIN, places: Vec::new() }
    }
}

impl Array {
    fn take(&mut self, place: usize, datum: &Datum) {
        if datum.seq > self.newest {
            *self = Self { newest: datum.seq, at: datum.time_received.micros(), places: Vec::new() };
        }
        if datum.seq == self.newest {
            self.places.push(place);
        }
    }

    fn holds(&self, place: usize, datum: &Datum) -> bool {
        if datum.seq == self.newest {
            return true;
        }
        // An object whose members are numbers looks like an array too; its set may name one member a message.
        let count = self.places.iter().max().map_or(0, |last| last + 1);
        let whole = count > 1 && (0..count).all(|place| self.places.contains(&place));
        let left_out = whole && place >= count;
        let old = self.at.saturating_sub(datum.time_received.micros());
        !left_out && old <= i64::try_from(RENEWED_WITHIN.as_micros()).unwrap_or(i64::MAX)
    }
}

/// The array that a sensor is in, by its first place, and that place.
fn element(sensor: &str) -> Option<(&str, usize)> {
    let mut from = 0;
    for piece in sensor.split('.') {
        if from > 0
            && let Ok(place) = piece.parse()
        {
            return Some((sensor.get(..from - 1)?, place));
        }
        from += piece.len() + 1;
    }
    None
}

/// Far longer than the minute between two heartbeats.
const RENEWED_WITHIN: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, Value};

    /// A value of message `seq`, which came in minute `seq`.
    fn datum(sensor: &str, seq: i64) -> Datum {
        let at = Timestamp::from_micros(seq * 60_000_000);
        let value = Value::Integer(seq);
        Datum {
            sensor: sensor.into(),
            value,
            time_received: at,
            time_created: None,
            seq: Seq(seq),
            counts: true,
        }
    }

    fn left(latest: &[(&str, i64)]) -> Vec<String> {
        let latest = latest.iter().map(|(sensor, seq)| datum(sensor, *seq)).collect();
        picture(latest).into_iter().map(|datum| datum.sensor.into()).collect()
    }

    #[test]
    fn keys_of_a_split_set_stand_side_by_side() {
        assert_eq!(left(&[("a", 1), ("b", 2), ("oven.door", 3), ("oven.t", 1)]).len(), 4);
    }

    #[test]
    fn elements_of_an_array_that_is_shorter_now_are_gone() {
        assert_eq!(left(&[("t.0", 5), ("t.1", 5), ("t.2", 4), ("t.3", 4)]), ["t.0", "t.1"]);
        assert_eq!(left(&[("z.t.0.c", 5), ("z.t.1.c", 5), ("z.t.2.c", 4)]), ["z.t.0.c", "z.t.1.c"]);
    }

    #[test]
    fn members_that_are_numbers_and_come_one_by_one_stay() {
        assert_eq!(left(&[("cavity.1.t", 5), ("cavity.2.t", 6), ("cavity.0.t", 4)]).len(), 3);
        assert_eq!(left(&[("cavity.1.t", 5), ("cavity.2.t", 60)]), ["cavity.2.t"], "not renewed for long");
    }

    #[test]
    fn a_value_that_became_an_array_is_gone() {
        assert_eq!(left(&[("t", 4), ("t.0", 5)]), ["t.0"]);
        assert_eq!(
            left(&[("t", 6), ("t.0", 5)]),
            ["t", "t.0"],
            "it became a value again, and both are shown"
        );
        assert_eq!(element("7"), None);
        assert_eq!(element("a.b.0.1"), Some(("a.b", 0)));
    }
}
