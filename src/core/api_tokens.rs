//! API tokens: secrets that a person gives to scripts, each with a scope of its own.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::{TOKEN_PREFIX, random_secret, secret_hash};
use super::{Hub, HubError};
use crate::model::{DeviceId, Role, Token, UserId};
use crate::store::UserWrite;

/// A token to be.
#[derive(Clone, Debug)]
pub struct TokenOrder {
    /// What to call it: 1 to 64 printable characters.
    pub name: String,
    /// What it may do; at most what its user may.
    pub role: Role,
    /// The only devices it is for, of those that its user sees; `None` is all of them.
    pub devices: Option<Vec<DeviceId>>,
    /// How long it lasts; `None` is until it is revoked.
    pub life: Option<Duration>,
}

impl Hub {
    /// Makes an API token for all devices that its user sees; its secret is told once.
    pub async fn create_token(
        &self,
        user: &UserId,
        name: &str,
        role: Role,
        life: Option<Duration>,
    ) -> Result<(Token, SecretString), HubError> {
        self.order_token(user, TokenOrder { name: name.to_owned(), role, devices: None, life }).await
    }

    /// Makes an API token; its secret is told once.
    pub async fn order_token(
        &self,
        user: &UserId,
        order: TokenOrder,
    ) -> Result<(Token, SecretString), HubError> {
        let name = order.name.trim();
        check(name, &order)?;
        let owner = self.user(user).await?;
        if order.role > owner.role {
            let message = format!("{} is {}: a token may not do more than its user", owner.name, owner.role);
            return Err(HubError::invalid("role", message));
        }
        if self.tokens(Some(user)).await?.len() >= TOKENS_MAX {
            let message = format!("a user has {TOKENS_MAX} tokens at most: revoke one first");
            return Err(HubError::conflict("", message));
        }
        let secret = random_secret()?;
        let secret = SecretString::from(format!("{TOKEN_PREFIX}{}", secret.expose_secret()));
        let at = self.now();
        let token = Token {
            id: uuid::Uuid::new_v4().simple().to_string(),
            name: name.to_owned(),
            secret_hash: secret_hash(secret.expose_secret()),
            user: user.clone(),
            role: order.role,
            devices: order.devices,
            created: at,
            last_used: None,
            expires: order.life.map(|life| at.plus(life)),
        };
        self.write_user(UserWrite::AddToken(token.clone())).await?;
        Ok((token, secret))
    }

    /// The tokens of one user, or of all.
    pub async fn tokens(&self, user: Option<&UserId>) -> Result<Vec<Token>, HubError> {
        Ok(self.reader().tokens(user.cloned()).await?)
    }

    /// Ends a token at once.
    pub async fn revoke_token(&self, id: &str) -> Result<(), HubError> {
        self.write_user(UserWrite::RevokeToken(id.to_owned())).await?;
        self.hear_of_ends().await;
        Ok(())
    }
}

fn check(name: &str, order: &TokenOrder) -> Result<(), HubError> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let message = format!("a token's name has 1 to {NAME_CHARS_MAX} printable characters");
        return Err(HubError::invalid("name", message));
    }
    if order.life.is_some_and(|life| life.is_zero() || life > LIFE_MAX) {
        let message = format!("a token lasts 1 to {} seconds, or without end", LIFE_MAX.as_secs());
        return Err(HubError::invalid("expires_in_s", message));
    }
    if order.devices.as_ref().is_some_and(|devices| devices.is_empty() || devices.len() > DEVICES_MAX) {
        let message = format!("a token is for 1 to {DEVICES_MAX} devices; without the list it is for all");
        return Err(HubError::invalid("devices", message));
    }
    Ok(())
}

const NAME_CHARS_MAX: usize = 64;
/// Tokens of one user.
const TOKENS_MAX: usize = 100;
const DEVICES_MAX: usize = 1000;
/// A hundred years: later times cannot be written everywhere.
const LIFE_MAX: Duration = Duration::from_hours(100 * 365 * 24);
