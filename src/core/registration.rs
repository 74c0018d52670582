//! Accounts that people make for themselves, and the invitations that let them (`accounts-dashboard.md §2, §3`).

use std::net::IpAddr;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::error::AccountFault;
use super::records::{Batch, Kept};
use super::settings::RegistrationPolicy;
use super::{Hub, HubError, operators, secrets};
use crate::model::{Role, Sees, Timestamp, User};

/// What somebody who wants an account says.
#[derive(Debug)]
pub struct Newcomer {
    /// The name: 5 to 64 of `A-Z a-z 0-9 . _ -`.
    pub username: String,
    /// The password: 8 to 128 characters.
    pub password: SecretString,
    /// The password once more.
    pub confirmation: SecretString,
    /// An invitation's secret.
    pub invite: Option<SecretString>,
}

/// An invitation, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// Its id: random text, no secret.
    pub id: String,
    /// SHA-256 of the secret, in hexadecimal digits.
    hash: String,
    /// What whoever uses it may do.
    pub role: Role,
    /// With which devices beside the own.
    pub sees: Sees,
    /// What its maker wrote beside it.
    pub note: String,
    /// When it was made.
    pub created: Timestamp,
    /// Who made it: `user:<name>`.
    pub by: String,
    /// When it ends.
    pub expires: Timestamp,
    /// How many accounts may be made with it.
    pub uses: u32,
    /// How many were made.
    pub used: u32,
}

/// An invitation to be.
#[derive(Clone, Debug)]
pub struct InviteOrder {
    /// What whoever uses it may do.
    pub role: Role,
    /// With which devices beside the own.
    pub sees: Sees,
    /// A word for oneself; at most 200 characters.
    pub note: String,
    /// How long it is good: a minute to a year.
    pub life: Duration,
    /// For how many accounts: 1 to 1000.
    pub uses: u32,
}

impl Hub {
    /// Makes an account for whoever asks, as the settings allow. Tries are counted by network.
    pub async fn register(&self, newcomer: Newcomer, peer: IpAddr) -> Result<User, HubError> {
        let policy = self.settings().registration;
        match (policy, &newcomer.invite) {
            (RegistrationPolicy::Closed, _) => return Err(AccountFault::RegistrationClosed.into()),
            (RegistrationPolicy::Invite, None) => return Err(AccountFault::InviteRequired.into()),
            (RegistrationPolicy::Invite, Some(_)) | (RegistrationPolicy::Open, _) => {}
        }
        check(&newcomer)?;
        self.0.throttle.register(peer)?;
        let Some(secret) = newcomer.invite else {
            return self.add_newcomer(&newcomer.username, newcomer.password, Role::Operator, Sees::Own).await;
        };
        let hub = self.clone();
        self.whole(async move {
            let key = secrets::secret_digest(secret.expose_secret());
            // Who has no good invitation learns of no name whether it is taken.
            let invite = hub.count_use(&key, 1).await?;
            let made =
                hub.add_newcomer(&newcomer.username, newcomer.password, invite.role, invite.sees).await;
            if made.is_err()
                && let Err(error) = hub.count_use(&key, -1).await
            {
                tracing::warn!(invite = %invite.id, %error, "a use that came to nothing stays counted");
            }
            made
        })
        .await
    }

    async fn add_newcomer(
        &self,
        name: &str,
        password: SecretString,
        role: Role,
        sees: Sees,
    ) -> Result<User, HubError> {
        // What is refused anyway is not worth a hash.
        if self.reader().credential(name.to_owned()).await?.is_some() {
            return Err(AccountFault::UsernameTaken.into());
        }
        match self.add_user_who(name, password, role, sees).await {
            Err(HubError::Conflict { field: "name", .. }) => Err(AccountFault::UsernameTaken.into()),
            made => made,
        }
    }

