//! Rings when a command was queued: for dialects whose devices wait for theirs on an open connection.

use tokio::sync::broadcast;

use super::Hub;
use crate::model::DeviceRef;

/// The hub's end.
#[derive(Debug)]
pub(super) struct Bell(broadcast::Sender<DeviceRef>);

/// A listener's end.
#[derive(Debug)]
pub struct Ringing(broadcast::Receiver<DeviceRef>);

impl Ringing {
    /// Waits for the next device that has a command to fetch. `Some(None)` is any device: so many rang that some were
    /// missed. `None` is the end. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Option<DeviceRef>> {
        match self.0.recv().await {
            Ok(device) => Some(Some(device)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(None),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Bell {
    /// Rings for the device that fetches.
    pub(super) fn ring(&self, via: DeviceRef) {
        // An error only says that nobody listens.
        drop(self.0.send(via));
    }
}

impl Default for Bell {
    fn default() -> Self {
        Self(broadcast::Sender::new(BACKLOG))
    }
}

impl Hub {
    /// Listens for commands that this server queues, from now on. Those that another server on the same store queues
    /// ring nothing: a device's next report tells of them (`Accepted::pending`).
    pub fn ringing(&self) -> Ringing {
        Ringing(self.0.bell.0.subscribe())
    }
}

/// Rings that a listener may be behind.
const BACKLOG: usize = 1024;
