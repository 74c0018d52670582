//! Whether whoever was let in may stay: for answers that go on, such as the live feed.
//!
//! The store says what there still is. This server asks it after each change of its own, and where there may be others,
//! several times a second.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::caller::{Caller, How};
use super::{Hub, HubError};
use crate::model::{Standing, Timestamp};

/// Who waits for the end of what let them in.
#[derive(Debug, Default)]
pub(super) struct Stays {
    next: AtomicU64,
    known: Mutex<HashMap<u64, Stay>>,
}

#[derive(Debug)]
struct Stay {
    standing: Standing,
    over: CancellationToken,
}

/// A place among them, given up when it is dropped.
struct Place<'s> {
    stays: &'s Stays,
    number: u64,
    over: CancellationToken,
}

impl Hub {
    /// Ends when the caller's session or token does, or no longer lets it do the same: it was revoked, it expired, its
    /// user was removed or has another role. Whatever ends it, on whichever server, within a second. For the caller
    /// at the control socket, never.
    pub async fn ended(&self, caller: &Caller) {
        let (id, expires) = match &caller.how {
            How::Session { id, expires } => (id, Some(*expires)),
            How::Token { id, expires } => (id, *expires),
            How::Local => return std::future::pending().await,
        };
        let standing = Standing { id: id.clone(), role: caller.user.role, sees: caller.user.sees };
        let place = self.0.stays.place(standing);
        // It may have ended since the caller was let in.
        self.look_after(vec![id.clone()]).await.unwrap_or_else(|error| unread(&error));
        while !self.is_over(expires) {
            let left = expires.map_or(i64::MAX, |end| end.micros() - self.now().micros());
            let left = Duration::from_micros(u64::try_from(left).unwrap_or_default()).min(LOOK_AGAIN);
            if tokio::time::timeout(left, place.over.cancelled()).await.is_ok() {
                return;
            }
        }
    }

    /// Tells those whose session or token has ended. For each few hundred milliseconds where there may be other servers.
    pub async fn follow_ends(&self) -> Result<(), HubError> {
        self.look_after(self.0.stays.ids()).await
    }

    /// The same after something was ended here: that is done whether or not this can be read.
    pub(super) async fn hear_of_ends(&self) {
        self.follow_ends().await.unwrap_or_else(|error| unread(&error));
    }

    async fn look_after(&self, ids: Vec<String>) -> Result<(), HubError> {
        if !ids.is_empty() {
            let there = self.reader().standing(ids.clone()).await?;
            self.0.stays.look(&ids, &there);
        }
        Ok(())
    }

    fn is_over(&self, expires: Option<Timestamp>) -> bool {
        expires.is_some_and(|end| end <= self.now())
    }
}

impl Stays {
    fn place(&self, standing: Standing) -> Place<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let over = CancellationToken::new();
        self.known().insert(number, Stay { standing, over: over.clone() });
        Place { stays: self, number, over }
    }

    /// Of whom it must be known, each once.
    fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.known().values().map(|stay| stay.standing.id.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Ends the stay of those of whom it was asked and who are not there as they were.
    fn look(&self, asked: &[String], there: &[Standing]) {
        let there: HashMap<&str, &Standing> =
            there.iter().map(|standing| (standing.id.as_str(), standing)).collect();
        for stay in self.known().values() {
            let same = there.get(stay.standing.id.as_str()).is_some_and(|now| **now == stay.standing);
            if !same && asked.contains(&stay.standing.id) {
                stay.over.cancel();
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Stay>> {
        // Every change is one insertion or removal, so a panic leaves nothing half done.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.stays.known().remove(&self.number);
    }
}

fn unread(error: &HubError) {
    tracing::warn!(%error, "which sessions and tokens have ended was not read");
}

/// A stay looks for itself so often whether its time is over, since clocks are set.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
