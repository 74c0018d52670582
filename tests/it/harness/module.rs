//! A pretend CWM, written from `cwm-oke.md` and from nothing of the program under test.

use std::fmt::Write as _;
use std::io;

use super::client::{Answer, Client};

/// CRC-16 with polynomial 0x1021 and start 0xFFFF (`cwm-oke.md` §5.1).
pub(crate) fn crc(text: &[u8]) -> u16 {
    text.iter().fold(0xFFFF, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum: u16, _| {
            if sum & 0x8000 == 0 { sum << 1 } else { (sum << 1) ^ 0x1021 }
        })
    })
}

/// An OKM with its right CRC.
pub(crate) fn okm(source: &[&str], id: u32, stamp: &str, payload: &str) -> String {
    let source = source.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(",");
    let text = format!(
        "{{\"_src\":[{source}],\"_cmd\":\"wr\",\"_id\":{id},\"_ts\":\"{stamp}\",\"_crc\":\"0000\",\"_pld\":{payload}}}"
    );
    let sum = crc(text.as_bytes());
    text.replacen("\"_crc\":\"0000\"", &format!("\"_crc\":\"{sum:04X}\""), 1)
}

/// Text as it stands in a URL.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            write!(url, "%{byte:02X}").expect("text can be added");
        }
        url
    })
}

/// A module with equipment behind it, on one kept connection.
pub(crate) struct Module {
    client: Client,
    /// Its own device id.
    pub(crate) id: String,
    count: u32,
}

impl Module {
    /// A module that talks over a connection.
    pub(crate) fn new(client: Client, id: &str) -> Self {
        Self { client, id: id.to_owned(), count: 0 }
    }

    /// Goes on over another connection.
    pub(crate) fn reconnect(&mut self, client: Client) {
        self.client = client;
    }

    /// An OKM as its documented request: `req={"okm":…,"ts":…}`.
    pub(crate) fn target(okm: &str) -> String {
        format!("/push?req={}", encoded(&format!("{{\"okm\":{okm},\"ts\":\"2024-03-01T12:00:00\"}}")))
    }

    /// The next OKM of its own, with a payload.
    pub(crate) fn next(&mut self, payload: &str) -> String {
        self.count += 1;
        let (id, minute, second) = (self.count % 65_536, self.count / 60 % 60, self.count % 60);
        okm(&[&self.id], id, &format!("2024-03-01T12:{minute:02}:{second:02}Z"), payload)
    }

    /// Pushes an OKM.
    pub(crate) fn push(&mut self, okm: &str) -> io::Result<Answer> {
        self.client.try_post(&Self::target(okm), b"")
    }

    /// Pushes an OKM that must be taken; says whether something waits for the module.
    #[track_caller]
    pub(crate) fn pushes(&mut self, okm: &str) -> bool {
        let answer = self.push(okm).expect("an answer");
        answer.has_device_headers();
        match answer.text().as_str() {
            "{\"push\":true,\"pull\":false}" => false,
            "{\"push\":true,\"pull\":true}" => true,
            other => panic!("answered {} {other}", answer.status),
        }
    }

    /// Pulls; `taken` is the `lokm` that is sent, if any.
    #[track_caller]
    pub(crate) fn pull(&mut self, taken: Option<bool>) -> String {
        let lokm = taken.map(|taken| format!(",\"lokm\":{taken}")).unwrap_or_default();
        let request = format!("{{\"devid\":\"{}\",\"ts\":\"2024-03-01T12:00:00\"{lokm}}}", self.id);
        let answer = self.client.get(&format!("/pull?req={}", encoded(&request)));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.has_device_headers();
        answer.text()
    }

    /// Pulls a command: its exact text (CRC checked) and its `_id`.
    #[track_caller]
    pub(crate) fn takes(&mut self) -> (String, u32) {
        let body = self.pull(None);
        let text = body.strip_prefix("{\"okm\":").and_then(|rest| {
            rest.strip_suffix(",\"pull\":false}").or_else(|| rest.strip_suffix(",\"pull\":true}"))
        });
        let text = text.unwrap_or_else(|| panic!("no command in {body}")).to_owned();
        let member = text.find("\"_crc\":\"").expect("a command has a CRC") + "\"_crc\":\"".len();
        let mut zeroed = text.clone();
        zeroed.replace_range(member..member + 4, "0000");
        assert_eq!(&text[member..member + 4], format!("{:04X}", crc(zeroed.as_bytes())), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&text).expect("a command is JSON");
        let id = parsed["_id"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("a command has an _id");
        (text, id)
    }

    /// Answers a command by its `_id`.
    #[track_caller]
    pub(crate) fn answers(&mut self, id: u32, payload: &str) -> bool {
        self.count += 1;
        let stamp = format!("2024-03-01T13:{:02}:{:02}Z", self.count / 60 % 60, self.count % 60);
        let okm = okm(&[&self.id], id, &stamp, payload);
        self.pushes(&okm)
    }
}
