//! A device made by a person, with the token that it is to show (`accounts-dashboard.md §3`).

use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

use super::TokenDevices;
use super::config::Config;
use crate::core::{Hub, HubError};
use crate::family::{Enrolled, Enrolment};
use crate::model::DeviceId;

/// Makes one. Everything that was said is checked before anything is made.
pub(super) async fn enroll(
    token: &TokenDevices,
    hub: &Hub,
    wanted: &Enrolment,
) -> Result<Enrolled, HubError> {
    let name: String = wanted.name.trim().nfc().collect();
    let mut config = Config::none(DeviceId::new(""));
    for (field, wish) in &wanted.wishes {
        // Names that a call does not know are ignored.
        config.set(field, wish)?;
    }
    config.check()?;
    let _turn = token.enrolling.lock().await;
    if wanted.owner.is_none() && hub.is_named(&name) {
        return Err(HubError::conflict("name", format!("there is a device {name} already")));
    }
    let address = match wanted.address.as_deref().map(str::trim) {
        Some(address) => address.to_owned(),
        // As random as it must be to meet no other.
        None => Uuid::new_v4().simple().to_string().chars().take(ADDRESS_DIGITS).collect(),
    };
    let device =
        hub.create_for(&token.name, &address, Some(&name), wanted.owner.as_ref(), &wanted.by).await?;
    let id = device.names.id.clone();
    hub.keep(&config.of(id.clone())).await?;
    let secret = hub.issue_device_token(&id, &wanted.by).await?;
    Ok(Enrolled { device, token: secret })
}

const ADDRESS_DIGITS: usize = 12;
