//! Everything measured, as one stream: CSV in long, wide or classic form, or a JSON object a line.
//!
//! What it tells is what was stored when it began: nothing of a later ledger entry, and nothing twice. It is read page by
//! page, each when the one before has gone out, so a slow reader costs one page of memory and holds no read of the store
//! open.

mod cells;
mod records;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::header;

use self::rows::{Form, Layout, Walk};
use super::data;
use super::device_for;
use crate::core::{Caller, DataFilter, DeviceFilter, Hub, HubError, Level, Sight, Whose};
use crate::http::query;
use crate::model::DeviceRef;
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::{ExportForm, Span, Values};
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

/// The file's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// How values become rows, as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Long,
    Wide,
    Classic,
}

impl Shape {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "long" => Some(Self::Long),
            "wide" => Some(Self::Wide),
            "classic" => Some(Self::Classic),
            _ => None,
        }
    }
}

/// Of everything that the caller sees, as CSV.
#[utoipa::path(get, path = "/api/v1/export.csv",
    params(
        ("device" = Option<String>, Query, description = "of this device: id, address or name"),
        Values, ExportForm, Span),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl"))), refused::NotFound, refused::Conflict))]
pub(crate) async fn all(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    let sight = app.hub.sight(&caller);
    everything(app, sight, &params, Format::Csv).await
}

/// Of everything that the caller sees, as JSON lines.
#[utoipa::path(get, path = "/api/v1/export.jsonl",
    params(
        ("device" = Option<String>, Query, description = "of this device: id, address or name"),
        Values, ExportForm, Span),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl"))), refused::NotFound, refused::Conflict))]
pub(crate) async fn all_lines(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    let sight = app.hub.sight(&caller);
    everything(app, sight, &params, Format::Jsonl).await
}

/// Of one device, as CSV.
#[utoipa::path(get, path = "/api/v1/devices/{id}/export.csv",
    params(Values, ExportForm, Span),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl")))))]
pub(crate) async fn one(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
    params: Params,
) -> Result<Response, WebError> {
    of_one(app, &caller, &id, &params, Format::Csv).await
}

/// Of one device, as JSON lines.
#[utoipa::path(get, path = "/api/v1/devices/{id}/export.jsonl",
    params(Values, ExportForm, Span),
    responses((status = 200, content((String = "text/csv"), (String = "application/jsonl")))))]
pub(crate) async fn one_lines(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
    params: Params,
) -> Result<Response, WebError> {
    of_one(app, &caller, &id, &params, Format::Jsonl).await
}

async fn of_one(
    app: App,
    caller: &Caller,
    id: &str,
    params: &Params,
    format: Format,
) -> Result<Response, WebError> {
    let device = device_for(&app, caller, id, Level::View)?;
    let sight = app.hub.sight(caller);
    export(app, sight, params, device.names.id.into(), &device.names.name, format).await
}

async fn everything(app: App, sight: Sight, params: &Params, format: Format) -> Result<Response, WebError> {
    let whose = match params.text("device") {
        Some(text) => app.hub.find_seen(&sight, text)?.names.id.into(),
        None => sight.scope().into(),
    };
    export(app, sight, params, whose, "data", format).await
}

