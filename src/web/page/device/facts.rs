//! What a device's dialect knows of it, as lines for people. Knows no dialect: it reads JSON.

use serde_json::Value as Json;

use super::brief;
use crate::family::Facts;
use crate::model::Timestamp;

/// One fact.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FactLine {
    /// What it is called: the names on the way to it.
    pub(super) name: String,
    /// What is the case; several for a list of objects.
    pub(super) texts: Vec<String>,
}

/// Lines in the order of the members. An object is a line for each of its members; what is empty is left out.
pub(super) fn lines(facts: &Facts) -> Vec<FactLine> {
    let mut lines = Vec::new();
    for (name, fact) in facts {
        walk(&spaced(name), fact, DEPTH_MAX, &mut lines);
    }
    lines.truncate(LINES_MAX);
    lines
}

/// The texts of members called `warning`: what a person should see before all else.
pub(super) fn warnings(facts: &Facts) -> Vec<String> {
    let warning = |fact: &Json| fact.get("warning").and_then(Json::as_str).map(str::to_owned);
    facts.values().filter_map(warning).collect()
}

fn walk(name: &str, fact: &Json, depth: usize, lines: &mut Vec<FactLine>) {
    let texts = match fact {
        Json::Object(members) if depth > 0 => {
            for (member, fact) in members {
                walk(&format!("{name}, {}", spaced(member)), fact, depth - 1, lines);
            }
            return;
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            let mut texts: Vec<String> = items.iter().take(ITEMS_MAX).map(text).collect();
            if items.len() > ITEMS_MAX {
                texts.push(format!("and {} more", items.len() - ITEMS_MAX));
            }
            texts
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) | Json::Object(_) => {
            vec![text(fact)]
        }
    };
    if texts.iter().any(|text| !text.is_empty()) {
        lines.push(FactLine { name: name.to_owned(), texts });
    }
}

/// A fact in one line.
fn text(fact: &Json) -> String {
    let text = match fact {
        Json::Null => String::new(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Number(number) => number.to_string(),
        Json::String(text) => match Timestamp::parse(text).filter(|_| text.contains('T')) {
            Some(at) => brief(at),
            None => text.clone(),
        },
        // Pairs, such as the headers of a request.
        Json::Array(items) if items.iter().any(Json::is_array) => joined(items, "; "),
        Json::Array(items) => joined(items, ", "),
        Json::Object(members) => {
            let member = |(name, fact): (&String, &Json)| {
                Some(text(fact))
                    .filter(|text| !text.is_empty())
                    .map(|text| format!("{} {text}", spaced(name)))
            };
            members.iter().filter_map(member).collect::<Vec<_>>().join("; ")
        }
    };
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        None => text,
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

fn joined(items: &[Json], between: &str) -> String {
    let item = |item: &Json| match item {
        Json::Array(pair) => joined(pair, " "),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Object(_) => text(item),
    };
    items.iter().map(item).collect::<Vec<_>>().join(between)
}

fn spaced(name: &str) -> String {
    name.replace('_', " ")
}

/// Levels of objects that become lines; what is deeper stands in one line.
const DEPTH_MAX: usize = 1;
/// Items of a list that are shown.
const ITEMS_MAX: usize = 20;
const LINES_MAX: usize = 200;
const TEXT_CHARS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facts_of_every_shape_become_lines() {
        let facts = json!({
            "macs": ["00:11:22:33:44:55", "00:11:22:33:44:56"],
            "settings": { "force_close": true, "time_offset_s": 3600, "nothing": null },
            "reported": { "pars": "7000,270,5000,0,1400,7", "at": "2026-11-21T10:20:30.123456Z" },
            "history": [{ "at": "2026-11-21T10:20:30Z", "pars": "1,2" }, { "at": "2026-11-20T10:20:30Z", "gap": null }],
            "first": { "push": { "method": "POST", "headers": [["host", "a"], ["x-b", "c, d"]], "sizes": [1, 2] } },
            "none": [],
            "conflict": false,
            "twin": { "warning": "look here" },
        });
        let Json::Object(facts) = facts else { panic!("an object") };
        let lines = lines(&facts);
        let found: Vec<(&str, Vec<&str>)> = lines
            .iter()
            .map(|line| (line.name.as_str(), line.texts.iter().map(String::as_str).collect()))
            .collect();
        let expected = [
            ("macs", vec!["00:11:22:33:44:55, 00:11:22:33:44:56"]),
            ("settings, force close", vec!["yes"]),
            ("settings, time offset s", vec!["3600"]),
            ("reported, pars", vec!["7000,270,5000,0,1400,7"]),
            ("reported, at", vec!["2026-11-21 10:20:30"]),
            ("history", vec!["at 2026-11-21 10:20:30; pars 1,2", "at 2026-11-20 10:20:30"]),
            ("first, push", vec!["method POST; headers host a; x-b c, d; sizes 1, 2"]),
            ("conflict", vec!["no"]),
            ("twin, warning", vec!["look here"]),
        ];
        for line in &expected {
            assert!(found.contains(line), "{line:?} is not in {found:?}");
        }
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert_eq!(warnings(&facts), ["look here"]);
    }

    #[test]
    fn what_is_long_is_cut() {
        let Json::Object(facts) = json!({ "a": "ä".repeat(1000), "b": vec![json!({ "n": 1 }); 30] }) else {
            panic!("an object")
        };
        let lines = lines(&facts);
        assert_eq!(lines[0].texts[0].chars().count(), TEXT_CHARS_MAX + 1);
        assert_eq!(lines[1].texts.len(), ITEMS_MAX + 1);
        assert_eq!(lines[1].texts[ITEMS_MAX], "and 10 more");
    }
}