    /// Makes an invitation; its secret is told once.
    pub async fn invite(&self, order: InviteOrder, by: &str) -> Result<(Invite, SecretString), HubError> {
        if !(LIFE_MIN..=LIFE_MAX).contains(&order.life) {
            let (least, most) = (LIFE_MIN.as_secs(), LIFE_MAX.as_secs());
            let message = format!("an invitation lasts {least} to {most} seconds");
            return Err(HubError::invalid("expires_in_s", message));
        }
        if !(1..=USES_MAX).contains(&order.uses) {
            return Err(HubError::invalid("uses", format!("an invitation is for 1 to {USES_MAX} accounts")));
        }
        if order.note.chars().count() > NOTE_CHARS_MAX || order.note.chars().any(char::is_control) {
            let message = format!("a note has at most {NOTE_CHARS_MAX} printable characters");
            return Err(HubError::invalid("note", message));
        }
        let secret = format!("{INVITE_PREFIX}{}", secrets::random_half()?.expose_secret());
        let at = self.now();
        let invite = Invite {
            id: uuid::Uuid::new_v4().simple().to_string(),
            hash: secrets::secret_digest(&secret),
            role: order.role,
            sees: order.sees,
            note: order.note,
            created: at,
            by: by.to_owned(),
            expires: at.plus(order.life),
            uses: order.uses,
            used: 0,
        };
        self.keep(&invite).await?;
        Ok((invite, SecretString::from(secret)))
    }

    /// Invitations, the newest first; also those that are used up or past their end.
    pub async fn invites(&self) -> Result<Vec<Invite>, HubError> {
        let mut invites = Vec::new();
        self.kept_each(|invite: Invite| invites.push(invite)).await?;
        invites.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
        Ok(invites)
    }

    /// Ends an invitation. Accounts that were made with it stay.
    pub async fn uninvite(&self, id: &str) -> Result<(), HubError> {
        let invites = self.invites().await?;
        let invite =
            invites.into_iter().find(|invite| invite.id == id).ok_or(HubError::NotFound("invite"))?;
        self.forget_kept::<Invite>(&invite.hash).await
    }

    /// Counts a use of an invitation, or takes one back; of many who use the last one at a time, one may.
    async fn count_use(&self, key: &str, by: i32) -> Result<Invite, HubError> {
        loop {
            let found = self.kept_exact::<Invite>(key).await?;
            let (mut invite, was) = found.ok_or(AccountFault::InviteInvalid)?;
            let used = invite.used.saturating_add_signed(by);
            if used > invite.uses || (by > 0 && invite.expires <= self.now()) {
                return Err(AccountFault::InviteInvalid.into());
            }
            invite.used = used;
            let mut batch = Batch::new(self.now());
            batch.replace(&was, &invite)?;
            if self.keep_together(batch).await? {
                return Ok(invite);
            }
            // Somebody else counted between the two; each turn lets at least one through.
        }
    }
}

impl Kept for Invite {
    const KIND: &'static str = "invite";
    const KEEP_MAX: Option<u32> = Some(1000);

    fn key(&self) -> String {
        self.hash.clone()
    }
}

/// The rules that need nothing but what is said.
fn check(newcomer: &Newcomer) -> Result<(), HubError> {
    let name = newcomer.username.as_str();
    if (1..NAME_CHARS_MIN).contains(&name.chars().count()) {
        return Err(AccountFault::UsernameTooShort.into());
    }
    operators::check_user_name(name).map_err(|_| {
        let message = "a user name has 5 to 64 letters, digits, dots, underscores or hyphens";
        HubError::invalid("username", message)
    })?;
    operators::check_password(&newcomer.password).map_err(|_| AccountFault::PasswordLength)?;
    if newcomer.password.expose_secret() != newcomer.confirmation.expose_secret() {
        return Err(AccountFault::PasswordMismatch.into());
    }
    Ok(())
}

const NAME_CHARS_MIN: usize = 5;
const INVITE_PREFIX: &str = "inv_";
const LIFE_MIN: Duration = Duration::from_mins(1);
const LIFE_MAX: Duration = Duration::from_hours(366 * 24);
const USES_MAX: u32 = 1000;
const NOTE_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests;
