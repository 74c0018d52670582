//! The store, and what the running server has noticed of devices that cannot get in.

use serde_json::Value;

use super::super::Failure;
use super::super::client::{Connect, text};
use super::super::settings::Global;
use super::{Finding, Patient};
use crate::server;

pub(super) async fn look(patient: &Patient<'_>, settings: &Global) -> Result<Vec<Finding>, Failure> {
    if patient.server.is_none() {
        return Ok(vec![store(patient).await]);
    }
    let client = Connect::default().client(settings)?;
    let mut findings = vec![match client.fetch("/devices?limit=1").await {
        Ok(_) => Finding::ok("store", "the server reads it"),
        Err(error) => Finding::wrong(
            "store",
            format!("the server does not answer from it: {error:#}"),
            "look at the server's log; see disk",
        ),
    }];
    match client.fetch("/handshakes?limit=200").await {
        Ok(page) => findings.extend(handshakes(&page, patient.now_s)),
        Err(error) => findings.push(Finding::note(
            "handshakes",
            format!("not known: {error:#}"),
            "a server of this version tells them",
        )),
    }
    Ok(findings)
}

/// Looks without changing: an older schema is brought up to date by the next start, not by a question.
async fn store(patient: &Patient<'_>) -> Finding {
    match server::inspect(patient.config).await {
        Ok(found) => match found.schema {
            None => {
                Finding::note("store", format!("{} is not there", found.place), "the first start makes it")
            }
            Some(schema) if schema < found.newest => Finding::ok(
                "store",
                format!("{} has schema {schema}; the next start brings it to {}", found.place, found.newest),
            ),
            Some(schema) => Finding::ok("store", format!("{} has schema {schema}", found.place)),
        },
        Err(error) => Finding::wrong(
            "store",
            error.to_string(),
            "see disk; `homeport restore FILE` puts a backup in its place",
        ),
    }
}

/// Failures of the last day. Strangers knock at every open port, so they are notes.
fn handshakes(page: &Value, now_s: i64) -> Vec<Finding> {
    let recent = |one: &&Value| {
        let last = text(one, "last").parse::<jiff::Timestamp>();
        last.is_ok_and(|last| last.as_second() > now_s - DAY_S)
    };
    let items = page.get("items").and_then(Value::as_array);
    let recent: Vec<&Value> = items.into_iter().flatten().filter(recent).collect();
    if recent.is_empty() {
        return vec![Finding::ok("handshakes", "none failed within a day")];
    }
    let told = recent.iter().take(SHOWN_COUNT).map(|one| {
        let asked = match text(one, "sni") {
            "" => String::new(),
            name => format!(", asked for {name}"),
        };
        let often = match one.get("count").and_then(Value::as_u64) {
            Some(1) => "once".to_owned(),
            Some(count) => format!("{count} times"),
            None => "often".to_owned(),
        };
        let message = format!(
            "{} failed {often}, last {}{asked}: {} ({})",
            text(one, "peer"),
            text(one, "last"),
            text(one, "detail"),
            text(one, "reason"),
        );
        Finding::note("handshakes", message, text(one, "advice"))
    });
    let mut findings: Vec<Finding> = told.collect();
    if recent.len() > SHOWN_COUNT {
        let rest = recent.len() - SHOWN_COUNT;
        findings.push(Finding::note(
            "handshakes",
            format!("{rest} more"),
            "GET /api/v1/handshakes lists all, with what each client offered",
        ));
    }
    findings
}

const DAY_S: i64 = 86_400;
const SHOWN_COUNT: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_last_day_is_told_and_not_too_much_of_it() {
        let one = |last: &str| json!({"peer": "192.0.2.1", "count": 3, "last": last, "detail": "d", "reason": "distrust", "advice": "a"});
        let now_s = "2026-03-02T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_second();
        let old = json!({"items": [one("2026-03-01T11:00:00Z")]});
        assert_eq!(handshakes(&old, now_s)[0].message, "none failed within a day");
        let many: Vec<Value> = (0..14).map(|_| one("2026-03-02T11:00:00Z")).collect();
        let told = handshakes(&json!({ "items": many }), now_s);
        assert_eq!(told.len(), 11);
        assert!(told[0].message.contains("192.0.2.1 failed 3 times"), "{told:?}");
        assert_eq!(told[10].message, "4 more");
    }
}
