//! Files on their way to equipment, on a real store and without sockets: modules that refuse, equipment that lists
//! something else, files that change, and who has to wait. Time is turned by hand.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use homeport::core::{Hub, HubError, HubSettings, Shipment, UnknownPolicy};
use homeport::family::cwm::{Cwm, CwmSettings, FileSettings};
use homeport::family::{Delivery, Family as _};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Table};
use homeport::model::{Clock, Device, FamilyName, Timestamp, Transfer, TransferId, TransferState};
use homeport::store::{Store, Target, WriterSettings};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::harness::okm;

/// One server: its hub, its dialect and its chores.
struct House {
    hub: Hub,
    cwm: Arc<Cwm>,
    table: Table,
    _stop: DropGuard,
}

/// A store, a clock, and servers on it.
struct Street {
    store: Store,
    now: Arc<AtomicI64>,
    folder: tempfile::TempDir,
    count: AtomicI64,
}

impl Street {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(folder.path().join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let now = Arc::new(AtomicI64::new(1_700_000_000_000_000));
        Self { store, now, folder, count: AtomicI64::new(0) }
    }

    async fn house(&self, files: FileSettings) -> House {
        let hands = Arc::clone(&self.now);
        let clock = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let settings = HubSettings {
            unknown: UnknownPolicy::Accept,
            files_dir: self.folder.path().join("files"),
            ..HubSettings::default()
        };
        let hub = Hub::start(self.store.clone(), clock, settings).await.unwrap();
        let cwm = Arc::new(Cwm::new(CwmSettings { files, ..CwmSettings::default() }));
        let mut routes = Routes::new();
        Arc::clone(&cwm).routes(hub.clone(), &mut routes).unwrap();
        let stop = CancellationToken::new();
        for chore in Arc::clone(&cwm).chores(&hub, &stop) {
            drop(tokio::spawn(chore));
        }
        House { hub, cwm, table: routes.into_table(), _stop: stop.drop_guard() }
    }

    fn pass(&self, span: Duration) {
        self.now.fetch_add(i64::try_from(span.as_micros()).unwrap(), Ordering::SeqCst);
    }

    /// Equipment says something through its module; tells whether the module is to ask.
    async fn says(&self, house: &House, module: &str, payload: &Value) -> bool {
        let count = self.count.fetch_add(1, Ordering::SeqCst);
        let stamp = format!("2024-03-01T12:{:02}:{:02}Z", count / 60 % 60, count % 60);
        let id = u32::try_from(count).unwrap() + 40_000;
        let text = okm(&[&oke(module), module], id, &stamp, &payload.to_string());
        let answer = house.ask("/push", &text).await;
        assert_eq!(answer["push"], true, "{answer}");
        answer["pull"] == true
    }

    async fn beats(&self, house: &House, module: &str) -> bool {
        self.says(house, module, &json!({"_hbt": {"door": 0}})).await
    }

