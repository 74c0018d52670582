//! Servers on one store hear of each other's changes: each leaves a *turn* that is another after each change, so that one
//! small read says whether there is something to read.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Hub, HubError, Kept};
use crate::model::Timestamp;

/// Something that servers keep in memory and follow each other in.
pub(super) trait Part: Send + Sync {
    /// The kind that its turns are kept as. Never changes once released.
    const TURNS: &'static str;
}

/// What one server last changed of a part.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub(super) struct Turn<P> {
    /// The server, as it calls itself since its start.
    server: String,
    #[expect(clippy::struct_field_names, reason = "its name is in stores")]
    turn: String,
    #[serde(skip)]
    part: PhantomData<fn() -> P>,
}

impl<P: Part> Kept for Turn<P> {
    const KIND: &'static str = P::TURNS;
    const KEEP_MAX: Option<u32> = Some(SERVERS_MAX);

    fn key(&self) -> String {
        self.server.clone()
    }
}

/// How far this server has followed the others in one part.
#[derive(Debug)]
pub(super) struct Neighbours<P> {
    /// This server's name among those of the store.
    server: String,
    seen: Mutex<Seen>,
    part: PhantomData<fn() -> P>,
}

#[derive(Debug, Default)]
struct Seen {
    /// When the part was read last.
    read: Option<Timestamp>,
    /// The other servers and their turns that were read then.
    others: News,
}

/// The other servers' turns, to be given back when what they changed was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News(Vec<(String, String)>);

impl<P> Default for Neighbours<P> {
    fn default() -> Self {
        Self { server: random(), seen: Mutex::default(), part: PhantomData }
    }
}

impl<P: Part> Neighbours<P> {
    /// What the others left, if it is another than what this server heard of.
    pub(super) async fn news(&self, hub: &Hub) -> Result<Option<News>, HubError> {
        let turns = hub.kept_all::<Turn<P>>(None, None, SERVERS_MAX).await?;
        let turns = turns.into_iter().map(|(_, turn)| (turn.server, turn.turn));
        let mut others: Vec<_> = turns.filter(|(server, _)| *server != self.server).collect();
        others.sort_unstable();
        Ok(Some(News(others)).filter(|news| *news != self.seen().others))
    }

    /// Notes that what they changed was read.
    pub(super) fn heard_of(&self, news: News) {
        self.seen().others = news;
    }

    /// From when on the store is to be read: some time before the last reading, since clocks of several servers differ.
    pub(super) fn since(&self) -> Timestamp {
        let never = Timestamp::from_micros(i64::MIN);
        self.seen().read.map_or(never, |read| read.minus(CLOCKS_DIFFER))
    }

    /// Notes that the store was read.
    pub(super) fn was_read(&self, at: Timestamp) {
        self.seen().read = Some(at);
    }

    /// Tells the others of a change, once it is kept.
    pub(super) fn turn(&self) -> Turn<P> {
        Turn { server: self.server.clone(), turn: random(), part: PhantomData }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // Every change is one assignment, so a panic leaves nothing half done.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Servers on one store, and starts of them, that are listened to.
const SERVERS_MAX: u32 = 64;
const CLOCKS_DIFFER: Duration = Duration::from_mins(10);
