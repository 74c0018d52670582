//! A device's present picture: its newest values as one, the alarms among them, and what its dialect knows of it.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::{Answer, device_for};
use crate::core::{Level, picture};
use crate::dictionary::Alarm;
use crate::model::Timestamp;
use crate::web::App;
use crate::web::auth::By;
use crate::web::params::Name;
use crate::web::shape::{DatumShape, DeviceShape};

/// The picture.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Picture {
    device: DeviceShape,
    /// When its newest value arrived.
    at: Option<Timestamp>,
    values: Vec<DatumShape>,
    alarms: Vec<Raised>,
}

/// An alarm that a value stands for.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = RaisedAlarm)]
struct Raised {
    sensor: String,
    label: String,
    /// When the value arrived.
    at: Timestamp,
    #[serde(flatten)]
    alarm: Alarm,
}

/// A device's newest values as one picture, and the alarms among them.
#[utoipa::path(get, path = "/api/v1/devices/{id}/picture",
    responses((status = 200, body = Picture)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<Picture> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let chosen = app.meanings(&device.names);
    let latest = picture(app.hub.latest(&device.names.id).await?);
    let mut alarms = Vec::new();
    for datum in &latest {
        let Some(meaning) = chosen.explain(&datum.sensor, &datum.value) else { continue };
        alarms.extend(meaning.alarms.iter().map(|alarm| Raised {
            sensor: datum.sensor.to_string(),
            label: meaning.label.clone(),
            at: datum.time_received,
            alarm: alarm.clone(),
        }));
    }
    let facts = app.facts(&device).await?;
    Ok(Json(Picture {
        at: latest.iter().map(|datum| datum.time_received).max(),
        values: latest.into_iter().map(|datum| DatumShape::new(&chosen, datum)).collect(),
        alarms,
        device: DeviceShape::new(&app.hub, &app.hub.sight(&caller), device).with_facts(facts),
    }))
}
