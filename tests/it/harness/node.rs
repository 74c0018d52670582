//! A pretend bed sensor that speaks its local HTTP API (`sca11h.md §7`), and answers who looks for it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// What it does that others do not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quirks {
    /// It does what a POST asks, and hangs up without an answer.
    pub(crate) silent: bool,
    /// It loses so many bytes at the begin of a body.
    pub(crate) loses: usize,
    /// It answers as HTTP/1.0 does: until it hangs up, without a length.
    pub(crate) old: bool,
    /// It says yes and keeps what it has.
    pub(crate) stubborn: bool,
}

/// The node.
pub(crate) struct Node {
    address: SocketAddr,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    quirks: Quirks,
    password: String,
    settings: Map<String, Value>,
    /// What it answers to the start of a calibration, and how each ends.
    start: i64,
    ends: [i64; 2],
    calibration: Value,
    /// The requests: method, path, head, body.
    asked: Vec<(String, String, String)>,
}

impl Node {
    /// A node fresh from its box.
    pub(crate) fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
        let address = listener.local_addr().expect("a listener has an address");
        let settings = json!({
            "/sys": { "uuid": "u-1", "name": "SCA11H", "alias": "", "fw_ver": "1.0", "errno": 0 },
            "/sys/mac": { "mac": "02:53:43:00:00:01", "errno": 0 },
            "/sys/fwinfo": { "fw_ver": "1.0", "wlan_ver": "5.1", "errno": 0 },
            "/sys/comm": {
                "mode": 0, "https_enable": 0, "url": "", "username": "", "report_interval": 5,
                "network_id": "", "node_id": "02:53:43:00:00:01", "reset_interval": 86400,
            },
            "/sys/ota": { "autoupd": 0, "url": "", "username": "" },
            "/bcg": { "version": "2.1", "mode": 0, "pars": "7000,200,2600,2600,1000,7", "dir": 1 },
            "/bcg/pars": { "pars": "7000,200,2600,2600,1000,7" },
        });
        let inside = Arc::new(Mutex::new(Inside {
            quirks,
            password: "admin".to_owned(),
            settings: settings.as_object().expect("it is an object").clone(),
            start: 0,
            ends: [0, 0],
            calibration: json!({ "status": -2, "phase": 0, "step": 0 }),
            asked: Vec::new(),
        }));
        let shared = Arc::clone(&inside);
        // Ends with the tests.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // One request a connection, one after the other: that is all a small device has memory for.
                shared.lock().unwrap().serve(stream);
            }
        });
        Self { address, inside }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Gives it another password than `admin`.
    pub(crate) fn set_password(&self, password: &str) {
        password.clone_into(&mut self.inside.lock().unwrap().password);
    }

    /// What it answers to the start of a calibration, and how the two parts end.
    pub(crate) fn set_calibration(&self, start: i64, ends: [i64; 2]) {
        let mut inside = self.inside.lock().unwrap();
        (inside.start, inside.ends) = (start, ends);
    }

    /// What stands at a path.
    pub(crate) fn setting(&self, path: &str) -> Value {
        self.inside.lock().unwrap().settings[path].clone()
    }

    /// The heads and bodies of the requests for a path, after their method.
    pub(crate) fn asked(&self, method: &str, path: &str) -> Vec<(String, String)> {
        let inside = self.inside.lock().unwrap();
        let asked = inside.asked.iter().filter(|(line, ..)| *line == format!("{method} {path}"));
        asked.map(|(_, head, body)| (head.clone(), body.clone())).collect()
    }

    /// Answers one who looks for nodes; gives where it listens.
    pub(crate) fn findable() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port can be had");
        let address = socket.local_addr().expect("a socket has an address");
        thread::spawn(move || {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                let asked: Value = serde_json::from_slice(&buffer[..length]).expect("a question is JSON");
                assert_eq!(asked, json!({ "type": "SCS-DISCOVER", "hostname": "Host-SCS" }));
                // What else is on such a port, then two nodes, one of them twice.
                for answer in [
                    "hello",
                    r#"{"type":"SCS-DISCOVER","hostname":"Host-SCS"}"#,
                    r#"{"type":"SCS-NOTIFY","hostname":"SCA11H-A","ip":"192.0.2.20"}"#,
                    r#"{"type":"SCS-NOTIFY","hostname":"SCA11H-A","ip":"192.0.2.20"}"#,
                    r#"{"type":"SCS-NOTIFY","hostname":"SCA11H-B\u001b[2J","ip":"192.0.2.21"}"#,
                ] {
                    socket.send_to(answer.as_bytes(), from).expect("an answer can be sent");
                }
            }
        });
        address
    }
}

