//! Messages that come together: each stored in its order, none the worse for its neighbours, all on disk before a close
//! frame behind them is answered.

use super::Bench;
use crate::harness::{Mask, frame};

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| frame(0x81, text.as_bytes(), Mask::Zero)).collect()
}

#[test]
fn all_are_on_disk_when_the_close_frame_behind_them_is_answered() {
    let mut bench = Bench::new();
    let mut board = bench.board();
    // A gateway that speaks for two boards, in one segment; one message is none.
    let texts = ["5,1,20.5", "6,1,30.5", "5,2,20.6", "garbage", "6,3,30.6", "5,3,20.7", "6,3,30.7"];
    let mut bytes = frames(&texts);
    bytes.extend(frame(0x88, &[0x03, 0xE8], Mask::Zero));
    board.write(&bytes);
    board.hears(&[0x88, 0x02, 0x03, 0xE8]);
    // From here on nothing may be lost, whatever becomes of the server.
    bench.program.kill();
    bench.program.start();
    let mut stored = bench.program.all(&bench.token, "/api/v1/messages?direction=in");
    stored.sort_by_key(|message| message["seq"].as_i64());
    let said: Vec<&str> = stored.iter().filter_map(|message| message["raw"].as_str()).collect();
    assert_eq!(said, texts);
    let whose: Vec<&str> =
        stored.iter().filter_map(|message| message["device"]["address"].as_str()).collect();
    // What is nobody's is kept with the board that spoke before it.
    assert_eq!(whose, ["5", "6", "5", "5", "6", "5", "6"]);
    // Each board's counter goes on from its own message before.
    let newest = |number: u32, sensor: &str| {
        let series = bench.program.all(&bench.token, &format!("/api/v1/devices/{}/series", bench.id(number)));
        series.into_iter().find(|datum| datum["sensor"] == sensor).map(|datum| datum["value"].clone())
    };
    assert_eq!(newest(5, "lost"), None);
    assert_eq!(newest(6, "lost"), Some(1.into()));
    assert_eq!((newest(5, "repeats"), newest(6, "repeats")), (None, Some(1.into())));
    assert_eq!(newest(5, "SendCounter"), Some(3.into()));
}

#[test]
fn what_comes_before_a_message_that_ends_the_connection_is_stored() {
    let bench = Bench::new();
    for (ending, number) in
        [(frame(0x81, &[b'1'; 8000], Mask::Zero), 5), (frame(0xC1, b"5,9,1", Mask::Zero), 6)]
    {
        let mut board = bench.board();
        let (one, two) = (format!("{number},1,20.5"), format!("{number},2,20.6"));
        board.write(&[frames(&[&one, &two]), ending].concat());
        board.rest();
        let heard = bench.program.all(&bench.token, "/api/v1/messages?direction=in");
        let address = number.to_string();
        let mine = heard.iter().filter(|message| message["device"]["address"] == address);
        assert_eq!(mine.count(), 2);
    }
}

#[test]
fn a_ping_is_answered_behind_what_came_before_it() {
    let bench = Bench::new();
    let mut board = bench.board();
    let mut bytes = frames(&["5,1,20.5", "5,2,20.6"]);
    bytes.extend(frame(0x89, b"", Mask::Zero));
    bytes.extend(frames(&["5,3,20.7"]));
    board.write(&bytes);
    board.hears(&[0x8A, 0x00]);
    let heard = bench.program.all(&bench.token, "/api/v1/messages?direction=in").len();
    assert!(heard >= 2, "{heard}");
}
