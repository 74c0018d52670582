//! Files that come to a pretend module in pieces, as equipment takes them (`cwm-oke.md §8`): offset 0 opens a file,
//! pieces come in order, a short one ends it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

use crate::family::cwm::names::{CrcCase, CwmSettings};
use crate::family::cwm::{crc, parcel};
use crate::model::Parcel;

/// Equipment's file system, and where its maker put the parts of a piece.
pub(super) struct Files {
    piece_bytes: usize,
    name: Vec<Step>,
    offset: Vec<Step>,
    data: Vec<Step>,
    question: Option<String>,
    open: HashMap<String, BytesMut>,
    whole: HashMap<String, Bytes>,
}

/// One step into a JSON value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Member(String),
    Item(usize),
}

/// What a command was to the files.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// None of their business.
    Other,
    /// A piece that is not the last.
    Piece,
    /// The last piece.
    Whole { name: String, content: Bytes },
    /// A piece that does not fit: a sentence.
    Misfit(String),
    /// The question what files there are, and its answer.
    Question(String),
}

impl Files {
    /// The names of a piece are the owner's, so they are learnt from a piece made by the owner's template.
    pub(super) fn new(settings: &CwmSettings) -> Self {
        let marked = Parcel {
            file: String::new(),
            name: NAME.to_owned(),
            size: 1,
            sha256: String::new(),
            md5: String::new(),
            crc16: String::new(),
        };
        let files = &settings.files;
        let piece = parcel::fragment(files, CrcCase::Upper, &marked, OFFSET, DATA);
        let piece: Value = serde_json::from_str(&piece).unwrap_or_default();
        let place = |wanted: Value| path_of(&piece, &wanted).unwrap_or_default();
        let question: Value =
            serde_json::from_str(&parcel::directory(files, CrcCase::Upper, &marked)).unwrap_or_default();
        Self {
            piece_bytes: usize::try_from(files.fragment_bytes.get()).unwrap_or(usize::MAX),
            name: place(json!(NAME)),
            offset: place(json!(OFFSET)),
            data: place(json!(STANDARD.encode(DATA))),
            question: question.as_object().and_then(|members| members.keys().next().cloned()),
            open: HashMap::new(),
            whole: HashMap::new(),
        }
    }

    /// Takes what is for the files.
    pub(super) fn take(&mut self, payload: &Value) -> Taken {
        if let Some(question) = self.question.as_ref().filter(|key| payload.get(key.as_str()).is_some()) {
            return Taken::Question(json!({ question.as_str(): self.directory() }).to_string());
        }
        let data =
            at(payload, &self.data).and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let offset = at(payload, &self.offset).and_then(Value::as_u64);
        let (Some(data), Some(offset)) = (data, offset) else { return Taken::Other };
        // A template need not name the file: then there is one.
        let name = at(payload, &self.name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if offset == 0 {
            self.open.insert(name.clone(), BytesMut::new());
        }
        let Some(content) = self.open.get_mut(&name) else {
            return Taken::Misfit(format!("a piece of {name} at {offset} came before its first one"));
        };
        if usize::try_from(offset) != Ok(content.len()) || data.len() > self.piece_bytes {
            let have = content.len();
            return Taken::Misfit(format!("{} bytes of {name} came for {offset} after {have}", data.len()));
        }
        content.extend_from_slice(&data);
        if data.len() == self.piece_bytes {
            return Taken::Piece;
        }
        let content = self.open.remove(&name).unwrap_or_default().freeze();
        self.whole.insert(name.clone(), content.clone());
        Taken::Whole { name, content }
    }

    /// Per file a CRC or an MD5: it is the equipment's choice.
    fn directory(&self) -> Vec<Value> {
        let entry = |(name, content): (&String, &Bytes)| {
            let sum = crc::plain(content);
            if sum.is_multiple_of(2) {
                return json!({ "name": name, "crc": format!("{sum:04X}") });
            }
            let digits = u128::from_be_bytes(Md5::digest(content).into());
            json!({ "name": name, "crc": format!("{digits:032x}") })
        };
        self.whole.iter().map(entry).collect()
    }
}

/// The way to the first place where a value stands.
fn path_of(within: &Value, wanted: &Value) -> Option<Vec<Step>> {
    if within == wanted {
        return Some(Vec::new());
    }
    let into = |step: Step, value: &Value| {
        let mut path = vec![step];
        path.extend(path_of(value, wanted)?);
        Some(path)
    };
    match within {
        Value::Object(members) => {
            members.iter().find_map(|(name, value)| into(Step::Member(name.clone()), value))
        }
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(place, value)| into(Step::Item(place), value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn at<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    if path.is_empty() {
        return None;
    }
    path.iter().try_fold(value, |value, step| match step {
        Step::Member(name) => value.get(name),
        Step::Item(place) => value.get(place),
    })
}

const NAME: &str = "name-of-a-file";
const OFFSET: u64 = 987_654_321;
const DATA: &[u8] = b"bytes of a piece";

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(settings: &CwmSettings, offset: u64, bytes: &[u8]) -> Value {
        let file = Parcel {
            file: String::new(),
            name: "a.bin".to_owned(),
            size: 600,
            sha256: String::new(),
            md5: String::new(),
            crc16: String::new(),
        };
        let text = parcel::fragment(&settings.files, CrcCase::Upper, &file, offset, bytes);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn pieces_make_a_file_and_the_directory_lists_it_whatever_they_are_called() {
        let mut settings = CwmSettings::default();
        for template in [
            settings.files.fragment_template.clone(),
            r#"{"f":["{name}",{"at":{offset}},"{base64}"]}"#.into(),
        ] {
            settings.files.fragment_template = template;
            let mut files = Files::new(&settings);
            assert_eq!(files.take(&piece(&settings, 0, &[1; 512])), Taken::Piece);
            let Taken::Whole { name, content } = files.take(&piece(&settings, 512, &[2; 88])) else {
                panic!("it is whole")
            };
            assert_eq!((name.as_str(), content.len()), ("a.bin", 600));
            let Taken::Question(answer) = files.take(&json!({"_dir": true})) else { panic!("it is asked") };
            assert!(answer.starts_with(r#"{"_dir":[{"name":"a.bin","crc":"#), "{answer}");
            assert_eq!(files.take(&json!({"cmd": {"relay": 1}})), Taken::Other);
        }
    }

    #[test]
    fn a_piece_out_of_order_does_not_fit() {
        let settings = CwmSettings::default();
        let mut files = Files::new(&settings);
        assert!(matches!(files.take(&piece(&settings, 512, &[1; 512])), Taken::Misfit(_)));
        files.take(&piece(&settings, 0, &[1; 512]));
        assert!(matches!(files.take(&piece(&settings, 1024, &[1; 512])), Taken::Misfit(_)));
    }
}
