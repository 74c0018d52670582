//! Writing users and tokens.

use super::batch::Work;
use super::error::Fault;
use super::sessions;
use crate::model::{Credential, Role, Sees, Timestamp, Token, UserId};
use crate::store::{Outcome, StoreError, UserWrite, people};

/// Applies one change.
pub(super) async fn change(work: &Work<'_>, change: &UserWrite) -> Result<Outcome, Fault> {
    let done = match change {
        UserWrite::Add(credential) => add(work, credential).await,
        UserWrite::Password { user, password_hash, but } => {
            password(work, user, password_hash).await?;
            sessions::close_all(work, user, but.as_deref()).await
        }
        UserWrite::Role { user, role } => set_role(work, user, *role).await,
        UserWrite::Sees { user, sees } => set_sees(work, user, *sees).await,
        UserWrite::Remove(user) => remove(work, user).await,
        UserWrite::OpenSession(session, admission) => {
            known(work, &session.user).await?;
            sessions::open(work, session, admission).await
        }
        UserWrite::Renew(renewal) => return sessions::renew(work, renewal).await.map(Outcome::Renewed),
        UserWrite::TouchSession { id, at, origin } => sessions::touch(work, id, *at, origin).await,
        UserWrite::CloseSession(id) => {
            work.execute("DELETE FROM session WHERE id = $1", &[id]).await?;
            Ok(())
        }
        UserWrite::CloseSessions { user, but } => sessions::close_all(work, user, but.as_deref()).await,
        UserWrite::AddToken(token) => add_token(work, token).await,
        UserWrite::RevokeToken(id) => {
            found(work.execute("DELETE FROM token WHERE id = $1", &[id]).await?, "token")
        }
        UserWrite::TouchToken(id, at) => {
            let sql = "UPDATE token SET last_used = greatest(last_used, $2) WHERE id = $1";
            work.execute(sql, &[id, &at.micros()]).await?;
            Ok(())
        }
    };
    done.map(|()| Outcome::Done)
}

/// Notes when the store was last tried.
pub(super) async fn probe(work: &Work<'_>, at: Timestamp, bytes: usize) -> Result<(), Fault> {
    let sql = "INSERT INTO note (name, value) VALUES ('probe', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    work.execute(sql, &[&format!("{at}{}", " ".repeat(bytes)).into_bytes()]).await?;
    Ok(())
}

async fn add(work: &Work<'_>, credential: &Credential) -> Result<(), Fault> {
    let user = &credential.user;
    if work
        .first("SELECT 1 FROM person WHERE lower(name) = lower($1 COLLATE \"C\")", &[&user.name])
        .await?
        .is_some()
    {
        return Err(StoreError::Conflict(format!("there is a user {} already", user.name)).into());
    }
    work.execute(
        "INSERT INTO person (id, name, role, sees, created, password_hash) VALUES ($1, $2, $3, $4, $5, $6)",
        &[
            &user.id.as_str(),
            &user.name,
            &user.role.as_str(),
            &user.sees.as_str(),
            &user.created.micros(),
            &credential.password_hash,
        ],
    )
    .await?;
    Ok(())
}

async fn password(work: &Work<'_>, user: &UserId, hash: &str) -> Result<(), Fault> {
    let sql = "UPDATE person SET password_hash = $2 WHERE id = $1";
    found(work.execute(sql, &[&user.as_str(), &hash]).await?, "user")
}

async fn set_role(work: &Work<'_>, user: &UserId, role: Role) -> Result<(), Fault> {
    if role != Role::Admin {
        keep_an_admin(work, user).await?;
    }
    let sql = "UPDATE person SET role = $2 WHERE id = $1";
    found(work.execute(sql, &[&user.as_str(), &role.as_str()]).await?, "user")
}

async fn set_sees(work: &Work<'_>, user: &UserId, sees: Sees) -> Result<(), Fault> {
    let sql = "UPDATE person SET sees = $2 WHERE id = $1";
    found(work.execute(sql, &[&user.as_str(), &sees.as_str()]).await?, "user")
}

async fn remove(work: &Work<'_>, user: &UserId) -> Result<(), Fault> {
    keep_an_admin(work, user).await?;
    found(work.execute("DELETE FROM person WHERE id = $1", &[&user.as_str()]).await?, "user")
}

/// Refuses what would leave no administrator.
async fn keep_an_admin(work: &Work<'_>, user: &UserId) -> Result<(), Fault> {
    let last = work
        .first(
            "SELECT 1 FROM person WHERE id = $1 AND role = 'admin' \
             AND NOT EXISTS (SELECT 1 FROM person WHERE id <> $1 AND role = 'admin')",
            &[&user.as_str()],
        )
        .await?;
    match last {
        Some(_) => {
            Err(StoreError::Refused("this is the last administrator: make another one first".to_owned())
                .into())
        }
        None => Ok(()),
    }
}

async fn add_token(work: &Work<'_>, token: &Token) -> Result<(), Fault> {
    known(work, &token.user).await?;
    work.execute(
        "INSERT INTO token (id, name, secret_hash, person, role, devices, created, last_used, expires) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        &[
            &token.id,
            &token.name,
            &token.secret_hash.as_slice(),
            &token.user.as_str(),
            &token.role.as_str(),
            &people::devices_to_text(token.devices.as_deref())?,
            &token.created.micros(),
            &token.last_used.map(Timestamp::micros),
            &token.expires.map(Timestamp::micros),
        ],
    )
    .await?;
    Ok(())
}

async fn known(work: &Work<'_>, user: &UserId) -> Result<(), Fault> {
    match work.first("SELECT 1 FROM person WHERE id = $1", &[&user.as_str()]).await? {
        Some(_) => Ok(()),
        None => Err(StoreError::NotFound("user").into()),
    }
}

fn found(touched: u64, what: &'static str) -> Result<(), Fault> {
    if touched == 0 { Err(StoreError::NotFound(what).into()) } else { Ok(()) }
}
