//! What devices measured: as pages, as buckets, or everything in one go.

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use serde::Serialize;

use super::buckets::{self, BucketShape};
use super::{Answer, device_for};
use crate::core::{After, DataFilter, HistoryHold, Hub, HubError, Level, Sight, StoreError, Whose};
use crate::dictionary::Chosen;
use crate::model::{Datum, DeviceId, DeviceRef, FamilyName, Seq};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::describe::params::{Paged, Span, Values};
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};
use crate::web::shape::DatumShape;

/// Values, or buckets of them.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Measured)]
#[serde(untagged)]
pub(crate) enum Measured {
    Values(Listed<DatumShape>),
    Buckets(Listed<BucketShape>),
}

/// A value with its device.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DeviceDatum)]
pub(crate) struct DeviceDatumShape {
    device: DeviceRef,
    #[serde(flatten)]
    datum: DatumShape,
}

/// A place in a list of values.
type Place = (Seq, String, u32);

/// A device's values, or buckets of them.
#[utoipa::path(get, path = "/api/v1/devices/{id}/data",
    params(
        Values,
        ("agg" = Option<String>, Query, description = "some of min,max,avg,count,last", example = "min,max"),
        ("bucket_s" = Option<u32>, Query, minimum = 1, maximum = 31_622_400, description = "a bucket's length in seconds"),
        Span, Paged,
    ),
    responses((status = 200, body = Measured)))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
    params: Params,
) -> Answer<Measured> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    if buckets::are_asked_for(&params) {
        return Ok(Json(Measured::Buckets(buckets::list(&app, device.names.id, &params).await?)));
    }
    let limit = params.limit()?;
    let chosen = app.meanings(&device.names);
    let filter = filter(&params, device.names.id.into())?;
    let after = filter.after.clone();
    let data = app.hub.data(DataFilter { limit: limit + 1, ..filter }).await?;
    let shape = |(_, datum): (DeviceId, _)| DatumShape::new(&chosen, datum);
    Ok(Json(Measured::Values(Listed::page_after(data, limit, |page| place(page, after.as_ref()), shape))))
}

/// Everything that all devices measured which the caller sees: a page where `limit` or `cursor` is given, else all of it.
#[utoipa::path(get, path = "/api/v1/data",
    params(
        ("device" = Option<String>, Query, description = "of this device: id, address or name"),
        Values, Span, Paged,
    ),
    responses((status = 200, body = Listed<DeviceDatumShape>), refused::NotFound, refused::Conflict))]
pub(crate) async fn all(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Result<Response, WebError> {
    if buckets::are_asked_for(&params) {
        let message = "buckets are of one device: ask /api/v1/devices/{id}/data";
        return Err(WebError::field("agg", message));
    }
    let sight = app.hub.sight(&caller);
    let whose = match params.text("device") {
        Some(text) => app.hub.find_seen(&sight, text)?.names.id.into(),
        None => sight.scope().into(),
    };
    let filter = filter(&params, whose)?;
    if params.text("limit").is_none() && filter.after.is_none() {
        return whole(app, sight, filter).await;
    }
    let limit = params.limit()?;
    let after = filter.after.clone();
    let data = app.hub.data(DataFilter { limit: limit + 1, ..filter }).await?;
    let mut names = Names::default();
    let page = Listed::page_after(
        data,
        limit,
        |page| place(page, after.as_ref()),
        |(id, datum)| names.shape(&app, &id, datum),
    );
    Ok(Json(page).into_response())
}

/// What a device measures: every sensor with its newest value.
#[utoipa::path(get, path = "/api/v1/devices/{id}/series",
    responses((status = 200, body = Listed<DatumShape>)))]
pub(crate) async fn series(
    State(app): State<App>,
    By(caller): By,
    Name(id): Name,
) -> Answer<Listed<DatumShape>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let chosen = app.meanings(&device.names);
    let latest = app.hub.latest(&device.names.id).await?;
    Ok(Json(Listed::whole(latest.into_iter().map(|datum| DatumShape::new(&chosen, datum)).collect())))
}

/// What a query asks of the values of some devices; `limit` is the caller's to set.
pub(super) fn filter(params: &Params, whose: Whose) -> Result<DataFilter, WebError> {
    let (from, to) = params.span()?;
    let after = params.cursor::<Place>()?;
    Ok(DataFilter {
        whose,
        sensors: sensors(params)?,
        from,
        to,
        upto: None,
        newest_first: params.word("order", newest_first, "asc, desc")?.unwrap_or(false),
        after: after.map(|(seq, sensor, count)| After { seq, sensor, count }),
        limit: 0,
    })
}

