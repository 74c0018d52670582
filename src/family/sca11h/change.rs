//! A change of a node's parameters: an operator's words → the exact reply that makes it, and what became of it
//! (`sca11h.md §5.3, §6`).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::identity::canonical;
use super::pars::{FIELDS, Pars, Written};
use crate::family::{CommandText, DraftText, Invalid, Template};
use crate::model::{CommandRecord, CommandState, FamilyName};

/// Checks the words and makes a command of them. Five fields in the order of the node's web page become six.
pub(super) fn draft(text: &CommandText) -> Result<DraftText, Invalid> {
    if !text.cmd.eq_ignore_ascii_case(CMD) {
        let message = format!("a bed sensor takes one command: {CMD}, with its six calibration parameters");
        return Err(Invalid::new("cmd", message));
    }
    let address = addressee(text)?;
    let wrong = |wrong: super::pars::Wrong| Invalid::new("payload", wrong.to_string());
    let written = Written::typed(&text.payload).map_err(wrong)?;
    let pars = written.pars.check().map_err(wrong)?;
    let reply = pars.reply();
    let bytes = Bytes::from(reply.clone());
    Ok(DraftText {
        family: FamilyName::new(super::NAME),
        via: address.clone(),
        address,
        cmd: CMD.to_owned(),
        payload: reply,
        encode: Arc::new(move |_| Ok(bytes.clone())),
        warning: warning(&written),
        life: Some(LIFE),
    })
}

/// What an operator may start from.
pub(super) fn templates() -> Vec<Template> {
    [
        ("Parameters: Murata's example", "7000,270,5000,0,1400,7"),
        ("Parameters: before an adaptive calibration", "7000,200,2600,2600,1000,7"),
    ]
    .map(|(name, pars)| Template {
        name: name.to_owned(),
        cmd: CMD.to_owned(),
        payload: format!("\"{pars}\""),
    })
    .into()
}

/// The parameters that a stored command sets; `None` for a command of another kind.
pub(super) fn pars_of(command: &CommandRecord) -> Option<Pars> {
    (command.cmd == CMD).then(|| Written::typed(&command.payload).ok()).flatten().map(|written| written.pars)
}

/// Where a change stands, in the words of the page (§5.3).
pub(super) const fn delivery(command: &CommandRecord) -> &'static str {
    match (command.state, command.attempts) {
        (CommandState::Queued, 0) => "pending",
        (CommandState::Sent | CommandState::Accepted, ..=1) => "sent",
        // The node came back with other values than it was sent: it gets them again, until it is given up.
        (CommandState::Queued | CommandState::Sent | CommandState::Accepted | CommandState::Failed, _) => {
            "not_applied"
        }
        (CommandState::Answered, _) => "confirmed",
        (CommandState::Expired, _) => "expired",
        (CommandState::Cancelled, _) => "cancelled",
    }
}

/// The same with what else people want to know of it.
pub(super) fn shown(command: &CommandRecord, pars: Pars) -> Json {
    let sent = command.transitions.iter().rfind(|step| step.state == CommandState::Sent);
    let last = command.transitions.last();
    json!({
        "state": delivery(command),
        "pars": pars.to_string(),
        "command": command.id,
        "queued": command.created,
        "sent": sent.map(|step| step.at),
        "times_sent": command.attempts,
        "given_up": command.state == CommandState::Failed,
        "changed": last.map(|step| step.at),
        "reason": last.map(|step| &step.reason),
        "expires": command.expires,
    })
}

fn addressee(text: &CommandText) -> Result<String, Invalid> {
    let typed = match text.dst.as_deref() {
        Some([one]) => one_name(one),
        Some([_, _, ..]) => return Err(Invalid::new("dst", "name one node: none speaks through another")),
        Some([]) | None => None,
    };
    typed
        .or_else(|| text.address.clone())
        .map(|name| canonical(&name))
        .filter(|name| !name.is_empty())
        .ok_or_else(|| Invalid::new("dst", "name the node: its node id or its MAC"))
}

/// A bare name, or a JSON array with one name in it.
fn one_name(typed: &str) -> Option<String> {
    let typed = typed.trim();
    let listed = serde_json::from_str::<[String; 1]>(typed).map(|[name]| name);
    listed.ok().or_else(|| Some(typed.to_owned())).filter(|name| !name.is_empty())
}

