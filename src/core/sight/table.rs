//! Owners, shares, tags and groups in memory.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::records::{Fact, GroupNote, GroupShared, Member, Owned, Shared, Tagged};
use super::{GroupId, Person, Share};
use crate::core::neighbours::{Neighbours, Part};
use crate::model::{DeviceId, Timestamp, UserId};

/// What this server knows of owners and shares.
#[derive(Debug, Default)]
pub(in crate::core) struct Table {
    known: RwLock<Known>,
    /// Changes are made, and those of others read, one at a time.
    pub(super) changes: tokio::sync::Mutex<()>,
    pub(super) neighbours: Neighbours<Self>,
}

/// The tables themselves.
#[derive(Debug, Default)]
pub(super) struct Known {
    owners: HashMap<DeviceId, Person>,
    owned: HashMap<UserId, HashSet<DeviceId>>,
    shares: HashMap<DeviceId, HashMap<UserId, (Person, Share)>>,
    shared: HashMap<UserId, HashSet<DeviceId>>,
    tags: HashMap<DeviceId, Arc<[String]>>,
    tagged: HashMap<String, HashSet<DeviceId>>,
    groups: HashMap<GroupId, Group>,
    /// Groups by what is in them, and by with whom they are shared.
    in_groups: HashMap<DeviceId, HashSet<GroupId>>,
    shared_groups: HashMap<UserId, HashSet<GroupId>>,
}

/// A set of devices with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Its name; its owner has no other of this name.
    pub name: String,
    /// Whose it is; `None` is the house.
    pub owner: Option<Person>,
    /// When it was made.
    pub created: Timestamp,
    /// What is in it, whether the asker sees it or not.
    pub devices: HashSet<DeviceId>,
    /// With whom it is shared.
    pub shares: HashMap<UserId, (Person, Share)>,
    by: String,
    /// That there is one is known; what is in it may be read before that.
    here: bool,
}

impl Group {
    fn unknown(id: &GroupId) -> Self {
        Self {
            id: id.clone(),
            name: String::new(),
            owner: None,
            created: Timestamp::from_micros(0),
            devices: HashSet::new(),
            shares: HashMap::new(),
            by: String::new(),
            here: false,
        }
    }

    /// The document that it is kept as.
    pub(super) fn note(&self, gone: bool) -> GroupNote {
        let Self { id, name, owner, created, by, .. } = self.clone();
        GroupNote { id, name, owner, created, gone, by }
    }

    fn owner_id(&self) -> Option<&UserId> {
        self.owner.as_ref().map(|owner| &owner.id)
    }
}

impl Part for Table {
    const TURNS: &'static str = "sight_turn";
}

impl Known {
    /// Whose a device is.
    pub(super) fn owner(&self, device: &DeviceId) -> Option<&Person> {
        self.owners.get(device)
    }

    /// What a device itself is shared with a user for.
    pub(super) fn shared_itself(&self, device: &DeviceId, user: &UserId) -> Option<Share> {
        self.shares.get(device)?.get(user).map(|(_, share)| *share)
    }

    /// What a device is shared with a user for, itself or by a group.
    pub(super) fn shared(&self, device: &DeviceId, user: &UserId) -> Option<Share> {
        let by_group = |group: &Group| group.shares.get(user).map(|(_, share)| *share);
        self.shared_itself(device, user).max(self.sharing(device).filter_map(by_group).max())
    }

    /// The groups by which a device is shared: only its owner's, so that nobody shares what is another's.
    fn sharing(&self, device: &DeviceId) -> impl Iterator<Item = &Group> {
        let owner = self.owners.get(device).map(|owner| &owner.id);
        let groups = self.in_groups.get(device).into_iter().flatten().filter_map(|id| self.group(id));
        groups.filter(move |group| group.owner_id() == owner)
    }

    /// The same groups, those that are shared with somebody, by name.
    pub(super) fn sharing_groups(&self, device: &DeviceId) -> Vec<(GroupId, String)> {
        let shared = self.sharing(device).filter(|group| !group.shares.is_empty());
        let mut groups: Vec<_> = shared.map(|group| (group.id.clone(), group.name.clone())).collect();
        groups.sort_by(|(_, one), (_, other)| one.cmp(other));
        groups
    }

