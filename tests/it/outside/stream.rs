//! Events as they happen, from outside (`interface.md §4`).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{Answer, Event, Events, Program, encoded, okm};

/// A server with two devices that have tokens.
struct House {
    program: Program,
    admin: String,
    ids: [String; 2],
    tokens: [String; 2],
}

impl House {
    fn of(program: Program) -> Self {
        let admin = program.token();
        let made = ["Boiler", "Tank"].map(|name| {
            let made = program.post(&admin, "/api/v1/devices", &json!({ "name": name }));
            assert_eq!(made.status, 201, "{}", made.text());
            made.json()
        });
        let ids = made.each_ref().map(|made| text(&made["device"]["id"]));
        let tokens = made.each_ref().map(|made| text(&made["token"]));
        Self { program, admin, ids, tokens }
    }

    fn upload(&self, device: usize, body: &str) {
        let answer = upload(&self.program, &self.tokens[device], body);
        assert_eq!(answer.status, 202, "{}", answer.text());
    }

    fn watch(&self, query: &str, from: Option<&str>) -> Events {
        let events = Events::open(self.program.client(), &self.admin, query, from);
        assert_eq!(events.answer.status, 200, "{}", events.answer.head);
        events
    }

    fn refused(&self, token: &str, path: &str) -> Answer {
        self.program.client().get_as(token, path)
    }
}

fn upload(program: &Program, token: &str, body: &str) -> Answer {
    let length = body.len();
    let head = format!("POST /api/v1/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    program.plain_client().ask(request.as_bytes()).expect("an answer")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, text(&answer.json()["error"]["code"]))
}

/// The next reading's value.
fn reading(events: &mut Events) -> (String, i64) {
    let Event { id, name, data } = events.event();
    assert_eq!(name, "reading", "{data}");
    (id, data["value"].as_i64().unwrap())
}

#[test]
fn what_happens_is_told_in_order_with_its_shape() {
    let house = House::of(Program::started());
    let mut events = house.watch("", None);
    let head = &events.answer;
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("cache-control"), Some("no-store"));
    let place = events.next().unwrap().unwrap();
    assert!(place.name.is_empty() && !place.id.is_empty(), "a place to come back to: {place:?}");
    house.upload(0, "{\"tmp\":26,\"light\":80}");
    let message = events.event();
    assert_eq!((message.name.as_str(), &message.data["verdict"]), ("message", &json!("ok")));
    assert_eq!((&message.data["direction"], &message.data["size"]), (&json!("in"), &json!(21)));
    assert_eq!(message.data["device"]["name"], "Boiler");
    for (sensor, value) in [("light", 80), ("tmp", 26)] {
        let Event { name, data, .. } = events.event();
        assert_eq!(
            (name.as_str(), &data["sensor"], &data["value"]),
            ("reading", &json!(sensor), &json!(value))
        );
        assert_eq!((&data["device"]["id"], &data["seq"]), (&json!(house.ids[0]), &message.data["seq"]));
        assert!(text(&data["time_received"]).ends_with('Z') && data["time_created"].is_null(), "{data}");
    }
    let path = format!("/api/v1/devices/{}", house.ids[1]);
    let renamed = house.program.client().send_as("PATCH", &house.admin, &path, &json!({ "name": "Cistern" }));
    assert_eq!(renamed.status, 200, "{}", renamed.text());
    let state = events.event();
    assert_eq!((state.name.as_str(), &state.data["name"]), ("state", &json!("Cistern")));
    assert_eq!(state.data["family"], "token");
}

#[test]
fn nobody_hears_what_was_not_asked_for() {
    let house = House::of(Program::started());
    let mut of_tank = house.watch(&format!("?device={}&event=reading", house.ids[1]), None);
    let mut of_family = house.watch("?family=token&event=message,reading&device=Tank", None);
    let mut of_others = house.watch("?family=cwm&family=mcu&event=message&event=state", None);
    for number in 0..3 {
        house.upload(0, &number.to_string());
        house.upload(1, &(10 + number).to_string());
    }
    for number in 10..13 {
        assert_eq!(reading(&mut of_tank).1, number);
        assert_eq!(of_family.event().name, "message");
        assert_eq!(reading(&mut of_family).1, number);
    }
    let okm = okm(&["0002010203040506"], 1, "2024-03-01T12:00:00", "{\"x\":1}");
    let push = format!("/push?req={}", encoded(&format!("{{\"okm\":{okm}}}")));
    assert_eq!(house.program.client().get(&push).status, 200);
    assert!(["message", "state"].contains(&of_others.event().name.as_str()));
    for (query, field) in [("event=noise", "event"), ("family=noise", "family")] {
        let answer = house.refused(&house.admin, &format!("/api/v1/stream?{query}"));
        assert_eq!(code(&answer), (422, "invalid_field".to_owned()));
        assert_eq!(answer.json()["error"]["field"], field);
    }
    let answer = house.refused(&house.admin, "/api/v1/stream?device=nobody");
    assert_eq!(code(&answer), (404, "not_found".to_owned()));
}

