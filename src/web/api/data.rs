//! What devices measured.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::buckets::{self, BucketShape};
use super::{Answer, device_for};
use crate::core::{After, DataFilter, Level};
use crate::model::Seq;
use crate::web::App;
use crate::web::auth::By;
use crate::web::describe::params::{Paged, Span};
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

/// A device's values, or buckets of them.
#[utoipa::path(get, path = "/api/v1/devices/{id}/data",
    params(
        ("sensor" = Option<String>, Query, description = "of this sensor"),
        ("agg" = Option<String>, Query, description = "some of min,max,avg,count,last", example = "min,max"),
        ("bucket_s" = Option<u32>, Query, minimum = 1, maximum = 31_622_400, description = "a bucket's length in seconds"),
        Span, Paged,
    ),
    responses((status = 200, body = Measured)))]
pub(crate) async fn list(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Answer<Measured> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    if buckets::are_asked_for(&params) {
        return Ok(Json(Measured::Buckets(buckets::list(&app, device.names.id, &params).await?)));
    }
    let limit = params.limit()?;
    let chosen = app.meanings(&device.names);
    let after = params.cursor::<(Seq, String, u32)>()?;
    let after = after.map(|(seq, sensor, count)| After { seq, sensor, count });
    let data = app
        .hub
        .data(DataFilter {
            device: Some(device.names.id),
            sensor: params.text("sensor").map(str::to_owned),
            from: params.time("from")?,
            to: params.time("to")?,
            after: after.clone(),
            limit: limit + 1,
        })
        .await?;
    let values = Listed::page_after(
        data,
        limit,
        |page| {
            let After { seq, sensor, count } = After::last_of(page, after.as_ref())?;
            Some((seq, sensor, count))
        },
        |(_, datum)| DatumShape::new(&chosen, datum),
    );
    Ok(Json(Measured::Values(values)))
}

/// What a device measures: every sensor with its newest value.
#[utoipa::path(get, path = "/api/v1/devices/{id}/series",
    responses((status = 200, body = Listed<DatumShape>)))]
pub(crate) async fn series(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Answer<Listed<DatumShape>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let chosen = app.meanings(&device.names);
    let latest = app.hub.latest(&device.names.id).await?;
    Ok(Json(Listed::whole(latest.into_iter().map(|datum| DatumShape::new(&chosen, datum)).collect())))
}
