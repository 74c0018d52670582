//! The protocol page's own list (`tswarm-node.md §11`), in its order.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{Heard, Node, body, raw, values};
use crate::harness::Program;

#[test]
fn item_1_a_node_of_2017_is_asked_for_a_post_once_and_taken_from_then_on() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    let put = node.say("PUT", &body("node1", "23 45"));
    assert_eq!((put.is_bare().status, put.reason.as_str()), (405, "Method Not Allowed"));
    assert_eq!(put.header("allow"), Some("POST"));
    let post = node.say("POST", &body("node1", "23 45"));
    assert_eq!((post.is_bare().status, post.reason.as_str()), (202, "Accepted"));
    assert!(post.head.starts_with("HTTP/1.0 202 Accepted\r\n"), "{}", post.head);
    let mut names: Vec<_> =
        post.head.lines().skip(1).map(|line| line.split(':').next().unwrap().to_ascii_lowercase()).collect();
    names.sort();
    assert_eq!(names, ["content-length", "date"], "{}", post.head);
    assert_eq!(node.say("PUT", &body("node1", "24 45")).is_bare().status, 202);
    let token = program.token();
    assert_eq!(values(&program, &token, "node1", "temperature"), [json!(23), json!(24)]);
    assert_eq!(values(&program, &token, "node1", "humidity"), [json!(45), json!(45)]);
}

#[test]
fn item_2_a_node_of_today_speaks_http_1_1() {
    let program = Program::started();
    let node = Node { version: "HTTP/1.1", closes: true, ..Node::added(&program, "node1") };
    assert_eq!(node.upload(&body("node1", "23 45")), [405, 202]);
    let put = node.say("PUT", &body("node1", "24 45"));
    assert_eq!(put.is_bare().status, 202);
    assert!(put.head.starts_with("HTTP/1.1 202 Accepted\r\n"), "{}", put.head);
    let old = Node { closes: true, ..Node::added(&program, "node2") };
    assert_eq!(old.upload(&body("node2", "23 45")), [405, 202], "HTTP/1.0 with Connection: close");
}

#[test]
fn item_3_a_node_that_is_held_stays_awake_and_its_reading_is_kept() {
    let program = Program::started();
    let (one, two) = (Node::added(&program, "node1"), Node::added(&program, "node2"));
    for (node, name) in [(&one, "node1"), (&two, "node2")] {
        assert_eq!(node.upload(&body(name, "20 40")), [405, 202]);
    }
    program.done(&["tswarm", "hold", "node1", "--for", "1h"]);
    let put = one.say("PUT", &body("node1", "21 40"));
    assert_eq!((put.is_bare().status, put.reason.as_str()), (423, "Locked"));
    assert_eq!(one.say("POST", &body("node1", "22 40")).is_bare().status, 202, "423 would say nothing here");
    assert_eq!(two.upload(&body("node2", "21 40")), [202], "the other goes on");
    let token = program.token();
    assert_eq!(values(&program, &token, "node1", "temperature"), [json!(20), json!(21), json!(22)]);
    program.done(&["tswarm", "hold", "--all"]);
    assert_eq!(two.upload(&body("node2", "22 40")), [423]);
    let new = Node::added(&program, "node3");
    assert_eq!(new.upload(&body("node3", "22 40")), [423], "one that is new is held too");
    program.done(&["tswarm", "release", "--all"]);
    assert_eq!(one.upload(&body("node1", "23 40")), [202]);
    assert_eq!(two.upload(&body("node2", "23 40")), [202]);
    assert_eq!(values(&program, &token, "node3", "temperature"), [json!(22)]);
}

#[test]
fn item_4_the_header_is_read_with_patience() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    assert_eq!(node.upload(&body("node1", "1 40")), [405, 202]);
    let pair = node.authorization.trim().trim_start_matches("Basic ").to_owned();
    let ask = |header: &str, n: usize| {
        let text = body("node1", &format!("{n} 40"));
        let head = format!("PUT {} HTTP/1.0\r\n{header}\r\nContent-Length: {}\r\n", node.path, text.len());
        raw(node.server, format!("{head}\r\n{text}").as_bytes()).is_bare().status
    };
    for (n, header) in [
        format!("authorization:  Basic {pair}"),
        format!("Authorization: basic {pair}"),
        format!("AUTHORIZATION: Basic   {pair} "),
        format!("authorization:\tBasic {}", pair.trim_end_matches('=')),
        format!("authorization: Basic {pair}\\n"),
        format!("authorization: Basic {pair}\r\nAuthorization: Basic {pair}"),
    ]
    .iter()
    .enumerate()
    {
        assert_eq!(ask(header, n + 2), 202, "{header}");
    }
    for (header, status) in [
        (format!("authorization: Basic {pair}\r\nAuthorization: Basic YTpi"), 400),
        ("X-Nothing: 1".to_owned(), 401),
        ("authorization: Basic".to_owned(), 401),
        ("authorization: Basic YTpi".to_owned(), 401),
        (format!("authorization: Digest {pair}"), 401),
    ] {
        assert_eq!(ask(&header, 99), status, "{header}");
    }
}

