//! Writes of users, tokens and notes.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Params};

use super::{row, sessions};
use crate::model::{Credential, Role, Timestamp, Token, UserId};
use crate::store::{Outcome, StoreError, UserWrite, people};

/// Applies one change.
pub(super) fn apply(db: &Connection, write: &UserWrite) -> Result<Outcome, StoreError> {
    let done = match write {
        UserWrite::Add(credential) => add(db, credential),
        UserWrite::Password { user, password_hash, but } => {
            need(db, user)?;
            run(db, "UPDATE user SET password_hash = ? WHERE id = ?", (password_hash, user.as_str()))?;
            sessions::close_all(db, user, but.as_deref())
        }
        UserWrite::Role { user, role } => {
            if *role != Role::Admin {
                refuse_last_admin(db, user)?;
            }
            need(db, user)?;
            run(db, "UPDATE user SET role = ? WHERE id = ?", (role.as_str(), user.as_str()))?;
            Ok(())
        }
        UserWrite::Sees { user, sees } => {
            need(db, user)?;
            run(db, "UPDATE user SET sees = ? WHERE id = ?", (sees.as_str(), user.as_str()))?;
            Ok(())
        }
        UserWrite::Remove(user) => {
            refuse_last_admin(db, user)?;
            run(db, "DELETE FROM user WHERE id = ?", [user.as_str()])?;
            Ok(())
        }
        UserWrite::OpenSession(session, admission) => {
            need(db, &session.user)?;
            sessions::open(db, session, admission)
        }
        UserWrite::Renew(renewal) => return sessions::renew(db, renewal).map(Outcome::Renewed),
        UserWrite::TouchSession { id, at, origin } => sessions::touch(db, id, *at, origin),
        UserWrite::CloseSession(id) => {
            run(db, "DELETE FROM session WHERE id = ?", [id])?;
            Ok(())
        }
        UserWrite::CloseSessions { user, but } => sessions::close_all(db, user, but.as_deref()),
        UserWrite::AddToken(token) => add_token(db, token),
        UserWrite::RevokeToken(id) => match run(db, "DELETE FROM token WHERE id = ?", [id])? {
            0 => Err(StoreError::NotFound("token")),
            _ => Ok(()),
        },
        UserWrite::TouchToken(id, at) => {
            run(
                db,
                "UPDATE token SET last_used_us = max(coalesce(last_used_us, ?1), ?1) WHERE id = ?2",
                (at.micros(), id),
            )?;
            Ok(())
        }
    };
    done.map(|()| Outcome::Done)
}

/// Notes when the store was last tried.
pub(super) fn probe(db: &Connection, at: Timestamp, bytes: usize) -> Result<(), StoreError> {
    let body = format!("{at}{}", " ".repeat(bytes)).into_bytes();
    run(
        db,
        "INSERT INTO note (name, body) VALUES ('probe', ?1) ON CONFLICT (name) DO UPDATE SET body = ?1",
        [body],
    )?;
    Ok(())
}

fn add(db: &Connection, credential: &Credential) -> Result<(), StoreError> {
    let user = &credential.user;
    let taken = db.prepare_cached("SELECT 1 FROM user WHERE name = ?")?.exists([&user.name])?;
    if taken {
        return Err(StoreError::Conflict(format!("there is a user {} already", user.name)));
    }
    run(
        db,
        "INSERT INTO user (id, name, role, sees, password_hash, created_us) VALUES (?, ?, ?, ?, ?, ?)",
        (
            user.id.as_str(),
            &user.name,
            user.role.as_str(),
            user.sees.as_str(),
            &credential.password_hash,
            user.created.micros(),
        ),
    )?;
    Ok(())
}

fn add_token(db: &Connection, token: &Token) -> Result<(), StoreError> {
    need(db, &token.user)?;
    run(
        db,
        "INSERT INTO token (id, name, secret_hash, user, role, devices, created_us, last_used_us, expires_us)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &token.id,
            &token.name,
            token.secret_hash,
            token.user.as_str(),
            token.role.as_str(),
            people::devices_to_text(token.devices.as_deref())?,
            token.created.micros(),
            token.last_used.map(Timestamp::micros),
            token.expires.map(Timestamp::micros),
        ),
    )?;
    Ok(())
}

fn need(db: &Connection, user: &UserId) -> Result<Role, StoreError> {
    let role = db
        .prepare_cached("SELECT role FROM user WHERE id = ?")?
        .query_row([user.as_str()], |found| row::word(found, 0, Role::parse))
        .optional()?;
    role.ok_or(StoreError::NotFound("user"))
}

/// Refuses when nobody else could administer.
fn refuse_last_admin(db: &Connection, user: &UserId) -> Result<(), StoreError> {
    if need(db, user)? != Role::Admin {
        return Ok(());
    }
    let others = db
        .prepare_cached("SELECT 1 FROM user WHERE role = ? AND id <> ?")?
        .exists((Role::Admin.as_str(), user.as_str()))?;
    if others {
        Ok(())
    } else {
        Err(StoreError::Refused("this is the last administrator: make another one first".to_owned()))
    }
}

pub(super) fn run(db: &Connection, sql: &str, parameters: impl Params) -> Result<usize, StoreError> {
    db.prepare_cached(sql)?.execute(parameters).map_err(|error| match error {
        // Ids and hashes are random: the same one twice is the same thing sent twice.
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == ErrorCode::ConstraintViolation => {
            StoreError::Conflict("it exists already".to_owned())
        }
        error => error.into(),
    })
}
