//! What `homeport simulate … --audit --json` printed.

use std::process::Output;

use serde_json::Value;

/// What a run printed whose audit must have found nothing.
#[track_caller]
pub(crate) fn clean(output: &Output) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let printed: Value = serde_json::from_str(&out).expect("--json prints JSON");
    assert_eq!(printed["audit"]["faults_count"], 0, "{out}");
    printed
}

/// The figures of calls of a kind.
#[track_caller]
pub(crate) fn calls<'a>(printed: &'a Value, purpose: &str) -> &'a Value {
    let calls = printed["summary"]["calls"].as_array().expect("a list");
    calls
        .iter()
        .find(|calls| calls["purpose"] == purpose)
        .unwrap_or_else(|| panic!("no {purpose}: {printed}"))
}

/// A figure.
#[track_caller]
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}
