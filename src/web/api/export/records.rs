//! Values put together again to the records that they came in: pure.

use std::collections::BTreeMap;

use crate::model::{Datum, DeviceId, SensorName, Seq, Timestamp, Value};

/// What one device said at one time, by sensor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Record {
    /// When it arrived.
    pub(super) received: Timestamp,
    /// When it was measured, if the device said.
    pub(super) created: Option<Timestamp>,
    /// Each sensor at most once, by name.
    pub(super) values: Vec<(SensorName, Value)>,
}

/// Values of one message that may not be all of it yet.
#[derive(Debug, Default)]
pub(super) struct Gather {
    held: Option<(DeviceId, Seq)>,
    values: Vec<Datum>,
}

impl Gather {
    /// Takes the next value of a list; gives the records of the message before, when this one is of another.
    pub(super) fn take(&mut self, id: DeviceId, datum: Datum) -> Option<(DeviceId, Vec<Record>)> {
        let place = (id, datum.seq);
        let done = if self.held.as_ref() == Some(&place) { None } else { self.finish() };
        self.held = Some(place);
        self.values.push(datum);
        done
    }

    /// The records of the last message.
    pub(super) fn finish(&mut self) -> Option<(DeviceId, Vec<Record>)> {
        let (id, _) = self.held.take()?;
        Some((id, records(std::mem::take(&mut self.values))))
    }
}

/// When a record arrived, the time it gives, and its number among those that are alike.
type RecordPlace = (Timestamp, Option<Timestamp>, usize);

/// The records of one message, in the order of the times they give. Values of one sensor and one time are of several
/// records, in their order.
fn records(values: Vec<Datum>) -> Vec<Record> {
    let mut met: BTreeMap<(SensorName, Option<Timestamp>, Timestamp), usize> = BTreeMap::new();
    let mut rows: BTreeMap<RecordPlace, Vec<(SensorName, Value)>> = BTreeMap::new();
    for Datum { sensor, value, time_received, time_created, .. } in values {
        let nth = met.entry((sensor.clone(), time_created, time_received)).or_default();
        rows.entry((time_received, time_created, *nth)).or_default().push((sensor, value));
        *nth += 1;
    }
    let record = |((received, created, _), mut values): (_, Vec<(SensorName, Value)>)| {
        values.sort_by(|(one, _), (other, _)| one.cmp(other));
        Record { received, created, values }
    };
    rows.into_iter().map(record).collect()
}