    /// A group.
    pub(super) fn group(&self, id: &GroupId) -> Option<&Group> {
        self.groups.get(id).filter(|group| group.here)
    }

    /// Every group.
    pub(super) fn all_groups(&self) -> Vec<Group> {
        self.groups.values().filter(|group| group.here).cloned().collect()
    }

    /// The groups that a device is in.
    pub(super) fn groups_of(&self, device: &DeviceId) -> Vec<GroupId> {
        self.in_groups.get(device).into_iter().flatten().cloned().collect()
    }

    /// A device's tags.
    pub(super) fn tags(&self, device: &DeviceId) -> Arc<[String]> {
        self.tags.get(device).cloned().unwrap_or_default()
    }

    /// The tags that at least one of some devices has.
    pub(super) fn all_tags(&self, of: impl Fn(&DeviceId) -> bool) -> Vec<String> {
        let used = self.tagged.iter().filter(|(_, devices)| devices.iter().any(&of));
        used.map(|(tag, _)| tag.clone()).collect()
    }

    /// The devices with a tag, as it is kept.
    pub(super) fn tagged(&self, tag: &str) -> HashSet<DeviceId> {
        self.tagged.get(tag).cloned().unwrap_or_default()
    }

    /// That everything which is shared with a user, and the user's groups, are no more.
    pub(super) fn ends_of(&self, user: &UserId, by: &str) -> Vec<Fact> {
        let devices = self.shared.get(user).into_iter().flatten();
        let shares = devices.filter_map(|device| {
            let (with, _) = self.shares.get(device)?.get(user)?.clone();
            Some(Fact::Shared(Shared { device: device.clone(), with, share: None, by: by.to_owned() }))
        });
        let groups = self.shared_groups.get(user).into_iter().flatten();
        let group_shares = groups.filter_map(|group| {
            let (with, _) = self.groups.get(group)?.shares.get(user)?.clone();
            Some(Fact::GroupShared(GroupShared {
                group: group.clone(),
                with,
                share: None,
                by: by.to_owned(),
            }))
        });
        let own = self.groups.values().filter(|group| group.here && group.owner_id() == Some(user));
        shares.chain(group_shares).chain(own.map(|group| Fact::Group(group.note(true)))).collect()
    }

    /// With whom a device is shared, by name.
    pub(super) fn shares(&self, device: &DeviceId) -> Vec<(Person, Share)> {
        let mut shares: Vec<_> =
            self.shares.get(device).into_iter().flat_map(HashMap::values).cloned().collect();
        shares.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        shares
    }

    /// Every user who owns devices or groups.
    pub(super) fn owners(&self) -> HashSet<UserId> {
        let groups = self.groups.values().filter_map(|group| group.owner_id().cloned());
        self.owned.keys().cloned().chain(groups).collect()
    }

    /// The devices that are a user's.
    pub(super) fn owned(&self, user: &UserId) -> Vec<DeviceId> {
        self.owned.get(user).into_iter().flatten().cloned().collect()
    }

    /// The devices that a user sees without seeing the house.
    pub(super) fn seen_by(&self, user: &UserId) -> HashSet<DeviceId> {
        let own = self.owned.get(user).into_iter().flatten();
        let mut seen: HashSet<_> = own.chain(self.shared.get(user).into_iter().flatten()).cloned().collect();
        for group in self.shared_groups.get(user).into_iter().flatten().filter_map(|id| self.group(id)) {
            let is_owners =
                |device: &&DeviceId| self.owners.get(*device).map(|owner| &owner.id) == group.owner_id();
            seen.extend(group.devices.iter().filter(is_owners).cloned());
        }
        seen
    }

    /// The devices that a user does not see although it sees the house.
    pub(super) fn hidden_from(&self, user: &UserId) -> HashSet<DeviceId> {
        let seen = |device: &DeviceId| self.shared(device, user).is_some();
        let others = self.owners.iter().filter(|(device, owner)| owner.id != *user && !seen(device));
        others.map(|(device, _)| device.clone()).collect()
    }

