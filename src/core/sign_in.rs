//! Signing in, staying signed in, and signing out (`accounts-dashboard.md §3`).
//!
//! A session is one sign-in. Its refresh tokens are of one family, which their first half names; the other half of the
//! newest is stored, as a hash. So a token that is shown a second time is known as one, however old, and ends its family.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use super::caller::{Caller, How, Visitor};
use super::error::AccountFault;
use super::hub::astray;
use super::secrets::{self, TOKEN_PREFIX, random_secret, secret_hash};
use super::{Hub, HubError, operators};
use crate::model::{Admission, Credential, Refresh, Session, Timestamp, Token, User, UserId};
use crate::store::{Outcome, Renewal, Renewed, UserWrite, Write};

/// A sign-in that was opened with a browser. The secret is shown once and stored nowhere.
#[derive(Debug)]
pub struct Opened {
    /// What the browser holds from now on.
    pub secret: SecretString,
    /// Who signed in.
    pub user: User,
    /// The session's id.
    pub session: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// What a script has from a sign-in, and from each renewal. The secrets are shown once and stored nowhere.
#[derive(Debug)]
pub struct Pair {
    /// Lets the holder in.
    pub access: SecretString,
    /// For how long; it is taken for [`LEEWAY`] longer.
    pub access_life: Duration,
    /// Gets the next pair, once.
    pub refresh: SecretString,
    /// For how long.
    pub refresh_life: Duration,
    /// The session's id.
    pub session: String,
}

impl Hub {
    /// Opens a browser's session.
    pub async fn login(
        &self,
        name: &str,
        password: &SecretString,
        visitor: &Visitor,
    ) -> Result<Opened, HubError> {
        let user = self.prove(name, password, visitor).await?;
        let at = self.now();
        let expires = at.plus(self.0.settings.load().session_ttl);
        let secret = random_secret()?;
        let admission = Admission { secret_hash: secret_hash(secret.expose_secret()), expires };
        let session = session(&user, at, expires, visitor);
        let id = session.id.clone();
        self.write_user(UserWrite::OpenSession(session, admission)).await?;
        Ok(Opened { secret, user, session: id, expires })
    }

    /// Opens a script's session.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &SecretString,
        visitor: &Visitor,
    ) -> Result<(User, Pair), HubError> {
        let user = self.prove(name, password, visitor).await?;
        let at = self.now();
        let settings = self.settings();
        let (access, family) = (random_secret()?, secrets::random_half()?);
        let half = secrets::random_half()?;
        let admission = Admission {
            secret_hash: secret_hash(access.expose_secret()),
            expires: at.plus(settings.access_ttl).plus(LEEWAY),
        };
        let refresh = Refresh {
            family_hash: secret_hash(family.expose_secret()),
            secret_hash: secret_hash(half.expose_secret()),
            expires: at.plus(settings.refresh_ttl),
        };
        let expires = refresh.expires.max(admission.expires);
        let session = Session { refresh: Some(refresh), ..session(&user, at, expires, visitor) };
        let pair = Pair {
            access,
            access_life: settings.access_ttl,
            refresh: joined(&family, &half),
            refresh_life: settings.refresh_ttl,
            session: session.id.clone(),
        };
        self.write_user(UserWrite::OpenSession(session, admission)).await?;
        Ok((user, pair))
    }

    /// Gives the next pair for a refresh token, which is good once: of several that show it at a time one gets a pair,
    /// and the others end the family.
    pub async fn renew(&self, token: &SecretString, visitor: &Visitor) -> Result<Pair, HubError> {
        let ended = || HubError::Account(AccountFault::RefreshExpired);
        let (family, shown) = halves(token.expose_secret()).ok_or_else(ended)?;
        let at = self.now();
        let settings = self.settings();
        let (access, half) = (random_secret()?, secrets::random_half()?);
        let renewal = Renewal {
            family_hash: secret_hash(family),
            shown_hash: secret_hash(shown),
            at,
            origin: visitor.origin(),
            secret_hash: secret_hash(half.expose_secret()),
            refresh_expires: at.plus(settings.refresh_ttl),
            admission: Admission {
                secret_hash: secret_hash(access.expose_secret()),
                expires: at.plus(settings.access_ttl).plus(LEEWAY),
            },
        };
        let family = SecretString::from(family.to_owned());
        match self.write(Write::User(Box::new(UserWrite::Renew(renewal)))).await? {
            Outcome::Renewed(Renewed::Done(session)) => Ok(Pair {
                access,
                access_life: settings.access_ttl,
                refresh: joined(&family, &half),
                refresh_life: settings.refresh_ttl,
                session,
            }),
            Outcome::Renewed(Renewed::Reused) => {
                self.hear_of_ends().await;
                Err(HubError::Account(AccountFault::RefreshReused))
            }
            Outcome::Renewed(Renewed::Ended) => Err(ended()),
            other => Err(astray(&other)),
        }
    }

    /// Who holds a session's secret or an API token; `None` when it is neither, or past its end.
    pub async fn who(&self, secret: &str) -> Result<Option<Caller>, HubError> {
        self.who_from(secret, None).await
    }

