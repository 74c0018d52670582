//! Which board speaks on which connection, and what was noticed of each (`websocket-mcu.md §6`). In memory: what must
//! outlive the server are readings.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use tokio::sync::Notify;

use super::series::Series;
use crate::family::Facts;
use crate::model::{DeviceId, Timestamp};

/// One open connection. Its talk holds it; when that ends, nobody finds it any more.
#[derive(Debug)]
pub(super) struct Link {
    /// Its number since the start of the server.
    pub(super) number: u64,
    /// The other end, without its port.
    pub(super) peer: IpAddr,
    /// The same as text.
    pub(super) peer_text: String,
    /// When it was opened.
    pub(super) since: Timestamp,
    /// Whether it showed the key, where one is needed.
    pub(super) proven: bool,
    /// Rings when a command waits for one of its boards.
    pub(super) wake: Notify,
}

/// Every board that spoke since the start of the server.
#[derive(Debug, Default)]
pub(super) struct Boards(Mutex<HashMap<u32, Board>>);

#[derive(Debug)]
struct Board {
    device: DeviceId,
    series: Series,
    link: Weak<Link>,
    /// The numbers of the connection it speaks on and of the one before.
    on: u64,
    before: Option<u64>,
    peer: IpAddr,
    heard: Timestamp,
    twin: Option<Twin>,
    noticed: Noticed,
    /// Messages stored since the start of the server, and the losses before it.
    stored: i64,
    lost_before: i64,
    /// What came while recording was paused, until something is kept again.
    unrecorded: Option<Box<Unrecorded>>,
    /// Its connections that ended, the newest last.
    past: Vec<Past>,
}

/// Another board with the same number (§6).
#[derive(Clone, Copy, Debug)]
struct Twin {
    seen: Timestamp,
    peers: [IpAddr; 2],
}

/// What is wrong with what a board sends, since the start of the server.
#[derive(Clone, Debug, Default)]
struct Noticed {
    bad_fields: u64,
    malformed: u64,
    dropped: u64,
    last: Option<(Timestamp, String)>,
}

/// What was heard of a board while recording was paused, for people to see; it is nowhere else.
#[derive(Clone, Debug)]
struct Unrecorded {
    messages: u64,
    last: String,
    at: Timestamp,
}

/// A connection that ended.
#[derive(Clone, Copy, Debug, Serialize)]
struct Past {
    peer: IpAddr,
    since: Timestamp,
    until: Timestamp,
    end: &'static str,
}

/// Something that is to be noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// So many fields were no numbers, or too many; the text says which.
    Fields(u64, String),
    /// A message could not be read.
    Malformed(String),
    /// A message came too fast.
    TooFast,
}

/// Where a message stands in its board's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// The counters as they were before it.
    pub(super) series: Series,
    /// Whether it may be another board's with the same number.
    pub(super) stranger: bool,
}

impl Boards {
    /// Whether a board is known as this device; a device that was forgotten and came again is another one.
    pub(super) fn knows(&self, board: u32, device: &DeviceId) -> bool {
        self.lock().get(&board).is_some_and(|known| known.device == *device)
    }

    /// A message of a board came on a connection, which is its own from now on. `resumed` is what was known of its
    /// counters before the start of the server.
    pub(super) fn heard(
        &self,
        board: u32,
        device: &DeviceId,
        link: &Arc<Link>,
        resumed: Series,
        now: Timestamp,
    ) -> Placed {
        let mut boards = self.lock();
        let known = boards.entry(board).or_insert_with(|| Board::new(device, resumed, link, now));
        if known.device != *device {
            *known = Board::new(device, resumed, link, now);
        }
        let stranger = known.speaks_on(link, now);
        Placed { series: known.series, stranger }
    }

    /// The message was stored: its counters count.
    pub(super) fn stored(&self, board: u32, series: Series) {
        if let Some(known) = self.lock().get_mut(&board) {
            known.series = series;
            known.stored += 1;
            known.unrecorded = None;
        }
    }

    /// A message came while recording is paused. Its counter counts, so that what was passed over is no loss later.
    pub(super) fn passed_over(&self, board: u32, series: Series, raw: &[u8], now: Timestamp) {
        let mut boards = self.lock();
        let Some(known) = boards.get_mut(&board) else { return };
        known.series = series;
        let messages = known.unrecorded.as_ref().map_or(0, |unrecorded| unrecorded.messages) + 1;
        let last = String::from_utf8_lossy(raw).trim_end().to_owned();
        known.unrecorded = Some(Box::new(Unrecorded { messages, last, at: now }));
    }

    /// A connection ended; these boards spoke on it.
    pub(super) fn ended(&self, link: &Link, boards: &[u32], end: &'static str, now: Timestamp) {
        let mut known = self.lock();
        for board in boards {
            let Some(known) = known.get_mut(board) else { continue };
            if known.past.len() >= PAST_MAX {
                known.past.remove(0);
            }
            known.past.push(Past { peer: link.peer, since: link.since, until: now, end });
        }
    }

