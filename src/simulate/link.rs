//! A pretend device's connection that lasts: raw bytes both ways, in the pieces and with the ends that its dialect asks for.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::line::{Target, dial};
use crate::family::simulator::{Came, Stroke, Then, Vanish};

/// A device's hold on its connection.
#[derive(Default)]
pub(super) struct Link {
    stream: Option<TcpStream>,
    /// One on which nobody is any more; the other end does not know.
    frozen: Option<TcpStream>,
}

impl Link {
    /// Makes the connection that a stroke asks for, in place of the one before.
    pub(super) async fn open(&mut self, target: &Target, number: u32) -> io::Result<()> {
        self.stream = None;
        self.stream = Some(dial(target, number).await?);
        Ok(())
    }

    /// Carries a stroke out.
    pub(super) async fn strike(&mut self, stroke: &Stroke) -> Came {
        let Some(mut stream) = self.stream.take() else { return Came::Nothing };
        let mut came = BytesMut::new();
        // Where it breaks off, all counts as written that was to be: nobody here knows better.
        let open = carry(&mut stream, stroke, &mut came).await.unwrap_or(false);
        if open {
            self.stream = Some(stream);
        } else {
            match stroke.then {
                // That it cannot be set is no matter: the connection ends all the same.
                Then::Vanishes(Vanish::Reset) => drop(stream.set_zero_linger()),
                Then::Vanishes(Vanish::Freeze) => self.frozen = Some(stream),
                Then::Vanishes(Vanish::Close) | Then::End | Then::Answer | Then::GoesOn => {}
            }
        }
        Came::Bytes { bytes: came.freeze(), open }
    }
}

/// Writes and reads; says whether the connection can be used on.
async fn carry(stream: &mut TcpStream, stroke: &Stroke, came: &mut BytesMut) -> io::Result<bool> {
    for (place, piece) in stroke.pieces.iter().enumerate() {
        if place > 0 && !stroke.apart.is_zero() {
            tokio::time::sleep(stroke.apart).await;
        }
        stream.write_all(piece).await?;
    }
    match stroke.then {
        Then::Vanishes(_) => Ok(false),
        Then::GoesOn => here(stream, came),
        Then::Answer => tokio::time::timeout(ANSWER_WITHIN, first(stream, came)).await?,
        Then::End => {
            let read = tokio::time::timeout(END_WITHIN, async {
                while stream.read_buf(came).await.is_ok_and(|read| read > 0) {}
            });
            read.await?;
            Ok(false)
        }
    }
}

/// What has come by now.
fn here(stream: &TcpStream, came: &mut BytesMut) -> io::Result<bool> {
    loop {
        match stream.try_read_buf(came) {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        }
    }
}

/// One read as the firmware makes it (`websocket-mcu.md §2`).
async fn first(stream: &mut TcpStream, came: &mut BytesMut) -> io::Result<bool> {
    let mut place = [0; FIRST_READ_BYTES];
    while came.len() <= FIRST_READ_ENOUGH {
        let room = place.get_mut(came.len()..).unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            return Ok(false);
        }
        came.extend_from_slice(room.get(..read).unwrap_or_default());
    }
    Ok(true)
}

const FIRST_READ_BYTES: usize = 200;
/// With more than this the read is over.
const FIRST_READ_ENOUGH: usize = 100;
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const END_WITHIN: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tokio::net::TcpListener;

    use super::*;
    use crate::family::simulator::Purpose;

    fn stroke(pieces: &[&'static str], then: Then) -> Stroke {
        let pieces = pieces.iter().map(|piece| Bytes::from(*piece)).collect();
        Stroke { purpose: Purpose::Send, opens: false, pieces, apart: Duration::ZERO, then }
    }

    #[tokio::test]
    async fn each_way_to_end_is_seen_at_the_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target { addr: listener.local_addr().unwrap(), name: None, host: String::new() };
        let mut link = Link::default();
        assert_eq!(link.strike(&stroke(&["x"], Then::GoesOn)).await, Came::Nothing);
        for way in [Vanish::Close, Vanish::Reset, Vanish::Freeze] {
            let (opened, accepted) = tokio::join!(link.open(&target, 1), listener.accept());
            opened.unwrap();
            let (mut server, _) = accepted.unwrap();
            let went = link.strike(&stroke(&["a", "b"], Then::GoesOn)).await;
            assert_eq!(went, Came::Bytes { bytes: Bytes::new(), open: true });
            server.read_exact(&mut [0; 2]).await.unwrap();
            let gone = link.strike(&stroke(&[], Then::Vanishes(way))).await;
            assert_eq!(gone, Came::Bytes { bytes: Bytes::new(), open: false });
            match way {
                Vanish::Close => assert_eq!(server.read(&mut [0]).await.unwrap(), 0),
                Vanish::Reset => {
                    let cut = server.read(&mut [0]).await.unwrap_err();
                    assert_eq!(cut.kind(), io::ErrorKind::ConnectionReset);
                }
                // Nothing tells that nobody is there.
                Vanish::Freeze => server.write_all(b"are you there").await.unwrap(),
            }
        }
    }

    #[tokio::test]
    async fn the_first_read_takes_no_more_than_the_firmware_s() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target { addr: listener.local_addr().unwrap(), name: None, host: String::new() };
        let mut link = Link::default();
        let (opened, accepted) = tokio::join!(link.open(&target, 1), listener.accept());
        opened.unwrap();
        let (mut server, _) = accepted.unwrap();
        server.write_all(&[b'.'; 250]).await.unwrap();
        let Came::Bytes { bytes, open: true } = link.strike(&stroke(&["?"], Then::Answer)).await else {
            panic!("no answer");
        };
        assert!((FIRST_READ_ENOUGH + 1..=FIRST_READ_BYTES).contains(&bytes.len()), "{}", bytes.len());
        drop(server);
        let ended = link.strike(&stroke(&[], Then::End)).await;
        assert!(matches!(ended, Came::Bytes { open: false, .. }));
    }
}
