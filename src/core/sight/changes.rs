//! Changes of whose a device is and who shares it.

use super::names::{Bearer, folded, taken};
use super::records::{Fact, Member, Owned, Shared, Tagged};
use super::{GroupId, Person, Share, unknown};
use crate::core::records::Batch;
use crate::core::{FeedEvent, Hub, HubError};
use crate::model::{Device, DeviceId, User, UserId};
use crate::store::Write;

/// Whose a device is, and with whom it is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `None` is the house.
    pub owner: Option<Person>,
    /// With whom, by name.
    pub shares: Vec<(Person, Share)>,
    /// The groups by which it is shared beside, as ids and names.
    pub groups: Vec<(GroupId, String)>,
}

impl Hub {
    /// Whose a device is, and with whom it is shared. No wait.
    pub fn access(&self, device: &DeviceId) -> Access {
        let known = self.0.sight.read();
        Access {
            owner: known.owner(device).cloned(),
            shares: known.shares(device),
            groups: known.sharing_groups(device),
        }
    }

    /// Shares a device with a user, or ends that (`None`). Says whether that was a change.
    pub async fn share_device(
        &self,
        device: &DeviceId,
        with: &User,
        share: Option<Share>,
        by: &str,
    ) -> Result<bool, HubError> {
        let shared = Shared { device: device.clone(), with: with.into(), share, by: by.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.device(&shared.device).ok_or_else(unknown)?;
            let (before, count) = {
                let known = hub.0.sight.read();
                (known.shared_itself(&shared.device, &shared.with.id), known.shares(&shared.device).len())
            };
            if before == shared.share {
                return Ok(false);
            }
            if before.is_none() && count >= SHARES_MAX {
                return Err(HubError::conflict("user", format!("a device has {SHARES_MAX} shares at most")));
            }
            hub.keep_facts(Batch::new(hub.now()), vec![Fact::Shared(shared)]).await?;
            Ok(true)
        })
        .await
    }

    /// Gives a device to a user, or to the house (`None`). Its shares end, and it leaves its owner's groups.
    ///
    /// # Errors
    /// `Conflict` when the new owner has a device of this name.
    pub async fn give_device(&self, device: &DeviceId, to: Option<&User>, by: &str) -> Result<(), HubError> {
        let (device, to, by) = (device.clone(), to.map(Person::from), by.to_owned());
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.given(&device, to, &by).await
        })
        .await
    }

    async fn given(&self, id: &DeviceId, to: Option<Person>, by: &str) -> Result<(), HubError> {
        let device = self.device(id).ok_or_else(unknown)?;
        let (before, shares, groups) = {
            let known = self.0.sight.read();
            (known.owner(id).cloned(), known.shares(id), known.groups_of(id))
        };
        if before == to {
            return Ok(());
        }
        let mut batch = Batch::new(self.now());
        let bearer = || Bearer::Device(id.clone());
        if let Some(to) = &to {
            self.claim_name(&mut batch, Some(&to.id), &device.names.name, bearer()).await?;
        }
        if let Some(before) = &before {
            self.release_name(&mut batch, Some(&before.id), &device.names.name, bearer()).await?;
        }
        let mut facts = Vec::new();
        for (with, _) in shares {
            facts.push(Fact::Shared(Shared { device: id.clone(), with, share: None, by: by.to_owned() }));
        }
        for group in groups {
            facts.push(Fact::Member(Member { group, device: id.clone(), here: false }));
        }
        facts.push(Fact::Owned(Owned { device: id.clone(), owner: to, by: by.to_owned() }));
        self.keep_facts(batch, facts).await?;
        // Who watches learns that the device is another's now.
        self.0.teller.tell(FeedEvent::State(device));
        Ok(())
    }

    /// Makes a device that is a user's from the first moment on.
    ///
    /// # Errors
    /// `Conflict` when the owner has a device of this name.
    pub(in crate::core) async fn make_owned(
        &self,
        mut device: Device,
        owner: Person,
        by: &str,
    ) -> Result<Device, HubError> {
        let _turn = self.0.sight.changes.lock().await;
        // One that called meanwhile keeps its id.
        let claimed =
            self.0.registry.at_or(&device.names.family, &device.names.address, || Some(device.clone()));
        let id = claimed.map_or_else(|| device.names.id.clone(), |claimed| claimed.names.id.clone());
        if self.device(&id).is_some() {
            return Err(conflict_at(&device));
        }
        device.names.id = id.clone();
        let mut batch = Batch::new(self.now());
        let bearer = || Bearer::Device(id.clone());
        self.claim_name(&mut batch, Some(&owner.id), &device.names.name, bearer()).await?;
        let whose = Owned { device: id.clone(), owner: Some(owner.clone()), by: by.to_owned() };
        // First: a device without an owner would be the house's for a moment.
        self.keep_facts(batch, vec![Fact::Owned(whose)]).await?;
        let name = device.names.name.clone();
        let made = self.store_new(device).await;
        if made.as_ref().is_ok_and(|made| made.names.id == id) {
            return made;
        }
        // Another was there before: what was claimed for this one goes.
        let mut batch = Batch::new(self.now());
        self.release_name(&mut batch, Some(&owner.id), &name, bearer()).await?;
        let whose = Owned { device: id.clone(), owner: None, by: by.to_owned() };
        self.keep_facts(batch, vec![Fact::Owned(whose)]).await?;
        made.and_then(|other| Err(conflict_at(&other)))
    }

    /// Renames a device; the name of one that has an owner must be free with that owner.
    pub(in crate::core) async fn renamed(&self, id: &DeviceId, name: String) -> Result<Device, HubError> {
        let _turn = self.0.sight.changes.lock().await;
        let mut device = self.device(id).ok_or_else(unknown)?;
        let before = std::mem::replace(&mut device.names.name, name);
        let owner = self.owner(id);
        let mut batch = Batch::new(self.now());
        if let Some(owner) = &owner {
            let bearer = || Bearer::Device(id.clone());
            self.claim_name(&mut batch, Some(&owner.id), &device.names.name, bearer()).await?;
            if folded(&before) != folded(&device.names.name) {
                self.release_name(&mut batch, Some(&owner.id), &before, bearer()).await?;
            }
            if !self.keep_together(batch).await? {
                return Err(taken(&device.names.name));
            }
        }
        self.write(Write::Device(Box::new(device.clone()))).await?;
        self.0.registry.stored(device.clone());
        self.0.teller.tell(FeedEvent::State(device.clone()));
        Ok(device)
    }

    /// Ends what was shared of a device that is being forgotten, and frees its name.
    pub(in crate::core) async fn forget_sight(&self, device: &Device) -> Result<(), HubError> {
        let _turn = self.0.sight.changes.lock().await;
        let id = &device.names.id;
        let (owner, shares, groups, tags) = {
            let known = self.0.sight.read();
            (known.owner(id).cloned(), known.shares(id), known.groups_of(id), known.tags(id))
        };
        let mut batch = Batch::new(self.now());
        if let Some(owner) = &owner {
            let bearer = Bearer::Device(id.clone());
            self.release_name(&mut batch, Some(&owner.id), &device.names.name, bearer).await?;
        }
        let by = "device:forgotten";
        let ended = |with| Shared { device: id.clone(), with, share: None, by: by.to_owned() };
        let mut facts: Vec<_> = shares.into_iter().map(|(with, _)| Fact::Shared(ended(with))).collect();
        let member = |group| Member { group, device: id.clone(), here: false };
        facts.extend(groups.into_iter().map(|group| Fact::Member(member(group))));
        if !tags.is_empty() {
            facts.push(Fact::Tagged(Tagged { device: id.clone(), tags: Vec::new() }));
        }
        if batch.is_empty() && facts.is_empty() {
            return Ok(());
        }
        self.keep_facts(batch, facts).await
    }

    /// The devices that are a user's, in no order. No wait.
    pub fn devices_of(&self, user: &UserId) -> Vec<DeviceId> {
        let owned = self.0.sight.read().owned(user);
        owned.into_iter().filter(|device| self.device(device).is_some()).collect()
    }

    /// Gives all that is a user's to another, or to the house, before the user is removed: its devices. What was shared
    /// with the user is no longer, and its groups go.
    ///
    /// # Errors
    /// `Conflict` when a device's name is taken with the new owner; nothing was changed then.
    pub async fn hand_over(&self, from: &UserId, to: Option<&User>, by: &str) -> Result<usize, HubError> {
        let (from, to, by) = (from.clone(), to.map(Person::from), by.to_owned());
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.read_sight().await?;
            let devices = hub.devices_of(&from);
            if let Some(to) = &to {
                hub.names_are_free(&devices, to)?;
            }
            for device in &devices {
                hub.given(device, to.clone(), &by).await?;
            }
            let facts = hub.0.sight.read().ends_of(&from, &by);
            let mut batch = Batch::new(hub.now());
            for fact in &facts {
                if let Fact::Group(group) = fact {
                    let bearer = Bearer::Group(group.id.clone());
                    hub.release_name(&mut batch, Some(&from), &group.name, bearer).await?;
                }
            }
            if !facts.is_empty() {
                hub.keep_facts(batch, facts).await?;
            }
            Ok(devices.len())
        })
        .await
    }

    /// Whether a user's devices could be another's as well as they are the user's.
    ///
    /// # Errors
    /// `Conflict` when a device's name is taken there.
    pub fn may_take_over(&self, from: &UserId, to: &User) -> Result<(), HubError> {
        self.names_are_free(&self.devices_of(from), &to.into())
    }

    /// Gives to the house what is owned by users that are no more: a server may have stopped between the two. For the
    /// start.
    pub(in crate::core) async fn hand_over_what_is_left(&self) -> Result<(), HubError> {
        let mut owners = self.0.sight.read().owners();
        if owners.is_empty() {
            return Ok(());
        }
        for user in self.users().await? {
            owners.remove(&user.id);
        }
        for owner in owners {
            self.hand_over(&owner, None, "user:removed").await?;
        }
        Ok(())
    }

    fn names_are_free(&self, devices: &[DeviceId], to: &Person) -> Result<(), HubError> {
        let name = |id: &DeviceId| self.device(id).map(|device| folded(&device.names.name));
        let theirs: Vec<_> = self.devices_of(&to.id).iter().filter_map(name).collect();
        for device in devices.iter().filter_map(|id| self.device(id)) {
            if theirs.contains(&folded(&device.names.name)) {
                let message = format!("{} has a device called {} already", to.name, device.names.name);
                return Err(HubError::conflict("name", message));
            }
        }
        Ok(())
    }

    /// Carries out changes of the table, all or none, and tells other servers. Who calls holds the right to change it.
    pub(super) async fn keep_facts(&self, mut batch: Batch, facts: Vec<Fact>) -> Result<(), HubError> {
        for fact in &facts {
            fact.keep(&mut batch)?;
        }
        batch.keep(&self.0.sight.neighbours.turn())?;
        if !self.keep_together(batch).await? {
            return Err(HubError::conflict("name", "this name was just taken".to_owned()));
        }
        self.0.sight.learn(&facts);
        Ok(())
    }
}

fn conflict_at(device: &Device) -> HubError {
    HubError::conflict("address", format!("device {} exists already", device.names.address))
}

/// With so many people is one device shared at most.
const SHARES_MAX: usize = 100;
