//! Sessions of people, and the secrets that let their holders in.

use rusqlite::{Connection, OptionalExtension as _, Row};

use super::people::run;
use super::{read_people, row};
use crate::model::{Admission, Origin, Refresh, Role, Sees, Session, Standing, Timestamp, User, UserId};
use crate::store::{Renewal, Renewed, SESSIONS_MAX, StoreError};

/// Opens one. The user's oldest go when there are too many.
pub(super) fn open(db: &Connection, session: &Session, admission: &Admission) -> Result<(), StoreError> {
    let refresh = session.refresh.as_ref();
    run(
        db,
        "INSERT INTO session (id, user, created_us, used_us, expires_us, peer, agent, family_hash, refresh_hash,
            refresh_expires_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &session.id,
            session.user.as_str(),
            session.created.micros(),
            session.last_used.micros(),
            session.expires.micros(),
            &session.origin.peer,
            &session.origin.agent,
            refresh.map(|refresh| refresh.family_hash),
            refresh.map(|refresh| refresh.secret_hash),
            refresh.map(|refresh| refresh.expires.micros()),
        ),
    )?;
    run(
        db,
        "DELETE FROM session WHERE user = ?1 AND id <> ?2 AND id NOT IN (
            SELECT id FROM session WHERE user = ?1 AND id <> ?2 ORDER BY used_us DESC, id DESC LIMIT ?3)",
        (session.user.as_str(), &session.id, SESSIONS_MAX - 1),
    )?;
    let_in(db, &session.id, admission)
}

/// Puts a new refresh token in the place of the one that is shown, if that is the newest.
pub(super) fn renew(db: &Connection, renewal: &Renewal) -> Result<Renewed, StoreError> {
    let done = db
        .prepare_cached(
            "UPDATE session SET refresh_hash = ?3, refresh_expires_us = ?5, expires_us = max(?5, ?6), used_us = ?4,
                peer = ?7, agent = ?8
             WHERE family_hash = ?1 AND refresh_hash = ?2 AND refresh_expires_us > ?4 AND NOT reused RETURNING id",
        )?
        .query_row(
            (
                renewal.family_hash,
                renewal.shown_hash,
                renewal.secret_hash,
                renewal.at.micros(),
                renewal.refresh_expires.micros(),
                renewal.admission.expires.micros(),
                &renewal.origin.peer,
                &renewal.origin.agent,
            ),
            |found| found.get::<_, String>(0),
        )
        .optional()?;
    let Some(id) = done else { return refuse(db, renewal) };
    // The one before goes on to its end; a script that renews all the time has no more than these.
    run(
        db,
        "DELETE FROM admission WHERE session = ?1 AND secret_hash NOT IN (
            SELECT secret_hash FROM admission WHERE session = ?1 ORDER BY expires_us DESC LIMIT 1)",
        [&id],
    )?;
    let_in(db, &id, &renewal.admission)?;
    Ok(Renewed::Done(id))
}

/// Says why a token renews nothing. One that is not the newest was shown before: all of its session ends.
fn refuse(db: &Connection, renewal: &Renewal) -> Result<Renewed, StoreError> {
    let found = db
        .prepare_cached("SELECT id, reused, refresh_hash = ?2 FROM session WHERE family_hash = ?1")?
        .query_row((renewal.family_hash, renewal.shown_hash), |found| {
            Ok((found.get::<_, String>(0)?, found.get(1)?, found.get(2)?))
        })
        .optional()?;
    match found {
        None | Some((_, false, true)) => Ok(Renewed::Ended),
        Some((_, true, _)) => Ok(Renewed::Reused),
        Some((id, false, false)) => {
            run(db, "UPDATE session SET reused = 1 WHERE id = ?", [&id])?;
            run(db, "DELETE FROM admission WHERE session = ?", [&id])?;
            Ok(Renewed::Reused)
        }
    }
}

fn let_in(db: &Connection, session: &str, admission: &Admission) -> Result<(), StoreError> {
    run(
        db,
        "INSERT INTO admission (secret_hash, session, expires_us) VALUES (?, ?, ?)",
        (admission.secret_hash, session, admission.expires.micros()),
    )?;
    Ok(())
}

