//! Commands: the queue and the state machine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use homeport::model::{
    CommandId, CommandRecord, CommandState, Device, DeviceState, Direction, Dress, EncodeError, Priority, Seq,
};
use homeport::model::{Draft, Timestamp, WireId};
use homeport::store::{
    Acknowledgement, CommandFilter, Enqueued, Leased, MessageFilter, Outcome, Prune, Reply, Store,
    StoreError, Write,
};

use super::{at, device, draft, make, report, store_report};
use crate::store::Base;

const ATTEMPTS_MAX: u32 = 3;

pub(crate) async fn lease(store: &Store, via: &Device, now: Timestamp) -> Leased {
    ask(store, via, now, Acknowledgement::Taken).await
}

async fn ask(store: &Store, via: &Device, now: Timestamp, last: Acknowledgement) -> Leased {
    let write = Write::Lease {
        via: via.names.id.clone(),
        last,
        at: now,
        until: Some(now.plus(Duration::from_mins(1))),
        attempts_max: ATTEMPTS_MAX,
        peer: "192.0.2.7".to_owned(),
        dress: None,
    };
    match store.write(write).await.unwrap() {
        Outcome::Leased(leased) => *leased,
        other => panic!("{other:?}"),
    }
}

async fn enqueue(store: &Store, id: &str, device: &Device, via: &Device, at: Timestamp) -> Enqueued {
    match store.write(Write::Enqueue(Box::new(draft(id, device, via, at)))).await.unwrap() {
        Outcome::Enqueued(enqueued) => *enqueued,
        other => panic!("{other:?}"),
    }
}

async fn changed(store: &Store, write: Write) -> Result<Vec<CommandRecord>, StoreError> {
    match store.write(write).await? {
        Outcome::Changed(changed) => Ok(changed),
        other => panic!("{other:?}"),
    }
}

async fn sweep(store: &Store, at: Timestamp) -> Vec<CommandRecord> {
    changed(store, Write::Sweep { at, attempts_max: ATTEMPTS_MAX }).await.unwrap()
}

fn cancel(id: &str, at: Timestamp) -> Write {
    Write::Cancel { id: CommandId::new(id), at, by: "user:mira".to_owned() }
}

async fn command(store: &Store, id: &str) -> CommandRecord {
    store.read().command(CommandId::new(id)).await.unwrap().unwrap()
}

async fn reply(
    store: &Store,
    from: &Device,
    wire_id: WireId,
    key: &str,
    now: Timestamp,
) -> Option<CommandRecord> {
    let mut message = report(from, now, "the reply");
    let since = now.minus(Duration::from_mins(10));
    message.reply =
        Some(Reply { from: vec![from.names.id.clone()], wire_id, keys: vec![key.to_owned()], since });
    store_report(store, message).await.settled.map(|settled| settled.command)
}

fn steps(command: &CommandRecord) -> Vec<CommandState> {
    command.transitions.iter().map(|step| step.state).collect()
}

pub(crate) async fn a_command_is_fetched_taken_and_answered(base: Base) {
    use CommandState::{Accepted, Answered, Queued, Sent};
    let store = base.open().await;
    let (cwm, oke) = (device("w", "W"), device("o", "O"));
    make(&store, &[&cwm, &oke]).await;
    assert!(!store_report(&store, report(&cwm, at(0), "x")).await.pending);
    let queued = enqueue(&store, "c", &oke, &cwm, at(1)).await.command;
    assert_eq!((queued.wire_id, queued.bytes.as_ref()), (1, b"command 1".as_slice()));
    assert!(store_report(&store, report(&cwm, at(1), "x")).await.pending);
    assert_eq!(store.read().pending(at(1)).await.unwrap(), vec![cwm.names.id.clone()]);
    let leased = lease(&store, &cwm, at(2)).await;
    let got = leased.lease.unwrap();
    assert_eq!((got.wire_id, &got.bytes, leased.more), (1, &queued.bytes, false));
    assert!(!store_report(&store, report(&cwm, at(2), "x")).await.pending);
    // What went out is in the ledger, with its bytes.
    let out = store.read().message(Seq(3)).await.unwrap().unwrap();
    assert_eq!((out.direction, out.raw, out.device), (Direction::Out, got.bytes, Some(oke.names.clone())));
    assert_eq!(lease(&store, &cwm, at(3)).await.changed[0].state, Accepted);
    let answered = reply(&store, &oke, 1, "port", at(4)).await.unwrap();
    assert_eq!(steps(&answered), [Queued, Sent, Accepted, Answered]);
    assert_eq!(answered.reply.as_deref(), Some(b"the reply".as_slice()));
    assert!(answered.transitions.iter().all(|step| !step.reason.is_empty() && !step.by.is_empty()));
    assert_eq!(answered, command(&store, "c").await);
    assert!(reply(&store, &oke, 1, "port", at(5)).await.is_none(), "a final command stays as it is");
    store.close().await;
}

