//! What people do to the command queue: add, try out, withdraw, look.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::hub::astray;
use super::reports::{check_address, newcomer};
use super::{FeedEvent, Hub, HubError};
use crate::model::{
    CommandId, CommandRecord, Device, DeviceId, DeviceState, Draft, Encoder, FamilyName, Priority, WireId,
};
use crate::store::{Outcome, StoreError, Write};

/// A command that a person wants said to a device.
#[derive(Clone)]
pub struct Order {
    /// Its id, from an asker who must know it again after a crash: queueing it twice is a `Conflict`. `None`
    /// makes one.
    pub id: Option<CommandId>,
    /// The dialect.
    pub family: FamilyName,
    /// The device it is for, seen before or not.
    pub address: String,
    /// The device that will fetch it, if the asker knows it to be another one. Without it, a known device's
    /// parent fetches, else the device itself.
    pub via: Option<String>,
    /// The verb.
    pub cmd: String,
    /// The payload as JSON text.
    pub payload: String,
    /// Makes the exact bytes.
    pub encode: Encoder,
    /// Whether it goes before others that wait for the same device.
    pub priority: Priority,
    /// How long it waits to be taken; `None` is as long as the settings say.
    pub expires_in: Option<Duration>,
    /// Who asks: `user:<name>` or `server`.
    pub by: String,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("family", &self.family)
            .field("address", &self.address)
            .field("cmd", &self.cmd)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// Queues a command, and thereby adopts the device and the one that fetches for it. A device that was
    /// never seen is made.
    pub async fn enqueue(&self, order: Order) -> Result<CommandRecord, HubError> {
        check(&order)?;
        let hub = self.clone();
        self.whole(async move { hub.enqueue_through(order).await }).await
    }

    async fn enqueue_through(&self, order: Order) -> Result<CommandRecord, HubError> {
        let (via, device) = self.route(&order).await?;
        let at = self.now();
        let life = order.expires_in.unwrap_or(self.0.settings.load().command_life);
        let via = via.names;
        let draft = Draft {
            id: order.id.unwrap_or_else(CommandId::random),
            device: device.names,
            via: via.clone(),
            cmd: order.cmd,
            payload: order.payload,
            encode: order.encode,
            priority: order.priority,
            waiting_max: self.0.settings.load().waiting_max,
            at,
            expires: at.plus(life),
            by: order.by,
        };
        let outcome = match self.write(Write::Enqueue(Box::new(draft))).await {
            Err(StoreError::Refused(message)) => return Err(HubError::Invalid { field: "payload", message }),
            outcome => outcome?,
        };
        let Outcome::Enqueued(queued) = outcome else { return Err(astray(&outcome)) };
        for id in &queued.adopted {
            if let Some(mut device) = self.0.registry.device(id) {
                device.state = DeviceState::Active;
                self.0.registry.stored(device.clone());
                self.0.teller.tell(FeedEvent::State(device));
            }
        }
        self.0.bell.ring(via);
        self.0.teller.tell(FeedEvent::Command(queued.command.clone()));
        Ok(queued.command)
    }

    /// The exact bytes the device would get if the order were queued now. Changes nothing.
    pub async fn dry_run(&self, order: &Order) -> Result<Bytes, HubError> {
        self.dry_run_after(order, 0).await
    }

    /// The same, if so many other orders for the same queue were carried out before it.
    pub async fn dry_run_after(&self, order: &Order, before: usize) -> Result<Bytes, HubError> {
        check(order)?;
        let next = match self.queue_of(order) {
            Some(via) => self.reader().next_wire_id(via).await?,
            None => 1,
        };
        let wire_id: WireId = (0..before).fold(next, |id, _| id.checked_add(1).unwrap_or(1));
        encode(order, wire_id)
    }

    /// The device that would fetch it, if that was seen before.
    pub fn queue_of(&self, order: &Order) -> Option<DeviceId> {
        let apart = order.via.as_ref().filter(|via| !via.eq_ignore_ascii_case(&order.address));
        if let Some(address) = apart {
            return self.device_by_address(&order.family, address).map(|via| via.names.id);
        }
        let device = self.device_by_address(&order.family, &order.address)?;
        Some(device.parent.unwrap_or(device.names.id))
    }

    /// Withdraws a command that was not handed out yet.
    pub async fn cancel(&self, id: &CommandId, by: &str) -> Result<CommandRecord, HubError> {
        let write = Write::Cancel { id: id.clone(), at: self.now(), by: by.to_owned() };
        let hub = self.clone();
        self.whole(async move {
            let outcome = hub.write(write).await?;
            let Outcome::Changed(changed) = outcome else { return Err(astray(&outcome)) };
            hub.tell_commands(changed.clone());
            changed.into_iter().next().ok_or(HubError::NotFound("command"))
        })
        .await
    }

    /// The device that fetches and the device it is for, both known to the store.
    async fn route(&self, order: &Order) -> Result<(Device, Device), HubError> {
        let target = self.device_by_address(&order.family, &order.address);
        let apart = order.via.as_ref().filter(|via| !via.eq_ignore_ascii_case(&order.address));
        let via = match (apart, &target) {
            (Some(address), _) => Some(self.named(&order.family, address, None).await?),
            (None, Some(device)) => device.parent.as_ref().and_then(|id| self.0.registry.device(id)),
            (None, None) => None,
        };
        let parent = via.as_ref().map(|via| via.names.id.clone());
        let device = self.named(&order.family, &order.address, parent).await?;
        let via = via.unwrap_or_else(|| device.clone());
        for device in [&device, &via] {
            match device.state {
                DeviceState::Blocked => {
                    let name = &device.names.address;
                    let message = format!("device {name} is blocked: adopt it before you command it");
                    return Err(HubError::conflict("device", message));
                }
                DeviceState::Active | DeviceState::Held => {}
            }
        }
        Ok((via, device))
    }

    /// The device with an address; made and let in when there is none, because a person named it.
    async fn named(
        &self,
        family: &FamilyName,
        address: &str,
        parent: Option<DeviceId>,
    ) -> Result<Device, HubError> {
        if let Some(device) = self.device_by_address(family, address) {
            return Ok(device);
        }
        let device = newcomer(family, address, DeviceState::Active, parent, self.now());
        self.store_new(device).await
    }
}

/// Refuses an order that could never be carried out, before anything is made for it.
fn check(order: &Order) -> Result<(), HubError> {
    check_address(&order.address)?;
    if let Some(via) = &order.via {
        check_address(via)?;
    }
    if order.cmd.is_empty() || order.cmd.len() > CMD_BYTES_MAX {
        return Err(HubError::invalid("cmd", format!("cmd must have 1 to {CMD_BYTES_MAX} bytes")));
    }
    if order.expires_in.is_some_and(|life| life.is_zero()) {
        return Err(HubError::invalid("expires_in_s", "the command would expire at once"));
    }
    // The longest number: what fits with it fits with any.
    encode(order, WireId::MAX).map(drop)
}

fn encode(order: &Order, wire_id: WireId) -> Result<Bytes, HubError> {
    (order.encode)(wire_id).map_err(|error| HubError::invalid("payload", error.to_string()))
}

const CMD_BYTES_MAX: usize = 64;
