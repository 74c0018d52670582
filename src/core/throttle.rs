//! How often somebody may try to sign in or to make an account. Failures are counted by network and by name, apart; tries of any
//! outcome by network, because each costs a hash.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::clock::{Clock as _, DefaultClock, Reference as _};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::HubError;

/// The counters.
pub(super) struct Throttle {
    tries: DefaultKeyedRateLimiter<Who>,
    network_failures: DefaultKeyedRateLimiter<Who>,
    name_failures: DefaultKeyedRateLimiter<Who>,
    registrations: DefaultKeyedRateLimiter<Who>,
    /// Who has used up the failures they have, and until when.
    shut: Mutex<HashMap<Who, Instant>>,
    clock: DefaultClock,
}

/// Whom a failure is counted against.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    /// What one household or host has for itself: an IPv4 address, or an IPv6 /64.
    Network(u128),
    /// A user's name in small letters, whether there is such a user or not.
    Name(String),
}

type Instant = <DefaultClock as governor::clock::Clock>::Instant;

impl Throttle {
    /// Lets each network fail `per_minute` times, at once or spread. A name has three times as many, so that
    /// one network alone cannot lock out the name's owner.
    /// Lets each network make `per_hour` accounts.
    pub(super) fn new(per_minute: NonZeroU32, per_hour: NonZeroU32) -> Self {
        let times = |factor: NonZeroU32| Quota::per_minute(per_minute.saturating_mul(factor));
        Self {
            tries: RateLimiter::keyed(times(NonZeroU32::MIN.saturating_add(5))),
            network_failures: RateLimiter::keyed(times(NonZeroU32::MIN)),
            name_failures: RateLimiter::keyed(times(NonZeroU32::MIN.saturating_add(2))),
            registrations: RateLimiter::keyed(Quota::per_hour(per_hour)),
            shut: Mutex::default(),
            clock: DefaultClock::default(),
        }
    }

    /// Whether a try may be made at all; asked before the password is looked at.
    pub(super) fn admit(&self, peer: IpAddr, name: &str) -> Result<(), HubError> {
        let now = self.clock.now();
        {
            let shut = self.shut();
            for who in [network(peer), user(name)] {
                if let Some(until) = shut.get(&who).filter(|until| **until > now) {
                    return Err(too_many(until.duration_since(now).into()));
                }
            }
        }
        self.tries.check_key(&network(peer)).map_err(|refusal| too_many(refusal.wait_time_from(now)))
    }

    /// Counts a try to make an account, whatever comes of it.
    pub(super) fn register(&self, peer: IpAddr) -> Result<(), HubError> {
        let now = self.clock.now();
        self.registrations.check_key(&network(peer)).map_err(|refusal| too_many(refusal.wait_time_from(now)))
    }

    /// Counts a failure. `TooMany` when it was one more than the network or the name has.
    pub(super) fn failed(&self, peer: IpAddr, name: &str) -> Result<(), HubError> {
        let now = self.clock.now();
        let counts = [(network(peer), &self.network_failures), (user(name), &self.name_failures)];
        let mut answer = Ok(());
        for (who, failures) in counts {
            if let Err(refusal) = failures.check_key(&who) {
                self.shut().insert(who, refusal.earliest_possible());
                answer = Err(too_many(refusal.wait_time_from(now)));
            }
        }
        answer
    }

    /// Forgets counters that are full again.
    pub(super) fn sweep(&self) {
        let now = self.clock.now();
        self.shut().retain(|_, until| *until > now);
        for counters in [&self.tries, &self.network_failures, &self.name_failures, &self.registrations] {
            counters.retain_recent();
        }
    }

    fn shut(&self) -> MutexGuard<'_, HashMap<Who, Instant>> {
        // Every change is one insertion or removal, so a panic leaves nothing half done.
        self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(peer: IpAddr) -> Who {
    match peer.to_canonical() {
        IpAddr::V4(addr) => Who::Network(addr.to_ipv6_mapped().to_bits()),
        IpAddr::V6(addr) => Who::Network(addr.to_bits() & !u128::from(u64::MAX)),
    }
}

fn user(name: &str) -> Who {
    Who::Name(name.to_ascii_lowercase())
}

fn too_many(wait: std::time::Duration) -> HubError {
    HubError::TooMany { retry_after_s: wait.as_secs().saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn throttle() -> Throttle {
        Throttle::new(NonZeroU32::new(5).unwrap(), NonZeroU32::MIN)
    }

    #[test]
    fn a_network_that_fails_too_often_waits_and_others_do_not() {
        let throttle = throttle();
        for _ in 0..5 {
            throttle.admit(HERE, "admin").unwrap();
            throttle.failed(HERE, "admin").unwrap();
        }
        assert!(matches!(throttle.failed(HERE, "admin"), Err(HubError::TooMany { retry_after_s: 1..=13 })));
        assert!(matches!(throttle.admit(HERE, "other"), Err(HubError::TooMany { .. })));
        throttle.admit(THERE, "admin").unwrap();
    }

    #[test]
    fn a_name_that_is_tried_from_everywhere_is_shut() {
        let throttle = throttle();
        let hosts = (0..=15).map(|host| IpAddr::from([198, 51, 100, host]));
        let answers: Vec<bool> = hosts.map(|host| throttle.failed(host, "Admin").is_ok()).collect();
        assert_eq!(answers.iter().filter(|fine| **fine).count(), 15);
        assert!(throttle.admit(THERE, "aDMIN").is_err());
        throttle.admit(THERE, "somebody").unwrap();
    }

    #[test]
    fn one_household_is_one_network() {
        let [one, same, other, v4, mapped]: [IpAddr; 5] =
            ["2001:db8::1", "2001:db8::2:3", "2001:db8:0:1::1", "192.0.2.9", "::ffff:192.0.2.9"]
                .map(|text| text.parse().unwrap());
        assert_eq!(network(one), network(same));
        assert_ne!(network(one), network(other));
        assert_eq!(network(v4), network(mapped));
    }
}
