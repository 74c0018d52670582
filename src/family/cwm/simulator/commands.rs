//! What a command does to a pretend module, and what it replies (`cwm-oke.md §6.3, §7.1, §7.3`).

use bytes::Bytes;
use serde_json::Value;

use super::Module;
use super::answers::Command;
use super::files::Taken;
use super::wire::Stamp;
use crate::family::simulator::{Chance, Fact, Order};
use crate::model::Timestamp;

/// The module's port to its equipment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    name: String,
    baud: u64,
}

impl Default for Port {
    fn default() -> Self {
        Self { name: "usb".to_owned(), baud: 115_200 }
    }
}

impl Port {
    /// The payload of the module's own heartbeat (§6.1).
    pub(super) fn heartbeat(&self, beat: i64, chance: &mut Chance) -> String {
        let (inside, rail) = (38 + chance.below(8), 4950 + chance.below(100));
        let (name, baud) = (&self.name, self.baud);
        format!(
            r#"{{"_hbt":{{"beat":{beat},"ti":{inside},"diag":[{},0,0,0],"scan":false,"port":"{name}","baud":{baud},"txp":false,"msf":[256,64,16],"5v":{rail},"if":"eth"}}}}"#,
            beat * 15
        )
    }

    fn shown(&self) -> String {
        format!(r#"{{"oke":{{"port":"{}","baud":{}}}}}"#, self.name, self.baud)
    }
}

impl Module {
    /// Does what a command says, once, and replies if it is of the kind that is replied to.
    pub(super) fn carry_out(&mut self, command: Command, now: Timestamp, tell: &mut dyn FnMut(Fact)) {
        let text = Bytes::from(command.text);
        let first = !self.done.contains(&text);
        tell(Fact::Got { text: text.clone(), first });
        if !first {
            return;
        }
        self.done.push_back(text.clone());
        if self.done.len() > REMEMBERED {
            self.done.pop_front();
        }
        let Some(from) = self.addresses.iter().position(|own| own.eq_ignore_ascii_case(&command.to)) else {
            tell(Fact::Odd(format!(
                "a command for {} came to a module that has it not behind it",
                command.to
            )));
            return;
        };
        let reply = match self.files.take(&command.payload) {
            Taken::Other => match &mut self.oven {
                Some(oven) if from > 0 => Some(oven.obey(&command.cmd, &command.payload)),
                Some(_) | None => self.reply(&command.cmd, &command.payload),
            },
            // Its next question says that it was taken.
            Taken::Piece => None,
            Taken::Whole { name, content } => {
                tell(Fact::File { name, content });
                None
            }
            Taken::Misfit(sentence) => {
                tell(Fact::Odd(sentence));
                None
            }
            Taken::Question(listing) => Some(listing),
        };
        if let Some(payload) = reply {
            let reply = self.say(from, command.id, now, &payload, Stamp::Sound);
            reply.to = Some(text);
        }
    }

    fn reply(&mut self, cmd: &str, payload: &Value) -> Option<String> {
        match payload.get("oke") {
            Some(Value::Object(wanted)) if cmd == "wr" => {
                if let Some(name) = wanted.get("port").and_then(Value::as_str) {
                    name.clone_into(&mut self.port.name);
                }
                if let Some(baud) = wanted.get("baud").and_then(Value::as_u64) {
                    self.port.baud = baud;
                }
                // Its next heartbeat says so; a missing reply means nothing (§7.3).
                None
            }
            Some(_) => Some(self.port.shown()),
            None => Some(payload.to_string()),
        }
    }
}

/// An operator's order for a module with these addresses; `count` says the how manieth.
pub(super) fn order(addresses: &[String], count: u32) -> Order {
    let module = addresses.first().cloned().unwrap_or_default();
    let behind = addresses.get(1).cloned();
    let to_module = |cmd, payload: &str| Order {
        address: module.clone(),
        dst: vec![module.clone()],
        cmd,
        payload: payload.to_owned(),
    };
    match (count % 4, behind) {
        (0, _) => to_module("rd", r#"{"_ping":true}"#),
        (1, Some(equipment)) => Order {
            dst: vec![equipment.clone(), module.clone()],
            address: equipment,
            cmd: "wr",
            payload: format!(r#"{{"cmd":{{"relay":{count}}}}}"#),
        },
        (2, _) => to_module("wr", r#"{"oke":{"port":"232","baud":115200}}"#),
        (_, _) => to_module("rd", r#"{"oke":true}"#),
    }
}

/// How many commands a module remembers, to know one that comes again.
const REMEMBERED: usize = 64;
