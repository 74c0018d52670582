//! `data`: one text with the numbers of a node, in every form that nodes were seen or are likely to write them
//! (`tswarm-node.md §6`). Pure.

use serde_json::Value as Json;

/// A number; `None` is one that the node calls missing.
pub(super) type Number = Option<f64>;

/// What a node measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Data {
    /// In the order of the node: temperature, humidity, and what comes after.
    pub(super) numbers: Vec<Number>,
    /// Whether all were written as whole numbers, as the DHT11's driver writes them.
    pub(super) whole: bool,
}

/// Why there is nothing to take from it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoData {
    /// No number at all.
    #[error("there are no numbers in `data`")]
    NoNumbers,
    /// More than a node may send.
    #[error("there are more than {NUMBERS_MAX} numbers in `data`")]
    TooMany,
    /// A word that is no number.
    #[error("`data` has something in it that is no number")]
    NotNumbers,
}

/// Reads `data` as it stands in the JSON.
pub(super) fn read(data: &Json) -> Result<Data, NoData> {
    let mut found = Data { numbers: Vec::new(), whole: true };
    gather(data, 0, &mut found)?;
    if found.numbers.len() > NUMBERS_MAX {
        return Err(NoData::TooMany);
    }
    if found.numbers.iter().all(Option::is_none) {
        return Err(NoData::NoNumbers);
    }
    Ok(found)
}

fn gather(data: &Json, depth: u8, into: &mut Data) -> Result<(), NoData> {
    match data {
        Json::Null => into.numbers.push(None),
        Json::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite()).ok_or(NoData::NotNumbers)?;
            into.whole &= data.is_i64() || data.is_u64();
            into.numbers.push(Some(number));
        }
        Json::String(text) => words(text, into)?,
        Json::Array(parts) if depth == 0 => parts.iter().try_for_each(|part| gather(part, 1, into))?,
        Json::Object(members) if depth == 0 => named(members, into)?,
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => return Err(NoData::NotNumbers),
    }
    Ok(())
}

/// Numbers with names: temperature and humidity are known by theirs, the rest keeps its order.
fn named(members: &serde_json::Map<String, Json>, into: &mut Data) -> Result<(), NoData> {
    let mut places: [Option<Number>; 2] = [None, None];
    let mut rest = Vec::new();
    for (name, value) in members {
        let mut one = Data { numbers: Vec::new(), whole: true };
        gather(value, 1, &mut one)?;
        let [number] = one.numbers.as_slice() else { return Err(NoData::NotNumbers) };
        into.whole &= one.whole;
        let name = name.to_ascii_lowercase();
        let place = NAMES.iter().position(|names| names.contains(&name.as_str()));
        match place.and_then(|place| places.get_mut(place)) {
            Some(place) if place.is_none() => *place = Some(*number),
            Some(_) | None => rest.push(*number),
        }
    }
    // Without a temperature of that name, what came first is one; a hole before what has a name is a missing value.
    let mut rest = rest.into_iter();
    let [temperature, humidity] = places;
    let known = temperature.is_some() || humidity.is_some();
    if known {
        into.numbers.push(temperature.flatten());
        if let Some(humidity) = humidity.or_else(|| (rest.len() > 0).then_some(None)) {
            into.numbers.push(humidity);
        }
    }
    into.numbers.extend(rest.by_ref());
    Ok(())
}

fn words(text: &str, into: &mut Data) -> Result<(), NoData> {
    let between = |letter: char| letter.is_whitespace() || matches!(letter, ',' | ';' | '/');
    for word in text.split(between).filter(|word| !word.is_empty()) {
        let bare = word.trim_end_matches(['C', 'c', '°', '%', '\u{ba}']);
        if bare.is_empty() {
            continue; // a unit that stands alone
        }
        if into.numbers.len() > NUMBERS_MAX {
            return Err(NoData::TooMany);
        }
        if MISSING.iter().any(|missing| bare.eq_ignore_ascii_case(missing)) {
            into.numbers.push(None);
            continue;
        }
        let decimal = bare.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let number = bare.parse().ok().filter(|number: &f64| decimal && number.is_finite());
        into.numbers.push(Some(number.ok_or(NoData::NotNumbers)?));
        into.whole &= !bare.contains(['.', 'e', 'E']);
    }
    Ok(())
}

