//! A transfer's life, driven by hand.

use proptest::prelude::*;

use super::*;
use crate::model::{DeviceId, FamilyName};

const PATIENCE: Patience = Patience { restarts_max: 2, asks_max: 2, answer_within: Duration::from_secs(30) };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn transfer(size: u64, piece_bytes: u32) -> Transfer {
    Transfer {
        id: TransferId::new("t"),
        device: DeviceRef {
            id: DeviceId::new("d"),
            family: FamilyName::new("kin"),
            address: "OKE".to_owned(),
            name: "Fryer".to_owned(),
        },
        via: "CWM".to_owned(),
        parcel: Parcel {
            file: "a.bin".to_owned(),
            name: "a.bin".to_owned(),
            size,
            sha256: "0".repeat(64),
            md5: "0".repeat(32),
            crc16: "0007".to_owned(),
        },
        piece_bytes,
        state: TransferState::Queued,
        reason: String::new(),
        by: "user:mira".to_owned(),
        created: at(0),
        changed: at(0),
        taken: 0,
        restarts: 0,
        open: None,
        ask_at: None,
        asked: 0,
        listed: None,
        differs: false,
    }
}

fn next(transfer: &mut Transfer, now: Timestamp) -> Errand {
    match transfer.onward(now) {
        Onward::Errand(errand) => {
            transfer.note(errand.clone());
            assert_eq!(transfer.onward(now), Onward::Wait, "one at a time");
            errand
        }
        other => panic!("{other:?}"),
    }
}

/// Sends everything; gives the pieces as (offset, length).
fn send_all(transfer: &mut Transfer) -> Vec<(u64, u32)> {
    let mut pieces = Vec::new();
    while transfer.state == TransferState::Transferring {
        let Load::Piece { offset, len } = next(transfer, at(1)).what else { panic!("a piece") };
        pieces.push((offset, len));
        transfer.settle(CommandState::Accepted, "the device took it", at(2), PATIENCE);
    }
    pieces
}

fn delivered() -> Transfer {
    let mut transfer = transfer(700, 512);
    transfer.begin(at(1));
    send_all(&mut transfer);
    assert_eq!((transfer.state, transfer.percent()), (TransferState::Delivered, 100));
    transfer
}

#[test]
fn a_file_goes_in_order_and_a_shorter_piece_ends_it() {
    for (size, expected) in [
        (0, vec![(0, 0)]),
        (1, vec![(0, 1)]),
        (511, vec![(0, 511)]),
        (512, vec![(0, 512), (512, 0)]),
        (513, vec![(0, 512), (512, 1)]),
        (1024, vec![(0, 512), (512, 512), (1024, 0)]),
    ] {
        let mut transfer = transfer(size, 512);
        assert_eq!(transfer.onward(at(0)), Onward::Wait, "it is not begun");
        transfer.begin(at(1));
        assert_eq!(send_all(&mut transfer), expected, "{size}");
        assert_eq!(transfer.taken_bytes(), size);
    }
}

#[test]
fn the_percentage_grows_to_a_hundred_with_the_last_piece() {
    let mut transfer = transfer(1000, 300);
    transfer.begin(at(1));
    let mut seen = vec![transfer.percent()];
    while transfer.state == TransferState::Transferring {
        next(&mut transfer, at(1));
        transfer.settle(CommandState::Answered, "the device replied", at(2), PATIENCE);
        seen.push(transfer.percent());
    }
    assert_eq!(seen, [0, 25, 50, 75, 100]);
}

#[test]
fn a_piece_that_was_given_up_begins_the_file_anew_so_often_and_no_oftener() {
    let mut transfer = transfer(2000, 512);
    transfer.begin(at(1));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(next(&mut transfer, at(1)).command);
        transfer.settle(CommandState::Accepted, "", at(2), PATIENCE);
        let second = next(&mut transfer, at(1));
        assert_eq!(second.what, Load::Piece { offset: 512, len: 512 });
        ids.push(second.command);
        transfer.settle(CommandState::Failed, "no word of it", at(3), PATIENCE);
    }
    assert_eq!(transfer.state, TransferState::Failed);
    assert!(transfer.reason.contains("no word of it"), "{}", transfer.reason);
    assert_eq!(transfer.onward(at(9)), Onward::Nothing);
    let known = ids.len();
    ids.sort_by_key(ToString::to_string);
    ids.dedup();
    assert_eq!(ids.len(), known, "no id comes twice");
}

