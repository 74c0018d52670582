//! A bed sensor's parameters, from an operator's words to the node's own, as bytes on a socket (`sca11h.md §3, §5, §6`).

use std::fmt::Write as _;

use homeport::model::{Clock, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Client, Program};

const MAC: &str = "00:11:22:33:44:55";
const OLD: &str = "6000,300,4000,0,1500,7";
const NEW: &str = "7000,270,5000,0,1400,7";

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 192.0.2.10:7070\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn sync(pars: &str) -> String {
    post(
        &format!("/firmware/device/{MAC}/"),
        &json!({ "name": MAC, "fw_ver": "1.0", "pars": pars }).to_string(),
    )
}

fn plain(program: &Program) -> Client {
    Client::plain(program.http()).unwrap()
}

/// The bytes of an answer but for its date, up to the end of a chunked body.
fn told(client: &mut Client, request: &str) -> String {
    client.write(request.as_bytes()).unwrap();
    let head = client.read_head().unwrap();
    let date = head.header("date").expect("a node may set its clock by it").to_owned();
    assert!(Timestamp::parse(&date).is_none() && date.ends_with(" GMT"), "{date}");
    let mut body = Vec::new();
    let mut byte = [0];
    while !body.ends_with(b"\r\n0\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        body.push(byte[0]);
    }
    head.head.replace(&date, "…") + &String::from_utf8(body).unwrap()
}

fn queue(program: &Program, pars: &str) {
    let payload = json!(pars).to_string();
    program.done(&["send", MAC, "--family", "sca11h", "--cmd", "pars", "--payload", &payload]);
}

fn device(program: &Program, token: &str) -> Value {
    let devices = program.all(token, "/api/v1/devices?family=sca11h");
    assert_eq!(devices.len(), 1, "{devices:?}");
    let id = devices[0]["id"].as_str().unwrap().to_owned();
    program.api(token, &format!("/api/v1/devices/{id}"))
}

#[test]
fn a_change_reaches_the_node_byte_for_byte_and_turns_confirmed() {
    let program = Program::started();
    let token = program.token();
    let mut client = plain(&program);
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nDate: …\r\n\r\n";
    assert_eq!(told(&mut client, &sync(OLD)), format!("{head}2\r\n{{}}\r\n0\r\n\r\n"));
    queue(&program, NEW);
    assert_eq!(device(&program, &token)["parameters"]["change"]["state"], "pending");
    // The second request on the same connection; the body's bytes are those of §9.
    let body = "21\r\n{\"pars\":\"7000,270,5000,0,1400,7\"}\r\n0\r\n\r\n";
    assert_eq!(told(&mut client, &sync(OLD)), format!("{head}{body}"));
    assert_eq!(device(&program, &token)["parameters"]["change"]["state"], "sent");
    assert_eq!(told(&mut client, &sync(NEW)), format!("{head}2\r\n{{}}\r\n0\r\n\r\n"));
    let device = device(&program, &token);
    assert_eq!(device["parameters"]["change"]["state"], "confirmed");
    assert_eq!(device["address"], "001122334455");
    let commands = format!("/api/v1/devices/{}/commands", device["id"].as_str().unwrap());
    let command = &program.all(&token, &commands)[0];
    assert_eq!((&command["state"], &command["delivery"]), (&json!("answered"), &json!("confirmed")));
    assert_eq!(device["versions"]["fw_ver"], "1.0");
    let out = program.all(&token, "/api/v1/messages?direction=out");
    assert_eq!(out.len(), 1);
    assert_eq!(out[0]["size"], 0x21);
}