pub(crate) async fn first_in_first_out_one_on_its_way(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    for (n, id) in [(1, "a"), (2, "b"), (3, "c")] {
        enqueue(&store, id, &cwm, &cwm, at(n)).await;
    }
    let mut order = Vec::new();
    for n in 4..8 {
        let leased = lease(&store, &cwm, at(n)).await;
        order.extend(leased.lease.map(|got| (got.id.to_string(), leased.more)));
        let sent = CommandFilter { state: Some(CommandState::Sent), limit: 9, ..CommandFilter::default() };
        assert!(store.read().commands(sent).await.unwrap().len() <= 1);
    }
    assert_eq!(order, [("a".to_owned(), true), ("b".to_owned(), true), ("c".to_owned(), false)]);
    let all = CommandFilter { device: Some(cwm.names.id), limit: 9, ..CommandFilter::default() };
    let ids: Vec<_> = store.read().commands(all.clone()).await.unwrap().into_iter().map(|c| c.id).collect();
    assert_eq!(ids, ["c", "b", "a"].map(CommandId::new));
    let before_b = CommandFilter { before: Some(CommandId::new("b")), ..all };
    assert_eq!(store.read().commands(before_b).await.unwrap()[0].id, CommandId::new("a"));
    store.close().await;
}

pub(crate) async fn the_higher_priority_goes_first(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    let (low, normal, high) = (Priority::Low, Priority::Normal, Priority::High);
    for (n, id, priority) in
        [(1, "a", normal), (2, "b", low), (3, "c", high), (4, "d", normal), (5, "e", high)]
    {
        let mut draft = draft(id, &cwm, &cwm, at(n));
        draft.priority = priority;
        store.write(Write::Enqueue(Box::new(draft))).await.unwrap();
        assert_eq!(command(&store, id).await.priority, priority);
    }
    for (least, expected) in [(low, "edcba"), (normal, "edca"), (high, "ec")] {
        let filter = CommandFilter { least: Some(least), limit: 9, ..CommandFilter::default() };
        let listed = store.read().commands(filter).await.unwrap();
        assert_eq!(listed.iter().map(|listed| listed.id.as_str()).collect::<String>(), expected);
    }
    let mut order = String::new();
    for n in 6..12 {
        order.extend(lease(&store, &cwm, at(n)).await.lease.map(|got| got.id.to_string()));
    }
    assert_eq!(order, "ceadb");
    store.close().await;
}

pub(crate) async fn not_taken_comes_back_at_once_with_the_same_bytes(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    enqueue(&store, "a", &cwm, &cwm, at(0)).await;
    enqueue(&store, "b", &cwm, &cwm, at(1)).await;
    let first = lease(&store, &cwm, at(2)).await.lease.unwrap();
    for n in 3..5 {
        assert_eq!(ask(&store, &cwm, at(n), Acknowledgement::NotTaken).await.lease.unwrap(), first);
    }
    let after = ask(&store, &cwm, at(5), Acknowledgement::NotTaken).await;
    assert_eq!(after.lease.unwrap().id, CommandId::new("b"));
    let given_up = command(&store, "a").await;
    assert_eq!((given_up.state, given_up.attempts), (CommandState::Failed, ATTEMPTS_MAX));
    assert_eq!(store.read().stats().await.unwrap().messages, 4, "each time it goes out is an entry");
    store.close().await;
}

