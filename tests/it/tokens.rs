//! Devices with a token, from outside: bytes on a socket, the command line, the API (`accounts-dashboard.md §3, §4`).

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Answer, Client, Program};

/// A server, an administrator's token, and a device with its own.
struct House {
    program: Program,
    admin: String,
    id: String,
    token: String,
}

impl House {
    fn new() -> Self {
        Self::of(Program::started())
    }

    fn of(program: Program) -> Self {
        let admin = program.token();
        let made = program.post(&admin, "/api/v1/devices", &json!({ "name": "Boiler" }));
        assert_eq!(made.status, 201, "{}", made.text());
        let made = made.json();
        let (id, token) = (text(&made["device"]["id"]), text(&made["token"]));
        Self { program, admin, id, token }
    }

    fn upload(&self, body: &str) -> Answer {
        self.upload_with(body, "")
    }

    /// With further header lines.
    fn upload_with(&self, body: &str, lines: &str) -> Answer {
        let lines = format!("Authorization: Bearer {}\r\n{lines}", self.token);
        send(&mut self.program.plain_client(), "POST", "/api/v1/data", &lines, body)
    }

    fn data(&self) -> Vec<Value> {
        self.program.all(&self.admin, &format!("/api/v1/devices/{}/data", self.id))
    }

    fn values(&self) -> Vec<(String, Value)> {
        self.data().into_iter().map(|datum| (text(&datum["sensor"]), datum["value"].clone())).collect()
    }

    fn device(&self) -> Value {
        self.program.api(&self.admin, &format!("/api/v1/devices/{}", self.id))
    }

    fn messages(&self) -> Vec<Value> {
        self.program.all(&self.admin, &format!("/api/v1/messages?direction=in&device={}", self.id))
    }

    fn verdicts(&self) -> Vec<String> {
        self.messages().iter().map(|message| text(&message["verdict"])).collect()
    }

