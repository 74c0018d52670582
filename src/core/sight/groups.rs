//! Tags of devices, and groups: sets of devices with a name, which may be shared as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use super::names::{Bearer, folded, plain_tag, tidied};
use super::records::{Fact, GroupNote, GroupShared, Member, Tagged};
use super::table::Group;
use super::{GroupId, Level, Person, Share, Sight, cap, unknown};
use crate::core::records::Batch;
use crate::core::{Hub, HubError};
use crate::model::{DeviceId, User};

/// A change of a group.
#[derive(Clone, Debug, Default)]
pub struct GroupEdit {
    /// A new name.
    pub name: Option<String>,
    /// Devices that come to it.
    pub add: Vec<DeviceId>,
    /// Devices that leave it.
    pub remove: Vec<DeviceId>,
}

impl Sight {
    /// What the caller may do with a group, whether there is one or not.
    pub fn group_level(&self, group: &GroupId) -> Level {
        if self.only.is_some() {
            return Level::Nothing;
        }
        let known = self.hub.0.sight.read();
        let Some(group) = known.group(group) else { return Level::Nothing };
        let level = match &group.owner {
            _ if self.admin => Level::Own,
            None if self.house => Level::Own,
            Some(owner) if owner.id == self.user => Level::Own,
            Some(_) | None => group.shares.get(&self.user).map_or(Level::Nothing, |(_, share)| share.level()),
        };
        level.min(cap(self.role))
    }

    /// The groups that the caller sees, by name.
    pub fn groups(&self) -> Vec<Group> {
        let all = self.hub.0.sight.read().all_groups();
        let mut seen: Vec<_> =
            all.into_iter().filter(|group| self.group_level(&group.id) >= Level::View).collect();
        seen.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        seen
    }

    /// The group that the caller means: by its id, else by its name, letter case aside.
    pub fn find_group(&self, text: &str) -> Option<Group> {
        let id = GroupId::new(text);
        if self.group_level(&id) >= Level::View {
            return self.hub.0.sight.read().group(&id).cloned();
        }
        let mut named = self.groups();
        named.retain(|group| folded(&group.name) == folded(&tidied(text)));
        // The caller's own comes before one of the same name that is another's.
        let own =
            named.iter().position(|group| group.owner.as_ref().is_some_and(|owner| owner.id == self.user));
        named.into_iter().nth(own.unwrap_or(0))
    }
}

impl Sight {
    /// The tags of devices that the caller sees, in their order. No wait.
    pub fn all_tags(&self) -> Vec<String> {
        let scope = self.scope();
        let table = self.hub.0.sight.read();
        let mut tags: Vec<String> = table.all_tags(|device| scope.holds(Some(device)));
        tags.sort_unstable();
        tags
    }
}

impl Hub {
    /// A device's tags, in their order. No wait.
    pub fn tags(&self, device: &DeviceId) -> Arc<[String]> {
        self.0.sight.read().tags(device)
    }

    /// The devices with a tag, as typed. No wait.
    pub fn tagged(&self, tag: &str) -> HashSet<DeviceId> {
        self.0.sight.read().tagged(&plain_tag(tag))
    }

