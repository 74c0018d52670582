//! Many connections that rest: opened, each used once if asked, then silent until standard input ends.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;

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
                let mut client = Client::open(hold.addr, Some(&config)).await?;
                if hold.used {
                    client.ask(&Heart::new(hold.first + number).request(false)).await?;
                }
                drop(place);
                Ok::<_, std::io::Error>(client)
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

const OPENING_AT_ONCE: usize = 64;
