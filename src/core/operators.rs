//! People: who they are, and what they may do.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::random_password;
use super::{Hub, HubError};
use crate::model::{Credential, Role, Sees, User, UserId};
use crate::store::{StoreError, UserWrite, Write};

impl Hub {
    /// Makes the administrator `admin` with a random password when there is no user at all.
    pub async fn first_admin(&self) -> Result<Option<(String, SecretString)>, HubError> {
        if !self.users().await?.is_empty() {
            return Ok(None);
        }
        let password = random_password()?;
        match self.add_user(FIRST_ADMIN, password.clone(), Role::Admin).await {
            // Another server on the same store was faster.
            Err(HubError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
            Ok(user) => Ok(Some((user.name, password))),
        }
    }

    /// Adds a user. A name has 3 to 64 of `A-Z a-z 0-9 . _ -`, a password 8 to 128 characters.
    /// Sees the house's devices.
    pub async fn add_user(&self, name: &str, password: SecretString, role: Role) -> Result<User, HubError> {
        self.add_user_who(name, password, role, Sees::House).await
    }

    /// Adds a user, and says which devices the user sees.
    pub async fn add_user_who(
        &self,
        name: &str,
        password: SecretString,
        role: Role,
        sees: Sees,
    ) -> Result<User, HubError> {
        check_user_name(name)?;
        check_password(&password)?;
        let password_hash = self.0.passwords.hash(password).await?;
        let user = User { id: UserId::random(), name: name.to_owned(), role, sees, created: self.now() };
        let credential = Credential { user: user.clone(), password_hash };
        match self.write(Write::User(Box::new(UserWrite::Add(credential)))).await {
            Err(StoreError::Conflict(_)) => {
                Err(HubError::conflict("name", format!("there is a user {name} already")))
            }
            Err(error) => Err(error.into()),
            Ok(_) => Ok(user),
        }
    }

    /// A random password, to be told once.
    pub fn fresh_password(&self) -> Result<SecretString, HubError> {
        random_password()
    }

    /// Sets a user's password and ends the user's sessions. API tokens stay.
    pub async fn passwd(&self, user: &UserId, password: SecretString) -> Result<(), HubError> {
        self.set_password(user, password, None).await
    }

    /// Sets a user's own password after the old one was typed again; failures are counted as at sign-in. All sessions
    /// end but the one that it is done in.
    pub async fn change_password(
        &self,
        user: &User,
        old: &SecretString,
        new: SecretString,
        peer: IpAddr,
        session: Option<&str>,
    ) -> Result<(), HubError> {
        check_password(&new)?;
        self.0.throttle.admit(peer, &user.name)?;
        let stored = self.reader().credential(user.name.clone()).await?.map(|known| known.password_hash);
        if !self.0.passwords.fits(old.clone(), stored).await? {
            self.0.throttle.failed(peer, &user.name)?;
            return Err(HubError::Unauthorized);
        }
        self.set_password(&user.id, new, session).await
    }

    async fn set_password(
        &self,
        user: &UserId,
        password: SecretString,
        but: Option<&str>,
    ) -> Result<(), HubError> {
        check_password(&password)?;
        let known = self.user(user).await?;
        let password_hash = self.0.passwords.hash(password).await?;
        let but = but.map(str::to_owned);
        self.write_user(UserWrite::Password { user: user.clone(), password_hash, but }).await?;
        self.came_in(&known).await;
        // An error only says that nobody waits for it.
        self.0.password_changes.send(known.name).ok();
        self.hear_of_ends().await;
        Ok(())
    }

    /// Hears the name of every user whose password is changed from now on.
    pub fn password_changes(&self) -> tokio::sync::broadcast::Receiver<String> {
        self.0.password_changes.subscribe()
    }

    /// Sets what a user may do. The last administrator stays one.
    pub async fn set_role(&self, user: &UserId, role: Role) -> Result<(), HubError> {
        self.write_user(UserWrite::Role { user: user.clone(), role }).await?;
        self.hear_of_ends().await;
        Ok(())
    }

    /// Sets which devices a user sees beside the own.
    pub async fn set_sees(&self, user: &UserId, sees: Sees) -> Result<(), HubError> {
        self.write_user(UserWrite::Sees { user: user.clone(), sees }).await?;
        self.hear_of_ends().await;
        Ok(())
    }

    /// Removes a user with all sessions and tokens. The last administrator stays. The user's devices become the house's.
    pub async fn remove_user(&self, user: &UserId) -> Result<(), HubError> {
        self.remove_user_to(user, None).await
    }

    /// The same; the user's devices become another's, or the house's (`None`).
    ///
    /// # Errors
    /// `Conflict` when the other has a device of the name of one of them; the user stays then.
    pub async fn remove_user_to(&self, user: &UserId, to: Option<&User>) -> Result<(), HubError> {
        if let Some(to) = to {
            self.may_take_over(user, to)?;
        }
        self.write_user(UserWrite::Remove(user.clone())).await?;
        self.hear_of_ends().await;
        self.hand_over(user, to, "user:removed").await.map(drop)
    }

    /// Every user, by name.
    pub async fn users(&self) -> Result<Vec<User>, HubError> {
        Ok(self.reader().users().await?)
    }

    /// The user a person means: the id, else the name, letter case aside.
    pub async fn find_user(&self, text: &str) -> Result<User, HubError> {
        let users = self.users().await?;
        let found = users
            .iter()
            .find(|user| user.id.as_str() == text)
            .or_else(|| users.iter().find(|user| user.name.eq_ignore_ascii_case(text)));
        found.cloned().ok_or(HubError::NotFound("user"))
    }

    pub(super) async fn user(&self, id: &UserId) -> Result<User, HubError> {
        let users = self.users().await?;
        users.into_iter().find(|user| user.id == *id).ok_or(HubError::NotFound("user"))
    }

    pub(super) async fn write_user(&self, write: UserWrite) -> Result<(), HubError> {
        self.write(Write::User(Box::new(write))).await?;
        Ok(())
    }
}

pub(super) fn check_user_name(name: &str) -> Result<(), HubError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if letters && (3..=64).contains(&name.len()) {
        return Ok(());
    }
    Err(HubError::invalid("name", "a user name has 3 to 64 letters, digits, dots, underscores or hyphens"))
}

pub(super) fn check_password(password: &SecretString) -> Result<(), HubError> {
    let length = password.expose_secret().chars().count();
    if (8..=128).contains(&length) {
        return Ok(());
    }
    Err(HubError::invalid("password", "a password has 8 to 128 characters"))
}

/// The name of the administrator that the first start makes.
pub const FIRST_ADMIN: &str = "admin";

#[cfg(test)]
mod tests;