async fn export(
    app: App,
    sight: Sight,
    params: &Params,
    whose: Whose,
    name: &str,
    format: Format,
) -> Result<Response, WebError> {
    let format = params.word("format", Format::parse, "csv, jsonl")?.unwrap_or(format);
    let filter = DataFilter { after: None, limit: data::PAGE_VALUES, ..data::filter(params, whose)? };
    let form = form(&app, &sight, params, &filter, format).await?;
    let (history, upto) = data::snapshot(&app.hub).await?;
    let filter = DataFilter { upto: Some(upto), ..filter };
    let (kind, ending) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Jsonl => ("application/jsonl", "jsonl"),
    };
    let headers = [
        (header::CONTENT_TYPE, kind.to_owned()),
        (header::CONTENT_DISPOSITION, attachment(name, ending)),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    let walk = Walk::new(app, sight, filter, form, history);
    let pieces = stream::try_unfold(walk, async |mut walk| {
        let piece = walk.piece().await.inspect_err(|error| {
            // The connection breaks off, so that nobody takes half a file for a whole one.
            tracing::error!(%error, "an export broke off");
        })?;
        Ok::<_, HubError>(piece.map(|piece| (piece, walk)))
    });
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// What the rows look like, and whether all that is asked for goes together.
async fn form(
    app: &App,
    sight: &Sight,
    params: &Params,
    filter: &DataFilter,
    format: Format,
) -> Result<Form, WebError> {
    let shape = params.word("form", Shape::parse, "long, wide, classic")?.unwrap_or(Shape::Long);
    let labels = params.truth("labels")?;
    let bom = params.truth("bom")?;
    if bom && format == Format::Jsonl {
        return Err(WebError::field("bom", "JSON lines begin with no byte order mark: bom is for csv"));
    }
    if labels && shape != Shape::Long {
        return Err(WebError::field("labels", "labels are columns of the long form"));
    }
    if filter.newest_first && shape == Shape::Classic {
        return Err(WebError::field("order", "blocks of devices are told the oldest first"));
    }
    let layout = match (format, shape) {
        (Format::Csv, Shape::Long) => Layout::Long { labels },
        (Format::Jsonl, Shape::Long) => Layout::Lines { labels },
        (Format::Csv, Shape::Wide) => Layout::Wide(columns(app, sight, filter).await?),
        (Format::Jsonl, Shape::Wide) => Layout::WideLines,
        (Format::Csv, Shape::Classic) => Layout::Classic(devices(app, &filter.whose).await?),
        (Format::Jsonl, Shape::Classic) => {
            return Err(WebError::field("form", "the classic form is CSV: JSON lines are long or wide"));
        }
    };
    Ok(Form { layout, bom })
}

/// A column for every sensor that was asked for, or that the devices have, by name.
async fn columns(app: &App, sight: &Sight, filter: &DataFilter) -> Result<Vec<String>, WebError> {
    let mut columns: BTreeSet<String> = filter.sensors.iter().cloned().collect();
    if columns.is_empty() {
        for device in devices(app, &filter.whose).await? {
            if !sight.sees(&device.id) {
                continue;
            }
            let latest = app.hub.latest(&device.id).await?;
            columns.extend(latest.into_iter().map(|datum| datum.sensor.into()));
            if columns.len() > COLUMNS_MAX {
                let message = format!(
                    "these devices have more than {COLUMNS_MAX} sensors together: name those that shall be columns, or \
                     ask for one device"
                );
                return Err(WebError::field("sensor", message));
            }
        }
    }
    Ok(columns.into_iter().collect())
}

/// The devices that an export is of, by name.
async fn devices(app: &App, whose: &Whose) -> Result<VecDeque<DeviceRef>, HubError> {
    let mut found = VecDeque::new();
    if let Whose::One(id) = whose {
        found.extend(app.hub.device(id).map(|device| device.names));
        return Ok(found);
    }
    each_device(&app.hub, |device| {
        if whose.holds(&device.id) {
            found.push_back(device);
        }
    })
    .await?;
    Ok(found)
}

async fn each_device(hub: &Hub, mut tell: impl FnMut(DeviceRef)) -> Result<(), HubError> {
    let mut after = None;
    loop {
        let filter = DeviceFilter { after: after.take(), limit: DEVICES, ..DeviceFilter::default() };
        let page = hub.devices(filter).await?;
        let full = page.len() >= usize::try_from(DEVICES).unwrap_or(usize::MAX);
        for device in page {
            after = Some((device.names.name.clone(), device.names.id.clone()));
            tell(device.names);
        }
        if !full {
            return Ok(());
        }
    }
}

/// The file's name, plain for old programs and exact for the others (RFC 6266).
fn attachment(name: &str, ending: &str) -> String {
    let keep = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let plain: String = name.chars().map(|letter| if keep(letter) { letter } else { '_' }).collect();
    format!("attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{}.{ending}", query::escape(name))
}

/// Columns of the wide form: more than spreadsheets are read by people with.
const COLUMNS_MAX: usize = 1000;
/// Devices looked up at a time.
const DEVICES: u32 = 500;
