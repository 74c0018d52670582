//! What was measured, against a list that a test keeps beside the store.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use homeport::model::{Datum, DeviceId, Gap, Reading, Seq, Timestamp, Value};
use homeport::store::{After, BucketFilter, Bulk, DataFilter, Outcome, Prune, Store, Whose, Write, audit};

use super::{at, device, report, store_report};
use crate::store::Base;

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn number(&mut self, sides: u64) -> i64 {
        i64::try_from(self.throw(sides)).unwrap()
    }

    fn value(&mut self) -> Value {
        match self.throw(9) {
            0 => Value::Gap(Gap),
            1 => Value::Bool(self.throw(2) == 0),
            2 => Value::Text(format!("text {}", self.throw(3))),
            3 => Value::Integer(i64::MAX - self.number(5)),
            4 | 5 => Value::Real(f64::from(i32::try_from(self.throw(4000)).unwrap()) / 10.0),
            _ => Value::Integer(self.number(100)),
        }
    }

    fn readings(&mut self, second: i64) -> Vec<Reading> {
        (0..self.throw(7))
            .map(|row| Reading {
                sensor: ["hr", "sv", "b.0", "a"][usize::try_from(self.throw(4)).unwrap()].into(),
                value: self.value(),
                created: match self.throw(6) {
                    0 => None,
                    1 => Some(at(second - 5000)),
                    _ => Some(at(second - i64::try_from(row).unwrap())),
                },
                counts: self.throw(4) > 0,
            })
            .collect()
    }
}

/// A value as the test remembers it.
#[derive(Clone)]
struct Kept {
    device: DeviceId,
    datum: Datum,
    counts: bool,
}

/// Everything that was measured, in the order of lists.
#[derive(Default)]
struct Book(Vec<Kept>);

impl Book {
    fn note(&mut self, device: &DeviceId, seq: Seq, second: i64, readings: Vec<Reading>) {
        let mut kept: Vec<Kept> = readings
            .into_iter()
            .map(|Reading { sensor, value, created, counts }| Kept {
                device: device.clone(),
                datum: Datum { sensor, value, time_received: at(second), time_created: created, seq, counts },
                counts,
            })
            .collect();
        kept.sort_by(|one, other| one.datum.sensor.cmp(&other.datum.sensor));
        self.0.extend(kept);
    }

    /// The newest value of each sensor of a device.
    fn newest(&self, device: &DeviceId) -> Vec<&Kept> {
        let of_device = self.0.iter().filter(|kept| kept.device == *device);
        let newest: BTreeMap<&str, &Kept> =
            of_device.map(|kept| (kept.datum.sensor.as_str(), kept)).collect();
        newest.into_values().collect()
    }

    /// What is left when everything up to an entry but newest values is gone.
    fn pruned(&self, upto: i64) -> Self {
        let stays = |kept: &&Kept| {
            kept.datum.seq.0 > upto
                || self.newest(&kept.device).iter().any(|newest| std::ptr::eq(*newest, *kept))
        };
        Self(self.0.iter().filter(stays).cloned().collect())
    }

    fn listed(&self, device: Option<&DeviceId>) -> Vec<(DeviceId, Datum)> {
        let wanted = self.0.iter().filter(|kept| device.is_none_or(|device| kept.device == *device));
        wanted.map(|kept| (kept.device.clone(), kept.datum.clone())).collect()
    }

    /// Count, least, greatest and last by (start, sensor), of entries beyond one.
    fn buckets(
        &self,
        device: &DeviceId,
        length: i64,
        beyond: i64,
    ) -> BTreeMap<(i64, String), (u64, f64, f64, f64)> {
        let mut found: BTreeMap<(i64, String), Vec<(i64, f64)>> = BTreeMap::new();
        for Kept { datum, counts, .. } in self.0.iter().filter(|kept| kept.device == *device) {
            #[expect(clippy::cast_precision_loss, reason = "as the store does")]
            let number = match datum.value {
                Value::Integer(number) => number as f64,
                Value::Real(number) => number,
                Value::Bool(_) | Value::Text(_) | Value::Gap(_) => continue,
            };
            if !counts || datum.seq.0 <= beyond {
                continue;
            }
            let received = datum.time_received.micros();
            let created = datum.time_created.map(Timestamp::micros);
            let time =
                created.filter(|created| created.abs_diff(received) <= 600_000_000).unwrap_or(received);
            let start = time.div_euclid(length * 1_000_000) * length * 1_000_000;
            found.entry((start, datum.sensor.to_string())).or_default().push((time, number));
        }
        let sum = |numbers: Vec<(i64, f64)>| {
            let last = numbers.iter().max_by_key(|(time, _)| *time).unwrap().1;
            let only = || numbers.iter().map(|(_, number)| *number);
            (numbers.len() as u64, only().fold(f64::MAX, f64::min), only().fold(f64::MIN, f64::max), last)
        };
        found.into_iter().map(|(place, numbers)| (place, sum(numbers))).collect()
    }
}

