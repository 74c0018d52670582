//! What became of commands and alerts of a device.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

use super::read::{ChangePlace, Happened, Kind, Told, Wanted};
use crate::core::{AlertFilter, CommandFilter, Hub, HubError, Sight};
use crate::model::{Alert, AlertEvent, AlertNote, CommandRecord, CommandState};

/// A command changed its state.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineChange)]
pub(crate) struct Change {
    pub(crate) id: String,
    pub(crate) cmd: String,
    pub(crate) state: CommandState,
    pub(crate) reason: String,
    pub(crate) by: String,
}

/// An alert changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineAlert)]
pub(crate) struct AlertChange {
    id: String,
    rule: String,
    pub(crate) rule_name: String,
    pub(crate) sensor: Option<String>,
    #[serde(flatten)]
    pub(crate) event: AlertEvent,
}

/// The changes that are wanted, newest first, after the place that was reached.
pub(super) async fn changes(
    hub: &Hub,
    sight: &Sight,
    wanted: &Wanted,
) -> Result<VecDeque<(ChangePlace, Happened)>, HubError> {
    let device = &wanted.device;
    let mut all = Vec::new();
    if wanted.kinds.contains(&Kind::Command) {
        let filter =
            CommandFilter { device: Some(device.clone()), limit: COMMANDS_MAX, ..CommandFilter::default() };
        all.extend(hub.commands_seen(sight, filter).await?.into_iter().flat_map(each_change));
    }
    if wanted.kinds.contains(&Kind::Alert) {
        let filter =
            AlertFilter { device: Some(device.clone()), limit: COMMANDS_MAX, ..AlertFilter::default() };
        let notes = hub.kept_all::<AlertNote>(Some(device), None, COMMANDS_MAX).await?;
        let mut notes: HashMap<_, _> =
            notes.into_iter().map(|(_, note)| (note.alert.clone(), note.events)).collect();
        for (_, alert) in hub.alerts(filter, |_| true).await? {
            let done = notes.remove(&alert.id).unwrap_or_default();
            all.extend(each_event(alert, done));
        }
    }
    let (from, to) = wanted.span;
    let after = wanted.place.change.as_ref();
    all.retain(|(place, item)| {
        from.is_none_or(|from| item.at >= from)
            && to.is_none_or(|to| item.at < to)
            && after.is_none_or(|after| place < after)
    });
    all.sort_by(|(one, _), (other, _)| other.cmp(one));
    Ok(all.into())
}

fn each_change(command: CommandRecord) -> Vec<(ChangePlace, Happened)> {
    let (id, cmd) = (command.id, command.cmd);
    let each = command.transitions.into_iter().enumerate().map(|(number, step)| {
        let place = (step.at, id.as_str().to_owned(), number);
        let change = Change {
            id: id.as_str().to_owned(),
            cmd: cmd.clone(),
            state: step.state,
            reason: step.reason,
            by: step.by,
        };
        (place, Happened { at: step.at, told: Told::Command(change) })
    });
    each.collect()
}

fn each_event(alert: Alert, done: Vec<AlertEvent>) -> impl Iterator<Item = (ChangePlace, Happened)> {
    let Alert { id, rule, rule_name, sensor, events, .. } = alert;
    events.into_iter().chain(done).enumerate().map(move |(number, event)| {
        let place = (event.at, id.clone(), number);
        let (id, rule, rule_name, sensor) = (id.clone(), rule.clone(), rule_name.clone(), sensor.clone());
        let at = event.at;
        (place, Happened { at, told: Told::Alert(AlertChange { id, rule, rule_name, sensor, event }) })
    })
}

/// The newest commands, and alerts, whose changes are told: a command may change long after it was queued, so their changes cannot
/// be read in pages.
const COMMANDS_MAX: u32 = 1000;
