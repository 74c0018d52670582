//! Plays the transcripts of `tests/wire` against a running homeport and compares every byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::{Client, Program, crc};

/// A part of a transcript; the format is in `tests/wire/README.md`.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Request(Vec<u8>),
    Answer(Vec<u8>),
    Heard { verdict: String, address: String },
    Command { address: String, cmd: String, payload: String },
    File { name: String, text: String },
    Device { name: String },
    Run { arguments: Vec<String> },
    Anew,
}

#[test]
fn every_transcript_is_answered_to_the_byte() {
    let program = Program::started();
    let token = program.token();
    for file in transcripts() {
        let mut play = Play {
            program: &program,
            token: &token,
            client: client(&program, &file),
            seen: BTreeMap::new(),
            name: file.file_name().unwrap().to_string_lossy().into_owned(),
            file: file.clone(),
        };
        let text = fs::read_to_string(&file).unwrap();
        for part in parts(&text) {
            play.part(&part);
        }
    }
}

/// A connection of the kind that the devices of the transcript's folder make.
fn client(program: &Program, file: &Path) -> Client {
    let family = file.parent().and_then(Path::file_name);
    let plain = |family| ["sca11h", "token", "tswarm"].iter().any(|plain| family == *plain);
    if family.is_some_and(plain) { program.plain_client() } else { program.client() }
}

struct Play<'a> {
    program: &'a Program,
    token: &'a str,
    client: Client,
    seen: BTreeMap<String, Vec<u8>>,
    name: String,
    file: PathBuf,
}

impl Play<'_> {
    fn part(&mut self, part: &Part) {
        match part {
            Part::Request(bytes) => {
                let bytes = self.filled(bytes);
                self.client.write(&bytes).unwrap();
            }
            Part::Anew => self.client = client(self.program, &self.file),
            Part::Answer(wanted) => {
                let answer = self.client.read().unwrap_or_else(|error| panic!("{}: {error}", self.name));
                let found = [answer.head.as_bytes(), &answer.framed].concat();
                if let Err(at) = matched(wanted, &found, &mut self.seen) {
                    panic!(
                        "{}: the answer differs at byte {at}\nwanted:\n{}\nfound:\n{}",
                        self.name,
                        String::from_utf8_lossy(wanted),
                        String::from_utf8_lossy(&found)
                    );
                }
                command_is_sound(&answer.body);
            }
            Part::Heard { verdict, address } => {
                let list = self.program.api(self.token, "/api/v1/messages?direction=in&limit=1");
                let newest = &list["items"][0];
                assert_eq!(newest["verdict"], verdict.as_str(), "{}: {newest}", self.name);
                let found = newest["device"]["address"].as_str().unwrap_or("-");
                assert_eq!(found, address, "{}: {newest}", self.name);
            }
            Part::Command { address, cmd, payload } => {
                self.program.done(&["send", address, "--cmd", cmd, "--payload", payload]);
            }
            Part::File { name, text } => {
                fs::write(self.program.folder().join(name), text).unwrap();
                self.program.done(&["files", "add", name]);
            }
            Part::Device { name } => {
                let token = self.program.done(&["devices", "add", name, "--address", name]);
                self.seen.insert("token".to_owned(), token.trim().as_bytes().to_vec());
            }
            Part::Run { arguments } => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let printed = self.program.done(&arguments);
                let config: serde_json::Value = serde_json::from_str(&printed).unwrap_or_default();
                if let Some(xauth) = config["svconf"]["xauth"].as_str() {
                    self.seen.insert("xauth".to_owned(), xauth.as_bytes().to_vec());
                }
            }
        }
    }

    /// Puts what was seen into the places of a request.
    fn filled(&self, request: &[u8]) -> Vec<u8> {
        let mut text = request.to_vec();
        for (name, value) in &self.seen {
            let place = format!("{{{{{name}}}}}").into_bytes();
            while let Some(at) = text.windows(place.len()).position(|bytes| bytes == place) {
                text.splice(at..at + place.len(), value.iter().copied());
            }
        }
        text
    }
}

/// A pulled command's digits are right: the transcript only says that there are four.
fn command_is_sound(body: &[u8]) {
    let text = String::from_utf8_lossy(body);
    let Some(okm) = text.strip_prefix("{\"okm\":").and_then(|rest| rest.rsplit_once(",\"pull\":")) else {
        return;
    };
    let mark = "\"_crc\":\"";
    let at = okm.0.find(mark).expect("a command has a checksum") + mark.len();
    let mut zeroed = okm.0.to_owned();
    zeroed.replace_range(at..at + 4, "0000");
    assert_eq!(&okm.0[at..at + 4], format!("{:04X}", crc(zeroed.as_bytes())), "{text}");
}

/// Compares with a pattern; `Err` is where they part.
fn matched(wanted: &[u8], found: &[u8], seen: &mut BTreeMap<String, Vec<u8>>) -> Result<(), usize> {
    let (mut want, mut at) = (0, 0);
    while want < wanted.len() {
        if !wanted[want..].starts_with(b"{{") {
            if found.get(at) != Some(&wanted[want]) {
                return Err(at);
            }
            (want, at) = (want + 1, at + 1);
            continue;
        }
        let end = wanted[want..].windows(2).position(|two| two == b"}}").expect("a place ends") + want;
        let name = String::from_utf8_lossy(&wanted[want + 2..end]).into_owned();
        let width = width(&name, &found[at..]).ok_or(at)?;
        let value = &found[at..at + width];
        if name != "date" && seen.entry(name).or_insert_with(|| value.to_vec()) != value {
            return Err(at);
        }
        (want, at) = (end + 2, at + width);
    }
    if at == found.len() { Ok(()) } else { Err(at) }
}

