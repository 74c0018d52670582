//! Dictionaries from their text to what a person sees, and what mistakes look like.

use std::fs;

use super::*;
use crate::model::{DeviceId, FamilyName, Gap};

const FRYER: &str = r#"
name = "Fryer FX"

[match]
family = "cwm"
models = ["0363"]

[keys.oil_temp]
label = "Oil temperature"
unit = "°F"
scale = 0.1
precision = 1
min = 50
max = 450
alarms = [{ above = 460, message = "Oil too hot", remedy = "Switch it off" }]

[keys.act_temp]
label = "Temperature of cavity"

[keys._cnt]
label = "Counter"
class = "event"
places = ["Starts", "Stops"]

[keys.door]
type = "enumeration"
values = { 0 = "closed", 1 = "open", ajar = "not quite closed" }

[keys.fault]
label = "Faults"
type = "bitmask"
bits = { 1 = "probe", 2 = "fan", 0x10 = "gas" }
alarms = [
  { bit = 2, message = "Fan stands still", condition = "no pulses", cause = "blocked", remedy = "clean it" },
]

[keys."oven.*.lit"]
label = "Flame"
type = "boolean"
"#;

fn names(address: &str) -> DeviceRef {
    DeviceRef {
        id: DeviceId::new("1"),
        family: FamilyName::new("cwm"),
        address: address.to_owned(),
        name: "n".to_owned(),
    }
}

fn fryer() -> Chosen {
    Chosen(vec![Arc::new(parse(FRYER, None).unwrap())])
}

#[track_caller]
fn shown(sensor: &str, value: &Value) -> (String, String) {
    let explained = fryer().explain(sensor, value).unwrap();
    (explained.label, explained.shown)
}

#[test]
fn the_manufacturers_example_is_tenths_of_a_degree() {
    // cwm-oke.md §7.2: {"oil_temp": 3601}
    let explained = fryer().explain("oil_temp", &Value::Integer(3601)).unwrap();
    assert_eq!((explained.shown.as_str(), explained.unit.as_deref()), ("360.1", Some("°F")));
    assert_eq!((explained.outside, explained.alarms.len()), (None, 0));
    // A numeral in a text is a number (§4.1).
    assert_eq!(shown("oil_temp", &Value::Text("3601".into())).1, "360.1");
}

#[test]
fn limits_and_alarms_are_judged_by_what_is_shown() {
    let hot = fryer().explain("oil_temp", &Value::Integer(4700)).unwrap();
    assert_eq!(hot.outside, Some(Bound::Above));
    assert_eq!(hot.alarms[0].message, "Oil too hot");
    assert_eq!(hot.alarms[0].remedy.as_deref(), Some("Switch it off"));
    assert_eq!(fryer().explain("oil_temp", &Value::Integer(10)).unwrap().outside, Some(Bound::Below));
}

#[test]
fn an_array_is_explained_by_its_key() {
    assert_eq!(shown("act_temp.2", &Value::Integer(5)), ("Temperature of cavity 2".into(), "5".into()));
    assert_eq!(shown("_cnt.1", &Value::Integer(7)).0, "Stops");
    assert_eq!(shown("_cnt.9", &Value::Integer(7)).0, "Counter 9");
    assert_eq!(shown("act_temp.1", &Value::Gap(Gap)).1, "");
}

#[test]
fn enumerations_have_words_and_unknown_values_stay() {
    assert_eq!(shown("door", &Value::Integer(1)).1, "open");
    assert_eq!(shown("door", &Value::Text("1".into())).1, "open");
    assert_eq!(shown("door", &Value::Text("ajar".into())).1, "not quite closed");
    assert_eq!(shown("door", &Value::Integer(7)).1, "7");
}

#[test]
fn bits_have_words_alarms_and_a_remainder_in_hex() {
    assert_eq!(shown("fault", &Value::Integer(0)).1, "none");
    let explained = fryer().explain("fault", &Value::Integer(0x32)).unwrap();
    assert_eq!(explained.shown, "fan, gas, 0x20");
    assert_eq!(explained.alarms[0].cause.as_deref(), Some("blocked"));
    assert_eq!(shown("fault", &Value::Text("0x03".into())).1, "probe, fan");
    assert_eq!(shown("fault", &Value::Integer(-1)).1, "-1", "no mask: as it was sent");
}

#[test]
fn a_star_stands_for_one_piece_and_unknown_sensors_stay_unknown() {
    assert_eq!(shown("oven.3.lit", &Value::Integer(0)), ("Flame".into(), "no".into()));
    assert_eq!(fryer().explain("oven.lit", &Value::Integer(0)), None);
}

