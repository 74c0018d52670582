//! People and scripts: who they are, what they may do, how they sign in.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::secrets::{TOKEN_PREFIX, random_password, random_secret, secret_hash};
use super::{Hub, HubError};
use crate::model::{Credential, DeviceId, Role, Sees, Session, Timestamp, Token, User, UserId};
use crate::store::{StoreError, UserWrite, Write};

/// A sign-in that was opened. The secret is shown once and stored nowhere.
#[derive(Debug)]
pub struct Opened {
    /// What the browser or script holds from now on.
    pub secret: SecretString,
    /// Who signed in.
    pub user: User,
    /// When it ends.
    pub expires: Timestamp,
}

/// Who a request is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: User,
    /// What this caller may do; never more than the user.
    pub role: Role,
    /// The only devices that the caller's token is for, of those that the user sees; `None` is all of them.
    pub devices: Option<Arc<[DeviceId]>>,
    /// How the caller proved it.
    pub how: How,
}

/// How a caller proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// By a session's secret.
    Session {
        /// SHA-256 of the secret.
        secret_hash: [u8; 32],
        /// When it ends.
        expires: Timestamp,
    },
    /// By an API token.
    Token {
        /// The token's id.
        id: String,
    },
    /// By being on this machine, at the control socket.
    Local,
}

impl Caller {
    /// The caller at the control socket: whoever may open it owns the server anyway.
    pub fn local() -> Self {
        let name = "local".to_owned();
        let user = User {
            id: UserId::new("local"),
            name,
            role: Role::Admin,
            sees: Sees::House,
            created: Timestamp::from_micros(0),
        };
        Self { user, role: Role::Admin, devices: None, how: How::Local }
    }

    /// Whether the caller sees the house's devices beside the own.
    pub fn sees(&self) -> Sees {
        self.user.sees
    }

