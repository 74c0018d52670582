//! Counts connections: in all, and per peer.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Counts what is open. Its caps are asked with each call, so a reload of limits needs no new gate.
#[derive(Default)]
pub(super) struct Gate {
    counts: Mutex<Counts>,
    freed: Notify,
}

#[derive(Default)]
struct Counts {
    all: usize,
    peers: HashMap<IpAddr, usize>,
}

/// Leave to hold one connection; gives the place back on drop.
pub(super) struct Permit {
    gate: Arc<Gate>,
    peer: Option<IpAddr>,
}

impl Gate {
    /// Waits for a free place among `max`.
    pub(super) async fn enter(self: &Arc<Self>, max: usize) -> Permit {
        loop {
            let freed = self.freed.notified();
            {
                let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
                if counts.all < max.max(1) {
                    counts.all += 1;
                    return Permit { gate: Arc::clone(self), peer: None };
                }
            }
            freed.await;
        }
    }
}

impl Permit {
    /// Counts the connection for its peer; `false` when the peer has its full number.
    pub(super) fn admit(&mut self, peer: IpAddr, max: usize) -> bool {
        let peer = group(peer);
        let mut counts = self.gate.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let open = counts.peers.entry(peer).or_default();
        if *open >= max.max(1) {
            return false;
        }
        *open += 1;
        self.peer = Some(peer);
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut counts = self.gate.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(peer) = self.peer
            && let Some(open) = counts.peers.get_mut(&peer)
        {
            *open = open.saturating_sub(1);
            if *open == 0 {
                counts.peers.remove(&peer);
            }
        }
        drop(counts);
        self.gate.freed.notify_one();
    }
}

/// Who shares one allowance: an IPv4 address, or an IPv6 /64.
fn group(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_comes_back_when_its_connection_ends() {
        let gate = Arc::new(Gate::default());
        let mut first = gate.enter(1).await;
        assert!(first.admit("192.0.2.1".parse().unwrap(), 1));
        let waiting = tokio::spawn({
            let gate = Arc::clone(&gate);
            async move { gate.enter(1).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(first);
        let mut second = waiting.await.unwrap();
        assert!(second.admit("192.0.2.1".parse().unwrap(), 1));
    }

    #[tokio::test]
    async fn neighbours_in_one_v6_network_share_an_allowance() {
        let gate = Arc::new(Gate::default());
        let (mut one, mut two, mut three) = (gate.enter(9).await, gate.enter(9).await, gate.enter(9).await);
        assert!(one.admit("2001:db8::1".parse().unwrap(), 1));
        assert!(!two.admit("2001:db8::ffff".parse().unwrap(), 1));
        assert!(three.admit("2001:db8:0:1::1".parse().unwrap(), 1));
    }
}
