//! What people ask of the fleet while it runs: commands, files, and the time to carry them out at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fleet::{Fleet, gathered};
use super::member::Member;
use super::office::{Errand, Office};
use crate::family::simulator::{Fact, Fault, Habits, Orders, Way};

impl Fleet {
    /// What an operator does at the beginning of an act: everybody gets something to do when pulls are cut, and
    /// every fourth at other times. The file is fetched once.
    pub(super) async fn prepare(&self, member: &mut Member, at: usize) {
        let fault = self.plan.acts.get(at).copied().flatten();
        if at == 0
            && let Some((name, size)) = &self.plan.file
            && let Way::Calls(caller) = member.sim.way()
        {
            caller.fetch(name, *size);
        }
        let Some(office) = self.office.as_ref().filter(|_| self.habits.orders != Orders::Never) else {
            return;
        };
        let turn = usize::try_from(member.number).unwrap_or_default() + at;
        if fault != Some(Fault::KillMidPull) && !turn.is_multiple_of(4) {
            return;
        }
        if self.habits.orders == Orders::Newest {
            member.open = still_open(&**office, std::mem::take(&mut member.open), &self.habits).await;
            if !member.open.is_empty() {
                return;
            }
        }
        let order = member.sim.order();
        match self.insist(|| office.order(order.clone())).await {
            Ok(id) => {
                member.book.order(&id);
                member.open.push(id.clone());
                member.orders.push(id);
            }
            Err(why) => member.book.note(Fact::Odd(format!("an order was not taken: {why}"))),
        }
    }

    /// Sends the file to the first few devices, once in fair weather and once while pulls are cut. They have spoken
    /// by then, so the server knows by way of whom.
    pub(super) async fn send(&self, member: &mut Member, at: usize) {
        let fault = self.plan.acts.get(at).copied().flatten();
        let due = match fault {
            None => member.sends_tried == 0,
            Some(Fault::KillMidPull) => member.sends_tried < 2,
            Some(_) => false,
        };
        if !due || member.number > SENT_TO || self.plan.file.is_none() {
            return;
        }
        let (Some(office), Some(address)) = (&self.office, member.sim.addresses().get(1).cloned()) else {
            return;
        };
        member.sends_tried += 1;
        match self.insist(|| office.send(&address)).await {
            Ok(id) => member.sent.push(id),
            Err(why) => member.book.note(Fact::Odd(format!("the file was not sent: {why}"))),
        }
    }

    /// Asks the people's side again and again while the server is away.
    async fn insist<'a>(&self, ask: impl Fn() -> Errand<'a, String>) -> Result<String, String> {
        let end = Instant::now() + self.plan.patience;
        loop {
            let asked = ask().await;
            if asked.is_ok() || Instant::now() > end {
                return asked;
            }
            if self.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_none() {
                return asked;
            }
        }
    }

    /// Lets commands find their end: who still has one goes on living.
    pub(super) async fn epilogue(self: &Arc<Self>, members: Vec<Member>) -> Vec<Member> {
        let Some(office) = self.office.clone() else { return members };
        let end = Instant::now() + self.plan.epilogue;
        let mut tasks = JoinSet::new();
        for mut member in members {
            let (fleet, office) = (Arc::clone(self), Arc::clone(&office));
            tasks.spawn(async move {
                member.suffer(None);
                while Instant::now() < end && fleet.linger(&mut member, &*office).await {}
                member
            });
        }
        gathered(tasks).await
    }

    /// Another minute for a member that has commands which are not over; says whether it had.
    async fn linger(&self, member: &mut Member, office: &dyn Office) -> bool {
        member.open = still_open(office, std::mem::take(&mut member.open), &self.habits).await;
        let mut under_way = false;
        for id in &member.sent {
            under_way |= !office.transfer(id).await.is_ok_and(|(_, over)| over);
        }
        if (member.open.is_empty() && !under_way) || self.stop.is_cancelled() {
            return false;
        }
        // The semaphore is never closed.
        let Ok(slot) = self.slots.acquire().await else { return false };
        member.live(self.clock.now(), self).await;
        // Who is sent things without asking for them gets them while it is there.
        let stays = matches!(member.sim.way(), Way::Talks(_));
        if stays {
            self.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
        }
        member.leave(self).await;
        drop(slot);
        stays || self.stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some()
    }
}

/// Of some commands those that are not over.
async fn still_open(office: &dyn Office, ids: Vec<String>, habits: &Habits) -> Vec<String> {
    let mut open = Vec::new();
    for id in ids {
        match office.command(&id).await {
            Ok(command) if command.is_over(habits) => {}
            Ok(_) | Err(_) => open.push(id),
        }
    }
    open
}

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A file goes in pieces to so many devices: the server limits how many bytes a second go that way.
const SENT_TO: u32 = 4;
