//! A gauge's dial as a drawing: scale, bounds, needle, read-out (`accounts-dashboard.md §5, §6`). `gauge.mjs` moves the needle of
//! those that stand in a page, and draws the editor's with the same geometry.

use std::f64::consts::TAU;
use std::fmt::{self, Write as _};

use askama::filters::{Escaper as _, Html, HtmlSafe};
use serde_json::Value as Json;

use super::bounds::Bound;
use super::values::raw;
use crate::dictionary::Chosen;
use crate::family::{BandState, Face, Facts, Gauge, rounded};
use crate::model::{Datum, number};

/// The sensor that a dial shows (`accounts-dashboard.md §1`).
pub(super) const SENSOR: &str = "data";

/// A dial with what it shows. Templates write it as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dial {
    gauge: Gauge,
    face: Face,
    value: Option<f64>,
    unit: String,
    /// Outside of each something is wrong.
    bounds: Vec<Bound>,
}

impl Dial {
    /// That of a device whose dialect says that it is a gauge, by its facts; `None` of any other.
    pub(crate) fn of(facts: &Facts) -> Option<Self> {
        let config = match (facts.get("type").and_then(Json::as_str), facts.get("config")) {
            (Some("gauge"), Some(Json::Object(config))) => config.clone(),
            (Some("gauge"), _) => Facts::new(),
            _ => return None,
        };
        let unit = config.get("unit").and_then(Json::as_str).unwrap_or_default();
        // What was stored before faces were looked at may say anything under their names.
        Some(Self::new(Gauge::read(&config).ok()?, Face::read(&config).unwrap_or_default(), unit))
    }

    /// That of a gauge.
    pub(crate) fn new(gauge: Gauge, face: Face, unit: &str) -> Self {
        Self { gauge, face, value: None, unit: unit.to_owned(), bounds: Vec::new() }
    }

    /// The same, showing a value.
    pub(crate) fn showing(self, value: Option<f64>) -> Self {
        Self { value: value.filter(|value| value.is_finite()), ..self }
    }

    /// The same with bounds.
    pub(super) fn bounded(self, bounds: Vec<Bound>) -> Self {
        Self { bounds, ..self }
    }

    /// Its bounds.
    pub(super) fn bounds(&self) -> &[Bound] {
        &self.bounds
    }

    /// Digits after the point of its values wherever they are shown; `None`: as they come.
    pub(super) const fn decimals(&self) -> Option<u8> {
        self.face.decimals
    }

    /// How the pages say a value that it shows, and its unit; `None` of another sensor's, and where a dictionary says more.
    pub(super) fn telling(&self, chosen: &Chosen, datum: &Datum) -> Option<(String, Option<String>)> {
        let value = number(&datum.value).filter(|_| datum.sensor.as_str() == SENSOR)?;
        if chosen.explain(&datum.sensor, &datum.value).is_some() {
            return None;
        }
        let shown = match self.face.decimals {
            Some(decimals) => rounded(value, decimals.into()),
            None => raw(&datum.value),
        };
        Some((shown, Some(self.unit.clone()).filter(|unit| !unit.is_empty())))
    }

    fn read(&self, value: f64) -> String {
        match self.face.decimals {
            Some(decimals) => rounded(value, decimals.into()),
            None => self.gauge.shown(value),
        }
    }

    fn angle(&self, share: f64) -> f64 {
        self.gauge.start_angle + self.gauge.way() * self.gauge.max_range * share
    }

    /// How far along the scale a value is drawn.
    fn share(&self, value: f64) -> f64 {
        self.gauge.share(value).clamp(0.0, 1.0)
    }

