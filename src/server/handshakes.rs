//! Failed handshakes on their way from the listeners into the store: counted together, written a few at a time, so
//! that a flood of them costs nothing but its own connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::{HandshakeNote, Hub, Kept as _};
use crate::model::{Clock, Timestamp};
use crate::net::{HandshakeFailure, Told};

/// The end that listeners speak into, and the end that is written from.
pub(super) fn channel(clock: Clock) -> (Told, mpsc::Receiver<HandshakeNote>) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX_COUNT);
    let told = move |failure: &HandshakeFailure| {
        // A full queue is a flood, and one more of it tells nothing new.
        drop(sender.try_send(note(failure, clock.now())));
    };
    (Arc::new(told), receiver)
}

/// Writes until stopped, then what is left.
pub(super) async fn keep(mut notes: mpsc::Receiver<HandshakeNote>, hub: Hub, stop: CancellationToken) {
    let mut pending = BTreeMap::new();
    loop {
        if pending.is_empty() {
            match stop.run_until_cancelled(notes.recv()).await {
                Some(Some(note)) => add(&mut pending, note),
                Some(None) | None => break,
            }
        }
        gather(&mut pending, &mut notes);
        write(&mut pending, &hub).await;
        if stop.run_until_cancelled(tokio::time::sleep(REST)).await.is_none() {
            break;
        }
    }
    gather(&mut pending, &mut notes);
    write(&mut pending, &hub).await;
}

fn gather(pending: &mut BTreeMap<String, HandshakeNote>, notes: &mut mpsc::Receiver<HandshakeNote>) {
    while let Ok(note) = notes.try_recv() {
        add(pending, note);
    }
}

fn add(pending: &mut BTreeMap<String, HandshakeNote>, note: HandshakeNote) {
    let key = note.key();
    match pending.remove(&key) {
        Some(before) => drop(pending.insert(key, before.joined(note))),
        None if pending.len() < PENDING_MAX_COUNT => drop(pending.insert(key, note)),
        None => tracing::debug!(%key, "too many failed handshakes at once: not written down"),
    }
}

async fn write(pending: &mut BTreeMap<String, HandshakeNote>, hub: &Hub) {
    for _ in 0..WRITES_MAX_COUNT {
        let Some((key, note)) = pending.pop_first() else { return };
        if let Err(error) = hub.note_handshakes(note).await {
            tracing::warn!(%key, %error, "a failed handshake is not written down");
        }
    }
}

fn note(failure: &HandshakeFailure, at: Timestamp) -> HandshakeNote {
    let offer = failure.offer.clone().unwrap_or_default();
    HandshakeNote {
        listener: failure.listener.name().to_owned(),
        peer: failure.peer.ip().to_string(),
        group: group(failure.peer.ip()),
        reason: failure.reason.code().to_owned(),
        detail: failure.detail.clone(),
        advice: failure.reason.advice().to_owned(),
        sni: offer.sni,
        versions: offer.versions,
        suites: offer.suites,
        signatures: offer.signatures,
        groups: offer.groups,
        alpn: offer.alpn,
        count: 1,
        first: at,
        last: at,
    }
}

/// What counts as one client: who holds one IPv6 address holds its whole /64.
fn group(peer: IpAddr) -> String {
    match peer {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => {
            format!("{}/64", Ipv6Addr::from_bits(six.to_bits() & !u128::from(u64::MAX)))
        }
    }
}

const QUEUE_MAX_COUNT: usize = 256;
const PENDING_MAX_COUNT: usize = 256;
/// Written in one go, before a rest.
const WRITES_MAX_COUNT: usize = 16;
const REST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ListenerKind;
    use crate::net::Reason;

    fn failure(peer: &str) -> HandshakeFailure {
        HandshakeFailure {
            peer: peer.parse().unwrap(),
            listener: ListenerKind::Https,
            reason: Reason::Distrust,
            detail: "alert".to_owned(),
            offer: None,
        }
    }

    #[test]
    fn a_flood_of_one_client_is_one_record_and_of_many_is_bounded() {
        let mut pending = BTreeMap::new();
        for port in 1..=1000 {
            add(&mut pending, note(&failure(&format!("192.0.2.1:{port}")), Timestamp::from_micros(port)));
        }
        let counts: Vec<u64> = pending.values().map(|note| note.count).collect();
        assert_eq!(counts, [1000]);
        for network in 0..1000 {
            let peer = format!("[2001:db8:0:{network:x}::1]:9");
            add(&mut pending, note(&failure(&peer), Timestamp::from_micros(1)));
        }
        assert_eq!(pending.len(), PENDING_MAX_COUNT);
    }

    #[test]
    fn neighbours_in_one_v6_network_are_one_client() {
        assert_eq!(group("2001:db8::5".parse().unwrap()), group("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(group("192.0.2.1".parse().unwrap()), group("192.0.2.2".parse().unwrap()));
    }
}
