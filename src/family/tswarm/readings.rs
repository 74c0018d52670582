//! Numbers → readings, with what is odd about them (`tswarm-node.md §6`). Pure.

use super::body::Said;
use super::grammar::Number;
use super::settings::TswarmSettings;
use crate::model::{Gap, Reading, SensorName, Value};

/// What is odd about an upload, in the order of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag {
    /// `0 0`: a frame of zeros passes the driver's checksum.
    Zeros,
    /// No sensor measures such a temperature.
    Temperature,
    /// No sensor measures such a humidity.
    Humidity,
    /// Whole numbers, as a DHT11 gives them, that a DHT11 cannot give.
    BeyondDht11,
    /// The end of the body was missing.
    Truncated,
    /// The body was no JSON.
    Unescaped,
}

impl Flag {
    /// The word that is stored and shown.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::BeyondDht11 => "beyond_dht11",
            Self::Truncated => "truncated",
            Self::Unescaped => "unescaped",
        }
    }
}

/// The flags of an upload.
pub(super) fn flags(said: &Said, settings: &TswarmSettings) -> Vec<Flag> {
    let mut numbers = said.data.numbers.iter().copied();
    let [temperature, humidity]: [Number; 2] = std::array::from_fn(|_| numbers.next().flatten());
    let outside = |number: Number, [low, high]: [i32; 2]| {
        number.is_some_and(|number| number < f64::from(low) || number > f64::from(high))
    };
    let zeros = temperature == Some(0.0) && humidity == Some(0.0);
    let far = [
        (Flag::Temperature, outside(temperature, settings.temperature_c)),
        (Flag::Humidity, outside(humidity, settings.humidity_rh)),
    ];
    let possible = far.iter().all(|(_, far)| !far);
    let beyond =
        outside(temperature, settings.dht11_temperature_c) || outside(humidity, settings.dht11_humidity_rh);
    let all = [
        (Flag::Zeros, zeros),
        far[0],
        far[1],
        (Flag::BeyondDht11, said.data.whole && possible && !zeros && beyond),
        (Flag::Truncated, said.truncated),
        (Flag::Unescaped, said.unescaped),
    ];
    all.into_iter().filter_map(|(flag, holds)| holds.then_some(flag)).collect()
}

/// What is stored of an upload: each number by its place, and the flags when there are any.
pub(super) fn readings(said: &Said, flags: &[Flag]) -> Vec<Reading> {
    let reading = |sensor: SensorName, value| Reading { sensor, value, created: None, counts: true };
    let sensors = said.data.numbers.iter().enumerate().map(|(place, number)| {
        let value = match number {
            None => Value::Gap(Gap),
            Some(number) => whole(*number).map_or(Value::Real(*number), Value::Integer),
        };
        reading(sensor(place), value)
    });
    let words: Vec<_> = flags.iter().map(|flag| flag.as_str()).collect();
    let flagged = (!words.is_empty()).then(|| reading(FLAGS.into(), Value::Text(words.join(" "))));
    sensors.chain(flagged).collect()
}

/// What a number in a place is called: `temperature`, `humidity`, `v3`, `v4` and so on.
fn sensor(place: usize) -> SensorName {
    match place {
        0 => TEMPERATURE.into(),
        1 => HUMIDITY.into(),
        _ => format!("v{}", place + 1).as_str().into(),
    }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "only whole numbers of small size come here")]
    let whole = (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64);
    whole
}

/// Sensors of a node.
pub(super) const TEMPERATURE: &str = "temperature";
pub(super) const HUMIDITY: &str = "humidity";
const FLAGS: &str = "flags";

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;

    #[test]
    fn what_is_odd_is_flagged_and_stored() {
        let cases: [(&str, &str); 12] = [
            (r#""23 45""#, ""),
            (r#""0 0""#, "zeros"),
            (r#""-3 80""#, "beyond_dht11"),
            (r#""-3.0 80""#, ""),
            (r#""23 95""#, "beyond_dht11"),
            (r#""23 101""#, "humidity"),
            (r#""-61 45""#, "temperature"),
            (r#""150.5 -1""#, "temperature humidity"),
            (r#""nan 45""#, ""),
            (r#""23""#, ""),
            (r#""23 45 -500""#, ""),
            (r#"{"h":200}"#, "humidity"),
        ];
        for (data, wanted) in cases {
            let said = body::read(format!(r#"{{"name":"n","data":{data}}}"#).as_bytes()).unwrap();
            let flags = flags(&said, &TswarmSettings::default());
            let words: Vec<_> = flags.iter().map(|flag| flag.as_str()).collect();
            assert_eq!(words.join(" "), wanted, "{data}");
            assert_eq!(
                readings(&said, &flags).len(),
                said.data.numbers.len() + usize::from(!wanted.is_empty())
            );
        }
    }

    #[test]
    fn numbers_are_called_by_their_place() {
        let said = body::read(br#"{"name":"n","data":"23 45.5 nan 7"}"#).unwrap();
        let found = readings(&said, &[Flag::Truncated]);
        let pairs: Vec<_> = found.iter().map(|one| (one.sensor.as_str(), one.value.clone())).collect();
        assert_eq!(
            pairs,
            [
                ("temperature", Value::Integer(23)),
                ("humidity", Value::Real(45.5)),
                ("v3", Value::Gap(Gap)),
                ("v4", Value::Integer(7)),
                ("flags", Value::Text("truncated".to_owned())),
            ]
        );
    }
}
