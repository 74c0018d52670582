//! Reads of users, tokens and notes.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::row;
use crate::model::{Credential, Role, Sees, Token, User, UserId};
use crate::store::StoreError;

/// All users, by name.
pub(super) fn users(db: &Connection) -> Result<Vec<User>, StoreError> {
    let mut query = db.prepare_cached("SELECT id, name, role, sees, created_us FROM user ORDER BY name")?;
    let users = query.query_map([], |found| user(found, 0))?;
    Ok(users.collect::<Result<_, _>>()?)
}

/// One user with the password hash.
pub(super) fn credential(db: &Connection, name: &str) -> Result<Option<Credential>, StoreError> {
    let found = db
        .prepare_cached("SELECT id, name, role, sees, created_us, password_hash FROM user WHERE name = ?")?
        .query_row([name], |found| Ok(Credential { user: user(found, 0)?, password_hash: found.get(5)? }))
        .optional()?;
    Ok(found)
}

/// One token with its user.
pub(super) fn token(db: &Connection, secret_hash: &[u8; 32]) -> Result<Option<(Token, User)>, StoreError> {
    let found = db
        .prepare_cached(&format!("{TOKENS} WHERE t.secret_hash = ?"))?
        .query_row([secret_hash], token_row)
        .optional()?;
    Ok(found)
}

/// All tokens of one user or of all, oldest first.
pub(super) fn tokens(db: &Connection, user: Option<&UserId>) -> Result<Vec<Token>, StoreError> {
    let mut query =
        db.prepare_cached(&format!("{TOKENS} WHERE ?1 IS NULL OR t.user = ?1 ORDER BY t.created_us, t.id"))?;
    let tokens = query.query_map([user.map(UserId::as_str)], |found| Ok(token_row(found)?.0))?;
    Ok(tokens.collect::<Result<_, _>>()?)
}

/// A small text kept under a name.
pub(super) fn note(db: &Connection, name: &str) -> Result<Option<Bytes>, StoreError> {
    let body = db
        .prepare_cached("SELECT body FROM note WHERE name = ?")?
        .query_row([name], |found| found.get::<_, Vec<u8>>(0))
        .optional()?;
    Ok(body.map(Into::into))
}

/// Five columns from `at` on: id, name, role, sees, created.
pub(super) fn user(found: &Row<'_>, at: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId::new(found.get_ref(at)?.as_str()?),
        name: found.get(at + 1)?,
        role: row::word(found, at + 2, Role::parse)?,
        sees: row::word(found, at + 3, Sees::parse)?,
        created: row::time(found, at + 4)?,
    })
}

fn token_row(found: &Row<'_>) -> rusqlite::Result<(Token, User)> {
    let user = user(found, 0)?;
    let token = Token {
        id: found.get(5)?,
        name: found.get(6)?,
        secret_hash: found.get(7)?,
        user: user.id.clone(),
        role: row::word(found, 8, Role::parse)?,
        devices: row::devices_if_any(found, 9)?,
        created: row::time(found, 10)?,
        last_used: row::time_if_any(found, 11)?,
        expires: row::time_if_any(found, 12)?,
    };
    Ok((token, user))
}

const TOKENS: &str = "SELECT u.id, u.name, u.role, u.sees, u.created_us, t.id, t.name, t.secret_hash, t.role, \
     t.devices, t.created_us, t.last_used_us, t.expires_us FROM token t JOIN user u ON u.id = t.user";
