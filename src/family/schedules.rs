//! Carries out scheduled commands: each due minute is queued once, also across a restart and by several servers,
//! because its command's id follows from the schedule and the minute. What fell due while no server ran is
//! skipped and noted: a relay switched hours late is worse than one not switched.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{CommandText, Family};
use crate::core::{Hub, HubError, Progress, Run};
use crate::model::{CommandId, Device, DeviceState, Schedule, Timestamp};

/// Runs until `stop`.
pub async fn run(families: Vec<Arc<dyn Family>>, hub: Hub, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        if let Err(error) = look(&families, &hub).await {
            tracing::warn!(%error, "schedules were not looked at; the next look tries again");
        }
    }
}

/// Queues what is due now.
///
/// # Errors
/// The store's. What could not be queued for that reason is due still.
pub async fn look(families: &[Arc<dyn Family>], hub: &Hub) -> Result<(), HubError> {
    let now = hub.now();
    for schedule in hub.schedules(None).await?.into_iter().filter(|schedule| schedule.enabled) {
        let before = hub.kept::<Progress>(&schedule.id).await?;
        let from = before.as_ref().map_or(schedule.changed, |before| before.until.max(schedule.changed));
        let due = schedule.when.due(from.max(now.minus(LOOK_BACK)), now, DUE_MAX);
        if due.is_empty() {
            continue;
        }
        let mut progress = before.unwrap_or_else(|| Progress {
            schedule: schedule.id.clone(),
            device: schedule.device.clone(),
            until: from,
            last: Run { due: from, command: None, note: None },
            missed: 0,
        });
        let in_time = due.partition_point(|at| at.plus(LATE_AT_MOST) < now);
        let (late, due) = due.split_at(in_time);
        if let Some(run) = missed(hub, &schedule, late, &mut progress.missed).await? {
            note(&mut progress, run, &schedule);
        }
        for at in due {
            let run = one(families, hub, &schedule, *at).await?;
            progress.missed += u64::from(run.command.is_none());
            note(&mut progress, run, &schedule);
        }
        hub.keep(&progress).await?;
    }
    Ok(())
}

fn note(progress: &mut Progress, run: Run, schedule: &Schedule) {
    if let Some(note) = &run.note {
        tracing::warn!(schedule = %schedule.name, due = %run.due, "a scheduled command was not queued: {note}");
    }
    progress.until = run.due;
    progress.last = run;
}

/// Passes over times that are too long ago; counts those without a command.
async fn missed(
    hub: &Hub,
    schedule: &Schedule,
    late: &[Timestamp],
    missed: &mut u64,
) -> Result<Option<Run>, HubError> {
    let mut last = None;
    for (left, at) in late.iter().enumerate().map(|(place, at)| (late.len() - place, at)) {
        let id = CommandId::planned(&schedule.id, *at);
        // Another server, or this one before a crash, may have queued it in time.
        let queued = left <= LOOKED_UP_MAX && hub.command(&id).await?.is_some();
        *missed += u64::from(!queued);
        let note = (!queued).then(|| "no server ran when it was due".to_owned());
        last = Some(Run { due: *at, command: queued.then_some(id), note });
    }
    Ok(last)
}

/// Deals with one due time.
async fn one(
    families: &[Arc<dyn Family>],
    hub: &Hub,
    schedule: &Schedule,
    due: Timestamp,
) -> Result<Run, HubError> {
    let id = CommandId::planned(&schedule.id, due);
    let without = |note: String| Ok(Run { due, command: None, note: Some(note) });
    let Some(device) = hub.device(&schedule.device) else { return without("its device is gone".to_owned()) };
    match device.state {
        DeviceState::Active => {}
        // Only a person adopts.
        DeviceState::Held | DeviceState::Blocked => {
            return without(format!("the device is {}", device.state.as_str()));
        }
    }
    let Some(family) = families.iter().find(|family| family.name() == device.names.family) else {
        return without(format!("no dialect {} is spoken here", device.names.family));
    };
    let draft = match family.draft(&text(hub, schedule, &device)) {
        Ok(draft) => draft,
        Err(invalid) => return without(invalid.to_string()),
    };
    let mut order = draft.into_order(format!("schedule:{}", schedule.name));
    order.id = Some(id.clone());
    order.expires_in = Some(Duration::from_secs(schedule.expires_in_s.max(1)));
    match hub.enqueue(order).await {
        // A conflict is the same command, queued by another server or before a crash.
        Ok(_) => Ok(Run { due, command: Some(id), note: None }),
        Err(HubError::Conflict { .. }) if hub.command(&id).await?.is_some() => {
            Ok(Run { due, command: Some(id), note: None })
        }
        Err(error @ (HubError::Busy | HubError::Store(_))) => Err(error),
        Err(error) => without(error.to_string()),
    }
}

fn text(hub: &Hub, schedule: &Schedule, device: &Device) -> CommandText {
    let parent = device.parent.as_ref().and_then(|id| hub.device(id));
    CommandText {
        address: Some(device.names.address.clone()),
        parent: parent.map(|parent| parent.names.address),
        cmd: schedule.cmd.clone(),
        payload: schedule.payload.clone(),
        dst: None,
        at: hub.now(),
    }
}

/// How often schedules are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A command is queued so late at most: a restart, a busy store.
const LATE_AT_MOST: Duration = Duration::from_mins(2);
/// Missed times are counted so far back.
const LOOK_BACK: Duration = Duration::from_hours(7 * 24);
/// Missed times of which it is looked up whether another server queued them; older ones count as missed.
const LOOKED_UP_MAX: usize = 100;
/// Due times dealt with at one look.
const DUE_MAX: usize = 20_000;
