//! Microcontrollers as load: each sends as fast as the server reads, and is done when the server has answered its close
//! frame, behind which nothing is left to be stored.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::load::Shared;

/// A board on an open connection.
pub(crate) struct Board {
    stream: TcpStream,
    number: usize,
    counter: u64,
}

impl Board {
    /// Connects as the firmware does.
    pub(crate) async fn open(addr: SocketAddr, number: usize) -> io::Result<Self> {
        let mut stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let request = format!(
            "GET /ws HTTP/1.1\r\nHost: {addr}\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: L159VM0TWUzyDxwJEIEzjw==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 || head.len() > 4096 {
                return Err(io::Error::other("no connection was given"));
            }
        }
        if head.starts_with(b"HTTP/1.1 101 ") {
            Ok(Self { stream, number, counter: 0 })
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()))
        }
    }

    /// Sends messages, a few to a write: the server is to be busy, not the load.
    pub(crate) async fn says(&mut self, messages: u64) -> io::Result<()> {
        let mut left = messages;
        let mut frames = Vec::new();
        while left > 0 {
            frames.clear();
            for _ in 0..left.min(TOGETHER) {
                let text = format!(
                    "{},{},{}.{:03}",
                    self.number,
                    self.counter,
                    20 + self.counter % 20,
                    self.counter * 37 % 1000
                );
                frames.extend_from_slice(&[0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
                frames.extend_from_slice(text.as_bytes());
                self.counter += 1;
            }
            left -= left.min(TOGETHER);
            self.stream.write_all(&frames).await?;
        }
        Ok(())
    }

    /// Ends the connection in order; an error unless the server answers in order, too.
    pub(crate) async fn close(mut self) -> io::Result<()> {
        self.stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 3, 0xE8]).await?;
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await?;
        if rest.starts_with(&[0x88]) { Ok(()) } else { Err(io::Error::other("it did not answer in order")) }
    }
}

/// One board: connects, says something, and all the rest once everybody is there.
pub(crate) async fn work(shared: Arc<Shared>, number: usize, messages: u64) {
    let id = shared.load.first + number;
    let done = async {
        let mut board = Board::open(shared.load.addr, id).await?;
        board.says(1).await?;
        let started = shared.started.notified();
        tokio::pin!(started);
        // From here on it is among those who are told.
        started.as_mut().enable();
        shared.warm.fetch_add(1, Ordering::Relaxed);
        started.await;
        board.says(messages).await?;
        board.close().await
    };
    match done.await {
        Ok(()) => drop(shared.answered.fetch_add(messages, Ordering::Relaxed)),
        Err(error) => {
            shared.warm.fetch_add(1, Ordering::Relaxed);
            shared.failed(&error.to_string());
        }
    }
}

const TOGETHER: u64 = 8;
