//! Everything measured, taken out: its forms, one moment of it, and in little memory (`accounts-dashboard.md §4`, §8).

use std::fs;
use std::sync::Arc;

use homeport::model::{Reading, Value as Measured};
use homeport::store::{Store, Target, Write, WriterSettings};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::files::peak_kib;
use crate::harness::{Answer, Client, Program};
use crate::store::cases::{at, device, report};

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn make(program: &Program, admin: &str, name: &str) -> (String, String) {
    let made = program.post(admin, "/api/v1/devices", &json!({ "name": name }));
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    (text(&made["device"]["id"]), text(&made["token"]))
}

fn upload(program: &Program, token: &str, body: &str) {
    let length = body.len();
    let head = format!("POST /api/v1/data HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{body}");
    let answer = program.plain_client().ask(request.as_bytes()).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
}

fn cells(answer: &Answer) -> Vec<Vec<String>> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(answer.body.as_slice());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

/// The first device's name, as a cell.
const KITCHEN: &str = "'=Küche \"1\"";

/// Every row but for the arrival.
fn without(column: usize, rows: &[Vec<String>]) -> Vec<String> {
    let row = |row: &Vec<String>| {
        let cells = row.iter().enumerate().filter(|(place, _)| *place != column);
        cells.map(|(_, cell)| cell.as_str()).collect::<Vec<_>>().join("|")
    };
    rows.iter().map(row).collect()
}

/// A server with what two devices said.
struct House {
    program: Program,
    admin: String,
    /// The id of the first device.
    boiler: String,
}

impl House {
    fn new() -> Self {
        let program = Program::started();
        let admin = program.token();
        let (boiler, boiler_token) = make(&program, &admin, "=Küche \"1\"");
        let (_, tank_token) = make(&program, &admin, "Tank");
        let batch = r#"[{"tmp":20,"light":80,"time_created":"2024-03-01T12:00:00Z"},
            {"tmp":-21,"note":"=1+1","time_created":"2024-03-01T12:00:01Z"}]"#;
        upload(&program, &boiler_token, batch);
        upload(&program, &tank_token, "1.5");
        upload(&program, &boiler_token, "{\"tmp\":null}");
        Self { program, admin, boiler }
    }
}

fn taken(program: &Program, admin: &str, path: &str) -> Answer {
    let answer = program.client().get_as(admin, path);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer
}

#[test]
fn the_same_values_come_in_every_form() {
    let House { program, admin, .. } = House::new();
    let get = |path: &str| taken(&program, &admin, path);
    let made = ["2024-03-01T12:00:00.000000Z", "2024-03-01T12:00:01.000000Z"];
    let long = get("/api/v1/export.csv");
    assert!(long.text().ends_with("\r\n") && !long.text().replace("\r\n", "").contains('\n'));
    let kitchen = KITCHEN;
    let head = "device|sensor|value|unit|time_created".to_owned();
    let rows = [
        head,
        format!("{kitchen}|light|80||{}", made[0]),
        format!("{kitchen}|note|'=1+1||{}", made[1]),
        format!("{kitchen}|tmp|20||{}", made[0]),
        format!("{kitchen}|tmp|-21||{}", made[1]),
        "Tank|data|1.5||".to_owned(),
        format!("{kitchen}|tmp|||"),
    ];
    assert_eq!(without(4, &cells(&long)), rows);
    let wide = get("/api/v1/export.csv?form=wide&bom=true");
    assert!(wide.body.starts_with(b"\xef\xbb\xbfdevice,"), "{}", wide.text());
    let wide = without(1, &cells(&wide));
    let rows = [
        format!("{kitchen}|{}||80||20", made[0]),
        format!("{kitchen}|{}|||'=1+1|-21", made[1]),
        "Tank||1.5|||".to_owned(),
        format!("{kitchen}|||||"),
    ];
    assert!(wide[0].ends_with("device|time_created|data|light|note|tmp"), "{}", wide[0]);
    assert_eq!(wide[1..], rows);
    let classic = get("/api/v1/export.csv?form=classic");
    let rows = [
        format!("{kitchen}|"),
        "Data|Time Created".to_owned(),
        format!("{{\"light\":80,\"tmp\":20}}|{}", made[0]),
        format!("{{\"note\":\"=1+1\",\"tmp\":-21}}|{}", made[1]),
        "{\"tmp\":null}|".to_owned(),
        "Tank|".to_owned(),
        "Data|Time Created".to_owned(),
        "1.5|".to_owned(),
    ];
    assert_eq!(without(1, &cells(&classic)), rows);
}