    fn put_owner(&mut self, owned: &Owned) {
        if let Some(before) = self.owners.remove(&owned.device) {
            leave(&mut self.owned, &before.id, &owned.device);
        }
        if let Some(owner) = &owned.owner {
            self.owned.entry(owner.id.clone()).or_default().insert(owned.device.clone());
            self.owners.insert(owned.device.clone(), owner.clone());
        }
    }

    fn put_share(&mut self, shared: &Shared) {
        let Shared { device, with, share, .. } = shared;
        if let Some(share) = share {
            self.shared.entry(with.id.clone()).or_default().insert(device.clone());
            self.shares.entry(device.clone()).or_default().insert(with.id.clone(), (with.clone(), *share));
            return;
        }
        leave(&mut self.shared, &with.id, device);
        if let Some(shares) = self.shares.get_mut(device) {
            shares.remove(&with.id);
            if shares.is_empty() {
                self.shares.remove(device);
            }
        }
    }

    fn put_tags(&mut self, tagged: &Tagged) {
        for tag in self.tags.remove(&tagged.device).iter().flat_map(|tags| tags.iter()) {
            leave(&mut self.tagged, tag, &tagged.device);
        }
        for tag in &tagged.tags {
            self.tagged.entry(tag.clone()).or_default().insert(tagged.device.clone());
        }
        if !tagged.tags.is_empty() {
            self.tags.insert(tagged.device.clone(), tagged.tags.clone().into());
        }
    }

    fn put_group(&mut self, note: &GroupNote) {
        if note.gone {
            let Some(group) = self.groups.remove(&note.id) else { return };
            for device in &group.devices {
                leave(&mut self.in_groups, device, &note.id);
            }
            for user in group.shares.keys() {
                leave(&mut self.shared_groups, user, &note.id);
            }
            return;
        }
        let group = self.groups.entry(note.id.clone()).or_insert_with(|| Group::unknown(&note.id));
        group.name.clone_from(&note.name);
        group.owner.clone_from(&note.owner);
        group.created = note.created;
        group.by.clone_from(&note.by);
        group.here = true;
    }

    fn put_member(&mut self, member: &Member) {
        let Member { group, device, here } = member;
        let known = self.groups.entry(group.clone()).or_insert_with(|| Group::unknown(group));
        if *here {
            known.devices.insert(device.clone());
            self.in_groups.entry(device.clone()).or_default().insert(group.clone());
        } else {
            known.devices.remove(device);
            leave(&mut self.in_groups, device, group);
        }
    }

    fn put_group_share(&mut self, shared: &GroupShared) {
        let GroupShared { group, with, share, .. } = shared;
        let known = self.groups.entry(group.clone()).or_insert_with(|| Group::unknown(group));
        if let Some(share) = share {
            known.shares.insert(with.id.clone(), (with.clone(), *share));
            self.shared_groups.entry(with.id.clone()).or_default().insert(group.clone());
        } else {
            known.shares.remove(&with.id);
            leave(&mut self.shared_groups, &with.id, group);
        }
    }
}

/// Takes something out of a set; a set that is empty is not listed.
fn leave<K: Eq + Hash, V: Eq + Hash>(sets: &mut HashMap<K, HashSet<V>>, of: &K, what: &V) {
    if let Some(set) = sets.get_mut(of) {
        set.remove(what);
        if set.is_empty() {
            sets.remove(of);
        }
    }
}

impl Table {
    /// The tables, to look into.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Known> {
        // Every change is a few plain assignments: a panic leaves nothing that is worse than either state.
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes facts over, in their order.
    pub(super) fn learn(&self, facts: &[Fact]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for fact in facts {
            match fact {
                Fact::Owned(owned) => known.put_owner(owned),
                Fact::Shared(shared) => known.put_share(shared),
                Fact::Tagged(tagged) => known.put_tags(tagged),
                Fact::Group(note) => known.put_group(note),
                Fact::Member(member) => known.put_member(member),
                Fact::GroupShared(shared) => known.put_group_share(shared),
            }
        }
    }
}