fn warning(written: &Written) -> Option<String> {
    let [.., tentative, _, scale] = written.pars.values();
    let mut warnings = Vec::new();
    if written.five {
        warnings.push("five fields leave tentative_stroke_vol out: it is set to 0".to_owned());
    } else if tentative != 0 && tentative != written.pars.values()[STROKE_VOL] {
        warnings.push("tentative_stroke_vol is usually 0 or the same as stroke_vol".to_owned());
    }
    if scale != SCALE {
        let name = FIELDS[COUNT - 1].name;
        warnings.push(format!("{name} is {scale}: leave it at what the node has, usually {SCALE}"));
    }
    (!warnings.is_empty()).then(|| warnings.join("; "))
}

/// The one command of a node.
pub(super) const CMD: &str = "pars";
/// A node syncs after a start and then once a day (§5.1), if it is on: a change waits for several of them.
pub(super) const LIFE: Duration = Duration::from_hours(14 * 24);
const COUNT: usize = FIELDS.len();
const STROKE_VOL: usize = 2;
/// In every public parameter set but one (§6).
const SCALE: i64 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn text(address: Option<&str>, cmd: &str, payload: &str, dst: Option<&[&str]>) -> CommandText {
        CommandText {
            address: address.map(str::to_owned),
            parent: None,
            cmd: cmd.to_owned(),
            payload: payload.to_owned(),
            dst: dst.map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            at: Timestamp::default(),
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_page() {
        let draft =
            draft(&text(Some("00:11:22:33:44:55"), "pars", r#""7000,270,5000,0,1400,7""#, None)).unwrap();
        assert_eq!((draft.encode)(77).unwrap(), r#"{"pars":"7000,270,5000,0,1400,7"}"#);
        assert_eq!((draft.address.as_str(), draft.via.as_str()), ("001122334455", "001122334455"));
        assert_eq!((draft.warning, draft.life), (None, Some(LIFE)));
    }

    #[test]
    fn what_a_node_would_not_take_is_refused_with_the_field_and_its_range() {
        for (payload, part) in [
            (r#""999,270,5000,0,1400,7""#, "var_level_1 is 999: a node takes 1000 to 30000"),
            (r#""7000,270,5000,0,1400,16""#, "to_micro_g is 16: a node takes 2 to 15"),
            (r#""7000,7000,5000,0,1400,7""#, "below var_level_1"),
            ("{}", "var_level_1 is missing"),
            ("null", "whole number"),
        ] {
            let invalid = draft(&text(Some("bed"), "pars", payload, None)).unwrap_err();
            assert_eq!(invalid.field, "payload", "{payload}");
            assert!(invalid.message.contains(part), "{payload}: {invalid}");
        }
        assert_eq!(draft(&text(Some("bed"), "wr", "{}", None)).unwrap_err().field, "cmd");
    }

    #[test]
    fn five_fields_become_six_and_the_operator_hears_of_it() {
        let draft = draft(&text(Some("bed"), "PARS", "6000,300,4000,1500,7", None)).unwrap();
        assert_eq!(draft.payload, r#"{"pars":"6000,300,4000,0,1500,7"}"#);
        assert!(draft.warning.is_some_and(|warning| warning.contains("tentative_stroke_vol")));
    }

    #[test]
    fn one_node_is_named_in_one_way_or_another() {
        let good = r#""7000,270,5000,0,1400,7""#;
        for (address, dst, want) in [
            (Some("Bed 7"), None, "Bed 7"),
            (None, Some(&["00-11-22-33-44-55"][..]), "001122334455"),
            (Some("x"), Some(&[r#"["bed"]"#][..]), "bed"),
            (Some("x"), Some(&[][..]), "x"),
        ] {
            assert_eq!(draft(&text(address, "pars", good, dst)).unwrap().address, want);
        }
        assert_eq!(draft(&text(None, "pars", good, None)).unwrap_err().field, "dst");
        assert_eq!(draft(&text(None, "pars", good, Some(&["a", "b"]))).unwrap_err().field, "dst");
    }

    #[test]
    fn templates_are_commands() {
        for template in templates() {
            draft(&text(Some("bed"), &template.cmd, &template.payload, None)).unwrap();
        }
    }
}