#[test]
fn a_piece_nobody_fetched_in_time_fails_it_and_a_withdrawn_one_aborts_it() {
    for (became, state) in
        [(CommandState::Expired, TransferState::Failed), (CommandState::Cancelled, TransferState::Aborted)]
    {
        let mut transfer = transfer(5, 512);
        transfer.begin(at(1));
        next(&mut transfer, at(1));
        transfer.settle(became, "it was so", at(2), PATIENCE);
        assert_eq!((transfer.state, transfer.is_over()), (state, true));
    }
}

#[test]
fn a_piece_under_way_changes_nothing() {
    let mut transfer = transfer(5, 512);
    transfer.begin(at(1));
    next(&mut transfer, at(1));
    let before = transfer.clone();
    transfer.settle(CommandState::Sent, "", at(2), PATIENCE);
    transfer.settle(CommandState::Queued, "", at(3), PATIENCE);
    assert_eq!(transfer, before);
}

#[test]
fn the_directory_confirms_what_it_lists_with_the_right_checksum() {
    let mut transfer = delivered();
    assert!(!transfer.is_over());
    assert_eq!(next(&mut transfer, at(2)).what, Load::Directory);
    transfer.listed(&Listing::Same("MD5 d41d".to_owned()), at(3));
    assert_eq!((transfer.state, transfer.is_over()), (TransferState::Confirmed, true));
    assert_eq!(transfer.onward(at(3)), Onward::Nothing);
    transfer.listed(&Listing::Other("beef".to_owned()), at(4));
    assert_eq!(transfer.state, TransferState::Confirmed);
}

#[test]
fn a_directory_is_asked_for_again_and_then_believed() {
    for (listing, state, says) in [
        (Some(Listing::Other("CRC BEEF".to_owned())), TransferState::Failed, "BEEF"),
        (Some(Listing::Unsigned), TransferState::Delivered, "without a checksum"),
        (None, TransferState::Delivered, "did not list"),
    ] {
        let mut transfer = delivered();
        for ask in 0..2 {
            assert_eq!(next(&mut transfer, at(100 * ask + 2)).what, Load::Directory);
            transfer.settle(CommandState::Answered, "", at(100 * ask + 3), PATIENCE);
            if let Some(listing) = &listing {
                transfer.listed(listing, at(100 * ask + 4));
            }
            assert_eq!(transfer.onward(at(100 * ask + 5)), Onward::NotBefore(at(100 * ask + 33)));
            transfer.lose_patience(at(100 * ask + 5), PATIENCE);
            assert!(!transfer.is_over());
        }
        transfer.lose_patience(at(200), PATIENCE);
        assert_eq!((transfer.state, transfer.is_over()), (state, true), "{listing:?}");
        assert!(transfer.reason.contains(says), "{}", transfer.reason);
    }
}

#[test]
fn a_directory_nobody_fetched_leaves_it_delivered() {
    let mut transfer = delivered();
    next(&mut transfer, at(2));
    transfer.settle(CommandState::Expired, "", at(3), PATIENCE);
    assert_eq!((transfer.state, transfer.is_over()), (TransferState::Delivered, true));
}

#[test]
fn an_aborted_transfer_stays_so() {
    let mut transfer = transfer(5, 512);
    transfer.begin(at(1));
    next(&mut transfer, at(1));
    transfer.abort("withdrawn", at(2));
    transfer.settle(CommandState::Accepted, "", at(3), PATIENCE);
    transfer.fail("too late", at(4));
    assert_eq!((transfer.state, transfer.reason.as_str()), (TransferState::Aborted, "withdrawn"));
}

#[test]
fn a_transfer_reads_back_as_it_was_kept() {
    let mut transfer = delivered();
    next(&mut transfer, at(2));
    let text = serde_json::to_string(&transfer).unwrap();
    assert_eq!(serde_json::from_str::<Transfer>(&text).unwrap(), transfer);
}

proptest! {
    #[test]
    fn the_pieces_make_the_file(size in 0_u64..20_000, piece in 1_u32..1_000) {
        let mut transfer = transfer(size, piece);
        transfer.begin(at(1));
        let pieces = send_all(&mut transfer);
        let mut end = 0;
        for (place, (offset, len)) in pieces.iter().enumerate() {
            prop_assert_eq!(*offset, end);
            end += u64::from(*len);
            prop_assert_eq!(*len < piece, place + 1 == pieces.len());
        }
        prop_assert_eq!(end, size);
        prop_assert_eq!(pieces.len() as u64, transfer.pieces());
    }
}