    /// Takes note of something wrong.
    pub(super) fn notice(&self, board: u32, fault: Fault, now: Timestamp) {
        let mut boards = self.lock();
        let Some(known) = boards.get_mut(&board) else { return };
        let text = match fault {
            Fault::Fields(count, text) => {
                known.noticed.bad_fields += count;
                text
            }
            Fault::Malformed(text) => {
                known.noticed.malformed += 1;
                text
            }
            Fault::TooFast => {
                known.noticed.dropped += 1;
                "a message was dropped: they come too fast (`mcu.messages_per_second_max`)".to_owned()
            }
        };
        known.noticed.last = Some((now, text));
    }

    /// Whether a board speaks on this connection and not on a later one.
    pub(super) fn is_on(&self, board: u32, link: &Link) -> bool {
        self.lock().get(&board).is_some_and(|known| known.on == link.number)
    }

    /// The open connection of a board.
    pub(super) fn link(&self, board: u32) -> Option<Arc<Link>> {
        self.lock().get(&board)?.link.upgrade()
    }

    /// Every open connection on which boards spoke, some more than once.
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.lock().values().filter_map(|known| known.link.upgrade()).collect()
    }

    /// What people see of a board.
    pub(super) fn facts(&self, board: u32, now: Timestamp) -> Facts {
        let mut facts = Facts::new();
        let boards = self.lock();
        let known = boards.get(&board);
        let link = known.and_then(|known| known.link.upgrade());
        facts.insert("connected".to_owned(), link.is_some().into());
        if let Some(link) = link {
            facts.insert("connection".to_owned(), json!({ "peer": link.peer, "since": link.since }));
        }
        let Some(known) = known else { return facts };
        let totals = known.series.totals;
        facts.insert("lost".to_owned(), totals.lost.into());
        facts.insert("restarts".to_owned(), totals.restarts.into());
        facts.insert("repeats".to_owned(), totals.repeats.into());
        if let Some(percent) = known.lost_percent() {
            facts.insert("lost_percent".to_owned(), percent.into());
        }
        if let Some(twin) = known.twin.filter(|twin| twin.seen.plus(TWIN_TOLD) >= now) {
            let warning = "two boards use this number: give one of them another";
            let twin = json!({ "warning": warning, "peers": twin.peers, "seen": twin.seen });
            facts.insert("same_number".to_owned(), twin);
        }
        let Noticed { bad_fields, malformed, dropped, last } = &known.noticed;
        if let Some((at, text)) = last {
            let noticed = json!({
                "bad_fields": bad_fields, "malformed": malformed, "dropped": dropped, "last": text, "last_at": at,
            });
            facts.insert("noticed".to_owned(), noticed);
        }
        if let Some(Unrecorded { messages, last, at }) = known.unrecorded.as_deref() {
            let unrecorded = json!({ "messages": messages, "last": last, "last_at": at });
            facts.insert("unrecorded".to_owned(), unrecorded);
        }
        if !known.past.is_empty() {
            let newest_first: Vec<&Past> = known.past.iter().rev().collect();
            facts.insert("connections_before".to_owned(), json!(newest_first));
        }
        facts
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Board>> {
        // Every change is a few plain assignments: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn new(device: &DeviceId, series: Series, link: &Arc<Link>, now: Timestamp) -> Self {
        Self {
            device: device.clone(),
            series,
            link: Arc::downgrade(link),
            on: link.number,
            before: None,
            peer: link.peer,
            heard: now,
            twin: None,
            noticed: Noticed::default(),
            stored: 0,
            lost_before: series.totals.lost,
            unrecorded: None,
            past: Vec::new(),
        }
    }

    /// How many of its messages since the start of the server never came, in percent with one decimal.
    #[expect(clippy::cast_precision_loss, reason = "counts of messages are far below 2^52")]
    fn lost_percent(&self) -> Option<f64> {
        let lost = self.series.totals.lost.saturating_sub(self.lost_before);
        let all = self.stored.saturating_add(lost);
        (all > 0).then(|| (lost as f64 * 1000.0 / all as f64).round() / 10.0)
    }

    /// Moves to the connection it spoke on last. Says whether there may be two of it: it came back to a connection
    /// that it had left, or spoke from elsewhere a moment ago on one that is still open.
    fn speaks_on(&mut self, link: &Arc<Link>, now: Timestamp) -> bool {
        let moved = self.on != link.number;
        if moved {
            let back = self.before == Some(link.number);
            let lively = self.heard.plus(TWIN_WITHIN) >= now && self.link.strong_count() > 0;
            if back || (lively && self.peer != link.peer) {
                self.twin = Some(Twin { seen: now, peers: [self.peer, link.peer] });
            }
            self.before = Some(self.on);
            self.on = link.number;
            self.peer = link.peer;
            self.link = Arc::downgrade(link);
        }
        self.heard = now;
        moved && self.twin.is_some_and(|twin| twin.seen.plus(TWIN_TOLD) >= now)
    }
}