#[test]
fn paths_and_spellings_are_taken_as_they_come() {
    let program = Program::started();
    let token = program.token();
    queue(&program, NEW);
    let mut client = plain(&program);
    for spelled in [MAC, "00-11-22-33-44-55", "0011.2233.4455", "001122334455", "00%3a11%3A22:33:44:55"] {
        for slash in ["", "/"] {
            let path = format!("/firmware/device/{spelled}{slash}");
            client.write(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
            let answer = client.read().unwrap();
            assert_eq!(
                (answer.status, answer.text().as_str()),
                (200, "{\"pars\":\"7000,270,5000,0,1400,7\"}")
            );
        }
    }
    assert_eq!(
        device(&program, &token)["parameters"]["change"]["state"],
        "pending",
        "a look delivers nothing"
    );
    // Without a slash, in chunks, with a type that says nothing, and a body with more behind it.
    let body = format!("{{\"pars\":\"{OLD}\"}} and more");
    let request = format!(
        "POST /firmware/device/{MAC} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
        body.len()
    );
    assert!(told(&mut client, &request).contains(NEW));
}

#[test]
fn a_caller_of_http_1_0_hears_a_length() {
    let program = Program::started();
    queue(&program, NEW);
    let body = format!("{{\"pars\":\"{OLD}\"}}");
    let request =
        format!("POST /firmware/device/{MAC}/ HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut client = plain(&program);
    client.write(request.as_bytes()).unwrap();
    let answer = client.read().unwrap();
    assert!(answer.head.contains("\r\nContent-Length: 33\r\n"), "{}", answer.head);
    assert!(!answer.head.contains("chunked"), "{}", answer.head);
    assert_eq!(answer.text(), "{\"pars\":\"7000,270,5000,0,1400,7\"}");
}

#[test]
fn an_owner_chooses_how_a_node_is_answered() {
    let program = Program::started();
    let token = program.token();
    queue(&program, NEW);
    let id = device(&program, &token)["id"].as_str().unwrap().to_owned();
    let wishes = json!({ "reply_framing": "content_length", "no_change_reply": "echo", "force_close": true });
    let edited = program.client().send_as("PATCH", &token, &format!("/api/v1/devices/{id}"), &wishes);
    assert_eq!(edited.status, 200, "{}", edited.text());
    for (has, hears) in [(OLD, NEW), (NEW, NEW)] {
        let mut client = plain(&program);
        client.write(sync(has).as_bytes()).unwrap();
        let answer = client.read().unwrap();
        assert_eq!(answer.header("content-length"), Some("33"));
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(answer.text(), format!("{{\"pars\":\"{hears}\"}}"));
    }
}

#[test]
fn parameters_out_of_range_are_refused_with_the_field_and_its_range() {
    let program = Program::started();
    let token = program.token();
    queue(&program, OLD);
    let id = device(&program, &token)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/devices/{id}/commands");
    for (payload, words) in [
        (json!("7000,99,5000,0,1400,7"), "var_level_2 is 99: a node takes 100 to 10000"),
        (json!([7000, 270, 5000, 0, 1400, 16]), "to_micro_g is 16: a node takes 2 to 15"),
        (json!({ "var_level_1": 7000 }), "var_level_2 is missing"),
    ] {
        let answer = program.post(&token, &path, &json!({ "cmd": "pars", "payload": payload }));
        assert_eq!(answer.status, 422, "{}", answer.text());
        assert_eq!(answer.json()["error"]["field"], "payload");
        assert!(answer.json()["error"]["message"].as_str().unwrap().contains(words), "{}", answer.text());
    }
    let dry =
        program.done(&["send", MAC, "--cmd", "pars", "--payload", "\"6000,300,4000,1500,7\"", "--dry-run"]);
    assert_eq!(dry.trim(), r#"{"pars":"6000,300,4000,0,1500,7"}"#);
}

/// A push of rows of one kind, one a second from `first` on.
fn push(start: Timestamp, first: i64, row: impl Fn(i64) -> String) -> String {
    let mut rows = String::new();
    for index in first..first + 90 {
        write!(rows, "{index},{}\r\n", row(index)).unwrap();
    }
    let body = format!(
        "<Data><Network id=\"home\"><Node id=\"{MAC}\"><Sensor><Measurement time=\"{start}\"><Values sep=\",\">\r\n{rows}</Values></Measurement></Sensor></Node></Network></Data>"
    );
    post("/data/push/", &body)
}

#[test]
fn a_bed_is_calibrated_from_what_it_pushed() {
    let program = Program::started();
    let token = program.token();
    let mut client = plain(&program);
    let second = 1_000_000;
    let now = Clock::system().now().micros() / second * second;
    let at = |ago: i64| Timestamp::from_micros(now - ago * second);
    let asleep = |index: i64| format!("61,14,{},31,900,1,978,0,0", if index % 2 == 0 { 50 } else { 52 });
    for request in [push(at(180), 0, |_| "0,0,0,0,140,0,0,0,0".to_owned()), push(at(180), 90, asleep)] {
        client.write(request.as_bytes()).unwrap();
        assert_eq!(client.read().unwrap().text(), "done");
    }
    client.write(sync(OLD).as_bytes()).unwrap();
    client.read().unwrap();
    let (empty, occupied) = (format!("{}..{}", at(180), at(90)), format!("{}..{}", at(90), at(0)));
    let given = ["--empty", &empty, "--occupied", &occupied, "--json"];
    let look = ["sca11h", "calibrate", MAC, "--from-history"];
    let told: Value = serde_json::from_str(&program.done(&[&look[..], &given[..]].concat())).unwrap();
    // Worked out by hand: 7*900; 140+(900-140)/4; 2.6*45*50; the same; 45*50; 7.
    assert_eq!(told["pars"], "6300,330,5850,5850,2250,7");
    assert_eq!(told["inputs"]["occupied"]["status_occupied"], 90);
    assert_eq!(told["quality"]["compared_with"], OLD);
    assert_eq!((&told["queued"], &told["doubts"]), (&json!(false), &json!([])));
    assert_eq!(device(&program, &token)["parameters"]["change"], Value::Null, "a look queues nothing");
    let found = program.done(&[&look[..], &["--window", "60", "--search-days", "1", "--queue"]].concat());
    assert!(found.contains("6300,330,5850,5850,2250,7") && found.contains("found"), "{found}");
    let mut client = plain(&program);
    client.write(sync(OLD).as_bytes()).unwrap();
    assert_eq!(client.read().unwrap().text(), r#"{"pars":"6300,330,5850,5850,2250,7"}"#);
}

#[test]
fn a_calibration_says_what_it_lacks() {
    let program = Program::started();
    let token = program.token();
    queue(&program, OLD);
    let id = device(&program, &token)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/devices/{id}/calibration");
    let period = |from: &str, to: &str| json!({ "from": from, "to": to });
    let hour = period("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
    for (ask, field) in [
        (json!({}), "empty"),
        (json!({ "empty": hour, "occupied": hour }), "empty"),
        (json!({ "empty": period("2026-01-01T01:00:00Z", "2026-01-01T01:00:00Z") }), "empty"),
        (json!({ "occupied": period("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z") }), "occupied"),
        (json!({ "window_s": 1 }), "window_s"),
        (json!({ "search_days": 4000 }), "search_days"),
    ] {
        let answer = program.post(&token, &path, &ask);
        assert_eq!(answer.status, 422, "{ask}: {}", answer.text());
        assert_eq!(answer.json()["error"]["field"], field, "{ask}: {}", answer.text());
    }
    let unknown = program.run(&["sca11h", "calibrate", "nobody", "--from-history"]);
    assert_eq!(unknown.status.code(), Some(1));
    let twisted = program.run(&["sca11h", "calibrate", MAC, "--from-history", "--empty", "yesterday"]);
    assert_eq!(twisted.status.code(), Some(2));
}

#[test]
fn firmware_is_served_plainly_and_told_of_when_its_owner_knows_how() {
    let program = Program::started();
    let token = program.token();
    std::fs::write(program.folder().join("node.bin"), "0123456789").unwrap();
    std::fs::write(program.folder().join("menu.bin"), "for others").unwrap();
    program.done(&["files", "add", "node.bin", "--label", "2.1", "--target", "SCA11H"]);
    program.done(&["files", "add", "menu.bin"]);
    queue(&program, NEW);
    let id = device(&program, &token)["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/devices/{id}");
    let wish =
        |wish: Value| program.client().send_as("PATCH", &token, &path, &json!({ "reply_template": wish }));
    for refused in [
        json!({ "file": "menu.bin", "template": { "a": "{url}" } }),
        json!({ "file": "none.bin", "template": { "a": "{url}" } }),
        json!({ "file": "node.bin", "template": { "a": "{link}" } }),
        json!({ "file": "node.bin" }),
    ] {
        assert_eq!(wish(refused.clone()).status, 422, "{refused}");
    }
    let mut client = plain(&program);
    let template =
        json!({ "fw": { "url": "{url}", "size": "{size:number}", "ver": "{version}", "sum": "{md5}" } });
    assert_eq!(wish(json!({ "file": "node.bin", "template": template })).status, 200);
    client.write(sync(OLD).as_bytes()).unwrap();
    let answer = client.read().unwrap();
    let sha = &program.api(&token, "/api/v1/files/node.bin")["sha256"].as_str().unwrap()[..16].to_owned();
    let url = format!("http://192.0.2.10:7070/firmware/files/{sha}/node.bin");
    let firmware =
        format!(r#""fw":{{"url":"{url}","size":10,"ver":"2.1","sum":"781e5e245d69b566979b86e28d23f2c7"}}"#);
    assert_eq!(answer.text(), format!(r#"{{"pars":"{NEW}",{firmware}}}"#));
    client.write(sync(NEW).as_bytes()).unwrap();
    assert_eq!(client.read().unwrap().text(), format!("{{{firmware}}}"), "nothing to change but that");
    let shown = device(&program, &token);
    assert_eq!(shown["parameters"]["change"]["state"], "confirmed");
    assert_eq!(shown["reply_template"]["deliveries"].as_array().unwrap().len(), 2);
    assert_eq!(shown["reply_template"]["deliveries"][1]["versions_next"]["fw_ver"], "1.0");
    // The ledger has what went out, to the byte.
    let out = program.all(&token, "/api/v1/messages?direction=out");
    let sizes: Vec<_> = out.iter().map(|message| message["size"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [firmware.len() as u64 + 2, firmware.len() as u64 + 3 + NEW.len() as u64 + 9]);
    let path = format!("/firmware/files/{sha}/node.bin");
    for (range, status, want) in [("", 200, "0123456789"), ("Range: bytes=2-4\r\n", 206, "234")] {
        client.write(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{range}\r\n").as_bytes()).unwrap();
        let answer = client.read().unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (status, want));
        assert_eq!(answer.header("content-length"), Some(want.len().to_string().as_str()));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
    }
    for hidden in [format!("/firmware/files/{sha}/menu.bin"), "/firmware/files/0/node.bin".to_owned()] {
        client.write(format!("GET {hidden} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(client.read().unwrap().status, 404, "{hidden}");
    }
    assert_eq!(wish(Value::Null).status, 200);
    client.write(sync(NEW).as_bytes()).unwrap();
    assert_eq!(client.read().unwrap().text(), "{}");
}