pub(crate) async fn silence_brings_it_back_later_then_fails_it(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    enqueue(&store, "a", &cwm, &cwm, at(0)).await;
    let mut now = 0;
    for wait in [10, 20] {
        lease(&store, &cwm, at(now)).await.lease.unwrap();
        assert_eq!(sweep(&store, at(now + 59)).await, []);
        assert_eq!(sweep(&store, at(now + 60)).await[0].state, CommandState::Queued);
        assert!(lease(&store, &cwm, at(now + 60 + wait - 1)).await.lease.is_none());
        assert_eq!(store.read().pending(at(now + 60 + wait - 1)).await.unwrap(), []);
        now += 60 + wait;
    }
    lease(&store, &cwm, at(now)).await.lease.unwrap();
    let failed = sweep(&store, at(now + 60)).await;
    assert_eq!((failed[0].state, failed[0].attempts), (CommandState::Failed, 3));
    store.close().await;
}

pub(crate) async fn commands_expire(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    enqueue(&store, "a", &cwm, &cwm, at(0)).await;
    enqueue(&store, "b", &cwm, &cwm, at(0)).await;
    lease(&store, &cwm, at(3599)).await.lease.unwrap();
    assert!(!store_report(&store, report(&cwm, at(3600), "x")).await.pending);
    let expired = sweep(&store, at(3600)).await;
    assert_eq!(expired.iter().map(|c| c.state).collect::<Vec<_>>(), [CommandState::Expired; 2]);
    assert!(lease(&store, &cwm, at(3601)).await.lease.is_none());
    store.close().await;
}

pub(crate) async fn illegal_changes_are_refused(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    enqueue(&store, "a", &cwm, &cwm, at(0)).await;
    enqueue(&store, "b", &cwm, &cwm, at(1)).await;
    lease(&store, &cwm, at(2)).await.lease.unwrap();
    assert!(matches!(changed(&store, cancel("a", at(3))).await, Err(StoreError::Refused(_))));
    assert_eq!(changed(&store, cancel("b", at(3))).await.unwrap()[0].state, CommandState::Cancelled);
    assert!(matches!(changed(&store, cancel("b", at(4))).await, Err(StoreError::Refused(_))));
    assert_eq!(changed(&store, cancel("c", at(4))).await, Err(StoreError::NotFound("command")));
    assert_eq!(command(&store, "b").await.transitions.len(), 2, "a refused change leaves no trace");
    let twice = store.write(Write::Enqueue(Box::new(draft("a", &cwm, &cwm, at(5))))).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))));
    let nobody = device("n", "N");
    let unknown = store.write(Write::Enqueue(Box::new(draft("d", &nobody, &cwm, at(5))))).await;
    assert!(matches!(unknown, Err(StoreError::NotFound("device"))));
    store.close().await;
}

pub(crate) async fn held_devices_are_adopted_blocked_ones_refuse(base: Base) {
    let store = base.open().await;
    let (mut cwm, mut oke, mut bad) = (device("w", "W"), device("o", "O"), device("x", "X"));
    (cwm.state, oke.state, bad.state) = (DeviceState::Held, DeviceState::Held, DeviceState::Blocked);
    make(&store, &[&cwm, &oke, &bad]).await;
    let mut adopted = enqueue(&store, "a", &oke, &cwm, at(0)).await.adopted;
    adopted.sort();
    assert_eq!(adopted, [oke.names.id.clone(), cwm.names.id.clone()]);
    assert_eq!(enqueue(&store, "b", &oke, &cwm, at(0)).await.adopted, []);
    let refused = store.write(Write::Enqueue(Box::new(draft("c", &bad, &cwm, at(0))))).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    oke.state = DeviceState::Blocked;
    make(&store, &[&oke]).await;
    assert!(lease(&store, &cwm, at(1)).await.lease.is_none());
    store.close().await;
}

