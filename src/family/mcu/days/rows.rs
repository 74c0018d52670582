//! Stored values, put together to the messages that said them: the rows of day files.

use crate::core::{After, DataFilter, Hub, HubError};
use crate::family::mcu::profiles::{Profiles, Ready};
use crate::model::{DeviceId, SensorName, Seq, Timestamp, Value};

/// What one message of a board said.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Whose.
    pub(super) device: DeviceId,
    /// Its entry of the ledger.
    pub(super) seq: Seq,
    /// When it came; of one that was brought over the time that puts it in its place among its neighbours.
    pub(super) received: Timestamp,
    /// When it was taken by the server that it was brought over from; `None` of one that came here. Boards have no
    /// clock.
    pub(super) elsewhere: Option<Timestamp>,
    values: Vec<(SensorName, Value)>,
}

/// Rows on their way out of the store, in the order of the ledger, a page at a time.
pub(super) struct Rows {
    filter: DataFilter,
    /// The last row of a page: the next may go on with it.
    held: Option<Row>,
    ended: bool,
}

impl Row {
    /// When it was taken.
    pub(super) fn at(&self) -> Timestamp {
        self.elsewhere.unwrap_or(self.received)
    }

    /// Its values in the order of the columns; empty when it has none.
    pub(super) fn columns(&self, profiles: &Profiles, ready: &Ready) -> Vec<Option<f64>> {
        let mut columns = Vec::with_capacity(self.values.len());
        for (sensor, value) in &self.values {
            let Some(place) = profiles.column(ready, sensor).filter(|place| *place < COLUMNS_MAX) else {
                continue;
            };
            if columns.len() <= place {
                columns.resize(place + 1, None);
            }
            if let Some(column) = columns.get_mut(place) {
                *column = number(value);
            }
        }
        columns
    }
}

impl Rows {
    /// Of one device: those whose messages came at or after one time, and before another.
    pub(super) fn of(device: &DeviceId, from: Timestamp, to: Timestamp) -> Self {
        let times = (Some(from), Some(to));
        Self::new(DataFilter {
            whose: device.clone().into(),
            from: times.0,
            to: times.1,
            ..DataFilter::default()
        })
    }

    /// Of every device, after an entry of the ledger.
    pub(super) fn after(seq: Seq) -> Self {
        let next = After { seq: Seq(seq.0.saturating_add(1)), sensor: String::new(), count: 0 };
        Self::new(DataFilter { after: Some(next), ..DataFilter::default() })
    }

    fn new(filter: DataFilter) -> Self {
        Self { filter: DataFilter { limit: PAGE_VALUES, ..filter }, held: None, ended: false }
    }

    /// The next rows, each whole; `None` at the end.
    pub(super) async fn next(&mut self, hub: &Hub) -> Result<Option<Vec<Row>>, HubError> {
        while !self.ended {
            let values = hub.data(self.filter.clone()).await?;
            self.ended = u32::try_from(values.len()).is_ok_and(|count| count < PAGE_VALUES);
            let after = After::last_of(&values, self.filter.after.as_ref());
            self.filter.after = after.or(self.filter.after.take());
            let mut rows: Vec<Row> = self.held.take().into_iter().collect();
            for (device, datum) in values {
                if rows.last().is_none_or(|row| row.seq != datum.seq) {
                    rows.push(Row {
                        device,
                        seq: datum.seq,
                        received: datum.time_received,
                        elsewhere: datum.time_created,
                        values: Vec::new(),
                    });
                }
                if let Some(row) = rows.last_mut() {
                    row.values.push((datum.sensor, datum.value));
                }
            }
            if !self.ended {
                self.held = rows.pop();
            }
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

/// A value as the original's `float()` has it; `None` is no number.
#[expect(clippy::cast_precision_loss, reason = "the original keeps every number so, too")]
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(whole) => Some(*whole as f64),
        Value::Real(real) => Some(*real),
        Value::Bool(_) | Value::Text(_) | Value::Gap(_) => None,
    }
}

/// Values read at a time: what a slow reader of a file holds in memory.
const PAGE_VALUES: u32 = 2000;
/// `mcu.fields_max` allows no more.
const COLUMNS_MAX: usize = 256;
