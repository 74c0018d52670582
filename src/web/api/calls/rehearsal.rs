//! A command for several devices, looked at before it is given: who would get it, who would not and why, and the bytes.

use std::collections::HashMap;

use serde::Serialize;

use super::{Offline, Order, Target, drafted, meant};
use crate::core::Sight;
use crate::model::{DeviceId, DeviceRef, DeviceState};
use crate::web::App;
use crate::web::error::WebError;
use crate::web::shape::Exact;

/// What would become of it. Nothing was queued.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CallRehearsal)]
pub(crate) struct Rehearsed {
    preview: bool,
    dry_run: bool,
    /// How many would get it.
    targets: usize,
    /// How many would not.
    left_out: usize,
    pub(crate) items: Vec<Planned>,
}

/// What would become of it for one device.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = CallPlanned)]
pub(crate) struct Planned {
    pub(crate) address: String,
    pub(crate) device: Option<DeviceRef>,
    /// Whether it would get it.
    pub(crate) gets: bool,
    /// Whether it is connected now; `null` where devices come and fetch.
    connected: Option<bool>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warning: Option<String>,
    /// The bytes of a dry run, and their count.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<usize>,
    #[serde(flatten)]
    pub(crate) exact: Exact,
}

/// Works out what would become of it.
pub(crate) async fn rehearse(
    app: &App,
    sight: &Sight,
    order: &Order,
    dry_run: bool,
) -> Result<Rehearsed, WebError> {
    // Devices that share a queue get numbers one after the other.
    let mut before: HashMap<DeviceId, usize> = HashMap::new();
    let mut items = Vec::new();
    for target in meant(app, sight, order).await? {
        items.push(plan(app, order, target, dry_run, &mut before).await?);
    }
    let targets = items.iter().filter(|planned| planned.gets).count();
    Ok(Rehearsed { preview: true, dry_run, targets, left_out: items.len() - targets, items })
}

async fn plan(
    app: &App,
    order: &Order,
    target: Target,
    dry_run: bool,
    before: &mut HashMap<DeviceId, usize>,
) -> Result<Planned, WebError> {
    let mut planned = Planned {
        address: target.name,
        device: None,
        gets: false,
        connected: None,
        message: None,
        warning: None,
        size: None,
        exact: Exact::default(),
    };
    let Some(device) = target.device else {
        planned.message = Some("no such device".to_owned());
        return Ok(planned);
    };
    planned.address.clone_from(&device.names.address);
    planned.device = Some(device.names.clone());
    planned.connected = app.family(&device.names.family).and_then(|family| family.reachable(&device));
    let why = match (target.left_out, device.state, planned.connected) {
        (Some(why), ..) => Some(why),
        (None, DeviceState::Blocked, _) => Some("it is blocked"),
        (None, DeviceState::Active | DeviceState::Held, Some(false)) if order.offline() == Offline::Skip => {
            Some("it is not connected now, and nothing waits for it")
        }
        (None, DeviceState::Active | DeviceState::Held, _) => None,
    };
    if let Some(why) = why {
        planned.message = Some(why.to_owned());
        return Ok(planned);
    }
    let (drafted, warning) = match drafted(app, order, &device) {
        Ok(drafted) => drafted,
        Err(error) => {
            planned.message = Some(error.shown().message);
            return Ok(planned);
        }
    };
    let queue = app.hub.queue_of(&drafted);
    let ahead = queue.map(|queue| before.entry(queue).or_default());
    match app.hub.dry_run_after(&drafted, ahead.as_deref().copied().unwrap_or_default()).await {
        Ok(bytes) => {
            planned.gets = true;
            planned.warning = warning;
            if let Some(ahead) = ahead {
                *ahead += 1;
            }
            if dry_run {
                planned.size = Some(bytes.len());
                planned.exact = Exact::new(&bytes);
            }
        }
        Err(error) => planned.message = Some(error.to_string()),
    }
    Ok(planned)
}
