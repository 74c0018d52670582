//! Commands to start from: those of the settings until an owner keeps a list of their own.

use serde::{Deserialize, Serialize};

use super::{CommandText, Family, Invalid, Template};
use crate::core::{Hub, HubError, Kept};
use crate::model::FamilyName;

/// An owner's list for one dialect.
#[derive(Debug, Serialize, Deserialize)]
struct OwnList {
    family: FamilyName,
    items: Vec<Template>,
}

impl Kept for OwnList {
    const KIND: &'static str = "template";

    fn key(&self) -> String {
        self.family.to_string()
    }
}

/// The list of a dialect, and whether it is the owner's.
///
/// # Errors
/// The store's.
pub async fn list(hub: &Hub, family: &dyn Family) -> Result<(Vec<Template>, bool), HubError> {
    match hub.kept::<OwnList>(family.name().as_str()).await? {
        Some(own) => Ok((own.items, true)),
        None => Ok((family.templates(), false)),
    }
}

/// Keeps an owner's list in place of the one before; `None` goes back to that of the settings.
///
/// # Errors
/// `Invalid` names the item that makes no command; else the store's.
pub async fn keep(hub: &Hub, family: &dyn Family, items: Option<Vec<Template>>) -> Result<(), HubError> {
    let Some(items) = items else { return hub.forget_kept::<OwnList>(family.name().as_str()).await };
    if items.len() > ITEMS_MAX {
        return Err(HubError::invalid("items", format!("the most is {ITEMS_MAX} templates")));
    }
    for item in &items {
        let named = |what: String| HubError::invalid("items", format!("`{}`: {what}", item.name));
        if item.name.trim().is_empty() || item.name.chars().count() > NAME_CHARS_MAX {
            return Err(named(format!("a name has 1 to {NAME_CHARS_MAX} characters")));
        }
        check(hub, family, item).map_err(|invalid| named(invalid.to_string()))?;
    }
    hub.keep(&OwnList { family: family.name(), items }).await
}

/// Whether a template makes a command for some device.
fn check(hub: &Hub, family: &dyn Family, item: &Template) -> Result<(), Invalid> {
    let text = CommandText {
        address: Some("0000000000000000".to_owned()),
        parent: Some("0000000000000000".to_owned()),
        cmd: item.cmd.clone(),
        payload: item.payload.clone(),
        dst: None,
        at: hub.now(),
    };
    family.draft(&text).map(drop)
}

const ITEMS_MAX: usize = 200;
const NAME_CHARS_MAX: usize = 64;
