//! What a rule would be for, before it is made.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, rules};
use crate::core::{Caller, Sight};
use crate::model::{Check, Device, DeviceRef, Rule, Timestamp, Value, number};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::Body;

/// The devices and sensors that a rule would be for.
#[derive(Serialize, ToSchema)]
#[schema(as = RulePreview)]
pub(crate) struct PreviewShape {
    /// How many devices it is for.
    pub(crate) devices: usize,
    /// How many of them are looked at here: the first by name.
    pub(crate) looked_at: usize,
    /// How many sensors of those it is for.
    pub(crate) sensors: usize,
    /// How many of those are outside now.
    pub(crate) outside: usize,
    /// The first of them.
    pub(crate) items: Vec<SensorNow>,
}

/// A sensor that a rule would be for, as it is now.
#[derive(Serialize, ToSchema)]
pub(crate) struct SensorNow {
    pub(crate) device: DeviceRef,
    /// `null` is the device as a whole.
    pub(crate) sensor: Option<String>,
    /// The stored value, which bounds are held against.
    #[schema(value_type = Option<Object>)]
    pub(crate) value: Option<Value>,
    /// The same as people read it, with its unit, where that is another.
    pub(crate) shown: Option<String>,
    /// When it came, or the device was heard.
    pub(crate) at: Option<Timestamp>,
    /// Whether the rule would find something wrong with it now.
    pub(crate) outside: bool,
}

/// Says which devices and sensors a rule would be for, with what they say now. Makes nothing.
#[utoipa::path(post, path = "/api/v1/rules/preview", request_body = rules::RuleEdit,
    responses((status = 200, body = PreviewShape), refused::Conflict, refused::NotFound, refused::HouseOnly))]
pub(crate) async fn show(
    State(app): State<App>,
    By(caller): By,
    Body(edit): Body<rules::RuleEdit>,
) -> Answer<PreviewShape> {
    let rule = rules::draft(&app, &caller, edit).await?;
    preview(&app, &caller, &rule).await.map(Json)
}

/// What a rule is for now, as far as the caller sees it.
pub(crate) async fn preview(app: &App, caller: &Caller, rule: &Rule) -> Result<PreviewShape, WebError> {
    let sight = app.hub.sight(caller);
    let mut devices: Vec<Device> = for_whom(app, &sight, rule);
    devices.sort_by_cached_key(|device| device.names.name.to_lowercase());
    let mut preview = PreviewShape {
        devices: devices.len(),
        looked_at: devices.len().min(DEVICES_MAX),
        sensors: 0,
        outside: 0,
        items: Vec::new(),
    };
    for device in devices.into_iter().take(DEVICES_MAX) {
        for sensor in of_device(app, rule, device).await? {
            preview.sensors += 1;
            preview.outside += usize::from(sensor.outside);
            preview.items.push(sensor);
        }
    }
    // What is wrong now comes first.
    preview.items.sort_by_key(|sensor| !sensor.outside);
    preview.items.truncate(ITEMS_MAX);
    Ok(preview)
}

/// The devices a rule is for, of those that are seen.
pub(crate) fn for_whom(app: &App, sight: &Sight, rule: &Rule) -> Vec<Device> {
    let devices = app.hub.devices_now().into_iter();
    devices.filter(|device| app.hub.rule_is_for(rule, device) && sight.sees(&device.names.id)).collect()
}

async fn of_device(app: &App, rule: &Rule, device: Device) -> Result<Vec<SensorNow>, WebError> {
    let whole = |outside| SensorNow {
        sensor: None,
        value: None,
        shown: None,
        at: device.last_seen,
        outside,
        device: device.names.clone(),
    };
    let bounds = match &rule.check {
        Check::Offline => return Ok(vec![whole(!app.hub.presence(&device).online)]),
        Check::NoData { .. } if rule.sensor.is_none() => return Ok(vec![whole(false)]),
        Check::NoData { .. } => None,
        Check::Bounds(bounds) => Some(*bounds),
    };
    let chosen = app.meanings(&device.names);
    let latest = app.hub.latest(&device.names.id).await?.into_iter();
    let sensors = latest.filter(|datum| rule.is_for(&datum.sensor)).filter_map(|datum| {
        let value = number(&datum.value);
        // Texts have no bounds.
        if bounds.is_some() && value.is_none() {
            return None;
        }
        let meaning = chosen.explain(&datum.sensor, &datum.value);
        let other = |shown: &String| value.is_none_or(|value| *shown != value.to_string());
        let shown = meaning.and_then(|meaning| match (other(&meaning.shown), meaning.unit) {
            (_, Some(unit)) => Some(format!("{} {unit}", meaning.shown)),
            (true, None) => Some(meaning.shown),
            (false, None) => None,
        });
        Some(SensorNow {
            device: device.names.clone(),
            sensor: Some(datum.sensor.to_string()),
            shown,
            at: Some(datum.time_received),
            outside: bounds
                .zip(value.filter(|_| datum.counts))
                .is_some_and(|(bounds, value)| bounds.outside(value).is_some()),
            value: Some(datum.value),
        })
    });
    Ok(sensors.collect())
}

/// Devices whose values are read for one preview.
const DEVICES_MAX: usize = 50;
/// Sensors that are told.
const ITEMS_MAX: usize = 100;
