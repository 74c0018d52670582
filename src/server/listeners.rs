//! The doors of the server, and a switch on each that shows no pages: whoever closes one must be able to open it again.
//!
//! How a person left the switches is in a file of the data folder: it is about this machine, and not about what is in
//! the store, which several servers may share.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ServerError;
use super::sockets::{self, Handed};
use crate::config::Config;
use crate::core::HubError;
use crate::http::{BoxFuture, ListenerKind};
use crate::model::{Clock, Timestamp};
use crate::net::{self, BoundListener, Count, Door};
use crate::pki::replace;
use crate::web::{self, ListenerNote, ListenerTurned};

/// Every listener but the control socket. Cheap to clone.
#[derive(Clone)]
pub(super) struct Listeners(Arc<Shared>);

struct Shared {
    places: BTreeMap<ListenerKind, Place>,
    file: PathBuf,
    clock: Clock,
    stop: CancellationToken,
    tasks: TaskTracker,
    /// Makes the door behind a listener, once there is something to serve.
    door: OnceLock<MakeDoor>,
    /// One is turned at a time.
    turning: tokio::sync::Mutex<()>,
}

/// Makes the door behind a listener.
pub(super) type MakeDoor = Box<dyn Fn(ListenerKind, Count) -> Door + Send + Sync>;

struct Place {
    /// Why it cannot be closed.
    stays_open: Option<&'static str>,
    count: Count,
    state: Mutex<State>,
}

struct State {
    addr: SocketAddr,
    /// Bound, and not served yet.
    bound: Option<BoundListener>,
    serving: Option<Serving>,
    turned: Option<Turn>,
}

struct Serving {
    stop: CancellationToken,
    ended: JoinHandle<()>,
}

/// How a person left a switch.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Turn {
    open: bool,
    by: String,
    at: Timestamp,
}

type Turns = BTreeMap<String, Turn>;

impl Listeners {
    /// Binds what the settings and the service manager ask for, and nobody has closed. Nothing is served yet.
    pub(super) fn bind(
        config: &Config,
        handed: &mut Handed,
        clock: Clock,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> Result<Self, ServerError> {
        let listen = &config.listen;
        let asked: Vec<_> = [
            (ListenerKind::Https, listen.https.0),
            (ListenerKind::Http, listen.http.0),
            (ListenerKind::Ws, listen.ws.0),
            (ListenerKind::Admin, listen.admin.0),
        ]
        .into_iter()
        .filter(|(kind, addr)| addr.is_some() || handed.has(*kind))
        .collect();
        let admin_apart = asked.iter().any(|(kind, _)| *kind == ListenerKind::Admin);
        let file = config.data_dir.join(FILE);
        let turns = read(&file);
        let mut places = BTreeMap::new();
        for (kind, addr) in asked {
            let stays_open = if shows_pages(kind, admin_apart) {
                Some("the pages are on it")
            } else if handed.has(kind) {
                Some("its socket is the service manager's: stop the socket unit there")
            } else {
                None
            };
            let turned = turns.get(kind.name()).cloned();
            let closed = turned.as_ref().is_some_and(|turn| !turn.open) && stays_open.is_none();
            let bound = if closed { None } else { handed.open(kind, addr)? };
            let Some(addr) = bound.as_ref().and_then(BoundListener::addr).or(addr) else { continue };
            let turned = turned.filter(|turn| turn.open == bound.is_some());
            let state = Mutex::new(State { addr, bound, serving: None, turned });
            places.insert(kind, Place { stays_open, count: Count::default(), state });
        }
        let (door, turning) = (OnceLock::new(), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Shared { places, file, clock, stop, tasks, door, turning })))
    }

    /// Every listener, open or closed.
    pub(super) fn kinds(&self) -> impl Iterator<Item = ListenerKind> {
        self.0.places.keys().copied()
    }

    /// Where a listener listens; `None` when it is off or closed.
    pub(super) fn addr(&self, kind: ListenerKind) -> Option<SocketAddr> {
        let state = self.0.places.get(&kind)?.state();
        (state.bound.is_some() || state.serving.is_some()).then_some(state.addr)
    }

    /// Those that a person closed: which, who, and when.
    pub(super) fn closed(&self) -> Vec<(ListenerKind, String, Timestamp)> {
        let closed = |(kind, place): (&ListenerKind, &Place)| {
            let turned = place.state().turned.clone().filter(|turn| !turn.open)?;
            Some((*kind, turned.by, turned.at))
        };
        self.0.places.iter().filter_map(closed).collect()
    }

    /// Begins to serve what is bound.
    pub(super) fn begin(&self, door: MakeDoor) {
        // Called once, at the start.
        let door = self.0.door.get_or_init(|| door);
        for (kind, place) in &self.0.places {
            let bound = place.state().bound.take();
            if let Some(bound) = bound {
                self.0.serve(*kind, place, bound, door);
            } else {
                gauge(*kind, false);
            }
        }
    }
}

impl Shared {
    fn serve(&self, kind: ListenerKind, place: &Place, bound: BoundListener, door: &MakeDoor) {
        let stop = self.stop.child_token();
        let served = net::serve(bound, door(kind, place.count.clone()), stop.clone());
        let ended = self.tasks.spawn(served);
        place.state().serving = Some(Serving { stop, ended });
        gauge(kind, true);
    }

