//! What is known of a node's parameters: what it reported and when, and what it reports although nobody set it
//! (`sca11h.md §5.3, §11`). Kept for each node; changes only when it syncs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::asked::Said;
use super::change;
use super::pars::Written;
use crate::core::{CommandFilter, Hub, HubError, Kept};
use crate::family::Facts;
use crate::model::{CommandRecord, Device, DeviceId, Timestamp};

/// What a node said at its syncs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parameters {
    device: DeviceId,
    /// The MAC of the path, as received.
    mac: String,
    /// When it synced last.
    synced: Timestamp,
    /// The node id it gave last.
    name: Option<String>,
    /// Parameters it reported, each once until they changed; the newest first.
    reported: Vec<Reported>,
    /// Versions it reported, likewise.
    versions: Vec<Versions>,
    /// It reports what nobody set.
    drift: Option<Drift>,
}

/// Parameters, since when, and until when at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Reported {
    pars: String,
    first: Timestamp,
    last: Timestamp,
}

/// Versions and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Versions {
    first: Timestamp,
    versions: BTreeMap<String, String>,
}

/// A change that nobody here asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Drift {
    /// When it was seen first.
    at: Timestamp,
    /// What the node reported before.
    pub(super) from: String,
    /// What it reports since.
    pub(super) to: String,
}

impl Kept for Parameters {
    const KIND: &'static str = "sca11h_parameters";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Parameters {
    /// Of a node that never synced.
    pub(super) const fn new(device: DeviceId) -> Self {
        Self {
            device,
            mac: String::new(),
            synced: Timestamp::from_micros(0),
            name: None,
            reported: Vec::new(),
            versions: Vec::new(),
            drift: None,
        }
    }

    /// Takes what a node says. `asked_for` is whether somebody here wants the parameters it reports. Gives a drift
    /// that was not known before.
    pub(super) fn hear(&mut self, at: Timestamp, mac: &str, said: &Said, asked_for: bool) -> Option<Drift> {
        self.synced = at;
        mac.clone_into(&mut self.mac);
        self.name.clone_from(&said.name);
        if !said.versions.is_empty()
            && self.versions.first().is_none_or(|known| known.versions != said.versions)
        {
            self.versions.insert(0, Versions { first: at, versions: said.versions.clone() });
            self.versions.truncate(VERSIONS_KEPT_MAX);
        }
        let pars = said.pars.as_ref()?;
        let before = match self.reported.first_mut() {
            Some(newest) if same(&newest.pars, pars) => {
                newest.last = at;
                if asked_for {
                    self.drift = None;
                }
                return None;
            }
            newest => newest.map(|newest| newest.pars.clone()),
        };
        self.reported.insert(0, Reported { pars: pars.clone(), first: at, last: at });
        self.reported.truncate(REPORTED_KEPT_MAX);
        let back = self.drift.take().is_some_and(|drift| same(&drift.from, pars));
        let from = before.filter(|_| !asked_for && !back)?;
        self.drift = Some(Drift { at, from, to: pars.clone() });
        self.drift.clone()
    }

    /// The parameters it reported last, if they can be read as such.
    pub(super) fn newest(&self) -> Option<Written> {
        Written::typed(&self.reported.first()?.pars).ok()
    }

    fn shown(&self) -> Facts {
        let newest = self.reported.first();
        let mut shown = Facts::new();
        shown.insert("reported".to_owned(), json!(newest.map(|newest| &newest.pars)));
        shown.insert("fields".to_owned(), json!(self.newest().map(|written| written.pars.named())));
        shown.insert("last_sync".to_owned(), json!(self.synced));
        shown.insert("mac".to_owned(), json!(self.mac));
        shown.insert("node_id".to_owned(), json!(self.name));
        shown.insert("history".to_owned(), json!(self.reported));
        shown.insert("drift".to_owned(), json!(self.drift));
        shown
    }
}