#[test]
fn without_a_precision_as_many_digits_as_are_needed() {
    let text = "[keys.t]\nscale = 0.1\n[keys.n]\n";
    let chosen = Chosen(vec![Arc::new(parse(text, None).unwrap())]);
    assert_eq!(chosen.explain("t", &Value::Integer(3)).unwrap().shown, "0.3");
    assert_eq!(chosen.explain("t", &Value::Integer(-10)).unwrap().shown, "-1");
    let big = i64::MAX;
    assert_eq!(chosen.explain("n", &Value::Integer(big)).unwrap().shown, big.to_string());
    assert_eq!(chosen.explain("n", &Value::Text("warm".into())).unwrap().shown, "warm");
}

#[track_caller]
fn wrong(text: &str) -> String {
    parse(text, Some(std::path::Path::new("d.toml"))).unwrap_err().to_string()
}

#[test]
fn a_mistake_names_its_line() {
    for (text, start, words) in [
        ("[match]\nmodel = [\"1\"]\n", "d.toml:2: ", "unknown field `model`"),
        ("[keys.a]\nscale = 1\n\n[keys.b]\nscale = 0\n", "d.toml:4: ", "`b`: scale is 0"),
        ("[keys.a]\ntype = \"enum\"\n", "d.toml:2: ", "unknown variant `enum`"),
        ("[keys.a]\ntype = \"enumeration\"\n", "d.toml:1: ", "needs values"),
        ("[keys.a]\ntype = \"bitmask\"\nbits = { x = \"y\" }\n", "d.toml:1: ", "no bit mask"),
        ("[keys.a]\ntype = \"bitmask\"\nbits = { 16 = \"y\", 0x10 = \"z\" }\n", "d.toml:1: ", "twice"),
        ("[keys.a]\nvalues = { 1 = \"y\" }\n", "d.toml:1: ", "values are for type"),
        ("[keys.a]\nalarms = [{ bit = 1, message = \"m\" }]\n", "d.toml:1: ", "needs type = \"bitmask\""),
        ("[keys.a]\nalarms = [{ message = \"m\" }]\n", "d.toml:1: ", "one of: bit"),
        ("[keys.a]\nmin = 2\nmax = 1\n", "d.toml:1: ", "min 2 is more than max 1"),
        ("[keys.\"a..b\"]\n", "d.toml:1: ", "a key is a sensor's name"),
        ("[keys.a]\nlabel = \n", "d.toml:2: ", ""),
    ] {
        let said = wrong(text);
        assert!(said.starts_with(start) && said.contains(words), "{text}\n{said}");
    }
}

#[test]
fn a_bad_file_keeps_no_other_from_being_used() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.toml"), "name = 5\n").unwrap();
    fs::write(folder.path().join("b.toml"), FRYER).unwrap();
    fs::write(folder.path().join(".c.toml"), "nonsense").unwrap();
    fs::write(folder.path().join("notes.txt"), "nonsense").unwrap();
    let read =
        Dictionaries::read(Some(folder.path()), &["name = \"built in\"\n[keys.oil_temp]\n[keys.door]\n"]);
    assert_eq!(read.list.len(), 2);
    assert_eq!(read.problems.len(), 1, "{:?}", read.problems);
    assert!(read.problems[0].to_string().contains("a.toml:1: "), "{}", read.problems[0]);
    assert_eq!(read.choose(&names("0363aa"), None).names(), ["Fryer FX", "built in"]);
    assert_eq!(read.choose(&names("0364aa"), None).names(), ["built in"]);
    assert!(Dictionaries::read(Some(&folder.path().join("none")), &[""; 0]).problems.is_empty());
}

#[test]
fn the_closest_dictionary_speaks_and_the_next_fills_in() {
    let general = parse("[keys.a]\nlabel = \"general\"\n[keys.b]\nlabel = \"b\"\n", Some("g.toml".as_ref()));
    let close =
        parse("[match]\naddresses = [\"0363*\"]\n[keys.a]\nlabel = \"close\"\n", Some("z.toml".as_ref()));
    let list = [general, close].map(|read| Arc::new(read.unwrap())).to_vec();
    let chosen = Dictionaries { list, problems: Vec::new() }.choose(&names("036300"), None);
    assert_eq!(chosen.explain("a", &Value::Integer(1)).unwrap().label, "close");
    assert_eq!(chosen.explain("b", &Value::Integer(1)).unwrap().label, "b");
}
