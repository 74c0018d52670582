//! What the server looks after by itself, from outside: wanted ports, counters, split heartbeats, schedules, templates.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Module, Program, okm};

const OKE: &str = "036334d0b8df1f05";
const CWM: &str = "0002010203040506";

fn device(program: &Program, token: &str, address: &str) -> Value {
    let found = program.all(token, &format!("/api/v1/devices?q={address}"));
    let id = found[0]["id"].as_str().expect("a device has an id").to_owned();
    program.api(token, &format!("/api/v1/devices/{id}"))
}

fn id_of(program: &Program, token: &str, address: &str) -> String {
    device(program, token, address)["id"].as_str().expect("a device has an id").to_owned()
}

#[test]
fn a_module_on_the_wrong_port_is_told_once_in_ten_minutes() {
    // cwm-oke.md §6.3
    let program = Program::started();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    let wrong = r#"{"_hbt":{"ti":40,"port":"usb","baud":115200}}"#;
    let text = module.next(wrong);
    assert!(!module.pushes(&text), "nothing is wanted yet");
    program.done(&["devices", "port", CWM, "232", "--baud", "57600"]);
    let shown = &device(&program, &token, CWM)["wanted_port"];
    assert_eq!((&shown["port"], &shown["baud"]), (&json!("232"), &json!(57_600)));
    assert_eq!(shown["asked"], Value::Null);

    let text = module.next(wrong);
    assert!(module.pushes(&text), "the command waits at once");
    let (command, _) = module.takes();
    assert!(command.contains(r#""_cmd":"wr""#), "{command}");
    assert!(command.ends_with(r#""_pld":{"oke":{"port":"232","baud":57600}}}"#), "{command}");
    assert_eq!(module.pull(Some(true)), r#"{"pull":false}"#);
    let text = module.next(wrong);
    assert!(!module.pushes(&text), "not again within ten minutes");
    let id = id_of(&program, &token, CWM);
    let commands = program.all(&token, &format!("/api/v1/devices/{id}/commands"));
    assert_eq!(commands.len(), 1);
    assert_eq!(commands[0]["transitions"][0]["by"], "server");

    program.done(&["devices", "port", CWM, "none"]);
    assert_eq!(device(&program, &token, CWM).get("wanted_port"), None);
    let refused = program.run(&["devices", "port", CWM, "rs232"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("port is one of 232, 485, ttl, usb"));
}

#[test]
fn a_held_module_is_not_told_and_not_adopted() {
    let mut program = Program::new().set("HOMEPORT_DEVICES_UNKNOWN", "hold");
    program.start();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    let wrong = r#"{"_hbt":{"port":"ttl","baud":115200}}"#;
    let text = module.next(wrong);
    assert!(!module.pushes(&text));
    program.done(&["devices", "port", CWM, "232"]);
    let text = module.next(wrong);
    assert!(!module.pushes(&text));
    assert_eq!(device(&program, &token, CWM)["state"], "held");
    // The wish outlives a restart; once a person lets the module in, it is carried out.
    program.stop();
    program.start();
    program.done(&["devices", "adopt", CWM]);
    let mut module = Module::new(program.client(), CWM);
    let mut told = false;
    // The wishes are read soon after the start, not before it.
    for id in 100..150 {
        told = module.pushes(&okm(&[CWM], id, "2024-03-01T12:00:00Z", wrong));
        if told {
            break;
        }
        std::thread::yield_now();
    }
    assert!(told);
}

#[test]
fn a_restart_of_counters_is_noticed() {
    // cwm-oke.md §6.2
    let mut program = Program::started();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    for counts in ["[100,90,10,50,1]", "[120,110,10,60,1]", "[3,3,0,2,0]"] {
        let text = module.next(&format!("{{\"_dll\":{counts}}}"));
        assert!(!module.pushes(&text));
    }
    let counters = device(&program, &token, CWM)["counters"].clone();
    assert_eq!(counters["_dll"]["restarts"], 1, "{counters}");
    assert_eq!(counters["_dll"]["values"], json!([3, 3, 0, 2, 0]));
    assert!(counters["_dll"]["restarted"].is_string());
    program.stop();
    program.start();
    assert_eq!(
        device(&program, &token, CWM)["counters"],
        counters,
        "a restart of the server forgets nothing"
    );
}

#[test]
fn a_split_heartbeat_is_one_picture_and_a_shorter_array_leaves_nothing_behind() {
    // cwm-oke.md §7.1
    let program = Program::started();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    let messages = [
        r#"{"_hbt":{"act_temp":[920,1525,1489,937],"door":"open"}}"#,
        r#"{"_hbt":{"fault":4}}"#,
        r#"{"_hbt":{"act_temp":[921,1526],"door":"closed"}}"#,
    ];
    for (id, payload) in (1..).zip(messages) {
        assert!(!module.pushes(&okm(&[OKE, CWM], id, "2024-03-01T12:00:00Z", payload)));
    }
    let id = id_of(&program, &token, OKE);
    let picture = program.api(&token, &format!("/api/v1/devices/{id}/picture"));
    let mut values: Vec<String> = picture["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| format!("{}={}", value["sensor"].as_str().unwrap(), value["value"]))
        .collect();
    values.sort();
    assert_eq!(values, ["act_temp.0=921", "act_temp.1=1526", "door=\"closed\"", "fault=4"]);
    assert_eq!(picture["device"]["address"], OKE);
    assert_eq!(picture["alarms"], json!([]));
    assert_eq!((&picture["device"]["late"], &picture["device"]["rhythm_s"]), (&json!(false), &Value::Null));
}

#[test]
fn schedules_are_made_looked_at_paused_and_removed() {
    let program = Program::started();
    let token = program.token();
    program.post(&token, "/api/v1/devices", &json!({"family": "cwm", "address": OKE}));
    let payload = r#"{"cmd":{"relay":1}}"#;
    let mut arguments =
        vec!["schedule", "add", OKE, "--cmd", "wr", "--payload", payload, "--at", "06:30,18:00"];
    arguments.extend(["--days", "mon,fri", "--zone", "Europe/Berlin", "--name", "Fryer on"]);
    let made = program.done(&arguments);
    assert!(made.contains("next at 20"), "{made}");
    let listed = program.all(&token, "/api/v1/schedules");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["times"], json!(["06:30", "18:00"]));
    assert_eq!(listed[0]["payload"], json!({"cmd": {"relay": 1}}));
    assert_eq!((&listed[0]["missed"], &listed[0]["by"]), (&json!(0), &json!("user:local")));
    program.done(&["schedule", "pause", "Fryer on"]);
    let table = program.done(&["schedule", "list"]);
    assert!(table.contains("Fryer on") && table.contains("06:30,18:00 mon,fri"), "{table}");
    assert_eq!(program.all(&token, "/api/v1/schedules")[0]["next"], Value::Null);
    program.done(&["schedule", "remove", "Fryer on"]);
    assert_eq!(program.all(&token, "/api/v1/schedules").len(), 0);

    for (wrong, field) in [
        (json!({"device": OKE, "cmd": "wr", "times": ["25:00"]}), ""),
        (json!({"device": OKE, "cmd": "wr", "times": ["06:30"], "zone": "Nowhere"}), "zone"),
        (json!({"device": OKE, "cmd": "wr"}), "times"),
        (json!({"device": OKE, "cmd": "wr", "every_min": 1441}), "every_min"),
        (json!({"device": OKE, "cmd": "w r", "every_min": 5}), "cmd"),
        (json!({"device": OKE, "cmd": "wr", "every_min": 5, "payload": [1]}), "payload"),
        (json!({"cmd": "wr", "every_min": 5}), "device"),
    ] {
        let answer = program.post(&token, "/api/v1/schedules", &wrong);
        assert!((400..500).contains(&answer.status), "{wrong}: {}", answer.text());
        if !field.is_empty() {
            assert_eq!(answer.json()["error"]["field"], field, "{wrong}: {}", answer.text());
        }
    }
    assert_eq!(
        program.run(&["schedule", "add", OKE, "--cmd", "wr", "--payload", "{}"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_due_command_reaches_its_device() {
    let program = Program::started();
    let mut module = Module::new(program.client(), CWM);
    let text = module.next("{}");
    assert!(!module.pushes(&text));
    program.done(&["schedule", "add", CWM, "--cmd", "rd", "--payload", r#"{"_ping":true}"#, "--every", "1m"]);
    assert!(program.done(&["schedule", "list"]).contains("every 1 min"));
}

#[test]
fn an_owners_templates_take_the_place_of_the_settings() {
    let program = Program::started();
    let token = program.token();
    let before = program.all(&token, "/api/v1/templates");
    assert!(before.iter().any(|item| item["name"] == "Ping" && item["own"] == false), "{before:?}");
    let file = program.folder().join("mine.json");
    let mine = json!([
        {"name": "Reset fryer", "cmd": "wr", "payload": {"reset": 1}},
        {"name": "As text", "cmd": "rd", "payload": "{\"_ping\":true}"},
    ]);
    fs::write(&file, mine.to_string()).unwrap();
    program.done(&["template", "set", file.to_str().unwrap()]);
    let after = program.all(&token, "/api/v1/templates?family=cwm");
    assert_eq!(after.len(), 2);
    assert_eq!((&after[0]["payload"], &after[0]["own"]), (&json!("{\"reset\":1}"), &json!(true)));
    assert_eq!(after[1]["payload"], "{\"_ping\":true}");
    // What `list --json` prints, `set` takes, of every family.
    let listed = program.done(&["template", "list", "--json"]);
    fs::write(&file, &listed).unwrap();
    program.done(&["template", "set", file.to_str().unwrap()]);
    let same = program.done(&["template", "list", "--json"]);
    assert_eq!(
        same.replace("\"own\": true", "\"own\": false"),
        listed.replace("\"own\": true", "\"own\": false")
    );

    fs::write(&file, r#"[{"name":"Bad","cmd":"w r","payload":{}}]"#).unwrap();
    let refused = program.run(&["template", "set", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("`Bad`"), "it names the one");
    assert_eq!(program.all(&token, "/api/v1/templates?family=cwm").len(), 2, "nothing changed");
    program.done(&["template", "reset"]);
    assert_eq!(program.all(&token, "/api/v1/templates").len(), before.len());
}