/// How many bytes belong to a place of this kind.
fn width(name: &str, found: &[u8]) -> Option<usize> {
    let digits = found.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let like = |form: &str| {
        let fits = found.len() >= form.len()
            && form.bytes().zip(found).all(|(form, byte)| match form {
                b'9' => byte.is_ascii_digit(),
                b'a' => byte.is_ascii_alphabetic(),
                b'h' => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
                b'X' => byte.is_ascii_digit() || (b'A'..=b'F').contains(byte),
                other => *byte == other,
            });
        fits.then_some(form.len())
    };
    match name.trim_end_matches(|c: char| c.is_ascii_digit()) {
        "date" => like("aaa, 99 aaa 9999 99:99:99 GMT"),
        "ts" => like("9999-99-99T99:99:99"),
        "crc" => like("XXXX"),
        "utc" | "id" => (digits > 0).then_some(digits),
        "key" => like(&"h".repeat(32)),
        "pem" => {
            let end = found.iter().position(|byte| *byte == b'"')?;
            let pem = found.get(..end)?;
            (pem.starts_with(b"-----BEGIN ") && pem.ends_with(b"-----\\n")).then_some(end)
        }
        other => panic!("a place of the kind {other} is not known"),
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut block = || {
            let mut block = Vec::new();
            while let Some(line) = lines.next_if(|line| !is_mark(line)) {
                block.push(line);
            }
            bytes(&block)
        };
        if line == ">>>" {
            parts.push(Part::Request(block()));
        } else if line == "<<<" {
            parts.push(Part::Answer(block()));
        } else if line == "~~~" {
            parts.push(Part::Anew);
        } else if let Some(rest) = line.strip_prefix("=== ") {
            let (verdict, address) = rest.split_once(' ').expect("a verdict and an address");
            parts.push(Part::Heard { verdict: verdict.to_owned(), address: address.to_owned() });
        } else if let Some(rest) = line.strip_prefix("+++ ") {
            let mut words = rest.splitn(3, ' ').map(str::to_owned);
            let mut word = || words.next().expect("an address, a verb and a payload");
            parts.push(Part::Command { address: word(), cmd: word(), payload: word() });
        } else if let Some(rest) = line.strip_prefix("@@@ ") {
            let (name, text) = rest.split_once(' ').expect("a name and a text");
            parts.push(Part::File { name: name.to_owned(), text: text.to_owned() });
        } else if let Some(name) = line.strip_prefix("$$$ ") {
            parts.push(Part::Device { name: name.to_owned() });
        } else if let Some(rest) = line.strip_prefix("$ ") {
            parts.push(Part::Run { arguments: rest.split(' ').map(str::to_owned).collect() });
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "not a part: {line}");
        }
    }
    parts
}

fn is_mark(line: &str) -> bool {
    [">>>", "<<<", "~~~", "=== ", "+++ ", "@@@ ", "$$$ ", "$ ", "#"].iter().any(|mark| line.starts_with(mark))
}

/// Head lines, an empty line, and the body, which has no line end at its end.
fn bytes(lines: &[&str]) -> Vec<u8> {
    let head = lines.iter().position(|line| line.is_empty()).expect("a head ends in an empty line");
    let body = lines[head + 1..].join("\n");
    let head: String = lines[..head].iter().flat_map(|line| [*line, "\r\n"]).collect();
    let mut bytes = format!("{head}\r\n").into_bytes();
    let mut pieces = body.trim_end_matches('\n').split("\\x");
    bytes.extend_from_slice(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect("two hex digits after \\x"));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

fn transcripts() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut files = Vec::new();
    for family in fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        files.extend(fs::read_dir(family).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.retain(|file| file.extension().is_some_and(|ending| ending == "http"));
    files.sort();
    assert!(!files.is_empty(), "there are transcripts");
    files
}

#[test]
fn a_transcript_is_taken_apart() {
    let found = parts(
        "# x\n\n>>>\nGET / HTTP/1.1\nA: b\n\nbo\\x00dy\n\n<<<\nHTTP/1.1 200 OK\n\n\n=== ok -\n+++ a wr {\"b\": 1}\n~~~\n@@@ f x y\n$ a b\n",
    );
    assert_eq!(
        found,
        [
            Part::Request(b"GET / HTTP/1.1\r\nA: b\r\n\r\nbo\0dy".to_vec()),
            Part::Answer(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
            Part::Heard { verdict: "ok".into(), address: "-".into() },
            Part::Command { address: "a".into(), cmd: "wr".into(), payload: "{\"b\": 1}".into() },
            Part::Anew,
            Part::File { name: "f".into(), text: "x y".into() },
            Part::Run { arguments: vec!["a".into(), "b".into()] },
        ]
    );
}

#[test]
fn places_match_their_kind_and_stay_the_same() {
    let mut seen = BTreeMap::new();
    let wanted = b"Date: {{date}}|{{ts1}}|{{crc}}|{{id}}|{{id}}";
    let good = b"Date: Sun, 06 Nov 1994 08:49:37 GMT|2024-03-01T12:00:00|0AF1|17|17";
    assert_eq!(matched(wanted, good, &mut seen), Ok(()));
    assert!(matched(b"{{id}}", b"18", &mut seen).is_err());
    assert!(matched(b"{{crc2}}", b"0af1", &mut seen).is_err());
    assert!(matched(b"ab", b"abc", &mut seen).is_err());
}
