//! Which bytes go out when.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::*;

fn raw() -> (Raw<DuplexStream>, DuplexStream, Seen, Phase) {
    let (near, far) = duplex(64 * 1024);
    let (seen, phase) = (Seen::default(), Phase::default());
    (Raw::new(near, seen.clone(), phase.clone()), far, seen, phase)
}

/// What has come out so far.
async fn out(far: &mut DuplexStream) -> Vec<u8> {
    let mut part = vec![0; 9000];
    tokio::select! {
        biased;
        read = far.read(&mut part) => part[..read.unwrap()].to_vec(),
        () = std::future::ready(()) => Vec::new(),
    }
}

fn record(kind: u8, size: usize) -> Vec<u8> {
    let mut record = vec![0; size];
    record[0] = kind;
    record
}

#[tokio::test]
async fn the_first_bytes_are_kept_until_the_handshake_is_over() {
    let (mut socket, mut far, seen, _) = raw();
    far.write_all(&[22; 9000]).await.unwrap();
    socket.read_exact(&mut [0; 10]).await.unwrap();
    assert_eq!(seen.bytes(), [22; 10]);
    socket.read_exact(&mut [0; 5000]).await.unwrap();
    assert_eq!(seen.bytes().len(), SEEN_MAX_BYTES);
    let (mut socket, mut far, seen, _) = raw();
    socket.shaken();
    far.write_all(&[7; 20]).await.unwrap();
    socket.read_exact(&mut [0; 10]).await.unwrap();
    assert!(seen.bytes().is_empty());
}

#[tokio::test]
async fn what_begins_with_no_tls_is_stopped_before_it_is_read_as_such() {
    let (mut socket, mut far, seen, _) = raw();
    far.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(socket.read(&mut [0; 100]).await.is_err());
    assert_eq!(seen.bytes(), b"GET / HTTP/1.1\r\n\r\n", "what was read is there to be answered");
}

#[tokio::test]
async fn the_ticket_waits_for_the_first_answer() {
    let (mut socket, mut far, ..) = raw();
    socket.write_all(&record(22, 900)).await.unwrap();
    socket.flush().await.unwrap();
    assert_eq!(out(&mut far).await.len(), 900, "the server's own flight");
    socket.write_all(&record(APPLICATION_DATA, 200)).await.unwrap();
    socket.flush().await.unwrap();
    assert_eq!(out(&mut far).await.len(), 0, "the ticket");
    socket.shaken();
    socket.write_all(&record(APPLICATION_DATA, 150)).await.unwrap();
    assert_eq!(out(&mut far).await.len(), 350);
}

#[tokio::test]
async fn an_alert_waits_for_nothing_and_whoever_reads_on_waits_for_nobody() {
    let (mut socket, mut far, ..) = raw();
    socket.write_all(&record(APPLICATION_DATA, ALERT_MAX_BYTES)).await.unwrap();
    assert_eq!(out(&mut far).await.len(), ALERT_MAX_BYTES);
    // The rest of a flight that was cut, taken for a ticket: the handshake goes on to read.
    socket.write_all(&record(APPLICATION_DATA, 300)).await.unwrap();
    far.write_all(&[22]).await.unwrap();
    socket.read_exact(&mut [0]).await.unwrap();
    assert_eq!(out(&mut far).await.len(), 300);
}

#[tokio::test]
async fn a_ticket_nobody_asked_anything_after_goes_out_with_the_end() {
    let (mut socket, mut far, ..) = raw();
    socket.write_all(&record(APPLICATION_DATA, 200)).await.unwrap();
    socket.shaken();
    socket.shutdown().await.unwrap();
    let mut all = Vec::new();
    far.read_to_end(&mut all).await.unwrap();
    assert_eq!(all.len(), 200);
}

#[tokio::test]
async fn the_last_answer_goes_out_with_the_end_of_tls() {
    let (mut socket, mut far, _, phase) = raw();
    socket.shaken();
    phase.end();
    socket.write_all(&record(APPLICATION_DATA, 300)).await.unwrap();
    socket.flush().await.unwrap();
    assert_eq!(out(&mut far).await.len(), 0);
    socket.write_all(&record(APPLICATION_DATA, 24)).await.unwrap();
    socket.shutdown().await.unwrap();
    assert_eq!(out(&mut far).await.len(), 324);
    // A large one is not gathered.
    let (mut socket, mut far, _, phase) = raw();
    socket.shaken();
    phase.end();
    socket.write_all(&record(APPLICATION_DATA, HELD_MAX_BYTES + 1)).await.unwrap();
    assert_eq!(out(&mut far).await.len(), HELD_MAX_BYTES + 1);
}

#[tokio::test]
async fn an_answer_that_was_not_the_last_one_after_all_goes_out() {
    let (mut socket, mut far, _, phase) = raw();
    socket.shaken();
    phase.end();
    socket.write_all(&record(APPLICATION_DATA, 300)).await.unwrap();
    far.write_all(b"more").await.unwrap();
    socket.read_exact(&mut [0; 4]).await.unwrap();
    assert_eq!(out(&mut far).await.len(), 300);
}

#[tokio::test]
async fn a_socket_that_takes_little_at_a_time_loses_nothing() {
    let (near, mut far) = duplex(7);
    let mut socket = Raw::new(near, Seen::default(), Phase::default());
    let ticket: Vec<u8> =
        (0..100).map(|number| if number == 0 { APPLICATION_DATA } else { number }).collect();
    socket.write_all(&ticket).await.unwrap();
    socket.shaken();
    let rest: Vec<u8> = (100..250).collect();
    let (all, written) = tokio::join!(
        async {
            let mut all = Vec::new();
            far.read_to_end(&mut all).await.unwrap();
            all
        },
        async {
            socket.write_all(&rest).await?;
            socket.shutdown().await
        }
    );
    written.unwrap();
    assert_eq!(all, [ticket, rest].concat());
}
