//! Sessions of people, and the secrets that let their holders in.

use tokio_postgres::Row;

use super::batch::Work;
use super::error::Fault;
use super::reader::Query;
use super::rows;
use crate::model::{Admission, Origin, Refresh, Role, Sees, Session, Standing, Timestamp, User, UserId};
use crate::store::{Renewal, Renewed, SESSIONS_MAX, StoreError};

/// Opens one. The user's oldest go when there are too many.
pub(super) async fn open(work: &Work<'_>, session: &Session, admission: &Admission) -> Result<(), Fault> {
    let refresh = session.refresh.as_ref();
    work.execute(
        "INSERT INTO session (id, person, created, used, expires, peer, agent, family_hash, refresh_hash, \
         refresh_expires) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &session.id,
            &session.user.as_str(),
            &session.created.micros(),
            &session.last_used.micros(),
            &session.expires.micros(),
            &session.origin.peer,
            &session.origin.agent,
            &refresh.map(|refresh| refresh.family_hash.as_slice()),
            &refresh.map(|refresh| refresh.secret_hash.as_slice()),
            &refresh.map(|refresh| refresh.expires.micros()),
        ],
    )
    .await?;
    work.execute(
        "DELETE FROM session WHERE person = $1 AND id <> $2 AND id NOT IN (SELECT id FROM session \
         WHERE person = $1 AND id <> $2 ORDER BY used DESC, id DESC LIMIT $3)",
        &[&session.user.as_str(), &session.id, &(SESSIONS_MAX - 1)],
    )
    .await?;
    let_in(work, &session.id, admission).await
}

/// Puts a new refresh token in the place of the one that is shown, if that is the newest.
pub(super) async fn renew(work: &Work<'_>, renewal: &Renewal) -> Result<Renewed, Fault> {
    let done = work
        .first(
            "UPDATE session SET refresh_hash = $3, refresh_expires = $5, expires = greatest($5::bigint, $6::bigint), used = $4, \
             peer = $7, agent = $8 \
             WHERE family_hash = $1 AND refresh_hash = $2 AND refresh_expires > $4 AND NOT reused RETURNING id",
            &[
                &renewal.family_hash.as_slice(),
                &renewal.shown_hash.as_slice(),
                &renewal.secret_hash.as_slice(),
                &renewal.at.micros(),
                &renewal.refresh_expires.micros(),
                &renewal.admission.expires.micros(),
                &renewal.origin.peer,
                &renewal.origin.agent,
            ],
        )
        .await?;
    let Some(row) = done else { return refuse(work, renewal).await };
    let id: String = rows::value(&row, "id")?;
    // The one before goes on to its end; a script that renews all the time has no more than these.
    work.execute(
        "DELETE FROM admission WHERE session = $1 AND secret_hash NOT IN (SELECT secret_hash FROM admission \
         WHERE session = $1 ORDER BY expires DESC LIMIT 1)",
        &[&id],
    )
    .await?;
    let_in(work, &id, &renewal.admission).await?;
    Ok(Renewed::Done(id))
}

/// Says why a token renews nothing. One that is not the newest was shown before: all of its session ends.
async fn refuse(work: &Work<'_>, renewal: &Renewal) -> Result<Renewed, Fault> {
    let found = work
        .first(
            "SELECT id, reused, refresh_hash = $2 AS newest FROM session WHERE family_hash = $1 FOR UPDATE",
            &[&renewal.family_hash.as_slice(), &renewal.shown_hash.as_slice()],
        )
        .await?;
    let Some(row) = found else { return Ok(Renewed::Ended) };
    match (rows::value(&row, "reused")?, rows::value(&row, "newest")?) {
        (true, _) => Ok(Renewed::Reused),
        (false, true) => Ok(Renewed::Ended),
        (false, false) => {
            let id: String = rows::value(&row, "id")?;
            work.execute("UPDATE session SET reused = true WHERE id = $1", &[&id]).await?;
            work.execute("DELETE FROM admission WHERE session = $1", &[&id]).await?;
            Ok(Renewed::Reused)
        }
    }
}

async fn let_in(work: &Work<'_>, session: &str, admission: &Admission) -> Result<(), Fault> {
    let sql = "INSERT INTO admission (secret_hash, session, expires) VALUES ($1, $2, $3)";
    work.execute(sql, &[&admission.secret_hash.as_slice(), &session, &admission.expires.micros()]).await?;
    Ok(())
}

