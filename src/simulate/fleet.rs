//! The whole fleet: acts one after the other, each with its fault; who may hold a connection; how fast time goes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::Book;
use super::line::{Line, Target};
use super::member::Member;
use super::office::Office;
use super::pace::Pace;
use super::summary::{Act, Figures, Summary};
use super::tls;
use crate::family::Family;
use crate::family::simulator::{Application, Door, Fault, Habits, Role, Way};
use crate::model::{Clock, Timestamp};

/// What is to be rehearsed.
pub struct Plan {
    /// The dialect.
    pub family: Arc<dyn Family>,
    /// The server.
    pub target: Target,
    /// Which server certificates are taken.
    pub verifier: Arc<dyn ServerCertVerifier>,
    /// Devices that call, numbered from 1.
    pub count: u32,
    /// Pieces of equipment behind each, for dialects that have such.
    pub behind: u8,
    /// Connections open at once.
    pub connections: usize,
    /// What goes wrong, act by act.
    pub acts: Vec<Option<Fault>>,
    /// How time goes.
    pub time: Time,
    /// Messages a second from the whole fleet; `None` is as many as the server takes, or what `time` asks for.
    pub rate: Option<f64>,
    /// What all chances come from.
    pub seed: u64,
    /// Makes a key for a device and the request to certify it.
    pub apply: Apply,
    /// What was made for devices so that they can prove who they are, by address.
    pub secrets: HashMap<String, String>,
    /// A file that every device fetches, with its size.
    pub file: Option<(String, usize)>,
    /// How long a device goes unanswered before the whole run is given up.
    pub patience: Duration,
    /// How long commands may still find their end after the last act.
    pub epilogue: Duration,
}

/// Makes a key for a device, by its address; `None` leaves that to the server.
pub type Apply = Box<dyn Fn(&str) -> Option<Application> + Send + Sync>;

/// How time goes for the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// So many minutes of the devices' time, one right after the other. They end now.
    Pressed {
        /// Minutes of each device.
        minutes: u32,
    },
    /// As on the wall, for so long.
    Live(Duration),
}

/// How far the fleet is, for who watches.
#[derive(Debug, Default)]
pub struct Progress {
    /// Minutes lived by all devices together.
    pub minutes: AtomicU64,
    /// Of so many; 0 while time is as on the wall.
    pub minutes_total: AtomicU64,
    /// Messages that were confirmed, each time counted.
    pub confirmed: AtomicU64,
    act: Mutex<&'static str>,
}

impl Progress {
    /// What goes on now.
    pub fn act(&self) -> &'static str {
        *self.act.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, name: &'static str) {
        *self.act.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }
}

/// What is left when the fleet has gone home.
#[derive(Debug)]
pub struct Rehearsed {
    /// What its devices have in common.
    pub habits: Habits,
    /// The figures.
    pub summary: Summary,
    /// Who said what: addresses and book of each device.
    pub books: Vec<(Vec<String>, Book)>,
    /// Commands that were queued: the address of the device that was to fetch each, and its id.
    pub orders: Vec<(String, String)>,
    /// Files that were sent in pieces: the device that was to fetch each, and the transfer's id.
    pub sent: Vec<(String, String)>,
    /// Files that arrived: the device, the name, the content.
    pub files: Vec<(String, String, bytes::Bytes)>,
}

/// Why the fleet went home early.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The dialect has no pretend device.
    #[error("there is no pretend device of family {0}")]
    NoSimulator(String),
    /// The server did not answer any more.
    #[error("the server did not answer for {patience_s} s: {why}")]
    Unanswered {
        /// How long.
        patience_s: u64,
        /// What was seen last.
        why: String,
    },
}

/// What all devices share.
pub(super) struct Fleet {
    pub(super) plan: Plan,
    pub(super) stop: CancellationToken,
    pub(super) progress: Arc<Progress>,
    pub(super) figures: Mutex<Figures>,
    pub(super) habits: Habits,
    pub(super) office: Option<Arc<dyn Office>>,
    pub(super) slots: Arc<Semaphore>,
    pace: Pace,
    pub(super) clock: Clock,
    begun: Timestamp,
    given_up: AtomicBool,
    trouble: Mutex<String>,
}

/// The addresses of a fleet before it exists: of each device that calls, and of the equipment behind it.
pub fn addresses(family: &Arc<dyn Family>, count: u32, behind: u8) -> Vec<String> {
    let sims = (1..=count).filter_map(|number| family.simulator(Role { number, behind, seed: 0 }));
    sims.flat_map(|sim| sim.addresses().to_vec()).collect()
}

/// What the pretend devices of a dialect have in common; `None` when it has none.
pub fn habits(family: &Arc<dyn Family>, behind: u8) -> Option<Habits> {
    Some(family.simulator(Role { number: 1, behind, seed: 0 })?.habits())
}