pub(crate) async fn replies_find_their_command(base: Base) {
    let store = base.open().await;
    let (one, two, oke) = (device("w", "W"), device("v", "V"), device("o", "O"));
    make(&store, &[&one, &two, &oke]).await;
    // Two modules fetch for the same OKE: both commands have number 1. The key decides, then the time.
    enqueue(&store, "a", &oke, &one, at(0)).await;
    let mut other = draft("b", &oke, &two, at(0));
    r#"{"speed":1}"#.clone_into(&mut other.payload);
    store.write(Write::Enqueue(Box::new(other))).await.unwrap();
    assert!(reply(&store, &oke, 1, "port", at(0)).await.is_none(), "nothing was handed out");
    lease(&store, &one, at(1)).await.lease.unwrap();
    lease(&store, &two, at(2)).await.lease.unwrap();
    assert!(reply(&store, &oke, 2, "port", at(3)).await.is_none());
    assert!(reply(&store, &one, 1, "port", at(3)).await.is_none(), "it was not for that device");
    assert_eq!(reply(&store, &oke, 1, "port", at(3)).await.unwrap().id, CommandId::new("a"));
    assert_eq!(reply(&store, &oke, 1, "else", at(4)).await.unwrap().id, CommandId::new("b"));
    enqueue(&store, "c", &oke, &one, at(5)).await;
    lease(&store, &one, at(5)).await.lease.unwrap();
    assert!(reply(&store, &oke, 2, "port", at(606)).await.is_none(), "after ten minutes nobody waits");
    store.close().await;
}

pub(crate) async fn numbers_skip_open_commands(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    assert_eq!(store.read().next_wire_id(cwm.names.id.clone()).await.unwrap(), 1);
    for (id, number) in [("queued", 1), ("sent", 2), ("accepted", 3)] {
        let at = at(-number);
        assert_eq!(i64::from(enqueue(&store, id, &cwm, &cwm, at).await.command.wire_id), number);
    }
    // The youngest is fetched first: each lease takes the one before as taken.
    lease(&store, &cwm, at(0)).await.lease.unwrap();
    lease(&store, &cwm, at(1)).await.lease.unwrap();
    base.wind(65534).await;
    assert_eq!(enqueue(&store, "last", &cwm, &cwm, at(9)).await.command.wire_id, 65535);
    assert_eq!(store.read().next_wire_id(cwm.names.id.clone()).await.unwrap(), 4, "1 to 3 are open");
    assert_eq!(enqueue(&store, "next", &cwm, &cwm, at(9)).await.command.wire_id, 4);
    // Ten minutes after it was handed out, the number of a taken command is free; the others are not.
    base.wind(65535).await;
    assert_eq!(enqueue(&store, "late", &cwm, &cwm, at(700)).await.command.wire_id, 3);
    store.close().await;
}

pub(crate) async fn a_full_queue_takes_no_more(base: Base) {
    let store = base.open().await;
    let (cwm, oke) = (device("w", "W"), device("o", "O"));
    make(&store, &[&cwm, &oke]).await;
    let one_more = |id: &str| Draft { waiting_max: 2, ..draft(id, &oke, &cwm, at(0)) };
    for id in ["a", "b"] {
        store.write(Write::Enqueue(Box::new(one_more(id)))).await.unwrap();
    }
    let refused = store.write(Write::Enqueue(Box::new(one_more("c")))).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Conflict(text) if text.contains("device_commands_max_count")),
        "{refused}"
    );
    lease(&store, &cwm, at(1)).await.lease.unwrap();
    store.write(Write::Enqueue(Box::new(one_more("c")))).await.unwrap();
    store.close().await;
}