    async fn turn(&self, kind: ListenerKind, open: bool, by: String) -> Result<ListenerTurned, HubError> {
        let _alone = self.turning.lock().await;
        let place = self.places.get(&kind).ok_or(HubError::NotFound("listener"))?;
        if place.state().serving.is_some() == open {
            return Ok(ListenerTurned { note: place.note(kind), closed: 0, unchanged: true });
        }
        let closed =
            if open { self.open(kind, place, by).await? } else { self.close(kind, place, by).await? };
        Ok(ListenerTurned { note: place.note(kind), closed, unchanged: false })
    }

    async fn open(&self, kind: ListenerKind, place: &Place, by: String) -> Result<usize, HubError> {
        let Some(door) = self.door.get().filter(|_| !self.stop.is_cancelled()) else {
            return Err(refused("the server starts or stops just now".to_owned()));
        };
        let addr = place.state().addr;
        let bound = sockets::bind(kind, addr).map_err(|error| refused(error.to_string()))?;
        self.keep(kind, place, true, &by).await?;
        if let Some(addr) = bound.addr() {
            place.state().addr = addr;
        }
        self.serve(kind, place, bound, door);
        tracing::info!(listener = %kind, by, "listener opened");
        Ok(0)
    }

    async fn close(&self, kind: ListenerKind, place: &Place, by: String) -> Result<usize, HubError> {
        if let Some(why) = place.stays_open {
            return Err(refused(format!("the listener {kind} cannot be closed: {why}")));
        }
        self.keep(kind, place, false, &by).await?;
        let serving = place.state().serving.take();
        let closed = place.count.now();
        if let Some(serving) = serving {
            // What came on its connections is stored before they end.
            serving.stop.cancel();
            if let Err(error) = serving.ended.await {
                tracing::error!(listener = %kind, "the listener ended badly: {error}");
            }
        }
        gauge(kind, false);
        tracing::info!(listener = %kind, by, connections = closed, "listener closed");
        Ok(closed)
    }

    /// Writes down how a switch is left, before it is turned.
    async fn keep(&self, kind: ListenerKind, place: &Place, open: bool, by: &str) -> Result<(), HubError> {
        let turn = Turn { open, by: by.to_owned(), at: self.clock.now() };
        let mut turns: Turns = self
            .places
            .iter()
            .filter_map(|(kind, place)| Some((kind.name().to_owned(), place.state().turned.clone()?)))
            .collect();
        turns.insert(kind.name().to_owned(), turn.clone());
        let file = self.file.clone();
        let written = tokio::task::spawn_blocking(move || write(&file, &turns)).await;
        written.map_err(io::Error::other).flatten().map_err(|error| {
            HubError::Disk(format!("{} cannot be written, nothing was changed: {error}", self.file.display()))
        })?;
        place.state().turned = Some(turn);
        Ok(())
    }
}

impl Place {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, kind: ListenerKind) -> ListenerNote {
        let state = self.state();
        ListenerNote {
            listener: kind.name(),
            address: state.addr,
            open: state.serving.is_some(),
            connections: self.count.now(),
            since: state.turned.as_ref().map(|turn| turn.at),
            by: state.turned.as_ref().map(|turn| turn.by.clone()),
            stays_open: self.stays_open,
        }
    }
}

impl web::Listeners for Listeners {
    fn list(&self) -> Vec<ListenerNote> {
        self.0.places.iter().map(|(kind, place)| place.note(*kind)).collect()
    }

    fn turn<'a>(
        &'a self,
        name: &'a str,
        open: bool,
        by: &'a str,
    ) -> BoxFuture<'a, Result<ListenerTurned, HubError>> {
        Box::pin(async move {
            let kind = self.kinds().find(|kind| kind.name() == name);
            let kind = kind.ok_or(HubError::NotFound("listener"))?;
            let (shared, by) = (Arc::clone(&self.0), by.to_owned());
            // In a task of its own, since the asker may hang up half-way.
            let turned = self.0.tasks.spawn(async move { shared.turn(kind, open, by).await });
            turned.await.map_err(|error| refused(error.to_string()))?
        })
    }
}

/// Listeners that somebody closed, by their names in the settings, with who did.
pub fn closed_listeners(config: &Config) -> BTreeMap<String, String> {
    let turns = read(&config.data_dir.join(FILE));
    turns.into_iter().filter(|(_, turn)| !turn.open).map(|(name, turn)| (name, turn.by)).collect()
}

/// Whether the pages are on a listener; they are on the second door for people alone where there is one.
pub(super) const fn shows_pages(kind: ListenerKind, admin_apart: bool) -> bool {
    match kind {
        ListenerKind::Https => !admin_apart,
        ListenerKind::Admin | ListenerKind::Control => true,
        ListenerKind::Http | ListenerKind::Ws => false,
    }
}

fn refused(message: String) -> HubError {
    HubError::Conflict { field: "", message }
}

fn gauge(kind: ListenerKind, open: bool) {
    metrics::gauge!("homeport_listener_open", "listener" => kind.name()).set(f64::from(u8::from(open)));
}

/// What was written down; what cannot be read is as if nobody had turned anything.
fn read(file: &Path) -> Turns {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Turns::new(),
        Err(error) => {
            tracing::error!("{} cannot be read, listeners open as the settings say: {error}", file.display());
            return Turns::new();
        }
    };
    serde_json::from_str(&text).unwrap_or_else(|error| {
        tracing::error!("{} makes no sense, listeners open as the settings say: {error}", file.display());
        Turns::new()
    })
}

fn write(file: &Path, turns: &Turns) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(turns)?;
    text.push(b'\n');
    replace(file, &text, MODE)
}

/// In the data folder.
const FILE: &str = "listeners.json";
const MODE: u32 = 0o644;