/// §6: 1 to 16 numbers.
pub(super) const NUMBERS_MAX: usize = 16;
const MISSING: [&str; 4] = ["none", "nan", "null", "-"];
/// What people call the two.
const NAMES: [&[&str]; 2] =
    [&["t", "temp", "temperature", "temp_c"], &["h", "hum", "humidity", "rh", "humi"]];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn numbers(data: &Json) -> Vec<Number> {
        read(data).unwrap_or_else(|error| panic!("{data}: {error}")).numbers
    }

    #[test]
    fn data_is_read_in_every_form() {
        let cases: [(Json, &[Number]); 22] = [
            (json!("23 45"), &[Some(23.0), Some(45.0)]),
            (json!("23.4 45.6"), &[Some(23.4), Some(45.6)]),
            (json!("23.40000 45.1000003"), &[Some(23.4), Some(45.100_000_3)]),
            (json!("-3 80"), &[Some(-3.0), Some(80.0)]),
            (json!("0 0"), &[Some(0.0), Some(0.0)]),
            (json!("nan 45"), &[None, Some(45.0)]),
            (json!("23 None"), &[Some(23.0), None]),
            (json!("- 45"), &[None, Some(45.0)]),
            (json!("23"), &[Some(23.0)]),
            (json!("23,45"), &[Some(23.0), Some(45.0)]),
            (json!("23;45/7"), &[Some(23.0), Some(45.0), Some(7.0)]),
            (json!("23C 45%"), &[Some(23.0), Some(45.0)]),
            (json!("23.5°C, 45 %"), &[Some(23.5), Some(45.0)]),
            (json!("  23   45\n"), &[Some(23.0), Some(45.0)]),
            (json!(23), &[Some(23.0)]),
            (json!([23, 45.5, null]), &[Some(23.0), Some(45.5), None]),
            (json!(["23", "45 %"]), &[Some(23.0), Some(45.0)]),
            (json!({"t": 23}), &[Some(23.0)]),
            (json!({"hum": 45, "temp": 23}), &[Some(23.0), Some(45.0)]),
            (json!({"h": 45}), &[None, Some(45.0)]),
            (json!({"a": 1, "b": 2}), &[Some(1.0), Some(2.0)]),
            (json!({"t": 23, "p": 1013}), &[Some(23.0), None, Some(1013.0)]),
        ];
        for (data, wanted) in cases {
            assert_eq!(numbers(&data), wanted, "{data}");
        }
    }

    #[test]
    fn what_has_no_numbers_is_refused() {
        for data in
            [json!(""), json!("   "), json!(null), json!([]), json!({}), json!("nan nan"), json!("°C")]
        {
            assert_eq!(read(&data), Err(NoData::NoNumbers), "{data}");
        }
        for data in [
            json!("warm"),
            json!("23 warm"),
            json!("0x17"),
            json!("inf"),
            json!("1e999"),
            json!("--1"),
            json!(true),
            json!([[1]]),
            json!({"t": {"c": 1}}),
            json!({"t": "1 2"}),
        ] {
            assert_eq!(read(&data), Err(NoData::NotNumbers), "{data}");
        }
        let sixteen = ["1"; 16].join(" ");
        assert_eq!(numbers(&json!(sixteen)).len(), 16);
        assert_eq!(read(&json!(format!("{sixteen} 1"))), Err(NoData::TooMany));
        assert_eq!(read(&json!(vec![1; 17])), Err(NoData::TooMany));
    }

    #[test]
    fn whole_numbers_are_told_apart() {
        for (data, whole) in
            [(json!("23 45"), true), (json!("23.0 45"), false), (json!([1, 2.5]), false), (json!(7), true)]
        {
            assert_eq!(read(&data).unwrap().whole, whole, "{data}");
        }
    }
}
