//! Every node that was heard since the start, one message of each at a time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use tokio::sync::Mutex as Turn;

use super::Sca11h;
use super::body;
use super::clock;
use super::follow::Follow;
use super::peers::Peers;
use super::presence::Bed;
use super::recall;
use crate::core::{Hub, HubError, MessageFilter};
use crate::family::Facts;
use crate::model::{Device, DeviceId, Direction, Verdict};

/// What is known of one node.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// What its next message needs; `None` until it was found again after a start.
    pub(super) memory: Option<Memory>,
    /// Who speaks for it.
    pub(super) peers: Peers,
    /// Whether the head of its first push is kept.
    pub(super) introduced: bool,
    /// What its newest message said beside its rows.
    pub(super) beside: Beside,
}

/// What the next message of a node needs of those before it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    /// Its rows.
    pub(super) follow: Follow,
    /// Its bed.
    pub(super) bed: Bed,
}

/// What a message says beside its rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    /// `Network@id`.
    pub(super) network: Option<String>,
    /// `Node@id` as it stands there.
    pub(super) node: Option<String>,
    /// By how many seconds the device's clock was behind; `None` when it told no time.
    pub(super) clock_behind_s: Option<i64>,
    /// Whether the device's clock is believed.
    pub(super) clock_believed: bool,
    /// Rows since the start that could not be read.
    pub(super) rows_skipped: usize,
    /// Rows since the start that had come before.
    pub(super) rows_repeated: usize,
}

/// The nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: Mutex<HashMap<DeviceId, Arc<Turn<Node>>>>,
    /// Which node speaks from an address; `None` when several do.
    by_peer: Mutex<HashMap<IpAddr, Option<String>>>,
}

impl Beside {
    /// As people see it.
    pub(super) fn shown(&self) -> Facts {
        let mut facts = Facts::new();
        facts.insert("node_id".to_owned(), json!(self.node));
        facts.insert("network_id".to_owned(), json!(self.network));
        let source = if self.clock_believed { "device" } else { "arrival" };
        let skewed = self.clock_behind_s.is_some() && !self.clock_believed;
        facts.insert(
            "clock".to_owned(),
            json!({ "behind_s": self.clock_behind_s, "time_source": source, "clock_skew": skewed }),
        );
        let rows = json!({ "skipped": self.rows_skipped, "repeated": self.rows_repeated });
        facts.insert("rows_since_start".to_owned(), rows);
        facts
    }
}

impl Nodes {
    /// A node's place. Lock it for as long as its message is on the way.
    pub(super) fn at(&self, device: &DeviceId) -> Arc<Turn<Node>> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(device) {
            return Arc::clone(node);
        }
        Arc::clone(nodes.entry(device.clone()).or_default())
    }

    /// A node's place, if it was heard.
    pub(super) fn heard(&self, device: &DeviceId) -> Option<Arc<Turn<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(device).map(Arc::clone)
    }

    /// Notes which node spoke from an address.
    pub(super) fn speaks(&self, peer: IpAddr, address: &str) {
        let mut by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        match by_peer.get_mut(&peer) {
            Some(known) if known.as_deref() == Some(address) => {}
            Some(known) => *known = None,
            None => {
                if by_peer.len() < PEERS_MAX {
                    by_peer.insert(peer, Some(address.to_owned()));
                }
            }
        }
    }

    /// The address of the device whose message has no node id: the one node that speaks from there, else the peer
    /// itself.
    pub(super) fn of_peer(&self, peer: IpAddr) -> String {
        let by_peer = self.by_peer.lock().unwrap_or_else(PoisonError::into_inner);
        by_peer.get(&peer).cloned().flatten().unwrap_or_else(|| peer.to_string())
    }
}

/// Finds again what was known of a node: its last messages are read once more.
pub(super) async fn recalled(sca: &Sca11h, hub: &Hub, device: &Device) -> Result<Memory, HubError> {
    let filter = MessageFilter {
        device: Some(device.names.id.clone()),
        direction: Some(Direction::In),
        limit: READ_AGAIN,
        ..MessageFilter::default()
    };
    let mut follow = Follow::default();
    let offset_s = sca.habits(hub, &device.names.id).await?.time_offset_s;
    for message in hub.messages(filter).await?.into_iter().rev() {
        match message.verdict {
            Verdict::Ok | Verdict::NoCrc | Verdict::None => {}
            Verdict::BadCrc | Verdict::Malformed | Verdict::Duplicate => continue,
        }
        let read = body::read(&message.raw);
        let alone = read.nodes.len() == 1;
        for said in read.nodes {
            let address = match &said.node {
                Some(node) if !alone => sca.identities.of_node(hub, node).await?,
                Some(_) | None => device.names.address.clone(),
            };
            if address.eq_ignore_ascii_case(&device.names.address) {
                let times = clock::times(&said, message.at, offset_s, sca.settings.skew_max());
                let news = follow.take(&said, &times);
                drop(follow.readings(&news.samples, &times));
            }
        }
    }
    let bed = recall::bed(hub, &device.names.id, &sca.settings.presence).await?;
    Ok(Memory { follow, bed })
}

/// As many messages as [`super::repeats`] may remember rows of, where they are the longest kind.
const READ_AGAIN: u32 = 8;
const PEERS_MAX: usize = 10_000;
