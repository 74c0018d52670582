//! Reading, over a few connections that are opened when first needed and again when lost.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::connect::{Address, Session};
use super::error::{is_lost, translate};
use super::{audit_log, pages, queue, read_pages, rows, sessions};
use crate::model::{
    Admission, AuditEntry, CommandId, CommandRecord, Credential, Datum, Device, DeviceId, MessageRecord,
    Record, Seq, Session as Login, Standing, Timestamp, Token, User, UserId, WireId,
};
use crate::store::ledger::GENESIS;
use crate::store::own_tools;
use crate::store::prune::mark;
use crate::store::{
    Answer, AuditFilter, Backup, Bucket, BucketFilter, Bulk, CommandFilter, DataFilter, DeviceFilter,
    LedgerPage, MessageFilter, Reader, RecordFilter, Stats, StoreError, Weight,
};

/// Reads for any number of tasks.
pub(super) struct PostgresReader {
    address: Address,
    slots: [Mutex<Option<Arc<Session>>>; CONNECTIONS],
    turn: AtomicUsize,
}

/// A query with those conditions that its filter asks for, so that the database plans for these alone.
pub(super) struct Query {
    sql: String,
    params: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl PostgresReader {
    /// Reads from this address. Opens nothing yet.
    pub(super) fn new(address: Address) -> Self {
        Self { address, slots: Default::default(), turn: AtomicUsize::new(0) }
    }

    async fn session(&self) -> Result<Arc<Session>, StoreError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % CONNECTIONS;
        let slot = self.slots.get(turn).ok_or(StoreError::Closed)?;
        let mut slot = slot.lock().await;
        if let Some(session) = slot.as_ref().filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.address.connect().await?);
        *slot = Some(Arc::clone(&session));
        Ok(session)
    }

    /// Rows of a query.
    pub(super) async fn rows(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let params: Vec<&(dyn ToSql + Sync)> =
            query.params.iter().map(|param| param.as_ref() as &(dyn ToSql + Sync)).collect();
        let mut lost = StoreError::Closed;
        // Each connection may turn out to be lost; the one after the last is then a new one.
        for _ in 0..=CONNECTIONS {
            let session = self.session().await?;
            match session.query(&query.sql, &params).await {
                Ok(rows) => return Ok(rows),
                Err(error) if is_lost(&error) => {
                    session.retire();
                    lost = translate(&error);
                }
                Err(error) => return Err(translate(&error)),
            }
        }
        Err(lost)
    }

    async fn list<T>(
        &self,
        query: Query,
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.rows(query).await?.iter().map(read).collect()
    }

    async fn one<T>(
        &self,
        query: Query,
        read: fn(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.rows(query).await?.first().map(read).transpose()
    }

    async fn ledger_page(&self, from: Seq, limit: u32) -> Result<LedgerPage, StoreError> {
        // One statement, so that the hash before the page and the page are of one moment.
        let query = Query::new(
            "SELECT m.seq, m.at, m.family, m.address, m.direction, m.verdict, m.peer, m.raw, m.digest, m.hash, \
             (SELECT p.hash FROM message p WHERE p.seq < ",
        )
        .with(from.0)
        .text(" ORDER BY p.seq DESC LIMIT 1) AS previous FROM message m")
        .all()
        .and("m.seq >=", from.0)
        .page("m.seq", limit);
        let found = self.rows(query).await?;
        let mut previous = match found.first() {
            Some(row) if rows::value::<Option<&[u8]>>(row, "previous")?.is_some() => {
                rows::hash(row, "previous")?
            }
            Some(_) | None => GENESIS,
        };
        let mut entries = Vec::with_capacity(found.len());
        for row in &found {
            let entry = rows::entry(row, &previous)?;
            previous = entry.hash;
            entries.push(entry);
        }
        Ok(LedgerPage { entries })
    }

    /// Numbers of taken commands come free as time passes; the newest command's time stands in for now, so that
    /// this only ever skips one too many.
    async fn free_wire_id(&self, via: DeviceId) -> Result<WireId, StoreError> {
        let newest = "SELECT d.name, d.wire_last, (SELECT max(greatest(c.created, c.sent_at)) FROM command c \
             WHERE c.via = d.id) AS newest FROM device d";
        let device = self.rows(Query::new(newest).all().and("d.id =", via.as_str().to_owned())).await?;
        let device = device.first().ok_or(StoreError::NotFound("device"))?;
        let now = Timestamp::from_micros(rows::value::<Option<i64>>(device, "newest")?.unwrap_or(0));
        let since = now.minus(queue::REPLY_WINDOW).micros();
        let params: Vec<Box<dyn ToSql + Sync + Send>> =
            vec![Box::new(via.as_str().to_owned()), Box::new(since)];
        let taken = Query { sql: queue::TAKEN.to_owned(), params };
        let taken: HashSet<WireId> =
            self.list(taken, |row| rows::number(row, "wire_id")).await?.into_iter().collect();
        queue::next_free(rows::number(device, "wire_last")?, &taken)
            .ok_or_else(|| queue::full(rows::value(device, "name").unwrap_or("the device")))
    }
}

