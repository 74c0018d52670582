//! How a gauge's face looks: digits after the point, and bands of its scale that have a meaning. Pure, and ours: the original had
//! neither. `web/assets/gauge.mjs` draws the same; a test holds the two together.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// What the configuration of a gauge says beside its geometry.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Face {
    /// Digits after the point; `None`: a thousandth of the scale on the dial, elsewhere as the value comes.
    pub decimals: Option<u8>,
    /// Parts of the scale, the milder ones first: where two overlap, the worse one counts.
    pub bands: Vec<Band>,
}

/// A part of the scale, both ends within.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Where it begins.
    pub from: f64,
    /// Where it ends; more than where it begins.
    pub to: f64,
    /// What it means that the pointer is there.
    pub state: BandState,
}

/// What a band means. Pages have a colour for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BandState {
    /// In order.
    Good,
    /// Somebody should look.
    Warn,
    /// Wrong.
    Bad,
}

impl BandState {
    /// All, the mildest first.
    pub const ALL: [Self; 3] = [Self::Good, Self::Warn, Self::Bad];

    /// Its word in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }

    /// As people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Good => "in order",
            Self::Warn => "needs a look",
            Self::Bad => "wrong",
        }
    }
}

impl Face {
    /// Reads a device's configuration; members of other names are none of a face's.
    ///
    /// # Errors
    /// The member at fault (`decimals`, `bands`, `bands.0.from`), and what would be right.
    pub fn read(config: &Map<String, Json>) -> Result<Self, (&'static str, String)> {
        let decimals = match config.get("decimals") {
            None | Some(Json::Null) => None,
            Some(number) => Some(digits(number).ok_or_else(|| {
                ("decimals", format!("decimals is a whole number from 0 to {DECIMALS_MAX}"))
            })?),
        };
        let of_bands = |message: String| ("bands", message);
        let list = match config.get("bands") {
            None | Some(Json::Null) => &[],
            Some(Json::Array(list)) => list.as_slice(),
            Some(_) => return Err(of_bands("bands is a list".to_owned())),
        };
        if list.len() > BANDS_MAX {
            return Err(of_bands(format!("a gauge has {BANDS_MAX} bands at most")));
        }
        let bands = list.iter().enumerate().map(|(place, band)| read_band(place, band));
        let mut bands = bands.collect::<Result<Vec<Band>, _>>()?;
        bands.sort_by_key(|band| band.state);
        Ok(Self { decimals, bands })
    }

    /// What it means that the pointer is at a value; `None` outside of all bands.
    pub fn state(&self, value: f64) -> Option<BandState> {
        let around = self.bands.iter().filter(|band| (band.from..=band.to).contains(&value));
        around.map(|band| band.state).max()
    }
}

fn digits(number: &Json) -> Option<u8> {
    number.as_u64().and_then(|digits| u8::try_from(digits).ok()).filter(|digits| *digits <= DECIMALS_MAX)
}

fn read_band(place: usize, band: &Json) -> Result<Band, (&'static str, String)> {
    let [from, to, state] = FIELDS.get(place).copied().unwrap_or(["bands"; 3]);
    for (end, field) in [("from", from), ("to", to)] {
        if band.get(end).and_then(Json::as_f64).is_none_or(|number| !number.is_finite()) {
            return Err((field, "a band begins and ends at a number".to_owned()));
        }
    }
    if band.get("state").is_none_or(|word| BandState::deserialize(word).is_err()) {
        return Err((state, "the state of a band is good, warn or bad".to_owned()));
    }
    let read = Band::deserialize(band).map_err(|error| ("bands", error.to_string()))?;
    if read.from >= read.to {
        return Err((to, "a band ends at more than it begins with".to_owned()));
    }
    Ok(read)
}

/// A number with so many digits after its point. A half goes away from zero, and nothing has no sign.
pub fn rounded(value: f64, digits: usize) -> String {
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or_default());
    let held = (value * scale).round() / scale;
    let text = format!("{:.digits$}", if held.is_finite() { held } else { value });
    if text.trim_start_matches('-').trim_matches(['0', '.']).is_empty() {
        text.replace('-', "")
    } else {
        text
    }
}

/// Digits after the point, at most.
pub const DECIMALS_MAX: u8 = 6;
/// Bands of one gauge.
pub const BANDS_MAX: usize = 6;
/// What the members of each band are called where one is at fault.
const FIELDS: [[&str; 3]; BANDS_MAX] = [
    ["bands.0.from", "bands.0.to", "bands.0.state"],
    ["bands.1.from", "bands.1.to", "bands.1.state"],
    ["bands.2.from", "bands.2.to", "bands.2.state"],
    ["bands.3.from", "bands.3.to", "bands.3.state"],
    ["bands.4.from", "bands.4.to", "bands.4.state"],
    ["bands.5.from", "bands.5.to", "bands.5.state"],
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn face(config: &Json) -> Result<Face, (&'static str, String)> {
        Face::read(config.as_object().unwrap())
    }

    #[test]
    fn a_face_is_read_and_says_where_the_pointer_is() {
        assert_eq!(face(&json!({"unit": "bar", "decimals": null})), Ok(Face::default()));
        let config = json!({"decimals": 2, "bands": [
            {"from": 8, "to": 10, "state": "bad"},
            {"from": 0, "to": 6, "state": "good"},
            {"from": 6, "to": 8.5, "state": "warn"},
        ]});
        let face = face(&config).unwrap();
        assert_eq!(face.decimals, Some(2));
        for (value, state) in [
            (-0.1, None),
            (0.0, Some(BandState::Good)),
            (6.0, Some(BandState::Warn)),
            (8.0, Some(BandState::Bad)),
            (8.5, Some(BandState::Bad)),
            (10.5, None),
        ] {
            assert_eq!(face.state(value), state, "{value}");
        }
        let order: Vec<_> = face.bands.iter().map(|band| band.state).collect();
        assert_eq!(order, BandState::ALL, "the worse are drawn over the milder");
    }

    #[test]
    fn wrong_faces_are_named() {
        let band = |band: Json| json!({"bands": [{"from": 0, "to": 1, "state": "good"}, band]});
        let many: Vec<_> = (0..7).map(|at| json!({"from": at, "to": at + 1, "state": "warn"})).collect();
        for (config, field) in [
            (json!({"decimals": 7}), "decimals"),
            (json!({"decimals": -1}), "decimals"),
            (json!({"decimals": 1.5}), "decimals"),
            (json!({"decimals": "2"}), "decimals"),
            (json!({"bands": "green"}), "bands"),
            (json!({"bands": many}), "bands"),
            (band(json!("green")), "bands.1.from"),
            (band(json!({"from": 1, "to": "x", "state": "bad"})), "bands.1.to"),
            (band(json!({"from": 1, "to": 1, "state": "bad"})), "bands.1.to"),
            (band(json!({"from": 1, "to": 2, "state": "red"})), "bands.1.state"),
            (band(json!({"from": 1, "to": 2, "state": "bad", "colour": "red"})), "bands"),
        ] {
            assert_eq!(face(&config).unwrap_err().0, field, "{config}");
        }
    }

    #[test]
    fn numbers_are_rounded_as_people_do() {
        for (value, digits, text) in [
            (1.45, 1, "1.5"),
            (2.5, 0, "3"),
            (-2.5, 0, "-3"),
            (-0.04, 1, "0.0"),
            (1e300, 6, &format!("{:.6}", 1e300)),
            (7.0, 2, "7.00"),
        ] {
            assert_eq!(rounded(value, digits), text);
        }
    }
}
