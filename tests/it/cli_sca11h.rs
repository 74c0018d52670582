//! `homeport sca11h` against a pretend node that speaks its local HTTP API (`sca11h.md §7`).

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::harness::{Node, Program, Quirks};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// Runs a subcommand that must fail; gives its exit code and what it complained of.
#[track_caller]
fn failed(program: &Program, arguments: &[&str]) -> (Option<i32>, String) {
    let output = program.run(&[&["sca11h"], arguments].concat());
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn settings_are_shown_and_nothing_is_changed() {
    let (program, node) = (Program::new(), Node::start(Quirks::default()));
    let address = node.address();
    let shown = program.done(&["sca11h", "configure", &address]);
    for words in ["/sys/comm", "report_interval", "02:53:43:00:00:01", "7000,200,2600,2600,1000,7"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let told = json(&program.done(&["sca11h", "configure", &address, "--json"]));
    assert_eq!(told["/sys/comm"]["mode"], 0);
    assert_eq!(told["/sys/mac"]["mac"], "02:53:43:00:00:01");
    let (head, body) = &node.asked("GET", "/sys/comm")[0];
    assert_eq!(body, "");
    // `admin:admin`, unasked, and a connection for each request.
    for line in ["Authorization: Basic YWRtaW46YWRtaW4=\r\n", "Connection: close\r\n"] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert_eq!(node.asked("POST", "/sys/comm"), []);
}

#[test]
fn a_node_is_pointed_at_a_server_with_one_flag() {
    for quirks in [
        Quirks::default(),
        Quirks { old: true, ..Quirks::default() },
        // A time-out after a POST is normal, and the begin of a body may get lost.
        Quirks { silent: true, ..Quirks::default() },
        Quirks { loses: 100, ..Quirks::default() },
        Quirks { silent: true, loses: 100, ..Quirks::default() },
    ] {
        let (program, node) = (Program::new(), Node::start(quirks));
        let printed =
            program.done(&["sca11h", "configure", &node.address(), "--to", "192.0.2.10:8080", "--json"]);
        let comm = json!({
            "mode": 1, "https_enable": 0, "url": "192.0.2.10:8080", "username": "x", "report_interval": 5,
            "network_id": "home", "node_id": "02:53:43:00:00:01", "reset_interval": 86400,
        });
        assert_eq!(node.setting("/sys/comm"), comm, "{quirks:?}");
        assert_eq!(json(&printed)["/sys/comm"], comm, "{quirks:?}");
        let ota = json!({ "autoupd": 1, "url": "192.0.2.10:8080", "username": "x" });
        assert_eq!(node.setting("/sys/ota"), ota, "{quirks:?}");
        let posts = node.asked("POST", "/sys/comm");
        assert_eq!(posts.len(), if quirks.loses > 0 { 2 } else { 1 }, "{quirks:?}");
        // All fields together, as a node in cloud mode wants them; no credential may be empty.
        assert_eq!(json(posts[0].1.trim())["new_password"], "x");
        assert_eq!(node.asked("POST", "/sys/cmd"), []);
    }
}

#[test]
fn here_is_this_machine_as_the_node_sees_it() {
    let node = Node::start(Quirks::default());
    let program = Program::new().set("HOMEPORT_HTTP", "0.0.0.0:8088");
    let to_here = ["sca11h", "configure", &node.address(), "--to", "here"];
    let planned = json(&program.done(&[&to_here[..], &["--dry-run"]].concat()));
    assert_eq!(planned["/sys/comm"]["url"], "127.0.0.1:8088");
    assert_eq!(planned["/sys/comm"]["new_password"], "…");
    assert_eq!(node.asked("POST", "/sys/comm"), [], "a rehearsal sets nothing");
    program.done(&[&to_here[..], &["--reboot"]].concat());
    assert_eq!(node.setting("/sys/ota")["url"], "127.0.0.1:8088");
    assert_eq!(node.asked("POST", "/sys/cmd")[0].1, r#"{"cmd":"reboot"}"#);
    let program = program.set("HOMEPORT_HTTP", "off");
    let (code, said) = failed(&program, &to_here[1..]);
    assert_eq!(code, Some(2));
    assert!(said.contains("plain-HTTP listener"), "{said}");
}

#[test]
fn one_setting_is_changed_and_the_others_stay() {
    let (program, node) = (Program::new(), Node::start(Quirks::default()));
    let address = node.address();
    let configure = |more: &[&str]| program.done(&[&["sca11h", "configure", &address], more].concat());
    configure(&["--to", "bed.lan", "--server-user", "anna", "--server-password", "secret"]);
    configure(&["--report-interval", "7", "--server-password", "secret"]);
    let comm = node.setting("/sys/comm");
    assert_eq!(comm["url"], "bed.lan");
    assert_eq!(comm["username"], "anna");
    // 86400 is no multiple of 7.
    assert_eq!((&comm["report_interval"], &comm["reset_interval"]), (&json!(7), &json!(86_394)));
    // A password that the node never tells would be lost.
    let (code, said) = failed(&program, &["configure", &address, "--node-id", "bed-7"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("--server-password"), "{said}");
    configure(&["--node-id", "bed-7", "--server-user", "x"]);
    assert_eq!(node.setting("/sys/comm")["node_id"], "bed-7");
    configure(&["--local"]);
    assert_eq!(node.setting("/sys/comm")["mode"], 0);
    let refused = [
        (&["--reset-interval", "50", "--server-user", "x"][..], "multiple"),
        (&["--report-interval", "4"], "5..=90"),
        (&["--to", "http://bed.lan"], "scheme"),
        (&["--to", "bed.lan", "--server-user", "seventeen letters", "--server-password", "p"], "16 bytes"),
    ];
    for (flags, word) in refused {
        let (code, said) = failed(&program, &[&["configure", &address], flags].concat());
        assert_eq!(code, Some(2), "{flags:?}");
        assert!(said.contains(word), "{flags:?}: {said}");
    }
}

#[test]
fn what_a_node_does_not_keep_is_said() {
    let (program, node) = (Program::new(), Node::start(Quirks { stubborn: true, ..Quirks::default() }));
    let (code, said) = failed(&program, &["configure", &node.address(), "--to", "bed.lan"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("did not take mode in /sys/comm: it has 0, not 1"), "{said}");
    assert_eq!(node.asked("POST", "/sys/comm").len(), 2);
}

#[test]
fn a_wrong_password_and_a_wrong_address_are_said() {
    let (program, node) = (Program::new(), Node::start(Quirks::default()));
    node.set_password("other");
    let address = node.address();
    let (code, said) = failed(&program, &["configure", &address]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--password"), "{said}");
    program.done(&["sca11h", "configure", &address, "--password", "other"]);
    let (_, said) = failed(&program, &["configure", "127.0.0.1:9"]);
    assert!(said.contains("127.0.0.1:9 cannot be reached"), "{said}");
    // Another server at that address: ours, whose answer to a stranger is no node's.
    let program = Program::started();
    let (_, said) = failed(&program, &["configure", &program.https().to_string()]);
    assert!(said.contains(&program.https().to_string()), "{said}");
}

#[test]
fn parameters_are_checked_and_set_at_once() {
    let (program, node) = (Program::new(), Node::start(Quirks { loses: 20, ..Quirks::default() }));
    let address = node.address();
    let told =
        json(&program.done(&["sca11h", "configure", &address, "--pars", "7000,270,5000,0,1400,7", "--json"]));
    assert_eq!(told["/bcg/pars"]["pars"], "7000,270,5000,0,1400,7");
    assert_eq!(node.asked("POST", "/bcg/pars")[0].1, r#"{"pars":"7000,270,5000,0,1400,7"}"#);
    // Nothing else was touched.
    assert_eq!(node.asked("POST", "/sys/comm"), []);
    // The five fields of the node's own page.
    program.done(&["sca11h", "configure", &address, "--pars", "6000,300,4000,1500,7"]);
    assert_eq!(node.setting("/bcg/pars")["pars"], "6000,300,4000,0,1500,7");
    for (typed, words) in [
        ("999,270,5000,0,1400,7", "var_level_1 is 999: a node takes 1000 to 30000"),
        ("7000,7000,5000,0,1400,7", "below var_level_1"),
        ("many", "--pars"),
    ] {
        let (code, said) = failed(&program, &["configure", &address, "--pars", typed]);
        assert_eq!(code, Some(2), "{typed}: {said}");
        assert!(said.contains(words), "{typed}: {said}");
    }
    assert_eq!(node.setting("/bcg/pars")["pars"], "6000,300,4000,0,1500,7");
}

fn calibrated(program: &Program, address: &str, more: &[&str], typed: &str) -> Output {
    let mut command = program.command_line(&["sca11h", "calibrate", address, "--every", "0.01"]);
    let mut child = command
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    child.stdin.take().expect("stdin is piped").write_all(typed.as_bytes()).expect("it can be typed");
    child.wait_with_output().expect("it ends")
}

#[test]
fn a_node_calibrates_itself_first_empty_then_occupied() {
    let (program, node) = (Program::new(), Node::start(Quirks::default()));
    let address = node.address();
    let output = calibrated(&program, &address, &["--json"], "\n\n");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{err}");
    assert!(err.contains("leave the bed empty") && err.contains("lie down"), "{err}");
    let told = json(&String::from_utf8_lossy(&output.stdout));
    let parts: Vec<(&str, &str)> = told["parts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|part| (part["phase"].as_str().unwrap(), part["outcome"].as_str().unwrap()))
        .collect();
    assert_eq!(parts, [("empty", "good"), ("occupied", "good")]);
    assert_eq!(told["pars"], "6500,310,3900,3900,1500,7");
    let starts: Vec<String> = node.asked("POST", "/bcg/cali").into_iter().map(|(_, body)| body).collect();
    assert_eq!(starts, [r#"{"phase":1}"#, r#"{"phase":2}"#]);
}

#[test]
fn a_calibration_that_is_doubtful_failed_or_refused_is_told_apart() {
    let (program, node) = (Program::new(), Node::start(Quirks::default()));
    let address = node.address();
    let run = |more: &[&str]| {
        let output = calibrated(&program, &address, more, "");
        let all = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&all).into_owned())
    };
    for (start, end, well, words) in [
        (0, 2, true, "doubtful: something shook the bed"),
        (0, 8, false, "failed: the sensor inside"),
        (-1, 0, false, "could not begin"),
        (-2, 0, false, "already"),
        (-3, 0, false, "--to here"),
    ] {
        node.set_calibration(start, [end, end]);
        let (success, said) = run(&["--phase", "empty"]);
        assert_eq!(success, well, "{said}");
        assert!(said.contains(words), "{words}: {said}");
    }
    // A node that says nothing to the start may have begun.
    let silent = Node::start(Quirks { silent: true, ..Quirks::default() });
    assert!(calibrated(&program, &silent.address(), &["--phase", "empty"], "").status.success());
    let (success, said) = run(&[]);
    assert!(!success && said.contains("--phase empty"), "{said}");
}

#[test]
fn nodes_are_found_by_a_question_to_everybody() {
    let program = Program::new();
    let asked = Node::findable().to_string();
    let discover = ["sca11h", "discover", "--to", &asked, "--bind", "127.0.0.1:0", "--first", "2"];
    let listed = program.done(&discover);
    assert!(listed.starts_with("HOSTNAME"), "{listed}");
    assert!(listed.contains("SCA11H-A") && !listed.contains('\u{1b}'), "{listed}");
    let told = json(&program.done(&[&discover[..], &["--json"]].concat()));
    let found: Vec<&str> =
        told.as_array().expect("a list").iter().map(|node| node["ip"].as_str().unwrap()).collect();
    assert_eq!(found, ["192.0.2.20", "192.0.2.21"]);
    let (code, said) = failed(&program, &["discover", "--to", "bed.lan"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("--to"), "{said}");
}
