//! Everything measured, as one stream: CSV in long form, or a JSON object a line.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header;
use hyper::body::Frame;
use serde_json::json;

use super::device_for;
use crate::core::{After, DataFilter, HubError, Level, Sight, StoreError};
use crate::dictionary::{Chosen, Explained};
use crate::http::query;
use crate::model::{Datum, DeviceId, Value};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::Span;
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

/// Values read from the store at a time; what a slow reader holds in memory.
const PAGE_VALUES: u32 = 2000;
const HEAD: &str = "device,sensor,value,unit,time_received,time_created\r\n";
const HEAD_WITH_LABELS: &str = "device,sensor,value,unit,time_received,time_created,label,shown\r\n";

#[derive(Clone, Copy, Debug)]
enum Format {
    Csv,
    Jsonl,
}

impl Format {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "csv" => Some(Self::Csv),
            "jsonl" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// What the rows look like.
#[derive(Clone, Copy, Debug)]
struct Form {
    format: Format,
    /// Whether each value's label, and how it is shown in its unit, stand beside it. The value stays raw.
    labels: bool,
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// All values as one stream.
#[utoipa::path(get, path = "/api/v1/export.csv",
    params(
        ("device" = Option<String>, Query, description = "of this device: id, address or name"),
        ("sensor" = Option<String>, Query, description = "of this sensor"),
        ("format" = Option<String>, Query, description = "csv or jsonl"),
        ("labels" = Option<bool>, Query, description = "with what the values are called and mean"),
        Span,
    ),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl"))), refused::NotFound))]
pub(crate) async fn all(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    let sight = app.hub.sight(&caller);
    let device = params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose()?;
    export(app, sight, &params, device.map(|device| device.names.id), "data")
}

/// A device's values as one stream.
#[utoipa::path(get, path = "/api/v1/devices/{id}/export.csv",
    params(
        ("sensor" = Option<String>, Query, description = "of this sensor"),
        ("format" = Option<String>, Query, description = "csv or jsonl"),
        ("labels" = Option<bool>, Query, description = "with what the values are called and mean"),
        Span,
    ),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl")))))]
pub(crate) async fn one(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let sight = app.hub.sight(&caller);
    export(app, sight, &params, Some(device.names.id), &device.names.name)
}

fn export(
    app: App,
    sight: Sight,
    params: &Params,
    device: Option<DeviceId>,
    name: &str,
) -> Result<Response, WebError> {
    let format = params.word("format", Format::parse, "csv, jsonl")?.unwrap_or(Format::Csv);
    let labels = params.word("labels", truth, "true, false")?.unwrap_or(false);
    let filter = DataFilter {
        device,
        sensor: params.text("sensor").map(str::to_owned),
        from: params.time("from")?,
        // What arrives while the stream runs belongs to the next one, or it might never end.
        to: Some(params.time("to")?.unwrap_or_else(|| app.hub.now())),
        after: None,
        limit: PAGE_VALUES,
    };
    let (kind, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Jsonl => ("application/jsonl", "jsonl"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, attachment(name, ending)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    Ok((headers, Body::new(Rows::new(app, sight, filter, Form { format, labels }))).into_response())
}

/// The file's name, plain for old programs and exact for the others (RFC 6266).
fn attachment(name: &str, ending: &str) -> String {
    let keep = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let plain: String = name.chars().map(|letter| if keep(letter) { letter } else { '_' }).collect();
    format!("attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{}.{ending}", query::escape(name))
}

type Page = Pin<Box<dyn Future<Output = Result<(Vec<u8>, Option<After>), HubError>> + Send>>;

/// The body: reads a page when the one before has gone out, so a slow reader costs one page of memory.
struct Rows {
    read: Arc<dyn Fn(Option<After>) -> Page + Send + Sync>,
    head: Option<Bytes>,
    next: Option<Page>,
}

impl Rows {
    fn new(app: App, sight: Sight, filter: DataFilter, form: Form) -> Self {
        let read: Arc<dyn Fn(Option<After>) -> Page + Send + Sync> = Arc::new(move |after| {
            let (app, sight) = (app.clone(), sight.clone());
            Box::pin(page(app, sight, DataFilter { after, ..filter.clone() }, form))
        });
        let head = match (form.format, form.labels) {
            (Format::Csv, false) => Some(HEAD),
            (Format::Csv, true) => Some(HEAD_WITH_LABELS),
            (Format::Jsonl, _) => None,
        };
        let head = head.map(|head| Bytes::from_static(head.as_bytes()));
        Self { next: Some(read(None)), read, head }
    }
}

impl HttpBody for Rows {
    type Data = Bytes;
    type Error = HubError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HubError>>> {
        if let Some(head) = self.head.take() {
            return Poll::Ready(Some(Ok(Frame::data(head))));
        }
        let Some(page) = self.next.as_mut() else { return Poll::Ready(None) };
        let read = ready!(page.as_mut().poll(cx));
        self.next = None;
        match read {
            // The connection breaks off, so that nobody takes half a file for a whole one.
            Err(error) => {
                tracing::error!(%error, "an export broke off");
                Poll::Ready(Some(Err(error)))
            }
            Ok((bytes, after)) => {
                self.next = after.map(|after| (self.read)(Some(after)));
                Poll::Ready(
                    Some(bytes).filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes.into()))),
                )
            }
        }
    }
}

/// One row: a value with its device's name and, where asked for, what it means.
struct Row<'d> {
    device: String,
    datum: &'d Datum,
    /// What it means; `None` when no dictionary knows the sensor, or nobody asked.
    meaning: Option<Explained>,
}