    /// The same, and takes note of the use and of where it was made.
    pub async fn who_from(
        &self,
        secret: &str,
        visitor: Option<&Visitor>,
    ) -> Result<Option<Caller>, HubError> {
        if secret.len() > SECRET_BYTES_MAX {
            return Ok(None);
        }
        let hash = secret_hash(secret);
        let now = self.now();
        if !secret.starts_with(TOKEN_PREFIX) {
            let found = self.reader().admission(hash).await?;
            let Some((admission, session, user)) = found.filter(|(admission, ..)| admission.expires > now)
            else {
                return Ok(None);
            };
            self.touch_session(&session, visitor, now).await;
            let how = How::Session { id: session.id, expires: admission.expires };
            return Ok(Some(Caller { role: user.role, user, devices: None, how }));
        }
        let found = self.reader().token(hash).await?;
        let Some((token, user)) = found.filter(|(token, _)| token.expires.is_none_or(|end| end > now)) else {
            return Ok(None);
        };
        self.touch_token(&token, now).await;
        Ok(Some(Caller {
            role: token.role.min(user.role),
            user,
            devices: token.devices.map(Into::into),
            how: How::Token { id: token.id, expires: token.expires },
        }))
    }

    /// Ends the session that a secret is of; an unknown one is no error.
    pub async fn logout(&self, secret: &str) -> Result<(), HubError> {
        match self.reader().admission(secret_hash(secret)).await? {
            Some((_, session, _)) => self.end_session(&session.id).await,
            None => Ok(()),
        }
    }

    /// The sessions of one user, or of all, the one used last first.
    pub async fn sessions(&self, user: Option<&UserId>) -> Result<Vec<Session>, HubError> {
        let now = self.now();
        let mut sessions = self.reader().sessions(user.cloned()).await?;
        sessions.retain(|session| session.expires > now);
        Ok(sessions)
    }

    /// Ends a session by its id; an unknown one is no error.
    pub async fn end_session(&self, id: &str) -> Result<(), HubError> {
        self.write_user(UserWrite::CloseSession(id.to_owned())).await?;
        self.hear_of_ends().await;
        Ok(())
    }

    /// Ends all sessions of a user, or all but one. API tokens stay.
    pub async fn end_sessions(&self, user: &UserId, but: Option<&str>) -> Result<(), HubError> {
        let but = but.map(str::to_owned);
        self.write_user(UserWrite::CloseSessions { user: user.clone(), but }).await?;
        self.hear_of_ends().await;
        Ok(())
    }

    /// Finds out whose name and password these are. A wrong name and a wrong password take the same time and give the
    /// same answer; failures are counted by network and by name.
    async fn prove(&self, name: &str, password: &SecretString, visitor: &Visitor) -> Result<User, HubError> {
        let peer = visitor.peer;
        // What no user can have is not worth a count by name or a hash of megabytes; say what any other says.
        if operators::check_user_name(name).is_err() || password.expose_secret().len() > PASSWORD_BYTES_MAX {
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
        self.came_in(&user).await;
        Ok(user)
    }

    /// Notes a session's use, once a minute at most. A note that cannot be stored keeps nobody out.
    async fn touch_session(&self, session: &Session, visitor: Option<&Visitor>, now: Timestamp) {
        if same_minute(session.last_used, now) {
            return;
        }
        let origin = visitor.map_or_else(|| session.origin.clone(), Visitor::origin);
        let write = UserWrite::TouchSession { id: session.id.clone(), at: now, origin };
        if let Err(error) = self.write_user(write).await {
            tracing::warn!(session = %session.id, %error, "cannot note the use of a session");
        }
    }

    /// Notes a token's use, once a minute at most.
    async fn touch_token(&self, token: &Token, now: Timestamp) {
        let noted = token.last_used.is_some_and(|used| same_minute(used, now));
        if !noted && let Err(error) = self.write_user(UserWrite::TouchToken(token.id.clone(), now)).await {
            tracing::warn!(token = %token.id, %error, "cannot note the use of a token");
        }
    }
}

fn session(user: &User, at: Timestamp, expires: Timestamp, visitor: &Visitor) -> Session {
    Session {
        id: uuid::Uuid::new_v4().simple().to_string(),
        user: user.id.clone(),
        created: at,
        last_used: at,
        expires,
        origin: visitor.origin(),
        refresh: None,
    }
}

fn same_minute(one: Timestamp, other: Timestamp) -> bool {
    one.seconds() / 60 == other.seconds() / 60
}

fn joined(family: &SecretString, half: &SecretString) -> SecretString {
    SecretString::from(format!("{REFRESH_PREFIX}{}{}", family.expose_secret(), half.expose_secret()))
}

/// Both halves of a refresh token.
fn halves(token: &str) -> Option<(&str, &str)> {
    let letters = token.strip_prefix(REFRESH_PREFIX)?;
    let sound =
        letters.len() == 2 * secrets::HALF_CHARS && letters.bytes().all(|b| b.is_ascii_alphanumeric());
    if sound { letters.split_at_checked(secrets::HALF_CHARS) } else { None }
}

/// How much longer an access secret is taken than was told, for clocks that differ (`accounts-dashboard.md §3`).
pub const LEEWAY: Duration = Duration::from_secs(30);
/// What a refresh token starts with.
const REFRESH_PREFIX: &str = "rt_";
/// 128 characters of at most four bytes.
const PASSWORD_BYTES_MAX: usize = 512;
/// Far more than any secret of ours has.
const SECRET_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests;
