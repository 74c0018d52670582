//! A real client: MicroPython's Unix port with its own `requests` runs a node's script against the real program.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::values;
use crate::harness::{Program, micropython};

/// Runs the node: gives what it said.
fn wakes(program: &Program, readings: &[&str]) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/tswarm/node.py");
    let mut command = Command::new(micropython());
    command.arg(script).arg("config.json").args(readings).current_dir(program.folder());
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/test installs it"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn micropython_is_a_node() {
    let program = Program::started();
    let base = format!("http://{}", program.http());
    let config = program.done(&["tswarm", "add", "greenhouse", "--base", &base]);
    fs::write(program.folder().join("config.json"), config).unwrap();
    assert_eq!(wakes(&program, &["23 45", "24 45"]), "created asleep updated asleep");
    program.done(&["tswarm", "hold", "greenhouse"]);
    assert_eq!(wakes(&program, &["25 45", "26 45"]), "stopped awake");
    program.done(&["tswarm", "release", "--all"]);
    assert_eq!(wakes(&program, &["27 45"]), "updated asleep");
    program.done(&["tswarm", "revoke", "greenhouse"]);
    assert_eq!(wakes(&program, &["28 45"]), "ignored 401 asleep");
    let token = program.token();
    let stored = values(&program, &token, "greenhouse", "temperature");
    assert_eq!(stored, [json!(23), json!(24), json!(25), json!(27)]);
    let device = &program.api(&token, "/api/v1/devices?q=greenhouse")["items"][0];
    let shown = program.api(&token, &format!("/api/v1/devices/{}", device["id"].as_str().unwrap()));
    // The library in this build: HTTP/1.0 with `Connection: close`.
    assert!(shown.to_string().contains("2018-08 to 2026-06"), "{shown}");
}
