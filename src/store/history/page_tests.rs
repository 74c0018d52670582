//! Pages come back as they were, and nothing else is taken for one.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::merge::{FANOUT, FULL, Packer, due};
use super::super::sums::Sums;
use super::super::{ints, newest};
use super::*;

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Gap(Gap)),
        any::<bool>().prop_map(Value::Bool),
        (-50_i64..200).prop_map(Value::Integer),
        any::<i64>().prop_map(Value::Integer),
        (-999_i32..999).prop_map(|tenths| Value::Real(f64::from(tenths) / 10.0)),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Real),
        Just(Value::Real(-0.0)),
        "[a-cä]{0,3}".prop_map(Value::Text),
    ]
}

fn created() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![
        Just(None),
        (0_i64..9).prop_map(|second| Some(1_700_000_000_000_000 + second * 1_000_000)),
        any::<i64>().prop_map(Some),
    ]
}

/// What messages of one device said.
pub(crate) fn page() -> impl Strategy<Value = Page> {
    let reading = ("[a-e]", created(), any::<bool>(), value());
    let message = (1_i64..9, any::<i64>(), any::<bool>(), vec(reading, 0..6));
    vec(message, 0..12).prop_map(|messages| {
        let mut page = Page::default();
        let mut seq = 0;
        for (step, odd, is_odd, readings) in messages {
            seq += step;
            page.add(Head { seq, at_us: if is_odd { odd } else { 1_700_000_000_000_000 + seq * 999_983 } });
            for (nth, (sensor, created, counts, value)) in readings.into_iter().enumerate() {
                page.say(nth, &sensor.as_str().into(), created, counts, value);
            }
        }
        page
    })
}

/// The same with its columns in the order of their names, as a page that was read has them.
fn in_order(mut page: Page) -> Page {
    page.columns.sort_by(|one, other| one.sensor.cmp(&other.sensor));
    page
}

proptest! {
    #[test]
    fn rows_of_numbers_come_back(numbers in vec(prop_oneof![any::<i64>(), -3_i64..3, Just(7)], 0..70)) {
        let mut bytes = Vec::new();
        ints::write(&mut bytes, &numbers);
        let mut rest = Bytes::new(&bytes);
        prop_assert_eq!(ints::read(&mut rest, numbers.len()), Some(numbers));
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn rows_that_grow_come_back(start in any::<i64>(), step in any::<i64>(), odd in vec(0_i64..3, 0..40)) {
        let mut here = start;
        let numbers: Vec<i64> = odd.iter().map(|odd| {
            here = here.wrapping_add(step).wrapping_add(*odd);
            here
        }).collect();
        let mut bytes = Vec::new();
        ints::write(&mut bytes, &numbers);
        prop_assert_eq!(ints::read(&mut Bytes::new(&bytes), numbers.len()), Some(numbers));
    }

    #[test]
    fn numbers_with_a_point_come_back_bit_by_bit(numbers in vec(any::<u64>().prop_map(f64::from_bits), 0..9)) {
        let mut bytes = Vec::new();
        ints::write_reals(&mut bytes, &numbers);
        let read = ints::read_reals(&mut Bytes::new(&bytes), numbers.len()).unwrap();
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&read), bits(&numbers));
    }

    #[test]
    fn pages_come_back(page in page()) {
        let read = Page::decode(&page.encode(), |_| true).unwrap();
        prop_assert_eq!(read, in_order(page));
    }

    #[test]
    fn one_sensor_is_read_alone(page in page()) {
        let mut wanted = in_order(page.clone());
        wanted.columns.retain(|column| *column.sensor == *"b");
        prop_assert_eq!(Page::decode(&page.encode(), |sensor| sensor == "b").unwrap(), wanted);
    }

    #[test]
    fn a_damaged_page_is_no_page(page in page(), at in any::<prop::sample::Index>(), bit in 0..8) {
        let mut bytes = page.encode();
        let end = at.index(bytes.len());
        prop_assert_eq!(Page::decode(&bytes[..end], |_| true), None);
        bytes[end] ^= 1_u8 << bit;
        prop_assert_eq!(Page::decode(&bytes, |_| true), None);
    }

    #[test]
    fn what_was_never_written_is_refused_without_harm(rest in vec(any::<u8>(), 0..60)) {
        // Sealed, so that the reader goes beyond the sum.
        if let Some(page) = Page::decode(&seal(&rest), |_| true) {
            prop_assert_eq!(Page::decode(&page.encode(), |_| true), Some(page));
        }
        drop(Sums::decode(&seal(&rest), 60, |_| true));
    }

    #[test]
    fn packing_loses_and_doubles_nothing(pages in vec(page(), 1..6), level in 0_u8..4, bytes in 0_usize..40_000) {
        let (mut packer, mut all, mut from) = (Packer::new(level), Page::default(), 0);
        for mut page in pages {
            page.messages.iter_mut().for_each(|head| head.seq += from);
            from = page.messages.last().map_or(from, |head| head.seq);
            all.append(page.clone());
            packer.take(page, bytes);
        }
        let mut again = Page::default();
        for packed in packer.finish() {
            let page = Page::decode(&packed.body, |_| true).unwrap();
            prop_assert_eq!(page.stretch(), Some((packed.first, packed.last)));
            prop_assert_eq!(page.times(), Some((packed.from_us, packed.to_us)));
            again.append(page);
        }
        prop_assert_eq!(in_order(again), in_order(all));
    }

    #[test]
    fn sums_come_back(page in page(), minutes in 1_i64..100) {
        let length = minutes * 60_000_000;
        let sums = Sums::of(&page, length, i64::MIN);
        let read = Sums::decode(&sums.encode(length), length, |_| true).unwrap();
        prop_assert_eq!(read, sums);
    }

    #[test]
    fn the_newest_values_are_those_of_all_pages(pages in vec(page(), 1..4)) {
        let (mut newest, mut all, mut from) = (Page::default(), Page::default(), 0);
        for mut page in pages {
            page.messages.iter_mut().for_each(|head| head.seq += from);
            from = page.messages.last().map_or(from, |head| head.seq);
            newest = Page::decode(&newest::after(&newest, &page).encode(), |_| true).unwrap();
            all.append(page);
        }
        let listed = newest::list(&newest);
        for column in &all.columns {
            let last = column.points.last().unwrap();
            let datum = listed.iter().find(|datum| datum.sensor == column.sensor).unwrap();
            prop_assert_eq!((&datum.value, datum.seq.0), (&last.value, all.head(last).unwrap().seq));
        }
        prop_assert_eq!(listed.len(), all.columns.len());
        if let Some(kept) = newest::kept(&all, &newest) {
            prop_assert_eq!(kept, newest);
        }
    }
}

