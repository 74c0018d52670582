//! What `homeport simulate … --audit --json` printed.

use std::process::Output;

use serde_json::Value;

use super::{Program, settled};

/// What a run printed whose audit must have found nothing.
#[track_caller]
pub(crate) fn clean(output: &Output) -> Value {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    let printed: Value = serde_json::from_str(&out).expect("--json prints JSON");
    assert_eq!(printed["audit"]["faults_count"], 0, "{out}");
    printed
}

/// What a fleet printed whose server was killed and started again while it spoke. Neither its audit nor the ledger's
/// may find anything.
#[track_caller]
pub(crate) fn killed_meanwhile(family: &str, fleet: &[&str]) -> Value {
    let (scheme, setting) =
        if family == "mcu" { ("ws://", "HOMEPORT_WS") } else { ("http://", "HOMEPORT_HTTP") };
    let mut program = Program::started();
    let (at, https) = (program.listener(scheme).to_string(), program.https().to_string());
    program = program.set(setting, &at).set("HOMEPORT_HTTPS", &https);
    let token = program.token();
    let whole = ["simulate", family, "--at", &at, "--audit", "--json", "--fault", "none"];
    let printed = std::thread::scope(|scope| {
        let mut run = program.command_line(&[&whole[..], fleet].concat());
        let child = scope.spawn(move || run.output().expect("the program can be run"));
        settled(|| (program.all(&token, "/api/v1/messages").len() > 40).then_some(())).expect("traffic");
        program.kill();
        program.start();
        clean(&child.join().expect("the fleet ends"))
    });
    program.done(&["audit"]);
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
