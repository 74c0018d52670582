//! An analog gauge: its settings, the value that its pointer shows at an angle, and the angle of a value
//! (`accounts-dashboard.md §6`). Pure. `web/assets/gauge.mjs` has the same sums for browsers; a test holds the two together.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::face::rounded;

/// Where a gauge's scale begins, how far it goes, and what stands at its ends.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Gauge {
    /// The value at the beginning of the scale.
    pub min_val: f64,
    /// The value at its end; more than the one at its beginning.
    pub max_val: f64,
    /// Where the scale begins, in degrees clockwise from twelve o'clock; -360 to 360.
    pub start_angle: f64,
    /// How far it goes, in degrees; above 0, at most 360.
    pub max_range: f64,
    /// Which way.
    pub increase_clockwise: bool,
}

impl Default for Gauge {
    /// What the original's form offers (§1).
    fn default() -> Self {
        Self { min_val: 0.0, max_val: 100.0, start_angle: -150.0, max_range: 300.0, increase_clockwise: true }
    }
}

impl Gauge {
    /// Reads a device's configuration; members of other names are none of a gauge's.
    ///
    /// # Errors
    /// The member at fault, and what would be right.
    pub fn read(config: &Map<String, Json>) -> Result<Self, (&'static str, String)> {
        for name in ["minVal", "maxVal", "startAngle", "maxRange"] {
            if config.get(name).is_some_and(|value| value.as_f64().is_none_or(|number| !number.is_finite())) {
                return Err((name, format!("{name} is a finite number")));
            }
        }
        let Ok(gauge) = Self::deserialize(Json::Object(config.clone())) else {
            return Err(("increaseClockwise", "increaseClockwise is true or false".to_owned()));
        };
        // Written so that what is no number is refused too.
        if !(gauge.max_val - gauge.min_val > 0.0 && (gauge.max_val - gauge.min_val).is_finite()) {
            return Err(("minVal", "minVal is less than maxVal".to_owned()));
        }
        if !(gauge.max_range > 0.0 && gauge.max_range <= 360.0) {
            return Err(("maxRange", "maxRange is above 0 and at most 360 degrees".to_owned()));
        }
        if !(-360.0..=360.0).contains(&gauge.start_angle) {
            return Err(("startAngle", "startAngle is -360 to 360 degrees".to_owned()));
        }
        Ok(gauge)
    }

    /// The value at a pointer's angle, in degrees clockwise from twelve o'clock. Beyond the scale it goes on; half way
    /// round the gap it jumps from above the end to below the beginning.
    pub fn value_at(&self, angle: f64) -> f64 {
        let way = self.way();
        // The window of one turn that has the scale in its middle.
        let least = if self.max_range >= 360.0 { 0.0 } else { self.max_range / 2.0 - 180.0 };
        let along = (way * (angle - self.start_angle) - least).rem_euclid(360.0) + least;
        self.min_val + (self.max_val - self.min_val) * along / self.max_range
    }

    /// The pointer's angle at a value, in degrees clockwise from twelve o'clock. Beyond the scale the pointer stops a little
    /// after its end (§6).
    pub fn angle_at(&self, value: f64) -> f64 {
        self.start_angle + self.way() * self.max_range * self.share(value).clamp(-BEYOND, 1.0 + BEYOND)
    }

    /// How far along the scale a value is: 0 at its beginning, 1 at its end.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.min_val) / (self.max_val - self.min_val)
    }

    /// 1 when the scale goes clockwise, else -1.
    pub const fn way(&self) -> f64 {
        if self.increase_clockwise { 1.0 } else { -1.0 }
    }

    /// A read-out: to a thousandth of the scale (§6).
    pub fn shown(&self, value: f64) -> String {
        let step = (self.max_val - self.min_val) / 1000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 9")]
        let digits = (-step.log10()).ceil().clamp(0.0, 9.0) as usize;
        rounded(value, digits)
    }
}

