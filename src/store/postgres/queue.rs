//! Writing commands: queued, handed out, settled, withdrawn, swept.

use std::collections::HashSet;
use std::time::Duration;

use bytes::Bytes;

use super::batch::{Append, Work};
use super::error::Fault;
use super::{device, rows};
use crate::model::{
    CommandId, CommandRecord, CommandState, DeviceId, DeviceRef, Direction, Draft, Dress, Lease, Timestamp,
    Verdict, WireId,
};
use crate::store::{
    ASK_AGAIN, Acknowledgement, Enqueued, Leased, Reply, Settled, StoreError, handed_out, queue_full,
};

/// A device's question for its oldest due command.
pub(super) struct Ask<'a> {
    pub(super) via: &'a DeviceId,
    pub(super) last: Acknowledgement,
    pub(super) at: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) attempts_max: u32,
    pub(super) peer: &'a str,
    pub(super) dress: Option<&'a Dress>,
}

/// A change of state that is to be made, with its reason.
struct Step<'a> {
    from: CommandState,
    to: CommandState,
    at: Timestamp,
    reason: &'a str,
    by: &'a str,
}

/// Queues a command; adopts the devices it concerns.
pub(super) async fn enqueue(work: &Work<'_>, draft: &Draft) -> Result<Enqueued, Fault> {
    device::need(work, &draft.device.id).await?;
    device::need(work, &draft.via.id).await?;
    let mut adopted = Vec::new();
    for device in [&draft.device, &draft.via] {
        if device::adopt(work, &device.id).await? {
            adopted.push(device.id.clone());
        }
    }
    if work.first("SELECT 1 FROM command WHERE id = $1", &[&draft.id.as_str()]).await?.is_some() {
        return Err(StoreError::Conflict(format!("there is a command {} already", draft.id)).into());
    }
    let waiting = "SELECT count(*) FROM command WHERE state = 'queued' AND via = $1";
    if let Some(row) = work.first(waiting, &[&draft.via.id.as_str()]).await?
        && row.try_get::<_, i64>(0)? >= i64::from(draft.waiting_max)
    {
        return Err(queue_full(draft).into());
    }
    let wire_id = take_wire_id(work, &draft.via, draft.at).await?;
    let bytes = (draft.encode)(wire_id)?;
    work.execute(
        "INSERT INTO command (id, device, family, address, name, via, cmd, payload, wire_id, bytes, state, \
         created, expires, next_at, priority) \
         SELECT $1, d.id, d.family, d.address, d.name, $3, $4, $5, $6, $7, 'queued', $8, $9, $8, $10 \
         FROM device d WHERE d.id = $2",
        &[
            &draft.id.as_str(),
            &draft.device.id.as_str(),
            &draft.via.id.as_str(),
            &draft.cmd,
            &draft.payload,
            &i32::from(wire_id),
            &bytes.as_ref(),
            &draft.at.micros(),
            &draft.expires.micros(),
            &i32::from(draft.priority.rank()),
        ],
    )
    .await?;
    note(work, &draft.id, CommandState::Queued, draft.at, "it was asked for", &draft.by).await?;
    Ok(Enqueued { command: record(work, &draft.id).await?, adopted })
}

/// Takes what the device says of the command it got last, then hands out the oldest due one.
pub(super) async fn lease(work: &mut Work<'_>, ask: &Ask<'_>) -> Result<Leased, Fault> {
    let Some(row) = work.first("SELECT address FROM device WHERE id = $1", &[&ask.via.as_str()]).await?
    else {
        return Err(StoreError::NotFound("device").into());
    };
    let by = format!("device:{}", rows::value::<&str>(&row, "address")?);
    let mut changed = acknowledge(work, ask, &by).await?;
    let due = work
        .first(
            &format!("SELECT c.id FROM {DUE} {FIRST} LIMIT 1 FOR UPDATE OF c SKIP LOCKED"),
            &[&ask.via.as_str(), &ask.at.micros()],
        )
        .await?;
    let mut lease = None;
    if let Some(row) = due {
        let (command, bytes) = hand_out(work, ask, &CommandId::new(rows::value(&row, "id")?), &by).await?;
        lease = Some(Lease { id: command.id.clone(), wire_id: command.wire_id, bytes });
        changed.retain(|other| other.id != command.id);
        changed.push(command);
    }
    let more = is_pending(work, ask.via, ask.at).await?;
    Ok(Leased { lease, more, changed })
}

