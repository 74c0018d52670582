//! A module's counters (`cwm-oke.md §6.2`): 32 bits, zero after a restart, and they may wrap. What they count is
//! stored like any value; here only restarts and wraps are noticed, so that a step down can be read.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::core::{Hub, HubError, Kept};
use crate::model::{DeviceId, Reading, Timestamp, Value};

/// The counters of one device, by the member they stand in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Counters {
    device: DeviceId,
    members: BTreeMap<String, Member>,
}

/// One array of counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    /// As they were last said.
    values: Vec<u64>,
    /// How often they began at zero again, since the first message here.
    restarts: u64,
    /// When last.
    restarted: Option<Timestamp>,
    /// How often one of them passed the end of its 32 bits.
    wraps: u64,
}

impl Kept for Counters {
    const KIND: &'static str = "counters";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

/// What a message says of counters: the member's name and its values in order.
pub(super) type Said = Vec<(String, Vec<u64>)>;

/// The counters of all devices, in memory. What happened to them is kept now and then: a device decides how often
/// its counters fall, and shall not decide how often is written.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<HashMap<DeviceId, Remembered>>);

#[derive(Debug)]
struct Remembered {
    counters: Counters,
    /// Whether something happened that the store does not know.
    news: bool,
}

/// The counters in a message. `members` are the names of the arrays that hold some.
pub(super) fn said<'r>(readings: impl Iterator<Item = &'r Reading>, members: &[String]) -> Said {
    let mut found: Said = Vec::new();
    for reading in readings {
        let Some((member, place)) = reading.sensor.rsplit_once('.') else { continue };
        if !members.iter().any(|known| known == member) {
            continue;
        }
        let Value::Integer(count) = reading.value else { continue };
        let (Ok(count), Ok(place)) = (u64::try_from(count), place.parse::<usize>()) else { continue };
        match found.iter_mut().find(|(known, _)| known == member) {
            // Places come in order; one that is missing ends what can be compared.
            Some((_, values)) if values.len() == place => values.push(count),
            None if place == 0 => found.push((member.to_owned(), vec![count])),
            Some(_) | None => {}
        }
    }
    found
}

impl Ledger {
    /// Takes in what a device says.
    pub(super) async fn hear(&self, hub: &Hub, device: &DeviceId, said: Said) -> Result<(), HubError> {
        if said.is_empty() {
            return Ok(());
        }
        let unknown = !self.lock().contains_key(device);
        if unknown {
            let kept = hub.kept::<Counters>(device.as_str()).await?;
            let fresh = || Counters { device: device.clone(), members: BTreeMap::new() };
            let remembered = Remembered { counters: kept.unwrap_or_else(fresh), news: false };
            self.lock().entry(device.clone()).or_insert(remembered);
        }
        let at = hub.now();
        if let Some(Remembered { counters, news }) = self.lock().get_mut(device) {
            for (name, values) in said {
                *news |= counters.members.entry(name).or_default().take(values, at);
            }
        }
        Ok(())
    }

    /// Keeps what happened since the last time, and drops devices that are no longer known.
    pub(super) async fn keep(&self, hub: &Hub) -> Result<(), HubError> {
        let news: Vec<Counters> = {
            let mut all = self.lock();
            all.retain(|device, _| hub.device(device).is_some());
            let fresh = all.values().filter(|remembered| remembered.news);
            fresh.take(KEPT_AT_ONCE).map(|remembered| remembered.counters.clone()).collect()
        };
        for counters in news {
            hub.keep(&counters).await?;
            if let Some(remembered) = self.lock().get_mut(&counters.device) {
                remembered.news = remembered.counters.members != counters.members;
            }
        }
        Ok(())
    }

    /// What is known of a device's counters, as people see it; `None` when it has none.
    pub(super) async fn shown(&self, hub: &Hub, device: &DeviceId) -> Result<Option<Json>, HubError> {
        let here = self.lock().get(device).map(|remembered| remembered.counters.clone());
        let counters = match here {
            Some(counters) => Some(counters),
            None => hub.kept::<Counters>(device.as_str()).await?,
        };
        Ok(counters.and_then(|counters| serde_json::to_value(counters.members).ok()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Remembered>> {
        // A panic cannot leave a device's counters half taken: they are plain numbers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Takes in the next values. Says whether something happened that should be kept.
    fn take(&mut self, values: Vec<u64>, at: Timestamp) -> bool {
        let first = self.values.is_empty();
        let mut fell = 0;
        let mut wrapped = 0;
        for (before, after) in self.values.iter().zip(&values).filter(|(before, after)| after < before) {
            fell += 1;
            wrapped += u64::from(*before >= NEAR_THE_END && *after < NEAR_THE_START && *before <= LAST);
        }
        // All of them begin anew together; one that wraps does so alone.
        if fell > wrapped {
            self.restarts += 1;
            self.restarted = Some(at);
        } else {
            self.wraps += wrapped;
        }
        self.values = values;
        first || fell > 0
    }
}

/// Devices whose counters are kept at a time.
const KEPT_AT_ONCE: usize = 200;
/// The last number of 32 bits.
const LAST: u64 = 0xFFFF_FFFF;
/// A counter that falls from above this to below the next has wrapped.
const NEAR_THE_END: u64 = 0xC000_0000;
const NEAR_THE_START: u64 = 0x4000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn counters_are_found_by_their_member_and_in_order() {
        let reading =
            |sensor: &str, value| Reading { sensor: sensor.into(), value, created: None, counts: true };
        let readings = [
            reading("door", Value::Integer(1)),
            reading("_dll.0", Value::Integer(10)),
            reading("_dll.1", Value::Integer(9)),
            reading("_dll.2", Value::Text("x".into())),
            reading("_dll.3", Value::Integer(7)),
            reading("_msg.0", Value::Integer(3)),
            reading("act_temp.0", Value::Integer(5)),
        ];
        let members = ["_dll".to_owned(), "_msg".to_owned()];
        let found = said(readings.iter(), &members);
        assert_eq!(found, [("_dll".to_owned(), vec![10, 9]), ("_msg".to_owned(), vec![3])]);
    }

    #[test]
    fn a_restart_is_told_from_a_wrap() {
        let mut member = Member::default();
        assert!(member.take(vec![100, 90, 10], at(1)), "the first is worth keeping");
        assert!(!member.take(vec![120, 110, 10], at(2)));
        assert!(member.take(vec![4, 4, 0], at(3)));
        assert_eq!((member.restarts, member.wraps, member.restarted), (1, 0, Some(at(3))));
        member.take(vec![0xFFFF_FFF0, 0xFFFF_0000, 5], at(4));
        assert!(member.take(vec![16, 0xFFFF_0010, 5], at(5)));
        assert_eq!((member.restarts, member.wraps), (1, 1));
        assert!(member.take(vec![0, 0, 0], at(6)), "one fell from far below the end: a restart");
        assert_eq!((member.restarts, member.wraps), (2, 1));
    }

    #[test]
    fn more_or_fewer_places_are_no_event() {
        let mut member = Member::default();
        member.take(vec![5, 5], at(1));
        assert!(!member.take(vec![6, 6, 1], at(2)));
        assert!(!member.take(vec![7], at(3)));
        assert_eq!((member.restarts, member.wraps), (0, 0));
    }
}