impl Inside {
    fn serve(&mut self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        let header = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
        };
        // It knows header names as people write them, and no others.
        let length: usize = header("Content-Length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let line = head.split(" HTTP/").next().unwrap_or_default().to_owned();
        let credentials = format!("Basic {}", STANDARD.encode(format!("admin:{}", self.password)));
        let known = header("Authorization") == Some(credentials);
        let kept = body.get(self.quirks.loses..).unwrap_or_default();
        let told = String::from_utf8_lossy(&body).into_owned();
        let said = serde_json::from_slice(kept).unwrap_or(Value::Null);
        self.asked.push((line.clone(), head.clone(), told));
        let (method, path) = line.split_once(' ').expect("a request has a method and a path");
        let answer = match method {
            _ if !known => return self.say(stream, "401 Unauthorized", ""),
            "GET" => self.get(path),
            _ => self.post(path, &said),
        };
        if method == "POST" && self.quirks.silent {
            return;
        }
        match answer {
            Some(answer) => self.say(stream, "200 OK", &answer.to_string()),
            None => self.say(stream, "404 Not Found", "no"),
        }
    }

    fn get(&mut self, path: &str) -> Option<Value> {
        if path == "/bcg/cali" { Some(self.look()) } else { self.settings.get(path).cloned() }
    }

    /// How far the calibration is. Every look is half a minute later.
    fn look(&mut self) -> Value {
        let now = self.calibration.clone();
        if now["status"] != -1 {
            return now;
        }
        let step = now["step"].as_u64().expect("a number") + 30;
        self.calibration["step"] = json!(step);
        if step > 60 {
            let phase = now["phase"].as_u64().expect("a number");
            let end = self.ends[usize::try_from(phase).expect("small") - 1];
            self.calibration = json!({ "status": end, "phase": phase, "step": 255 });
            if phase == 2 {
                self.settings["/bcg/pars"] = json!({ "pars": "6500,310,3900,3900,1500,7" });
            }
        }
        now
    }

    fn post(&mut self, path: &str, said: &Value) -> Option<Value> {
        let Some(said) = said.as_object() else { return Some(json!({ "errno": -1 })) };
        match path {
            "/bcg/cali" => {
                if self.start == 0 {
                    self.calibration = json!({ "status": -1, "phase": said["phase"], "step": 0 });
                }
                return Some(json!({ "errno": self.start }));
            }
            "/sys/cmd" => return Some(json!({ "errno": 0 })),
            _ => {}
        }
        let Some(Value::Object(known)) = self.settings.get_mut(path) else { return None };
        if !self.quirks.stubborn {
            let told = said.iter().filter(|(name, _)| *name != "new_password");
            known.extend(told.map(|(name, value)| (name.clone(), value.clone())));
        }
        Some(json!({ "errno": 0 }))
    }

    fn say(&self, mut stream: TcpStream, status: &str, body: &str) {
        let head = if self.quirks.old {
            format!("HTTP/1.0 {status}\r\n\r\n")
        } else {
            let length = body.len();
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n")
        };
        // A caller that is gone already has what it wanted.
        stream.write_all(format!("{head}{body}").as_bytes()).ok();
    }
}
