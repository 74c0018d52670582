//! Networks in CIDR notation: from where devices without credentials may call (`websocket-mcu.md §1`,
//! `sca11h.md §8`), and where messages may go. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

/// A network such as `192.168.0.0/16`; without a length one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

impl Network {
    /// An IPv4 network.
    pub const fn v4(base: Ipv4Addr, bits: u8) -> Self {
        Self { base: IpAddr::V4(base), bits }
    }

    /// An IPv6 network.
    pub const fn v6(base: Ipv6Addr, bits: u8) -> Self {
        Self { base: IpAddr::V6(base), bits }
    }

    /// Those of homes and workshops: private, loopback and link-local addresses.
    pub fn private() -> Vec<Self> {
        vec![
            Self::v4(Ipv4Addr::new(10, 0, 0, 0), 8),
            Self::v4(Ipv4Addr::new(172, 16, 0, 0), 12),
            Self::v4(Ipv4Addr::new(192, 168, 0, 0), 16),
            Self::v4(Ipv4Addr::new(169, 254, 0, 0), 16),
            Self::v4(Ipv4Addr::new(127, 0, 0, 0), 8),
            Self::v6(Ipv6Addr::LOCALHOST, 128),
            Self::v6(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7),
            Self::v6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
        ]
    }

    /// Whether an address lies in it. An IPv4 address in IPv6 dress counts as what it is.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let host = u32::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                (base.to_bits() ^ address.to_bits()) & !host == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let host = u128::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                (base.to_bits() ^ address.to_bits()) & !host == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong = || format!("expected a network such as 192.168.0.0/16 or an address, found `{text}`");
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text.as_str(), None),
        };
        let base: IpAddr = base.parse().map_err(|_| wrong())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most { Err(wrong()) } else { Ok(Self { base, bits }) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside(network: &str, address: &str) -> bool {
        Network::try_from(network.to_owned()).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_are_found_in_their_networks() {
        assert!(inside("192.168.0.0/16", "192.168.7.9"));
        assert!(!inside("192.168.0.0/16", "192.169.0.1"));
        assert!(inside("192.168.1.20", "192.168.1.20") && !inside("192.168.1.20", "192.168.1.21"));
        assert!(inside("0.0.0.0/0", "8.8.8.8") && !inside("0.0.0.0/0", "::1"));
        assert!(inside("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(inside("2001:db8::/32", "2001:db8:1::1") && !inside("2001:db8::/32", "2001:db9::1"));
        assert!(inside("::/0", "2001:db8::1"));
    }

    #[test]
    fn private_is_private() {
        let private = |address: &str| {
            let address = address.parse().unwrap();
            Network::private().iter().any(|network| network.contains(address))
        };
        for home in
            ["10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.3.4", "127.0.0.1", "::1", "fd00::1", "fe80::1"]
        {
            assert!(private(home), "{home}");
        }
        for away in ["172.32.0.1", "8.8.8.8", "11.0.0.1", "2001:db8::1"] {
            assert!(!private(away), "{away}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_what_is_one_is_shown_as_written() {
        for wrong in ["", "home", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8"] {
            assert!(Network::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
        for network in Network::private() {
            assert_eq!(Network::try_from(network.to_string()), Ok(network));
        }
    }
}