/// Notes a use.
pub(super) async fn touch(work: &Work<'_>, id: &str, at: Timestamp, origin: &Origin) -> Result<(), Fault> {
    let sql = "UPDATE session SET used = greatest(used, $2), peer = $3, agent = $4 WHERE id = $1";
    work.execute(sql, &[&id, &at.micros(), &origin.peer, &origin.agent]).await?;
    Ok(())
}

/// Ends all of a user but one.
pub(super) async fn close_all(work: &Work<'_>, user: &UserId, but: Option<&str>) -> Result<(), Fault> {
    let sql = "DELETE FROM session WHERE person = $1 AND id IS DISTINCT FROM $2";
    work.execute(sql, &[&user.as_str(), &but]).await?;
    Ok(())
}

/// Ends those whose time is over.
pub(super) async fn end(work: &Work<'_>, at: Timestamp) -> Result<(), Fault> {
    work.execute("DELETE FROM session WHERE expires <= $1", &[&at.micros()]).await?;
    work.execute("DELETE FROM admission WHERE expires <= $1", &[&at.micros()]).await?;
    Ok(())
}

/// Asks what a secret is good for; [`admission`] reads it.
pub(super) fn admission_query(secret_hash: &[u8; 32]) -> Query {
    Query::new(format!(
        "SELECT {}, {SESSION}, a.secret_hash, a.expires AS admission_expires FROM admission a \
         JOIN session s ON s.id = a.session JOIN person p ON p.id = s.person",
        rows::USER
    ))
    .all()
    .and("a.secret_hash =", secret_hash.to_vec())
}

/// Asks for sessions, the one used last first; [`session`] reads each.
pub(super) fn list_query(user: Option<&UserId>) -> Query {
    Query::new(format!("SELECT {SESSION} FROM session s"))
        .all()
        .text(" AND NOT s.reused")
        .and_if("s.person =", user.map(|id| id.as_str().to_owned()))
        .text(" ORDER BY s.used DESC, s.id DESC")
}

/// Asks what there still is of sessions and tokens; [`standing`] reads each.
pub(super) fn standing_query(ids: Vec<String>) -> Query {
    Query::new(
        "SELECT a.id, p.role, p.sees FROM (SELECT s.id, s.person FROM session s WHERE NOT s.reused \
         UNION ALL SELECT t.id, t.person FROM token t) a JOIN person p ON p.id = a.person",
    )
    .all()
    .and("a.id = ANY(", ids)
    .text(")")
}

/// A secret with its session and person.
pub(super) fn admission(row: &Row) -> Result<(Admission, Session, User), StoreError> {
    let expires = rows::time(row, "admission_expires")?;
    let admission = Admission { secret_hash: rows::hash(row, "secret_hash")?, expires };
    Ok((admission, session(row)?, rows::user(row)?))
}

/// A session.
pub(super) fn session(row: &Row) -> Result<Session, StoreError> {
    let renewed = rows::value::<Option<&[u8]>>(row, "family_hash")?.is_some();
    let refresh = if renewed {
        let expires = rows::time(row, "refresh_expires")?;
        let family_hash = rows::hash(row, "family_hash")?;
        Some(Refresh { family_hash, secret_hash: rows::hash(row, "refresh_hash")?, expires })
    } else {
        None
    };
    Ok(Session {
        id: rows::value(row, "id")?,
        user: UserId::new(rows::value(row, "person")?),
        created: rows::time(row, "created")?,
        last_used: rows::time(row, "used")?,
        expires: rows::time(row, "expires")?,
        origin: Origin { peer: rows::value(row, "peer")?, agent: rows::value(row, "agent")? },
        refresh,
    })
}

/// What a session or token lets its holder do.
pub(super) fn standing(row: &Row) -> Result<Standing, StoreError> {
    Ok(Standing {
        id: rows::value(row, "id")?,
        role: rows::word(row, "role", Role::parse)?,
        sees: rows::word(row, "sees", Sees::parse)?,
    })
}

/// The columns [`session`] reads, of `session s`.
const SESSION: &str = "s.id, s.person, s.created, s.used, s.expires, s.peer, s.agent, s.family_hash, \
     s.refresh_hash, s.refresh_expires";