    fn arc(&self, class: &str, radius: f64, from: f64, to: f64) -> String {
        let sweep = u8::from(self.gauge.increase_clockwise);
        // In thirds, since an arc of a whole turn is none.
        let thirds = [from, from + (to - from) / 3.0, to - (to - from) / 3.0, to]
            .map(|share| place(self.angle(share), radius));
        let mut path = String::new();
        for (count, (x, y)) in thirds.into_iter().enumerate() {
            // A string takes whatever is written to it.
            let _ = if count == 0 {
                write!(path, "M{x:.2} {y:.2}")
            } else {
                write!(path, "A{radius} {radius} 0 0 {sweep} {x:.2} {y:.2}")
            };
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>")
    }

    /// A line across the scale.
    fn tick(&self, share: f64, outer: f64, inner: f64) -> String {
        let [(x, y), (to_x, to_y)] = [outer, inner].map(|radius| place(self.angle(share), radius));
        format!("M{x:.2} {y:.2}L{to_x:.2} {to_y:.2}")
    }

    /// What lies along the scale: bands on it, and beside it what is outside of bounds, with a line at each bound.
    fn marks(&self) -> String {
        let mut marks = String::new();
        for band in &self.face.bands {
            let (from, to) = (self.share(band.from), self.share(band.to));
            if from < to {
                marks += &self.arc(&format!("zone {}", band.state.as_str()), SCALE, from, to);
            }
        }
        let mut lines = String::new();
        for Bound(low, high) in &self.bounds {
            let outside = [low.map(|low| (0.0, self.share(low))), high.map(|high| (self.share(high), 1.0))];
            for (from, to) in outside.into_iter().flatten().filter(|(from, to)| from < to) {
                marks += &self.arc("out", RIM, from, to);
            }
            let on_scale = [low, high].into_iter().flatten().map(|bound| self.gauge.share(*bound));
            for share in on_scale.filter(|share| (0.0..=1.0).contains(share)) {
                lines += &self.tick(share, RIM + 3.0, SCALE - 7.0);
            }
        }
        if !lines.is_empty() {
            let _ = write!(marks, "<path class=\"bound\" d=\"{lines}\"/>");
        }
        marks
    }

    /// What a script must know to draw it again.
    fn data(&self) -> String {
        let Gauge { min_val, max_val, start_angle, max_range, increase_clockwise } = self.gauge;
        let bands = self.face.bands.iter().map(|band| (band.from, band.to, band.state));
        let bands = serde_json::to_string(&bands.collect::<Vec<_>>()).unwrap_or_default();
        let bounds = serde_json::to_string(&self.bounds).unwrap_or_default();
        let decimals = self.face.decimals.map_or_else(String::new, |decimals| decimals.to_string());
        let mut data = format!(
            "data-min=\"{min_val}\" data-max=\"{max_val}\" data-start=\"{start_angle}\" data-range=\"{max_range}\" \
             data-clockwise=\"{increase_clockwise}\""
        );
        for (name, text) in
            [("unit", &self.unit), ("decimals", &decimals), ("bands", &bands), ("bounds", &bounds)]
        {
            // A string takes whatever is written to it.
            let _ = write!(data, " data-{name}=\"");
            let _ = Html.write_escaped_str(&mut data, text);
            data.push('"');
        }
        data
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gauge = &self.gauge;
        let mut unit = String::new();
        Html.write_escaped_str(&mut unit, &self.unit)?;
        let read = self.value.map_or_else(|| "–".to_owned(), |value| self.read(value));
        let (least, most) = (gauge.shown(gauge.min_val), gauge.shown(gauge.max_val));
        let (least, most) = (trimmed(&least), trimmed(&most));
        let beyond = self.value.is_some_and(|value| !(0.0..=1.0).contains(&gauge.share(value)));
        let state = self.value.and_then(|value| self.face.state(value));
        write!(
            f,
            "<svg class=\"dial{}{}{}\" viewBox=\"0 0 200 200\" role=\"img\" {} \
             aria-label=\"{read}{}{unit} on a scale from {least} to {most}{}{}{}\">",
            if beyond { " beyond" } else { "" },
            if state.is_some() { " is-" } else { "" },
            state.map_or("", BandState::as_str),
            self.data(),
            if unit.is_empty() { "" } else { " " },
            if beyond { ", beyond its end" } else { "" },
            if state.is_some() { ": " } else { "" },
            state.map_or("", BandState::words),
        )?;
        write!(f, "{}{}<path class=\"ticks\" d=\"", self.arc("scale", SCALE, 0.0, 1.0), self.marks())?;
        for tick in 0..=TICKS {
            f.write_str(&self.tick(f64::from(tick) / f64::from(TICKS), SCALE - 9.0, SCALE - 15.0))?;
        }
        f.write_str("\"/>")?;
        // Where both ends meet, one label is enough.
        let ends = [(0.0, least), (1.0, most)];
        let ends = if gauge.max_range > 345.0 { ends.get(..1) } else { ends.get(..) };
        for (share, text) in ends.unwrap_or_default() {
            let (x, y) = place(self.angle(*share), SCALE - 27.0);
            write!(f, "<text class=\"end\" x=\"{x:.1}\" y=\"{:.1}\">{text}</text>", y + 4.0)?;
        }
        let angle = gauge.angle_at(self.value.unwrap_or(gauge.min_val));
        let gone = if self.value.is_some() { "" } else { " gone" };
        write!(
            f,
            "<g class=\"needle{gone}\" transform=\"rotate({angle:.2} 100 100)\"><path d=\"M97 106L100 32L103 106Z\"/>\
             <circle cx=\"100\" cy=\"100\" r=\"6\"/></g>\
             <text class=\"read\" x=\"100\" y=\"136\">{read}</text><text class=\"unit\" x=\"100\" y=\"153\">{unit}</text></svg>"
        )
    }
}

impl HtmlSafe for Dial {}

/// A place on the face: degrees clockwise from twelve o'clock, and how far from the middle.
fn place(angle: f64, radius: f64) -> (f64, f64) {
    let turn = angle / 360.0 * TAU;
    (radius.mul_add(turn.sin(), 100.0), radius.mul_add(-turn.cos(), 100.0))
}

/// A number without zeros that say nothing.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// How far the scale is from the middle.
const SCALE: f64 = 86.0;
/// How far what is outside of bounds.
const RIM: f64 = 95.0;
const TICKS: u8 = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(config: Json) -> Facts {
        Facts::from_iter([("type".to_owned(), json!("gauge")), ("config".to_owned(), config)])
    }

