//! The people's side of a rehearsal: takes the fleet on, queues commands and looks at them, through the API.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, anyhow};
use futures_util::future::join_all;
use hyper::Method;
use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::cli::client::{Client, escape, text};
use crate::simulate::{Errand, Given, Office, Order, StoredCommand};

/// An operator with the API at hand.
pub(super) struct Desk {
    client: Arc<Client>,
    /// The fleet's ids by address.
    ids: Mutex<HashMap<String, String>>,
    family: String,
    /// The file that devices fetch, and are sent.
    file: String,
    /// How many devices were made or adopted for it.
    pub(super) taken_on: usize,
    /// What was made for each device so that it can prove who it is, by address.
    pub(super) secrets: HashMap<String, String>,
}

impl Desk {
    /// Makes and adopts the fleet's devices, so that they are let in and given commands whatever the policy for unknown
    /// ones is, and makes what they prove themselves with.
    pub(super) async fn open(
        client: Client,
        family: &str,
        addresses: Vec<String>,
        given: Given,
    ) -> anyhow::Result<Self> {
        let mut desk = Self {
            client: Arc::new(client),
            ids: Mutex::default(),
            family: family.to_owned(),
            file: String::new(),
            taken_on: 0,
            secrets: HashMap::new(),
        };
        let mut known = desk.registered().await?;
        let mut calls = Vec::new();
        let mut ids = HashMap::new();
        for address in &addresses {
            match known.remove(&address.to_ascii_lowercase()) {
                Some((state, id)) if state == "active" => drop(ids.insert(address.clone(), id)),
                Some((_, id)) => calls.push((format!("/devices/{}/adopt", escape(&id)), json!({}))),
                None if given == Given::Login => {}
                None => {
                    let name = format!("simulated {address}");
                    let body = json!({ "family": family, "address": address, "name": name });
                    calls.push(("/devices".to_owned(), body));
                }
            }
        }
        desk.taken_on = calls.len();
        for made in desk.together(calls).await.context("the fleet cannot be taken on")? {
            let device = made.get("device").unwrap_or(&made);
            ids.insert(text(device, "address").to_owned(), text(device, "id").to_owned());
        }
        desk.ids = Mutex::new(ids);
        desk.equip(&addresses, given).await.context("the fleet's secrets cannot be made")?;
        Ok(desk)
    }

    /// Makes a login or a token for each device; older ones count no longer.
    async fn equip(&mut self, addresses: &[String], given: Given) -> anyhow::Result<()> {
        let (calls, member): (Vec<_>, _) = match given {
            Given::Nothing => return Ok(()),
            Given::Login => {
                let wish = |address| json!({ "node": address, "renew": true });
                let calls = addresses.iter().map(|address| (LOGINS.to_owned(), wish(address)));
                (calls.collect(), "secret")
            }
            Given::Token => {
                let calls =
                    addresses.iter().map(|address| (format!("{}/rotate", self.path(address)), json!({})));
                (calls.collect(), "token")
            }
        };
        let made = self.together(calls).await?;
        let secrets = made.iter().map(|made| text(made, member).to_owned());
        self.secrets = addresses.iter().cloned().zip(secrets).collect();
        Ok(())
    }

    /// Makes calls, some at a time; gives their answers in the calls' order.
    async fn together(&self, calls: Vec<(String, Value)>) -> anyhow::Result<Vec<Value>> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter();
        loop {
            let some = calls.by_ref().take(TOGETHER).map(|(path, body)| {
                let client = Arc::clone(&self.client);
                async move { client.call(Method::POST, &path, Some(&body)).await }
            });
            let some: Vec<_> = some.collect();
            if some.is_empty() {
                return Ok(answers);
            }
            for answer in join_all(some).await {
                answers.push(answer?);
            }
        }
    }

    /// State and id of each device of the family, by address in lower case.
    async fn registered(&self) -> anyhow::Result<HashMap<String, (String, String)>> {
        let path = format!("/devices?limit=1000&family={}", escape(&self.family));
        let devices = self.client.list(&path).await?;
        let known = devices.iter().map(|device| {
            let state = text(device, "state").to_owned();
            (text(device, "address").to_ascii_lowercase(), (state, text(device, "id").to_owned()))
        });
        Ok(known.collect())
    }

    /// Learns the ids of devices that their own calls made.
    pub(super) async fn learn(&self, addresses: &[String]) -> anyhow::Result<()> {
        let known = self.registered().await?;
        let found = addresses.iter().filter_map(|address| {
            let (_, id) = known.get(&address.to_ascii_lowercase())?;
            Some((address.clone(), id.clone()))
        });
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).extend(found);
        Ok(())
    }

    /// The API.
    pub(super) fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// The path of a device of the fleet.
    pub(super) fn path(&self, address: &str) -> String {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        format!("/devices/{}", ids.get(address).map_or(address, String::as_str))
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
        let over = found.get("over").and_then(Value::as_bool).unwrap_or_default();
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
/// Where logins of nodes are made.
const LOGINS: &str = "/tswarm/nodes";