async fn page(
    app: App,
    sight: Sight,
    mut filter: DataFilter,
    form: Form,
) -> Result<(Vec<u8>, Option<After>), HubError> {
    let full = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let (values, after) = loop {
        let before = filter.after.clone();
        let mut values = app.hub.data(filter.clone()).await?;
        let after = After::last_of(&values, before.as_ref()).filter(|_| values.len() >= full);
        let scope = sight.scope();
        values.retain(|(device, _)| scope.holds(Some(device)));
        // A page without a row would look like the end.
        match after {
            Some(after) if values.is_empty() => filter.after = Some(after),
            after => break (values, after),
        }
    };
    let mut known: HashMap<DeviceId, (String, Chosen)> = HashMap::new();
    let rows = values.iter().map(|(id, datum)| {
        let (device, chosen) = known.entry(id.clone()).or_insert_with(|| names_of(&app, id));
        let meaning = form.labels.then(|| chosen.explain(&datum.sensor, &datum.value)).flatten();
        Row { device: device.clone(), datum, meaning }
    });
    let bytes = match form.format {
        Format::Csv => csv_rows(rows, form.labels),
        Format::Jsonl => jsonl_rows(rows, form.labels),
    };
    let bytes =
        bytes.ok_or_else(|| HubError::Store(StoreError::Failed("a row has no text form".to_owned())))?;
    Ok((bytes, after))
}

fn names_of(app: &App, id: &DeviceId) -> (String, Chosen) {
    match app.hub.device(id) {
        Some(device) => {
            let chosen = app.meanings(&device.names);
            (device.names.name, chosen)
        }
        None => (id.to_string(), Chosen::default()),
    }
}

fn csv_rows<'d>(rows: impl Iterator<Item = Row<'d>>, labels: bool) -> Option<Vec<u8>> {
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for Row { device, datum, meaning } in rows {
        let created = datum.time_created.map(|at| at.to_string()).unwrap_or_default();
        let unit = meaning.as_ref().and_then(|meaning| meaning.unit.clone()).unwrap_or_default();
        let mut cells = vec![
            inert(device),
            inert(datum.sensor.to_string()),
            cell(&datum.value),
            inert(unit),
            datum.time_received.to_string(),
            created,
        ];
        if labels {
            let (label, shown) = meaning.map(|meaning| (meaning.label, meaning.shown)).unwrap_or_default();
            // A number that is shown is no formula.
            let shown = if shown.parse::<f64>().is_ok() { shown } else { inert(shown) };
            cells.extend([inert(label), shown]);
        }
        out.write_record(cells).ok()?;
    }
    out.into_inner().ok()
}

fn jsonl_rows<'d>(rows: impl Iterator<Item = Row<'d>>, labels: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for Row { device, datum, meaning } in rows {
        let mut line = json!({
            "device": device,
            "sensor": datum.sensor,
            "value": datum.value,
            "unit": null,
            "time_received": datum.time_received,
            "time_created": datum.time_created,
        });
        if let (true, Some(object)) = (labels, line.as_object_mut()) {
            let meaning = meaning.as_ref();
            object.insert("unit".to_owned(), json!(meaning.and_then(|meaning| meaning.unit.as_deref())));
            object.insert("label".to_owned(), json!(meaning.map(|meaning| &meaning.label)));
            object.insert("shown".to_owned(), json!(meaning.map(|meaning| &meaning.shown)));
        }
        serde_json::to_writer(&mut out, &line).ok()?;
        out.push(b'\n');
    }
    Some(out)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(value) => inert(value.clone()),
        Value::Gap(_) => String::new(),
    }
}

/// Text that a spreadsheet would carry out becomes text that it shows.
fn inert(text: String) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    #[test]
    fn formulas_are_inert_and_numbers_stay() {
        let at = Timestamp::from_micros(0);
        let datum = |value| Datum {
            sensor: "s".into(),
            value,
            time_received: at,
            time_created: None,
            seq: crate::model::Seq(1),
            counts: true,
        };
        let data = [
            datum(Value::Text("=1+1".to_owned())),
            datum(Value::Integer(-5)),
            datum(Value::Text("a,\"b".to_owned())),
        ];
        let rows =
            csv_rows(data.iter().map(|datum| Row { device: "@d".to_owned(), datum, meaning: None }), false)
                .unwrap();
        let text = String::from_utf8(rows).unwrap();
        let want = "'@d,s,'=1+1,,1970-01-01T00:00:00.000000Z,\r\n'@d,s,-5,,1970-01-01T00:00:00.000000Z,\r\n\
                    '@d,s,\"a,\"\"b\",,1970-01-01T00:00:00.000000Z,\r\n";
        assert_eq!(text, want);
    }

    #[test]
    fn a_file_name_cannot_leave_its_quotes() {
        assert_eq!(attachment("a\"b", "csv"), "attachment; filename=\"a_b.csv\"; filename*=UTF-8''a%22b.csv");
    }
}
