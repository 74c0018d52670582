//! What a person said of a device: its type, and what belongs to that.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::face::Face;
use super::gauge::Gauge;
use crate::core::{HubError, Kept};
use crate::model::DeviceId;

/// A device's type and configuration, as kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Config {
    device: DeviceId,
    /// What kind of thing it is.
    #[serde(rename = "type", default)]
    pub(super) kind: Kind,
    /// What belongs to that; `None` until somebody says it.
    #[serde(rename = "config", default)]
    pub(super) members: Option<Map<String, Json>>,
}

/// The types of devices (`accounts-dashboard.md §2`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// Anything.
    #[default]
    Generic,
    /// A dial with a pointer.
    Gauge,
    /// A number.
    Number,
    /// On or off.
    Switch,
    /// One of some words.
    State,
    /// Words.
    Text,
    /// Something that only grows.
    Counter,
    /// A place.
    Location,
}

impl Config {
    /// That of a device of which nothing was said.
    pub(super) fn none(device: DeviceId) -> Self {
        Self { device, kind: Kind::default(), members: None }
    }

    /// The same, of a device that was made since.
    pub(super) fn of(self, device: DeviceId) -> Self {
        Self { device, ..self }
    }

    /// Takes what a person says over; `false` when there is nothing of that name.
    ///
    /// # Errors
    /// What is said makes no sense; the field is named.
    pub(super) fn set(&mut self, name: &str, wish: &Json) -> Result<bool, HubError> {
        match name {
            "type" => {
                self.kind = Kind::deserialize(wish).map_err(|_| {
                    let known = "gauge, number, switch, state, text, counter, location, generic";
                    HubError::invalid("type", format!("type is one of {known}"))
                })?;
            }
            "config" => {
                self.members = match wish {
                    Json::Null => None,
                    Json::Object(members) if wish.to_string().len() <= BYTES_MAX => Some(members.clone()),
                    Json::Object(_) => {
                        let message = format!("config has {BYTES_MAX} bytes at most");
                        return Err(HubError::invalid("config", message));
                    }
                    Json::Bool(_) | Json::Number(_) | Json::String(_) | Json::Array(_) => {
                        return Err(HubError::invalid("config", "config is an object, or null for none"));
                    }
                };
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether type and configuration belong together. Asked when both were said.
    pub(super) fn check(&self) -> Result<(), HubError> {
        let Some(_) = self.read_gauge().map_err(|(field, message)| HubError::invalid(field, message))? else {
            return Ok(());
        };
        let face = Face::read(self.members.as_ref().unwrap_or(&Map::new()));
        face.map(drop).map_err(|(field, message)| HubError::invalid(field, message))
    }

    /// The gauge that it is; `None` when it is none.
    pub(super) fn gauge(&self) -> Option<Gauge> {
        self.read_gauge().ok().flatten()
    }

    fn read_gauge(&self) -> Result<Option<Gauge>, (&'static str, String)> {
        match self.kind {
            Kind::Gauge => Gauge::read(self.members.as_ref().unwrap_or(&Map::new())).map(Some),
            Kind::Generic
            | Kind::Number
            | Kind::Switch
            | Kind::State
            | Kind::Text
            | Kind::Counter
            | Kind::Location => Ok(None),
        }
    }
}

impl Kept for Config {
    const KIND: &'static str = "token_config";

    fn key(&self) -> String {
        self.device.to_string()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

const BYTES_MAX: usize = 4096;
