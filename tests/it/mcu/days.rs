//! Day files from outside: written, made for any day, taken in (`websocket-mcu.md §7`).

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::Bench;
use crate::harness::Program;

const DAY_1: &str = "16:54:56.123456, 17.000000, 31.250000\n16:54:59.000001, 18.000000, 31.375000\n\
                     23:59:58.999999, 19.000000, -40.000000\n";
const DAY_2: &str =
    "00:00:01.000000, 20.000000, 31.250000, 0.500000\n00:00:04.000000, 21.000000, nan, 0.500000\n";

fn with(settings: &str) -> Program {
    let program = Program::new();
    fs::write(program.folder().join("homeport.toml"), format!("[mcu]\n{settings}")).unwrap();
    program
}

impl Bench {
    fn put(&self, name: &str, text: &str) -> PathBuf {
        let folder = self.program.folder().join("old");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs `mcu import --json`; its success, what it says of each file, and its complaints.
    fn import(&self, arguments: &[&str]) -> (bool, Vec<Value>, String) {
        let output = self.program.run(&[&["mcu", "import", "--json"], arguments].concat());
        let records = serde_json::from_slice::<Vec<Value>>(&output.stdout).expect("JSON is printed");
        (output.status.success(), records, String::from_utf8(output.stderr).unwrap())
    }

    fn days(&self, number: u32) -> Vec<String> {
        let days = self.program.all(&self.token, &format!("/api/v1/devices/{}/days", self.id(number)));
        days.iter().map(|day| day["day"].as_str().unwrap().to_owned()).collect()
    }

    fn day(&self, number: u32, day: &str) -> String {
        let path = format!("/api/v1/devices/{}/days/{day}", self.id(number));
        let answer = self.program.client().get_as(&self.token, &path);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }

    fn stored_messages(&self) -> usize {
        self.program.all(&self.token, "/api/v1/messages?limit=500").len()
    }
}

fn counts(record: &Value) -> [u64; 4] {
    ["added", "known", "day_before", "bad_total"].map(|name| record[name].as_u64().unwrap())
}

#[test]
fn files_grow_as_the_original_s_did_and_a_kill_loses_and_doubles_nothing() {
    let mut bench = Bench::start(with("day_folder = \"Data\"\nday_zone = \"-03:30\""));
    let mut sent = 0;
    for round in 1..=3_usize {
        let mut board = bench.board();
        for _ in 0..40 {
            board.says(&format!("5,{sent},{}.5", sent % 60));
            sent += 1;
        }
        board.says(&format!("1234,{round},7,8"));
        bench.stores(5, sent);
        bench.stores(1234, round);
        // Wherever the writer is now.
        bench.program.kill();
        bench.program.start();
    }
    let mut board = bench.board();
    board.says(&format!("5,{sent},1e3"));
    bench.stores(5, sent + 1);
    let made: Vec<(String, String)> = [5, 1234]
        .into_iter()
        .flat_map(|number| bench.days(number).into_iter().map(move |day| (number, day)))
        .map(|(number, day)| (format!("IoTD{number:03}_{day}.csv"), bench.day(number, &day)))
        .collect();
    assert!(bench.program.stop().success());
    let mut counts = Vec::new();
    for (name, text) in &made {
        let written = fs::read_to_string(bench.program.folder().join("Data").join(name)).unwrap();
        assert_eq!(&written, text, "{name}");
        if name.starts_with("IoTD005_") {
            counts.extend(written.lines().map(|line| line.split(", ").nth(1).unwrap().to_owned()));
        }
    }
    counts.sort();
    let mut wanted: Vec<String> = (0..=sent).map(|count| format!("{count}.000000")).collect();
    wanted.sort();
    assert_eq!(counts, wanted);
}

#[test]
fn what_the_original_wrote_is_taken_in_once_and_comes_out_again_to_the_byte() {
    let bench = Bench::start(with("day_zone = \"Europe/London\""));
    bench.put("IoTD005_20161124.csv", DAY_1);
    bench.put("IoTD005_20161125.csv", DAY_2);
    bench.put("notes.txt", "not one of them");
    let folder = bench.program.folder().join("old");
    let folder = folder.to_str().unwrap();
    let (done, records, _) = bench.import(&[folder, "--dry-run"]);
    assert!(done && records.iter().map(counts).eq([[3, 0, 0, 0], [2, 0, 0, 0]]), "{records:?}");
    assert_eq!(bench.stored_messages(), 0, "a dry run stores nothing");
    let (done, records, told) = bench.import(&[folder]);
    assert!(done && records.iter().map(counts).eq([[3, 0, 0, 0], [2, 0, 0, 0]]), "{records:?} {told}");
    assert!(records[0]["new_device"] == true && records[1]["new_device"] == false);
    let before = bench.stored_messages();
    assert_eq!(before, 5);
    let (done, records, _) = bench.import(&[folder]);
    assert!(done && records.iter().map(counts).eq([[0, 3, 0, 0], [0, 2, 0, 0]]), "{records:?}");
    assert_eq!(bench.stored_messages(), before, "twice adds nothing");
    assert_eq!(bench.days(5), ["20161125", "20161124"]);
    assert_eq!(bench.day(5, "20161124.csv"), DAY_1);
    assert_eq!(bench.day(5, "2016-11-25"), DAY_2);
    assert_eq!(bench.program.done(&["mcu", "day", "5", "20161124"]), DAY_1);
    assert!(bench.program.done(&["mcu", "days", "5"]).contains("IoTD005_20161124.csv"));
    // What a person of another zone reads of it.
    let shifted = bench.program.done(&["mcu", "day", "5", "20161124", "--zone", "+01:00"]);
    assert!(shifted.starts_with("17:54:56.123456, 17.000000, 31.250000\n"), "{shifted}");
}

#[test]
fn what_was_taken_in_is_history_and_no_sign_of_life() {
    let bench = Bench::start(with("day_zone = \"+02:00\""));
    let mut board = bench.board();
    board.says("5,500,20.5");
    bench.stores(5, 1);
    let seen = bench.device(5)["last_seen"].clone();
    let path = bench.put("IoTD005_20161124.csv", DAY_1);
    bench.put("IoTD007_20161124.csv", DAY_1);
    let (done, _, told) = bench.import(&[path.parent().unwrap().to_str().unwrap()]);
    assert!(done, "{told}");
    // Newest values are the newest by their times.
    assert_eq!(bench.values(5, |values| values["SendCounter"] == 500)["TempSensor"], 20.5);
    assert_eq!(bench.values(7, |values| values["SendCounter"] == 19)["TempSensor"], -40.0);
    let (old, new) = (bench.device(5), bench.device(7));
    assert_eq!((&old["last_seen"], &new["last_seen"]), (&seen, &Value::Null));
    assert_eq!((&new["state"], &new["online"]), (&Value::from("active"), &Value::from(false)));
    // Found by the times of the file, as values and in plots.
    let id = bench.id(5);
    let during = "from=2016-11-24T14:54:00Z&to=2016-11-24T14:55:00Z";
    let data =
        bench.program.all(&bench.token, &format!("/api/v1/devices/{id}/data?sensor=TempSensor&{during}"));
    assert_eq!(data.iter().map(|datum| &datum["value"]).collect::<Vec<_>>(), [31.25, 31.375]);
    assert_eq!(data[0]["time_created"], "2016-11-24T14:54:56.123456Z");
    let buckets = format!("/api/v1/devices/{id}/data?sensor=TempSensor&bucket_s=60&{during}");
    let buckets = bench.program.all(&bench.token, &buckets);
    assert_eq!((buckets.len(), &buckets[0]["max"], &buckets[0]["count"]), (1, &31.375.into(), &2.into()));
    // The ledger says what it is.
    let messages = bench.program.all(&bench.token, &format!("/api/v1/messages?device={id}"));
    let line = messages.iter().find(|message| message["peer"] == "import IoTD005_20161124.csv:1").unwrap();
    assert_eq!(line["verdict"], "none");
    let raw = bench.program.client().get_as(&bench.token, &format!("/api/v1/messages/{}/raw", line["seq"]));
    assert_eq!(raw.text(), "16:54:56.123456, 17.000000, 31.250000\n");
    bench.program.done(&["audit"]);
    // The board goes on where it was: nothing was lost, and it did not restart.
    board.says("5,501,20.5");
    let values = bench.values(5, |values| values["SendCounter"] == 501);
    assert_eq!((&values["lost"], &values["restarts"]), (&Value::Null, &Value::Null));
}

#[test]
fn bad_lines_are_told_by_file_and_line_and_nothing_else_is_lost() {
    let bench = Bench::start(with("day_zone = \"UTC\""));
    let torn = format!("{DAY_1}garbage\n17:00:00.000000, 1.0, x\n23:59:59.500000, 20.000000, 1.0000");
    let path = bench.put("IoTD005_20161124.csv", &torn);
    let wrong = bench.put("IoTD5.csv", DAY_1);
    let (done, records, told) = bench.import(&[path.to_str().unwrap(), wrong.to_str().unwrap()]);
    assert!(!done);
    assert_eq!(records.iter().map(counts).collect::<Vec<_>>(), [[4, 0, 0, 2]]);
    for words in ["IoTD005_20161124.csv:4: ", "IoTD005_20161124.csv:5: value 2", "garbage", "IoTD5.csv"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    // Put right, the rest of it comes in, where it belongs.
    let right = format!("{DAY_1}23:59:59.500000, 20.000000, 1.0000\n");
    let right = right.replacen('\n', "\n16:54:57.000000, 1.000000, 2.000000\n", 1);
    let path = bench.put("IoTD005_20161124.csv", &right);
    let (done, records, _) = bench.import(&[path.to_str().unwrap()]);
    assert!(done && counts(&records[0]) == [1, 4, 0, 0], "{records:?}");
    assert_eq!(bench.day(5, "20161124"), right.replace("1.0000\n", "1.000000\n"));
}

#[test]
fn what_the_original_left_over_at_midnight_comes_to_its_day() {
    let bench = Bench::start(with("day_zone = \"Europe/London\""));
    let late = "23:59:59.000000, 22.000000, 5.000000\n";
    let next = bench.put("IoTD005_20161125.csv", &format!("{late}{DAY_2}"));
    let (done, records, _) = bench.import(&[next.to_str().unwrap()]);
    assert!(done && counts(&records[0]) == [3, 0, 1, 0], "{records:?}");
    let first = bench.put("IoTD005_20161124.csv", DAY_1);
    assert!(bench.import(&[first.to_str().unwrap()]).0);
    assert_eq!(bench.day(5, "20161124"), format!("{DAY_1}{late}"));
    assert_eq!(bench.day(5, "20161125"), DAY_2);
}

#[test]
fn homeport_s_own_files_add_nothing_and_refusals_say_why() {
    let bench = Bench::start(with("day_folder = \"Data\"\nday_zone = \"UTC\""));
    let mut board = bench.board();
    (0..20).for_each(|count| board.says(&format!("5,{count},1.2345678,{count}e-7")));
    bench.stores(5, 20);
    let days = bench.days(5);
    for day in &days {
        bench.put(&format!("IoTD005_{day}.csv"), &bench.day(5, day));
    }
    let folder = bench.program.folder().join("old");
    let (done, records, _) = bench.import(&[folder.to_str().unwrap()]);
    assert!(done && records.iter().all(|record| record["added"] == 0), "{records:?}");
    assert_eq!(bench.stored_messages(), 20);
    let id = bench.id(5);
    let get = |path: &str| {
        bench.program.client().get_as(&bench.token, &format!("/api/v1/devices/{id}/days/{path}"))
    };
    for (path, status, words) in [
        ("yesterday", 422, "20161124"),
        ("20150101", 404, "not found"),
        (&format!("{}?zone=Nowhere", days[0]), 422, "Europe/London"),
        ("IoTD006_20161124.csv", 422, "a day is written"),
    ] {
        let answer = get(path);
        assert!(answer.status == status && answer.text().contains(words), "{path}: {}", answer.text());
    }
    let answer = get(&days[0]);
    let name = format!("attachment; filename=\"IoTD005_{}.csv\"", days[0]);
    assert_eq!(answer.header("content-disposition"), Some(name.as_str()));
    let blocked =
        bench.program.client().post_as(&bench.token, &format!("/api/v1/devices/{id}/block"), &Value::Null);
    assert_eq!(blocked.status, 200, "{}", blocked.text());
    let path = bench.put("IoTD005_20161124.csv", DAY_1);
    let future = bench.put("IoTD005_29991231.csv", DAY_1);
    let (done, _, told) = bench.import(&[path.to_str().unwrap(), future.to_str().unwrap()]);
    assert!(!done && told.contains("blocked") && told.contains("not come yet"), "{told}");
}
