//! Day files around midnight, by a clock that the test sets (`websocket-mcu.md §12.6`).

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use homeport::core::{FeedEvent, Hub, HubSettings, Next, UnknownPolicy};
use homeport::family::mcu::{Mcu, McuSettings, Zone};
use homeport::family::{Chore, Days as _, Family as _};
use homeport::http::{Exchange, ListenerKind, Peer, Routes, Session};
use homeport::model::{Clock, FamilyName, Timestamp};
use homeport::store::{Store, Target, WriterSettings};
use hyper::{Method, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::harness::{Board, Mask, frame};

/// A server of boards with a clock of its own, and one board's connection.
struct House {
    store: Store,
    hub: Hub,
    mcu: Arc<Mcu>,
    clock: Arc<AtomicI64>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    board: DuplexStream,
}

impl House {
    async fn at(folder: &Path, zone: &str, now: &str) -> Self {
        let target = Target::Sqlite(folder.join("homeport.db"));
        let store = Store::open(&target, WriterSettings::default()).await.unwrap();
        let clock = Arc::new(AtomicI64::new(micros(now)));
        let hands = Arc::clone(&clock);
        let clock_of = Clock::from_fn(move || Timestamp::from_micros(hands.load(Ordering::SeqCst)));
        let settings = HubSettings { unknown: UnknownPolicy::Accept, ..HubSettings::default() };
        let hub = Hub::start(store.clone(), clock_of, settings).await.unwrap();
        let settings = McuSettings {
            day_folder: folder.join("Data"),
            day_zone: Zone::try_from(zone.to_owned()).unwrap(),
            ..McuSettings::default()
        };
        let mcu = Arc::new(Mcu::new(settings));
        let mut routes = Routes::new();
        Arc::clone(&mcu).routes(hub.clone(), &mut routes).unwrap();
        let stop = CancellationToken::new();
        let chores: Vec<Chore> = Arc::clone(&mcu).chores(&hub, &stop);
        let mut tasks: Vec<JoinHandle<()>> = chores.into_iter().map(tokio::spawn).collect();
        let (board, wire) = tokio::io::duplex(4096);
        let table = routes.into_table();
        let (owner, params) = table.find(ListenerKind::Ws, "/ws").expect("the path is served");
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let lines = Board::request("/ws", addr, "").concat();
        let headers = lines.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let reply = (owner.handler)(Exchange {
            method: Method::GET,
            path: "/ws".to_owned(),
            query: None,
            headers,
            body: Bytes::new(),
            version: Version::HTTP_11,
            params,
            peer: Peer { addr, listener: ListenerKind::Ws, tls: None },
        });
        let talk = Session::of(&mut reply.await.into_response()).expect("the connection is opened");
        tasks.push(tokio::spawn(talk(Box::new(wire), stop.clone())));
        Self { store, hub, mcu, clock, stop, tasks, board }
    }

    /// The board says something at a time; it is stored when this returns.
    async fn says(&mut self, at: &str, text: &str) {
        self.clock.store(micros(at), Ordering::SeqCst);
        let mut feed = self.hub.watch();
        self.board.write_all(&frame(0x81, text.as_bytes(), Mask::Zero)).await.unwrap();
        while !matches!(feed.next().await, Next::Event(event) if matches!(*event, FeedEvent::Message(_))) {}
    }

    async fn day(&self, day: &str) -> String {
        let device = self.hub.device_by_address(&FamilyName::new("mcu"), "5").expect("the board is known");
        let file = self.mcu.open(&self.hub, &device, day, None).await.unwrap();
        let pieces: Vec<_> = file.bytes.collect().await;
        let bytes: Vec<u8> = pieces.into_iter().flat_map(Result::unwrap).collect();
        String::from_utf8(bytes).unwrap()
    }

    async fn close(mut self) {
        self.stop.cancel();
        // The other end of the goodbye.
        drop(self.board.read_to_end(&mut Vec::new()).await);
        drop(self.board);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.hub.settle().await;
        self.store.close().await;
    }
}

fn micros(at: &str) -> i64 {
    Timestamp::parse(at).unwrap().micros()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join("Data")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

#[tokio::test]
async fn midnight_parts_two_files_with_the_right_names_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::at(folder.path(), "+01:00", "2016-11-24T22:59:00Z").await;
    house.says("2016-11-24T22:59:59.900000Z", "5,17,31.25").await;
    house.says("2016-11-24T23:00:00.100000Z", "5,18,31.5,0.007").await;
    house.says("2016-11-24T23:00:03.100001Z", "5,19,nan,1").await;
    let made = [house.day("20161124").await, house.day("IoTD005_20161125.csv").await];
    house.close().await;
    assert_eq!(names(folder.path()), ["IoTD005_20161124.csv", "IoTD005_20161125.csv"]);
    let read = |day: &str| fs::read_to_string(folder.path().join(format!("Data/IoTD005_{day}.csv"))).unwrap();
    assert_eq!(read("20161124"), "23:59:59.900000, 17.000000, 31.250000\n");
    assert_eq!(
        read("20161125"),
        "00:00:00.100000, 18.000000, 31.500000, 0.007000\n00:00:03.100001, 19.000000, nan, 1.000000\n"
    );
    assert_eq!(made, [read("20161124"), read("20161125")]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_changes_no_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::at(folder.path(), "UTC", "2016-11-24T12:00:00Z").await;
    for (at, count) in [("12:00:05", 1), ("11:59:59", 2), ("10:00:00", 3), ("12:00:06", 4)] {
        house.says(&format!("2016-11-24T{at}Z"), &format!("5,{count}")).await;
        // The first line is written before the clock is set back: what came before the writer began is not its own, and
        // it knows that by the time.
        while names(folder.path()).is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let made = house.day("2016-11-24").await;
    house.close().await;
    let wanted = "12:00:05.000000, 1.000000\n11:59:59.000000, 2.000000\n10:00:00.000000, 3.000000\n\
                  12:00:06.000000, 4.000000\n";
    assert_eq!(made, wanted);
    assert_eq!(fs::read_to_string(folder.path().join("Data/IoTD005_20161124.csv")).unwrap(), wanted);
}
