//! Logins, holds and decisions about nodes, in memory: every call asks for them. What another server on the same store
//! changed is read every few seconds.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::holds::{Hold, Mark, Standing, Stopped};
use super::logins::Login;
use crate::core::{Hub, HubError, Kept as _};
use crate::model::Timestamp;

/// The books.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// `None` until they were read.
    now: RwLock<Option<Pages>>,
    /// Who reads all and who changes one wait for each other, or a change might be lost from memory.
    changes: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Pages {
    logins: HashMap<String, Arc<Login>>,
    holds: HashMap<String, Hold>,
    /// By the node's name in small letters, as the next.
    marks: HashMap<String, Mark>,
    stopped: HashMap<String, Stopped>,
}

impl Books {
    /// Reads all if that was not done yet. What follows needs it.
    pub(super) async fn opened(&self, hub: &Hub) -> Result<&Self, HubError> {
        if self.now.read().unwrap_or_else(PoisonError::into_inner).is_none() {
            self.read(hub).await?;
        }
        Ok(self)
    }

    /// Reads all again.
    pub(super) async fn read(&self, hub: &Hub) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        let mut pages = Pages::default();
        hub.kept_each(|one: Login| drop(pages.logins.insert(one.name.clone(), Arc::new(one)))).await?;
        hub.kept_each(|one: Hold| drop(pages.holds.insert(one.id.clone(), one))).await?;
        hub.kept_each(|one: Mark| drop(pages.marks.insert(one.key(), one))).await?;
        hub.kept_each(|one: Stopped| drop(pages.stopped.insert(one.key(), one))).await?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = Some(pages);
        Ok(())
    }

    /// The login of a name.
    pub(super) fn login(&self, login: &str) -> Option<Arc<Login>> {
        self.look(|pages| pages.logins.get(login).cloned())
    }

    /// Every login, by name.
    pub(super) fn logins(&self) -> Vec<Arc<Login>> {
        let mut all: Vec<_> = self.look(|pages| pages.logins.values().cloned().collect());
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// What was decided about a node.
    pub(super) fn standing(&self, node: &str) -> Option<Standing> {
        self.look(|pages| pages.marks.get(&node.to_lowercase()).map(|mark| mark.standing))
    }

    /// Until when a node is held awake at least; `None` when it is not.
    pub(super) fn held_until(&self, node: &str, at: Timestamp) -> Option<Timestamp> {
        self.look(|pages| {
            let holds = pages.holds.values().filter(|hold| hold.lasts(at) && hold.covers(node));
            holds.map(|hold| hold.until).max()
        })
    }

    /// Every hold, those that end first first.
    pub(super) fn holds(&self) -> Vec<Hold> {
        let mut all: Vec<Hold> = self.look(|pages| pages.holds.values().cloned().collect());
        all.sort_by(|one, other| (one.until, &one.id).cmp(&(other.until, &other.id)));
        all
    }

    /// When a node was told to stay awake, if it has not called since as one that sleeps.
    pub(super) fn stopped(&self, node: &str) -> Option<Timestamp> {
        self.look(|pages| pages.stopped.get(&node.to_lowercase()).map(|stopped| stopped.at))
    }

    /// Keeps a login in place of the one of that name.
    pub(super) async fn keep_login(&self, hub: &Hub, login: Login) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        hub.keep(&login).await?;
        self.write(|pages| drop(pages.logins.insert(login.name.clone(), Arc::new(login))));
        Ok(())
    }

    /// Removes a login.
    pub(super) async fn forget_login(&self, hub: &Hub, login: &str) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        hub.forget_kept::<Login>(login).await?;
        self.write(|pages| drop(pages.logins.remove(login)));
        Ok(())
    }

    /// Keeps a hold.
    pub(super) async fn keep_hold(&self, hub: &Hub, hold: Hold) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        hub.keep(&hold).await?;
        self.write(|pages| drop(pages.holds.insert(hold.id.clone(), hold)));
        Ok(())
    }

    /// Removes a hold.
    pub(super) async fn forget_hold(&self, hub: &Hub, id: &str) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        hub.forget_kept::<Hold>(id).await?;
        self.write(|pages| drop(pages.holds.remove(id)));
        Ok(())
    }

    /// Notes a decision about a node; `None` takes it back.
    pub(super) async fn keep_mark(&self, hub: &Hub, node: &str, mark: Option<Mark>) -> Result<(), HubError> {
        let _turn = self.changes.lock().await;
        let key = node.to_lowercase();
        match mark {
            Some(mark) => {
                hub.keep(&mark).await?;
                self.write(|pages| drop(pages.marks.insert(key, mark)));
            }
            None if self.standing(node).is_some() => {
                hub.forget_kept::<Mark>(&key).await?;
                self.write(|pages| drop(pages.marks.remove(&key)));
            }
            None => {}
        }
        Ok(())
    }

    /// Notes that a node stays awake from `at` on, or calls again as one that sleeps.
    pub(super) async fn keep_stopped(
        &self,
        hub: &Hub,
        node: &str,
        at: Option<Timestamp>,
    ) -> Result<(), HubError> {
        if at.is_some() == self.stopped(node).is_some() {
            return Ok(()); // the first time is the one that counts
        }
        let _turn = self.changes.lock().await;
        let key = node.to_lowercase();
        if let Some(at) = at {
            let stopped = Stopped { node: node.to_owned(), at };
            hub.keep(&stopped).await?;
            self.write(|pages| drop(pages.stopped.insert(key, stopped)));
        } else {
            hub.forget_kept::<Stopped>(&key).await?;
            self.write(|pages| drop(pages.stopped.remove(&key)));
        }
        Ok(())
    }

    fn look<T: Default>(&self, look: impl FnOnce(&Pages) -> T) -> T {
        let now = self.now.read().unwrap_or_else(PoisonError::into_inner);
        now.as_ref().map_or_else(T::default, look)
    }

    fn write(&self, change: impl FnOnce(&mut Pages)) {
        // Every change is one insertion or removal, so a panic leaves nothing half done.
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(pages) = now.as_mut() {
            change(pages);
        }
    }
}
