//! Carries files to equipment: keeps every transfer moving, piece by piece, through the command queue
//! (`cwm-oke.md §8`).
//!
//! The stored transfer is the truth; what is kept here only says which module to serve. A piece is queued when the
//! one before it was taken, and a module takes a piece by asking again: so the question that acknowledges one is
//! answered with the next, and a file flows as fast as its module asks. Each step is noted before its command is
//! queued, under an id that follows from it; a crash, or a second server on the same store, repeats a step and
//! doubles nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::pace::Pace;
use super::{Cwm, directory, draft, parcel};
use crate::core::{Acknowledgement, Hub, HubError, Pulled};
use crate::family::CommandText;
use crate::model::{
    CommandState, DeviceId, Errand, Load, Onward, Patience, Priority, Timestamp, Transfer, TransferId,
    TransferState,
};

/// Which transfers are under way, and how fast they may go.
#[derive(Debug)]
pub(super) struct Courier {
    /// By their module's address, in lower case: one at a time for each module.
    jobs: Mutex<HashMap<String, Job>>,
    /// Whether a delivered file waits for its equipment's directory. Looked at by every push.
    listening: AtomicBool,
    pace: Pace,
    call: Notify,
}

#[derive(Clone, Debug)]
struct Job {
    transfer: TransferId,
    device: DeviceId,
    delivered: bool,
}

/// What one step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// A command is in the queue.
    Queued,
    /// A command is under way, or it is not time yet.
    Waiting,
    /// Nothing will happen any more.
    Over,
}

impl Courier {
    /// A courier with nothing to carry.
    pub(super) fn new(bytes_per_second_max: std::num::NonZeroU32) -> Self {
        Self {
            jobs: Mutex::default(),
            listening: AtomicBool::new(false),
            pace: Pace::new(bytes_per_second_max),
            call: Notify::new(),
        }
    }

    /// Hands a module what is queued for it, and the next piece of its file when nothing else is.
    pub(super) async fn fetch(
        cwm: &Cwm,
        hub: &Hub,
        address: &str,
        last: Acknowledgement,
        peer: &str,
    ) -> Result<Pulled, HubError> {
        let mut pulled = hub.lease(&cwm.name, address, last, peer).await?;
        let Some(job) = cwm.courier.job(address) else { return Ok(pulled) };
        if pulled.lease.is_none() && cwm.courier.pace.ready_within(PAUSE_MAX).await {
            match Box::pin(advance(cwm, hub, &job.transfer, Turn::GoOn)).await? {
                Step::Queued => {
                    pulled = hub.lease(&cwm.name, address, Acknowledgement::Taken, peer).await?;
                }
                Step::Waiting | Step::Over => {}
            }
        }
        // The module says only with its next question that it took what it got now.
        pulled.more |= pulled.lease.is_some() && cwm.courier.job(address).is_some();
        Ok(pulled)
    }

    /// Whether a message of this device may be the directory that a delivered file waits for.
    pub(super) fn listens_to(&self, device: &DeviceId) -> bool {
        self.listening.load(Ordering::Relaxed) && self.delivered_to(device).is_some()
    }

    /// Looks for a delivered file in what its equipment said.
    pub(super) async fn heard(
        cwm: &Cwm,
        hub: &Hub,
        device: &DeviceId,
        payload: &Json,
    ) -> Result<(), HubError> {
        let Some(id) = cwm.courier.delivered_to(device) else { return Ok(()) };
        let _hold = hub.hold_transfer(&id).await;
        let Some(mut transfer) = hub.transfer(&id).await? else { return Ok(()) };
        let Some(listing) = directory::listing(payload, &transfer.parcel) else { return Ok(()) };
        let before = transfer.clone();
        transfer.listed(&listing, hub.now());
        if transfer == before {
            return Ok(());
        }
        hub.keep(&transfer).await?;
        cwm.courier.note(&transfer);
        if let Some(errand) = before.open.filter(|_| transfer.is_over()) {
            // A question that was not fetched yet is not needed any more.
            drop(hub.cancel(&errand.command, "server").await);
        }
        Ok(())
    }