#[test]
fn one_device_some_sensors_backwards_and_as_lines() {
    let House { program, admin, boiler } = House::new();
    let get = |path: &str| taken(&program, &admin, path);
    let own = format!("/api/v1/devices/{boiler}/export");
    let one = get(&format!("{own}.csv?sensor=tmp&sensor=note&order=desc"));
    assert_eq!(
        cells(&one).iter().map(|row| row[2].as_str()).collect::<Vec<_>>(),
        ["value", "", "-21", "20", "'=1+1"]
    );
    let name = one.header("content-disposition").unwrap();
    assert!(name.contains("filename=\"_K_che__1_.csv\""), "{name}");
    assert!(name.contains("filename*=UTF-8''%3DK%C3%BCche%20%221%22.csv"), "{name}");
    let lines = get(&format!("{own}.jsonl?form=wide"));
    assert_eq!(lines.header("content-type"), Some("application/jsonl"));
    let lines: Vec<Value> = lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[1]["values"], json!({"note": "=1+1", "tmp": -21}), "JSON is no spreadsheet");
    assert_eq!(lines.len(), 3);
    assert!(get("/api/v1/export.jsonl").header("content-disposition").unwrap().contains("data.jsonl"));
}

#[test]
fn what_does_not_go_together_is_refused() {
    let House { program, admin, .. } = House::new();
    let refused = [
        ("form=tall", "form"),
        ("format=xls", "format"),
        ("form=classic&format=jsonl", "form"),
        ("bom=true&format=jsonl", "bom"),
        ("bom=maybe", "bom"),
        ("form=wide&labels=true", "labels"),
        ("from=2024-03-02T00:00:00Z&to=2024-03-01T00:00:00Z", "from"),
        ("order=sideways", "order"),
    ];
    for (query, field) in refused {
        let answer = program.client().get_as(&admin, &format!("/api/v1/export.csv?{query}"));
        assert_eq!(
            (answer.status, text(&answer.json()["error"]["field"])),
            (422, field.to_owned()),
            "{query}"
        );
    }
    let printed = program.done(&["export", "--form", "wide", "--device", "Tank"]);
    assert!(printed.starts_with("device,time_received,time_created,data\r\nTank,"), "{printed}");
    let printed = program.done(&["export", "--format", "jsonl", "--sensor", "note"]);
    assert!(printed.contains("\"value\":\"=1+1\""), "{printed}");
}

#[test]
fn pages_put_together_are_the_whole_whatever_their_length() {
    let program = Program::started();
    let admin = program.token();
    let (id, token) = make(&program, &admin, "Boiler");
    let (_, other) = make(&program, &admin, "Tank");
    for number in 0..9 {
        let records: Vec<Value> = (0..4).map(|at| json!({"a": number, "b": at})).collect();
        upload(&program, &token, &Value::Array(records).to_string());
        upload(&program, &other, &format!("{{\"a\":{number},\"c\":true}}"));
    }
    let whole = program.api(&admin, "/api/v1/data");
    assert!(whole["next"].is_null());
    let whole = whole["items"].as_array().unwrap().clone();
    assert_eq!(whole.len(), 9 * (8 + 2));
    assert_eq!((&whole[0]["device"]["name"], &whole[0]["device"]["id"]), (&json!("Boiler"), &json!(id)));
    let own: Vec<Value> = whole.iter().filter(|datum| datum["device"]["id"] == *id).cloned().collect();
    let bare = |mut datum: Value| {
        datum.as_object_mut().unwrap().shift_remove("device");
        datum
    };
    let own: Vec<Value> = own.into_iter().map(bare).collect();
    for limit in [1, 2, 3, 7, 8, 89, 90, 1000] {
        for (order, reversed) in [("", false), ("&order=asc", false), ("&order=desc", true)] {
            let gather = |path: &str, want: &[Value]| {
                let mut found = program.all(&admin, &format!("{path}?limit={limit}{order}"));
                if reversed {
                    found.reverse();
                }
                assert!(found == want, "{path} by {limit}{order}");
            };
            gather("/api/v1/data", &whole);
            gather(&format!("/api/v1/devices/{id}/data"), &own);
        }
    }
    // Buckets are the sums of what stands in them.
    let path =
        format!("/api/v1/devices/{id}/data?bucket_s=604800&from=2020-01-01T00:00:00Z&sensor=a&sensor=b");
    let buckets = program.api(&admin, &path);
    for sensor in ["a", "b"] {
        let numbers: Vec<f64> = own
            .iter()
            .filter(|datum| datum["sensor"] == sensor)
            .map(|datum| datum["value"].as_f64().unwrap())
            .collect();
        let buckets = buckets["items"].as_array().unwrap().iter().filter(|bucket| bucket["sensor"] == sensor);
        let of =
            |name: &str| buckets.clone().map(|bucket| bucket[name].as_f64().unwrap()).collect::<Vec<_>>();
        let counts = of("count");
        let sum: f64 = of("avg").iter().zip(&counts).map(|(avg, count)| avg * count).sum();
        assert!(
            (counts.iter().sum::<f64>() - 36.0).abs() < 1e-9
                && (sum - numbers.iter().sum::<f64>()).abs() < 1e-9
        );
        assert_eq!(of("min").into_iter().reduce(f64::min), numbers.iter().copied().reduce(f64::min));
        assert_eq!(of("max").into_iter().reduce(f64::max), numbers.iter().copied().reduce(f64::max));
        assert_eq!(of("last").last(), numbers.last());
    }
    let some = program.all(&admin, "/api/v1/data?sensor=b&sensor=c&device=Tank&limit=4");
    assert!(some.len() == 9 && some.iter().all(|datum| datum["sensor"] == "c"));
    for (query, field) in [("limit=1001", "limit"), ("agg=min", "agg"), ("cursor=x", "cursor")] {
        let answer = program.client().get_as(&admin, &format!("/api/v1/data?{query}"));
        assert_eq!(
            (answer.status, text(&answer.json()["error"]["field"])),
            (422, field.to_owned()),
            "{query}"
        );
    }
}

