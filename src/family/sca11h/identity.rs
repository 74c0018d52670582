//! Who a node is: `Node@id` of a push, the MAC in the path of a sync and the `name` in its body are one device
//! (`sca11h.md §2, §4.5`).

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::core::{Hub, HubError, Kept};

/// What ties a MAC to a node id that is none. Kept; read at the first use and every minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Link {
    /// 12 lower-case hex digits, or the path's text where it was no MAC.
    mac: String,
    /// The device's address.
    address: String,
}

impl Kept for Link {
    const KIND: &'static str = "sca11h_link";
    const KEEP_MAX: Option<u32> = Some(LINKS_MAX);

    fn key(&self) -> String {
        self.mac.clone()
    }
}

/// Every link, in memory.
#[derive(Debug, Default)]
pub(super) struct Identities(RwLock<Option<HashMap<String, String>>>);

impl Identities {
    /// The address of the device that calls itself by a node id.
    pub(super) async fn of_node(&self, hub: &Hub, node_id: &str) -> Result<String, HubError> {
        let key = canonical(node_id);
        Ok(self.linked(hub, &key).await?.unwrap_or(key))
    }

    /// The address of the device that syncs: `segment` is the part of the path, percent-decoded, and `name` the node id
    /// in the body.
    pub(super) async fn of_sync(
        &self,
        hub: &Hub,
        segment: &str,
        name: Option<&str>,
    ) -> Result<String, HubError> {
        let mac = canonical(segment);
        let before = self.linked(hub, &mac).await?;
        Ok(name.map(canonical).filter(|name| !name.is_empty()).or(before).unwrap_or(mac))
    }

    /// Ties the two of a sync together when both are there. Only for one that was let in and stored.
    pub(super) async fn tie(&self, hub: &Hub, segment: &str, name: Option<&str>) -> Result<(), HubError> {
        let mac = canonical(segment);
        let Some(name) = name.map(canonical).filter(|name| !name.is_empty() && !mac.is_empty()) else {
            return Ok(());
        };
        let before = self.linked(hub, &mac).await?;
        if name.eq_ignore_ascii_case(&mac) {
            if before.is_some() {
                hub.forget_kept::<Link>(&mac).await?;
                self.change(|links| links.remove(&mac));
            }
        } else if before.as_ref() != Some(&name) {
            hub.keep(&Link { mac: mac.clone(), address: name.clone() }).await?;
            tracing::info!(%mac, address = %name, "node id and MAC belong together");
            self.change(|links| links.insert(mac, name));
        }
        Ok(())
    }

    /// The MACs that were heard to be a device's, beside an address that is one itself.
    pub(super) async fn macs(&self, hub: &Hub, address: &str) -> Result<Vec<String>, HubError> {
        self.loaded(hub).await?;
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let all = links.iter().flatten().filter(|(_, of)| of.eq_ignore_ascii_case(address));
        let mut macs: Vec<_> = all.map(|(mac, _)| mac.clone()).collect();
        macs.extend(mac_of(address));
        macs.sort();
        Ok(macs)
    }

    /// Reads all links again; another server may have changed some.
    pub(super) async fn read(&self, hub: &Hub) -> Result<(), HubError> {
        let mut all = HashMap::new();
        hub.kept_each(|link: Link| drop(all.insert(link.mac, link.address))).await?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(all);
        Ok(())
    }

    async fn linked(&self, hub: &Hub, key: &str) -> Result<Option<String>, HubError> {
        self.loaded(hub).await?;
        let links = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(links.as_ref().and_then(|links| links.get(key).cloned()))
    }

    async fn loaded(&self, hub: &Hub) -> Result<(), HubError> {
        let loaded = self.0.read().unwrap_or_else(PoisonError::into_inner).is_some();
        if loaded { Ok(()) } else { self.read(hub).await }
    }

    fn change<T>(&self, change: impl FnOnce(&mut HashMap<String, String>) -> T) {
        let mut links = self.0.write().unwrap_or_else(PoisonError::into_inner);
        change(links.get_or_insert_default());
    }
}

/// The address that a text stands for: 12 lower-case hex digits for a MAC in any spelling, else the text without the
/// white space around it. Letter case of other texts stays; the registry does not look at it.
pub(super) fn canonical(text: &str) -> String {
    mac_of(text).unwrap_or_else(|| text.trim().to_owned())
}

/// A MAC as 12 lower-case hex digits, whatever separates them: `:`, `-`, `.` or nothing.
pub(super) fn mac_of(text: &str) -> Option<String> {
    let text = text.trim();
    let mut mac = String::with_capacity(12);
    for letter in text.chars() {
        match letter {
            ':' | '-' | '.' => {}
            _ if letter.is_ascii_hexdigit() && mac.len() < 12 => mac.push(letter.to_ascii_lowercase()),
            _ => return None,
        }
    }
    let edges = |letter: char| letter.is_ascii_hexdigit();
    (mac.len() == 12 && text.starts_with(edges) && text.ends_with(edges)).then_some(mac)
}

/// More than anybody has beds; a stranger who makes names up fills no disk.
const LINKS_MAX: u32 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_in_any_spelling_is_one_address() {
        for text in
            ["00:11:22:aa:BB:cc", "00-11-22-AA-BB-CC", "0011.22aa.bbcc", "001122AABBCC", " 001122aabbcc "]
        {
            assert_eq!(canonical(text), "001122aabbcc", "{text}");
        }
        for text in
            ["bed 7", "00:11:22:aa:bb", "00:11:22:aa:bb:cc:dd", "g01122aabbcc", ":001122aabbcc", "Bed"]
        {
            assert_eq!(canonical(text), text, "{text}");
        }
    }
}