    /// Keeps transfers moving until the server stops.
    pub(super) async fn work(cwm: Arc<Cwm>, hub: Hub, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = true;
        let mut quiet = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = hub.transfers_called() => waiting = true,
                () = cwm.courier.call.notified() => waiting = true,
                _ = ticks.tick() => {}
            }
            quiet += 1;
            if !waiting && quiet < LOOK_AROUND_AFTER {
                continue;
            }
            quiet = 0;
            match stop.run_until_cancelled(Box::pin(round(&cwm, &hub))).await {
                Some(Ok(open)) => waiting = open,
                Some(Err(error)) => {
                    tracing::warn!(%error, "files are not moving; the next round tries again");
                }
                None => return,
            }
        }
    }

    fn job(&self, address: &str) -> Option<Job> {
        let jobs = self.jobs();
        if jobs.is_empty() {
            return None;
        }
        jobs.get(&address.to_lowercase()).cloned()
    }

    fn delivered_to(&self, device: &DeviceId) -> Option<TransferId> {
        let jobs = self.jobs();
        jobs.values().find(|job| job.delivered && job.device == *device).map(|job| job.transfer.clone())
    }

    /// Takes a transfer on, unless its module has another one; lets it go when it is over.
    fn note(&self, transfer: &Transfer) -> bool {
        let mut jobs = self.jobs();
        let module = transfer.via.to_lowercase();
        let mine = jobs.get(&module).is_none_or(|job| job.transfer == transfer.id);
        if mine && transfer.is_over() {
            if jobs.remove(&module).is_some() {
                let state = transfer.state.as_str();
                tracing::info!(file = %transfer.parcel.file, device = %transfer.device.address, state, "{}", transfer.reason);
            }
            self.call.notify_one();
        } else if mine {
            jobs.insert(
                module,
                Job {
                    transfer: transfer.id.clone(),
                    device: transfer.device.id.clone(),
                    delivered: transfer.state == TransferState::Delivered,
                },
            );
        }
        self.listening.store(jobs.values().any(|job| job.delivered), Ordering::Relaxed);
        mine
    }

    /// Lets transfers go that somebody else ended.
    fn keep_only(&self, open: &[Transfer]) {
        let mut jobs = self.jobs();
        jobs.retain(|_, job| open.iter().any(|transfer| transfer.id == job.transfer));
        self.listening.store(jobs.values().any(|job| job.delivered), Ordering::Relaxed);
    }

    /// Lets a transfer go that is not in the store any more.
    fn forget(&self, id: &TransferId) {
        self.jobs().retain(|_, job| job.transfer != *id);
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<String, Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves everything on that can be, and begins what may begin. Says whether anything is left to do.
async fn round(cwm: &Cwm, hub: &Hub) -> Result<bool, HubError> {
    let open = hub.open_transfers(&cwm.name).await?;
    cwm.courier.keep_only(&open);
    let now = hub.now();
    let (begun, queued): (Vec<_>, Vec<_>) =
        open.into_iter().partition(|transfer| transfer.state != TransferState::Queued);
    let mut busy = 0;
    for transfer in &begun {
        if is_busy(transfer, now) {
            busy += 1;
        }
        if cwm.courier.note(transfer) && (transfer.open.is_some() || cwm.courier.pace.is_ready()) {
            advance(cwm, hub, &transfer.id, Turn::GoOn).await?;
        }
    }
    let most = cwm.settings.files.transfers_max.get();
    let waiting = !begun.is_empty() || !queued.is_empty();
    for transfer in queued {
        if busy >= most || !cwm.courier.pace.is_ready() {
            break;
        }
        let module = hub.device_by_address(&cwm.name, &transfer.via);
        let online = module.is_some_and(|module| hub.online(&module));
        if online && cwm.courier.job(&transfer.via).is_none() {
            advance(cwm, hub, &transfer.id, Turn::Begin).await?;
            busy += 1;
        }
    }
    Ok(waiting)
}

/// A transfer whose module stopped asking does not keep others from their turn.
fn is_busy(transfer: &Transfer, now: Timestamp) -> bool {
    transfer.state == TransferState::Transferring && transfer.changed.plus(BUSY_FOR) > now
}

/// Whether a queued transfer may be begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Begin,
    GoOn,
}

/// Moves one transfer on by one step, if one can be made now.
async fn advance(cwm: &Cwm, hub: &Hub, id: &TransferId, turn: Turn) -> Result<Step, HubError> {
    let _hold = hub.hold_transfer(id).await;
    let Some(mut transfer) = hub.transfer(id).await? else {
        cwm.courier.forget(id);
        return Ok(Step::Over);
    };
    let before = transfer.clone();
    if turn == Turn::Begin {
        transfer.begin(hub.now());
    }
    let next = match transfer.open.clone() {
        None => look_on(cwm, hub, &mut transfer),
        Some(errand) => match hub.command(&errand.command).await? {
            // It was noted, and the server ended before it was queued.
            None => Some(errand),
            // It waits for the module; another look at the queue finds it, unless it has to wait there.
            Some(command) if command.state == CommandState::Queued => return Ok(Step::Queued),
            Some(command) => {
                let why = command.transitions.last().map_or("", |last| &last.reason);
                transfer.settle(command.state, why, hub.now(), patience(cwm));
                look_on(cwm, hub, &mut transfer)
            }
        },
    };
    if transfer != before {
        hub.keep(&transfer).await?;
    }
    cwm.courier.note(&transfer);
    let Some(errand) = next else {
        return Ok(if transfer.is_over() { Step::Over } else { Step::Waiting });
    };
    let step = dispatch(cwm, hub, &mut transfer, &errand).await?;
    if step == Step::Over {
        hub.keep(&transfer).await?;
        cwm.courier.note(&transfer);
    }
    Ok(step)
}