async fn list(store: &Store, filter: &DataFilter) -> Vec<(DeviceId, Datum)> {
    let (mut after, mut all) = (None, Vec::new());
    loop {
        let page = store.read().data(DataFilter { after: after.clone(), ..filter.clone() }).await.unwrap();
        after = After::last_of(&page, after.as_ref());
        let end = page.len() < usize::try_from(filter.limit).unwrap();
        all.extend(page);
        if end {
            return all;
        }
    }
}

/// Compares all that can be read with the book, of which entries up to one were pruned.
async fn compare(store: &Store, book: &Book, devices: &[DeviceId], pruned: i64) {
    let left = book.pruned(pruned);
    assert!(list(store, &DataFilter { limit: 97, ..DataFilter::default() }).await == left.listed(None));
    other_ways(store, &left, devices).await;
    for id in devices {
        let filter = DataFilter { whose: id.clone().into(), limit: 13, ..DataFilter::default() };
        assert!(list(store, &filter).await == left.listed(Some(id)));
        let of_hr =
            DataFilter { sensors: vec!["hr".to_owned()], from: Some(at(40)), to: Some(at(90)), ..filter };
        let mut expected = left.listed(Some(id));
        expected
            .retain(|(_, datum)| datum.sensor == *"hr" && (at(40)..at(90)).contains(&datum.time_received));
        assert!(list(store, &of_hr).await == expected);
        let newest: Vec<Datum> = book.newest(id).into_iter().map(|kept| kept.datum.clone()).collect();
        assert_eq!(store.read().latest(id.clone()).await.unwrap(), newest);
        for length_s in [7, 60, 300, 3600] {
            let filter =
                BucketFilter { device: id.clone(), sensors: vec![], from: at(-9000), to: at(9000), length_s };
            let buckets = store.read().buckets(filter).await.unwrap();
            assert!(buckets.is_sorted_by_key(|bucket| (bucket.start, bucket.sensor.clone())));
            let found: BTreeMap<_, _> = buckets
                .into_iter()
                .map(|bucket| {
                    let place = (bucket.start.micros(), bucket.sensor.clone());
                    (place, (bucket.count, bucket.min, bucket.max, bucket.last))
                })
                .collect();
            assert_eq!(found, book.buckets(id, i64::from(length_s), pruned), "{length_s}");
        }
    }
}

/// Lists the same backwards, of some devices, of some sensors, up to an entry, in pages of several lengths.
async fn other_ways(store: &Store, left: &Book, devices: &[DeviceId]) {
    let whole = left.listed(None);
    let upto = whole.last().map_or(0, |(_, datum)| datum.seq.0) * 2 / 3;
    let one = Arc::new(HashSet::from([devices[0].clone()]));
    // More than are read one by one.
    let many = devices.iter().cloned().chain((0..40).map(|number| DeviceId::new(&format!("no {number}"))));
    let ways = [
        Whose::All,
        devices[0].clone().into(),
        Whose::Only(Arc::new(devices.iter().cloned().collect())),
        Whose::Only(Arc::new(many.collect())),
        Whose::Only(Arc::new(HashSet::new())),
        Whose::But(one),
    ];
    store.write(Write::File).await.unwrap();
    for (whose, limit) in ways.into_iter().zip([1, 2, 7, 13, 97, 1000]) {
        for newest_first in [false, true] {
            for (from, to) in [(None, None), (Some(at(40)), Some(at(90)))] {
                let filter = DataFilter {
                    whose: whose.clone(),
                    sensors: vec!["hr".to_owned(), "a".to_owned()],
                    from,
                    to,
                    upto: Some(Seq(upto)),
                    newest_first,
                    limit,
                    ..DataFilter::default()
                };
                let mut wanted = whole.clone();
                wanted.retain(|(id, datum)| {
                    whose.holds(id)
                        && datum.seq.0 <= upto
                        && ["hr", "a"].contains(&datum.sensor.as_str())
                        && from.is_none_or(|from| datum.time_received >= from)
                        && to.is_none_or(|to| datum.time_received < to)
                });
                if newest_first {
                    wanted.reverse();
                }
                assert!(list(store, &filter).await == wanted, "{filter:?}");
            }
        }
    }
}

/// Stores messages of two devices, each filed by itself: enough of them for pages to be merged.
async fn live(store: &Store, dice: &mut Dice, book: &mut Book, seconds: std::ops::Range<i64>) {
    for second in seconds {
        let from = device(["a", "b"][usize::from(dice.throw(5) == 0)], "");
        let from = device(from.names.id.as_str(), from.names.id.as_str());
        let mut message = report(&from, at(second), "x");
        message.readings = dice.readings(second);
        let readings = message.readings.clone();
        let seq = store_report(store, message).await.seq;
        book.note(&from.names.id, seq, second, readings);
        store.write(Write::File).await.unwrap();
    }
}

async fn prune(store: &Store, below: i64) {
    let work = Prune::Entries { what: Bulk::Readings, below: Seq(below), limit: 999, bytes: None };
    assert!(matches!(store.write(Write::Prune(work)).await, Ok(Outcome::Pruned(_))));
}