pub(crate) async fn what_goes_out_is_written_down(base: Base) {
    let store = base.open().await;
    let bed = device("n", "001122334455");
    make(&store, &[&bed]).await;
    enqueue(&store, "a", &bed, &bed, at(0)).await;
    let dressed = Write::Lease {
        via: bed.names.id.clone(),
        last: Acknowledgement::NotTaken,
        at: at(1),
        until: Some(at(60)),
        attempts_max: ATTEMPTS_MAX,
        peer: "192.0.2.7".to_owned(),
        dress: Some(Dress(Arc::new(|bytes| Bytes::from([bytes, b" and more".as_slice()].concat())))),
    };
    let Outcome::Leased(leased) = store.write(dressed).await.unwrap() else { panic!("no lease") };
    let bytes = leased.lease.unwrap().bytes;
    assert!(bytes.starts_with(b"command ") && bytes.ends_with(b" and more"));
    let own = command(&store, "a").await.bytes;
    assert_eq!(bytes, [own.as_ref(), b" and more"].concat(), "the command itself stays as it is");
    let raw = Bytes::from_static(b"no command");
    let said =
        Write::Said { device: bed.names.clone(), at: at(2), peer: "192.0.2.8".to_owned(), raw: raw.clone() };
    assert!(matches!(store.write(said).await, Ok(Outcome::Done)));
    let filter = MessageFilter { limit: 9, ..MessageFilter::default() };
    let found = store.read().messages(filter).await.unwrap();
    let shown: Vec<_> =
        found.iter().map(|entry| (entry.direction, &entry.raw, entry.peer.as_str())).collect();
    assert_eq!(shown, [(Direction::Out, &raw, "192.0.2.8"), (Direction::Out, &bytes, "192.0.2.7")]);
    assert!(found.iter().all(|entry| entry.device.as_ref() == Some(&bed.names)));
    store.close().await;
}

pub(crate) async fn what_is_never_acknowledged_rests(base: Base) {
    let store = base.open().await;
    let board = device("b", "5");
    make(&store, &[&board]).await;
    let for_good = |now: Timestamp| Write::Lease {
        via: board.names.id.clone(),
        last: Acknowledgement::Taken,
        at: now,
        until: None,
        attempts_max: ATTEMPTS_MAX,
        peer: "192.0.2.7".to_owned(),
        dress: None,
    };
    let mut taken = Vec::new();
    for id in ["a", "b"] {
        enqueue(&store, id, &board, &board, at(0)).await;
        let Outcome::Leased(leased) = store.write(for_good(at(1))).await.unwrap() else { panic!("no lease") };
        assert_eq!(leased.changed.len(), 1, "the one before is left alone");
        taken.push(leased.lease.unwrap().wire_id);
    }
    let silent = store_report(&store, report(&board, at(100), "x")).await;
    assert!(!silent.pending, "nothing waits to be acknowledged");
    assert_eq!(sweep(&store, at(10_000_000)).await, [], "nothing comes back and nothing expires");
    assert_eq!(command(&store, "a").await.state, CommandState::Sent);
    assert_eq!(store.read().stats().await.unwrap().sent, 0);
    // What did not leave goes again, before a younger one.
    let back =
        |id: &str| Write::HandBack { id: CommandId::new(id), at: at(200), reason: "it broke off".to_owned() };
    let changed_now = changed(&store, back("a")).await.unwrap();
    assert_eq!(changed_now[0].state, CommandState::Queued);
    assert_eq!(changed_now[0].transitions.last().unwrap().reason, "it broke off");
    assert!(store_report(&store, report(&board, at(201), "y")).await.pending);
    enqueue(&store, "c", &board, &board, at(201)).await;
    let Outcome::Leased(again) = store.write(for_good(at(202))).await.unwrap() else { panic!("no lease") };
    assert_eq!(again.lease.unwrap().id, CommandId::new("a"));
    assert!(matches!(changed(&store, back("c")).await, Err(StoreError::Refused(_))), "it was not handed out");
    base.wind(taken[1] - 1).await;
    assert_eq!(
        enqueue(&store, "d", &board, &board, at(203)).await.command.wire_id,
        taken[1],
        "numbers come back"
    );
    let prune = Prune::Commands { before: at(9_000), limit: 10 };
    store.write(Write::Prune(prune)).await.unwrap();
    assert_eq!(store.read().command(CommandId::new("b")).await.unwrap(), None, "old ones are removed");
    store.close().await;
}

