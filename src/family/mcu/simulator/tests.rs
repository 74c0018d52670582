//! A pretend board says what a real one would, takes what comes as strictly as one, and claims only what it can know.

use std::collections::BTreeSet;

use super::*;

const HOST: &str = "192.168.1.99:4444";
/// The answer of homeport, with hyper's date.
const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: DdLWT/1JcX+nQFHebYP+rqEx5xI=\r\nDate: Sat, 21 Nov 2026 22:00:00 GMT\r\n\r\n";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(seconds))
}

fn board(settings: &McuSettings) -> Board {
    Board::new(Role { number: 5, behind: 1, seed: 7 }, settings)
}

fn came(bytes: &'static [u8], open: bool) -> Came {
    Came::Bytes { bytes: Bytes::from_static(bytes), open }
}

/// Plays the server: takes whatever is written, answers handshakes and close frames. Gives the facts and all strokes.
fn play(board: &mut Board) -> (Vec<Fact>, Vec<Stroke>) {
    let (mut facts, mut strokes) = (Vec::new(), Vec::new());
    while let Some(stroke) = board.next(HOST) {
        let back = match (stroke.purpose, stroke.then) {
            (Purpose::Upgrade, _) => Came::Bytes { bytes: answer(&stroke).into(), open: true },
            (Purpose::Goodbye, _) => came(b"\x88\x02\x03\xE8", false),
            (_, Then::GoesOn) => came(b"", true),
            (_, _) => came(b"", false),
        };
        board.came(&back, &mut |fact| facts.push(fact));
        strokes.push(stroke);
        assert!(strokes.len() < 10_000, "it comes to an end");
    }
    (facts, strokes)
}

/// What the server answers to a request; a neighbour's has another key.
fn answer(stroke: &Stroke) -> String {
    let asked = stroke.pieces.concat();
    if String::from_utf8_lossy(&asked).contains("L159VM0TWUzyDxwJEIEzjw==") {
        return ANSWER.to_owned();
    }
    ANSWER.replace("DdLWT/1JcX+nQFHebYP+rqEx5xI=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
}

fn count(facts: &[Fact], pick: impl Fn(&Fact) -> bool) -> usize {
    facts.iter().filter(|fact| pick(fact)).count()
}

#[test]
fn the_opening_is_the_firmware_s_six_writes() {
    let mut board = board(&McuSettings::default());
    board.tick(at(0));
    let (_, strokes) = play(&mut board);
    let first = strokes.first().unwrap();
    let lines: Vec<&str> = first.pieces.iter().map(|piece| std::str::from_utf8(piece).unwrap()).collect();
    assert_eq!(
        lines,
        [
            "GET /ws HTTP/1.1\r\n",
            "Host: 192.168.1.99:4444\r\n",
            "Upgrade: WebSocket\r\n",
            "Connection: Upgrade\r\n",
            "Sec-WebSocket-Key: L159VM0TWUzyDxwJEIEzjw==\r\n",
            "Sec-WebSocket-Version: 13\r\n\r\n",
        ]
    );
    assert!(first.opens && first.then == Then::Answer);
    // Its first sample, counted from 0, in a frame with a mask of zeros.
    let said = strokes.get(1).unwrap().pieces.concat();
    assert!(said.starts_with(&[0x81]) && said.get(2..6) == Some(&[0; 4]), "{said:02x?}");
    assert!(said.get(6..).unwrap().starts_with(b"800004, 0, "), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn it_speaks_every_three_seconds_and_never_too_long_on_one_connection() {
    let mut board = board(&McuSettings::default());
    board.tick(at(0));
    board.tick(at(2));
    let (facts, _) = play(&mut board);
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Said { .. })), 1);
    board.tick(at(300));
    let (facts, strokes) = play(&mut board);
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Said { .. })), 100);
    let opened = strokes.iter().filter(|stroke| stroke.opens).count();
    assert_eq!(opened, 2, "40 messages each, the first one on a connection from before");
    let few = McuSettings { messages_per_second_max: 5, ..McuSettings::default() };
    assert_eq!(Board::new(Role { number: 1, behind: 1, seed: 1 }, &few).frames_max, 4);
}

#[test]
fn all_is_sure_after_an_end_in_order_and_nothing_after_another() {
    let mut board = board(&McuSettings::default());
    board.tick(at(0));
    board.tick(at(6));
    let (said, _) = play(&mut board);
    assert_eq!(count(&said, |fact| matches!(fact, Fact::Sure { .. })), 0);
    board.leave();
    let (facts, strokes) = play(&mut board);
    assert_eq!(strokes.len(), 1);
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Sure { .. })), 3);
    let holds = Fact::Holds { from: 0, sensor: "TempSensor", count: 3, sure: true };
    let shows = Fact::Shows { from: 0, sensor: "SendCounter", value: Some(2) };
    assert!(facts.contains(&holds) && facts.contains(&shows), "{facts:?}");
    assert!(board.next(HOST).is_none(), "it stays away until its next tick");
    // The server is gone in the middle.
    board.tick(at(9));
    assert!(board.next(HOST).is_some());
    let mut facts = Vec::new();
    let mut tell = |fact| facts.push(fact);
    assert!(board.came(&came(ANSWER.as_bytes(), true), &mut tell));
    board.next(HOST).unwrap();
    assert!(!board.came(&came(b"", false), &mut tell), "it rests before it tries again");
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Sure { .. })), 0);
    assert_eq!(count(&facts, |fact| *fact == Fact::Vanished), 1);
    let holds = Fact::Holds { from: 0, sensor: "TempSensor", count: 1, sure: false };
    assert!(facts.contains(&holds), "{facts:?}");
}