    fn rotate(&self, body: &Value) -> String {
        let answer = self.program.post(&self.admin, &format!("/api/v1/devices/{}/rotate", self.id), body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        text(&answer.json()["token"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn send(client: &mut Client, method: &str, target: &str, lines: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {length}\r\n\r\n");
    client.ask(format!("{head}{body}").as_bytes()).expect("an answer")
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, text(&answer.json()["error"]["code"]))
}

#[test]
fn every_body_of_the_table_is_stored() {
    let house = House::new();
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let plain = "Content-Type: text/plain\r\n";
    let wanted = [
        ("21.5", "", vec![("data", json!(21.5))]),
        ("{\"data\":22.5}", "Content-Type: application/json\r\n", vec![("data", json!(22.5))]),
        ("{\"data\":{\"tmp\":26,\"light\":80}}", form, vec![("tmp", json!(26)), ("light", json!(80))]),
        (
            "{\"tmp\":27,\"on\":true,\"gap\":null}",
            "",
            vec![("tmp", json!(27)), ("on", json!(1)), ("gap", json!(null))],
        ),
        ("{\"a\":{\"b\":[1,2]}}", plain, vec![("a.b.0", json!(1)), ("a.b.1", json!(2))]),
        ("tmp=28&state=on+fire", form, vec![("tmp", json!(28)), ("state", json!("on fire"))]),
        ("tmp=29\nlight=81\n", plain, vec![("tmp", json!(29)), ("light", json!(81))]),
        ("30", plain, vec![("data", json!(30))]),
    ];
    let mut all = Vec::new();
    for (body, lines, values) in wanted {
        let answer = house.upload_with(body, lines);
        answer.is_device_answer(202, "{\"accepted\":1}");
        // The values of a message are listed by name.
        let mut values: Vec<_> =
            values.into_iter().map(|(sensor, value)| (sensor.to_owned(), value)).collect();
        values.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.extend(values);
    }
    assert_eq!(house.values(), all);
    assert!(house.verdicts().iter().all(|verdict| verdict == "ok"));
    let device = house.device();
    assert_eq!((&device["family"], &device["online"]), (&json!("token"), &json!(true)), "{device}");
}

#[test]
fn a_token_is_taken_from_each_of_its_places_on_both_listeners() {
    let house = House::new();
    let token = &house.token;
    let basic = |pair: String| format!("Authorization: Basic {}\r\n", STANDARD.encode(pair));
    let lines = [
        format!("Authorization: Bearer {token}\r\n"),
        format!("authorization: bEaReR {token}\r\n"),
        basic(format!("{token}:")),
        basic(format!("me:{token}")),
        format!("X-Device-Token: {token}\r\n"),
    ];
    let one = format!("/api/v1/devices/{}/data", house.id);
    for path in ["/api/v1/data", "/api/v1/data/", one.as_str()] {
        for lines in &lines {
            for mut client in [house.program.plain_client(), house.program.client()] {
                let answer = send(&mut client, "POST", path, lines, "1");
                answer.is_device_answer(202, "{\"accepted\":1}");
                send(&mut client, "PUT", path, lines, "1").is_device_answer(202, "{\"accepted\":1}");
            }
        }
        for mut client in [house.program.plain_client(), house.program.client()] {
            client.post(&format!("{path}?token={token}"), b"2").is_device_answer(202, "{\"accepted\":1}");
            client
                .get(&format!("{path}?token={token}&tmp=21&on=true"))
                .is_device_answer(200, "{\"accepted\":1}");
        }
    }
    assert!(house.values().contains(&("on".to_owned(), json!(1))));
    // Old clients close, and need the length all the same.
    let mut client = house.program.plain_client();
    let request =
        format!("POST /api/v1/data HTTP/1.0\r\nAuthorization: Bearer {token}\r\nContent-Length: 1\r\n\r\n7");
    let answer = client.ask(request.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.header("content-length")), (202, Some("14")));
}

#[test]
fn a_token_is_nowhere_to_be_found_afterwards() {
    let mut house = House::new();
    let token = &house.token.clone();
    let secret = &token[3..];
    let mut client = house.program.plain_client();
    client.get(&format!("/api/v1/data?tmp=1&token={token}")).is_device_answer(200, "{\"accepted\":1}");
    house
        .upload(&format!("{{\"tmp\":2,\"me\":\"{token}\"}}"))
        .is_device_answer(202, "{\"accepted\":1,\"dropped\":1}");
    let form = send(
        &mut client,
        "POST",
        &format!("/api/v1/data?token={token}"),
        "",
        &format!("token={token}&tmp=3"),
    );
    assert_eq!(form.status, 202, "{}", form.text());
    // Refused calls are logged, without the token.
    let wrong = format!("dt_{}x", &secret[..31]);
    assert_eq!(client.get(&format!("/api/v1/data?tmp=1&token={wrong}")).status, 401);
    assert_eq!(client.get(&format!("/nowhere?token={token}")).status, 404);
    for path in ["/api/v1/messages?direction=in", "/api/v1/captures", "/api/v1/devices", "/api/v1/audit"] {
        let answer = house.program.client().get_as(&house.admin, path);
        assert!(!answer.text().contains(secret), "{path}: {}", answer.text());
    }
    assert!(!house.device().to_string().contains(secret));
    let raws: Vec<_> = house.messages().iter().map(|message| text(&message["raw"])).collect();
    assert!(raws.contains(&"tmp=1".to_owned()), "{raws:?}");
    assert!(house.values().iter().all(|(_, value)| !value.to_string().contains(secret)));
    let log = house.program.log();
    assert!(!log.contains(secret) && !log.contains(&wrong), "{log}");
    house.program.stop();
    for file in std::fs::read_dir(house.program.folder().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    }
}

#[test]
fn wrong_tokens_and_wrong_places_are_401() {
    let house = House::new();
    let other = house.program.post(&house.admin, "/api/v1/devices", &json!({"name": "Other"})).json();
    let (other, others) = (text(&other["device"]["id"]), text(&other["token"]));
    let mut client = house.program.plain_client();
    let mut bearer = |path: &str, token: &str, body: &str| {
        send(&mut client, "POST", path, &format!("Authorization: Bearer {token}\r\n"), body)
    };
    let wrong = format!("dt_{}", "0".repeat(32));
    assert_eq!(code(&bearer("/api/v1/data", &wrong, "1")), (401, "bad_token".to_owned()));
    assert_eq!(code(&bearer("/api/v1/data", "hp_no", "1")), (401, "bad_token".to_owned()));
    assert_eq!(code(&bearer(&format!("/api/v1/devices/{}/data", house.id), &others, "1")).0, 401);
    let none = house.program.plain_client().post("/api/v1/data", b"1");
    assert_eq!(code(&none), (401, "token_missing".to_owned()));
    assert_eq!(none.header("www-authenticate"), Some("Bearer"));
    // A person's token needs to say which device.
    let user = code(&bearer("/api/v1/data", &house.admin, "{\"tmp\":1}"));
    assert_eq!(user, (422, "device_required".to_owned()));
    let named = format!("{{\"id\":\"{}\",\"tmp\":5}}", house.id);
    assert_eq!(bearer("/api/v1/data", &house.admin, &named).status, 202);
    assert_eq!(bearer(&format!("/api/v1/devices/{}/data", house.id), &house.admin, "6").status, 202);
    assert_eq!(code(&bearer("/api/v1/devices/none/data", &house.admin, "6")).0, 404);
    let viewer = house.program.done(&["token", "create", "looks", "--role", "viewer"]);
    let viewer = viewer.split_whitespace().find(|word| word.starts_with("hp_")).unwrap();
    let looks = code(&bearer(&format!("/api/v1/devices/{other}/data"), viewer, "6"));
    assert_eq!(looks, (403, "role_too_low".to_owned()));
    assert_eq!(house.values(), [("tmp".to_owned(), json!(5)), ("data".to_owned(), json!(6))]);
    // A device's token opens nothing of a person's.
    for path in
        ["/api/v1/devices", "/api/v1/data", "/api/v1/me", &format!("/api/v1/devices/{}/data", house.id)]
    {
        let answer = house.program.client().get_as(&house.token, path);
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.head);
    }
    let read = house.program.client().get_as(&house.token, &format!("/api/v1/devices/{}/data", house.id));
    assert_eq!(read.status, 401);
}

#[test]
fn bad_bodies_are_named_and_kept_with_their_verdict() {
    let house = House::new();
    let batch = format!("[{}]", vec!["{\"a\":1}"; 1001].join(","));
    let many =
        json!((0..65).map(|n| (format!("s{n}"), json!(n))).collect::<serde_json::Map<_, _>>()).to_string();
    let deep = format!("{}1{}", "[".repeat(17), "]".repeat(17));
    let cases = [
        ("", 400, "bad_json"),
        ("{\"tmp\":", 400, "bad_json"),
        ("hello", 400, "bad_json"),
        ("{}", 422, "no_value"),
        ("[]", 422, "no_value"),
        ("NaN", 422, "no_value"),
        ("{\"a\":NaN,\"b\":-Infinity}", 422, "no_value"),
        (deep.as_str(), 422, "too_deep"),
        (batch.as_str(), 422, "too_many_records"),
        (many.as_str(), 422, "too_many_sensors"),
    ];
    for (body, status, word) in cases {
        let answer = house.upload(body);
        assert_eq!(code(&answer), (status, word.to_owned()), "{body:.40}: {}", answer.text());
        assert!(answer.header("content-length").is_some() && answer.header("location").is_none());
    }
    assert_eq!(house.verdicts(), vec!["malformed"; cases.len()]);
    assert_eq!(house.values(), []);
    let large = house.upload(&format!("{{\"a\":\"{}\"}}", "x".repeat(64 * 1024)));
    assert_eq!(code(&large), (413, "too_large".to_owned()));
    house.upload("{\"a\":NaN,\"b\":1,\"c\":inf}").is_device_answer(202, "{\"accepted\":1,\"dropped\":2}");
    assert_eq!(house.device()["lost"]["cause"], json!("a: the number is not finite"));
}

#[test]
fn a_retry_is_stored_once_also_after_a_restart() {
    let mut house = House::new();
    let key = "Idempotency-Key: 7f\r\n";
    house.upload_with("{\"tmp\":1}", key).is_device_answer(202, "{\"accepted\":1}");
    house.upload_with("{\"tmp\":1}", key).is_device_answer(202, "{\"accepted\":1,\"duplicate\":1}");
    house.upload("{\"seq\":1,\"tmp\":2}").is_device_answer(202, "{\"accepted\":1}");
    house.upload("{\"tmp\":2,\"seq\":1}").is_device_answer(202, "{\"accepted\":1,\"duplicate\":1}");
    // One that comes again in other company is known too.
    let batch = "[{\"seq\":1,\"tmp\":2},{\"seq\":2,\"tmp\":3},{\"tmp\":4}]";
    house.upload(batch).is_device_answer(202, "{\"accepted\":3,\"duplicate\":1}");
    let raws: Vec<_> = house.messages().iter().take(3).map(|message| text(&message["raw"])).collect();
    assert_eq!(raws, ["{\"tmp\":4}", "{\"seq\":2,\"tmp\":3}", "{\"seq\":1,\"tmp\":2}"]);
    house.program.kill();
    house.program.start();
    house.upload_with("{\"tmp\":1}", key).is_device_answer(202, "{\"accepted\":1,\"duplicate\":1}");
    house.upload("{\"seq\":2,\"tmp\":3}").is_device_answer(202, "{\"accepted\":1,\"duplicate\":1}");
    // A device that counts from one after each start loses nothing.
    house.upload("{\"seq\":1,\"tmp\":5}").is_device_answer(202, "{\"accepted\":1}");
    let values: Vec<_> = house.values().into_iter().map(|(_, value)| value).collect();
    assert_eq!(values, [json!(1), json!(2), json!(3), json!(4), json!(5)]);
}

#[test]
fn a_device_s_own_time_is_kept_in_every_form_and_flagged_when_it_is_ahead() {
    let program = Program::new().set("HOMEPORT_TOKEN_DEVICE_ZONE", "Europe/Berlin");
    let mut program = program;
    program.start();
    let house = House::of(program);
    let batch = "[{\"time_created\":\"2021-11-13T19:53:16\",\"n\":1},{\"time_created\":\"2021-11-13T19:53:16Z\",\"n\":2},\
                 {\"time_created\":1636833196,\"n\":3},{\"time_created\":1636833196500,\"n\":4},\
                 {\"time_created\":\"2999-01-01T00:00:00Z\",\"n\":5},{\"n\":6},{\"time_created\":\"soon\",\"n\":7}]";
    house.upload(batch).is_device_answer(202, "{\"accepted\":7}");
    let told: Vec<_> =
        house.data().iter().map(|datum| (datum["time_created"].clone(), datum["ahead"].clone())).collect();
    let wanted = [
        (json!("2021-11-13T18:53:16.000000Z"), json!(null)),
        (json!("2021-11-13T19:53:16.000000Z"), json!(null)),
        (json!("2021-11-13T19:53:16.000000Z"), json!(null)),
        (json!("2021-11-13T19:53:16.500000Z"), json!(null)),
        (json!("2999-01-01T00:00:00.000000Z"), json!(true)),
        (json!(null), json!(null)),
        (json!(null), json!(null)),
    ];
    assert_eq!(told, wanted);
    assert!(house.device()["clock_ahead_s"].as_i64() > Some(86_400));
}

#[test]
fn who_sends_too_fast_is_told_so_and_the_loss_is_seen() {
    let house = House::new();
    // The batch is more than the allowance holds, so the next one waits however fast this machine is.
    let batch = format!("[{}]", vec!["{\"a\":1}"; 1000].join(","));
    house.upload(&batch).is_device_answer(202, "{\"accepted\":1000}");
    let answer = house.upload("1");
    assert_eq!(code(&answer), (429, "too_fast".to_owned()));
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=41).contains(&wait), "{wait}");
    assert_eq!(house.device()["lost"]["too_fast"], json!(1));
    assert_eq!(house.data().len(), 1000);
}