#[test]
fn a_night_at_one_hertz_takes_a_few_bytes_a_second() {
    let mut page = Page::default();
    for message in 0..720 {
        let at_us = 1_700_000_000_000_000 + message * 5_000_000;
        page.add(Head { seq: message * 50, at_us: at_us + message * 7_919 % 90_000 });
        let mut nth = 0;
        for second in message * 5..message * 5 + 5 {
            let noise = |span: i64| second * second * 31 % span;
            for (sensor, number) in [
                ("hr_bpm", 58 + noise(9)),
                ("rr_rpm", 14 + noise(3)),
                ("sv_index", 40 + noise(11)),
                ("hrv_ms", 50 + noise(17)),
                ("signal_strength", 3000 + noise(300)),
                ("status", 1),
            ] {
                let created = Some(1_700_000_000_000_000 + second * 1_000_000);
                page.say(nth, &sensor.into(), created, true, Value::Integer(number));
                nth += 1;
            }
        }
    }
    let bytes = page.encode().len();
    assert!(bytes < 3600 * 4, "{bytes} bytes for an hour");
}

#[test]
fn pages_are_merged_in_time() {
    assert_eq!(due(&[]), None);
    assert_eq!(due(&[0; FANOUT - 1]), None);
    assert_eq!(due(&[0; FANOUT]), Some((0, 1)));
    assert_eq!(due(&[&[1; 5][..], &[0; FANOUT]].concat()), Some((5, 1)));
    // What comes of the lowest completes the next.
    assert_eq!(due(&[&[1; FANOUT - 1][..], &[0; FANOUT]].concat()), Some((0, 2)));
    assert_eq!(due(&[&[FULL][..], &[2], &[1; FANOUT - 1], &[0; FANOUT]].concat()), Some((2, 2)));

    // So a device never has many pages that are not full, whatever their sizes.
    let mut levels: Vec<u8> = Vec::new();
    for filing in 0..40_000 {
        levels.push(0);
        if let Some((from, level)) = due(&levels) {
            assert!(levels[from..].len() >= FANOUT, "{filing}");
            levels.truncate(from);
            levels.push(level);
        }
        assert!(levels.len() < 4 * FANOUT, "{filing}");
    }
}