/// Withdraws a command that nobody fetched yet.
pub(super) async fn cancel(
    work: &Work<'_>,
    id: &CommandId,
    at: Timestamp,
    by: &str,
) -> Result<CommandRecord, Fault> {
    let from = record(work, id).await?.state;
    step(work, id, &Step { from, to: CommandState::Cancelled, at, reason: "it was withdrawn", by }).await?;
    record(work, id).await
}

/// Takes back a command that was handed out and did not leave: it is the next to go again.
pub(super) async fn hand_back(
    work: &Work<'_>,
    id: &CommandId,
    at: Timestamp,
    reason: &str,
) -> Result<CommandRecord, Fault> {
    let from = record(work, id).await?.state;
    step(work, id, &Step { from, to: CommandState::Queued, at, reason, by: "server" }).await?;
    let sql = "UPDATE command SET next_at = $2, hold = NULL WHERE id = $1";
    work.execute(sql, &[&id.as_str(), &at.micros()]).await?;
    record(work, id).await
}

/// Expires what is past its time, and takes back what was handed out and not heard of again.
pub(super) async fn sweep(
    work: &Work<'_>,
    at: Timestamp,
    attempts_max: u32,
) -> Result<Vec<CommandRecord>, Fault> {
    let late = work
        .query(
            "SELECT c.id FROM command c WHERE c.state IN ('queued', 'sent') \
             AND (c.state = 'queued' OR c.hold IS NOT NULL) \
             AND (c.expires <= $1 OR (c.state = 'sent' AND c.hold <= $1)) \
             ORDER BY c.expires > $1, c.created, c.id FOR UPDATE SKIP LOCKED",
            &[&at.micros()],
        )
        .await?;
    let mut changed = Vec::with_capacity(late.len());
    for row in late {
        let command = record(work, &CommandId::new(rows::value(&row, "id")?)).await?;
        let from = command.state;
        if command.expires <= at {
            let reason = "its time ran out before the device took it";
            step(work, &command.id, &Step { from, to: CommandState::Expired, at, reason, by: "server" })
                .await?;
        } else {
            let reason = "the device did not say that it took it";
            let wait = CommandRecord::back_off(command.attempts);
            put_back(work, &command, attempts_max, wait, &Step { from, to: from, at, reason, by: "server" })
                .await?;
        }
        changed.push(record(work, &command.id).await?);
    }
    Ok(changed)
}

/// Finds the command that a message replies to, and ends it.
pub(super) async fn settle(
    work: &Work<'_>,
    reply: &Reply,
    device: Option<&DeviceRef>,
    at: Timestamp,
    raw: &Bytes,
) -> Result<Option<Box<Settled>>, Fault> {
    let from: Vec<&str> = reply.from.iter().map(DeviceId::as_str).collect();
    let rows = work
        .query(
            "SELECT c.id, c.state, c.payload FROM command c WHERE c.device = ANY($1) AND c.wire_id = $2 \
             AND c.state IN ('queued', 'sent', 'accepted') AND c.sent_at >= $3 ORDER BY c.sent_at DESC, c.id DESC",
            &[&from, &i32::from(reply.wire_id), &reply.since.micros()],
        )
        .await?;
    let mut chosen = None;
    for row in &rows {
        let shares = shares_key(rows::value(row, "payload")?, &reply.keys);
        if chosen.is_none() || shares {
            chosen = Some(CommandId::new(rows::value(row, "id")?));
        }
        if shares {
            break;
        }
    }
    let Some(id) = chosen else { return Ok(None) };
    let target = record(work, &id).await?;
    let address = device.map_or(&target.device.address, |names| &names.address);
    let by = format!("device:{address}");
    let from = target.state;
    step(work, &id, &Step { from, to: CommandState::Answered, at, reason: "the device replied", by: &by })
        .await?;
    work.execute("UPDATE command SET reply = $2 WHERE id = $1", &[&id.as_str(), &raw.as_ref()]).await?;
    Ok(Some(Box::new(Settled { command: record(work, &id).await? })))
}

/// Whether a due command waits for this device.
async fn is_pending(work: &Work<'_>, via: &DeviceId, at: Timestamp) -> Result<bool, Fault> {
    let sql = format!("SELECT 1 FROM {DUE} LIMIT 1");
    Ok(work.first(&sql, &[&via.as_str(), &at.micros()]).await?.is_some())
}

