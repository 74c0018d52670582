//! Small documents that one part of the server keeps for itself.

use super::{DeviceId, Timestamp};

/// A small document under a kind and a key. For what is small and changes slowly, never for each message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which part's, and what it is.
    pub kind: String,
    /// Its name among those of its kind.
    pub key: String,
    /// The device it is about; it goes when the device is forgotten.
    pub device: Option<DeviceId>,
    /// When it was kept.
    pub at: Timestamp,
    /// The document: JSON.
    pub body: String,
}
