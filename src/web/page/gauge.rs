//! The fields of a gauge as forms have them: for a new one, and for one that is there.

use serde_json::{Value as Json, json};

use super::dial::Dial;
use super::typed::Typed;
use crate::family::{BANDS_MAX, BandState, Face, Facts, Gauge};

/// What stands in the fields, as typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GaugeFields {
    pub(super) min: String,
    pub(super) max: String,
    pub(super) start: String,
    pub(super) range: String,
    pub(super) clockwise: bool,
    pub(super) unit: String,
    pub(super) decimals: String,
    /// As many as there may be; those left empty are none.
    pub(super) bands: [BandFields; BANDS_MAX],
}

/// A part of the scale, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BandFields {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) state: String,
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
        let said = config.get("bands").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
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
            decimals: config
                .get("decimals")
                .and_then(Json::as_f64)
                .map(|n| n.to_string())
                .unwrap_or_default(),
            bands: std::array::from_fn(|place| said.get(place).map(BandFields::of).unwrap_or_default()),
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
            clockwise: typed.has("increaseClockwise"),
            unit: text("unit"),
            decimals: text("decimals"),
            bands: std::array::from_fn(|place| BandFields {
                from: text(&format!("bands.{place}.from")),
                to: text(&format!("bands.{place}.to")),
                state: text(&format!("bands.{place}.state")),
            }),
        }
    }

    /// The configuration that they make; members of `before` that have no field stay.
    ///
    /// # Errors
    /// The field at fault, and what would be right.
    pub(super) fn config(&self, before: &Facts) -> Result<Facts, (String, String)> {
        let mut config = before.clone();
        for (name, typed) in [
            ("minVal", &self.min),
            ("maxVal", &self.max),
            ("startAngle", &self.start),
            ("maxRange", &self.range),
        ] {
            config.insert(name.to_owned(), json!(number(name, typed)?));
        }
        config.insert("increaseClockwise".to_owned(), json!(self.clockwise));
        if self.unit.chars().count() > UNIT_CHARS_MAX || self.unit.chars().any(char::is_control) {
            return Err(("unit".to_owned(), format!("a unit has {UNIT_CHARS_MAX} characters at most")));
        }
        let mut set = |name: &str, value: Option<Json>| match value {
            Some(value) => config.insert(name.to_owned(), value),
            None => config.remove(name),
        };
        set("unit", Some(json!(self.unit)).filter(|_| !self.unit.is_empty()));
        let decimals = Some(self.decimals.as_str()).filter(|text| !text.is_empty());
        // What is no number is not taken by the face, which says so.
        set("decimals", decimals.map(|text| text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n))));
        let (places, bands) = self.bands()?;
        set("bands", Some(json!(bands)).filter(|_| !bands.is_empty()));
        Gauge::read(&config).map_err(|(field, message)| (field.to_owned(), message))?;
        let face = Face::read(&config);
        face.map_err(|(field, message)| (at_row(field, &places), message))?;
        Ok(config)
    }

    /// The bands of the rows that are filled in, and which rows these are.
    fn bands(&self) -> Result<(Vec<usize>, Vec<Json>), (String, String)> {
        let mut found = (Vec::new(), Vec::new());
        for (place, row) in self.bands.iter().enumerate() {
            if row.from.is_empty() && row.to.is_empty() {
                continue;
            }
            let [from, to] = [("from", &row.from), ("to", &row.to)];
            let [from, to] = [from, to].map(|(end, text)| number(&format!("bands.{place}.{end}"), text));
            found.0.push(place);
            found.1.push(json!({"from": from?, "to": to?, "state": row.state}));
        }
        Ok(found)
    }

    /// The dial that they make, with its pointer in the middle; where they make none, the usual one.
    pub(super) fn dial(&self) -> Dial {
        let config = self.config(&Facts::new()).unwrap_or_default();
        let gauge = Gauge::read(&config).unwrap_or_default();
        let middle = f64::midpoint(gauge.min_val, gauge.max_val);
        Dial::new(gauge, Face::read(&config).unwrap_or_default(), &self.unit).showing(Some(middle))
    }

    /// Whether a band is filled in, or at fault.
    pub(super) fn has_bands(&self, wrong: &str) -> bool {
        wrong.starts_with("bands") || self.bands.iter().any(|row| !row.from.is_empty() || !row.to.is_empty())
    }
}