#[test]
fn commands_are_heard_and_what_the_firmware_would_not_hear_is_told() {
    let mut board = board(&McuSettings::default());
    board.tick(at(0));
    board.next(HOST).unwrap();
    let mut facts = Vec::new();
    // A command right behind the answer is swallowed by the firmware's first read.
    let greedy = [ANSWER.as_bytes(), b"\x81\x031,1"].concat();
    board.came(&Came::Bytes { bytes: greedy.into(), open: true }, &mut |fact| facts.push(fact));
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Odd(_))), 1, "{facts:?}");
    facts.clear();
    board.next(HOST).unwrap();
    board.came(&came(b"\x81\x031,0\x81\x06", true), &mut |fact| facts.push(fact));
    board.tick(at(3));
    board.next(HOST).unwrap();
    board.came(&came(b"1,0.25\x89\x00", true), &mut |fact| facts.push(fact));
    let got: Vec<&[u8]> = facts
        .iter()
        .filter_map(|fact| if let Fact::Got { text, .. } = fact { Some(&text[..]) } else { None })
        .collect();
    // The one behind the answer was in the socket's buffer of a board that reads it after all.
    assert_eq!(got, [&b"1,1"[..], b"1,0", b"1,0.25"]);
    assert_eq!(count(&facts, |fact| matches!(fact, Fact::Odd(_))), 1, "a ping: {facts:?}");
}

#[test]
fn a_wrong_answer_is_told_and_a_server_that_stops_is_not() {
    for (answer, odd) in [
        (&b"HTTP/1.1 403 Forbidden\r\n\r\n"[..], true),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
        (b"", false),
    ] {
        let mut board = board(&McuSettings::default());
        board.tick(at(0));
        board.next(HOST).unwrap();
        let mut facts = Vec::new();
        let goes_on = board.came(&came(answer, true), &mut |fact| facts.push(fact));
        assert_eq!(count(&facts, |fact| matches!(fact, Fact::Odd(_))), usize::from(odd));
        // Who is refused would be again: it says nothing more before its next tick. Else it tries again after a rest.
        assert_eq!((goes_on, board.next(HOST).is_some()), (odd, !odd));
    }
}

#[test]
fn every_fault_shows_on_the_wire() {
    let mut seen = BTreeSet::new();
    for fault in FAULTS {
        let mut board = board(&McuSettings::default());
        board.suffer(Some(fault));
        for minute in 0..60 {
            board.tick(at(60 * minute));
            let (facts, strokes) = play(&mut board);
            assert_eq!(count(&facts, |fact| matches!(fact, Fact::Odd(_))), 0, "{fault:?} {facts:?}");
            let shows = match fault {
                Fault::Glued => strokes.iter().any(|stroke| stroke.pieces.concat().len() > 60),
                Fault::Slow => {
                    strokes.iter().any(|stroke| stroke.pieces.len() > 4 && !stroke.apart.is_zero())
                }
                Fault::Duplicate => strokes.windows(2).any(|two| two.first() == two.last()),
                Fault::Neighbours => strokes.iter().any(|stroke| {
                    stroke.opens && String::from_utf8_lossy(&stroke.pieces.concat()).contains("Origin: ")
                }),
                Fault::Garbage => {
                    facts.iter().any(|fact| matches!(fact, Fact::Said { verdict: Verdict::Malformed, .. }))
                }
                Fault::HalfBody | Fault::ReconnectStorm | Fault::Vanish | Fault::Reboot => {
                    strokes.iter().any(|stroke| matches!(stroke.then, Then::Vanishes(_)))
                }
                Fault::BadCrc | Fault::NoCrc | Fault::ClockSkew | Fault::KillMidPull => false,
            };
            if shows {
                seen.insert(fault);
            }
        }
    }
    assert_eq!(seen, BTreeSet::from(FAULTS));
}

#[test]
fn a_reboot_begins_to_count_anew() {
    let mut board = board(&McuSettings::default());
    board.suffer(Some(Fault::Reboot));
    let mut counters = Vec::new();
    for minute in 0..30 {
        board.tick(at(60 * minute));
        counters.extend(board.queue.iter().filter_map(|one| one.counter));
        play(&mut board);
    }
    assert!(counters.windows(2).any(|two| matches!(two, [before, 0] if *before > 0)), "{counters:?}");
}

#[test]
fn a_key_goes_into_the_path() {
    let keyed = McuSettings {
        access: Access::Key,
        key: serde_json::from_str("\"abc\"").unwrap(),
        ..McuSettings::default()
    };
    let path = |number| Board::new(Role { number, behind: 1, seed: 1 }, &keyed).path;
    assert_eq!((path(1), path(2)), ("/ws?key=abc".to_owned(), "/ws/abc".to_owned()));
}
