//! What the form of commands says, and the order that it means.

use serde_json::Value;

use super::fields;
use crate::model::{FamilyName, Priority};
use crate::web::api::calls::{Offline, Order, Set, To, Whom};
use crate::web::error::WebError;
use crate::web::page::send::wait;
use crate::web::page::typed::Typed;

/// Who is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Meant {
    /// Those that are named.
    #[default]
    Devices,
    /// Those with a tag.
    Tag,
    /// Those in a group.
    Group,
    /// All of the family.
    All,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Only say who would get which bytes.
    Preview,
    Send,
}

/// The form, as it was filled in.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    pub(super) family: String,
    /// The example that the fields are of.
    pub(super) start: String,
    /// Whether the payload is typed as JSON.
    pub(super) raw: bool,
    pub(super) meant: Meant,
    pub(super) to: Vec<String>,
    pub(super) tag: String,
    pub(super) group: String,
    pub(super) cmd: String,
    pub(super) payload: String,
    /// What was typed into fields, by their pointers.
    pub(super) fields: Vec<(String, String)>,
    pub(super) wait: bool,
    pub(super) expires_in_s: String,
}

impl Form {
    /// Reads a form or a link to one.
    pub(super) fn read(typed: &Typed) -> Self {
        let text = |name: &str| typed.text(name).to_owned();
        let fields = typed.beginning(FIELD).map(|(pointer, text)| (pointer.to_owned(), text.to_owned()));
        Self {
            family: text("family"),
            start: text("start"),
            raw: typed.text("raw") == "yes",
            meant: match typed.text("meant") {
                "tag" => Meant::Tag,
                "group" => Meant::Group,
                "all" => Meant::All,
                _ => Meant::Devices,
            },
            to: typed.all("to").map(str::to_owned).collect(),
            tag: text("tag"),
            group: text("group"),
            cmd: text("cmd"),
            payload: text("payload"),
            fields: fields.collect(),
            wait: typed.text("wait") == "yes",
            expires_in_s: text("expires_in_s"),
        }
    }

    /// What was pressed.
    pub(super) fn act(typed: &Typed) -> Act {
        if typed.all("act").any(|act| act == "send") { Act::Send } else { Act::Preview }
    }

    /// What is meant. `example` is the payload that the fields are of.
    pub(super) fn order(&self, example: Option<&Value>, by: String) -> Result<Order, WebError> {
        let set = |tag: Option<String>, group: Option<String>| To::One(Whom::Set(Set { tag, group }));
        let to = match self.meant {
            Meant::Devices if self.to.is_empty() => {
                return Err(WebError::field("to", "name at least one device"));
            }
            Meant::Devices => To::Many(self.to.iter().cloned().map(Whom::Device).collect()),
            Meant::Tag if self.tag.is_empty() => return Err(WebError::field("tag", "choose a tag")),
            Meant::Tag => set(Some(self.tag.clone()), None),
            Meant::Group if self.group.is_empty() => return Err(WebError::field("group", "choose a group")),
            Meant::Group => set(None, Some(self.group.clone())),
            Meant::All => To::One(Whom::Device("all".to_owned())),
        };
        if self.cmd.is_empty() {
            return Err(WebError::field("cmd", "a command has a name, such as wr"));
        }
        let payload = match example {
            Some(example) if !self.raw => fields::filled(example, &self.fields)?.to_string(),
            Some(_) | None => self.payload.clone(),
        };
        Ok(Order {
            family: Some(FamilyName::new(&self.family)),
            to,
            profile: None,
            cmd: self.cmd.clone(),
            payload,
            expires_in: wait(&self.expires_in_s)?,
            priority: Priority::default(),
            offline: Some(if self.wait { Offline::Queue } else { Offline::Skip }),
            by,
        })
    }
}

/// What the names of typed fields begin with; the rest is the pointer.
pub(super) const FIELD: &str = "f:";