/// Decides what is next and notes it.
fn look_on(cwm: &Cwm, hub: &Hub, transfer: &mut Transfer) -> Option<Errand> {
    let now = hub.now();
    transfer.lose_patience(now, patience(cwm));
    match transfer.onward(now) {
        Onward::Errand(errand) => {
            transfer.note(errand.clone());
            Some(errand)
        }
        Onward::NotBefore(_) | Onward::Wait | Onward::Nothing => None,
    }
}

/// Queues a command that was noted. What makes that impossible for good ends the transfer.
async fn dispatch(cwm: &Cwm, hub: &Hub, transfer: &mut Transfer, errand: &Errand) -> Result<Step, HubError> {
    let order = match words(cwm, hub, transfer, errand).await? {
        Ok(text) => match draft::draft(&text, &cwm.settings) {
            Ok(draft) => draft.into_order(transfer.by.clone()),
            Err(invalid) => return Ok(give_up(transfer, &invalid.to_string(), hub.now())),
        },
        Err(why) => return Ok(give_up(transfer, &why, hub.now())),
    };
    let mut order = order;
    order.id = Some(errand.command.clone());
    order.priority = Priority::Low;
    match hub.enqueue(order).await {
        Ok(_) => {
            if let Load::Piece { len, .. } = errand.what {
                cwm.courier.pace.pay(len);
            }
            Ok(Step::Queued)
        }
        Err(HubError::Conflict { message, .. }) => match hub.command(&errand.command).await? {
            // Another server on this store was quicker.
            Some(_) => Ok(Step::Queued),
            None => Ok(give_up(transfer, &message, hub.now())),
        },
        // The module has no free number just now: the next round tries again.
        Err(HubError::Invalid { .. }) => Ok(Step::Waiting),
        Err(error) => Err(error),
    }
}

fn give_up(transfer: &mut Transfer, why: &str, at: Timestamp) -> Step {
    transfer.fail(why, at);
    Step::Over
}

/// The words of an errand; the inner error is the reason why there are none.
async fn words(
    cwm: &Cwm,
    hub: &Hub,
    transfer: &Transfer,
    errand: &Errand,
) -> Result<Result<CommandText, String>, HubError> {
    let files = &cwm.settings.files;
    let case = cwm.settings.crc_case;
    let (cmd, payload) = match errand.what {
        Load::Directory => (&files.directory_cmd, parcel::directory(files, case, &transfer.parcel)),
        Load::Piece { offset, len } => match hub.read_parcel(&transfer.parcel, offset, len).await? {
            Ok(bytes) => {
                (&files.fragment_cmd, parcel::fragment(files, case, &transfer.parcel, offset, &bytes))
            }
            Err(why) => return Ok(Err(why)),
        },
    };
    let apart = !transfer.via.eq_ignore_ascii_case(&transfer.device.address);
    Ok(Ok(CommandText {
        address: Some(transfer.device.address.clone()),
        parent: apart.then(|| transfer.via.clone()),
        cmd: cmd.clone(),
        payload,
        dst: None,
        at: hub.now(),
    }))
}

fn patience(cwm: &Cwm) -> Patience {
    let files = &cwm.settings.files;
    Patience {
        restarts_max: files.restarts_max,
        asks_max: if files.directory_template.is_empty() { 0 } else { files.directory_asks_max },
        answer_within: Duration::from_secs(files.directory_answer_s.get().into()),
    }
}

/// How often transfers are looked at without a call.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After so many looks the store is read although nothing is known to wait: another server may have been asked.
const LOOK_AROUND_AFTER: u32 = 12;
/// How long a module's question may be held back for the sake of the byte rate. It waits 20 s (§2).
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// A transfer that did not move for so long does not count against `transfers_max`: two heartbeats.
const BUSY_FOR: Duration = Duration::from_mins(2);
