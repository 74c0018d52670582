//! Who may call: addresses and networks that an owner lists (`sca11h.md §8`). Pure.

use std::net::IpAddr;

/// The owner's list. An empty one lets everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    base: IpAddr,
    /// How many leading bits count.
    bits: u32,
}

impl Allowed {
    /// Reads the list: `192.168.1.7`, `192.168.1.0/24`, `fd00::/8`.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| Network::parse(text)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a peer may call.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.is_empty() || self.0.iter().any(|network| network.holds(peer))
    }
}

impl Network {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no address or network; write 192.168.1.7 or 192.168.1.0/24");
        let (base, bits) = match text.trim().split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text.trim(), None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }

    fn holds(self, peer: IpAddr) -> bool {
        let (base, peer, width) = match (self.base, peer) {
            (IpAddr::V4(base), IpAddr::V4(peer)) => {
                (u128::from(base.to_bits()), u128::from(peer.to_bits()), 32)
            }
            (IpAddr::V6(base), IpAddr::V6(peer)) => (base.to_bits(), peer.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        // A shift by the whole width means that no bit counts.
        (base ^ peer).checked_shr(width - self.bits).unwrap_or(0) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_held_against_the_list() {
        let list =
            |texts: &[&str]| Allowed::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let cases: [(&[&str], &str, bool); 9] = [
            (&[], "203.0.113.9", true),
            (&["192.168.1.0/24"], "192.168.1.255", true),
            (&["192.168.1.0/24"], "192.168.2.1", false),
            (&["192.168.1.7"], "192.168.1.7", true),
            (&["192.168.1.7"], "192.168.1.6", false),
            (&["0.0.0.0/0"], "8.8.8.8", true),
            (&["192.168.1.0/24"], "::ffff:192.168.1.9", true),
            (&["10.0.0.0/8", "fd00::/8"], "fd12::1", true),
            (&["::/0"], "10.0.0.1", false),
        ];
        for (texts, peer, admitted) in cases {
            assert_eq!(list(texts).unwrap().admits(peer.parse().unwrap()), admitted, "{texts:?} {peer}");
        }
        for wrong in ["", "192.168.1", "192.168.1.0/33", "fd00::/129", "bed", "1.2.3.4/x"] {
            assert!(list(&[wrong]).is_err(), "{wrong}");
        }
    }
}
