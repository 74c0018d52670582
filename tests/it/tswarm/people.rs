//! What people do with nodes, by command line and API, and what a node with a screen reads.

use serde_json::{Value, json};

use super::{Node, body, raw};
use crate::harness::Program;

/// What a GET of a node hears: status, length as told, body.
fn get(node: &Node, path: &str) -> (u16, String, String) {
    let request = format!("GET {path} HTTP/1.0\r\nauthorization:{}\r\n\r\n", node.authorization);
    let heard = raw(node.server, request.as_bytes());
    (heard.status, heard.header("content-length").unwrap_or_default().to_owned(), heard.body)
}

#[test]
fn a_node_is_added_by_one_command_and_its_config_is_ready() {
    let program = Program::started();
    let output = program.run(&["tswarm", "add", "greenhouse", "--base", "http://192.168.1.10:8080/"]);
    assert!(output.status.success());
    let config: Value = serde_json::from_slice(&output.stdout).expect("the file alone is on standard output");
    assert_eq!(config["svconf"]["url"], "http://192.168.1.10:8080/api/v1/tswarm/greenhouse");
    assert_eq!(config["svconf"]["login"], "greenhouse");
    assert!(config["svconf"]["xauth"].as_str().unwrap().is_ascii());
    for part in ["modules", "netconf"] {
        assert!(config[part].is_object(), "{part}");
    }
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("secret") && said.contains("shown this once"), "{said}");
    // Without --base it is where this machine is reached: here it has a name alone.
    let config: Value = serde_json::from_str(&program.done(&["tswarm", "add", "cellar"])).unwrap();
    let port = program.http().port();
    assert_eq!(config["svconf"]["url"], format!("http://localhost:{port}/api/v1/tswarm/cellar"));
    for (arguments, words) in [
        (&["tswarm", "add", "nöde"][..], "English alphabet"),
        (&["tswarm", "add", "cellar"], "--renew"),
        (&["tswarm", "add", "x", "--base", "https://home"], "TLS"),
        (&["tswarm", "disable", "nobody"], "not found"),
        (&["tswarm", "hold", "nobody"], "not found"),
        (&["tswarm", "release", "nothing"], "not found"),
    ] {
        let output = program.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    for wrong in [&["tswarm", "add"][..], &["tswarm", "hold"], &["tswarm", "hold", "a", "--for", "soon"]] {
        assert_eq!(program.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let list = program.done(&["tswarm", "list"]);
    assert!(list.contains("greenhouse") && list.contains("new"), "{list}");
}

#[test]
fn a_hold_says_what_it_costs() {
    let program = Program::started();
    let node = Node::added(&program, "n");
    assert_eq!(node.upload(&body("n", "1 40")), [405, 202]);
    let output = program.run(&["tswarm", "hold", "n", "--for", "30m"]);
    let (told, warned) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(told.contains("0 of 1 nodes stopped"), "{told}");
    assert!(warned.contains("do not sleep again") && warned.contains("before you reset"), "{warned}");
    assert_eq!(node.upload(&body("n", "2 40")), [423]);
    let holds: Value = serde_json::from_str(&program.done(&["tswarm", "holds", "--json"])).unwrap();
    assert_eq!((&holds[0]["stopped"], &holds[0]["of"]), (&json!(1), &json!(1)));
    assert_eq!(holds[0]["nodes"], json!(["n"]));
    program.done(&["tswarm", "hold", "--all", "--for", "20m"]);
    let table = program.done(&["tswarm", "holds"]);
    let nodes: Vec<_> = table.lines().skip(1).map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(nodes, ["all", "n"], "{table}");
    let by = holds[0]["by"].as_str().unwrap();
    assert!(!by.is_empty());
    let token = program.token();
    let device = &program.api(&token, "/api/v1/devices?q=n&family=tswarm")["items"][0];
    let shown = program.api(&token, &format!("/api/v1/devices/{}", device["id"].as_str().unwrap()));
    let text = shown.to_string();
    assert!(text.contains("awake_since") && text.contains("held_awake_until"), "{text}");
    assert!(text.contains("urequests before 2018-08") && text.contains("(masked)"), "{text}");
    let ended = program.done(&["tswarm", "release", holds[0]["id"].as_str().unwrap()]);
    assert!(ended.contains("stay awake until they are reset"), "{ended}");
    assert_eq!(program.done(&["tswarm", "release", "--all"]).lines().count(), 1);
    assert_eq!(program.done(&["tswarm", "release", "--all"]).trim(), "no node is held");
}

#[test]
fn the_api_is_the_command_lines() {
    let program = Program::started();
    let token = program.token();
    let post = |path: &str, wish: Value| program.post(&token, path, &wish);
    let added = post("/api/v1/tswarm/nodes", json!({"node": "n"}));
    assert_eq!(added.status, 201, "{}", added.text());
    assert!(added.json()["notes"].to_string().contains("SERVER"));
    let node = Node::of(&program, "n", &added.json());
    assert_eq!(node.upload(&body("n", "1 40")), [405, 202]);
    let nodes = program.api(&token, "/api/v1/tswarm/nodes");
    assert_eq!((&nodes["items"][0]["state"], &nodes["items"][0]["online"]), (&json!("active"), &json!(true)));
    assert!(!nodes.to_string().contains(added.json()["secret"].as_str().unwrap()));
    for (wish, status, field) in [
        (json!({"for_s": 60}), 422, "nodes"),
        (json!({"all": true, "nodes": ["n"], "for_s": 60}), 422, "nodes"),
        (json!({"all": true, "for_s": 0}), 422, "for_s"),
    ] {
        let answer = post("/api/v1/tswarm/holds", wish);
        assert_eq!((answer.status, &answer.json()["error"]["field"]), (status, &json!(field)));
    }
    assert_eq!(post("/api/v1/tswarm/holds", json!({"all": true, "for_s": 60})).status, 201);
    assert_eq!(node.upload(&body("n", "2 40")), [423]);
    assert_eq!(post("/api/v1/tswarm/nodes/n/revoke", json!(null)).status, 200);
    assert_eq!(node.upload(&body("n", "3 40")), [401]);
    let rejected = program.api(&token, "/api/v1/tswarm/rejected");
    assert_eq!(rejected["items"].as_array().unwrap().len(), 1, "{rejected}");
}

#[test]
fn a_node_with_a_screen_reads_a_small_summary() {
    let program = Program::started();
    let node = Node::added(&program, "living-room");
    assert_eq!(node.upload(&body("living-room", "23 45.25")), [405, 202]);
    let (status, length, text) = get(&node, "/api/v1/tswarm/summary");
    assert_eq!((status, length), (200, text.len().to_string()));
    let words: Vec<&str> = text.trim_end().split(' ').collect();
    assert_eq!(words[..3], ["living-room", "23", "45.3"], "{text}");
    assert!(words[3].parse::<u64>().unwrap() < 60, "{text}");
    let (status, length, text) = get(&node, "/api/v1/tswarm/summary/?f=json");
    assert_eq!((status, length), (200, text.len().to_string()));
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&read[0]["name"], &read[0]["temp"]), (&json!("living-room"), &json!(23)));
    // One that measured nothing yet, and itself alone.
    let other = Node::added(&program, "other");
    assert_eq!(other.upload(&body("other", "nan 50")), [405, 202]);
    let (_, _, text) = get(&other, "/api/v1/tswarm/other");
    assert!(text.starts_with("other - 50 ") && text.lines().count() == 1, "{text}");
    assert_eq!(get(&other, "/api/v1/tswarm/living-room").0, 404);
    for number in 0..40 {
        let node = Node::of_any(&program, "x").at("/api/v1/tswarm");
        assert_eq!(node.upload(&body(&format!("a-node-with-a-name-{number}"), "23 45")), [405, 202]);
    }
    for path in ["/api/v1/tswarm/summary", "/api/v1/tswarm/summary?f=json"] {
        let (status, length, text) = get(&node, path);
        assert!(status == 200 && text.len() <= 512 && length == text.len().to_string(), "{length} {text}");
        assert!(text.contains("a-node-with-a-name-39"), "those heard last are first: {text}");
    }
    assert_eq!(get(&node.showing(" Basic YTpi"), "/api/v1/tswarm/summary").0, 401);
    // A node of that name is a node.
    let summary = Node::added(&program, "summary");
    assert_eq!(summary.upload(&body("summary", "1 40")), [405, 202]);
}
