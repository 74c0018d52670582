//! What people do to devices: let in, turn away, name, make, forget.

use std::sync::atomic::Ordering;

use super::reports::{check_address, newcomer};
use super::sight::{Person, tidied};
use super::{Claim, FeedEvent, Hub, HubError};
use crate::model::{Device, DeviceId, DeviceState, FamilyName, User};
use crate::store::{StoreError, Write};

impl Hub {
    /// Makes a device by hand; it is let in, and the house's.
    pub async fn create(
        &self,
        family: &FamilyName,
        address: &str,
        name: Option<&str>,
    ) -> Result<Device, HubError> {
        self.create_for(family, address, name, None, "user:nobody").await
    }

    /// Makes a device by hand that is a user's, or the house's (`None`).
    ///
    /// # Errors
    /// `Conflict` when there is one at this address, or the owner has one of this name.
    pub async fn create_for(
        &self,
        family: &FamilyName,
        address: &str,
        name: Option<&str>,
        owner: Option<&User>,
        by: &str,
    ) -> Result<Device, HubError> {
        check_address(address)?;
        if self.device_by_address(family, address).is_some() {
            return Err(HubError::conflict("address", format!("device {address} exists already")));
        }
        let mut device = newcomer(family, address, DeviceState::Active, None, self.now());
        if let Some(name) = name {
            device.names.name = checked_name(name)?;
        }
        let (hub, owner, by) = (self.clone(), owner.map(Person::from), by.to_owned());
        self.whole(async move {
            match owner {
                Some(owner) => hub.make_owned(device, owner, &by).await,
                None => hub.store_new(device).await,
            }
        })
        .await
    }

    /// A device that calls without a message: known, or made as the policy for newcomers says.
    ///
    /// # Errors
    /// It is blocked, or unknown where unknown devices are refused.
    pub async fn introduce(&self, claim: Claim<'_>) -> Result<Device, HubError> {
        let claimed = self.claim(claim)?.device;
        if let Some(device) = self.device(&claimed.names.id) {
            self.0.registry.touch(&device.names.id, self.now());
            return Ok(device);
        }
        let device = Device { last_seen: Some(self.now()), ..Device::clone(&claimed) };
        let hub = self.clone();
        self.whole(async move { hub.store_new(device).await }).await
    }

    /// Lets a device in; what it said while it was held is its history.
    pub async fn adopt(&self, id: &DeviceId) -> Result<Device, HubError> {
        self.change(id, |device| device.state = DeviceState::Active).await
    }

    /// Turns a device away from now on.
    pub async fn block(&self, id: &DeviceId) -> Result<Device, HubError> {
        self.change(id, |device| device.state = DeviceState::Blocked).await
    }

    /// Changes what people call a device: 1 to 64 characters.
    ///
    /// # Errors
    /// `Conflict` when its owner has another device of this name.
    pub async fn rename(&self, id: &DeviceId, name: &str) -> Result<Device, HubError> {
        let (hub, id, name) = (self.clone(), id.clone(), checked_name(name)?);
        self.whole(async move { hub.renamed(&id, name).await }).await
    }

    /// Forgets a device with its values and open commands. What it said stays in the ledger.
    pub async fn forget(&self, id: &DeviceId) -> Result<(), HubError> {
        let device = self.device(id).ok_or(HubError::NotFound("device"))?;
        let (hub, id) = (self.clone(), id.clone());
        self.whole(async move {
            // First: a token without a device would be found by nobody who wants to end it.
            hub.revoke_device_tokens(&id, None, "device:forgotten").await?;
            hub.forget_sight(&device).await?;
            hub.write(Write::Forget(id.clone())).await?;
            hub.0.registry.forget(&id);
            hub.0.credentials.forget(&id);
            hub.0.forgets.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .await
    }

    /// Reads every device from the store again, for changes made by somebody else.
    pub async fn refresh(&self) -> Result<(), HubError> {
        let before = self.0.registry.ids();
        self.0.registry.load(self.reader().all_devices().await?, &before);
        Ok(())
    }

    /// Stores a device that was not there. If a message of it came in meanwhile, that one's id counts.
    pub(super) async fn store_new(&self, device: Device) -> Result<Device, HubError> {
        let family = device.names.family.clone();
        let address = device.names.address.clone();
        // A tentative device at this address keeps its id, else two ids would meet in the store.
        let claimed = self.0.registry.at_or(&family, &address, || Some(device.clone()));
        let id = claimed.map_or_else(|| device.names.id.clone(), |claimed| claimed.names.id.clone());
        let mut device = device;
        device.names.id = id;
        match self.write(Write::Device(Box::new(device.clone()))).await {
            Err(StoreError::Conflict(_)) => {
                self.refresh().await?;
                self.device_by_address(&family, &address).ok_or(HubError::Busy)
            }
            Err(error) => Err(error.into()),
            Ok(_) => {
                self.0.registry.stored(device.clone());
                self.0.teller.tell(FeedEvent::State(device.clone()));
                Ok(device)
            }
        }
    }

    async fn change(&self, id: &DeviceId, edit: impl FnOnce(&mut Device)) -> Result<Device, HubError> {
        let mut device = self.device(id).ok_or(HubError::NotFound("device"))?;
        edit(&mut device);
        let hub = self.clone();
        self.whole(async move {
            hub.write(Write::Device(Box::new(device.clone()))).await?;
            hub.0.registry.stored(device.clone());
            hub.0.teller.tell(FeedEvent::State(device.clone()));
            Ok(device)
        })
        .await
    }
}

fn checked_name(name: &str) -> Result<String, HubError> {
    let name = tidied(name);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(HubError::invalid("name", format!("a name has 1 to {NAME_CHARS_MAX} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(HubError::invalid("name", "the name has a control character in it"));
    }
    Ok(name)
}

const NAME_CHARS_MAX: usize = 64;
