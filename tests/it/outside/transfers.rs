//! Files sent to equipment in pieces, seen from the equipment: what arrives, in which order, and what the operator
//! is told.

use std::collections::HashMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Module, Program, crc, okm, settled};

const OKE: &str = "036334d0b8df1f05";
const CWM: &str = "0002010203040506";
const PIECE: usize = 512;

/// Equipment behind a module, written from `cwm-oke.md` §8: offset 0 opens a file, pieces come in order, a short one
/// ends it.
struct Kitchen {
    module: Module,
    count: u32,
    open: HashMap<String, Vec<u8>>,
    files: HashMap<String, Vec<u8>>,
    asked: Option<u32>,
    other: Vec<Value>,
}

impl Kitchen {
    fn new(program: &Program) -> Self {
        let module = Module::new(program.client(), CWM);
        let [open, files] = [HashMap::new(), HashMap::new()];
        Self { module, count: 0, open, files, asked: None, other: Vec::new() }
    }

    /// Connects anew, as after a restart of the server.
    fn reconnect(&mut self, program: &Program) {
        self.module = Module::new(program.client(), CWM);
    }

    /// The equipment says something; tells whether its module is to ask.
    fn says(&mut self, id: Option<u32>, payload: &str) -> bool {
        self.count += 1;
        let stamp = format!("2024-03-01T12:{:02}:{:02}Z", self.count / 60 % 60, self.count % 60);
        let okm = okm(&[OKE, CWM], id.unwrap_or(40_000 + self.count), &stamp, payload);
        self.module.pushes(&okm)
    }

    fn beats(&mut self) -> bool {
        self.says(None, r#"{"_hbt":{"door":0}}"#)
    }

    /// Heartbeats until the module is told to ask.
    fn beats_until_called(&mut self) {
        let called = settled(|| self.beats().then_some(()));
        assert!(called.is_some(), "the module was never told to ask");
    }

    /// Asks once, and takes what comes; tells whether to ask again.
    fn asks(&mut self) -> bool {
        let answer: Value = serde_json::from_str(&self.module.pull(None)).expect("an answer is JSON");
        if let Some(okm) = answer.get("okm") {
            self.takes(okm);
        }
        answer["pull"].as_bool().expect("an answer says whether to ask again")
    }

    fn takes(&mut self, okm: &Value) {
        let payload = &okm["_pld"];
        assert_eq!(okm["_dst"], json!([OKE, CWM]), "{okm}");
        if payload.get("_dir").is_some() {
            assert_eq!(okm["_cmd"], "rd", "{okm}");
            self.asked = okm["_id"].as_u64().and_then(|id| u32::try_from(id).ok());
            return;
        }
        let Some(piece) = payload.get("_file") else {
            self.other.push(okm.clone());
            return;
        };
        assert_eq!(okm["_cmd"], "wr", "{okm}");
        let text = |member: &str| piece[member].as_str().unwrap_or_default().to_owned();
        let (name, bytes) = (text("name"), STANDARD.decode(text("data")).expect("data is base64"));
        let offset = usize::try_from(piece["offset"].as_u64().expect("an offset")).unwrap();
        if offset == 0 {
            self.open.insert(name.clone(), Vec::new());
        }
        let so_far = self.open.get_mut(&name).expect("a file begins with its first piece");
        assert_eq!(offset, so_far.len(), "pieces come in order");
        assert!(bytes.len() <= PIECE, "{}", bytes.len());
        so_far.extend_from_slice(&bytes);
        if bytes.len() < PIECE {
            let whole = self.open.remove(&name).expect("it is open");
            self.files.insert(name, whole);
        }
    }

    /// Asks as often as it is told to.
    fn asks_until_done(&mut self) {
        while self.asks() {}
    }
}

/// Bytes without a pattern that could hide a piece in the wrong place.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    })
    .take(length)
    .collect()
}