/// Of the scale: so far a pointer goes beyond its ends.
const BEYOND: f64 = 0.03;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn gauge(config: &Json) -> Result<Gauge, (&'static str, String)> {
        Gauge::read(config.as_object().unwrap())
    }

    #[test]
    fn a_value_has_its_angle_and_its_read_out() {
        let usual = Gauge::default();
        for (value, angle, shown) in [
            (0.0, -150.0, "0.0"),
            (50.0, 0.0, "50.0"),
            (100.0, 150.0, "100.0"),
            (56.000_000_000_000_01, 18.0, "56.0"),
        ] {
            assert!((usual.angle_at(value) - angle).abs() < 1e-9, "{value}");
            assert_eq!(usual.shown(value), shown);
        }
        assert!((usual.angle_at(1e9) - 159.0).abs() < 1e-9 && (usual.angle_at(-1e9) + 159.0).abs() < 1e-9);
        let left = Gauge { start_angle: 150.0, increase_clockwise: false, ..usual };
        assert!((left.angle_at(10.0) - 120.0).abs() < 1e-9);
        let fine = Gauge { max_val: 0.5, ..usual };
        assert_eq!([fine.shown(0.123_456), fine.shown(-0.000_01)], ["0.1235", "0.0000"]);
        assert_eq!(Gauge { max_val: 5000.0, ..usual }.shown(1234.5678), "1235");
    }

    /// The checks of §6, counter-clockwise and full-circle dials, and pointers in the gap.
    #[test]
    fn twenty_pointers_are_read() {
        let usual = json!({});
        let small = json!({"startAngle": -50, "maxRange": 100});
        let left = json!({"startAngle": 150, "maxRange": 300, "increaseClockwise": false});
        let full = json!({"minVal": 0, "maxVal": 360, "startAngle": 0, "maxRange": 360});
        let full_left =
            json!({"minVal": 0, "maxVal": 60, "startAngle": 90, "maxRange": 360, "increaseClockwise": false});
        let cold = json!({"minVal": -40, "maxVal": 60, "startAngle": 0, "maxRange": 180});
        let cases = [
            (&usual, -150.0, 0.0),
            (&usual, 0.0, 50.0),
            (&usual, 150.0, 100.0),
            (&usual, 210.0, 0.0),
            (&usual, 360.0, 50.0),
            (&usual, -210.0, 100.0),
            (&usual, 165.0, 105.0),
            (&usual, -165.0, -5.0),
            (&usual, 750.0, 60.0),
            (&small, 6.0, 56.0),
            (&small, -50.0, 0.0),
            (&left, 150.0, 0.0),
            (&left, 0.0, 50.0),
            (&left, -150.0, 100.0),
            (&left, 120.0, 10.0),
            (&full, 0.0, 0.0),
            (&full, 359.0, 359.0),
            (&full, -1.0, 359.0),
            (&full_left, 0.0, 15.0),
            (&cold, 90.0, 10.0),
        ];
        for (config, angle, wanted) in cases {
            let value = gauge(config).unwrap().value_at(angle);
            assert!((value - wanted).abs() < 1e-9, "{config} at {angle}: {value}, not {wanted}");
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        for (config, field) in [
            (json!({"minVal": 100}), "minVal"),
            (json!({"minVal": 5, "maxVal": 4}), "minVal"),
            (json!({"minVal": -1.7e308, "maxVal": 1.7e308}), "minVal"),
            (json!({"maxVal": "hot"}), "maxVal"),
            (json!({"maxVal": null}), "maxVal"),
            (json!({"maxRange": 0}), "maxRange"),
            (json!({"maxRange": -1}), "maxRange"),
            (json!({"maxRange": 360.5}), "maxRange"),
            (json!({"startAngle": -361}), "startAngle"),
            (json!({"increaseClockwise": "yes"}), "increaseClockwise"),
        ] {
            assert_eq!(gauge(&config).unwrap_err().0, field, "{config}");
        }
        assert_eq!(gauge(&json!({"unit": "bar"})), Ok(Gauge::default()));
    }

    proptest::proptest! {
        #[test]
        fn a_pointer_on_the_scale_shows_the_value_that_put_it_there(
            start in -360.0_f64..360.0, range in 1.0_f64..359.0, share in 0.0_f64..1.0, clockwise: bool,
        ) {
            let gauge = Gauge { start_angle: start, max_range: range, increase_clockwise: clockwise, ..Gauge::default() };
            let way = if clockwise { 1.0 } else { -1.0 };
            let value = gauge.value_at(start + way * range * share);
            assert!((value - 100.0 * share).abs() < 1e-6, "{value}");
        }
    }
}