/// The sensors that a query names.
pub(super) fn sensors(params: &Params) -> Result<Vec<String>, WebError> {
    let sensors: Vec<String> = params.texts("sensor").map(str::to_owned).collect();
    if sensors.len() > SENSORS_MAX {
        return Err(WebError::field("sensor", format!("at most {SENSORS_MAX} sensors are named at a time")));
    }
    Ok(sensors)
}

fn newest_first(word: &str) -> Option<bool> {
    match word {
        "asc" => Some(false),
        "desc" => Some(true),
        _ => None,
    }
}

fn place(page: &[(DeviceId, Datum)], before: Option<&After>) -> Option<Place> {
    let After { seq, sensor, count } = After::last_of(page, before)?;
    Some((seq, sensor, count))
}

/// All values as one list, made piece by piece as it is read.
async fn whole(app: App, sight: Sight, filter: DataFilter) -> Result<Response, WebError> {
    let (history, upto) = snapshot(&app.hub).await?;
    let filter = DataFilter { upto: Some(upto), limit: PAGE_VALUES, ..filter };
    let names = Names::default();
    let start = Whole { app, sight, filter, names, first: true, _history: history };
    let pieces = stream::try_unfold(Some(start), async |whole| match whole {
        Some(whole) => whole.piece().await.map(Some),
        None => Ok::<_, HubError>(None),
    });
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, Body::from_stream(pieces)).into_response())
}

/// All that is stored at this moment: nothing of it is pruned, and what comes later has later entries.
pub(super) async fn snapshot(hub: &Hub) -> Result<(HistoryHold, Seq), HubError> {
    let history = hub.hold_history();
    let upto = hub.last_entry().await?;
    // Else values that are stored and not in their places yet would be left out.
    hub.filed().await?;
    Ok((history, upto))
}

/// A list on its way out.
struct Whole {
    app: App,
    sight: Sight,
    filter: DataFilter,
    names: Names,
    first: bool,
    _history: HistoryHold,
}

impl Whole {
    /// The next piece of the list, and what is left of it.
    async fn piece(mut self) -> Result<(Bytes, Option<Self>), HubError> {
        let mut out = if self.first { b"{\"items\":[".to_vec() } else { Vec::new() };
        let data = self.app.hub.data(self.filter.clone()).await.inspect_err(|error| {
            tracing::error!(%error, "a list of values broke off");
        })?;
        let full = data.len() >= usize::try_from(self.filter.limit).unwrap_or(usize::MAX);
        self.filter.after = After::last_of(&data, self.filter.after.as_ref());
        for (id, datum) in data {
            if !self.sight.sees(&id) {
                continue; // it was taken away meanwhile
            }
            if !std::mem::take(&mut self.first) {
                out.push(b',');
            }
            let item = self.names.shape(&self.app, &id, datum);
            serde_json::to_writer(&mut out, &item).map_err(|error| no_text(&error))?;
        }
        if full {
            return Ok((out.into(), Some(self)));
        }
        out.extend_from_slice(b"],\"next\":null}");
        Ok((out.into(), None))
    }
}

/// A value that cannot be written; only a fault of ours makes it.
pub(super) fn no_text(error: &dyn std::fmt::Display) -> HubError {
    HubError::Store(StoreError::Failed(format!("a value has no text form: {error}")))
}

/// Devices as they were called when the first of their values was met.
#[derive(Default)]
pub(super) struct Names(HashMap<DeviceId, (DeviceRef, Chosen)>);

impl Names {
    /// A device's names, and what its values mean.
    pub(super) fn of(&mut self, app: &App, id: &DeviceId) -> &(DeviceRef, Chosen) {
        self.0.entry(id.clone()).or_insert_with(|| match app.hub.device(id) {
            Some(device) => {
                let chosen = app.meanings(&device.names);
                (device.names, chosen)
            }
            None => (nobody(id), Chosen::default()),
        })
    }

    /// A value of a device, as it is told.
    pub(super) fn shape(&mut self, app: &App, id: &DeviceId, datum: Datum) -> DeviceDatumShape {
        let (names, chosen) = self.of(app, id);
        DeviceDatumShape { device: names.clone(), datum: DatumShape::new(chosen, datum) }
    }
}

/// A device that was forgotten a moment ago.
fn nobody(id: &DeviceId) -> DeviceRef {
    let text = id.as_str().to_owned();
    DeviceRef { id: id.clone(), family: FamilyName::new(""), address: text.clone(), name: text }
}

/// Values read from the store at a time; what a slow reader holds in memory. A page of the store, which is unpacked for
/// it, holds up to 262,144 of them.
pub(super) const PAGE_VALUES: u32 = 16_384;
/// Sensors that one query may name: as many as a device of a token may have.
const SENSORS_MAX: usize = 256;