pub(crate) async fn history_is_whole_however_it_lies(base: Base) {
    let (mut dice, mut book) = (Dice(7), Book::default());
    let devices = ["a", "b"].map(DeviceId::new);
    let store = base.open().await;
    live(&store, &mut dice, &mut book, 0..90).await;
    compare(&store, &book, &devices, 0).await;
    store.close().await;

    // Merged at the latest when the store was closed.
    let store = base.open().await;
    compare(&store, &book, &devices, 0).await;
    live(&store, &mut dice, &mut book, 90..150).await;
    compare(&store, &book, &devices, 0).await;
    // In the middle of a page that was merged, then at its end and beyond.
    for below in [30, 31, 64, 100] {
        prune(&store, below).await;
        compare(&store, &book, &devices, below - 1).await;
    }
    store.close().await;

    let store = base.open().await;
    live(&store, &mut dice, &mut book, 150..200).await;
    compare(&store, &book, &devices, 99).await;
    prune(&store, 201).await;
    compare(&store, &book, &devices, 200).await;
    let last = store.read().weigh(Bulk::Readings, Seq(0), 999).await.unwrap();
    store.write(Write::Forget(devices[0].clone())).await.unwrap();
    book.0.retain(|kept| kept.device == devices[1]);
    compare(&store, &book, &devices[1..], 200).await;
    let left = store.read().weigh(Bulk::Readings, Seq(0), 999).await.unwrap();
    assert!(left.bytes < last.bytes, "the pages of a device that is forgotten are gone");
    assert!(audit::check(store.read(), &mut |_| ()).await.unwrap().is_sound());
    store.close().await;
}

pub(crate) async fn what_is_brought_over_is_of_its_own_time(base: Base) {
    let store = base.open().await;
    let device = device("d1", "A1");
    let hour = 3600;
    let says = async |arrived: i64, past: Option<i64>, value: i64| {
        let reading = |sensor: &str| Reading {
            sensor: sensor.into(),
            value: Value::Integer(value),
            created: None,
            counts: true,
        };
        let mut message = report(&device, at(arrived), "message");
        message.past = past.map(at);
        message.readings = vec![reading("n"), reading(if past.is_some() { "old" } else { "new" })];
        store_report(&store, message).await;
    };
    says(10 * hour, None, 1).await;
    says(11 * hour, Some(2 * hour), 2).await;
    says(12 * hour, Some(hour), 3).await;
    says(13 * hour, None, 4).await;
    says(14 * hour, Some(3 * hour), 5).await;
    let read = store.read();
    // Newest by their own times, and only what came here is a sign of life.
    let latest = read.latest(device.names.id.clone()).await.unwrap();
    let latest: Vec<_> = latest.iter().map(|datum| (datum.sensor.as_str(), datum.value.clone())).collect();
    let whole = Value::Integer;
    assert_eq!(latest, [("n", whole(4)), ("new", whole(4)), ("old", whole(5))]);
    assert_eq!(read.all_devices().await.unwrap()[0].last_seen, Some(at(13 * hour)));
    // Found by their own times; the ledger has its own.
    let filter = DataFilter {
        whose: device.names.id.clone().into(),
        sensors: vec!["n".to_owned()],
        from: Some(at(hour)),
        to: Some(at(3 * hour)),
        limit: 10,
        ..DataFilter::default()
    };
    let data = read.data(filter).await.unwrap();
    let data: Vec<_> =
        data.into_iter().map(|(_, datum)| (datum.seq, datum.time_received, datum.value)).collect();
    assert_eq!(data, [(Seq(2), at(2 * hour), whole(2)), (Seq(3), at(hour), whole(3))]);
    assert_eq!(read.message(Seq(3)).await.unwrap().unwrap().at, at(12 * hour));
    let filter = BucketFilter {
        device: device.names.id.clone(),
        sensors: vec!["n".to_owned()],
        from: at(0),
        to: at(20 * hour),
        length_s: 60,
    };
    let buckets = read.buckets(filter).await.unwrap();
    assert_eq!(buckets.iter().map(|bucket| bucket.max).collect::<Vec<_>>(), [3.0, 2.0, 5.0, 1.0, 4.0]);
    let quarters = read.quarters(device.names.id.clone()).await.unwrap();
    let quarter = |hours: i64| {
        let micros = at(hours * hour).micros();
        Timestamp::from_micros(micros - micros.rem_euclid(900_000_000))
    };
    assert_eq!(quarters, [1, 2, 3, 10, 13].map(quarter));
    // The newest values outlive the others, wherever they stand.
    let prune = Prune::Entries { what: Bulk::Readings, below: Seq(6), limit: 100, bytes: None };
    store.write(Write::Prune(prune)).await.unwrap();
    let filter = DataFilter { whose: device.names.id.clone().into(), limit: 10, ..DataFilter::default() };
    let left = store.read().data(filter).await.unwrap();
    let left: Vec<_> = left.iter().map(|(_, datum)| (datum.seq.0, datum.sensor.as_str())).collect();
    assert_eq!(left, [(4, "n"), (4, "new"), (5, "old")]);
    store.close().await;
}
