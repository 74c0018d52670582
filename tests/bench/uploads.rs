//! Uploads over plain HTTP as requests: of devices with a token, and of Tswarm nodes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Makes uploads of one device; no two are alike.
pub(crate) enum Upload {
    /// A device with a token.
    Thing { token: String, count: u64 },
    /// A node, whose every upload is a connection of its own; a new one is made by its first POST.
    Node { name: String, login: String, count: u64 },
}

impl Upload {
    /// The device of the client with this number, proven by its line of the file.
    pub(crate) fn thing(file: &Path, number: usize) -> Self {
        let all = fs::read_to_string(file).expect("the tokens");
        let token = all.lines().nth(number).expect("a token for each client").to_owned();
        // From the time on, so that a later round says nothing that an earlier one said.
        let count = u64::try_from(jiff::Timestamp::now().as_microsecond()).expect("after 1970");
        Self::Thing { token, count }
    }

    /// The node of the client with this number; all have one login.
    pub(crate) fn node(file: &Path, number: usize) -> Self {
        let login = STANDARD.encode(fs::read_to_string(file).expect("the login").trim());
        Self::Node { name: format!("bench{number}"), login, count: 0 }
    }

    /// The next upload as a whole request.
    pub(crate) fn request(&mut self) -> Vec<u8> {
        match self {
            Self::Thing { token, count } => {
                *count += 1;
                let body =
                    format!("{{\"seq\":{count},\"tmp\":{}.5,\"light\":{}}}", *count % 40, *count % 1000);
                format!(
                    "POST /api/v1/data HTTP/1.1\r\nHost: thing.homeport.test\r\nAuthorization: Bearer {token}\r\n\
                     Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
            Self::Node { name, login, count } => {
                *count += 1;
                let method = if *count == 1 { "POST" } else { "PUT" };
                let body = format!("{{\"name\":\"{name}\",\"data\":\"{} {}\"}}", *count % 50, 20 + *count % 70);
                format!(
                    "{method} /api/v1/tswarm/{name} HTTP/1.0\r\nHost: node.homeport.test\r\n\
                     authorization:  Basic {login}\r\ncontent-type: application/json\r\n\
                     Content-Length: {}\r\n\r\n{body}",
                    body.len()
                )
            }
        }
        .into_bytes()
    }
}

/// Whether an answer says that an upload is on disk: homeport's to a device with a token, to a node, or the floor's.
pub(crate) fn is_taken(status: u16, body: &[u8]) -> bool {
    match status {
        202 => body.is_empty() || body == br#"{"accepted":1}"#,
        200 => body == b"done",
        _ => false,
    }
}

/// Makes so many devices with a token at the homeport in this folder, and a login for any node; gives the files of the
/// tokens and of the login.
pub(crate) fn credentials(home: &Path, count: usize) -> (PathBuf, PathBuf) {
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_homeport")).args(arguments).current_dir(home).output();
        let output = output.expect("homeport can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let tokens: String =
        (0..count).map(|number| run(&["devices", "add", &format!("bench {number}")])).collect();
    let added: serde_json::Value =
        serde_json::from_str(&run(&["tswarm", "add", "--any", "--login", "bench", "--json"])).expect("JSON");
    let secret = added.get("secret").and_then(serde_json::Value::as_str).expect("a secret");
    let (things, nodes) = (home.join("bench-tokens"), home.join("bench-login"));
    fs::write(&things, tokens).expect("a file");
    fs::write(&nodes, format!("bench:{secret}")).expect("a file");
    (things, nodes)
}
