//! Lists as a caller sees them: what is another's is left out, and pages are as long as they were asked for.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use super::{Scope, Sight};
use crate::core::{CommandFilter, DeviceFilter, Hub, HubError, MessageFilter};
use crate::model::{CommandRecord, Device, DeviceId, MessageRecord, Seq, Timestamp, Transfer};

/// A page of a list that was read with something left out.
#[derive(Debug)]
pub struct Seen<T, C> {
    /// What was found, at most as much as was asked for.
    pub items: Vec<T>,
    /// Where to read on although fewer were found than asked for: so much was looked through that the rest is another
    /// page's. `None` when the list ends, or is as long as was asked for.
    pub resume: Option<C>,
}

impl Hub {
    /// A page of the devices that a caller sees, by name; of these only, if some are named.
    pub async fn devices_seen(
        &self,
        sight: &Sight,
        mut filter: DeviceFilter,
        among: Option<HashSet<DeviceId>>,
    ) -> Result<Vec<Device>, HubError> {
        let hidden = match (among, sight.scope()) {
            (Some(among), scope) => {
                let seen = among.into_iter().filter(|device| scope.holds(Some(device)));
                return Ok(self.devices_among(seen, &filter));
            }
            (None, Scope::Only(devices)) => return Ok(self.devices_among(devices, &filter)),
            (None, Scope::All) => return self.devices(filter).await,
            (None, Scope::But(hidden)) => hidden,
        };
        let limit = filter.limit;
        let mut found = Vec::new();
        loop {
            let page = self.devices(filter.clone()).await?;
            let whole = u32::try_from(page.len()).is_ok_and(|count| count >= filter.limit);
            filter.after = page.last().map(|device| (device.names.name.clone(), device.names.id.clone()));
            found.extend(page.into_iter().filter(|device| !hidden.contains(&device.names.id)));
            if found.len() >= limit as usize || !whole {
                found.truncate(limit as usize);
                return Ok(found);
            }
            filter.limit = filter.limit.max(PAGE);
        }
    }

    /// A page out of these devices, in the order of the store and by its rules.
    fn devices_among(&self, ids: impl IntoIterator<Item = DeviceId>, filter: &DeviceFilter) -> Vec<Device> {
        let q = filter.q.as_ref().map(|q| q.to_ascii_lowercase());
        let fits = |device: &Device| {
            let has = |text: &str, part: &String| text.to_ascii_lowercase().contains(part);
            let names = &device.names;
            q.as_ref().is_none_or(|part| has(&names.name, part) || has(&names.address, part))
                && filter.family.as_ref().is_none_or(|family| names.family == *family)
                && filter.state.is_none_or(|state| device.state == state)
                && filter.after.as_ref().is_none_or(|(name, id)| (&names.name, &names.id) > (name, id))
        };
        let mut found: Vec<_> = ids.into_iter().filter_map(|id| self.device(&id)).filter(fits).collect();
        found.sort_by(|one, other| {
            (&one.names.name, &one.names.id).cmp(&(&other.names.name, &other.names.id))
        });
        found.truncate(filter.limit as usize);
        found
    }

    /// The device that a caller means by a text ([`Hub::find_device`]), among those that it sees.
    pub fn find_seen(&self, sight: &Sight, text: &str) -> Result<Device, HubError> {
        self.find_among(text, |device| sight.sees(&device.names.id))
    }

    /// A page of the messages that a caller sees, newest first. `filter.device` must be one that it sees.
    pub async fn messages_seen(
        &self,
        sight: &Sight,
        mut filter: MessageFilter,
    ) -> Result<Seen<MessageRecord, Seq>, HubError> {
        let whole = |items| Seen { items, resume: None };
        let hidden = match sight.scope() {
            _ if filter.device.is_some() => return Ok(whole(self.messages(filter).await?)),
            Scope::All => return Ok(whole(self.messages(filter).await?)),
            Scope::Only(devices) => return Ok(whole(self.messages_of(devices, filter).await?)),
            Scope::But(hidden) => hidden,
        };
        let (limit, mut looked_at) = (filter.limit as usize, 0);
        let mut items = Vec::new();
        loop {
            let page = self.messages(filter.clone()).await?;
            let ends = page.len() < filter.limit as usize;
            looked_at += page.len();
            filter.before = page.last().map(|message| message.seq).or(filter.before);
            let is_hidden = |message: &MessageRecord| {
                message.device.as_ref().is_some_and(|device| hidden.contains(&device.id))
            };
            items.extend(page.into_iter().filter(|message| !is_hidden(message)));
            if items.len() >= limit || ends {
                items.truncate(limit);
                return Ok(Seen { items, resume: None });
            }
            if looked_at >= LOOKED_THROUGH_MAX {
                return Ok(Seen { items, resume: filter.before });
            }
            filter.limit = filter.limit.max(PAGE);
        }
    }