#[test]
fn a_device_has_256_sensors_and_no_more() {
    let house = House::new();
    for part in 0..5 {
        let record: serde_json::Map<_, _> =
            (0..64).map(|n| (format!("s{}", part * 64 + n), json!(n))).collect();
        let answer = house.upload(&json!(record).to_string());
        assert_eq!(answer.status, if part < 4 { 202 } else { 422 }, "{}", answer.text());
    }
    house.upload("{\"s0\":1,\"new\":2}").is_device_answer(202, "{\"accepted\":1,\"dropped\":1}");
    assert_eq!(house.device()["lost"]["values"], json!(65));
}

#[test]
fn a_replaced_token_lasts_for_its_grace_and_a_revoked_one_ends_at_once() {
    let mut house = House::new();
    let first = house.token.clone();
    let second = house.rotate(&json!({"grace_s": 3600}));
    assert_eq!(house.upload("1").status, 202);
    house.token.clone_from(&second);
    assert_eq!(house.upload("2").status, 202);
    let tokens = house.device()["tokens"].clone();
    assert_eq!(tokens.as_array().map(Vec::len), Some(2), "{tokens}");
    assert!(tokens[0]["ends"].is_null() && tokens[1]["ends"].is_string(), "{tokens}");
    assert!(tokens[0]["last_used"].is_string() && tokens[0]["last_peer"] == "127.0.0.1", "{tokens}");
    // One of them.
    house.program.done(&["devices", "revoke", "Boiler", "--token", tokens[1]["id"].as_str().unwrap()]);
    house.token.clone_from(&first);
    assert_eq!(code(&house.upload("3")), (401, "bad_token".to_owned()));
    // All of them: at once, also on a connection that is open, and after a restart.
    house.token = second;
    let mut kept = house.program.plain_client();
    let lines = format!("X-Device-Token: {}\r\n", house.token);
    assert_eq!(send(&mut kept, "POST", "/api/v1/data", &lines, "4").status, 202);
    let revoked =
        house.program.post(&house.admin, &format!("/api/v1/devices/{}/revoke", house.id), &json!({}));
    assert_eq!(revoked.status, 204, "{}", revoked.text());
    let since = Instant::now();
    assert_eq!(send(&mut kept, "POST", "/api/v1/data", &lines, "5").status, 401);
    assert!(since.elapsed() < Duration::from_secs(10));
    let rejected = house.device()["rejected_calls"].clone();
    assert_eq!((&rejected["count"], &rejected["peer"]), (&json!(2), &json!("127.0.0.1")), "{rejected}");
    house.program.stop();
    house.program.start();
    assert_eq!(house.upload("6").status, 401);
    let third = house.program.done(&["devices", "rotate", "Boiler"]);
    third.trim().clone_into(&mut house.token);
    assert_eq!(house.upload("7").status, 202);
    house.program.done(&["devices", "block", "Boiler"]);
    assert_eq!(code(&house.upload("8")), (403, "blocked".to_owned()));
    house.program.done(&["devices", "adopt", "Boiler"]);
    house.program.done(&["devices", "forget", "Boiler"]);
    assert_eq!(house.upload("9").status, 401);
}

