//! A gauge's dial as a drawing: scale, bounds, needle, read-out (`accounts-dashboard.md §5, §6`). `gauge.mjs` moves the needle of
//! those that stand in a page, and draws the editor's with the same geometry.

use std::f64::consts::TAU;
use std::fmt::{self, Write as _};

use askama::filters::{Escaper as _, Html, HtmlSafe};
use serde_json::Value as Json;

use crate::family::{Facts, Gauge};

/// A dial with what it shows. Templates write it as it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dial {
    gauge: Gauge,
    value: Option<f64>,
    unit: String,
    /// Below the first and above the second something is wrong.
    bounds: (Option<f64>, Option<f64>),
}

impl Dial {
    /// That of a device whose dialect says that it is a gauge, by its facts; `None` of any other.
    pub(crate) fn of(facts: &Facts) -> Option<Self> {
        let config = match (facts.get("type").and_then(Json::as_str), facts.get("config")) {
            (Some("gauge"), Some(Json::Object(config))) => config.clone(),
            (Some("gauge"), _) => Facts::new(),
            _ => return None,
        };
        let unit = config.get("unit").and_then(Json::as_str).unwrap_or_default().to_owned();
        Some(Self { gauge: Gauge::read(&config).ok()?, value: None, unit, bounds: (None, None) })
    }

    /// That of a gauge.
    pub(crate) fn new(gauge: Gauge, unit: &str) -> Self {
        Self { gauge, value: None, unit: unit.to_owned(), bounds: (None, None) }
    }

    /// The same, showing a value.
    pub(crate) fn showing(self, value: Option<f64>) -> Self {
        Self { value: value.filter(|value| value.is_finite()), ..self }
    }

    /// The same with bounds.
    pub(crate) fn bounded(self, low: Option<f64>, high: Option<f64>) -> Self {
        Self { bounds: (low, high), ..self }
    }

    fn arc(&self, class: &str, from: f64, to: f64) -> String {
        let Gauge { start_angle, max_range, .. } = self.gauge;
        let angle = |share: f64| start_angle + self.gauge.way() * max_range * share.clamp(0.0, 1.0);
        let sweep = u8::from(self.gauge.increase_clockwise);
        // In thirds, since an arc of a whole turn is none.
        let thirds = [from, from + (to - from) / 3.0, to - (to - from) / 3.0, to]
            .map(|share| place(angle(share), SCALE));
        let mut path = String::new();
        for (count, (x, y)) in thirds.into_iter().enumerate() {
            // A string takes whatever is written to it.
            let _ = if count == 0 {
                write!(path, "M{x:.2} {y:.2}")
            } else {
                write!(path, "A{SCALE} {SCALE} 0 0 {sweep} {x:.2} {y:.2}")
            };
        }
        format!("<path class=\"{class}\" d=\"{path}\"/>")
    }
}

impl fmt::Display for Dial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gauge = &self.gauge;
        let mut unit = String::new();
        Html.write_escaped_str(&mut unit, &self.unit)?;
        let read = self.value.map_or_else(|| "–".to_owned(), |value| gauge.shown(value));
        let (least, most) = (gauge.shown(gauge.min_val), gauge.shown(gauge.max_val));
        let (least, most) = (trimmed(&least), trimmed(&most));
        let beyond = self.value.is_some_and(|value| !(0.0..=1.0).contains(&gauge.share(value)));
        write!(
            f,
            "<svg class=\"dial{}\" viewBox=\"0 0 200 200\" role=\"img\" data-min=\"{}\" data-max=\"{}\" data-start=\"{}\" \
             data-range=\"{}\" data-clockwise=\"{}\" data-unit=\"{unit}\" \
             aria-label=\"{read}{}{unit} on a scale from {least} to {most}{}\">",
            if beyond { " beyond" } else { "" },
            gauge.min_val,
            gauge.max_val,
            gauge.start_angle,
            gauge.max_range,
            gauge.increase_clockwise,
            if unit.is_empty() { "" } else { " " },
            if beyond { ", beyond its end" } else { "" },
        )?;
        f.write_str(&self.arc("scale", 0.0, 1.0))?;
        let share = |bound: f64| gauge.share(bound).clamp(0.0, 1.0);
        if let Some(low) = self.bounds.0.map(share).filter(|low| *low > 0.0) {
            f.write_str(&self.arc("out", 0.0, low))?;
        }
        if let Some(high) = self.bounds.1.map(share).filter(|high| *high < 1.0) {
            f.write_str(&self.arc("out", high, 1.0))?;
        }
        f.write_str("<path class=\"ticks\" d=\"")?;
        for tick in 0..=TICKS {
            let angle =
                gauge.start_angle + gauge.way() * gauge.max_range * f64::from(tick) / f64::from(TICKS);
            let (outer, inner) = (place(angle, SCALE - 9.0), place(angle, SCALE - 15.0));
            write!(f, "M{:.1} {:.1}L{:.1} {:.1}", outer.0, outer.1, inner.0, inner.1)?;
        }
        f.write_str("\"/>")?;
        let end = gauge.start_angle + gauge.way() * gauge.max_range;
        // Where both ends meet, one label is enough.
        let ends = [(gauge.start_angle, least), (end, most)];
        let ends = if gauge.max_range > 345.0 { ends.get(..1) } else { ends.get(..) };
        for (angle, text) in ends.unwrap_or_default() {
            let (x, y) = place(*angle, SCALE - 27.0);
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
        let shown = dial.clone().showing(Some(250.0)).bounded(Some(10.0), Some(200.0)).to_string();
        assert!(shown.contains("class=\"dial beyond\"") && shown.contains(">250.0<"), "{shown}");
        assert!(shown.contains("rotate(159.00 ") && shown.contains("&#60;bar&#62;"), "{shown}");
        assert_eq!(shown.matches("class=\"out\"").count(), 1, "the upper bound is beyond the scale");
        assert!(dial.to_string().contains("needle gone"), "no value yet");
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
