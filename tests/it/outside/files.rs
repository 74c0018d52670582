//! Files: published, downloaded whole and in parts, replaced under a reader, and nothing else given away.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::harness::{Client, Program, settled};

/// Bytes that look random and are the same in every run.
pub(super) fn sample(size: u64) -> Vec<u8> {
    let next = |seed: &mut u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(seed.to_be_bytes()[0])
    };
    let mut seed = size;
    (0..size).filter_map(|_| next(&mut seed)).collect()
}

fn publish(program: &Program, name: &str, bytes: &[u8]) {
    let file = format!("to-publish-{name}");
    fs::write(program.folder().join(&file), bytes).unwrap();
    program.done(&["files", "add", &file, "--as", name]);
}

fn names(head: &str) -> Vec<&str> {
    let mut names: Vec<&str> =
        head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file_is_found_under_its_three_paths_until_it_is_removed() {
    let program = Program::started();
    let bytes = sample(1023);
    publish(&program, "file1023.bin", &bytes);
    let listed: Value = serde_json::from_str(&program.done(&["files", "list", "--json"])).unwrap();
    let tag = format!("\"{}\"", listed[0]["sha256"].as_str().unwrap());
    assert_eq!((&listed[0]["name"], &listed[0]["size"]), (&"file1023.bin".into(), &1023.into()));
    let mut client = program.client();
    for path in ["/file1023.bin", "/file/file1023.bin", "/files/file1023.bin", "/files/file1023.bin/"] {
        let answer = client.get(path);
        assert_eq!((answer.status, &answer.body), (200, &bytes), "{path}: {}", answer.head);
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        let wanted =
            ["Accept-Ranges", "Content-Length", "Content-Type", "Date", "Etag", "X-Content-Type-Options"];
        assert_eq!(names(&answer.head), wanted);
    }
    // The connection stays in step after a HEAD, which has a length and no body.
    for (path, length) in [("/file1023.bin", "1023"), ("/files/file1023.bin?offset=1000", "23")] {
        client.write(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).unwrap();
        let head = client.read_head().unwrap();
        assert_eq!(head.header("content-length"), Some(length), "{}", head.head);
    }
    assert_eq!(client.get("/time").status, 200);
    let refused = client.ask(b"DELETE /files/file1023.bin HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    program.done(&["files", "remove", "file1023.bin"]);
    assert_eq!(client.get("/files/file1023.bin").status, 404);
    assert_eq!(client.get("/file1023.bin").status, 404);
    let gone = program.run(&["files", "remove", "file1023.bin"]);
    assert_eq!(gone.status.code(), Some(1));
}

#[test]
fn an_empty_file_is_a_file() {
    let program = Program::started();
    publish(&program, "empty", b"");
    let mut client = program.client();
    client.write(b"HEAD /empty HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(client.read_head().unwrap().header("content-length"), Some("0"));
    let ranged = client.ask(b"GET /empty HTTP/1.1\r\nHost: x\r\nRange: bytes=0-\r\n\r\n").unwrap();
    assert_eq!((ranged.status, ranged.header("content-length")), (200, Some("0")));
    assert_eq!(client.get("/empty?offset=0&len=1").status, 416);
}

#[test]
fn old_clients_and_other_programs_download_too() {
    let program = Program::started();
    let bytes = sample(100_000);
    publish(&program, "menu.bin", &bytes);
    let mut client = program.client();
    let answer = client.ask(b"GET /menu.bin HTTP/1.0\r\n\r\n").unwrap();
    assert!(answer.head.starts_with("HTTP/1.0 200 OK"), "{}", answer.head);
    assert_eq!(answer.body, bytes);
    assert!(client.read().is_err(), "it closes after an answer in HTTP/1.0");
    let half = program.folder().join("menu.part");
    fs::write(&half, &bytes[..33_333]).unwrap();
    let url = format!("https://localhost:{}/files/menu.bin", program.https().port());
    for more in [&["--continue-at", "-"][..], &["--http1.0", "--remove-on-error"]] {
        let done = std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--cacert"])
            .arg(program.root_file())
            .arg("--output")
            .arg(&half)
            .args(more)
            .arg(&url)
            .output()
            .expect("curl is there");
        assert!(done.status.success(), "{done:?}");
        assert_eq!(fs::read(&half).unwrap(), bytes, "{more:?}");
    }
}

#[test]
fn nothing_but_what_is_published_is_given_away() {
    let program = Program::started();
    publish(&program, "open.bin", b"for everybody");
    let canary = program.password();
    let files = program.folder().join("files");
    fs::write(files.join("dropped.bin"), &canary).unwrap();
    symlink("../data/initial-password", files.join("link.bin")).unwrap();
    symlink("../../data/initial-password", files.join("published/link")).unwrap();
    fs::write(program.folder().join("app.py"), &canary).unwrap();
    let contents = fs::read_dir(files.join("published")).unwrap().map(|entry| entry.unwrap().file_name());
    let sum = contents.into_iter().find(|name| name.len() == 64).expect("the content is there");
    let mut client = program.client();
    let tails = [
        "dropped.bin",
        "link.bin",
        "link",
        "published/link",
        "published",
        "app.py",
        "data/initial-password",
        "../data/initial-password",
        "..%2fdata%2finitial-password",
        "%2e%2e/data/initial-password",
        "%2e%2e%2fdata%2finitial-password",
        "%252e%252e%252fdata%252finitial-password",
        "..%5cdata%5cinitial-password",
        "..%c0%afdata%c0%afinitial-password",
        "/data/initial-password",
        "%2Fetc%2Fpasswd",
        "open.bin%00.txt",
        "open.bin%20",
        "open.bin/../../data/initial-password",
        "OPEN.BIN",
        ".",
        "..",
        "%2e%2e",
        "~root",
        "open.bin;x",
        sum.to_str().unwrap(),
    ];
    for tail in tails {
        for prefix in ["/", "/file/", "/files/", "//", "/./", "/files/../files/"] {
            let target = format!("{prefix}{tail}");
            let answer = client.get(&target);
            assert!(!answer.text().contains(canary.as_str()), "{target}");
            assert!(!answer.text().contains("for everybody"), "{target}");
            assert_ne!(answer.status, 206, "{target}");
            if prefix == "/files/" {
                assert!(matches!(answer.status, 400 | 404), "{target}: {}", answer.head);
            }
        }
    }
    assert_eq!(
        client.get("/open%2ebin").text(),
        "for everybody",
        "an escape that need not be is the same name"
    );
}

#[test]
fn no_file_takes_a_path_of_devices_or_pages() {
    let program = Program::started();
    let token = program.token();
    let mut client = program.client();
    let paths = [
        "push", "pull", "time", "PUSH", "file", "files", "login", "pullform", "devices", "commands", "api",
        "health", "assets", "logout",
    ];
    for name in paths {
        let answer = upload(&mut client, &token, "PUT", name, b"x");
        assert_eq!((answer.status, answer.json()["error"]["field"].as_str()), (409, Some("name")), "{name}");
    }
    for name in ["%2e%2e", "..%2fx", ".hidden", "a%00b", "a%20b", "-rf", &"x".repeat(65), "%2Fetc%2Fpasswd"] {
        let answer = upload(&mut client, &token, "PUT", name, b"x");
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
    }
    assert_eq!(program.all(&token, "/api/v1/files"), Vec::<Value>::new());
    assert!(client.get("/login").text().contains("<form"));
    assert_eq!(client.get("/pull").text(), "{\"pull\":false}");
}

fn upload(
    client: &mut Client,
    token: &str,
    method: &str,
    name: &str,
    bytes: &[u8],
) -> crate::harness::Answer {
    let mut request = format!(
        "{method} /api/v1/files/{name} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n",
        bytes.len()
    )
    .into_bytes();
    request.extend_from_slice(bytes);
    client.ask(&request).expect("an answer")
}

#[test]
fn the_api_takes_files_larger_than_a_message_and_replaces_them_in_one_step() {
    let program = Program::started();
    let token = program.token();
    let (old, new) = (sample(6_000_000), sample(3_000_001));
    let mut client = program.client();
    let first = upload(&mut client, &token, "PUT", "fw.bin", &old);
    assert_eq!((first.status, &first.json()["replaced"]), (201, &false.into()), "{}", first.text());
    let mut slow = program.client();
    slow.write(b"GET /fw.bin HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let head = slow.read_head().unwrap();
    let second = upload(&mut client, &token, "POST", "fw.bin", &new);
    assert_eq!((second.status, &second.json()["replaced"]), (200, &true.into()), "{}", second.text());
    let mut body = vec![0; old.len()];
    slow.read_exact(&mut body).unwrap();
    assert!(body == old, "what began with the old bytes ends with them");
    assert!(client.get("/fw.bin").body == new);
    let resumed = format!(
        "GET /fw.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=100-\r\nIf-Range: {}\r\n\r\n",
        head.header("etag").unwrap()
    );
    let answer = client.ask(resumed.as_bytes()).unwrap();
    assert!(answer.status == 200 && answer.body == new, "a part of another file is not a part of this one");
    let shown = program.api(&token, "/api/v1/files/fw.bin");
    assert_eq!(shown["size"], 3_000_001);
    assert_eq!(program.all(&token, "/api/v1/files").len(), 1);
}

#[test]
fn an_upload_that_is_refused_or_breaks_off_publishes_nothing() {
    let mut program = Program::new().set("HOMEPORT_LIMITS_FILE_BYTES_MAX", "100000");
    program.start();
    let token = program.token();
    let mut client = program.client();
    let large = upload(&mut client, &token, "PUT", "a.bin", &sample(100_001));
    assert_eq!((large.status, large.json()["error"]["code"].as_str()), (413, Some("too_large")));
    let chunked = format!(
        "PUT /api/v1/files/a.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let mut client = program.client();
    client.write(chunked.as_bytes()).unwrap();
    for _ in 0..2 {
        client
            .write(b"ea60\r\n")
            .and_then(|()| client.write(&[&sample(60_000)[..], b"\r\n"].concat()))
            .unwrap();
    }
    client.write(b"0\r\n\r\n").unwrap();
    assert_eq!(client.read().unwrap().status, 413, "counted, not believed");
    let polite = |length: usize| {
        format!(
            "PUT /api/v1/files/b.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let refused = program.client().ask(polite(100_001).as_bytes()).unwrap();
    assert_eq!(refused.status, 413, "who asks first need not send it");
    let mut client = program.client();
    client.write(polite(100_000).as_bytes()).unwrap();
    assert_eq!(client.read_head().unwrap().status, 100);
    assert_eq!(client.ask(&sample(100_000)).unwrap().status, 201);
    program.done(&["files", "remove", "b.bin"]);
    let mut client = program.client();
    let form = format!(
        "POST /api/v1/files/a.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5\r\n\r\n--x--"
    );
    assert_eq!(client.ask(form.as_bytes()).unwrap().status, 400);
    let stranger =
        client.ask(b"PUT /api/v1/files/a.bin HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
    assert_eq!(stranger.status, 401);
    let mut cut = program.client();
    let half = format!(
        "PUT /api/v1/files/a.bin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: 90000\r\n\r\nonly this"
    );
    cut.write(half.as_bytes()).unwrap();
    let folder = program.folder().join("files/published");
    let count = || fs::read_dir(&folder).map_or(0, Iterator::count);
    assert!(settled(|| (count() == 1).then_some(())).is_some(), "the upload has begun");
    drop(cut);
    assert!(settled(|| (count() == 0).then_some(())).is_some(), "nothing is left of it");
    assert_eq!(program.all(&token, "/api/v1/files"), Vec::<Value>::new());
}

#[test]
fn published_files_survive_a_kill_and_a_damaged_one_is_not_served() {
    let mut program = Program::started();
    let bytes = sample(70_000);
    publish(&program, "a.bin", &bytes);
    program.kill();
    program.start();
    assert!(program.client().get("/a.bin").body == bytes);
    let folder = program.folder().join("files/published");
    let content = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&content).unwrap();
    symlink(program.folder().join("data/initial-password"), &content).unwrap();
    assert_eq!(program.client().get("/files/a.bin").status, 404);
    assert!(program.says("cannot be opened"), "the operator can read why");
    let listed = program.run(&["files", "list"]);
    assert!(String::from_utf8_lossy(&listed.stderr).contains("a.bin is not there"), "{listed:?}");
    program.stop();
    program.start();
    assert!(program.says("a published file is not there"), "and again at a start");
    publish(&program, "a.bin", &bytes);
    assert!(program.client().get("/a.bin").body == bytes, "publishing again puts it right");
}

#[test]
fn where_certificates_are_required_downloads_need_one_too() {
    let mut program = Program::new().set("HOMEPORT_TLS_CLIENT_CERTIFICATES", "required");
    program.start();
    publish(&program, "a.bin", b"not for everybody");
    for path in ["/a.bin", "/file/a.bin", "/files/a.bin", "/files/a.bin?offset=1"] {
        let answer = program.client().get(path);
        assert_eq!(answer.status, 403, "{path}: {}", answer.text());
    }
    assert_eq!(program.client().get("/login").status, 200, "pages are for people, who have passwords");
}

#[test]
fn a_large_file_goes_in_and_out_in_little_memory() {
    const SIZE: u64 = 256 << 20;
    let mut program = Program::new().thrifty();
    program.start();
    publish(&program, "warm.bin", &sample(3_000_000));
    assert_eq!(program.client().get("/warm.bin").status, 200);
    let sparse = fs::File::create(program.folder().join("large.bin")).unwrap();
    sparse.set_len(SIZE).unwrap();
    let before = peak_kib(program.process());
    program.done(&["files", "add", "large.bin"]);
    let mut client = program.client();
    client.write(b"GET /large.bin HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let head = client.read_head().unwrap();
    assert_eq!(head.header("content-length"), Some(SIZE.to_string().as_str()));
    let mut piece = vec![1; 1 << 20];
    for _ in 0..SIZE >> 20 {
        client.read_exact(&mut piece).unwrap();
        assert!(piece.iter().all(|byte| *byte == 0));
    }
    let grown = peak_kib(program.process()) - before;
    assert!(grown < 32 << 10, "{grown} KiB for a file of {} KiB", SIZE >> 10);
}

/// The most memory a process ever had, in KiB.
pub(super) fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