/// Makes one connection, so that a server which nobody can reach is known before a fleet tries.
///
/// # Errors
/// There is no connection, or its certificate is not taken.
pub async fn reach(plan: &Plan) -> std::io::Result<()> {
    let tls = tls::config(&plan.verifier, None).map_err(std::io::Error::other)?;
    Line::open(&plan.target, 0, Some(tls)).await.map(drop)
}

/// Runs a plan to its end, or until `stop`.
///
/// # Errors
/// The server went away, or there is nothing to run.
pub async fn run(
    plan: Plan,
    office: Option<Arc<dyn Office>>,
    progress: Arc<Progress>,
    stop: CancellationToken,
) -> Result<Rehearsed, SimulateError> {
    let none = || SimulateError::NoSimulator(plan.family.name().to_string());
    let habits = habits(&plan.family, plan.behind).ok_or_else(none)?;
    let mut members = Vec::new();
    for number in 1..=plan.count {
        let role = Role { number, behind: plan.behind, seed: plan.seed };
        let mut sim = plan.family.simulator(role).ok_or_else(none)?;
        if let Some(secret) = sim.addresses().first().and_then(|name| plan.secrets.get(name)).cloned()
            && let Way::Calls(caller) = sim.way()
        {
            caller.entrust(&secret);
        }
        // Most bring a key of their own, as a server that makes 1000 RSA keys has little time for anything else.
        if habits.door == Door::Https
            && number % SERVER_KEY_EVERY != 1
            && let Some(application) = sim.addresses().first().and_then(|name| (plan.apply)(name))
            && let Way::Calls(caller) = sim.way()
        {
            caller.bring(application);
        }
        members.push(Member::new(number, sim));
    }
    let clock = Clock::system();
    let begun = match plan.time {
        Time::Pressed { minutes } => clock.now().minus(MINUTE * minutes),
        Time::Live(_) => clock.now(),
    };
    let pace = pace(&plan, &habits);
    if let Time::Pressed { minutes } = plan.time {
        let total = u64::from(minutes) * u64::from(plan.count);
        progress.minutes_total.store(total, Ordering::Relaxed);
    }
    let fleet = Arc::new(Fleet {
        habits,
        slots: Arc::new(Semaphore::new(plan.connections.max(1))),
        plan,
        stop,
        progress,
        figures: Mutex::new(Figures::default()),
        office,
        pace,
        clock,
        begun,
        given_up: AtomicBool::new(false),
        trouble: Mutex::new(String::new()),
    });
    let start = Instant::now();
    let mut acts = Vec::new();
    let faults = fleet.plan.acts.clone();
    for (at, fault) in faults.iter().enumerate() {
        let name = fault.map_or("fair weather", Fault::as_str);
        fleet.progress.enter(name);
        let begun = Instant::now();
        members = fleet.act(members, at, *fault, start).await;
        acts.push(Act { name, took_s: begun.elapsed().as_secs_f64() });
    }
    let took = start.elapsed();
    fleet.progress.enter("last commands");
    members = fleet.epilogue(members).await;
    if fleet.given_up.load(Ordering::Relaxed) {
        let why = fleet.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        return Err(SimulateError::Unanswered { patience_s: fleet.plan.patience.as_secs(), why });
    }
    Ok(fleet.count(members, acts, took))
}

impl Fleet {
    /// Plays one act with everybody.
    async fn act(
        self: &Arc<Self>,
        members: Vec<Member>,
        at: usize,
        fault: Option<Fault>,
        start: Instant,
    ) -> Vec<Member> {
        let mut tasks = JoinSet::new();
        for mut member in members {
            let fleet = Arc::clone(self);
            tasks.spawn(async move {
                member.suffer(fault);
                match fleet.plan.time {
                    Time::Pressed { minutes } => fleet.press(&mut member, at, minutes).await,
                    Time::Live(span) => fleet.live(&mut member, at, start, span).await,
                }
                member
            });
        }
        gathered(tasks).await
    }

    /// A member's share of an act, minute upon minute, on a connection that it keeps.
    async fn press(&self, member: &mut Member, at: usize, minutes: u32) {
        // The semaphore is never closed.
        let Ok(_slot) = self.slots.acquire().await else { return };
        self.prepare(member, at).await;
        let acts = self.plan.acts.len();
        for minute in share(minutes, at, acts)..share(minutes, at + 1, acts) {
            self.pace.turn().await;
            if self.stop.is_cancelled() {
                break;
            }
            member.live(self.begun.plus(MINUTE * minute), self).await;
            self.send(member, at).await;
            self.progress.minutes.fetch_add(1, Ordering::Relaxed);
        }
        member.leave(self).await;
    }

