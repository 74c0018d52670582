//! What devices measured.

use axum::Json;
use axum::extract::State;

use super::{Answer, device};
use crate::core::DataFilter;
use crate::model::{Datum, Seq};
use crate::web::App;
use crate::web::params::{Listed, Name, Params};

pub(crate) async fn list(State(app): State<App>, Name(id): Name, params: Params) -> Answer<Listed<Datum>> {
    let device = device(&app, &id)?;
    let limit = params.limit()?;
    let data = app
        .hub
        .data(DataFilter {
            device: Some(device.names.id),
            sensor: params.text("sensor").map(str::to_owned),
            from: params.time("from")?,
            to: params.time("to")?,
            after: params.cursor::<(Seq, String)>()?,
            limit: limit + 1,
        })
        .await?;
    Ok(Json(Listed::page(data, limit, |(_, datum)| (datum.seq, datum.sensor.clone()), |(_, datum)| datum)))
}

/// What a device measures: every sensor with its newest value.
pub(crate) async fn series(State(app): State<App>, Name(id): Name) -> Answer<Listed<Datum>> {
    let device = device(&app, &id)?;
    Ok(Json(Listed::whole(app.hub.latest(&device.names.id).await?)))
}