fn publish(program: &Program, name: &str, bytes: &[u8]) {
    let file = program.folder().join(name);
    fs::write(&file, bytes).expect("a file can be written");
    program.done(&["files", "add", file.to_str().expect("a path of text")]);
}

fn send(program: &Program, arguments: &[&str]) -> String {
    let mut all = vec!["files", "send"];
    all.extend_from_slice(arguments);
    program.done(&all).trim().to_owned()
}

fn transfer(program: &Program, id: &str) -> Value {
    let printed = program.done(&["files", "transfers", "--device", OKE, "--json"]);
    let all: Vec<Value> = serde_json::from_str(&printed).expect("a listing is JSON");
    all.into_iter().find(|transfer| transfer["id"] == id).expect("it is listed")
}

#[test]
fn a_file_goes_to_equipment_whole_and_its_directory_confirms_it() {
    let program = Program::started();
    let mut kitchen = Kitchen::new(&program);
    kitchen.beats();
    for (length, name) in [(5_000, "menu.bin"), (1_024, "even.bin"), (0, "empty.bin")] {
        let bytes = noise(length);
        publish(&program, name, &bytes);
        let id = send(&program, &[name, OKE, "--as", "LOGICAL NAME"]);
        kitchen.beats_until_called();
        kitchen.asks_until_done();
        assert_eq!(kitchen.files.remove("LOGICAL NAME"), Some(bytes.clone()), "{name}");
        let now = transfer(&program, &id);
        assert_eq!((&now["state"], &now["percent"]), (&json!("delivered"), &json!(100)), "{now}");
        assert_eq!(now["taken_bytes"], length, "{now}");
        let asked = kitchen.asked.take().expect("the equipment was asked what it has");
        let sum = format!("{:04X}", crc(&bytes));
        kitchen.says(Some(asked), &json!({"_dir": [{"name": "LOGICAL NAME", "crc": sum}]}).to_string());
        let now = transfer(&program, &id);
        assert_eq!(now["state"], "confirmed", "{now}");
    }
    program.done(&["audit"]);
}

