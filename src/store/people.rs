//! What both engines keep of people in the same words.

use super::StoreError;
use crate::model::DeviceId;

/// A token's devices as their column has them: a JSON list, or nothing where there is no list.
pub(super) fn devices_to_text(devices: Option<&[DeviceId]>) -> Result<Option<String>, StoreError> {
    let text = devices.map(serde_json::to_string).transpose();
    text.map_err(|error| StoreError::Failed(format!("a list of devices has no JSON: {error}")))
}

/// Reads what [`devices_to_text`] wrote.
pub(super) fn devices_of_text(text: Option<&str>) -> Result<Option<Vec<DeviceId>>, StoreError> {
    let devices = text.map(serde_json::from_str).transpose();
    devices.map_err(|error| StoreError::Failed(format!("a token's devices cannot be read: {error}")))
}
