//! `homeport sca11h discover`: a question to everybody on the network, and who answers (`sca11h.md §7`).

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::cli::client::text;
use crate::cli::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport sca11h discover\n  homeport sca11h discover --to 192.0.2.255 --wait 10 --json\n\nNodes answer on their own network alone. One that is being set up has a network of its own: join it first."
)]
pub(super) struct Discover {
    /// Whom to ask: a network's broadcast address; may be repeated. With another port than 2000: ADDRESS:PORT.
    #[arg(long, value_name = "ADDRESS", default_value = "255.255.255.255")]
    to: Vec<String>,
    /// Where answers are expected.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:2000")]
    bind: SocketAddr,
    /// How many seconds to listen.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    wait: u64,
    /// Stop at the first so many nodes.
    #[arg(long, value_name = "N")]
    first: Option<usize>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Discover {
    pub(super) async fn run(&self) -> Done {
        let to: Vec<SocketAddr> = self.to.iter().map(|text| asked(text)).collect::<anyhow::Result<_>>()?;
        let socket = match UdpSocket::bind(self.bind).await {
            Ok(socket) => socket,
            // Nodes that answer to where the question came from are heard all the same.
            Err(error) => {
                output::note(&format!("{} cannot be had ({error}): listening at another port", self.bind));
                UdpSocket::bind((self.bind.ip(), 0)).await.context("no port to listen at")?
            }
        };
        socket.set_broadcast(true).context("this machine allows no broadcast")?;
        let found = self.listen(&socket, &to).await?;
        let rows: Vec<Value> = found.into_values().collect();
        if self.json {
            output::json(&json!(rows))?;
        } else if rows.is_empty() {
            output::note(
                "no node answered: is this machine in the nodes' network? (--to gives another broadcast address)",
            );
        } else {
            output::table(&rows, &[("HOSTNAME", "hostname"), ("IP", "ip"), ("ANSWERED FROM", "from")])?;
        }
        Ok(())
    }

    /// Asks once a second, as such questions get lost, and gathers who answers.
    async fn listen(&self, socket: &UdpSocket, to: &[SocketAddr]) -> anyhow::Result<BTreeMap<String, Value>> {
        let end = Instant::now() + Duration::from_secs(self.wait);
        let mut again = tokio::time::interval(ASK_EVERY);
        let mut buffer = vec![0; ANSWER_MAX_BYTES];
        let mut found = BTreeMap::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return Ok(found),
                _ = again.tick() => {
                    for address in to {
                        socket
                            .send_to(QUESTION.as_bytes(), address)
                            .await
                            .with_context(|| format!("{address} cannot be asked"))?;
                    }
                }
                heard = socket.recv_from(&mut buffer) => {
                    // Some systems report an earlier question that nobody took as a failed reading.
                    let Ok((length, from)) = heard else { continue };
                    let Some(node) = buffer.get(..length).and_then(|bytes| answer(bytes, from)) else { continue };
                    found.insert(format!("{} {}", text(&node, "ip"), text(&node, "hostname")), node);
                    if self.first.is_some_and(|first| found.len() >= first) {
                        return Ok(found);
                    }
                }
            }
        }
    }
}

/// Where a question goes.
fn asked(text: &str) -> anyhow::Result<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let ip: Ipv4Addr =
        text.parse().with_context(|| format!("--to: expected an IPv4 address, found `{text}`"))?;
    Ok(SocketAddr::from((ip, PORT)))
}

/// A node's answer; `None` when it is anything else, our own question among it.
fn answer(bytes: &[u8], from: SocketAddr) -> Option<Value> {
    let told: Value = serde_json::from_slice(bytes.trim_ascii_end()).ok()?;
    if text(&told, "type") != "SCS-NOTIFY" {
        return None;
    }
    let ip = match text(&told, "ip") {
        "" => from.ip().to_string(),
        ip => ip.to_owned(),
    };
    Some(json!({ "hostname": text(&told, "hostname"), "ip": ip, "from": from.ip().to_string() }))
}

/// As the vendor's samples ask (§7).
const QUESTION: &str = r#"{"type":"SCS-DISCOVER","hostname":"Host-SCS"}"#;
const PORT: u16 = 2000;
const ASK_EVERY: Duration = Duration::from_secs(1);
const ANSWER_MAX_BYTES: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_nodes_answer_counts() {
        let from = "192.0.2.20:2000".parse().unwrap();
        let node = answer(br#"{"type":"SCS-NOTIFY","hostname":"SCA11H-1","ip":"192.0.2.21"}"#, from).unwrap();
        assert_eq!(node, json!({ "hostname": "SCA11H-1", "ip": "192.0.2.21", "from": "192.0.2.20" }));
        assert_eq!(answer(br#"{"type":"SCS-NOTIFY"}"#, from).unwrap()["ip"], "192.0.2.20");
        assert_eq!(answer(QUESTION.as_bytes(), from), None);
        assert_eq!(answer(b"hello", from), None);
    }

    #[test]
    fn a_question_goes_to_port_2000_unless_said_otherwise() {
        assert_eq!(asked("192.0.2.255").unwrap(), "192.0.2.255:2000".parse().unwrap());
        assert_eq!(asked("127.0.0.1:9").unwrap(), "127.0.0.1:9".parse().unwrap());
        assert!(asked("bed.lan").is_err());
    }
}
