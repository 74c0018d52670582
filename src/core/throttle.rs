//! How often somebody may try to sign in: counted by network and by name, apart.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::HubError;

/// The counters of tries to sign in.
pub(super) struct Throttle {
    networks: DefaultKeyedRateLimiter<Network>,
    names: DefaultKeyedRateLimiter<String>,
    clock: DefaultClock,
}

/// What one household or host has for itself: an IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(u128);

impl Throttle {
    /// Lets each network and each name try so often per minute, all at once or spread.
    pub(super) fn new(per_minute: NonZeroU32) -> Self {
        Self {
            networks: RateLimiter::keyed(Quota::per_minute(per_minute)),
            names: RateLimiter::keyed(Quota::per_minute(per_minute)),
            clock: DefaultClock::default(),
        }
    }

    /// Counts a try. `TooMany` when the network or the name has used up what it may.
    pub(super) fn count(&self, peer: IpAddr, name: &str) -> Result<(), HubError> {
        let now = self.clock.now();
        let network = self.networks.check_key(&Network::of(peer));
        // A network that is over its limit must not lock the name's owner out elsewhere.
        let refusal = match network {
            Err(refusal) => refusal,
            Ok(()) => match self.names.check_key(&name.to_lowercase()) {
                Err(refusal) => refusal,
                Ok(()) => return Ok(()),
            },
        };
        let wait = refusal.wait_time_from(now);
        Err(HubError::TooMany { retry_after_s: wait.as_secs().saturating_add(1) })
    }

    /// Forgets counters that are full again.
    pub(super) fn sweep(&self) {
        self.networks.retain_recent();
        self.names.retain_recent();
    }
}

impl Network {
    fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(addr) => Self(u128::from(addr.to_ipv6_mapped().to_bits())),
            IpAddr::V6(addr) => Self(addr.to_bits() & !u128::from(u64::MAX)),
        }
    }
}