#[test]
fn what_an_operator_says_goes_before_the_pieces_of_a_file() {
    let program = Program::started();
    let mut kitchen = Kitchen::new(&program);
    kitchen.beats();
    publish(&program, "menu.bin", &noise(3_000));
    send(&program, &["menu.bin", OKE]);
    kitchen.beats_until_called();
    assert!(kitchen.asks(), "more is to come");
    program.done(&["send", OKE, "--cmd", "wr", "--payload", r#"{"lamp":1}"#]);
    program.done(&["send", OKE, "--cmd", "wr", "--payload", r#"{"lamp":2}"#, "--priority", "high"]);
    for lamp in [2, 1] {
        assert!(kitchen.asks());
        assert_eq!(kitchen.other.pop().map(|okm| okm["_pld"]["lamp"].clone()), Some(json!(lamp)));
    }
    assert!(kitchen.files.is_empty());
    kitchen.asks_until_done();
    assert_eq!(kitchen.files["menu.bin"], noise(3_000));
}

#[test]
fn a_transfer_outlives_the_server() {
    let mut program = Program::started();
    let mut kitchen = Kitchen::new(&program);
    kitchen.beats();
    let bytes = noise(10 * PIECE);
    publish(&program, "menu.bin", &bytes);
    let id = send(&program, &["menu.bin", OKE]);
    kitchen.beats_until_called();
    for taken in [1, 6] {
        let has = settled(|| {
            kitchen.asks();
            (kitchen.open.get("menu.bin").map_or(0, |so_far| so_far.len() / PIECE) >= taken).then_some(())
        });
        assert!(has.is_some(), "{taken} pieces");
        program.kill();
        program.start();
        // It was told to ask again, and does.
        kitchen.reconnect(&program);
    }
    let whole = settled(|| {
        kitchen.asks_until_done();
        kitchen.files.contains_key("menu.bin").then_some(())
    });
    assert!(whole.is_some(), "the file goes on");
    assert_eq!(kitchen.files["menu.bin"], bytes);
    assert_eq!(transfer(&program, &id)["state"], "delivered");
    assert_eq!(transfer(&program, &id)["restarts"], 0, "no piece was lost");
    program.done(&["audit"]);
}

#[test]
fn a_transfer_can_be_withdrawn_and_the_next_one_begins_the_file_anew() {
    let program = Program::started();
    let mut kitchen = Kitchen::new(&program);
    kitchen.beats();
    publish(&program, "menu.bin", &noise(3_000));
    let id = send(&program, &["menu.bin", OKE]);
    let second = send(&program, &["menu.bin", OKE]);
    kitchen.beats_until_called();
    assert!(kitchen.asks());
    assert_eq!(transfer(&program, &id)["state"], "transferring");
    assert_eq!(transfer(&program, &second)["state"], "queued", "one at a time");
    let token = program.token();
    let device = transfer(&program, &id)["device"]["id"].as_str().expect("an id").to_owned();
    let page = program.client().get_as(&token, &format!("/devices/{device}/commands"));
    assert!(page.text().contains("menu.bin") && page.text().contains("Abort"), "{}", page.text());
    let commands = format!("/api/v1/devices/{device}/commands");
    assert_eq!(program.all(&token, &format!("{commands}?least=normal")), Vec::<Value>::new());
    assert_eq!(program.all(&token, &commands).len(), 1);
    let said = program.done(&["files", "abort", &id]);
    assert!(said.contains("aborted"), "{said}");
    let again = program.run(&["files", "abort", &id]);
    assert_eq!(again.status.code(), Some(1), "it is over");
    let begun = settled(|| (transfer(&program, &second)["state"] == "transferring").then_some(()));
    assert!(begun.is_some(), "the second one has its turn");
    kitchen.beats_until_called();
    kitchen.asks_until_done();
    assert_eq!(kitchen.files["menu.bin"], noise(3_000));
    assert_eq!(transfer(&program, &id)["state"], "aborted");
}

#[test]
fn the_command_line_follows_a_transfer_and_says_what_is_wrong() {
    let program = Program::started();
    let mut kitchen = Kitchen::new(&program);
    kitchen.beats();
    publish(&program, "menu.bin", &noise(700));
    for (arguments, cause) in [
        (&["other.bin", OKE][..], "no file other.bin"),
        (&["menu.bin", "nobody"], "no device"),
        (&["menu.bin", OKE, "--as", "umläut"], "printable ASCII"),
        (&["menu.bin", OKE, "--as", &"x".repeat(65)], "1 to 64"),
    ] {
        let mut all = vec!["files", "send"];
        all.extend_from_slice(arguments);
        let refused = program.run(&all);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(cause), "{said}");
    }
    let followed = std::thread::scope(|scope| {
        let followed = scope.spawn(|| program.run(&["files", "send", "menu.bin", OKE, "--wait"]));
        let asked = settled(|| {
            kitchen.beats_until_called();
            kitchen.asks_until_done();
            kitchen.asked
        });
        let asked = asked.expect("the equipment was asked what it has");
        kitchen.says(Some(asked), &json!({"_dir": {"menu.bin": "no sum"}}).to_string());
        kitchen.says(None, &json!({"_dir": {"menu.bin": crc16(&noise(700))}}).to_string());
        followed.join().expect("it ends")
    });
    let said = String::from_utf8_lossy(&followed.stderr).into_owned();
    assert!(followed.status.success(), "{said}");
    assert_eq!(String::from_utf8_lossy(&followed.stdout), "confirmed\n");
    assert!(said.contains("confirmed: the equipment lists it with CRC"), "{said}");
}

fn crc16(bytes: &[u8]) -> String {
    format!("0x{:04x}", crc(bytes))
}