    #[test]
    fn a_dial_is_drawn_of_a_gauge_alone() {
        assert_eq!(Dial::of(&Facts::from_iter([("type".to_owned(), json!("number"))])), None);
        assert_eq!(Dial::of(&facts(json!({"minVal": 9, "maxVal": 1}))), None, "makes no sense");
        let dial = Dial::of(&facts(json!(null))).unwrap().showing(Some(50.0)).to_string();
        assert!(dial.contains("rotate(0.00 100 100)") && dial.contains(">50.0<"), "{dial}");
        assert!(!dial.contains("beyond"), "{dial}");
    }

    #[test]
    fn what_is_beyond_the_scale_is_marked_and_told_as_it_is() {
        let dial = Dial::of(&facts(json!({"unit": "<bar>"}))).unwrap();
        let shown =
            dial.clone().showing(Some(250.0)).bounded(vec![Bound(Some(10.0), Some(200.0))]).to_string();
        assert!(shown.contains("class=\"dial beyond\"") && shown.contains(">250.0<"), "{shown}");
        assert!(shown.contains("rotate(159.00 ") && shown.contains("&#60;bar&#62;"), "{shown}");
        assert_eq!(shown.matches("class=\"out\"").count(), 1, "the upper bound is beyond the scale");
        assert!(dial.to_string().contains("needle gone"), "no value yet");
    }

    #[test]
    fn digits_bands_and_bounds_are_drawn() {
        let config = json!({"unit": "bar", "maxVal": 10, "decimals": 2, "bands": [
            {"from": 8, "to": 20, "state": "bad"}, {"from": 0, "to": 8, "state": "good"}, {"from": 12, "to": 20, "state": "warn"},
        ]});
        let dial = Dial::of(&facts(config))
            .unwrap()
            .bounded(vec![Bound(Some(1.0), Some(9.0)), Bound(None, Some(11.0))]);
        let shown = dial.showing(Some(8.5)).to_string();
        assert!(shown.contains(">8.50<") && shown.contains("from 0 to 10: wrong\""), "{shown}");
        assert!(shown.contains("class=\"dial is-bad\"") && shown.contains("data-decimals=\"2\""), "{shown}");
        assert_eq!(shown.matches("class=\"zone ").count(), 2, "one is beyond the scale: {shown}");
        assert_eq!(shown.matches("class=\"out\"").count(), 2, "the third bound is beyond the scale: {shown}");
        assert!(shown.contains("data-bounds=\"[[1.0,9.0],[null,11.0]]\""), "{shown}");
        assert!(shown.find("zone good") < shown.find("zone bad"), "{shown}");
        let odd = Dial::of(&facts(json!({"decimals": "two", "bands": 7}))).unwrap();
        assert!(odd.showing(Some(5.0)).to_string().contains(">5.0<"), "what was stored before is tolerated");
    }

    #[test]
    fn a_whole_turn_is_drawn() {
        let full = json!({"maxRange": 360, "startAngle": 0, "maxVal": 360, "increaseClockwise": false});
        let dial = Dial::of(&facts(full)).unwrap().showing(Some(90.0)).to_string();
        assert!(dial.contains("M100.00 14.00A86 86 0 0 0 25.52 143.00A86"), "{dial}");
        assert!(dial.contains("rotate(-90.00 "), "{dial}");
        assert_eq!(dial.matches("class=\"end\"").count(), 1);
    }
}
