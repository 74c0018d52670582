//! Names that one owner uses once, letter case aside, also when two servers are asked for them at once.
//!
//! A claim is a document under the owner and the name: the store lets one be the first. One that a crash left behind is
//! taken over after a while.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use super::GroupId;
use crate::core::records::{Batch, Kept};
use crate::core::{Hub, HubError};
use crate::model::{DeviceId, Timestamp, UserId};

/// Whose name it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bearer {
    Device(DeviceId),
    Group(GroupId),
}

/// That a name is in use with an owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct NameClaim {
    key: String,
    bearer: Bearer,
    at: Timestamp,
}

impl Kept for NameClaim {
    const KIND: &'static str = "name_claim";

    fn key(&self) -> String {
        self.key.clone()
    }
}

impl NameClaim {
    fn new(owner: Option<&UserId>, name: &str, bearer: Bearer, at: Timestamp) -> Self {
        let kind = match &bearer {
            Bearer::Device(_) => "device",
            Bearer::Group(_) => "group",
        };
        let key = format!("{kind}:{}:{}", owner.map_or("", UserId::as_str), folded(name));
        Self { key, bearer, at }
    }
}

/// A name without its letter case.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// A name as it is kept: composed, without blanks around it.
pub(in crate::core) fn tidied(name: &str) -> String {
    name.trim().nfc().collect()
}

/// A tag as it is kept: letter case says nothing.
pub(in crate::core) fn plain_tag(tag: &str) -> String {
    folded(&tidied(tag))
}

impl Hub {
    /// Claims a name, together with other changes. Who calls holds the right to change the table.
    ///
    /// # Errors
    /// `Conflict` when another of the same owner has it.
    pub(super) async fn claim_name(
        &self,
        batch: &mut Batch,
        owner: Option<&UserId>,
        name: &str,
        bearer: Bearer,
    ) -> Result<(), HubError> {
        let claim = NameClaim::new(owner, name, bearer, self.now());
        match self.kept_exact::<NameClaim>(&claim.key).await? {
            None => batch.keep_new(&claim),
            Some((known, _)) if known.bearer == claim.bearer => Ok(()),
            Some((known, exact)) if self.is_left_behind(&known, owner, name).await? => {
                batch.replace(&exact, &claim).map(drop)
            }
            Some(_) => Err(taken(name)),
        }
    }

    /// Gives a name up, together with other changes.
    pub(super) async fn release_name(
        &self,
        batch: &mut Batch,
        owner: Option<&UserId>,
        name: &str,
        bearer: Bearer,
    ) -> Result<(), HubError> {
        let claim = NameClaim::new(owner, name, bearer, self.now());
        if let Some((known, exact)) = self.kept_exact::<NameClaim>(&claim.key).await?
            && known.bearer == claim.bearer
        {
            batch.take::<NameClaim>(&exact, &claim.key);
        }
        Ok(())
    }

    /// Whether a claim is of something that is not there, or not so called: what it was made for did not come about.
    async fn is_left_behind(
        &self,
        claim: &NameClaim,
        owner: Option<&UserId>,
        name: &str,
    ) -> Result<bool, HubError> {
        if self.bears(claim, owner, name) || self.now() < claim.at.plus(COMES_ABOUT_WITHIN) {
            return Ok(false);
        }
        // Another server may have made it.
        self.refresh().await?;
        self.read_sight().await?;
        Ok(!self.bears(claim, owner, name))
    }

    fn bears(&self, claim: &NameClaim, owner: Option<&UserId>, name: &str) -> bool {
        let known = self.0.sight.read();
        let (called, whose) = match &claim.bearer {
            Bearer::Device(id) => (self.device(id).map(|device| device.names.name), known.owner(id)),
            Bearer::Group(id) => {
                let group = known.group(id);
                (group.map(|group| group.name.clone()), group.and_then(|group| group.owner.as_ref()))
            }
        };
        called.is_some_and(|called| folded(&called) == folded(name))
            && whose.map(|person| &person.id) == owner
    }
}

pub(super) fn taken(name: &str) -> HubError {
    HubError::conflict("name", format!("there is one called {name} already"))
}

/// From the claim of a name to what bears it: far longer than any write takes.
const COMES_ABOUT_WITHIN: Duration = Duration::from_mins(1);