    /// How transitions name this caller: `user:<name>`.
    pub fn by(&self) -> String {
        format!("user:{}", self.user.name)
    }
}

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

    /// Opens a browser's session.
    pub async fn login(&self, name: &str, password: &SecretString, peer: IpAddr) -> Result<Opened, HubError> {
        let ttl = self.0.settings.load().session_ttl;
        self.login_for(name, password, peer, ttl).await
    }

    /// Opens a session that lasts `ttl`. A wrong name and a wrong password take the same time and give the
    /// same answer; failures are counted by network and by name.
    pub async fn login_for(
        &self,
        name: &str,
        password: &SecretString,
        peer: IpAddr,
        ttl: Duration,
    ) -> Result<Opened, HubError> {
        // What no user can have is not worth a count by name or a hash of megabytes; say what any other says.
        if check_user_name(name).is_err() || password.expose_secret().len() > PASSWORD_BYTES_MAX {
            self.0.throttle.admit(peer, "")?;
            self.0.passwords.fits(SecretString::from("x"), None).await?;
            self.0.throttle.failed(peer, "")?;
            return Err(HubError::Unauthorized);
        }
        self.0.throttle.admit(peer, name)?;
        let credential = self.reader().credential(name.to_owned()).await?;
        let (user, stored) = match credential {
            Some(Credential { user, password_hash }) => (Some(user), Some(password_hash)),
            None => (None, None),
        };
        let fits = self.0.passwords.fits(password.clone(), stored).await?;
        let Some(user) = user.filter(|_| fits) else {
            self.0.throttle.failed(peer, name)?;
            return Err(HubError::Unauthorized);
        };
        let at = self.now();
        let secret = random_secret()?;
        let session = Session {
            secret_hash: secret_hash(secret.expose_secret()),
            user: user.id.clone(),
            created: at,
            expires: at.plus(ttl),
        };
        let expires = session.expires;
        self.write_user(UserWrite::OpenSession(session)).await?;
        Ok(Opened { secret, user, expires })
    }

    /// Who holds a session's secret or an API token; `None` when it is neither, or past its end.
    pub async fn who(&self, secret: &str) -> Result<Option<Caller>, HubError> {
        if secret.len() > SECRET_BYTES_MAX {
            return Ok(None);
        }
        let hash = secret_hash(secret);
        let now = self.now();
        if !secret.starts_with(TOKEN_PREFIX) {
            let found = self.reader().session(hash).await?.filter(|(session, _)| session.expires > now);
            return Ok(found.map(|(session, user)| Caller {
                role: user.role,
                devices: None,
                user,
                how: How::Session { secret_hash: hash, expires: session.expires },
            }));
        }
        let found = self.reader().token(hash).await?;
        let Some((token, user)) = found.filter(|(token, _)| token.expires.is_none_or(|end| end > now)) else {
            return Ok(None);
        };
        self.touch_token(&token, now).await;
        Ok(Some(Caller {
            role: token.role.min(user.role),
            user,
            devices: token.devices.map(Arc::from),
            how: How::Token { id: token.id },
        }))
    }

    /// Ends a session by its secret; an unknown one is no error.
    pub async fn logout(&self, secret: &str) -> Result<(), HubError> {
        self.write_user(UserWrite::CloseSession(secret_hash(secret))).await
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

    /// Sets a user's password and ends the user's sessions.
    pub async fn passwd(&self, user: &UserId, password: SecretString) -> Result<(), HubError> {
        check_password(&password)?;
        let known = self.user(user).await?;
        let password_hash = self.0.passwords.hash(password).await?;
        self.write_user(UserWrite::Password { user: user.clone(), password_hash }).await?;
        // An error only says that nobody waits for it.
        self.0.password_changes.send(known.name).ok();
        Ok(())
    }

    /// Sets a user's own password after the old one was typed again; failures are counted as at sign-in.
    pub async fn change_password(
        &self,
        user: &User,
        old: &SecretString,
        new: SecretString,
        peer: IpAddr,
    ) -> Result<(), HubError> {
        self.0.throttle.admit(peer, &user.name)?;
        let stored = self.reader().credential(user.name.clone()).await?.map(|known| known.password_hash);
        if !self.0.passwords.fits(old.clone(), stored).await? {
            self.0.throttle.failed(peer, &user.name)?;
            return Err(HubError::Unauthorized);
        }
        self.passwd(&user.id, new).await
    }

    /// Hears the name of every user whose password is changed from now on.
    pub fn password_changes(&self) -> tokio::sync::broadcast::Receiver<String> {
        self.0.password_changes.subscribe()
    }

    /// Sets what a user may do. The last administrator stays one.
    pub async fn set_role(&self, user: &UserId, role: Role) -> Result<(), HubError> {
        self.write_user(UserWrite::Role { user: user.clone(), role }).await
    }

    /// Sets which devices a user sees beside the own.
    pub async fn set_sees(&self, user: &UserId, sees: Sees) -> Result<(), HubError> {
        self.write_user(UserWrite::Sees { user: user.clone(), sees }).await
    }

    /// Removes a user with all sessions and tokens. The last administrator stays.
    pub async fn remove_user(&self, user: &UserId) -> Result<(), HubError> {
        self.write_user(UserWrite::Remove(user.clone())).await
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

    /// Makes an API token; its secret is told once. It may do at most what its user may.
    pub async fn create_token(
        &self,
        user: &UserId,
        name: &str,
        role: Role,
        life: Option<Duration>,
    ) -> Result<(Token, SecretString), HubError> {
        let name = name.trim();
        if name.is_empty()
            || name.chars().count() > TOKEN_NAME_CHARS_MAX
            || name.chars().any(char::is_control)
        {
            let message = format!("a token's name has 1 to {TOKEN_NAME_CHARS_MAX} printable characters");
            return Err(HubError::invalid("name", message));
        }
        let owner = self.user(user).await?;
        if role > owner.role {
            let message = format!("{} is {}: a token may not do more than its user", owner.name, owner.role);
            return Err(HubError::invalid("role", message));
        }
        let secret = random_secret()?;
        let secret = SecretString::from(format!("{TOKEN_PREFIX}{}", secret.expose_secret()));
        let at = self.now();
        let token = Token {
            id: uuid::Uuid::now_v7().simple().to_string(),
            name: name.to_owned(),
            secret_hash: secret_hash(secret.expose_secret()),
            user: user.clone(),
            role,
            devices: None,
            created: at,
            last_used: None,
            expires: life.map(|life| at.plus(life)),
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
        self.write_user(UserWrite::RevokeToken(id.to_owned())).await
    }

    async fn user(&self, id: &UserId) -> Result<User, HubError> {
        let users = self.users().await?;
        users.into_iter().find(|user| user.id == *id).ok_or(HubError::NotFound("user"))
    }

    async fn write_user(&self, write: UserWrite) -> Result<(), HubError> {
        self.write(Write::User(Box::new(write))).await?;
        Ok(())
    }

    /// Notes a token's use, once a minute at most. A note that cannot be stored keeps nobody out.
    async fn touch_token(&self, token: &Token, now: Timestamp) {
        let noted = token.last_used.is_some_and(|used| used.seconds() / 60 == now.seconds() / 60);
        if !noted && let Err(error) = self.write_user(UserWrite::TouchToken(token.id.clone(), now)).await {
            tracing::warn!(token = %token.id, %error, "cannot note the use of a token");
        }
    }
}

fn check_user_name(name: &str) -> Result<(), HubError> {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if letters && (3..=64).contains(&name.len()) {
        return Ok(());
    }
    Err(HubError::invalid("name", "a user name has 3 to 64 letters, digits, dots, underscores or hyphens"))
}

fn check_password(password: &SecretString) -> Result<(), HubError> {
    let length = password.expose_secret().chars().count();
    if (8..=128).contains(&length) {
        return Ok(());
    }
    Err(HubError::invalid("password", "a password has 8 to 128 characters"))
}

/// The first user's name.
/// The name of the administrator that the first start makes.
pub const FIRST_ADMIN: &str = "admin";
/// 128 characters of at most four bytes.
const PASSWORD_BYTES_MAX: usize = 512;
/// Far more than any secret of ours has.
const SECRET_BYTES_MAX: usize = 256;
const TOKEN_NAME_CHARS_MAX: usize = 64;

#[cfg(test)]
mod tests;