    /// A member's share of an act by the clock on the wall.
    async fn live(&self, member: &mut Member, at: usize, start: Instant, span: Duration) {
        let acts = u32::try_from(self.plan.acts.len()).unwrap_or(u32::MAX).max(1);
        let end = start + span / acts * (u32::try_from(at).unwrap_or(u32::MAX) + 1);
        self.prepare(member, at).await;
        let keeps = self.plan.connections >= usize::try_from(self.plan.count).unwrap_or(usize::MAX);
        loop {
            let turn = tokio::time::timeout_at(end, self.stop.run_until_cancelled(self.pace.turn())).await;
            let Ok(Some(())) = turn else { break };
            let Ok(_slot) = self.slots.acquire().await else { break };
            member.live(self.clock.now(), self).await;
            self.send(member, at).await;
            self.progress.minutes.fetch_add(1, Ordering::Relaxed);
            if !keeps {
                member.leave(self).await;
            }
        }
        if at + 1 == self.plan.acts.len() {
            member.leave(self).await;
        }
    }

    fn count(&self, members: Vec<Member>, acts: Vec<Act>, took: Duration) -> Rehearsed {
        let mut rehearsed = Rehearsed {
            habits: self.habits,
            summary: Summary {
                called: self.habits.called,
                devices: self.plan.count,
                seed: self.plan.seed,
                took_s: took.as_secs_f64(),
                messages: 0,
                confirmed: 0,
                per_second: 0.0,
                commands: 0,
                files: 0,
                odd_count: 0,
                odd: Vec::new(),
                acts,
                calls: self.figures().calls(),
            },
            books: Vec::new(),
            orders: Vec::new(),
            sent: Vec::new(),
            files: Vec::new(),
        };
        let summary = &mut rehearsed.summary;
        for mut member in members {
            let address = member.address();
            let book = &mut member.book;
            summary.messages += book.said.len() as u64;
            summary.confirmed += book.said.values().filter(|said| said.confirmed > 0).count() as u64;
            summary.commands += book.got.len() as u64;
            summary.files += book.files.len() as u64;
            summary.odd_count += book.odd_count;
            let room = ODD_SHOWN.saturating_sub(summary.odd.len());
            summary.odd.extend(book.odd.iter().take(room).map(|sentence| format!("{address}: {sentence}")));
            let files = book.files.drain(..).map(|(name, content)| (address.clone(), name, content));
            rehearsed.files.extend(files);
            rehearsed.sent.extend(member.sent.into_iter().map(|id| (address.clone(), id)));
            rehearsed.orders.extend(member.orders.into_iter().map(|id| (address.clone(), id)));
            rehearsed.books.push((member.sim.addresses().to_vec(), member.book));
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate to be looked at")]
        let messages = summary.messages as f64;
        summary.per_second = messages / took.as_secs_f64().max(0.001);
        rehearsed
    }

    pub(super) fn note_trouble(&self, why: &str) {
        why.clone_into(&mut self.trouble.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        self.stop.cancel();
    }
}

/// How fast everybody may take turns. A turn is a minute of a device in pressed time, and a look at the clock on the
/// wall else.
fn pace(plan: &Plan, habits: &Habits) -> Pace {
    let turn = match plan.time {
        Time::Live(_) => habits.every,
        Time::Pressed { .. } => MINUTE,
    };
    let messages = habits.a_minute * turn.as_secs_f64() / MINUTE.as_secs_f64();
    match (plan.rate, plan.time) {
        (Some(rate), _) => Pace::new(Some(rate / messages)),
        (None, Time::Live(_)) => Pace::new(Some(f64::from(plan.count) / turn.as_secs_f64())),
        (None, Time::Pressed { .. }) => Pace::new(None),
    }
}

/// Everybody back in order.
pub(super) async fn gathered(mut tasks: JoinSet<Member>) -> Vec<Member> {
    let mut members = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok(member) => members.push(member),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // Nobody cancels these tasks.
            Err(_) => {}
        }
    }
    members.sort_by_key(|member| member.number);
    members
}

/// Where act `at` of `acts` begins when `minutes` are shared out among them.
fn share(minutes: u32, at: usize, acts: usize) -> u32 {
    let (at, acts) = (u64::try_from(at).unwrap_or(u64::MAX), u64::try_from(acts.max(1)).unwrap_or(u64::MAX));
    u32::try_from(u64::from(minutes) * at / acts).unwrap_or(minutes)
}

const MINUTE: Duration = Duration::from_mins(1);
/// One in so many lets the server make its key.
const SERVER_KEY_EVERY: u32 = 10;
const ODD_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_shared_out_among_the_acts_without_a_gap() {
        assert_eq!(
            (0..=9).map(|at| share(1440, at, 9)).collect::<Vec<_>>(),
            [0, 160, 320, 480, 640, 800, 960, 1120, 1280, 1440]
        );
        assert_eq!((0..=3).map(|at| share(10, at, 3)).collect::<Vec<_>>(), [0, 3, 6, 10]);
    }
}