#[test]
fn item_5_data_is_read_in_every_form() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    assert_eq!(node.upload(&body("node1", "23 45")), [405, 202]);
    let token = program.token();
    // Data as it stands in the JSON, then temperature, humidity and flags as they are stored.
    let cases = [
        (r#""24 45""#, json!([24, 45, null])),
        (r#""23.4 45.6""#, json!([23.4, 45.6, null])),
        (r#""-3 80""#, json!([-3, 80, "beyond_dht11"])),
        (r#""0 0""#, json!([0, 0, "zeros"])),
        (r#""nan 45""#, json!([null, 45, null])),
        (r#""23""#, json!([23, null, null])),
        (r#""23,45""#, json!([23, 45, null])),
        (r#"{"t":23}"#, json!([23, null, null])),
        (r#""-61 45""#, json!([-61, 45, "temperature"])),
        (r#""23 101""#, json!([23, 101, "humidity"])),
        ("[21.5,44]", json!([21.5, 44, null])),
    ];
    let device = &program.api(&token, "/api/v1/devices?q=node1")["items"][0];
    let path = format!("/api/v1/devices/{}/data?limit=1000", device["id"].as_str().unwrap());
    for (data, wanted) in cases {
        let before = program.all(&token, &path).len();
        let text = format!("{{\"name\":\"node1\",\"data\":{data}}}");
        assert_eq!(node.upload(&text), [202], "{data}");
        let stored = program.all(&token, &path);
        let fresh = &stored[before..];
        let of = |sensor: &str| {
            let datum = fresh.iter().find(|datum| datum["sensor"] == sensor);
            datum.map_or(Value::Null, |datum| datum["value"].clone())
        };
        assert_eq!(json!([of("temperature"), of("humidity"), of("flags")]), wanted, "{data}");
    }
    for data in
        [r#""""#, r#""nan""#, r#""warm""#, "null", "true", r#""1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17""#]
    {
        let text = format!("{{\"name\":\"node1\",\"data\":{data}}}");
        assert_eq!(node.upload(&text), [400], "{data}");
        let newest = &program.api(&token, "/api/v1/messages?direction=in&limit=1")["items"][0];
        assert_eq!(
            (&newest["verdict"], &newest["device"]["address"]),
            (&json!("malformed"), &json!("node1"))
        );
    }
}

#[test]
fn item_6_a_body_that_lost_its_end_is_repaired_or_refused_and_never_hangs() {
    let program = Program::started();
    let token = program.token();
    for (name, statuses) in
        [("nöde", &[405, 202][..]), ("nödé", &[405, 202]), ("nödéü", &[400]), ("öäüß", &[400])]
    {
        let node = Node::of_any(&program, "x").at("/api/v1/tswarm");
        assert_eq!(node.upload(&body(name, "23 45")), statuses, "{name}");
    }
    let devices = program.all(&token, "/api/v1/devices?family=tswarm");
    let mut names: Vec<_> = devices.iter().map(|device| device["address"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["nöde", "nödé"]);
    let id = devices[0]["id"].as_str().unwrap();
    let flags = program.all(&token, &format!("/api/v1/devices/{id}/data?sensor=flags"));
    assert_eq!(flags[0]["value"], "truncated");
    let rejected = program.done(&["tswarm", "rejected"]);
    assert!(rejected.contains("use ASCII names"), "{rejected}");
}

#[test]
fn item_7_no_path_of_a_node_leads_elsewhere() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    assert_eq!(node.upload(&body("node1", "1 40")), [405, 202]);
    let paths = [
        "/api/v1/tswarm/node1",
        "/api/v1/tswarm/node1/",
        "/api/v1/tswarm/node1?x=1",
        "/api/nodes/node1",
        "/api/nodes/node1/",
        "/nodes/node1",
        "/nodes/node1/",
        "/api/v1/tswarm",
        "/api/v1/tswarm/",
        "/API/V1/TSWARM/NODE1",
        "/API/V1/TSWARM/",
        "/Nodes/Node1/",
        "//api/v1//tswarm/node1",
        "http://192.168.1.10:8080/api/v1/tswarm/node1",
        "/api/v1/tswarm/%6Eode1",
    ];
    for (n, path) in paths.iter().enumerate() {
        assert_eq!(node.at(path).upload(&body("node1", &format!("{} 40", n + 2))), [202], "{path}");
    }
    for method in ["DELETE", "PATCH", "OPTIONS", "PROPFIND", "HEAD", "GET"] {
        for path in ["/api/v1/tswarm/node9", "/nodes/node9/", "/API/nodes/node9", "/api/v1/tswarm"] {
            let request = format!("{method} {path} HTTP/1.0\r\nauthorization:{}\r\n\r\n", node.authorization);
            let heard = raw(node.server, request.as_bytes());
            assert_eq!(heard.status, 404, "{method} {path}");
            assert_eq!(heard.header("location"), None);
        }
    }
    for path in ["/api/v1/tswarm/a/b", "/api/node/x", "/nodes"] {
        assert_eq!(node.at(path).say("PUT", &body("node1", "1 40")).status, 404, "{path}");
    }
    let devices = program.all(&program.token(), "/api/v1/devices?family=tswarm");
    assert_eq!(devices.len(), 1, "all these are one node");
}

#[test]
fn item_10_who_shows_a_wrong_secret_is_seen_and_harms_nobody() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    assert_eq!(node.upload(&body("node1", "23 45")), [405, 202]);
    // More than are told apart in a minute: each is answered all the same.
    for _ in 0..30 {
        let heard = node.showing(" Basic bm9kZTE6c2VjcmV0").say("PUT", &body("node1", "99 45"));
        assert_eq!(heard.is_bare().status, 401);
        assert_eq!(heard.header("www-authenticate"), Some("Basic realm=\"api\""));
    }
    assert_eq!(node.upload(&body("node1", "24 45")), [202], "from the same address");
    let token = program.token();
    assert_eq!(values(&program, &token, "node1", "temperature"), [json!(23), json!(24)]);
    let rejected: Value =
        serde_json::from_str(&program.done(&["tswarm", "rejected", "--json"])).expect("it is JSON");
    let of = |reason: &str| {
        let found = rejected.as_array().unwrap().iter().find(|call| call["reason"] == reason);
        found.unwrap_or_else(|| panic!("{reason}: {rejected}"))
    };
    let wrong = of("wrong_secret");
    assert_eq!((&wrong["login"], &wrong["node"]), (&json!("node1"), &json!("node1")));
    assert_eq!(wrong["peer"], "127.0.0.1");
    let counted = wrong["count"].as_u64().unwrap() + of("too_many")["count"].as_u64().unwrap();
    assert_eq!(counted, 30);
    let messages = program.all(&token, "/api/v1/messages?direction=in");
    assert_eq!(messages.len(), 2, "what a stranger says is not kept");
}

#[test]
fn bodies_that_do_not_fit_are_answered_and_nothing_hangs() {
    let program = Program::started();
    let node = Node::added(&program, "node1");
    assert_eq!(node.upload(&body("node1", "23 45")), [405, 202]);
    let large = body("node1", &"1 ".repeat(2100));
    assert_eq!(node.say("PUT", &large).is_bare().status, 413);
    let fits = format!("{}{}", body("node1", "24 45"), " ".repeat(4000));
    assert_eq!(node.say("PUT", &fits).is_bare().status, 202);
    let start = format!("PUT {} HTTP/1.0\r\nauthorization:{}\r\n", node.path, node.authorization);
    // Without a length there is no body.
    let heard = raw(node.server, format!("{start}\r\n{}", body("node1", "25 45")).as_bytes());
    assert_eq!(heard.is_bare().status, 400);
    let heard = raw(node.server, format!("{start}Content-Length: 0\r\n\r\n").as_bytes());
    assert_eq!(heard.is_bare().status, 400);
    // Two lengths that are the same are one.
    let text = body("node1", "26 45");
    let twice = format!("Content-Length: {}\r\n", text.len()).repeat(2);
    assert_eq!(raw(node.server, format!("{start}{twice}\r\n{text}").as_bytes()).is_bare().status, 202);
    // A wrong type, none, lines that end in LF alone, and a header line that is none.
    let text = body("node1", "27 45");
    let odd =
        format!("{start}Content-Type: text/html\r\nnonsense\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    assert_eq!(raw(node.server, odd.as_bytes()).is_bare().status, 202);
    let bare = odd.replace("\r\n", "\n").replace("27 45", "28 45");
    assert_eq!(raw(node.server, bare.as_bytes()).is_bare().status, 202);
    let rejected = program.done(&["tswarm", "rejected"]);
    assert!(
        rejected.contains("body_not_taken") && rejected.contains("Content-Length is missing"),
        "{rejected}"
    );
}

#[test]
fn a_body_that_never_ends_is_given_up() {
    let program = Program::new();
    std::fs::write(program.folder().join("homeport.toml"), "[tswarm]\nbody_time_ms = 300\n").unwrap();
    let mut program = program;
    program.start();
    let node = Node::added(&program, "node1");
    let text = body("node1", "23 45");
    let head = format!("PUT {} HTTP/1.0\r\nauthorization:{}\r\n", node.path, node.authorization);
    let mut stream = TcpStream::connect(node.server).unwrap();
    let short = format!("{head}Content-Length: {}\r\n\r\n{text}", text.len() + 1);
    stream.write_all(short.as_bytes()).unwrap();
    assert_eq!(Heard::read(stream).is_bare().status, 408);
}