    /// A page of the messages of several devices, newest first: the lists of each, merged.
    async fn messages_of(
        &self,
        devices: HashSet<DeviceId>,
        filter: MessageFilter,
    ) -> Result<Vec<MessageRecord>, HubError> {
        let limit = filter.limit as usize;
        let share =
            (2 * limit).checked_div(devices.len()).unwrap_or(0).clamp(PIECE_MIN, limit.max(PIECE_MIN));
        let mut lists = Vec::with_capacity(devices.len());
        let mut heads = BinaryHeap::new();
        for device in devices {
            let mut list = List { device, left: VecDeque::new(), before: filter.before, ends: false };
            list.refill(self, &filter, share).await?;
            heads.extend(list.left.front().map(|message| (message.seq, Reverse(lists.len()))));
            lists.push(list);
        }
        let mut found = Vec::new();
        while found.len() < limit
            && let Some((_, Reverse(place))) = heads.pop()
        {
            let Some(list) = lists.get_mut(place) else { break };
            found.extend(list.left.pop_front());
            list.refill(self, &filter, share).await?;
            heads.extend(list.left.front().map(|message| (message.seq, Reverse(place))));
        }
        Ok(found)
    }

    /// A page of the commands that a caller sees, newest first: a device's commands may be fetched by one that it does not
    /// see, and the other way round.
    pub async fn commands_seen(
        &self,
        sight: &Sight,
        mut filter: CommandFilter,
    ) -> Result<Vec<CommandRecord>, HubError> {
        if sight.whole() {
            return self.commands(filter).await;
        }
        let limit = filter.limit as usize;
        let mut found = Vec::new();
        loop {
            let page = self.commands(filter.clone()).await?;
            let ends = page.len() < filter.limit as usize;
            filter.before = page.last().map(|command| command.id.clone()).or(filter.before);
            found.extend(page.into_iter().filter(|command| sight.sees(&command.device.id)));
            if found.len() >= limit || ends {
                found.truncate(limit);
                return Ok(found);
            }
            filter.limit = filter.limit.max(PAGE);
        }
    }

    /// A page of the transfers that a caller sees, those that moved last first: of one device, which it must see, or of
    /// all.
    pub async fn transfers_seen(
        &self,
        sight: &Sight,
        of: Option<&DeviceId>,
        mut before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Transfer)>, HubError> {
        if of.is_some() || sight.whole() {
            return self.transfers(of, before, limit).await;
        }
        let mut found = Vec::new();
        loop {
            let page = self.transfers(of, before.take(), limit).await?;
            let ends = page.len() < limit as usize;
            before = page.last().map(|(at, transfer)| (*at, transfer.id.to_string()));
            found.extend(page.into_iter().filter(|(_, transfer)| sight.sees(&transfer.device.id)));
            if found.len() >= limit as usize || ends {
                found.truncate(limit as usize);
                return Ok(found);
            }
        }
    }
}

/// One device's messages, newest first, a piece at a time.
struct List {
    device: DeviceId,
    left: VecDeque<MessageRecord>,
    before: Option<Seq>,
    ends: bool,
}

impl List {
    async fn refill(&mut self, hub: &Hub, filter: &MessageFilter, piece: usize) -> Result<(), HubError> {
        if !self.left.is_empty() || self.ends {
            return Ok(());
        }
        let filter = MessageFilter {
            device: Some(self.device.clone()),
            before: self.before,
            limit: u32::try_from(piece).unwrap_or(u32::MAX),
            ..filter.clone()
        };
        self.left = hub.messages(filter).await?.into();
        self.ends = self.left.len() < piece;
        self.before = self.left.back().map(|message| message.seq);
        Ok(())
    }
}

/// Read at a time when much is left out.
const PAGE: u32 = 500;
/// Messages of others that are looked through for one page.
const LOOKED_THROUGH_MAX: usize = 20_000;
/// The least that is read of one device's messages at a time.
const PIECE_MIN: usize = 4;
