//! Whether one node id comes from two peers (`sca11h.md §4.5`). Pure.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::Kept;
use crate::model::{DeviceId, Timestamp};

/// Who spoke for a node lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    last: Option<(IpAddr, Timestamp)>,
    told: Option<Timestamp>,
}

/// A node id that came from two peers in a short time. Kept, the newest of a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Conflict {
    /// The device that both claim to be.
    pub(super) device: DeviceId,
    /// The peers.
    pub(super) peers: [IpAddr; 2],
    /// When the second one spoke.
    pub(super) at: Timestamp,
}

impl Kept for Conflict {
    const KIND: &'static str = "sca11h_conflict";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Peers {
    /// Notes who speaks. Gives the two peers of a conflict that nobody was told of in the last minute. An address that
    /// changes once, and whose old holder was silent for a while, is none.
    pub(super) fn hear(&mut self, peer: IpAddr, at: Timestamp) -> Option<[IpAddr; 2]> {
        let before = self.last.replace((peer, at));
        let (other, heard) = before.filter(|(other, _)| *other != peer)?;
        if heard.plus(WITHIN) < at || self.told.is_some_and(|told| told.plus(TOLD_EVERY) > at) {
            return None;
        }
        self.told = Some(at);
        Some([other, peer])
    }
}

impl Conflict {
    /// Whether it is still going on, as far as is known.
    pub(super) fn lasts(&self, now: Timestamp) -> bool {
        self.at.plus(LASTS) > now
    }
}

/// A little more than the longest report interval (§1.1: 90 s).
const WITHIN: Duration = Duration::from_secs(100);
const TOLD_EVERY: Duration = Duration::from_mins(1);
const LASTS: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_peers_at_a_time_are_a_conflict_and_one_after_the_other_is_none() {
        let (one, two): (IpAddr, IpAddr) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        let mut peers = Peers::default();
        assert_eq!(peers.hear(one, at(0)), None);
        assert_eq!(peers.hear(one, at(5)), None);
        assert_eq!(peers.hear(two, at(300)), None, "moved");
        assert_eq!(peers.hear(one, at(303)), Some([two, one]));
        assert_eq!(peers.hear(two, at(305)), None, "told already");
        assert_eq!(peers.hear(one, at(365)), Some([two, one]));
        let conflict = Conflict { device: DeviceId::new("d"), peers: [one, two], at: at(0) };
        assert!(conflict.lasts(at(599)) && !conflict.lasts(at(600)));
    }
}
