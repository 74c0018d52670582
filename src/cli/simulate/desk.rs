//! The people's side of a rehearsal: takes the fleet on, queues commands and looks at them, through the API.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::cli::client::{Client, escape, text};
use crate::simulate::{Errand, Office, Order, StoredCommand};

/// An operator with the API at hand.
pub(super) struct Desk {
    client: Arc<Client>,
    /// The fleet's ids by address.
    ids: HashMap<String, String>,
    /// The file that devices fetch, and are sent.
    file: String,
    /// How many devices were made or adopted for it.
    pub(super) taken_on: usize,
}

impl Desk {
    /// Makes and adopts the fleet's devices, so that they are let in and given commands whatever the policy for unknown
    /// ones is.
    pub(super) async fn open(client: Client, family: &str, addresses: Vec<String>) -> anyhow::Result<Self> {
        let client = Arc::new(client);
        let mut known = HashMap::new();
        for device in client.list(&format!("/devices?limit=1000&family={}", escape(family))).await? {
            let state = text(&device, "state").to_owned();
            known.insert(
                text(&device, "address").to_ascii_lowercase(),
                (state, text(&device, "id").to_owned()),
            );
        }
        let (mut ids, mut calls) = (HashMap::new(), Vec::new());
        for address in addresses {
            match known.remove(&address.to_ascii_lowercase()) {
                Some((state, id)) if state == "active" => drop(ids.insert(address, id)),
                Some((_, id)) => calls.push((format!("/devices/{}/adopt", escape(&id)), json!({}))),
                None => {
                    let name = format!("simulated {address}");
                    let body = json!({ "family": family, "address": address, "name": name });
                    calls.push(("/devices".to_owned(), body));
                }
            }
        }
        let taken_on = calls.len();
        let mut calls = calls.into_iter();
        loop {
            let mut together = JoinSet::new();
            for (path, body) in calls.by_ref().take(TOGETHER) {
                let client = Arc::clone(&client);
                together.spawn(async move { client.call(Method::POST, &path, Some(&body)).await });
            }
            if together.is_empty() {
                return Ok(Self { client, ids, taken_on, file: String::new() });
            }
            for made in together.join_all().await {
                let device = made.context("the fleet cannot be taken on")?;
                ids.insert(text(&device, "address").to_owned(), text(&device, "id").to_owned());
            }
        }
    }

    /// The API.
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The path of a device of the fleet.
    pub(super) fn path(&self, address: &str) -> String {
        format!("/devices/{}", self.ids.get(address).map_or(address, String::as_str))
    }

    /// Publishes a file for the fleet to fetch.
    pub(super) async fn publish(&mut self, name: &str, content: Bytes) -> anyhow::Result<()> {
        let sent = self.client.upload_bytes(&format!("/files/{}", escape(name)), content).await;
        sent.with_context(|| format!("{name} cannot be published"))?;
        name.clone_into(&mut self.file);
        Ok(())
    }

    /// Takes it away again.
    pub(super) async fn withdraw(&self, name: &str) -> anyhow::Result<()> {
        self.client.call(Method::DELETE, &format!("/files/{}", escape(name)), None).await.map(drop)
    }

    async fn queue(&self, order: Order) -> anyhow::Result<String> {
        let payload: &RawValue = serde_json::from_str(&order.payload)?;
        let body = json!({ "cmd": order.cmd, "dst": order.dst, "payload": payload });
        let path = format!("{}/commands", self.path(&order.address));
        let made = self.client.call(Method::POST, &path, Some(&body)).await?;
        Ok(text(&made, "id").to_owned())
    }

    async fn ship(&self, address: &str) -> anyhow::Result<String> {
        let body = json!({ "file": self.file, "name": SENT_AS });
        let path = format!("{}/transfers", self.path(address));
        let made = self.client.call(Method::POST, &path, Some(&body)).await?;
        Ok(text(&made, "id").to_owned())
    }

    async fn follow(&self, id: &str) -> anyhow::Result<(String, bool)> {
        let found = self.client.fetch(&format!("/transfers/{}", escape(id))).await?;
        let over = found.get("over").and_then(serde_json::Value::as_bool).unwrap_or_default();
        Ok((text(&found, "state").to_owned(), over))
    }

    async fn look(&self, id: &str) -> anyhow::Result<StoredCommand> {
        let path = format!("/commands/{}", escape(id));
        let found = self.client.call_raw(Method::GET, &path, None).await?;
        let found: Found = serde_json::from_slice(&found).context("a command cannot be read")?;
        Ok(StoredCommand {
            id: found.id,
            state: found.state,
            text: found.raw.ok_or_else(|| anyhow!("a command has no text"))?,
            reply: found.reply.map(|reply| reply.get().to_owned()).filter(|reply| reply != "null"),
        })
    }
}

/// A command as the API tells it; the reply exactly as it was sent.
#[derive(Deserialize)]
struct Found {
    id: String,
    state: String,
    raw: Option<String>,
    reply: Option<Box<RawValue>>,
}

impl Office for Desk {
    fn order(&self, order: Order) -> Errand<'_, String> {
        Box::pin(async move { self.queue(order).await.map_err(|error| format!("{error:#}")) })
    }

    fn send<'a>(&'a self, address: &'a str) -> Errand<'a, String> {
        Box::pin(async move { self.ship(address).await.map_err(|error| format!("{error:#}")) })
    }

    fn transfer<'a>(&'a self, id: &'a str) -> Errand<'a, (String, bool)> {
        Box::pin(async move { self.follow(id).await.map_err(|error| format!("{error:#}")) })
    }

    fn command<'a>(&'a self, id: &'a str) -> Errand<'a, StoredCommand> {
        Box::pin(async move { self.look(id).await.map_err(|error| format!("{error:#}")) })
    }
}

/// What the file is called on equipment that it is sent to.
pub(super) const SENT_AS: &str = "menu.bin";
/// Calls under way at a time.
pub(super) const TOGETHER: usize = 16;