#[test]
fn nothing_is_lost_or_told_twice_across_reconnects_and_a_kill() {
    let mut house = House::of(Program::started());
    let query = "?event=reading";
    let mut events = house.watch(query, None);
    let mut last = events.next().unwrap().unwrap().id;
    let mut heard = Vec::new();
    let mut sent = 0;
    for round in 0..8 {
        for _ in 0..5 {
            // Two values a message, so that a stream breaks off between them too.
            house.upload(sent % 2, &format!("{{\"a\":{},\"b\":{}}}", 2 * sent, 2 * sent + 1));
            sent += 1;
        }
        if round == 4 {
            house.program.kill();
            house.program.start();
        }
        drop(events);
        events = house.watch(query, Some(&last));
        for _ in 0..7 {
            let (id, value) = reading(&mut events);
            last = id;
            heard.push(value);
        }
    }
    while heard.len() < 2 * sent {
        heard.push(reading(&mut events).1);
    }
    assert!(heard.iter().copied().eq(0..80), "{heard:?}");
    // By the parameter, where a header cannot be set; a bare number is a ledger entry.
    let mut whole = house.watch("?event=reading&last_event_id=0", None);
    assert!((0..80).all(|wanted| reading(&mut whole).1 == wanted));
    let mut unknown = house.watch("?event=reading&last_event_id=made-up", None);
    let Event { name, data, .. } = unknown.event();
    assert_eq!(
        (name.as_str(), &data["events"], &data["after"]),
        ("resync", &json!(["reading"]), &json!(null))
    );
    assert!(data["upto"].as_i64().is_some());
    house.upload(0, "80");
    assert_eq!(reading(&mut unknown).1, 80, "and goes on from there");
    // Of what is in no ledger, how things are now is told.
    let mut after_restart = house.watch("?event=state", Some(&last));
    house.program.kill();
    house.program.start();
    assert!(!matches!(after_restart.next(), Ok(Some(event)) if event.name == "resync"));
    let mut back = house.watch("?event=state", Some(&last));
    let Event { name, data, .. } = back.event();
    assert_eq!(
        (name.as_str(), &data["events"], &data["current"]),
        ("resync", &json!(["state"]), &json!(true))
    );
    let mut names = [back.event(), back.event()].map(|event| text(&event.data["name"]));
    names.sort();
    assert_eq!(names, ["Boiler", "Tank"]);
}

#[test]
fn a_stream_ends_with_its_token_and_with_the_server() {
    let mut house = House::of(Program::started());
    let made = house.program.post(
        &house.admin,
        "/api/v1/tokens",
        &json!({"user": "admin", "name": "watcher", "role": "viewer"}),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let (id, secret) = (text(&made["id"]), text(&made["token"]));
    let mut events = Events::open(house.program.client(), &secret, "", None);
    assert_eq!(events.answer.status, 200, "{}", events.answer.head);
    events.next().unwrap().unwrap();
    house.upload(0, "1");
    assert_eq!(events.event().name, "message");
    assert_eq!(events.event().name, "reading");
    let gone =
        house.program.client().send_as("DELETE", &house.admin, &format!("/api/v1/tokens/{id}"), &json!({}));
    assert_eq!(gone.status, 204, "{}", gone.text());
    let ended = Instant::now();
    assert!(events.next().unwrap().is_none(), "it ends by itself");
    // Long before the next sign of life: it was looked for, not met.
    assert!(ended.elapsed() < Duration::from_secs(10));
    assert_eq!(house.refused(&secret, "/api/v1/stream").status, 401);
    let mut others = house.watch("", None);
    others.next().unwrap().unwrap();
    assert!(house.program.stop().success());
    assert!(others.next().unwrap().is_none(), "a whole answer, no cut");
}

#[test]
fn devices_tokens_open_nothing_of_people_and_the_reverse() {
    let house = House::of(Program::started());
    let one = &house.ids[0];
    let paths = [
        "/api/v1/stream".to_owned(),
        "/api/v1/data".to_owned(),
        "/api/v1/export.csv".to_owned(),
        "/api/v1/export.jsonl".to_owned(),
        "/api/v1/messages".to_owned(),
        format!("/api/v1/devices/{one}/data"),
        format!("/api/v1/devices/{one}/series"),
        format!("/api/v1/devices/{one}/timeline"),
        format!("/api/v1/devices/{one}/export.csv"),
        format!("/api/v1/devices/{one}/export.jsonl"),
    ];
    for path in &paths {
        assert_eq!(house.refused(&house.tokens[0], path).status, 401, "{path}");
        let nobody = house.program.client().get(path);
        assert_eq!(nobody.status, 401, "{path}");
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"), "{path}");
    }
    let answer = upload(&house.program, &house.admin, "1");
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(answer.json()["error"]["code"], "device_required");
}

#[test]
fn only_so_many_streams_are_open() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_STREAMS_MAX_COUNT", "2");
    program.start();
    let house = House::of(program);
    let mut open = [house.watch("", None), house.watch("", None)];
    let answer = house.refused(&house.admin, "/api/v1/stream");
    assert_eq!(code(&answer), (429, "too_many".to_owned()));
    assert!(answer.header("retry-after").is_some());
    assert!(answer.text().contains("limits.streams_max_count"), "{}", answer.text());
    house.upload(0, "1");
    assert!(open.iter_mut().all(|events| events.event().name == "message"));
}
