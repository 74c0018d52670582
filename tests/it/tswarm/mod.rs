//! Tswarm nodes at the real program and at a real store (`tswarm-node.md §11`): what they send, byte for byte and write
//! for write, and what they hear.

mod conformance;
mod house;
mod micropython;
mod people;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::harness::Program;

/// What a node hears, to the last byte before the server hung up.
#[derive(Clone, Debug)]
struct Heard {
    status: u16,
    reason: String,
    head: String,
    body: String,
}

impl Heard {
    /// Reads an answer until the server hangs up; fails when it does not.
    fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.read_to_string(&mut text).expect("the server answers and hangs up first");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole answer: {text:?}"));
        let mut words = head.lines().next().unwrap().splitn(3, ' ').skip(1);
        Self {
            status: words.next().unwrap().parse().unwrap(),
            reason: words.next().unwrap_or_default().to_owned(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What holds of every answer to an upload: a reason, nothing to read, nowhere else to go (§4).
    fn is_bare(&self) -> &Self {
        assert!(!self.reason.is_empty(), "{}", self.head);
        assert_eq!(self.header("content-length"), Some("0"), "{}", self.head);
        assert_eq!(self.body, "");
        assert!(!(300..400).contains(&self.status), "{}", self.head);
        let known = ["content-length", "date", "allow", "www-authenticate", "connection"];
        for line in self.head.lines().skip(1) {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            assert!(known.contains(&name.as_str()), "{}", self.head);
        }
        self
    }
}

/// A node of a year, with its own login.
#[derive(Clone, Debug)]
struct Node {
    server: SocketAddr,
    path: String,
    authorization: String,
    version: &'static str,
    /// `Connection: close`, as libraries send it since 2018.
    closes: bool,
}

impl Node {
    /// A node of 2017 that is known by name, with a login of its own.
    fn added(program: &Program, name: &str) -> Self {
        let added = program.done(&["tswarm", "add", name, "--json"]);
        Self::of(program, name, &serde_json::from_str(&added).unwrap())
    }

    /// A node with a login that is for any.
    fn of_any(program: &Program, name: &str) -> Self {
        let added = program.done(&["tswarm", "add", "--any", "--login", "field", "--renew", "--json"]);
        Self::of(program, name, &serde_json::from_str(&added).unwrap())
    }

    fn of(program: &Program, name: &str, added: &Value) -> Self {
        let xauth = added["config"]["svconf"]["xauth"].as_str().unwrap();
        let pair = format!("{}:{}", added["login"].as_str().unwrap(), added["secret"].as_str().unwrap());
        assert_eq!(xauth, STANDARD.encode(pair));
        Self {
            server: program.http(),
            path: format!("/api/v1/tswarm/{name}"),
            // The code puts a blank before `Basic`.
            authorization: format!(" Basic {xauth}"),
            version: "HTTP/1.0",
            closes: false,
        }
    }

    fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    fn showing(&self, authorization: &str) -> Self {
        Self { authorization: authorization.to_owned(), ..self.clone() }
    }

    /// Each name, colon, value and line end is a write of its own; the length counts characters (§2).
    fn writes(&self, method: &str, body: &str) -> Vec<String> {
        let mut writes = vec![
            format!("{method} {} {}\r\n", self.path, self.version),
            format!("Host: {}\r\n", self.server.ip()),
        ];
        for (name, value) in
            [("authorization", self.authorization.as_str()), ("content-type", "application/json")]
        {
            writes.extend([name, ": ", value, "\r\n"].map(str::to_owned));
        }
        if self.closes {
            writes.push("Connection: close\r\n".to_owned());
        }
        writes.push(format!("Content-Length: {}\r\n", body.chars().count()));
        writes.push("\r\n".to_owned());
        writes.push(body.to_owned());
        writes
    }

    fn say(&self, method: &str, body: &str) -> Heard {
        let mut stream = TcpStream::connect(self.server).unwrap();
        // Each write is a segment.
        stream.set_nodelay(true).unwrap();
        for write in self.writes(method, body) {
            stream.write_all(write.as_bytes()).unwrap();
        }
        Heard::read(stream)
    }

    /// What the original's code does with a body: PUT, after 405 POST. Gives both answers' numbers.
    fn upload(&self, body: &str) -> Vec<u16> {
        let put = self.say("PUT", body).is_bare().status;
        if put == 405 { vec![put, self.say("POST", body).is_bare().status] } else { vec![put] }
    }
}

/// The original's template: no escapes.
fn body(name: &str, data: &str) -> String {
    format!("{{\"name\":\"{name}\",\"data\":\"{data}\"}}")
}

/// Sends bytes as they are and closes the way out.
fn raw(server: SocketAddr, bytes: &[u8]) -> Heard {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    Heard::read(stream)
}

/// The values of a sensor of a node, the oldest first.
fn values(program: &Program, token: &str, node: &str, sensor: &str) -> Vec<Value> {
    let devices = program.all(token, &format!("/api/v1/devices?family=tswarm&q={node}"));
    let Some(device) = devices.iter().find(|device| device["address"] == node) else { return Vec::new() };
    let path = format!("/api/v1/devices/{}/data?sensor={sensor}&limit=1000", device["id"].as_str().unwrap());
    let mut data = program.all(token, &path);
    data.sort_by_key(|datum| datum["time_received"].as_str().unwrap().to_owned());
    data.iter().map(|datum| datum["value"].clone()).collect()
}
