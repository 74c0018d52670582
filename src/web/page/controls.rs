//! Controls for commands whose value has a known kind: a button for on and for off, a number within its bounds.

use super::typed::Typed;
use crate::family::{Control, ControlKind};
use crate::web::error::WebError;

/// A control as a page shows it.
#[derive(Clone, Debug)]
pub(super) struct ControlLine {
    pub(super) name: String,
    pub(super) switch: bool,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) confirm: bool,
    /// The profiles that have it, with commas between; empty when all have it.
    pub(super) profiles: String,
}

/// Each control in its line.
pub(super) fn lines(controls: Vec<Control>) -> Vec<ControlLine> {
    let every: std::collections::BTreeSet<String> =
        controls.iter().flat_map(|control| control.profiles.clone()).collect();
    let line = |control: Control| {
        let (switch, min, max) = match control.kind {
            ControlKind::Switch => (true, None, None),
            ControlKind::Number { min, max } => (false, min, max),
        };
        let profiles =
            if control.profiles.len() < every.len() { control.profiles.join(", ") } else { String::new() };
        ControlLine { name: control.name, switch, min, max, confirm: control.confirm, profiles }
    };
    controls.into_iter().map(line).collect()
}

/// Which control was pressed, and the payload that makes. A button of a switch says `1 PLACE` or `0 PLACE`, that of a
/// number `= PLACE`, its number being in the field `value:PLACE`.
pub(super) fn pressed<'l>(
    lines: &'l [ControlLine],
    typed: &Typed,
) -> Result<(&'l ControlLine, String), WebError> {
    let nothing = || WebError::field("set", "press one of the buttons beside the commands");
    let (value, place) = typed.text("set").split_once(' ').ok_or_else(nothing)?;
    let line = place.parse().ok().and_then(|place: usize| lines.get(place)).ok_or_else(nothing)?;
    match (value, line.switch) {
        ("0" | "1", true) => Ok((line, value.to_owned())),
        ("=", false) => {
            let number = typed.some(&format!("{VALUE}{place}"));
            let missing = || WebError::field("value", format!("{} takes a number", line.name));
            Ok((line, number.ok_or_else(missing)?))
        }
        _ => Err(nothing()),
    }
}

/// What the names of fields with numbers begin with.
const VALUE: &str = "value:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buttons_make_payloads() {
        let control = |name: &str, kind, profiles: &[&str]| Control {
            name: name.to_owned(),
            kind,
            confirm: false,
            profiles: profiles.iter().map(|name| (*name).to_owned()).collect(),
        };
        let number = ControlKind::Number { min: Some(0.0), max: None };
        let lines =
            lines(vec![control("LED", ControlKind::Switch, &["a", "b"]), control("Valve", number, &["b"])]);
        assert_eq!((lines[0].profiles.as_str(), lines[1].profiles.as_str()), ("", "b"));
        let typed = |set: &str, number: &str| {
            let pairs = [("set", set), ("value:1", number)];
            Typed::new(pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
        };
        let press = |set: &str| {
            let pressed = pressed(&lines, &typed(set, " 2.50 "));
            pressed.ok().map(|(line, payload)| (line.name.clone(), payload))
        };
        assert_eq!(press("1 0"), Some(("LED".to_owned(), "1".to_owned())));
        assert_eq!(press("= 1"), Some(("Valve".to_owned(), "2.50".to_owned())));
        for wrong in ["", "1", "2 0", "= 0", "1 1", "1 9", "1 x"] {
            assert_eq!(press(wrong), None, "{wrong}");
        }
        assert!(pressed(&lines, &typed("= 1", "")).is_err(), "no number");
    }
}
