//! What people look at: thin over the store's reader.

use std::collections::HashMap;

use super::{
    Bucket, BucketFilter, CommandFilter, DataFilter, DeviceFilter, Findings, Hub, HubError, MessageFilter,
    Stats,
};
use crate::model::{
    CommandId, CommandRecord, Datum, Device, DeviceId, FamilyName, MessageRecord, Seq, Timestamp,
};
use crate::store::audit;

impl Hub {
    /// A page of devices, by name.
    pub async fn devices(&self, filter: DeviceFilter) -> Result<Vec<Device>, HubError> {
        let mut devices = self.reader().devices(filter).await?;
        for device in &mut devices {
            // The registry may know of a sign of life that was not worth a write.
            let heard = self.device(&device.names.id).and_then(|known| known.last_seen);
            device.last_seen = device.last_seen.max(heard);
        }
        Ok(devices)
    }

    /// One device. No wait.
    pub fn device(&self, id: &DeviceId) -> Option<Device> {
        self.0.registry.device(id)
    }

    /// Whether a device of the house has a name, letter case aside. No wait.
    pub fn is_named(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let named = |device: &Device| device.names.name.to_lowercase() == name;
        self.0.registry.all().iter().any(|device| named(device) && self.owner(&device.names.id).is_none())
    }

    /// The device a person means: its id, else its address, else its name, letter case aside. `Conflict`
    /// when the text fits several.
    pub fn find_device(&self, text: &str) -> Result<Device, HubError> {
        self.find_among(text, |_| true)
    }

    /// The same, among devices that count.
    pub(super) fn find_among(
        &self,
        text: &str,
        counts: impl Fn(&Device) -> bool,
    ) -> Result<Device, HubError> {
        if let Some(device) = self.device(&DeviceId::new(text)).filter(&counts) {
            return Ok(device);
        }
        let mut all = self.0.registry.all();
        all.retain(counts);
        let address = |device: &&Device| device.names.address.eq_ignore_ascii_case(text);
        let name = |device: &&Device| device.names.name.to_lowercase() == text.to_lowercase();
        for found in [all.iter().filter(address).collect::<Vec<_>>(), all.iter().filter(name).collect()] {
            match found.as_slice() {
                [] => {}
                [device] => return Ok((*device).clone()),
                [_, _, ..] => {
                    let message = format!("several devices are called {text}: use the id");
                    return Err(HubError::conflict("device", message));
                }
            }
        }
        Err(HubError::NotFound("device"))
    }

    /// The devices that speak through one.
    pub fn children(&self, id: &DeviceId) -> Vec<Device> {
        let mut children = self.0.registry.all();
        children.retain(|device| device.parent.as_ref() == Some(id));
        children.sort_by(|one, other| one.names.name.cmp(&other.names.name));
        children
    }

    /// A page of the ledger, newest first.
    pub async fn messages(&self, filter: MessageFilter) -> Result<Vec<MessageRecord>, HubError> {
        Ok(self.reader().messages(filter).await?)
    }

    /// One message.
    pub async fn message(&self, seq: Seq) -> Result<Option<MessageRecord>, HubError> {
        Ok(self.reader().message(seq).await?)
    }

    /// A page of commands, newest first.
    pub async fn commands(&self, filter: CommandFilter) -> Result<Vec<CommandRecord>, HubError> {
        Ok(self.reader().commands(filter).await?)
    }

    /// One command.
    pub async fn command(&self, id: &CommandId) -> Result<Option<CommandRecord>, HubError> {
        Ok(self.reader().command(id.clone()).await?)
    }

    /// A page of values with the device of each, oldest first.
    pub async fn data(&self, filter: DataFilter) -> Result<Vec<(DeviceId, Datum)>, HubError> {
        Ok(self.reader().data(filter).await?)
    }

    /// The numbers of a device in buckets of time, by (start, sensor).
    pub async fn buckets(&self, filter: BucketFilter) -> Result<Vec<Bucket>, HubError> {
        Ok(self.reader().buckets(filter).await?)
    }

    /// The newest value of every sensor of a device.
    pub async fn latest(&self, device: &DeviceId) -> Result<Vec<Datum>, HubError> {
        Ok(self.reader().latest(device.clone()).await?)
    }

    /// The same of several devices at once; those that have no values may be left out.
    pub async fn latest_each(
        &self,
        devices: Vec<DeviceId>,
    ) -> Result<HashMap<DeviceId, Vec<Datum>>, HubError> {
        Ok(self.reader().latest_each(devices).await?.into_iter().collect())
    }

    /// Devices that have a due command at a time, by the id they fetch with.
    pub async fn pending(&self, at: Timestamp) -> Result<Vec<DeviceId>, HubError> {
        Ok(self.reader().pending(at).await?)
    }

    /// Sizes of the store.
    pub async fn stats(&self) -> Result<Stats, HubError> {
        Ok(self.reader().stats().await?)
    }

    /// Size of the database in bytes.
    pub async fn store_bytes(&self) -> Result<i64, HubError> {
        Ok(self.reader().bytes().await?)
    }

    /// How many devices there are, by family and state, and how many of all are online. No wait.
    pub fn device_counts(&self) -> (HashMap<(FamilyName, &'static str), usize>, usize) {
        let mut counts = HashMap::new();
        let mut online = 0;
        for device in self.0.registry.all() {
            online += usize::from(self.online(&device));
            *counts.entry((device.names.family, device.state.as_str())).or_default() += 1;
        }
        (counts, online)
    }

    /// Walks the whole ledger and says what is wrong with it. `progress` hears how far the walk is.
    pub async fn audit(&self, progress: &mut (dyn FnMut(i64) + Send)) -> Result<Findings, HubError> {
        Ok(audit::check(self.reader(), progress).await?)
    }
}
