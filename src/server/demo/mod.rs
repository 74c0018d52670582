//! The demo: pretend devices that this server runs in tasks of its own. They call its https listener over sockets, as real ones do,
//! so what people see took the whole way.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `cast` | the devices that take part: found, let in, or made |
//! | `run` | one demo's task |

mod cast;
mod run;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listeners::Listeners;
use crate::config::Config;
use crate::core::{Hub, HubError};
use crate::family::Family;
use crate::http::BoxFuture;
use crate::model::DeviceId;
use crate::web::{self, DemoKind, DemoNote, DemoState, DemoTurned, DemoWish};
use run::Pace;

/// The demos of this server. Cheap to clone.
#[derive(Clone)]
pub(super) struct Demos(Arc<Shared>);

struct Shared {
    hub: Hub,
    families: Vec<Arc<dyn Family>>,
    listeners: Listeners,
    /// What the https listener shows, and its names.
    certificates: Vec<PathBuf>,
    hosts: Vec<String>,
    stop: CancellationToken,
    tasks: TaskTracker,
    runs: Mutex<BTreeMap<DemoKind, Run>>,
    /// One is turned at a time.
    turning: tokio::sync::Mutex<()>,
}

/// A demo that was started, and may have ended by itself.
struct Run {
    note: DemoNote,
    /// Every device without which it cannot go on.
    needs: Vec<DeviceId>,
    pace: watch::Sender<Pace>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Demos {
    /// None of them runs yet.
    pub(super) fn new(
        config: &Config,
        hosts: &[String],
        hub: Hub,
        families: Vec<Arc<dyn Family>>,
        listeners: Listeners,
        (stop, tasks): (CancellationToken, TaskTracker),
    ) -> Self {
        let certificates = match &config.tls.certificate {
            Some(file) => vec![file.clone()],
            None => ["rsa.pem", "ecdsa.pem"].map(|name| config.certs_dir.join(name)).to_vec(),
        };
        let hosts = hosts.to_vec();
        let (runs, turning) = (Mutex::default(), tokio::sync::Mutex::default());
        Self(Arc::new(Shared { hub, families, listeners, certificates, hosts, stop, tasks, runs, turning }))
    }
}

impl Shared {
    fn runs(&self) -> MutexGuard<'_, BTreeMap<DemoKind, Run>> {
        // Every change is whole in itself.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, kind: DemoKind) -> DemoNote {
        let note = self.runs().get(&kind).map(|run| run.note.clone());
        let note = note.unwrap_or_else(|| DemoNote {
            demo: kind,
            state: DemoState::Stopped,
            period_ms: millis(web::DEMO_PERIOD),
            device: None,
            since: None,
            by: None,
            confirmed: 0,
            trouble: None,
        });
        // After a start of the server, or a removal, the device is what the registry says.
        let device = cast::looked_at(self, kind).map(|device| device.names.id);
        DemoNote { device, ..note }
    }

    async fn turn(
        self: &Arc<Self>,
        kind: DemoKind,
        wish: DemoWish,
        by: String,
    ) -> Result<DemoTurned, HubError> {
        let _alone = self.turning.lock().await;
        let state = self.note(kind).state;
        let unchanged = match (wish, state) {
            (DemoWish::Start(period), DemoState::Running | DemoState::Paused) => self.go_on(kind, period),
            (DemoWish::Start(period), DemoState::Stopped) => {
                self.begin(kind, period, by).await?;
                false
            }
            (DemoWish::Pause, DemoState::Running) => {
                self.pause(kind);
                false
            }
            (DemoWish::Pause, DemoState::Paused) | (DemoWish::Stop, DemoState::Stopped) => true,
            (DemoWish::Pause, DemoState::Stopped) => {
                let message = "the demo is stopped: start it first".to_owned();
                return Err(HubError::Conflict { field: "", message });
            }
            (DemoWish::Stop, DemoState::Running | DemoState::Paused) => {
                self.end(kind).await;
                tracing::info!(demo = kind.as_str(), by, "demo stopped");
                false
            }
        };
        Ok(DemoTurned { note: self.note(kind), unchanged })
    }

    async fn begin(
        self: &Arc<Self>,
        kind: DemoKind,
        period: Option<Duration>,
        by: String,
    ) -> Result<(), HubError> {
        if self.stop.is_cancelled() {
            return Err(HubError::Conflict { field: "", message: "the server stops just now".to_owned() });
        }
        let period = period.unwrap_or(web::DEMO_PERIOD);
        let (solo, needs) = cast::assemble(self, kind, &by).await?;
        let stop = self.stop.child_token();
        let (pace, paces) = watch::channel(Pace { period, paused: false });
        let note = DemoNote {
            demo: kind,
            state: DemoState::Running,
            period_ms: millis(period),
            device: None,
            since: Some(self.hub.now()),
            by: Some(by),
            confirmed: 0,
            trouble: None,
        };
        tracing::info!(demo = kind.as_str(), by = note.by, "demo started");
        let mut runs = self.runs();
        runs.insert(kind, Run { note, needs, pace, stop: stop.clone(), task: None });
        let task = self.tasks.spawn(run::perform(Arc::clone(self), kind, solo, paces, stop));
        if let Some(run) = runs.get_mut(&kind) {
            run.task = Some(task);
        }
        Ok(())
    }

    /// Lets one go on, at another pace if that is said; whether nothing is new.
    fn go_on(&self, kind: DemoKind, period: Option<Duration>) -> bool {
        let mut runs = self.runs();
        let Some(run) = runs.get_mut(&kind) else { return true };
        let before = *run.pace.borrow();
        let after = Pace { period: period.unwrap_or(before.period), paused: false };
        (run.note.state, run.note.period_ms) = (DemoState::Running, millis(after.period));
        run.pace.send_replace(after);
        before == after
    }

    fn pause(&self, kind: DemoKind) {
        if let Some(run) = self.runs().get_mut(&kind) {
            run.note.state = DemoState::Paused;
            run.pace.send_modify(|pace| pace.paused = true);
        }
    }

    /// Ends one, and waits until its task is gone.
    async fn end(&self, kind: DemoKind) {
        let task = self.runs().get_mut(&kind).and_then(|run| {
            run.stop.cancel();
            run.task.take()
        });
        if let Some(Err(error)) = match task {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::error!(demo = kind.as_str(), "the demo's task ended badly: {error}");
        }
        self.runs().remove(&kind);
    }
}

impl web::Demos for Demos {
    fn list(&self) -> Vec<DemoNote> {
        DemoKind::ALL.map(|kind| self.0.note(kind)).to_vec()
    }

    fn turn<'a>(
        &'a self,
        kind: DemoKind,
        wish: DemoWish,
        by: &'a str,
    ) -> BoxFuture<'a, Result<DemoTurned, HubError>> {
        Box::pin(async move {
            let (shared, by) = (Arc::clone(&self.0), by.to_owned());
            // In a task of its own, since the asker may hang up half-way.
            let turned = self.0.tasks.spawn(async move { shared.turn(kind, wish, by).await });
            turned.await.map_err(|error| HubError::Conflict { field: "", message: error.to_string() })?
        })
    }
}

fn millis(period: Duration) -> u64 {
    u64::try_from(period.as_millis()).unwrap_or(u64::MAX)
}
