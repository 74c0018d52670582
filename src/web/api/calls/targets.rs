//! Who is meant by a command for several devices: all, by name, by tag, by group. Only devices that the caller may edit
//! get it.

use std::collections::HashSet;

use serde::Deserialize;

use super::Order;
use crate::core::{DeviceFilter, HubError, Level, Sight};
use crate::model::{Device, DeviceId, DeviceState, FamilyName};
use crate::web::App;
use crate::web::error::WebError;

/// `all`, a device by its address, id or name, or the devices of a tag or a group; or several of these.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CallTo)]
#[serde(untagged)]
pub(crate) enum To {
    /// One of them, or the word.
    One(Whom),
    /// Several.
    Many(Vec<Whom>),
}

/// One device, or a set of them.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CallWhom)]
#[serde(untagged)]
pub(crate) enum Whom {
    /// A device by its address, id or name.
    Device(String),
    /// Those that are in all that is named.
    Set(Set),
}

/// Devices by what they have in common.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = CallSet)]
#[serde(deny_unknown_fields)]
pub(crate) struct Set {
    pub(crate) tag: Option<String>,
    pub(crate) group: Option<String>,
}

/// A device that is meant.
pub(crate) struct Target {
    /// As the caller named it, or its address.
    pub(crate) name: String,
    /// `None` when there is none of this name, or not for this caller.
    pub(crate) device: Option<Device>,
    /// Why it gets nothing, although it is meant.
    pub(crate) left_out: Option<&'static str>,
}

impl To {
    /// Whether it is the word for everybody.
    pub(crate) fn is_everybody(&self) -> bool {
        matches!(self, Self::One(Whom::Device(word)) if word == "all")
    }

    /// Whether it names nothing but tags and groups.
    pub(crate) fn is_of_sets(&self) -> bool {
        self.each().iter().all(|whom| matches!(whom, Whom::Set(_)))
    }

    fn each(&self) -> &[Whom] {
        match self {
            Self::One(whom) => std::slice::from_ref(whom),
            Self::Many(each) => each,
        }
    }
}

/// Everybody who is meant, each once.
pub(crate) async fn meant(app: &App, sight: &Sight, order: &Order) -> Result<Vec<Target>, WebError> {
    let everybody = order.to.is_everybody();
    if order.profile.is_some() && !everybody {
        return Err(WebError::field("profile", "a profile narrows down \"all\": name devices, or a profile"));
    }
    let mut targets = Vec::new();
    for whom in order.to.each() {
        match (whom, &order.family) {
            (Whom::Device(_), Some(family)) if everybody => {
                targets.extend(all(app, sight, family, order.profile.as_deref()).await?);
            }
            (Whom::Device(name), Some(family)) => targets.push(one(app, sight, family, name).await?),
            (Whom::Device(_), None) => return Err(WebError::field("family", "family is missing")),
            (Whom::Set(set), family) => targets.extend(set.devices(app, sight, family.as_ref())?),
        }
        if targets.len() > TARGETS_MAX && !everybody {
            return Err(WebError::field("to", format!("at most {TARGETS_MAX} devices, or \"all\"")));
        }
    }
    let mut seen = HashSet::new();
    targets.retain(|target| target.device.as_ref().is_none_or(|device| seen.insert(device.names.id.clone())));
    Ok(targets)
}

impl Set {
    /// The devices that the caller sees in it, by address.
    fn devices(
        &self,
        app: &App,
        sight: &Sight,
        family: Option<&FamilyName>,
    ) -> Result<Vec<Target>, WebError> {
        let mut ids = match (&self.tag, &self.group) {
            (None, None) => return Err(WebError::field("to", "a set is {\"tag\": …} or {\"group\": …}")),
            (Some(tag), _) => app.hub.tagged(tag),
            (None, Some(group)) => members(sight, group)?,
        };
        if let (Some(_), Some(group)) = (&self.tag, &self.group) {
            let members = members(sight, group)?;
            ids.retain(|id| members.contains(id));
        }
        ids.retain(|id| sight.sees(id));
        let mut devices: Vec<_> = ids.iter().filter_map(|id| app.hub.device(id)).collect();
        sort(&mut devices);
        let target = |device: Device| Target {
            name: device.names.address.clone(),
            left_out: in_the_way(sight, &device).or_else(|| unasked(&device, family)),
            device: Some(device),
        };
        Ok(devices.into_iter().map(target).collect())
    }
}