#[test]
fn a_gauge_is_made_on_the_command_line_and_reads_its_pointer() {
    let program = Program::started();
    let config = r#"{"minVal":0,"maxVal":10,"startAngle":-50,"maxRange":100,"unit":"bar"}"#;
    let made =
        program.done(&["devices", "add", "Pressure", "--type", "gauge", "--config-json", config, "--json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    assert!(made["qr_svg"].as_str().unwrap().contains("<svg"), "{made}");
    assert_eq!(
        (&made["device"]["type"], &made["device"]["config"]["unit"]),
        (&json!("gauge"), &json!("bar"))
    );
    let house = House {
        admin: program.token(),
        id: text(&made["device"]["id"]),
        token: text(&made["token"]),
        program,
    };
    house.upload("{\"angle\":6}").is_device_answer(202, "{\"accepted\":1}");
    // Changed, and used from the next message on.
    let path = format!("/api/v1/devices/{}", house.id);
    let edit = json!({"config": {"maxVal": 1000, "startAngle": -50, "maxRange": 100}});
    let edited = house.program.client().send_as("PATCH", &house.admin, &path, &edit);
    assert_eq!(edited.status, 200, "{}", edited.text());
    house.upload("{\"angle\":6}").is_device_answer(202, "{\"accepted\":1}");
    let values: Vec<_> =
        house.values().into_iter().filter(|(name, _)| name == "data").map(|(_, value)| value).collect();
    let values: Vec<_> = values.iter().map(|value| (value.as_f64().unwrap() * 1e6).round() / 1e6).collect();
    assert_eq!(values, [5.6, 560.0]);
    let bands = json!([{"from": 0, "to": 8, "state": "good"}, {"from": 8, "to": 10, "state": "bad"}]);
    let face = json!({"config": {"maxVal": 10, "decimals": 2, "bands": bands, "fitted_by": "Ada"}});
    let edited = house.program.client().send_as("PATCH", &house.admin, &path, &face);
    assert_eq!((edited.status, &edited.json()["config"]), (200, &face["config"]), "{}", edited.text());
    for (wrong, field) in [
        (json!({"minVal": 5, "maxVal": 5}), "minVal"),
        (json!({"decimals": 9}), "decimals"),
        (json!({"bands": "green"}), "bands"),
        (
            json!({"bands": [{"from": 1, "to": 2, "state": "good"}, {"from": 3, "to": 2, "state": "bad"}]}),
            "bands.1.to",
        ),
        (json!({"bands": [{"from": 1, "to": 2, "state": "red"}]}), "bands.0.state"),
    ] {
        let refused = house.program.client().send_as("PATCH", &house.admin, &path, &json!({"config": wrong}));
        assert_eq!(
            (refused.status, refused.json()["error"]["field"].clone()),
            (422, json!(field)),
            "{wrong}"
        );
    }
}

#[test]
fn what_a_person_says_of_a_new_device_is_checked() {
    let house = House::new();
    let cases = [
        (json!({"name": " boiler "}), 409, "name_taken", "name"),
        (json!({"name": "   "}), 422, "invalid_field", "name"),
        (json!({"name": "x".repeat(65)}), 422, "invalid_field", "name"),
        (json!({"name": "a\u{1}b"}), 422, "invalid_field", "name"),
        (json!({"type": "gauge"}), 422, "invalid_field", "name"),
        (json!({"name": "G", "type": "clock"}), 422, "invalid_field", "type"),
        (json!({"name": "G", "config": 5}), 422, "invalid_field", "config"),
        (
            json!({"name": "G", "type": "gauge", "config": {"maxRange": 361}}),
            422,
            "invalid_field",
            "maxRange",
        ),
        (
            json!({"name": "G", "type": "gauge", "config": {"startAngle": 400}}),
            422,
            "invalid_field",
            "startAngle",
        ),
    ];
    for (body, status, word, field) in cases {
        let answer = house.program.post(&house.admin, "/api/v1/devices", &body);
        let error = &answer.json()["error"];
        assert_eq!(
            (answer.status, &error["code"], &error["field"]),
            (status, &json!(word), &json!(field)),
            "{body}"
        );
    }
    assert_eq!(house.program.all(&house.admin, "/api/v1/devices").len(), 1, "nothing was made");
    // The same letters, written otherwise.
    let composed = house.program.post(&house.admin, "/api/v1/devices", &json!({"name": "K\u{fc}che"}));
    assert_eq!(composed.status, 201);
    let apart = house.program.post(&house.admin, "/api/v1/devices", &json!({"name": "ku\u{308}che"}));
    assert_eq!(code(&apart), (409, "name_taken".to_owned()));
}
