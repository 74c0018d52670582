//! The node's parameter sync (`sca11h.md §5`): what it says, and what it makes of the answer, which it reads as strictly
//! as a small device might (§3.3, §3.4). Pure.

use bytes::Bytes;

use crate::family::simulator::{Call, Form, Purpose, Trouble};

/// What a node says at a sync.
#[derive(Clone, Copy, Debug)]
pub(super) struct Says<'a> {
    /// Twelve upper-case hex digits.
    pub(super) mac: &'a str,
    /// Its node id.
    pub(super) name: &'a str,
    pub(super) pars: &'a str,
    /// The how manieth of its syncs; no two are alike.
    pub(super) place: u32,
    /// Whether nothing stands behind the JSON.
    pub(super) tidy: bool,
}

/// The request; its spelling changes with the place.
pub(super) fn call(says: &Says<'_>, trouble: Trouble) -> Call {
    let Says { mac, name, pars, place, tidy } = *says;
    let spelled = match place % 4 {
        0 => separated(mac, ":"),
        1 => separated(&mac.to_ascii_lowercase(), "-"),
        2 => mac.to_owned(),
        _ => separated(mac, "%3A").to_ascii_lowercase(),
    };
    let slash = if place % 3 == 1 { "" } else { "/" };
    let pars = if place % 5 == 4 { format!("[{pars}]") } else { format!("\"{pars}\"") };
    // A member that nobody documents, and what a small device may leave behind.
    let tail = if place % 6 == 5 && !tidy { "\0\0" } else { "" };
    let body =
        format!(r#"{{"name":"{name}","fw_ver":"1.0","wlan_ver":"5.1","syncs":{place},"pars":{pars}}}{tail}"#);
    let kind = if place % 4 == 3 { "text/plain" } else { "application/json" };
    let form = match place % 7 {
        3 => Form::Chunked,
        5 => Form::Old,
        _ => Form::Plain,
    };
    Call {
        purpose: Purpose::Sync,
        method: "POST",
        target: format!("/firmware/device/{spelled}{slash}"),
        headers: vec![("Content-Type", kind.to_owned())],
        body: Bytes::from(body),
        form,
        trouble,
    }
}

/// What an answer asks for: new parameters, or nothing. The fault is a sentence.
pub(super) fn wanted(head: &[u8], body: &Bytes, form: Form) -> Result<(Bytes, Option<String>), String> {
    let head = std::str::from_utf8(head).map_err(|_| "a head that is no text".to_owned())?;
    well_formed(head)?;
    let chunked = head.contains("\r\nTransfer-Encoding: chunked\r\n");
    if chunked && form == Form::Old {
        return Err("chunks for HTTP/1.0".to_owned());
    }
    let json = if chunked { one_chunk(body)? } else { body.clone() };
    if json.as_ref() == b"{}" {
        return Ok((json, None));
    }
    let text = std::str::from_utf8(&json).ok();
    let pars = text.and_then(|text| text.strip_prefix(r#"{"pars":""#)?.strip_suffix(r#""}"#));
    match pars {
        Some(pars) if is_six_numbers(pars) => Ok((json.clone(), Some(pars.to_owned()))),
        Some(_) | None => Err(format!("{} for parameters", String::from_utf8_lossy(&json))),
    }
}

/// What holds for the head of every answer (§3.4).
pub(super) fn well_formed(head: &str) -> Result<(), String> {
    let names: Vec<&str> =
        head.split("\r\n").skip(1).filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    let has = |name: &str| names.contains(&name);
    let title = |name: &&str| {
        name.split('-').all(|part| part.starts_with(|letter: char| letter.is_ascii_uppercase()))
    };
    if let Some(name) = names.iter().find(|name| !title(name)) {
        return Err(format!("the header `{name}`, which is not in title case"));
    }
    if has("Content-Length") == has("Transfer-Encoding") {
        return Err("neither or both of Content-Length and Transfer-Encoding".to_owned());
    }
    if !has("Date") || !has("Content-Type") {
        return Err("no Date or no Content-Type".to_owned());
    }
    if head.len() >= HEAD_MAX_BYTES { Err(format!("a head of {} bytes", head.len())) } else { Ok(()) }
}

/// The JSON in a body of one chunk: its size in upper-case hex without zeros before it, and nothing after the end.
fn one_chunk(body: &Bytes) -> Result<Bytes, String> {
    let wrong = || format!("another frame than one chunk: {:?}", String::from_utf8_lossy(body));
    let end = body.windows(2).position(|two| two == b"\r\n").ok_or_else(wrong)?;
    let (mark, rest) = body.split_at(end);
    let json =
        rest.strip_prefix(b"\r\n").and_then(|rest| rest.strip_suffix(b"\r\n0\r\n\r\n")).ok_or_else(wrong)?;
    let exact = format!("{:X}", json.len()).into_bytes();
    if mark == exact { Ok(body.slice_ref(json)) } else { Err(wrong()) }
}

fn is_six_numbers(pars: &str) -> bool {
    let number = |field: &str| field.parse::<u32>().is_ok_and(|number| number.to_string() == field);
    pars.split(',').count() == 6 && pars.split(',').all(number)
}

pub(super) fn separated(mac: &str, by: &str) -> String {
    let (pairs, _) = mac.as_bytes().as_chunks::<2>();
    pairs.iter().map(|pair| String::from_utf8_lossy(pair)).collect::<Vec<_>>().join(by)
}

/// What a node's memory is known to be good for is unknown; this much is safe (§3.4).
const HEAD_MAX_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nDate: x\r\n\r\n";

    fn read(body: &'static [u8]) -> Result<Option<String>, String> {
        wanted(HEAD, &Bytes::from_static(body), Form::Plain).map(|(_, pars)| pars)
    }

    #[test]
    fn the_answer_of_the_page_is_understood_and_no_other() {
        let pars = read(b"21\r\n{\"pars\":\"7000,270,5000,0,1400,7\"}\r\n0\r\n\r\n");
        assert_eq!(pars, Ok(Some("7000,270,5000,0,1400,7".to_owned())));
        assert_eq!(read(b"2\r\n{}\r\n0\r\n\r\n"), Ok(None));
        for wrong in [
            &b"02\r\n{}\r\n0\r\n\r\n"[..],
            b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            b"2;a\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{}\r\n0\r\nA: b\r\n\r\n",
            b"22\r\n{\"pars\": \"7000,270,5000,0,1400,7\"}\r\n0\r\n\r\n",
            b"1C\r\n{\"pars\":\"7000,270,5000,0,0\"}\r\n0\r\n\r\n",
            b"2\r\n[]\r\n0\r\n\r\n",
        ] {
            assert!(read(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
        // Hexadecimal in lower case is not what the original sent.
        let long = b"1c\r\n{\"pars\":\"7000,270,5000,0,1,7\"}\r\n0\r\n\r\n";
        assert!(read(long).is_err());
    }

    #[test]
    fn a_head_is_judged() {
        let judged = |lines: &str| well_formed(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n\r\n"));
        assert_eq!(judged("Content-Type: a\r\nContent-Length: 4\r\nDate: x"), Ok(()));
        for wrong in [
            "content-type: a\r\nContent-Length: 4\r\nDate: x",
            "Content-Type: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\nDate: x",
            "Content-Type: a\r\nDate: x",
            "Content-Type: a\r\nContent-Length: 4",
        ] {
            assert!(judged(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_mac_is_spelled_in_four_ways() {
        let target = |place| {
            let says = Says { mac: "025343000001", name: "bed", pars: "1,2,3,4,5,6", place, tidy: false };
            call(&says, Trouble::None).target
        };
        assert_eq!(target(0), "/firmware/device/02:53:43:00:00:01/");
        assert_eq!(target(1), "/firmware/device/02-53-43-00-00-01");
        assert_eq!(target(2), "/firmware/device/025343000001/");
        assert_eq!(target(3), "/firmware/device/02%3a53%3a43%3a00%3a00%3a01/");
    }
}