/// What people see of a node's parameters and versions.
pub(super) async fn facts(hub: &Hub, device: &Device, into: &mut Facts) -> Result<(), HubError> {
    let id = &device.names.id;
    let known = hub.kept::<Parameters>(id.as_str()).await?;
    let change = newest_change(hub, id).await?;
    if known.is_none() && change.is_none() {
        return Ok(());
    }
    let mut shown = known.as_ref().map(Parameters::shown).unwrap_or_default();
    shown.insert("change".to_owned(), change.unwrap_or(Json::Null));
    into.insert("parameters".to_owned(), Json::Object(shown));
    if let Some(versions) = known.filter(|known| !known.versions.is_empty()).map(|known| known.versions) {
        into.insert("versions".to_owned(), json!(versions.first().map(|newest| &newest.versions)));
        into.insert("versions_history".to_owned(), json!(versions));
    }
    Ok(())
}

async fn newest_change(hub: &Hub, device: &DeviceId) -> Result<Option<Json>, HubError> {
    let newest =
        CommandFilter { device: Some(device.clone()), limit: CHANGES_LOOKED_AT, ..CommandFilter::default() };
    let commands = hub.commands(newest).await?;
    let change = |command: &CommandRecord| change::pars_of(command).map(|pars| change::shown(command, pars));
    Ok(commands.iter().find_map(change))
}

/// Whether two texts are the same parameters, however they are spelled.
fn same(one: &str, other: &str) -> bool {
    match (Written::typed(one), Written::typed(other)) {
        (Ok(one), Ok(other)) => one.shows(other.pars) || other.shows(one.pars),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
        (Err(_), Err(_)) => one == other,
    }
}

const REPORTED_KEPT_MAX: usize = 20;
const VERSIONS_KEPT_MAX: usize = 10;
const CHANGES_LOOKED_AT: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "7000,270,5000,0,1400,7";
    const B: &str = "7000,270,5000,0,1500,8";

    fn said(pars: &str) -> Said {
        Said { pars: Some(pars.to_owned()), ..Said::default() }
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_micros(day * 86_400_000_000)
    }

    #[test]
    fn the_first_report_is_no_drift_and_repeats_make_no_history() {
        let mut known = Parameters::new(DeviceId::new("d"));
        assert_eq!(known.hear(at(1), "aa", &said(A), false), None);
        assert_eq!(known.hear(at(2), "aa", &said("07000, 270,5000,0,1400,7"), false), None);
        assert_eq!(known.reported, [Reported { pars: A.to_owned(), first: at(1), last: at(2) }]);
    }

    #[test]
    fn a_change_nobody_asked_for_is_told_once_and_stays_until_it_is_set_right() {
        let mut known = Parameters::new(DeviceId::new("d"));
        known.hear(at(1), "aa", &said(A), false);
        let drift = known.hear(at(2), "aa", &said(B), false).unwrap();
        assert_eq!((drift.from.as_str(), drift.to.as_str()), (A, B));
        assert_eq!(known.hear(at(3), "aa", &said(B), false), None);
        assert!(known.drift.is_some());
        known.hear(at(4), "aa", &said(A), false);
        assert_eq!(known.drift, None, "it came back of itself");
        known.hear(at(5), "aa", &said(B), true);
        assert_eq!(known.drift, None, "it was asked for");
        known.hear(at(6), "aa", &said("odd"), false);
        known.hear(at(7), "aa", &said("odd"), true);
        assert_eq!(known.drift, None, "somebody wants what it has");
    }

    #[test]
    fn versions_are_kept_when_they_change() {
        let mut known = Parameters::new(DeviceId::new("d"));
        let mut new = said(A);
        for (day, version) in [(1, "1"), (2, "1"), (3, "2")] {
            new.versions.insert("fw_ver".to_owned(), version.to_owned());
            known.hear(at(day), "aa", &new, false);
        }
        known.hear(at(4), "aa", &said(A), false);
        assert_eq!(known.versions.iter().map(|known| known.first).collect::<Vec<_>>(), [at(3), at(1)]);
    }

    #[test]
    fn history_is_bounded() {
        let mut known = Parameters::new(DeviceId::new("d"));
        for day in 0..100 {
            known.hear(at(day), "aa", &said(&format!("{},270,5000,0,1400,7", 2000 + day)), true);
        }
        assert_eq!(known.reported.len(), REPORTED_KEPT_MAX);
        assert_eq!(known.reported[0].last, at(99));
    }
}