    async fn beats_until_called(&self, house: &House, module: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.beats(house, module).await {
            assert!(Instant::now() < end, "{module} was never told to ask");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

impl House {
    async fn ask(&self, path: &str, body: &str) -> Value {
        let (owner, params) = self.table.find(ListenerKind::Https, path).expect("the path is served");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let reply = (owner.handler)(Exchange {
            method: hyper::Method::POST,
            path: path.to_owned(),
            query: None,
            headers: hyper::HeaderMap::new(),
            body: body.to_owned().into(),
            version: hyper::Version::HTTP_11,
            params,
            peer: Peer { addr, listener: ListenerKind::Https, tls: None },
        })
        .await;
        assert_eq!(reply.status.as_u16(), 200);
        serde_json::from_slice(&reply.body).unwrap()
    }

    async fn pull(&self, module: &str, taken: bool) -> Value {
        self.ask("/pull", &json!({"req": {"devid": module, "ts": "x", "lokm": taken}}).to_string()).await
    }

    async fn publish(&self, name: &str, bytes: &[u8]) {
        let mut upload = self.hub.begin_file(name).await.unwrap();
        upload.write(Bytes::copy_from_slice(bytes)).await.unwrap();
        upload.publish().await.unwrap();
    }

    fn device(&self, address: &str) -> Device {
        self.hub.device_by_address(&FamilyName::new("cwm"), address).expect("it was heard")
    }

    async fn send(&self, file: &str, address: &str) -> TransferId {
        self.try_send(file, address).await.unwrap().id
    }

    async fn try_send(&self, file: &str, address: &str) -> Result<Transfer, HubError> {
        let device = self.device(address);
        let delivery = Delivery { address: address.to_owned(), parent: None, name: file.to_owned(), size: 0 };
        let piece_bytes = self.cwm.pieces(&delivery).unwrap();
        let [file, name] = [file.to_owned(), file.to_owned()];
        self.hub.ship(Shipment { device, file, name, piece_bytes, by: "user:mira".to_owned() }).await
    }

    async fn transfer(&self, id: &TransferId) -> Transfer {
        self.hub.transfer(id).await.unwrap().expect("it is kept")
    }

    /// Lets the server's own chores run until a transfer is as wanted. The store's time is real.
    async fn until(&self, id: &TransferId, wanted: impl Fn(&Transfer) -> bool) -> Transfer {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.transfer(id).await;
            if wanted(&now) {
                return now;
            }
            assert!(Instant::now() < end, "it stays {now:?}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn becomes(&self, id: &TransferId, state: TransferState) -> Transfer {
        self.until(id, |transfer| transfer.state == state).await
    }

    /// Lets the chores run for a while; nothing happens to a transfer that waits.
    async fn stays_queued(&self, id: &TransferId) {
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            assert_eq!(self.transfer(id).await.state, TransferState::Queued);
        }
    }
}

/// The equipment behind a module.
fn oke(module: &str) -> String {
    format!("0363{}", &module[4..])
}

fn offset(answer: &Value) -> Option<u64> {
    answer["okm"]["_pld"]["_file"]["offset"].as_u64()
}

const CWM: &str = "0002010203040506";
/// The longest a test waits for the chores, in real time.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_module_that_takes_nothing_gets_the_file_anew_and_then_no_more() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", &[7; 2000]).await;
    let id = house.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&house, CWM).await;
    let mut offsets = Vec::new();
    let mut answer = house.pull(CWM, true).await;
    while let Some(at) = offset(&answer) {
        offsets.push(at);
        // The first piece is taken, and the second never.
        answer = house.pull(CWM, at == 0).await;
    }
    assert_eq!(offsets, [0, 512, 512, 512, 0, 512, 512, 512, 0, 512, 512, 512]);
    assert_eq!(answer, json!({"pull": false}));
    let failed = house.transfer(&id).await;
    assert_eq!((failed.state, failed.restarts), (TransferState::Failed, 2));
    assert!(failed.reason.contains("did not take it"), "{}", failed.reason);
}

#[tokio::test(start_paused = true)]
async fn a_piece_nobody_fetches_in_time_fails_the_transfer() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", b"menu").await;
    let id = house.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&house, CWM).await;
    street.pass(Duration::from_hours(25));
    house.hub.sweep().await.unwrap();
    let failed = house.becomes(&id, TransferState::Failed).await;
    assert!(failed.reason.contains("time ran out"), "{}", failed.reason);
    assert_eq!(house.pull(CWM, true).await, json!({"pull": false}));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_replaced_while_it_is_sent_is_not_mixed_with_the_new_one() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", &[1; 2000]).await;
    let id = house.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&house, CWM).await;
    assert_eq!(offset(&house.pull(CWM, true).await), Some(0));
    house.publish("menu.bin", &[2; 2000]).await;
    assert_eq!(house.pull(CWM, true).await, json!({"pull": false}));
    let failed = house.transfer(&id).await;
    assert_eq!(failed.state, TransferState::Failed);
    assert!(failed.reason.contains("replaced or withdrawn"), "{}", failed.reason);
}

#[tokio::test(start_paused = true)]
async fn a_file_waits_until_its_module_is_online() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", b"menu").await;
    street.pass(Duration::from_mins(10));
    let id = house.send("menu.bin", &oke(CWM)).await;
    house.stays_queued(&id).await;
    street.beats_until_called(&house, CWM).await;
    assert_eq!(house.transfer(&id).await.state, TransferState::Transferring);
}

#[tokio::test(start_paused = true)]
async fn so_many_transfers_are_under_way_at_once_and_one_that_stands_still_does_not_count() {
    let street = Street::new().await;
    let two = FileSettings { transfers_max: 2.try_into().unwrap(), ..FileSettings::default() };
    let house = street.house(two).await;
    let modules = ["0002000000000001", "0002000000000002", "0002000000000003", "0002000000000004"];
    house.publish("menu.bin", b"menu").await;
    let mut ids = Vec::new();
    for module in modules {
        street.beats(&house, module).await;
        ids.push(house.send("menu.bin", &oke(module)).await);
        street.pass(Duration::from_millis(1));
    }
    house.becomes(&ids[0], TransferState::Transferring).await;
    house.becomes(&ids[1], TransferState::Transferring).await;
    house.stays_queued(&ids[2]).await;
    // The first module fetches its file: the third has its turn.
    assert_eq!(offset(&house.pull(modules[0], true).await), Some(0));
    house.pull(modules[0], true).await;
    house.becomes(&ids[2], TransferState::Transferring).await;
    house.stays_queued(&ids[3]).await;
    // The second and third never ask. They are online, and do not keep the fourth waiting for ever.
    street.pass(Duration::from_secs(150));
    house.becomes(&ids[3], TransferState::Transferring).await;
}