    /// Gives a device these tags in place of those that it has. They are kept in small letters, each once, in order.
    pub async fn tag_device(&self, device: &DeviceId, tags: &[String]) -> Result<bool, HubError> {
        let tagged = Tagged { device: device.clone(), tags: checked_tags(tags)? };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            hub.device(&tagged.device).ok_or_else(unknown)?;
            if *hub.tags(&tagged.device) == *tagged.tags {
                return Ok(false);
            }
            hub.keep_facts(Batch::new(hub.now()), vec![Fact::Tagged(tagged)]).await?;
            Ok(true)
        })
        .await
    }

    /// Makes a group that is a user's, or the house's.
    ///
    /// # Errors
    /// `Conflict` when the owner has a group of this name.
    pub async fn make_group(
        &self,
        name: &str,
        owner: Option<&User>,
        devices: Vec<DeviceId>,
        by: &str,
    ) -> Result<Group, HubError> {
        let note = GroupNote {
            id: GroupId::random(),
            name: checked_name(name)?,
            owner: owner.map(Person::from),
            created: self.now(),
            gone: false,
            by: by.to_owned(),
        };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            if hub.0.sight.read().all_groups().iter().filter(|group| group.owner == note.owner).count()
                >= GROUPS_MAX
            {
                return Err(HubError::conflict("name", format!("one owner has {GROUPS_MAX} groups at most")));
            }
            let mut batch = Batch::new(hub.now());
            let whose = note.owner.as_ref().map(|owner| &owner.id);
            hub.claim_name(&mut batch, whose, &note.name, Bearer::Group(note.id.clone())).await?;
            let id = note.id.clone();
            let mut facts = vec![Fact::Group(note)];
            facts.extend(members(&id, devices, true)?);
            hub.keep_facts(batch, facts).await?;
            hub.group(&id)
        })
        .await
    }

    /// Changes a group's name and what is in it.
    pub async fn edit_group(&self, id: &GroupId, edit: GroupEdit, by: &str) -> Result<Group, HubError> {
        let (id, by, hub) = (id.clone(), by.to_owned(), self.clone());
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            let group = hub.group(&id)?;
            let mut batch = Batch::new(hub.now());
            let mut facts = Vec::new();
            if let Some(name) = edit.name {
                let name = checked_name(&name)?;
                let whose = group.owner.as_ref().map(|owner| &owner.id);
                hub.claim_name(&mut batch, whose, &name, Bearer::Group(id.clone())).await?;
                if folded(&group.name) != folded(&name) {
                    hub.release_name(&mut batch, whose, &group.name, Bearer::Group(id.clone())).await?;
                }
                facts.push(Fact::Group(GroupNote { name, by, ..group.note(false) }));
            }
            let mut after = group.devices.clone();
            after.extend(edit.add.iter().cloned());
            if after.len() > MEMBERS_MAX {
                return Err(HubError::invalid("add", format!("a group has {MEMBERS_MAX} devices at most")));
            }
            let add = edit.add.into_iter().filter(|device| !group.devices.contains(device)).collect();
            let remove = edit.remove.into_iter().filter(|device| group.devices.contains(device)).collect();
            facts.extend(members(&id, add, true)?);
            facts.extend(members(&id, remove, false)?);
            if !facts.is_empty() {
                hub.keep_facts(batch, facts).await?;
            }
            hub.group(&id)
        })
        .await
    }

    /// Removes a group; its devices stay.
    pub async fn remove_group(&self, id: &GroupId) -> Result<(), HubError> {
        let (id, hub) = (id.clone(), self.clone());
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            let group = hub.group(&id)?;
            let mut batch = Batch::new(hub.now());
            let whose = group.owner.as_ref().map(|owner| &owner.id);
            hub.release_name(&mut batch, whose, &group.name, Bearer::Group(id.clone())).await?;
            hub.keep_facts(batch, vec![Fact::Group(group.note(true))]).await
        })
        .await
    }

    /// Shares what is in a group and is its owner's with a user, or ends that (`None`). Says whether that was a change.
    pub async fn share_group(
        &self,
        id: &GroupId,
        with: &User,
        share: Option<Share>,
        by: &str,
    ) -> Result<bool, HubError> {
        let shared = GroupShared { group: id.clone(), with: with.into(), share, by: by.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.sight.changes.lock().await;
            let group = hub.group(&shared.group)?;
            if group.shares.get(&shared.with.id).map(|(_, share)| *share) == shared.share {
                return Ok(false);
            }
            if shared.share.is_some() && group.shares.len() >= SHARES_MAX {
                return Err(HubError::conflict("user", format!("a group has {SHARES_MAX} shares at most")));
            }
            hub.keep_facts(Batch::new(hub.now()), vec![Fact::GroupShared(shared)]).await?;
            Ok(true)
        })
        .await
    }

    fn group(&self, id: &GroupId) -> Result<Group, HubError> {
        self.0.sight.read().group(id).cloned().ok_or(HubError::NotFound("group"))
    }
}

fn members(group: &GroupId, devices: Vec<DeviceId>, here: bool) -> Result<Vec<Fact>, HubError> {
    if devices.len() > MEMBERS_MAX {
        return Err(HubError::invalid("devices", format!("a group has {MEMBERS_MAX} devices at most")));
    }
    let member = |device| Fact::Member(Member { group: group.clone(), device, here });
    Ok(devices.into_iter().map(member).collect())
}

fn checked_name(name: &str) -> Result<String, HubError> {
    let name = tidied(name);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("a name has 1 to {NAME_CHARS_MAX} characters, none a control character");
        return Err(HubError::invalid("name", message));
    }
    Ok(name)
}

/// Tags as they are kept.
fn checked_tags(tags: &[String]) -> Result<Vec<String>, HubError> {
    let mut kept = Vec::with_capacity(tags.len().min(TAGS_MAX));
    for tag in tags {
        let tag = plain_tag(tag);
        let fits = |letter: char| letter.is_alphanumeric() || "-_.:/+ ".contains(letter);
        if tag.is_empty() || tag.chars().count() > TAG_CHARS_MAX || !tag.chars().all(fits) {
            let message =
                format!("a tag has 1 to {TAG_CHARS_MAX} letters, digits, blanks or any of - _ . : / +");
            return Err(HubError::invalid("tags", message));
        }
        kept.push(tag);
    }
    kept.sort();
    kept.dedup();
    if kept.len() > TAGS_MAX {
        return Err(HubError::invalid("tags", format!("a device has {TAGS_MAX} tags at most")));
    }
    Ok(kept)
}

const NAME_CHARS_MAX: usize = 64;
/// Tags of one device.
const TAGS_MAX: usize = 16;
const TAG_CHARS_MAX: usize = 32;
/// Devices of one group.
const MEMBERS_MAX: usize = 1000;
/// Groups of one owner.
const GROUPS_MAX: usize = 200;
/// With so many people is one group shared at most.
const SHARES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_kept_in_one_spelling() {
        let tags =
            |list: &[&str]| checked_tags(&list.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>());
        assert_eq!(tags(&[" Keller ", "keller", "A/c", "cafe\u{301}"]).unwrap(), ["a/c", "café", "keller"]);
        for odd in ["", "  ", "a,b", "<b>", &"x".repeat(33), "a\u{0}"] {
            assert!(tags(&[odd]).is_err(), "{odd}");
        }
        let many: Vec<_> = (0..17).map(|n| n.to_string()).collect();
        assert!(checked_tags(&many).is_err());
        assert!(checked_tags(&many[..16]).is_ok());
    }
}
