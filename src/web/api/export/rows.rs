//! The walk through the history, and the rows that are made of it.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::cells::{self, inert};
use super::records::{Gather, Record};
use crate::core::{After, DataFilter, HistoryHold, HubError, Sight};
use crate::dictionary::Explained;
use crate::model::{Datum, DeviceId, DeviceRef, Value};
use crate::web::App;
use crate::web::api::data::{Names, no_text};

/// What the file looks like.
pub(super) struct Form {
    pub(super) layout: Layout,
    /// Whether it begins with a byte order mark, by which some spreadsheets know UTF-8.
    pub(super) bom: bool,
}

/// How values become rows.
pub(super) enum Layout {
    /// CSV, a value a row; with `labels` also its label, and how it is shown in its unit. The value stays raw.
    Long {
        /// Whether.
        labels: bool,
    },
    /// The same as JSON.
    Lines {
        /// Whether.
        labels: bool,
    },
    /// CSV, a record a row, with a column for each of these sensors.
    Wide(Vec<String>),
    /// A record a row, as JSON.
    WideLines,
    /// CSV, a block for each of these devices, with the columns that the first program of this kind had
    /// (`accounts-dashboard.md §1`).
    Classic(VecDeque<DeviceRef>),
}

/// An export on its way out.
pub(super) struct Walk {
    app: App,
    sight: Sight,
    filter: DataFilter,
    form: Form,
    names: Names,
    gather: Gather,
    began: bool,
    /// Whether a block stands there already.
    blocks: bool,
    ended: bool,
    _history: HistoryHold,
}

impl Walk {
    /// From the first value that the filter lets through.
    pub(super) fn new(app: App, sight: Sight, filter: DataFilter, form: Form, history: HistoryHold) -> Self {
        Self {
            app,
            sight,
            filter,
            form,
            names: Names::default(),
            gather: Gather::default(),
            began: false,
            blocks: false,
            ended: false,
            _history: history,
        }
    }

    /// The next piece of the file; `None` behind its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, HubError> {
        if self.ended {
            return Ok(None);
        }
        let mut out = Vec::new();
        if !std::mem::replace(&mut self.began, true) {
            self.begin(&mut out)?;
            if self.ended {
                return Ok(Some(out.into()));
            }
        }
        let values = self.app.hub.data(self.filter.clone()).await?;
        let full = values.len() >= usize::try_from(self.filter.limit).unwrap_or(usize::MAX);
        self.filter.after = After::last_of(&values, self.filter.after.as_ref());
        self.write(values, &mut out)?;
        if !full {
            self.last_of_message(&mut out)?;
            self.ended = !self.next_block(&mut out)?;
        }
        Ok(Some(out.into()))
    }

    /// What stands before the first row.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), HubError> {
        if self.form.bom {
            out.extend_from_slice("\u{feff}".as_bytes());
        }
        let mut head = cells::writer();
        match &self.form.layout {
            Layout::Long { labels: false } => head.write_record(COLUMNS).map_err(|error| no_text(&error))?,
            Layout::Long { labels: true } => {
                let columns = COLUMNS.iter().chain(&["label", "shown"]);
                head.write_record(columns).map_err(|error| no_text(&error))?;
            }
            Layout::Wide(sensors) => {
                let first = ["device", "time_received", "time_created"].map(str::to_owned);
                let columns = first.into_iter().chain(sensors.iter().cloned().map(inert));
                head.write_record(columns).map_err(|error| no_text(&error))?;
            }
            Layout::Lines { .. } | Layout::WideLines => {}
            Layout::Classic(_) => {
                self.ended = !self.next_block(out)?;
                return Ok(());
            }
        }
        out.extend(head.into_inner().map_err(|error| no_text(&error))?);
        Ok(())
    }

    /// Goes on with the next device where devices are told one by one; says whether there is one.
    fn next_block(&mut self, out: &mut Vec<u8>) -> Result<bool, HubError> {
        let Layout::Classic(devices) = &mut self.form.layout else { return Ok(false) };
        let sight = &self.sight;
        let Some(device) = std::iter::from_fn(|| devices.pop_front()).find(|next| sight.sees(&next.id))
        else {
            return Ok(false);
        };
        if std::mem::replace(&mut self.blocks, true) {
            out.extend_from_slice(b"\r\n");
        }
        let mut head = cells::writer();
        head.write_record([inert(device.name), String::new(), String::new()])
            .and_then(|()| head.write_record(CLASSIC))
            .map_err(|error| no_text(&error))?;
        out.extend(head.into_inner().map_err(|error| no_text(&error))?);
        self.filter.whose = device.id.into();
        self.filter.after = None;
        Ok(true)
    }

    /// Adds the rows of some values.
    fn write(&mut self, values: Vec<(DeviceId, Datum)>, out: &mut Vec<u8>) -> Result<(), HubError> {
        let mut seen: HashMap<DeviceId, bool> = HashMap::new();
        let mut rows = cells::writer();
        for (id, datum) in values {
            // What was taken away from the caller meanwhile is told no further.
            if !*seen.entry(id.clone()).or_insert_with(|| self.sight.sees(&id)) {
                continue;
            }
            match &self.form.layout {
                Layout::Long { labels } => {
                    let (device, chosen) = self.names.of(&self.app, &id);
                    let meaning = labels.then(|| chosen.explain(&datum.sensor, &datum.value)).flatten();
                    let row = long_row(&device.name, &datum, *labels, meaning);
                    rows.write_record(row).map_err(|error| no_text(&error))?;
                }
                Layout::Lines { labels } => {
                    let (device, chosen) = self.names.of(&self.app, &id);
                    let meaning = labels.then(|| chosen.explain(&datum.sensor, &datum.value)).flatten();
                    line(out, &long_line(&device.name, &datum, *labels, meaning.as_ref()))?;
                }
                Layout::Wide(_) | Layout::WideLines | Layout::Classic(_) => {
                    if let Some((id, records)) = self.gather.take(id, datum) {
                        self.records(&id, records, &mut rows, out)?;
                    }
                }
            }
        }
        out.extend(rows.into_inner().map_err(|error| no_text(&error))?);
        Ok(())
    }

    /// Adds the rows of the message that was still being put together.
    fn last_of_message(&mut self, out: &mut Vec<u8>) -> Result<(), HubError> {
        let Some((id, records)) = self.gather.finish() else { return Ok(()) };
        let mut rows = cells::writer();
        self.records(&id, records, &mut rows, out)?;
        out.extend(rows.into_inner().map_err(|error| no_text(&error))?);
        Ok(())
    }

    fn records(
        &mut self,
        id: &DeviceId,
        mut records: Vec<Record>,
        rows: &mut csv::Writer<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), HubError> {
        if self.filter.newest_first {
            records.reverse();
        }
        let name = self.names.of(&self.app, id).0.name.clone();
        for record in records {
            match &self.form.layout {
                Layout::Wide(sensors) => {
                    rows.write_record(wide_row(&name, &record, sensors)).map_err(|error| no_text(&error))?;
                }
                Layout::Classic(_) => {
                    rows.write_record(classic_row(&record)).map_err(|error| no_text(&error))?;
                }
                Layout::WideLines => line(out, &wide_line(&name, record))?,
                Layout::Long { .. } | Layout::Lines { .. } => {}
            }
        }
        Ok(())
    }
}

