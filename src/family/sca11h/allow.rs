//! Who may call: addresses and networks that an owner lists (`sca11h.md §8`). Pure.

use std::net::IpAddr;

use crate::model::Network;

/// The owner's list. An empty one lets everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Allowed(Vec<Network>);

impl Allowed {
    /// Reads the list: `192.168.1.7`, `192.168.1.0/24`, `fd00::/8`.
    pub(super) fn parse(texts: &[String]) -> Result<Self, String> {
        texts.iter().map(|text| Network::try_from(text.trim().to_owned())).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a peer may call.
    pub(super) fn admits(&self, peer: IpAddr) -> bool {
        self.0.is_empty() || self.0.iter().any(|network| network.contains(peer))
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