/// Notes a use.
pub(super) fn touch(db: &Connection, id: &str, at: Timestamp, origin: &Origin) -> Result<(), StoreError> {
    run(
        db,
        "UPDATE session SET used_us = max(used_us, ?2), peer = ?3, agent = ?4 WHERE id = ?1",
        (id, at.micros(), &origin.peer, &origin.agent),
    )?;
    Ok(())
}

/// Ends all of a user but one.
pub(super) fn close_all(db: &Connection, user: &UserId, but: Option<&str>) -> Result<(), StoreError> {
    run(db, "DELETE FROM session WHERE user = ?1 AND (?2 IS NULL OR id <> ?2)", (user.as_str(), but))?;
    Ok(())
}

/// Ends those whose time is over.
pub(super) fn end(db: &Connection, at: Timestamp) -> Result<(), StoreError> {
    run(db, "DELETE FROM session WHERE expires_us <= ?", [at.micros()])?;
    run(db, "DELETE FROM admission WHERE expires_us <= ?", [at.micros()])?;
    Ok(())
}

/// What a secret is good for.
pub(super) fn admission(
    db: &Connection,
    secret_hash: &[u8; 32],
) -> Result<Option<(Admission, Session, User)>, StoreError> {
    let found = db
        .prepare_cached(
            "SELECT s.id, s.user, s.created_us, s.used_us, s.expires_us, s.peer, s.agent, s.family_hash,
                s.refresh_hash, s.refresh_expires_us, u.id, u.name, u.role, u.sees, u.created_us, a.expires_us
             FROM admission a JOIN session s ON s.id = a.session JOIN user u ON u.id = s.user WHERE a.secret_hash = ?",
        )?
        .query_row([secret_hash], |found| {
            let admission = Admission { secret_hash: *secret_hash, expires: row::time(found, 15)? };
            Ok((admission, session(found)?, read_people::user(found, 10)?))
        })
        .optional()?;
    Ok(found)
}

/// Sessions, the one used last first.
pub(super) fn list(db: &Connection, user: Option<&UserId>) -> Result<Vec<Session>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT id, user, created_us, used_us, expires_us, peer, agent, family_hash, refresh_hash, refresh_expires_us
         FROM session WHERE NOT reused AND (?1 IS NULL OR user = ?1) ORDER BY used_us DESC, id DESC",
    )?;
    let sessions = query.query_map([user.map(UserId::as_str)], session)?;
    Ok(sessions.collect::<Result<_, _>>()?)
}

/// What there still is of these sessions and tokens.
pub(super) fn standing(db: &Connection, ids: &[String]) -> Result<Vec<Standing>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT s.id, u.role, u.sees FROM session s JOIN user u ON u.id = s.user WHERE s.id = ?1 AND NOT s.reused
         UNION ALL SELECT t.id, u.role, u.sees FROM token t JOIN user u ON u.id = t.user WHERE t.id = ?1",
    )?;
    let mut standing = Vec::with_capacity(ids.len());
    for id in ids {
        let found = query.query_row([id], |found| {
            Ok(Standing {
                id: found.get(0)?,
                role: row::word(found, 1, Role::parse)?,
                sees: row::word(found, 2, Sees::parse)?,
            })
        });
        standing.extend(found.optional()?);
    }
    Ok(standing)
}

fn session(found: &Row<'_>) -> rusqlite::Result<Session> {
    let family_hash: Option<[u8; 32]> = found.get(7)?;
    let secret_hash: Option<[u8; 32]> = found.get(8)?;
    let expires = row::time_if_any(found, 9)?;
    let refresh = family_hash.zip(secret_hash).zip(expires);
    Ok(Session {
        id: found.get(0)?,
        user: UserId::new(found.get_ref(1)?.as_str()?),
        created: row::time(found, 2)?,
        last_used: row::time(found, 3)?,
        expires: row::time(found, 4)?,
        origin: Origin { peer: found.get(5)?, agent: found.get(6)? },
        refresh: refresh.map(|((family_hash, secret_hash), expires)| Refresh {
            family_hash,
            secret_hash,
            expires,
        }),
    })
}