impl Query {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), params: Vec::new() }
    }

    /// More of the text.
    pub(super) fn text(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    /// A parameter at this place in the text.
    pub(super) fn with(mut self, param: impl ToSql + Sync + Send + 'static) -> Self {
        self.params.push(Box::new(param));
        let place = self.params.len().to_string();
        self.text("$").text(&place)
    }

    /// Opens the list of conditions.
    pub(super) fn all(self) -> Self {
        self.text(" WHERE true")
    }

    /// One more condition: `left` stands before the parameter.
    pub(super) fn and(self, left: &str, param: impl ToSql + Sync + Send + 'static) -> Self {
        self.text(" AND ").text(left).text(" ").with(param)
    }

    /// One more condition when the filter asks for it.
    pub(super) fn and_if<T: ToSql + Sync + Send + 'static>(self, left: &str, param: Option<T>) -> Self {
        match param {
            Some(param) => self.and(left, param),
            None => self,
        }
    }

    /// Order and size.
    pub(super) fn page(self, order: &str, limit: u32) -> Self {
        self.text(" ORDER BY ").text(order).text(" LIMIT ").with(i64::from(limit))
    }
}

impl Reader for PostgresReader {
    fn all_devices(&self) -> Answer<'_, Vec<Device>> {
        let query = Query::new(format!("SELECT {} FROM device d ORDER BY d.name, d.id", rows::DEVICE));
        Box::pin(self.list(query, rows::device))
    }

    fn devices(&self, filter: DeviceFilter) -> Answer<'_, Vec<Device>> {
        let mut query = Query::new(format!("SELECT {} FROM device d", rows::DEVICE)).all();
        if let Some(part) = filter.q {
            let part = part.to_ascii_lowercase();
            query =
                query.and("(strpos(lower(d.name), ", part.clone()).text(") > 0 OR strpos(lower(d.address), ");
            query = query.with(part).text(") > 0)");
        }
        if let Some((name, id)) = filter.after {
            query = query.and("(d.name, d.id) > (", name).text(", ").with(id.as_str().to_owned()).text(")");
        }
        let query = query
            .and_if("d.family =", filter.family.map(|family| family.as_str().to_owned()))
            .and_if("d.state =", filter.state.map(crate::model::DeviceState::as_str))
            .page("d.name, d.id", filter.limit);
        Box::pin(self.list(query, rows::device))
    }

    fn pending(&self, at: Timestamp) -> Answer<'_, Vec<DeviceId>> {
        let query = Query::new(
            "SELECT d.id FROM device d WHERE d.state = 'active' AND EXISTS (SELECT 1 FROM command c \
             JOIN device t ON t.id = c.device AND t.state = 'active' \
             WHERE c.via = d.id AND c.state = 'queued' AND c.next_at <= ",
        )
        .with(at.micros())
        .text(" AND c.expires > ")
        .with(at.micros())
        .text(") ORDER BY d.id");
        Box::pin(self.list(query, |row| Ok(DeviceId::new(rows::value(row, "id")?))))
    }

    fn messages(&self, filter: MessageFilter) -> Answer<'_, Vec<MessageRecord>> {
        let query = messages()
            .and_if("m.device =", filter.device.map(|id| id.as_str().to_owned()))
            .and_if("m.verdict =", filter.verdict.map(crate::model::Verdict::as_str))
            .and_if("m.direction =", filter.direction.map(crate::model::Direction::as_str))
            .and_if("m.at >=", filter.from.map(Timestamp::micros))
            .and_if("m.at <", filter.to.map(Timestamp::micros))
            .and_if("m.seq <", filter.before.map(|seq| seq.0))
            .page("m.seq DESC", filter.limit);
        Box::pin(self.list(query, rows::message))
    }

    fn messages_after(&self, entry: Seq, limit: u32) -> Answer<'_, Vec<MessageRecord>> {
        Box::pin(self.list(messages().and("m.seq >", entry.0).page("m.seq", limit), rows::message))
    }

    fn message(&self, seq: Seq) -> Answer<'_, Option<MessageRecord>> {
        Box::pin(self.one(messages().and("m.seq =", seq.0), rows::message))
    }

    fn commands(&self, filter: CommandFilter) -> Answer<'_, Vec<CommandRecord>> {
        let mut query = commands();
        if let Some(id) = filter.device {
            let id = id.as_str().to_owned();
            query = query.and("(c.device =", id.clone()).text(" OR c.via = ").with(id).text(")");
        }
        if let Some(id) = filter.before {
            let mark = "(c.created, c.id) < (SELECT b.created, b.id FROM command b WHERE b.id =";
            query = query.and(mark, id.as_str().to_owned()).text(")");
        }
        let query = query
            .and_if("c.state =", filter.state.map(crate::model::CommandState::as_str))
            .and_if("c.priority >=", filter.least.map(|least| i32::from(least.rank())))
            .page("c.created DESC, c.id DESC", filter.limit);
        Box::pin(self.list(query, rows::command))
    }

    fn command(&self, id: CommandId) -> Answer<'_, Option<CommandRecord>> {
        Box::pin(self.one(commands().and("c.id =", id.as_str().to_owned()), rows::command))
    }

    fn next_wire_id(&self, via: DeviceId) -> Answer<'_, WireId> {
        Box::pin(self.free_wire_id(via))
    }

    fn data(&self, filter: DataFilter) -> Answer<'_, Vec<(DeviceId, Datum)>> {
        Box::pin(read_pages::data(self, filter))
    }

    fn buckets(&self, filter: BucketFilter) -> Answer<'_, Vec<Bucket>> {
        Box::pin(read_pages::buckets(self, filter))
    }

    fn latest(&self, device: DeviceId) -> Answer<'_, Vec<Datum>> {
        Box::pin(read_pages::latest(self, device))
    }

    fn latest_each(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<(DeviceId, Vec<Datum>)>> {
        Box::pin(read_pages::latest_each(self, devices))
    }

    fn quarters(&self, device: DeviceId) -> Answer<'_, Vec<Timestamp>> {
        Box::pin(read_pages::quarters(self, device))
    }

    fn ledger(&self, from: Seq, limit: u32) -> Answer<'_, LedgerPage> {
        Box::pin(self.ledger_page(from, limit))
    }

    fn users(&self) -> Answer<'_, Vec<User>> {
        let query = Query::new(format!("SELECT {} FROM person p ORDER BY lower(p.name)", rows::USER));
        Box::pin(self.list(query, rows::user))
    }

    fn credential(&self, name: String) -> Answer<'_, Option<Credential>> {
        let query = Query::new(format!("SELECT {}, p.password_hash FROM person p", rows::USER))
            .all()
            .and("lower(p.name) = lower(", name)
            .text(" COLLATE \"C\")");
        Box::pin(self.one(query, rows::credential))
    }

    fn admission(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Admission, Login, User)>> {
        Box::pin(self.one(sessions::admission_query(&secret_hash), sessions::admission))
    }

    fn sessions(&self, user: Option<UserId>) -> Answer<'_, Vec<Login>> {
        Box::pin(self.list(sessions::list_query(user.as_ref()), sessions::session))
    }

    fn standing(&self, ids: Vec<String>) -> Answer<'_, Vec<Standing>> {
        Box::pin(self.list(sessions::standing_query(ids), sessions::standing))
    }

    fn token(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Token, User)>> {
        let query = Query::new(format!(
            "SELECT {}, {} FROM token t JOIN person p ON p.id = t.person",
            rows::TOKEN,
            rows::USER
        ))
        .all()
        .and("t.secret_hash =", secret_hash.to_vec());
        Box::pin(self.one(query, |row| Ok((rows::token(row)?, rows::user(row)?))))
    }

    fn tokens(&self, user: Option<UserId>) -> Answer<'_, Vec<Token>> {
        let query = Query::new(format!("SELECT {} FROM token t", rows::TOKEN))
            .all()
            .and_if("t.person =", user.map(|id| id.as_str().to_owned()))
            .text(" ORDER BY t.created, t.id");
        Box::pin(self.list(query, rows::token))
    }

    fn stats(&self) -> Answer<'_, Stats> {
        // The ledger has no gaps, so that its end is its length.
        let query = Query::new(
            "SELECT (SELECT coalesce(max(seq), 0) FROM message) AS messages, (SELECT count(*) FROM device) AS devices, \
             (SELECT count(*) FROM command WHERE state = 'queued') AS queued, \
             (SELECT count(*) FROM command WHERE state = 'sent' AND hold IS NOT NULL) AS sent, \
             (SELECT count(*) FROM command WHERE state = 'accepted') AS accepted",
        );
        Box::pin(async move { Ok(self.one(query, stats).await?.unwrap_or_default()) })
    }

    fn bytes(&self) -> Answer<'_, i64> {
        let query = Query::new("SELECT pg_database_size(current_database()) AS bytes");
        let bytes = |row: &Row| rows::value(row, "bytes");
        Box::pin(async move { Ok(self.one(query, bytes).await?.unwrap_or_default()) })
    }

    fn pruned(&self, what: Bulk) -> Answer<'_, Seq> {
        let note = self.note(what.note());
        Box::pin(async move { Ok(mark(note.await?.as_deref())) })
    }

    fn first_since(&self, at: Timestamp) -> Answer<'_, Seq> {
        let query = Query::new("SELECT coalesce((SELECT m.seq FROM message m WHERE m.at >= ")
            .with(at.micros())
            .text(" ORDER BY m.at, m.seq LIMIT 1), (SELECT max(m.seq) + 1 FROM message m), 1) AS seq");
        Box::pin(async move {
            let seq = self.one(query, |row| Ok(Seq(rows::value(row, "seq")?))).await?;
            Ok(seq.unwrap_or(Seq(1)))
        })
    }

    fn weigh(&self, what: Bulk, after: Seq, limit: u32) -> Answer<'_, Weight> {
        let sizes = match what {
            Bulk::Raw => "SELECT sum(octet_length(m.raw)) FROM message m WHERE m.seq".to_owned(),
            Bulk::Readings => format!("SELECT sum({}) FROM page WHERE last", pages::WEIGHT),
        };
        let query = Query::new("SELECT s.upto, coalesce((")
            .text(&sizes)
            .text(" > ")
            .with(after.0)
            .text(if what == Bulk::Raw { " AND m.seq <= s.upto" } else { " AND last <= s.upto" })
            .text("), 0)::bigint AS bytes FROM (SELECT max(n.seq) AS upto FROM (SELECT m.seq FROM message m")
            .all()
            .and("m.seq >", after.0)
            .page("m.seq", limit)
            .text(") n) s");
        Box::pin(async move { Ok(self.one(query, weight).await?.unwrap_or_default()) })
    }

    fn backup(&self) -> Answer<'_, Backup> {
        Box::pin(std::future::ready(Err(own_tools("pg_dump"))))
    }

    fn records(&self, filter: RecordFilter) -> Answer<'_, Vec<Record>> {
        let mut query = Query::new("SELECT r.kind, r.key, r.device, r.at, r.body FROM record r").all();
        if let Some((at, key)) = filter.before {
            query = query.and("(r.at, r.key) < (", at.micros()).text(", ").with(key).text(")");
        }
        let query = query
            .and("r.kind =", filter.kind)
            .and_if("r.key =", filter.key)
            .and_if("r.device =", filter.device.map(|id| id.as_str().to_owned()))
            .page("r.at DESC, r.key DESC", filter.limit);
        Box::pin(self.list(query, rows::record))
    }

    fn audit_log(&self, filter: AuditFilter) -> Answer<'_, Vec<(i64, AuditEntry)>> {
        Box::pin(self.list(audit_log::page(filter), audit_log::row))
    }

    fn note(&self, name: &'static str) -> Answer<'_, Option<Bytes>> {
        let query = Query::new("SELECT value FROM note n").all().and("n.name =", name);
        Box::pin(self.one(query, |row| Ok(Bytes::from(rows::value::<Vec<u8>>(row, "value")?))))
    }
}

fn weight(row: &Row) -> Result<Weight, StoreError> {
    let bytes: i64 = rows::value(row, "bytes")?;
    let upto: Option<i64> = rows::value(row, "upto")?;
    Ok(Weight { upto: upto.map(Seq), bytes: u64::try_from(bytes).unwrap_or(0) })
}

fn messages() -> Query {
    Query::new(format!("SELECT {} FROM message m LEFT JOIN device d ON d.id = m.device", rows::MESSAGE)).all()
}

fn commands() -> Query {
    Query::new(format!("SELECT {} FROM command c LEFT JOIN device d ON d.id = c.device", rows::COMMAND)).all()
}

fn stats(row: &Row) -> Result<Stats, StoreError> {
    Ok(Stats {
        messages: rows::value(row, "messages")?,
        queued: rows::value(row, "queued")?,
        sent: rows::value(row, "sent")?,
        accepted: rows::value(row, "accepted")?,
        devices: rows::value(row, "devices")?,
    })
}

/// Connections for reading. Each carries the queries of many tasks in turn.
const CONNECTIONS: usize = 4;