/// Fills a store with more than a million values before the server has it.
fn filled(program: &Program) -> usize {
    let data = program.folder().join("data");
    fs::create_dir_all(&data).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let target = Target::Sqlite(data.join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let known = device("d1", "Boiler");
        let mut open = Vec::new();
        for message in 0..MESSAGES {
            let mut write = report(&known, at(message), &format!("message {message}"));
            write.readings = (0..VALUES)
                .map(|number| Reading {
                    sensor: format!("sensor {number}").as_str().into(),
                    value: Measured::Integer(message * 1000 + number),
                    created: None,
                    counts: true,
                })
                .collect();
            open.push(store.write(Write::Report(Arc::new(write))));
            if open.len() == 64 {
                for write in open.drain(..) {
                    write.await.unwrap();
                }
            }
        }
        for write in open {
            write.await.unwrap();
        }
        store.close().await;
    });
    usize::try_from(MESSAGES * VALUES).unwrap()
}

const MESSAGES: i64 = 2000;
const VALUES: i64 = 512;

#[test]
fn a_million_values_go_out_in_little_memory_and_are_of_one_moment() {
    let mut program = Program::new().thrifty();
    let values = filled(&program);
    program.start();
    let admin = program.token();
    let (_, token) = make(&program, &admin, "Tank");
    upload(&program, &token, "1");
    // Once, so that what every export needs is there.
    let warm = program.client().get_as(&admin, "/api/v1/export.csv?device=Tank");
    assert_eq!(warm.text().lines().count(), 2);
    let before = peak_kib(program.process());
    let mut slow = begin(&program, &admin, "/api/v1/export.csv");
    let mut rows = Rows::default();
    rows.read(&mut slow, 2);
    // It reads no further for now. Devices are heard meanwhile, and the journal is folded into the database: nothing holds
    // an older state of it.
    for number in 0..20 {
        upload(&program, &token, &number.to_string());
    }
    let database = Connection::open(program.folder().join("data/homeport.db")).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let busy: i64 = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(busy, 0, "the journal can be folded");
    drop(database);
    // The first part brings what reading needs: a page of the store, unpacked, on each thread that reads. From then on
    // nothing is added, however much follows.
    rows.read(&mut slow, 30);
    let (part, half) = (rows.bytes, peak_kib(program.process()));
    rows.read(&mut slow, usize::MAX);
    let end = peak_kib(program.process());
    assert!(part < rows.bytes * 2 / 3, "{part} of {} bytes", rows.bytes);
    assert_eq!(rows.lines, 1 + values + 1, "what was stored when it began: all of it, and nothing else");
    assert!(rows.bytes > 50_000_000, "{} bytes", rows.bytes);
    assert!(end - half < 16 << 10, "{} KiB more for {} KiB", end - half, (rows.bytes - part) >> 10);
    assert!(end - before < 64 << 10, "{} KiB in all", end - before);
}

/// Asks for an export, and reads the head of the answer.
fn begin(program: &Program, token: &str, path: &str) -> Client {
    let mut client = program.client();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    client.write(request.as_bytes()).unwrap();
    let head = client.read_head().unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, Some("chunked")), "{}", head.head);
    client
}

/// Lines and bytes of a body in chunks, counted and let go of.
#[derive(Default)]
struct Rows {
    lines: usize,
    bytes: usize,
}

impl Rows {
    /// Reads so many chunks, or to the end.
    fn read(&mut self, client: &mut Client, chunks: usize) {
        for _ in 0..chunks {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n") {
                let mut byte = [0];
                client.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let size = usize::from_str_radix(String::from_utf8_lossy(&head).trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            client.read_exact(&mut chunk).unwrap();
            if size == 0 {
                return;
            }
            self.bytes += size;
            self.lines += chunk[..size].iter().map(|byte| usize::from(*byte == b'\n')).sum::<usize>();
        }
    }
}