/// A value's row, with labels or without.
pub(super) fn long_row(device: &str, datum: &Datum, labels: bool, meaning: Option<Explained>) -> Vec<String> {
    let unit = meaning.as_ref().and_then(|meaning| meaning.unit.clone());
    let mut row = vec![
        inert(device.to_owned()),
        inert(datum.sensor.to_string()),
        cells::value(&datum.value),
        inert(unit.unwrap_or_default()),
        datum.time_received.to_string(),
        datum.time_created.map(|at| at.to_string()).unwrap_or_default(),
    ];
    if labels {
        let (label, shown) = meaning.map(|meaning| (meaning.label, meaning.shown)).unwrap_or_default();
        // A number that is shown is no formula.
        let shown = if shown.parse::<f64>().is_ok() { shown } else { inert(shown) };
        row.extend([inert(label), shown]);
    }
    row
}

fn long_line(device: &str, datum: &Datum, labels: bool, meaning: Option<&Explained>) -> Json {
    let unit = meaning.and_then(|meaning| meaning.unit.as_deref());
    let mut line = json!({
        "device": device,
        "sensor": datum.sensor,
        "value": datum.value,
        "unit": unit,
        "time_received": datum.time_received,
        "time_created": datum.time_created,
    });
    if let (true, Some(object)) = (labels, line.as_object_mut()) {
        object.insert("label".to_owned(), json!(meaning.map(|meaning| &meaning.label)));
        object.insert("shown".to_owned(), json!(meaning.map(|meaning| &meaning.shown)));
    }
    line
}

/// A record's row. A sensor that it does not have and one that had nothing to say have an empty cell.
pub(super) fn wide_row(device: &str, record: &Record, sensors: &[String]) -> Vec<String> {
    let mut row = vec![inert(device.to_owned())];
    row.extend([record.received.to_string(), record.created.map(|at| at.to_string()).unwrap_or_default()]);
    let cell = |sensor: &String| {
        let place = record.values.binary_search_by(|(known, _)| known.as_str().cmp(sensor.as_str())).ok()?;
        record.values.get(place).map(|(_, value)| cells::value(value))
    };
    row.extend(sensors.iter().map(|sensor| cell(sensor).unwrap_or_default()));
    row
}

fn wide_line(device: &str, record: Record) -> Json {
    json!({
        "device": device,
        "time_received": record.received,
        "time_created": record.created,
        "values": object(record.values),
    })
}

/// A record as the first program of this kind had it: a plain value as it is, a set of named ones as an object.
pub(super) fn classic_row(record: &Record) -> [String; 3] {
    let data = match record.values.as_slice() {
        [(sensor, value)] if *sensor == *PLAIN => cells::value(value),
        values => object(values.to_vec()).to_string(),
    };
    [data, record.received.to_string(), record.created.map(|at| at.to_string()).unwrap_or_default()]
}

fn object(values: Vec<(crate::model::SensorName, Value)>) -> Json {
    Json::Object(values.into_iter().map(|(sensor, value)| (sensor.to_string(), json!(value))).collect())
}

fn line(out: &mut Vec<u8>, line: &Json) -> Result<(), HubError> {
    serde_json::to_writer(&mut *out, line).map_err(|error| no_text(&error))?;
    out.push(b'\n');
    Ok(())
}

const COLUMNS: [&str; 6] = ["device", "sensor", "value", "unit", "time_received", "time_created"];
/// `accounts-dashboard.md §1`: the columns of the original's table.
const CLASSIC: [&str; 3] = ["Data", "Time Received", "Time Created"];
/// The sensor of a value that came without a name.
const PLAIN: &str = "data";
