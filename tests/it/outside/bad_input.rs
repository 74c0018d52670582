//! The wrong, the broken and the hostile: the right status, one clear line in the log, nothing stored twice.

use crate::harness::{Client, Module, Program, crc, encoded, okm};

const TAKEN: &str = r#"{"push":true,"pull":false}"#;

/// What a push looks like, what it is answered, and the verdict it is kept with (if it is kept).
struct Case {
    name: &'static str,
    body: Vec<u8>,
    status: u16,
    verdict: Option<&'static str>,
}

fn case(name: &'static str, body: impl Into<Vec<u8>>, status: u16, verdict: Option<&'static str>) -> Case {
    Case { name, body: body.into(), status, verdict }
}

fn cases() -> Vec<Case> {
    let good = okm(&["0002010203040506"], 1, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":1}}"#);
    let no_crc = r#"{"_src":["0002010203040506"],"_cmd":"wr","_id":2,"_ts":"2024-03-01T12:00:00Z","_pld":{"_hbt":{"door":1}}}"#;
    let bad_crc = okm(&["0002010203040506"], 3, "2024-03-01T12:00:00Z", r#"{"_hbt":{"door":1}}"#)
        .replace("\"door\":1", "\"door\":2");
    let long = "x".repeat(65);
    let deep =
        format!(r#"{{"_src":["0002010203040506"],"_pld":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    vec![
        case("a good one", good, 200, Some("ok")),
        case("no CRC", no_crc, 200, Some("no_crc")),
        case("wrong CRC", bad_crc, 200, Some("bad_crc")),
        case("half JSON", r#"{"okm":{"_src":["0002010203040506"],"_cmd":"wr","#, 200, Some("malformed")),
        case("deep JSON", deep, 200, Some("malformed")),
        case(
            "payload of the wrong type",
            okm(&["0002010203040506"], 4, "2024-03-01T12:00:00Z", "7"),
            200,
            Some("malformed"),
        ),
        case(
            "an id of 65 characters",
            okm(&[&long], 5, "2024-03-01T12:00:00Z", "{}"),
            200,
            Some("malformed"),
        ),
        case(
            "a control character in an id",
            okm(&["00\\u0007"], 6, "2024-03-01T12:00:00Z", "{}"),
            200,
            Some("malformed"),
        ),
    ]
}

#[test]
fn each_bad_push_has_its_status_and_verdict() {
    for case in cases() {
        let program = Program::started();
        let answer = program.client().post("/push", &case.body);
        assert_eq!(answer.status, case.status, "{}: {}", case.name, answer.text());
        answer.has_device_headers();
        if answer.status == 200 {
            assert_eq!(answer.text(), TAKEN, "{}", case.name);
        }
        let kept = program.all(&program.token(), "/api/v1/messages");
        let verdicts: Vec<_> = kept.iter().filter_map(|message| message["verdict"].as_str()).collect();
        assert_eq!(verdicts, case.verdict.into_iter().collect::<Vec<_>>(), "{}: {kept:?}", case.name);
        if case.verdict != Some("ok") {
            assert!(program.says("WARN"), "{}: the log has a line for it", case.name);
        }
        assert!(!program.log().contains("panicked"), "{}: {}", case.name, program.log());
    }
}

#[test]
fn what_cannot_be_a_push_is_400() {
    let program = Program::started();
    for body in [&b""[..], b"hello", b"\xff\xfe\x00", b"{}", b"7", b"null", b"req="] {
        let answer = program.client().post("/push", body);
        assert!(!answer.text().contains("\"push\":true"), "{body:?}: {}", answer.text());
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
    }
    assert!(program.all(&program.token(), "/api/v1/messages").is_empty());
}

#[test]
fn a_body_of_10_mb_is_refused_and_memory_stays_flat() {
    let program = Program::started();
    let before = resident_kib(program.process());
    for _ in 0..8 {
        let mut client = program.client();
        let head = b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n";
        client.write(head).expect("a head can be written");
        let chunk = vec![b'x'; 65_536];
        let sent = (0..160).take_while(|_| client.write(&chunk).is_ok()).count();
        // A server that has said no may close while we still write.
        if let Ok(answer) = client.read() {
            assert_eq!(answer.status, 413, "after {sent} pieces: {}", answer.text());
        }
    }
    let mut client = program.client();
    let answer = client
        .ask(b"POST /push HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 10485760\r\n\r\n");
    assert_eq!(answer.expect("an answer before the body").status, 413);
    let after = resident_kib(program.process());
    assert!(after < before + 40_000, "{before} KiB became {after} KiB");
}

fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("it is there");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn long_request_lines_pass_up_to_the_limit() {
    let program = Program::started();
    let mut client = program.client();
    let long = "a".repeat(9_000);
    client.get(&format!("/pull?x={long}")).is_device_answer(200, r#"{"pull":false}"#);
    let longer = "a".repeat(20_000);
    let answer = program.client().get(&format!("/pull?x={longer}"));
    assert!(matches!(answer.status, 414 | 431), "{}", answer.head);
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    let program = Program::started();
    for (method, target, status) in [
        ("GET", "/nothing-here", 404),
        ("DELETE", "/push", 404),
        ("PATCH", "/pull", 404),
        ("GET", "/pull/", 200),
        ("PUT", "/pull", 200),
        ("POST", "/pull", 200),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
        let answer = program.client().ask(request.as_bytes()).expect("an answer");
        if status == 200 {
            answer.is_device_answer(200, r#"{"pull":false}"#);
        } else {
            assert!(matches!(answer.status, 404 | 405), "{method} {target}: {}", answer.head);
        }
        assert!(answer.header("location").is_none(), "{method} {target}: {}", answer.head);
        assert!(answer.header("set-cookie").is_none(), "{method} {target}: {}", answer.head);
    }
}

#[test]
fn garbage_on_the_tls_port_ends_that_connection_only() {
    let program = Program::started();
    for garbage in
        [&b"\x00\x01\x02\x03\x04\x05\x06\x07"[..], b"\x16\x03\x01\xff\xff", b"\x16\x03\x01\x00\x05hello"]
    {
        let mut client = Client::plain(program.https()).expect("the server takes connections");
        client.write(garbage).expect("bytes can be written");
        if garbage.len() > 8 {
            assert!(client.read().is_err());
        }
    }
    program.client().get("/pull").is_device_answer(200, r#"{"pull":false}"#);
    assert!(!program.log().contains("panicked"), "{}", program.log());
}

#[test]
fn odd_but_readable_http_is_answered() {
    let program = Program::started();
    for request in [
        &b"GET /pull HTTP/1.0\r\n\r\n"[..],
        b"GET  /pull  HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /pull HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /pull HTTP/1.1\nHost: x\n\n",
        b"GET /pull HTTP/1.1\r\n\r\n",
    ] {
        let answer = program.client().ask(request).expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, r#"{"pull":false}"#), "{request:?}");
    }
}

#[test]
fn a_plus_survives_in_every_reading() {
    let program = Program::started();
    // Literal pluses in a query: reading them as spaces would break the CRC.
    let text = okm(&["0002010203040506"], 1, "2024-03-01T12:00:00Z", r#"{"_hbt":{"b":"a+b c"}}"#);
    let target = format!("/push?req={}", encoded(&format!(r#"{{"okm":{text}}}"#)).replace("%2B", "+"));
    program.client().post(&target, b"").is_device_answer(200, TAKEN);
    // A client that writes spaces as pluses.
    let text = okm(&["0002010203040506"], 2, "2024-03-01T12:00:00Z", r#"{"_hbt":{"b":"a b c"}}"#);
    let target = format!("/push?req={}", encoded(&format!(r#"{{"okm":{text}}}"#)).replace("%20", "+"));
    program.client().post(&target, b"").is_device_answer(200, TAKEN);
    let kept = program.all(&program.token(), "/api/v1/messages");
    assert!(kept.iter().all(|message| message["verdict"] == "ok"), "{kept:?}");
    assert_eq!(kept.len(), 2);
}

#[test]
fn a_wrong_crc_on_a_known_message_does_not_hide_the_right_one() {
    let program = Program::started();
    let mut module = Module::new(program.client(), "0002010203040506");
    let right = module.next(r#"{"_hbt":{"door":1}}"#);
    let wrong = right.replace("\"door\":1", "\"door\":9");
    assert_ne!(crc(right.as_bytes()), crc(wrong.as_bytes()));
    module.pushes(&wrong);
    module.pushes(&right);
    let token = program.token();
    let device = program.all(&token, "/api/v1/devices")[0]["id"].as_str().expect("an id").to_owned();
    let data = program.all(&token, &format!("/api/v1/devices/{device}/data?sensor=door"));
    let values: Vec<_> = data.iter().map(|datum| &datum["value"]).collect();
    assert_eq!(values, [1], "the quarantined value does not count");
}

#[test]
fn a_device_that_sends_too_much_is_told_to_come_back() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_DEVICE_MESSAGES_MAX_PER_MINUTE", "3");
    program.start();
    let push = |module: &mut Module, text: &str| module.push(text).expect("an answer");
    let mut flooding = Module::new(program.client(), "0002010203040506");
    for _ in 0..3 {
        let text = flooding.next(r#"{"_hbt":{"door":1}}"#);
        push(&mut flooding, &text).is_device_answer(200, r#"{"push":true,"pull":false}"#);
    }
    let text = flooding.next(r#"{"_hbt":{"door":2}}"#);
    push(&mut flooding, &text).is_device_answer(503, r#"{"push":false,"pull":false}"#);
    let mut other = Module::new(program.client(), "0002010203040507");
    let text = other.next(r#"{"_hbt":{"door":1}}"#);
    push(&mut other, &text).is_device_answer(200, r#"{"push":true,"pull":false}"#);
    assert!(program.says("device_messages_max_per_minute"), "the log says why");
    let heard = program.all(&program.token(), "/api/v1/messages?verdict=ok");
    assert_eq!(heard.len(), 4, "{heard:?}");
}

#[test]
fn who_is_refused_before_the_body_was_read_may_go_on_with_the_connection_or_is_told_not_to() {
    let program = Program::started();
    let mut client = program.client();
    let head = |more: &str| {
        format!("POST /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n{more}\r\n")
    };
    for _ in 0..20 {
        client.write(head("").as_bytes()).expect("the head is taken");
        client.write(b"{\"name\":\"abc\"").expect("the body is taken");
        let answer = client.read().expect("an answer");
        assert_eq!((answer.status, answer.header("connection")), (401, None), "{}", answer.text());
    }
    // Who asks first has sent nothing, and is not waited for.
    let answer = client.ask(head("Expect: 100-continue\r\n").as_bytes()).expect("an answer");
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")), "{}", answer.text());
}