/// Whether a device should be told to ask: a command is due, or one it fetched is not acknowledged yet
/// ([`ASK_AGAIN`]).
pub(super) async fn announce(work: &Work<'_>, via: &DeviceId, at: Timestamp) -> Result<bool, Fault> {
    if is_pending(work, via, at).await? {
        return Ok(true);
    }
    let sql = "SELECT 1 FROM command c JOIN device v ON v.id = c.via AND v.state = 'active' \
               WHERE c.state = 'sent' AND c.via = $1 AND c.sent_at <= $2 AND c.hold IS NOT NULL LIMIT 1";
    Ok(work.first(sql, &[&via.as_str(), &at.minus(ASK_AGAIN).micros()]).await?.is_some())
}

/// The next number for a device after `last` that no open command has; `None` when all are taken.
pub(super) fn next_free(last: WireId, taken: &HashSet<WireId>) -> Option<WireId> {
    let mut id = last;
    for _ in 0..WireId::MAX {
        id = id.checked_add(1).unwrap_or(1);
        if !taken.contains(&id) {
            return Some(id);
        }
    }
    None
}

async fn take_wire_id(work: &Work<'_>, via: &DeviceRef, at: Timestamp) -> Result<WireId, Fault> {
    let rows = work.query(TAKEN, &[&via.id.as_str(), &at.minus(REPLY_WINDOW).micros()]).await?;
    let mut taken = HashSet::with_capacity(rows.len());
    for row in &rows {
        taken.insert(rows::number(row, "wire_id")?);
    }
    let row = work.first("SELECT wire_last FROM device WHERE id = $1", &[&via.id.as_str()]).await?;
    let last = row.map_or(Ok(0), |row| rows::number(&row, "wire_last"))?;
    let next = next_free(last, &taken).ok_or_else(|| full(&via.name))?;
    let sql = "UPDATE device SET wire_last = $2 WHERE id = $1";
    work.execute(sql, &[&via.id.as_str(), &i32::from(next)]).await?;
    Ok(next)
}

/// The refusal of one more command.
pub(super) fn full(name: &str) -> StoreError {
    StoreError::Refused(format!("{name} has as many open commands as there are numbers"))
}

/// Applies what the device says of the command that is on its way.
async fn acknowledge(work: &Work<'_>, ask: &Ask<'_>, by: &str) -> Result<Vec<CommandRecord>, Fault> {
    let rows = work
        .query(
            "SELECT c.id FROM command c WHERE c.via = $1 AND c.state = 'sent' AND c.hold IS NOT NULL \
             ORDER BY c.created, c.id FOR UPDATE",
            &[&ask.via.as_str()],
        )
        .await?;
    let mut changed = Vec::with_capacity(rows.len());
    for row in rows {
        let command = record(work, &CommandId::new(rows::value(&row, "id")?)).await?;
        let (from, at) = (command.state, ask.at);
        match ask.last {
            Acknowledgement::Taken => {
                let reason = "the device took it";
                step(work, &command.id, &Step { from, to: CommandState::Accepted, at, reason, by }).await?;
            }
            Acknowledgement::NotTaken => {
                let reason = "the device said that it did not take it";
                let back = Step { from, to: from, at, reason, by };
                put_back(work, &command, ask.attempts_max, Duration::ZERO, &back).await?;
            }
        }
        changed.push(record(work, &command.id).await?);
    }
    Ok(changed)
}

async fn hand_out(
    work: &mut Work<'_>,
    ask: &Ask<'_>,
    id: &CommandId,
    by: &str,
) -> Result<(CommandRecord, Bytes), Fault> {
    let (from, to) = (CommandState::Queued, CommandState::Sent);
    step(work, id, &Step { from, to, at: ask.at, reason: handed_out(ask.until), by }).await?;
    work.execute(
        "UPDATE command SET attempts = attempts + 1, sent_at = $2, hold = $3 WHERE id = $1",
        &[&id.as_str(), &ask.at.micros(), &ask.until.map(Timestamp::micros)],
    )
    .await?;
    let command = record(work, id).await?;
    let bytes = ask.dress.map_or_else(|| command.bytes.clone(), |Dress(dress)| dress(&command.bytes));
    said(work, &command.device, ask.at, ask.peer, &bytes).await?;
    Ok((command, bytes))
}

