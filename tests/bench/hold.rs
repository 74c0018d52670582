//! Many connections that rest: opened, each used once if asked, then silent until standard input ends.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::sync::Semaphore;

use crate::boards::Board;
use crate::client::Client;
use crate::heartbeat::Heart;
use crate::tls::{self, Key, Version};

#[derive(clap::Args, Clone)]
pub(crate) struct Hold {
    #[arg(long)]
    addr: SocketAddr,
    #[arg(long, default_value_t = 10_000)]
    count: usize,
    /// Each sends one heartbeat before it rests.
    #[arg(long)]
    used: bool,
    /// Be microcontrollers; one that is used sends a message.
    #[arg(long)]
    board: bool,
    /// The first device's number.
    #[arg(long, default_value_t = 1_000_000)]
    first: usize,
}

impl Hold {
    pub(crate) fn run(&self) {
        crate::runtime().block_on(self.clone().hold());
    }

    async fn hold(self) {
        let config = tls::client(Version::Tls13, Key::Ecdsa, false);
        let turnstile = Arc::new(Semaphore::new(OPENING_AT_ONCE));
        let mut opening = tokio::task::JoinSet::new();
        for number in 0..self.count {
            let place = Arc::clone(&turnstile).acquire_owned().await.expect("it is never closed");
            let (config, hold) = (Arc::clone(&config), self.clone());
            opening.spawn(async move {
                let opened = hold.open(number, &config).await?;
                drop(place);
                Ok::<_, std::io::Error>(opened)
            });
        }
        let mut held = Vec::new();
        let mut error = None;
        while let Some(opened) = opening.join_next().await {
            match opened.expect("no panic") {
                Ok(client) => held.push(client),
                Err(cause) => error = Some(cause),
            }
        }
        println!("held {}", held.len());
        if let Some(error) = error {
            eprintln!("not all: {error}");
        }
        std::io::stdout().flush().ok();
        tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()).ok()).await.ok();
    }
}

/// A connection that rests; it is there to be kept.
enum Held {
    Client(#[expect(dead_code, reason = "it is kept, not used")] Client),
    Board(#[expect(dead_code, reason = "it is kept, not used")] Board),
}

impl Hold {
    async fn open(&self, number: usize, config: &Arc<ClientConfig>) -> std::io::Result<Held> {
        if self.board {
            // Numbers of boards have six digits at most.
            let mut board = Board::open(self.addr, (self.first + number) % 1_000_000).await?;
            if self.used {
                board.says(1).await?;
            }
            return Ok(Held::Board(board));
        }
        let mut client = Client::open(self.addr, Some(config)).await?;
        if self.used {
            client.ask(&Heart::new(self.first + number).request(false)).await?;
        }
        Ok(Held::Client(client))
    }
}

const OPENING_AT_ONCE: usize = 64;
