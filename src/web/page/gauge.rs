//! The fields of a gauge as forms have them: for a new one, and for one that is there.

use serde_json::{Value as Json, json};

use super::dial::Dial;
use super::typed::Typed;
use crate::family::{Facts, Gauge};

/// What stands in the fields, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GaugeFields {
    pub(super) min: String,
    pub(super) max: String,
    pub(super) start: String,
    pub(super) range: String,
    pub(super) clockwise: bool,
    pub(super) unit: String,
}

impl Default for GaugeFields {
    fn default() -> Self {
        Self::of(&Facts::new())
    }
}

impl GaugeFields {
    /// Those of a configuration; what it does not say is as the original's form offers it.
    pub(super) fn of(config: &Facts) -> Self {
        let usual = Gauge::default();
        let number =
            |name: &str, usual: f64| config.get(name).and_then(Json::as_f64).unwrap_or(usual).to_string();
        Self {
            min: number("minVal", usual.min_val),
            max: number("maxVal", usual.max_val),
            start: number("startAngle", usual.start_angle),
            range: number("maxRange", usual.max_range),
            clockwise: config
                .get("increaseClockwise")
                .and_then(Json::as_bool)
                .unwrap_or(usual.increase_clockwise),
            unit: config.get("unit").and_then(Json::as_str).unwrap_or_default().to_owned(),
        }
    }

    /// Those of a form that was sent.
    pub(super) fn read(typed: &Typed) -> Self {
        let text = |name: &str| typed.text(name).to_owned();
        Self {
            min: text("minVal"),
            max: text("maxVal"),
            start: text("startAngle"),
            range: text("maxRange"),
            clockwise: !typed.text("increaseClockwise").is_empty(),
            unit: text("unit"),
        }
    }

    /// The configuration that they make.
    ///
    /// # Errors
    /// The field at fault, and what would be right.
    pub(super) fn config(&self) -> Result<Facts, (&'static str, String)> {
        let mut config = Facts::new();
        for (name, typed) in [
            ("minVal", &self.min),
            ("maxVal", &self.max),
            ("startAngle", &self.start),
            ("maxRange", &self.range),
        ] {
            let number = typed.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite());
            let number = number.ok_or_else(|| (name, "a number is missing here".to_owned()))?;
            config.insert(name.to_owned(), json!(number));
        }
        config.insert("increaseClockwise".to_owned(), json!(self.clockwise));
        if self.unit.chars().count() > UNIT_CHARS_MAX || self.unit.chars().any(char::is_control) {
            return Err(("unit", format!("a unit has {UNIT_CHARS_MAX} characters at most")));
        }
        if !self.unit.is_empty() {
            config.insert("unit".to_owned(), json!(self.unit));
        }
        Gauge::read(&config)?;
        Ok(config)
    }

    /// The dial that they make, with its pointer in the middle; where they make none, the usual one.
    pub(super) fn dial(&self) -> Dial {
        let config = self.config().unwrap_or_default();
        let gauge = Gauge::read(&config).unwrap_or_default();
        let middle = f64::midpoint(gauge.min_val, gauge.max_val);
        Dial::new(gauge, &self.unit).showing(Some(middle))
    }
}

const UNIT_CHARS_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_make_a_configuration_and_come_back_from_it() {
        let usual = GaugeFields::default();
        assert_eq!([&usual.min, &usual.max, &usual.start, &usual.range], ["0", "100", "-150", "300"]);
        let fields = GaugeFields { max: "2,5".to_owned(), unit: "bar".to_owned(), clockwise: false, ..usual };
        let config = fields.config().unwrap();
        assert_eq!(config["maxVal"], json!(2.5));
        assert_eq!(GaugeFields::of(&config), GaugeFields { max: "2.5".to_owned(), ..fields });
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let usual = GaugeFields::default();
        let fault = |fields: GaugeFields| fields.config().unwrap_err().0;
        assert_eq!(fault(GaugeFields { min: "x".to_owned(), ..usual.clone() }), "minVal");
        assert_eq!(fault(GaugeFields { max: "-1".to_owned(), ..usual.clone() }), "minVal");
        assert_eq!(fault(GaugeFields { range: "361".to_owned(), ..usual.clone() }), "maxRange");
        assert_eq!(fault(GaugeFields { start: "400".to_owned(), ..usual.clone() }), "startAngle");
        assert_eq!(fault(GaugeFields { unit: "u".repeat(17), ..usual }), "unit");
    }
}