/// Two peers that both spoke within this time are two boards (§6).
const TWIN_WITHIN: Duration = Duration::from_secs(10);
/// So many ended connections of a board are told.
const PAST_MAX: usize = 8;
/// So long after it was seen last people are told of it.
const TWIN_TOLD: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(seconds))
    }

    fn link(number: u64, peer: &str) -> Arc<Link> {
        Arc::new(Link {
            number,
            peer: peer.parse().unwrap(),
            peer_text: peer.to_owned(),
            since: at(0),
            proven: true,
            wake: Notify::new(),
        })
    }

    fn says(boards: &Boards, link: &Arc<Link>, seconds: u64) -> bool {
        boards.heard(5, &DeviceId::new("d"), link, Series::default(), at(seconds)).stranger
    }

    #[test]
    fn the_newest_connection_is_the_board_s() {
        let boards = Boards::default();
        let (old, new) = (link(1, "192.0.2.1"), link(2, "192.0.2.1"));
        says(&boards, &old, 0);
        assert!(boards.is_on(5, &old) && !boards.is_on(5, &new));
        says(&boards, &new, 3);
        assert!(!boards.is_on(5, &old) && boards.is_on(5, &new));
        assert_eq!(boards.link(5).unwrap().number, 2);
        drop(new);
        assert!(boards.link(5).is_none(), "a connection that ended is nobody's");
        assert_eq!(boards.facts(5, at(4))["connected"], false);
        assert!(boards.links().is_empty());
    }

    #[test]
    fn a_reconnect_is_no_twin() {
        let boards = Boards::default();
        let old = link(1, "192.0.2.1");
        says(&boards, &old, 0);
        // The same board by way of another address, after its old connection ended.
        drop(old);
        assert!(!says(&boards, &link(2, "192.0.2.9"), 3));
        assert!(!says(&boards, &link(3, "192.0.2.9"), 6), "the same address, the old connection half open");
        assert!(!boards.facts(5, at(6)).contains_key("same_number"));
    }

    #[test]
    fn two_boards_with_one_number_are_told() {
        let boards = Boards::default();
        let (one, other) = (link(1, "192.0.2.1"), link(2, "192.0.2.2"));
        assert!(!says(&boards, &one, 0));
        assert!(says(&boards, &other, 1), "two addresses within ten seconds");
        assert!(says(&boards, &one, 3));
        assert_eq!(boards.facts(5, at(3))["same_number"]["peers"], json!(["192.0.2.2", "192.0.2.1"]));
        assert!(!boards.facts(5, at(64)).contains_key("same_number"));
        // Behind one address their connections take turns.
        let boards = Boards::default();
        let (one, other) = (link(1, "192.0.2.1"), link(2, "192.0.2.1"));
        assert!(!says(&boards, &one, 0) && !says(&boards, &other, 1));
        assert!(says(&boards, &one, 3) && says(&boards, &other, 4));
    }

    #[test]
    fn a_pause_and_ended_connections_are_told() {
        let boards = Boards::default();
        let only = link(1, "192.0.2.1");
        says(&boards, &only, 0);
        let series = Series { last: Some(9), ..Series::default() };
        boards.passed_over(5, series, b"5,8,20", at(1));
        boards.passed_over(5, series, b"5,9,21\r\n", at(2));
        assert_eq!(
            boards.facts(5, at(2))["unrecorded"],
            json!({"messages": 2, "last": "5,9,21", "last_at": at(2)})
        );
        boards.stored(5, series);
        assert!(!boards.facts(5, at(3)).contains_key("unrecorded"), "it is kept again");
        (0..20).for_each(|second| boards.ended(&only, &[5, 6], "closed", at(second)));
        let facts = boards.facts(5, at(30));
        assert_eq!(facts["connections_before"].as_array().map(Vec::len), Some(PAST_MAX));
        assert_eq!(facts["connections_before"][0]["until"], json!(at(19)));
        assert!(!boards.facts(6, at(30)).contains_key("connections_before"), "it never spoke");
    }

    #[test]
    fn what_is_wrong_is_told_and_a_forgotten_device_begins_anew() {
        let boards = Boards::default();
        let link = link(1, "192.0.2.1");
        says(&boards, &link, 0);
        let mut series = Series::default();
        series.hear(Some(1), false);
        series.hear(Some(4), false);
        boards.stored(5, series);
        boards.notice(5, Fault::Fields(1, "v3 is `x`".to_owned()), at(1));
        boards.notice(5, Fault::TooFast, at(2));
        let facts = boards.facts(5, at(2));
        assert_eq!((&facts["lost"], &facts["noticed"]["bad_fields"]), (&json!(2), &json!(1)));
        assert_eq!(facts["noticed"]["dropped"], 1);
        assert_eq!(facts["lost_percent"], 66.7, "two of three");
        assert!(boards.knows(5, &DeviceId::new("d")) && !boards.knows(5, &DeviceId::new("e")));
        let placed = boards.heard(5, &DeviceId::new("e"), &link, Series::default(), at(3));
        assert_eq!(placed, Placed { series: Series::default(), stranger: false });
        assert!(!boards.facts(5, at(3)).contains_key("noticed"));
    }
}
