//! The examples of `docs/token.md`, run as they stand there.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Program, micropython};

const PAGE: &str = include_str!("../../docs/token.md");

/// A server with a device, and the page's examples with its address and token in them.
struct House {
    program: Program,
    admin: String,
    id: String,
    token: String,
}

impl House {
    fn new() -> Self {
        let program = Program::started();
        let made = program.done(&["devices", "add", "Boiler room", "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, token) = (text(&made["device"]["id"]), text(&made["token"]));
        Self { admin: program.token(), id, token, program }
    }

    /// The block that the page marks `<!-- runs: KIND -->`.
    fn example(&self, kind: &str) -> String {
        let (_, rest) = PAGE.split_once(&format!("<!-- runs: {kind} -->\n```")).expect("the page has it");
        let (_, block) = rest.split_once('\n').expect("a block begins with its kind");
        let (block, _) = block.split_once("\n```").expect("a block ends");
        let address = self.program.http().to_string();
        assert!(block.contains("SERVER:8080") && block.contains("dt_YOUR_TOKEN"), "{block}");
        block.replace("SERVER:8080", &address).replace("dt_YOUR_TOKEN", &self.token)
    }

    /// Sensors and values that were stored.
    fn values(&self) -> Vec<(String, Value)> {
        let path = format!("/api/v1/devices/{}/data", self.id);
        let data = self.program.all(&self.admin, &path);
        data.iter()
            .map(|datum| (datum["sensor"].as_str().unwrap().to_owned(), datum["value"].clone()))
            .collect()
    }
}

/// Runs a program with a text as its only argument behind others; gives what it printed.
fn run(program: &str, arguments: &[&str], script: &str) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(script)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; scripts/test installs it"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program}: {}\n{told}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn both() -> Vec<(String, Value)> {
    vec![("light".to_owned(), json!(80)), ("tmp".to_owned(), json!(21.5))]
}

#[test]
fn the_example_for_curl_stores_its_values() {
    let house = House::new();
    assert_eq!(run("sh", &["-c"], &house.example("sh")), "{\"accepted\":1}");
    assert_eq!(house.values(), both());
}

#[test]
fn the_example_for_python_stores_its_values_once() {
    let house = House::new();
    let printed = run("python3", &["-c"], &house.example("python"));
    assert_eq!(printed, "{'accepted': 1}\n{'accepted': 1, 'duplicate': 1}\n");
    assert_eq!(house.values(), both());
}

#[test]
fn the_example_for_micropython_stores_its_values() {
    let house = House::new();
    let micropython = micropython();
    let printed = run(micropython.to_str().unwrap(), &["-c"], &house.example("micropython"));
    assert_eq!(printed.trim(), "202");
    assert_eq!(house.values(), both());
}

#[test]
fn the_example_of_the_wire_is_what_a_board_is_answered() {
    let house = House::new();
    let request = house.example("http").replace('\n', "\r\n");
    let answer = house.program.plain_client().ask(request.as_bytes()).unwrap();
    answer.is_device_answer(202, "{\"accepted\":1}");
    assert_eq!(house.values(), [("light".to_owned(), json!(80)), ("tmp".to_owned(), json!(21))]);
}