fn members(sight: &Sight, group: &str) -> Result<HashSet<DeviceId>, WebError> {
    let group = sight.find_group(group);
    Ok(group.ok_or_else(|| WebError::field("to", "there is no such group"))?.devices)
}

/// Why a device that the caller sees gets nothing from this caller.
fn in_the_way(sight: &Sight, device: &Device) -> Option<&'static str> {
    (sight.level(&device.names.id) < Level::Edit).then_some("it is shared with you to look at it")
}

/// Why a device gets nothing that is in a set: whoever means a set does not mean to let strangers in.
fn unasked(device: &Device, family: Option<&FamilyName>) -> Option<&'static str> {
    if family.is_some_and(|family| device.names.family != *family) {
        return Some("it speaks another dialect");
    }
    match device.state {
        DeviceState::Active => None,
        DeviceState::Held => Some("it is held: adopt it first"),
        DeviceState::Blocked => Some("it is blocked"),
    }
}

/// Every active device of a dialect that the caller may edit, or of a profile there, by address.
async fn all(
    app: &App,
    sight: &Sight,
    family: &FamilyName,
    profile: Option<&str>,
) -> Result<Vec<Target>, WebError> {
    let dialect = app.family(family);
    let is_meant = |device: &Device| {
        let of_profile = |wanted: &str| {
            dialect.and_then(|dialect| dialect.profile(&device.names)).as_deref() == Some(wanted)
        };
        in_the_way(sight, device).is_none() && profile.is_none_or(of_profile)
    };
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let filter = DeviceFilter {
            family: Some(family.clone()),
            state: Some(DeviceState::Active),
            after,
            limit: PAGE,
            ..DeviceFilter::default()
        };
        let page = app.hub.devices_seen(sight, filter, None).await?;
        after = page.last().map(|device| (device.names.name.clone(), device.names.id.clone()));
        let whole = page.len() >= usize::try_from(PAGE).unwrap_or(usize::MAX);
        found.extend(page.into_iter().filter(is_meant));
        if !whole {
            break;
        }
    }
    sort(&mut found);
    let target =
        |device: Device| Target { name: device.names.address.clone(), device: Some(device), left_out: None };
    Ok(found.into_iter().map(target).collect())
}

/// Numbers in their order, other addresses in theirs.
fn sort(devices: &mut [Device]) {
    devices.sort_by_cached_key(|device| {
        (device.names.address.parse::<u64>().ok(), device.names.address.clone())
    });
}

async fn one(app: &App, sight: &Sight, family: &FamilyName, name: &str) -> Result<Target, WebError> {
    let device = named(app, sight, family, name).await?;
    let left_out = device.as_ref().and_then(|device| in_the_way(sight, device));
    Ok(Target { name: name.to_owned(), device, left_out })
}

/// The device of a dialect that the caller sees and means.
async fn named(
    app: &App,
    sight: &Sight,
    family: &FamilyName,
    name: &str,
) -> Result<Option<Device>, WebError> {
    let sees = |device: &Device| sight.sees(&device.names.id);
    let by_address = app.hub.device_by_address(family, name).filter(sees);
    let by_id = || app.hub.device(&DeviceId::new(name)).filter(sees);
    if let Some(device) = by_address.or_else(by_id).filter(|device| device.names.family == *family) {
        return Ok(Some(device));
    }
    let filter = DeviceFilter {
        q: Some(name.to_owned()),
        family: Some(family.clone()),
        limit: PAGE,
        ..DeviceFilter::default()
    };
    let found: Result<Vec<Device>, HubError> = app.hub.devices_seen(sight, filter, None).await;
    let mut same = found?.into_iter().filter(|device| device.names.name.eq_ignore_ascii_case(name));
    match (same.next(), same.next()) {
        (only, None) => Ok(only),
        (_, Some(_)) => Err(WebError::field("to", format!("`{name}` names several devices: use the id"))),
    }
}

const TARGETS_MAX: usize = 10_000;
const PAGE: u32 = 500;
