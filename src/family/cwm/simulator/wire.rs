//! What a pretend module puts on the wire: messages with or without a sound checksum, and the requests that carry
//! them in the forms a server must read (`cwm-oke.md §2.1, §3, §4`).

use std::fmt::Write as _;

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::family::cwm::crc;
use crate::family::cwm::names::{CrcCase, CwmNames};
use crate::family::simulator::{self, Call, Purpose, Trouble};
use crate::http::query;
use crate::model::WireId;

/// What a message carries for a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stamp {
    Sound,
    Wrong,
    Absent,
}

/// One message's exact text.
pub(super) fn okm(src: &[&str], cmd: &str, id: WireId, ts: &str, payload: &str, stamp: Stamp) -> Bytes {
    let src = src.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(",");
    let head = format!(r#"{{"_src":[{src}],"_cmd":"{cmd}","_id":{id},"_ts":"{ts}","#);
    let tail = format!(r#""_pld":{payload}}}"#);
    if stamp == Stamp::Absent {
        return Bytes::from(format!("{head}{tail}"));
    }
    let sum = crc::plain(format!(r#"{head}"_crc":"0000",{tail}"#).as_bytes());
    let sum = if stamp == Stamp::Wrong { !sum } else { sum };
    Bytes::from(format!(r#"{head}"_crc":"{}",{tail}"#, crc::digits(sum, CrcCase::Upper)))
}

/// Where a request's arguments stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the query, as documented.
    Query,
    /// In a JSON body.
    Json,
    /// In a form body.
    Urlencoded,
}

/// The names on the wire, and the key that proves who speaks.
pub(super) struct Speech<'a> {
    pub(super) names: &'a CwmNames,
    pub(super) key: Option<&'a str>,
}

impl Speech<'_> {
    /// `sha256hmac=…&`, if there is a key: over the text as it is before it is escaped (§2.2).
    fn proof(&self, req: &str) -> String {
        let mac = self.key.and_then(|key| Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok());
        let Some(mac) = mac else { return String::new() };
        let digits = mac.chain_update(req).finalize().into_bytes();
        let mut proof = format!("{}=", self.names.hmac);
        for byte in digits {
            // A string takes whatever is written to it.
            let _ = write!(proof, "{byte:02x}");
        }
        proof + "&"
    }
}

/// The request that hands over a message.
pub(super) fn push(speech: &Speech<'_>, form: Form, okm: &[u8], ts: &str, trouble: Trouble) -> Call {
    let names = speech.names;
    let okm = String::from_utf8_lossy(okm);
    let req = format!(r#"{{"{}":{okm},"ts":"{ts}"}}"#, names.okm);
    let proof = speech.proof(&req);
    let arguments = format!("{proof}{}={}", names.req, query::escape(&req));
    let (target, headers, body) = match form {
        Form::Query => (format!("/push?{arguments}"), Vec::new(), String::new()),
        Form::Json => (format!("/push?{}", proof.trim_end_matches('&')), kind("application/json"), req),
        Form::Urlencoded => ("/push".to_owned(), kind("application/x-www-form-urlencoded"), arguments),
    };
    Call {
        purpose: Purpose::Push,
        method: "POST",
        target,
        headers,
        body: Bytes::from(body),
        form: simulator::Form::Plain,
        trouble,
    }
}

/// The request for a command.
pub(super) fn pull(speech: &Speech<'_>, devid: &str, ts: &str, taken: bool, trouble: Trouble) -> Call {
    let names = speech.names;
    let req = format!(r#"{{"{}":"{devid}","ts":"{ts}","{}":{taken}}}"#, names.devid, names.lokm);
    get(Purpose::Pull, format!("/pull?{}{}={}", speech.proof(&req), names.req, query::escape(&req)), trouble)
}

/// The request for certificates; with a certificate request when the key is to be the module's own.
pub(super) fn provision(names: &CwmNames, devid: &str, request: Option<&str>) -> Call {
    if let Some(pem) = request {
        let body = serde_json::json!({ names.devid.as_str(): devid, "csr": pem }).to_string();
        return Call {
            purpose: Purpose::Provision,
            method: "POST",
            target: "/provision".to_owned(),
            headers: kind("application/json"),
            body: Bytes::from(body),
            form: simulator::Form::Plain,
            trouble: Trouble::None,
        };
    }
    get(Purpose::Provision, format!("/provision?{}={}", names.devid, query::escape(devid)), Trouble::None)
}

/// The request for the time.
pub(super) fn time() -> Call {
    get(Purpose::Time, "/time".to_owned(), Trouble::None)
}

/// The request for a file, or for a part of it.
pub(super) fn download(path: String, range: Option<(usize, usize)>) -> Call {
    let mut call = get(Purpose::Download, path, Trouble::None);
    call.headers.extend(range.map(|(first, last)| ("Range", format!("bytes={first}-{last}"))));
    call
}

fn get(purpose: Purpose, target: String, trouble: Trouble) -> Call {
    let form = simulator::Form::Plain;
    Call { purpose, method: "GET", target, headers: Vec::new(), body: Bytes::new(), form, trouble }
}

fn kind(name: &str) -> Vec<(&'static str, String)> {
    vec![("Content-Type", name.to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::cwm::names::CwmSettings;
    use crate::family::cwm::{envelope, hmac, okm as reader};
    use crate::model::{HmacCheck, Verdict};

    #[test]
    fn a_message_is_what_its_stamp_says() {
        let settings = CwmSettings::default();
        let verdict = |stamp| {
            let text = okm(&["A", "B"], "wr", 7, "2024-03-01T12:00:00", r#"{"_hbt":{"door":1}}"#, stamp);
            reader::read(&text, &settings).verdict
        };
        assert_eq!(verdict(Stamp::Sound), Verdict::Ok);
        assert_eq!(verdict(Stamp::Wrong), Verdict::BadCrc);
        assert_eq!(verdict(Stamp::Absent), Verdict::NoCrc);
    }

    #[test]
    fn every_form_carries_the_exact_text() {
        let settings = CwmSettings::default();
        let text =
            okm(&["A"], "wr", 7, "2024-03-01T12:00:00", r#"{"name":"a+b \u00B0C & 100%"}"#, Stamp::Sound);
        for form in [Form::Query, Form::Json, Form::Urlencoded] {
            let speech = Speech { names: &settings.names, key: Some("secret") };
            let call = push(&speech, form, &text, "2024-03-01T12:00:00", Trouble::None);
            let query = call.target.split_once('?').map(|(_, query)| query);
            let stated = envelope::stated(query, &call.body, &settings).unwrap();
            let opened = envelope::messages(query, &call.body, &settings, |req, _| {
                hmac::holds(&stated, req, "secret", None).map_or(HmacCheck::Bad, |_| HmacCheck::Ok)
            });
            assert_eq!(opened.hmac, HmacCheck::Ok, "{form:?}");
            assert_eq!(opened.messages.len(), 1, "{call:?}");
            assert_eq!(opened.messages[0].text, text, "{form:?}");
            assert_eq!(opened.messages[0].read.verdict, Verdict::Ok);
        }
    }
}
