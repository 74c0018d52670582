//! Download: which values, of which stretch of time, in which form; and the day files. The form leads to the exports of the API.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};

use super::moment::Moment;
use super::values::raw;
use super::{Frame, Page, Place, render};
use crate::core::{DataFilter, DeviceFilter, Level};
use crate::family::Day;
use crate::http::query::escape;
use crate::model::{Datum, Device, Timestamp};
use crate::web::App;
use crate::web::api;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "download.html")]
struct DownloadPage {
    frame: Frame,
    devices: Vec<Device>,
    /// More devices than are listed: then they are found by a search.
    more: bool,
    q: String,
    chosen: Option<Chosen>,
    form: String,
    span: String,
    from: String,
    to: String,
    labels: bool,
    bom: bool,
    forms: &'static [(&'static str, &'static str)],
    spans: &'static [(&'static str, &'static str, u64)],
}

/// The device that was chosen.
struct Chosen {
    device: Device,
    sensors: Vec<Sensor>,
    values: Vec<Line>,
    days: Vec<Day>,
    days_more: usize,
}

struct Sensor {
    name: String,
    label: Option<String>,
    wanted: bool,
}

/// One of the newest values, in the original's columns.
struct Line {
    sensor: String,
    data: String,
    received: Moment,
    created: Option<Moment>,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let sight = app.hub.sight(&caller);
    let params = params.filled();
    let text = |name: &str| params.text(name).unwrap_or_default().to_owned();
    let chosen = match params.text("device") {
        Some(id) => {
            let device = api::device_for(&app, &caller, id, Level::View)?;
            Some(chosen(&app, device, &params).await?)
        }
        None => None,
    };
    let filter = DeviceFilter {
        q: params.text("q").map(str::to_owned),
        limit: DEVICES_MAX + 1,
        ..DeviceFilter::default()
    };
    let mut devices = app.hub.devices_seen(&sight, filter, None).await?;
    let more = devices.len() > usize::try_from(DEVICES_MAX).unwrap_or(usize::MAX);
    devices.truncate(usize::try_from(DEVICES_MAX).unwrap_or(usize::MAX));
    if let Some(chosen) = &chosen
        && !devices.iter().any(|device| device.names.id == chosen.device.names.id)
    {
        devices.insert(0, chosen.device.clone());
    }
    render(&DownloadPage {
        frame: Frame::of(&app, &caller, Place::Download, "Download").await,
        devices,
        more,
        q: text("q"),
        chosen,
        form: text("form"),
        span: text("span"),
        from: text("from"),
        to: text("to"),
        labels: !text("labels").is_empty(),
        bom: !text("bom").is_empty(),
        forms: FORMS,
        spans: SPANS,
    })
}

/// What the form asks for, as an export of the API.
pub(crate) async fn lead(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let params = params.filled();
    let (form, kind) = match params.text("form") {
        Some("jsonl") => ("long", "jsonl"),
        Some(form @ ("wide" | "classic")) => (form, "csv"),
        _ => ("long", "csv"),
    };
    let path = match params.text("device") {
        Some(id) => {
            let device = api::device_for(&app, &caller, id, Level::View)?;
            format!("/api/v1/devices/{}/export.{kind}", device.names.id)
        }
        None => format!("/api/v1/export.{kind}"),
    };
    let mut asked = vec![("form", form.to_owned())];
    asked.extend(params.texts("sensor").map(|sensor| ("sensor", sensor.to_owned())));
    let (from, to) = stretch(&params, app.hub.now())?;
    asked.extend(from.map(|from| ("from", from.to_string())));
    asked.extend(to.map(|to| ("to", to.to_string())));
    if params.text("labels").is_some() && form == "long" {
        asked.push(("labels", "true".to_owned()));
    }
    if params.text("bom").is_some() && kind == "csv" {
        asked.push(("bom", "true".to_owned()));
    }
    let asked: Vec<String> =
        asked.into_iter().map(|(name, value)| format!("{name}={}", escape(&value))).collect();
    Ok(Redirect::to(&format!("{path}?{}", asked.join("&"))).into_response())
}

/// From when to when: a span up to now, or what was typed (UTC).
fn stretch(params: &Params, now: Timestamp) -> Result<(Option<Timestamp>, Option<Timestamp>), WebError> {
    match params.text("span").unwrap_or_default() {
        "own" => params.span(),
        word => {
            let span = SPANS.iter().find(|(known, _, seconds)| *known == word && *seconds > 0);
            Ok((span.map(|(_, _, seconds)| now.minus(Duration::from_secs(*seconds))), None))
        }
    }
}

async fn chosen(app: &App, device: Device, params: &Params) -> Result<Chosen, WebError> {
    let meanings = app.meanings(&device.names);
    let wanted: Vec<&str> = params.texts("sensor").collect();
    let sensors = app.hub.latest(&device.names.id).await?;
    let sensors = sensors.into_iter().map(|datum| Sensor {
        label: meanings.explain(&datum.sensor, &datum.value).map(|meaning| meaning.label),
        wanted: wanted.contains(&datum.sensor.as_str()),
        name: datum.sensor.into(),
    });
    let filter = DataFilter {
        whose: device.names.id.clone().into(),
        sensors: wanted.iter().map(|sensor| (*sensor).to_owned()).collect(),
        newest_first: true,
        limit: VALUES_SHOWN,
        ..DataFilter::default()
    };
    let values = app.hub.data(filter).await?.into_iter().map(|(_, datum)| line(datum));
    let (days, days_more) = newest_days(app, &device).await?;
    Ok(Chosen { sensors: sensors.collect(), values: values.collect(), days, days_more, device })
}

/// The newest day files of a device, as many as a page leads to, and how many more there are.
pub(super) async fn newest_days(app: &App, device: &Device) -> Result<(Vec<Day>, usize), WebError> {
    let mut days = match app.family(&device.names.family).and_then(|family| family.days()) {
        Some(days) => days.list(&app.hub, device).await?,
        None => Vec::new(),
    };
    let more = days.len().saturating_sub(DAYS_SHOWN);
    days.truncate(DAYS_SHOWN);
    Ok((days, more))
}

fn line(datum: Datum) -> Line {
    Line {
        data: raw(&datum.value),
        sensor: datum.sensor.into(),
        received: Moment::at(datum.time_received),
        created: datum.time_created.map(Moment::at),
    }
}

/// Forms of a file.
const FORMS: &[(&str, &str)] = &[
    ("long", "CSV, a row for each value"),
    ("wide", "CSV, a column for each sensor"),
    ("classic", "CSV, a block for each device: Data, Time Received, Time Created"),
    ("jsonl", "JSON lines"),
];
/// Stretches of time up to now, in seconds; 0 is none.
const SPANS: &[(&str, &str, u64)] = &[
    ("", "All there is", 0),
    ("1h", "The last hour", 3600),
    ("1d", "The last day", 86_400),
    ("7d", "The last 7 days", 604_800),
    ("30d", "The last 30 days", 2_592_000),
    ("1y", "The last year", 31_536_000),
    ("own", "From and to, as below", 0),
];
/// Devices to choose from on one page.
const DEVICES_MAX: u32 = 200;
const VALUES_SHOWN: u32 = 20;
/// Day files that a page leads to; the API lists all.
const DAYS_SHOWN: usize = 31;