#[tokio::test(start_paused = true)]
async fn equipment_that_lists_something_else_was_not_served() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", b"menu").await;
    let id = house.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&house, CWM).await;
    assert_eq!(offset(&house.pull(CWM, true).await), Some(0));
    for asked in 1..=3 {
        let answer = house.pull(CWM, true).await;
        assert_eq!(answer["okm"]["_pld"], json!({"_dir": true}), "question {asked}: {answer}");
        assert_eq!(house.pull(CWM, true).await, json!({"pull": false}));
        street.says(&house, CWM, &json!({"_dir": [{"name": "menu.bin", "crc": "BEEF"}]})).await;
        assert_eq!(house.transfer(&id).await.state, TransferState::Delivered);
        street.pass(Duration::from_secs(31));
        if asked < 3 {
            street.beats_until_called(&house, CWM).await;
        }
    }
    let failed = house.becomes(&id, TransferState::Failed).await;
    assert!(failed.reason.contains("BEEF"), "{}", failed.reason);
}

#[tokio::test(start_paused = true)]
async fn equipment_that_knows_no_directory_leaves_the_file_delivered() {
    let street = Street::new().await;
    let never = FileSettings { directory_template: String::new(), ..FileSettings::default() };
    for (files, asks) in [(FileSettings::default(), 3), (never, 0)] {
        let house = street.house(files).await;
        street.beats(&house, CWM).await;
        house.publish("menu.bin", b"menu").await;
        let id = house.send("menu.bin", &oke(CWM)).await;
        street.beats_until_called(&house, CWM).await;
        assert_eq!(offset(&house.pull(CWM, true).await), Some(0));
        assert_eq!(house.pull(CWM, true).await["okm"].is_object(), asks > 0);
        for _ in 1..asks {
            house.pull(CWM, true).await;
            street.pass(Duration::from_secs(31));
            street.beats_until_called(&house, CWM).await;
            assert_eq!(house.pull(CWM, true).await["okm"]["_pld"], json!({"_dir": true}));
        }
        house.pull(CWM, true).await;
        street.pass(Duration::from_secs(31));
        let delivered = house.until(&id, Transfer::is_over).await;
        assert_eq!(
            (delivered.state, delivered.is_over(), delivered.asked),
            (TransferState::Delivered, true, asks)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn two_servers_on_one_store_send_every_piece_once() {
    let street = Street::new().await;
    let one = street.house(FileSettings::default()).await;
    street.beats(&one, CWM).await;
    let other = street.house(FileSettings::default()).await;
    one.publish("menu.bin", &[3; 512 * 6]).await;
    let id = one.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&one, CWM).await;
    // The other one hears of the transfer when it looks around; until then it has nothing but what is queued.
    let mut offsets = Vec::new();
    let end = Instant::now() + PATIENCE;
    for turn in 0.. {
        assert!(Instant::now() < end, "{offsets:?}");
        let house = if turn % 3 == 0 { &other } else { &one };
        let answer = house.pull(CWM, true).await;
        offsets.extend(offset(&answer));
        if answer["okm"]["_pld"].get("_dir").is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(offsets, [0, 512, 1024, 1536, 2048, 2560, 3072]);
    assert_eq!(one.transfer(&id).await.state, TransferState::Delivered);
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_device_takes_its_transfers_along_and_a_blocked_one_gets_none() {
    let street = Street::new().await;
    let house = street.house(FileSettings::default()).await;
    street.beats(&house, CWM).await;
    house.publish("menu.bin", &[7; 2000]).await;
    let id = house.send("menu.bin", &oke(CWM)).await;
    street.beats_until_called(&house, CWM).await;
    assert_eq!(offset(&house.pull(CWM, true).await), Some(0));
    house.hub.forget(&house.device(&oke(CWM)).names.id).await.unwrap();
    assert_eq!(house.pull(CWM, true).await, json!({"pull": false}));
    assert_eq!(house.hub.transfer(&id).await.unwrap(), None);
    street.beats(&house, CWM).await;
    house.hub.block(&house.device(&oke(CWM)).names.id).await.unwrap();
    let refused = house.try_send("menu.bin", &oke(CWM)).await;
    assert!(matches!(refused, Err(HubError::Conflict { field: "device", .. })), "{refused:?}");
}