pub(crate) async fn a_draft_that_cannot_be_encoded(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    let mut bad = draft("a", &cwm, &cwm, at(0));
    bad.encode = Arc::new(|_| Err(EncodeError("it is too long: shorten the payload".to_owned())));
    let refused = store.write(Write::Enqueue(Box::new(bad))).await.unwrap_err();
    assert_eq!(refused, StoreError::Refused("it is too long: shorten the payload".to_owned()));
    assert_eq!(enqueue(&store, "a", &cwm, &cwm, at(0)).await.command.wire_id, 1, "no number was used up");
    store.close().await;
}

pub(crate) async fn a_panic_is_contained(base: Base) {
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    let mut bad = draft("a", &cwm, &cwm, at(0));
    bad.encode = Arc::new(|_| panic!("a bug"));
    let neighbours = super::flood(&store, 5);
    let refused = store.write(Write::Enqueue(Box::new(bad))).await.unwrap_err();
    assert!(refused.to_string().contains("a bug"), "{refused}");
    for one in neighbours {
        one.await.unwrap().unwrap();
    }
    enqueue(&store, "a", &cwm, &cwm, at(0)).await;
    store.close().await;
}

pub(crate) async fn restart_with_commands_in_every_state(base: Base) {
    use CommandState::{Accepted, Answered, Cancelled, Expired, Failed, Queued, Sent};
    let store = base.open().await;
    let cwm = device("w", "W");
    make(&store, &[&cwm]).await;
    for id in ["expired", "failed", "answered", "accepted", "sent", "queued", "cancelled"] {
        let mut draft = draft(id, &cwm, &cwm, at(0));
        draft.at = at(match id {
            "queued" | "cancelled" => 9,
            _ => 0,
        });
        if id == "expired" {
            draft.expires = at(1);
        }
        store.write(Write::Enqueue(Box::new(draft))).await.unwrap();
        if id == "expired" {
            sweep(&store, at(1)).await;
            continue;
        }
        if matches!(id, "queued" | "cancelled") {
            continue;
        }
        let got = lease(&store, &cwm, at(2)).await.lease.unwrap();
        assert_eq!(got.id.as_str(), id);
        if id == "failed" {
            for _ in 1..ATTEMPTS_MAX {
                ask(&store, &cwm, at(2), Acknowledgement::NotTaken).await.lease.unwrap();
            }
            assert!(ask(&store, &cwm, at(2), Acknowledgement::NotTaken).await.lease.is_none());
        }
        if id == "answered" {
            reply(&store, &cwm, got.wire_id, "port", at(3)).await.unwrap();
        }
    }
    changed(&store, cancel("cancelled", at(9))).await.unwrap();
    let all = CommandFilter { limit: 99, ..CommandFilter::default() };
    let before = store.read().commands(all.clone()).await.unwrap();
    store.close().await;

    let store = base.open().await;
    assert_eq!(store.read().commands(all).await.unwrap(), before);
    for state in [Queued, Sent, Accepted, Answered, Failed, Expired, Cancelled] {
        assert_eq!(command(&store, state.as_str()).await.state, state);
    }
    // And it goes on where it was: the one on its way is acknowledged, the queued one follows.
    let leased = lease(&store, &cwm, at(10)).await;
    assert_eq!(leased.lease.unwrap().id.as_str(), "queued");
    assert_eq!(command(&store, "sent").await.state, Accepted);
    store.close().await;
}