impl BandFields {
    fn of(band: &Json) -> Self {
        let number =
            |name: &str| band.get(name).and_then(Json::as_f64).map(|n| n.to_string()).unwrap_or_default();
        let state = band.get("state").and_then(Json::as_str).unwrap_or_default();
        Self { from: number("from"), to: number("to"), state: state.to_owned() }
    }

    /// What may be chosen: a word, how people read it, and whether it is chosen.
    pub(super) fn states(&self) -> [(&'static str, &'static str, bool); 3] {
        BandState::ALL.map(|state| (state.as_str(), state.words(), state.as_str() == self.state))
    }
}

fn number(name: &str, typed: &str) -> Result<f64, (String, String)> {
    let number = typed.replace(',', ".").parse::<f64>().ok().filter(|number| number.is_finite());
    number.ok_or_else(|| (name.to_owned(), "a number is missing here".to_owned()))
}

/// The field of the row in which a band was typed.
fn at_row(field: &str, rows: &[usize]) -> String {
    let mut parts = field.split('.');
    match (parts.next(), parts.next().and_then(|place| place.parse::<usize>().ok()), parts.next()) {
        (Some("bands"), Some(place), Some(end)) => {
            format!("bands.{}.{end}", rows.get(place).copied().unwrap_or(place))
        }
        _ => field.to_owned(),
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
        let config = fields.config(&Facts::new()).unwrap();
        assert_eq!(config["maxVal"], json!(2.5));
        assert_eq!(GaugeFields::of(&config), GaugeFields { max: "2.5".to_owned(), ..fields });
    }

    fn band(from: &str, to: &str, state: &str) -> BandFields {
        BandFields { from: from.to_owned(), to: to.to_owned(), state: state.to_owned() }
    }

    #[test]
    fn rows_make_bands_and_what_has_no_field_stays() {
        let none = BandFields::default;
        let bands = [none(), band("0", "1,5", "good"), none(), none(), none(), band("1.5", "9", "bad")];
        let fields = GaugeFields { decimals: "1".to_owned(), bands, ..GaugeFields::default() };
        let before =
            Facts::from_iter([("place".to_owned(), json!("cellar")), ("unit".to_owned(), json!("bar"))]);
        let config = fields.config(&before).unwrap();
        assert_eq!(
            (&config["place"], config.get("unit"), &config["decimals"]),
            (&json!("cellar"), None, &json!(1))
        );
        assert_eq!(config["bands"][0], json!({"from": 0.0, "to": 1.5, "state": "good"}));
        let again = GaugeFields::of(&config);
        assert_eq!((&again.bands[1], &again.bands[2]), (&band("1.5", "9", "bad"), &none()));
        assert_eq!(GaugeFields::default().config(&config).unwrap().get("bands"), None, "emptied");
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let usual = GaugeFields::default();
        let with = |place: usize, row: BandFields| {
            let mut fields = usual.clone();
            fields.bands[place] = row;
            fields
        };
        let fault = |fields: GaugeFields| fields.config(&Facts::new()).unwrap_err().0;
        assert_eq!(fault(GaugeFields { min: "x".to_owned(), ..usual.clone() }), "minVal");
        assert_eq!(fault(GaugeFields { max: "-1".to_owned(), ..usual.clone() }), "minVal");
        assert_eq!(fault(GaugeFields { range: "361".to_owned(), ..usual.clone() }), "maxRange");
        assert_eq!(fault(GaugeFields { start: "400".to_owned(), ..usual.clone() }), "startAngle");
        assert_eq!(fault(with(3, band("x", "2", "good"))), "bands.3.from");
        assert_eq!(fault(with(3, band("1", "", "good"))), "bands.3.to");
        assert_eq!(fault(with(3, band("2", "1", "good"))), "bands.3.to");
        assert_eq!(fault(with(3, band("1", "2", "red"))), "bands.3.state");
        assert_eq!(fault(GaugeFields { decimals: "7".to_owned(), ..usual.clone() }), "decimals");
        assert_eq!(fault(GaugeFields { decimals: "few".to_owned(), ..usual.clone() }), "decimals");
        assert_eq!(fault(GaugeFields { unit: "u".repeat(17), ..usual }), "unit");
    }
}