/// Writes down what goes out.
pub(super) async fn said(
    work: &mut Work<'_>,
    device: &DeviceRef,
    at: Timestamp,
    peer: &str,
    raw: &Bytes,
) -> Result<(), Fault> {
    let (direction, verdict) = (Direction::Out, Verdict::None);
    work.append(&Append { at, device: Some(device), direction, verdict, hmac: None, peer, raw }).await?;
    Ok(())
}

/// Returns a command to the queue, or gives it up after `attempts_max`. Of `back` the state it goes to is
/// decided here.
async fn put_back(
    work: &Work<'_>,
    command: &CommandRecord,
    attempts_max: u32,
    wait: Duration,
    back: &Step<'_>,
) -> Result<(), Fault> {
    let tries = command.attempts;
    if tries >= attempts_max {
        let unit = if tries == 1 { "try" } else { "tries" };
        let reason = format!("{}: given up after {tries} {unit}", back.reason);
        return step(work, &command.id, &Step { to: CommandState::Failed, reason: &reason, ..*back }).await;
    }
    let mut reason = back.reason.to_owned();
    if !wait.is_zero() {
        reason = format!("{reason}: next try in {} s", wait.as_secs());
    }
    step(work, &command.id, &Step { to: CommandState::Queued, reason: &reason, ..*back }).await?;
    let sql = "UPDATE command SET next_at = $2, hold = NULL WHERE id = $1";
    work.execute(sql, &[&command.id.as_str(), &back.at.plus(wait).micros()]).await?;
    Ok(())
}

async fn step(work: &Work<'_>, id: &CommandId, step: &Step<'_>) -> Result<(), Fault> {
    let to = step.from.to(step.to).map_err(|illegal| StoreError::Refused(illegal.to_string()))?;
    work.execute("UPDATE command SET state = $2 WHERE id = $1", &[&id.as_str(), &to.as_str()]).await?;
    note(work, id, to, step.at, step.reason, step.by).await
}

async fn note(
    work: &Work<'_>,
    id: &CommandId,
    state: CommandState,
    at: Timestamp,
    reason: &str,
    by: &str,
) -> Result<(), Fault> {
    work.execute(
        "INSERT INTO transition (command, place, at, state, reason, cause) \
         SELECT $1, (SELECT count(*)::integer FROM transition WHERE command = $1), $2, $3, $4, $5",
        &[&id.as_str(), &at.micros(), &state.as_str(), &reason, &by],
    )
    .await?;
    Ok(())
}

async fn record(work: &Work<'_>, id: &CommandId) -> Result<CommandRecord, Fault> {
    let sql = format!(
        "SELECT {} FROM command c LEFT JOIN device d ON d.id = c.device WHERE c.id = $1",
        rows::COMMAND
    );
    match work.first(&sql, &[&id.as_str()]).await? {
        Some(row) => Ok(rows::command(&row)?),
        None => Err(StoreError::NotFound("command").into()),
    }
}

/// Whether a payload has one of these keys at its top.
fn shares_key(payload: &str, keys: &[String]) -> bool {
    match serde_json::from_str(payload) {
        Ok(serde_json::Value::Object(members)) => keys.iter().any(|key| members.contains_key(key)),
        Ok(_) | Err(_) => false,
    }
}

/// The commands that device `$1` would get at `$2`.
const DUE: &str = "command c JOIN device v ON v.id = c.via AND v.state = 'active' \
     JOIN device t ON t.id = c.device AND t.state = 'active' \
     WHERE c.via = $1 AND c.state = 'queued' AND c.next_at <= $2 AND c.expires > $2";

/// The order in which they go out.
const FIRST: &str = "ORDER BY c.priority DESC, c.created, c.id";

/// The numbers of device `$1` that a reply may still come for, when accepted ones count since `$2`.
pub(super) const TAKEN: &str = "SELECT c.wire_id FROM command c WHERE c.via = $1 \
     AND (c.state = 'queued' OR (c.state = 'sent' AND c.hold IS NOT NULL) \
     OR (c.state = 'accepted' AND c.sent_at > $2))";

/// How long an accepted command keeps its number (`cwm-oke.md §7.3`).
pub(super) const REPLY_WINDOW: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_wrap_to_one_and_skip_what_is_taken() {
        assert_eq!(next_free(0, &HashSet::new()), Some(1));
        assert_eq!(next_free(WireId::MAX, &HashSet::from([1])), Some(2));
        assert_eq!(next_free(5, &(1..=WireId::MAX).collect()), None);
    }
}
