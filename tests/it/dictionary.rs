//! Data dictionaries from outside: files in a folder, what people then see, and that nothing stored changes.

use std::fs;

use serde_json::Value;

use crate::harness::{Module, Program, okm};

const OVEN: &str = r#"
name = "Oven"
[match]
models = ["0363"]
[keys.oil_temp]
label = "Oil temperature"
unit = "°F"
scale = 0.1
precision = 1
alarms = [{ above = 400, message = "Oil too hot" }]
"#;

const OKE: &str = "036334d0b8df1f05";
const CWM: &str = "0002010203040506";

fn of<'v>(items: &'v [Value], sensor: &str) -> &'v Value {
    items.iter().find(|item| item["sensor"] == sensor).expect("the sensor is listed")
}

fn series(program: &Program, token: &str, address: &str) -> Vec<Value> {
    let found = program.all(token, &format!("/api/v1/devices?q={address}"));
    let id = found[0]["id"].as_str().expect("a device has an id");
    program.all(token, &format!("/api/v1/devices/{id}/series"))
}

#[test]
fn values_are_shown_as_the_owners_file_says_and_stored_as_they_came() {
    let mut program = Program::new();
    let folder = program.folder().join("data/dictionaries");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("oven.toml"), OVEN).unwrap();
    program.start();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    let text = okm(&[OKE, CWM], 1, "2024-03-01T12:00:00Z", r#"{"_hbt":{"oil_temp":4101,"x":7}}"#);
    assert!(!module.pushes(&text));

    let items = series(&program, &token, OKE);
    let oil = of(&items, "oil_temp");
    assert_eq!((&oil["value"], &oil["shown"], &oil["unit"]), (&4101.into(), &"410.1".into(), &"°F".into()));
    assert_eq!(oil["label"], "Oil temperature");
    assert_eq!(oil["alarms"][0]["message"], "Oil too hot");
    assert_eq!(of(&items, "x").get("label"), None, "what no dictionary knows stays plain");

    let shown = program.done(&["devices", "show", OKE]);
    assert!(shown.contains("Oil temperature: 410.1 °F, Oil too hot"), "{shown}");
    let plain = program.done(&["export"]);
    assert!(plain.starts_with("device,sensor,value,unit,time_received,time_created\r\n"), "{plain}");
    assert!(plain.contains(",oil_temp,4101,,"), "{plain}");
    let labelled = program.done(&["export", "--labels"]);
    assert!(labelled.contains(",oil_temp,4101,°F,"), "{labelled}");
    assert!(labelled.contains(",Oil temperature,410.1\r\n"), "{labelled}");
    let lines = program.done(&["export", "--labels", "--format", "jsonl"]);
    assert!(lines.contains(r#""value":4101"#) && lines.contains(r#""shown":"410.1""#), "{lines}");
}

#[test]
fn files_are_read_again_on_sighup_and_a_bad_one_keeps_no_other_out() {
    let program = Program::started();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    assert!(!module.pushes(&okm(&[OKE, CWM], 1, "2024-03-01T12:00:00Z", r#"{"_hbt":{"oil_temp":3601}}"#)));
    assert_eq!(of(&series(&program, &token, OKE), "oil_temp").get("label"), None);

    let folder = program.folder().join("data/dictionaries");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.toml"), "[keys.a]\nscale = 0\n").unwrap();
    fs::write(folder.join("b.toml"), OVEN).unwrap();
    program.signal("HUP");
    assert!(program.says("dictionaries read again"));
    assert!(program.log().contains("a.toml:1: `a`: scale is 0"), "{}", program.log());
    assert_eq!(of(&series(&program, &token, OKE), "oil_temp")["shown"], "360.1");

    let shelved = program.api(&token, "/api/v1/dictionaries");
    assert_eq!(shelved["items"][0]["name"], "Oven", "{shelved}");
    assert!(shelved["problems"][0].as_str().unwrap().contains("a.toml:1: "), "{shelved}");
    let listed = program.run(&["dictionary", "list", "--json"]);
    assert_eq!(listed.status.code(), Some(1), "one file is wrong");
    let names: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(names[0]["name"], "Oven");
    assert_eq!(names[1]["name"], "ConnectWare Module", "what is built in comes last");
    assert!(String::from_utf8_lossy(&listed.stderr).contains("a.toml:1: "));
    let bad = folder.join("a.toml");
    let checked = program.run(&["dictionary", "check", bad.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(1));
    let good = program.done(&["dictionary", "check", folder.join("b.toml").to_str().unwrap()]);
    assert!(good.contains("Oven: 1 keys for every family 0363*"), "{good}");
}

#[test]
fn a_modules_own_heartbeat_and_counters_need_no_file() {
    // cwm-oke.md §6.1, §6.2
    let program = Program::started();
    let token = program.token();
    let mut module = Module::new(program.client(), CWM);
    let payload = r#"{"_hbt":{"ti":41,"port":"232","baud":115200,"5v":5012,"if":"eth","msf":[100,20,10],"scan":true},"_dll":[1000,990,10,500,3],"_msg":[9,1,2]}"#;
    let text = module.next(payload);
    assert!(!module.pushes(&text));
    let items = series(&program, &token, CWM);
    for (sensor, label, shown) in [
        ("ti", "Internal temperature", "41"),
        ("port", "Equipment port", "RS-232"),
        ("5v", "Supply rail 5 V", "5.012"),
        ("if", "Network interface", "Ethernet"),
        ("msf.2", "Queue capacity, inbound", "10"),
        ("_dll.2", "Frames received, bad CRC (RxCountBadCrc)", "10"),
        ("_msg.2", "Messages received with a bad CRC (RxBadCRC)", "2"),
    ] {
        let item = of(&items, sensor);
        assert_eq!((item["label"].as_str(), item["shown"].as_str()), (Some(label), Some(shown)), "{item}");
    }
    assert!(of(&items, "scan")["alarms"][0]["message"].as_str().unwrap().contains("searching"));
}
