//! Files by the form of the page, as a browser without script sends them.

use std::fs;

use super::files::{peak_kib, sample};
use crate::harness::{Answer, Client, Program, settled};

const BOUNDARY: &str = "----geckoformboundary1f";

/// The cookie of the first administrator.
fn signed_in(program: &Program) -> String {
    let form = format!("name=admin&password={}", program.password());
    let request = format!(
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = program.client().ask(request.as_bytes()).unwrap();
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

fn field(name: &str, value: &str) -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

fn head_of_file(name: &str) -> String {
    format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
}

fn form(fields: &[(&str, &str)], file: &str, bytes: &[u8]) -> Vec<u8> {
    let fields: String = fields.iter().map(|(name, value)| field(name, value)).collect();
    [fields.as_bytes(), head_of_file(file).as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()]
        .concat()
}

fn head(cookie: &str, length: u64, more: &str) -> String {
    format!(
        "POST /published/upload HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n{more}\
         Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn send(client: &mut Client, cookie: &str, more: &str, body: &[u8]) -> Answer {
    client.write(head(cookie, body.len() as u64, more).as_bytes()).unwrap();
    client.ask(body).unwrap()
}

#[test]
fn a_file_comes_by_a_plain_form_and_is_the_same_to_the_byte() {
    let program = Program::started();
    let (token, cookie) = (program.token(), signed_in(&program));
    let mut bytes = sample(3_000_000);
    bytes.extend_from_slice(format!("\r\n--{}\r\n--\r\n", &BOUNDARY[..20]).as_bytes());
    let fields = [("name", ""), ("label", "1.2"), ("target", "Oven <x>")];
    let mut client = program.client();
    let first = send(&mut client, &cookie, "", &form(&fields, "C:\\old\\fw.bin", &bytes));
    assert_eq!(
        (first.status, first.header("location")),
        (303, Some("/published?done=uploaded")),
        "{}",
        first.text()
    );
    assert!(client.get("/file/fw.bin").body == bytes);
    let shown = program.api(&token, "/api/v1/files/fw.bin");
    assert_eq!((shown["label"].as_str(), shown["target"].as_str()), (Some("1.2"), Some("Oven <x>")));
    let again = form(&[("name", "fw.bin")], "other", b"");
    let again = send(&mut client, &cookie, "", &again);
    assert_eq!(again.header("location"), Some("/published?done=replaced"), "{}", again.text());
    let shown = program.api(&token, "/api/v1/files/fw.bin");
    assert_eq!(
        (shown["size"].as_u64(), &shown["label"]),
        (Some(0), &serde_json::Value::Null),
        "an empty file is one"
    );
    let audit = program.all(&token, "/api/v1/audit");
    let noted = audit.iter().find(|entry| entry["target"] == "fw.bin");
    assert!(noted.is_some(), "{audit:?}");
}

#[test]
fn what_a_form_may_not_upload_is_told_at_its_field() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_FILE_BYTES_MAX", "100000");
    program.start();
    let cookie = signed_in(&program);
    let refused = |status: u16, words: &str, body: &[u8]| {
        let answer = send(&mut program.client(), &cookie, "", body);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(words), "{words}: {}", answer.text());
        answer.text()
    };
    let page = refused(422, "id=\"wrong-file\"", &form(&[("label", "2 & 3")], "", b""));
    assert!(page.contains("choose a file") && page.contains("value=\"2 &#38; 3\""), "{page}");
    refused(422, "choose a file", &[field("name", "a"), format!("--{BOUNDARY}--\r\n")].concat().into_bytes());
    refused(422, "id=\"wrong-name\"", &form(&[("name", "../a")], "a", b"x"));
    refused(422, "id=\"wrong-label\"", &form(&[("label", &"l".repeat(65))], "a", b"x"));
    let (whole, late) = (form(&[], "a", b"x"), field("name", "b"));
    let (begin, end) = whole.split_at(whole.len() - format!("--{BOUNDARY}--\r\n").len());
    refused(422, "stands before the file", &[begin, late.as_bytes(), end].concat());
    refused(413, "id=\"wrong-file\"", &form(&[], "a", &sample(100_001)));
    refused(413, "id=\"wrong-file\"", &form(&[], "a", &sample(400_000)));
    refused(400, "did not arrive whole", &form(&[], "a", b"x")[..100]);
    let many: Vec<u8> = field("more", "x").repeat(20).into_bytes();
    refused(400, "more than 16 fields", &[&many[..], &whole].concat());
    refused(422, "1024 bytes at most", &form(&[("name", &"n".repeat(1100))], "a", b"x"));

    let mut client = program.client();
    let stranger = send(&mut client, "none=1", "", &whole);
    assert!(stranger.header("location").unwrap().starts_with("/login"), "{}", stranger.head);
    let other_site = send(&mut program.client(), &cookie, "Sec-Fetch-Site: cross-site\r\n", &whole);
    assert_eq!(other_site.status, 403);
    let mut cut = program.client();
    cut.write(head(&cookie, 90_000, "").as_bytes()).unwrap();
    cut.write(&[head_of_file("a").as_bytes(), &sample(20_000)].concat()).unwrap();
    let folder = program.folder().join("files/published");
    let count = || fs::read_dir(&folder).map_or(0, Iterator::count);
    assert!(settled(|| (count() == 1).then_some(())).is_some(), "the upload has begun");
    drop(cut);
    assert!(settled(|| (count() == 0).then_some(())).is_some(), "nothing is left of it");
    assert_eq!(program.all(&program.token(), "/api/v1/files"), Vec::<serde_json::Value>::new());
}

#[test]
fn a_large_file_comes_by_a_form_in_little_memory() {
    const SIZE: u64 = 96 << 20;
    let mut program = Program::new().thrifty();
    program.start();
    let cookie = signed_in(&program);
    let warm = form(&[], "warm.bin", &sample(3_000_000));
    assert_eq!(send(&mut program.client(), &cookie, "", &warm).status, 303);
    let (begin, end) = (head_of_file("large.bin"), format!("\r\n--{BOUNDARY}--\r\n"));
    let length = SIZE + (begin.len() + end.len()) as u64;
    let before = peak_kib(program.process());
    let mut client = program.client();
    client.write(head(&cookie, length, "").as_bytes()).unwrap();
    client.write(begin.as_bytes()).unwrap();
    let piece = vec![b'-'; 1 << 20];
    for _ in 0..SIZE >> 20 {
        client.write(&piece).unwrap();
    }
    let answer = client.ask(end.as_bytes()).unwrap();
    assert_eq!(answer.status, 303, "{}", answer.text());
    let grown = peak_kib(program.process()) - before;
    assert!(grown < 32 << 10, "{grown} KiB for a file of {} KiB", SIZE >> 10);
    let shown = program.api(&program.token(), "/api/v1/files/large.bin");
    assert_eq!(shown["size"].as_u64(), Some(SIZE));
}
