//! `homeport sca11h configure`: a node's settings over its local API (`sca11h.md §1.1, §7`): shown, or changed.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};

use super::Reach;
use super::node::{Node, NodeError};
use crate::cli::client::text;
use crate::cli::settings::Global;
use crate::cli::{Done, Failure, output};
use crate::config::Config;
use crate::server;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Examples:\n  homeport sca11h configure 192.0.2.20\n  homeport sca11h configure 192.0.2.20 --to here\n  homeport sca11h configure 192.0.2.20 --to 192.0.2.10:8080 --node-id bed-7 --report-interval 10 --reboot\n  homeport sca11h configure 192.0.2.20 --pars 7000,270,5000,0,1400,7\n\nWithout flags the settings are shown. What was set is read again and compared."
)]
pub(super) struct Configure {
    /// The node's address, HOST[:PORT].
    node: String,
    /// Point it at a server, HOST[:PORT], for its data and its parameters; `here` is this machine's plain-HTTP listener.
    #[arg(long, value_name = "HOST[:PORT]", conflicts_with = "local")]
    to: Option<String>,
    /// Let it send to nobody: readers fetch its stream at the node's port 8080.
    #[arg(long)]
    local: bool,
    /// Seconds between two pushes, one row for each.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(5..=90))]
    report_interval: Option<u32>,
    /// Seconds between two settings of its clock: a multiple of the report interval.
    #[arg(long, value_name = "SECONDS")]
    reset_interval: Option<u32>,
    /// What it calls itself.
    #[arg(long, value_name = "TEXT")]
    node_id: Option<String>,
    /// The group it belongs to.
    #[arg(long, value_name = "TEXT")]
    network_id: Option<String>,
    /// Whether it pushes over HTTPS; which versions of TLS it speaks nobody documents.
    #[arg(long, value_name = "YES")]
    https: Option<bool>,
    /// The user name that it shows the server.
    #[arg(long, value_name = "NAME")]
    server_user: Option<String>,
    /// The password that it shows the server.
    #[arg(long, value_name = "PASSWORD")]
    server_password: Option<String>,
    /// Calibration parameters, set at once: six numbers, or the five of the node's web page.
    #[arg(long, value_name = "NUMBERS")]
    pars: Option<String>,
    /// Restart it afterwards.
    #[arg(long)]
    reboot: bool,
    /// Say what would be set, and set nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
}

/// What is to be set: a path and its fields.
type Change = (&'static str, Map<String, Value>);

impl Configure {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        let node = self.reach.node(&self.node);
        let comm = node.get("/sys/comm").await?;
        let changes = self.changes(&config, &node, &comm).await?;
        if changes.is_empty() && !self.reboot {
            return self.show(&node, comm).await;
        }
        if self.dry_run {
            let shown: Map<String, Value> =
                changes.iter().map(|(path, fields)| ((*path).to_owned(), masked(fields))).collect();
            return Ok(output::json(&Value::Object(shown))?);
        }
        let mut done = Map::new();
        for (path, fields) in &changes {
            let now = node.set(path, fields, &[SECRET]).await?;
            output::note(&format!("{path}: set, and read again"));
            done.insert((*path).to_owned(), now);
        }
        if self.reboot {
            reboot(&node).await?;
            output::note("the node restarts");
        }
        if self.json { Ok(output::json(&Value::Object(done))?) } else { table(&done) }
    }

    /// What the flags ask for, in the order in which it is to be set.
    async fn changes(&self, config: &Config, node: &Node, comm: &Value) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        let url = match self.to.as_deref() {
            Some("here") => Some(here(config, node).await?),
            Some(text) => Some(target(text).map_err(|why| Failure::Usage(format!("--to {why}")))?),
            None => None,
        };
        if let Some(fields) = self.communication(comm, url.as_deref()).map_err(Failure::Usage)? {
            changes.push(("/sys/comm", fields));
        }
        if let Some(url) = url {
            let ota = node.get("/sys/ota").await?;
            changes.push(("/sys/ota", self.updates(&ota, &url).map_err(Failure::Usage)?));
        }
        if let Some(pars) = &self.pars {
            // The dialect checks them, and makes the text that a node takes.
            let payload = json!(pars).to_string();
            let bytes = server::rehearse(config, FAMILY, node.address(), "pars", &payload, None)
                .map_err(|error| Failure::Usage(format!("--pars: {error}")))?;
            let fields = serde_json::from_slice(&bytes).context("the parameters make no JSON")?;
            changes.push(("/bcg/pars", fields));
        }
        Ok(changes)
    }

    /// All fields of `/sys/comm`, as a node in cloud mode wants them together; `None` when nothing is to change.
    fn communication(&self, now: &Value, url: Option<&str>) -> Result<Option<Map<String, Value>>, String> {
        if self.local {
            return Ok(Some(Map::from_iter([("mode".to_owned(), json!(0))])));
        }
        let words = [&self.node_id, &self.network_id, &self.server_user, &self.server_password];
        let numbers = [self.report_interval, self.reset_interval, self.https.map(u32::from)];
        let asked = words.iter().any(|word| word.is_some()) || numbers.iter().any(Option::is_some);
        if url.is_none() && !asked {
            return Ok(None);
        }
        let text_of = |flag: &Option<String>, name: &str, fallback: &str| {
            let kept = flag.clone().unwrap_or_else(|| text(now, name).to_owned());
            if kept.is_empty() { fallback.to_owned() } else { kept }
        };
        let kept_url = text(now, "url");
        let url = url.unwrap_or(kept_url);
        if url.is_empty() {
            return Err("the node knows no server yet: give --to HOST[:PORT]".to_owned());
        }
        let number =
            |name: &str| now.get(name).and_then(Value::as_u64).and_then(|value| u32::try_from(value).ok());
        let report =
            self.report_interval.or_else(|| number("report_interval")).unwrap_or(REPORT_S).clamp(5, 90);
        let reset = match (self.reset_interval, number("reset_interval")) {
            (Some(reset), _) if reset == 0 || reset % report != 0 => {
                return Err(format!("--reset-interval is a multiple of the report interval, {report} s"));
            }
            (Some(reset), _) => reset,
            // What the node has is kept where it fits the report interval, or made to fit.
            (None, Some(reset)) => (reset / report).max(1) * report,
            (None, None) => report * 60,
        };
        let network = text_of(&self.network_id, "network_id", "home");
        let id = text_of(&self.node_id, "node_id", "");
        if id.is_empty() {
            return Err("the node has no name yet: give --node-id TEXT".to_owned());
        }
        let https = self.https.map_or_else(|| number("https_enable").unwrap_or(0), u32::from);
        let (user, password) = self.credentials(now)?;
        let fields = json!({
            "mode": 1, "https_enable": https, "url": url, "username": user, "new_password": password,
            "report_interval": report, "network_id": network, "node_id": id, "reset_interval": reset,
        });
        Ok(fields.as_object().cloned())
    }

    /// All fields of `/sys/ota`: the parameter sync belongs to the automatic upgrade (§1.1).
    fn updates(&self, now: &Value, url: &str) -> Result<Map<String, Value>, String> {
        let (user, password) = self.credentials(now)?;
        let fields = json!({ "autoupd": 1, "url": url, "username": user, "new_password": password });
        Ok(fields.as_object().cloned().unwrap_or_default())
    }

    /// Neither may be empty, so that `x` stands for none (§1.1). A password is set with everything else and never read
    /// out, so one that is in use must be given again.
    fn credentials(&self, now: &Value) -> Result<(String, String), String> {
        let user = self.server_user.clone().unwrap_or_else(|| text(now, "username").to_owned());
        let user = if user.is_empty() { NO_CREDENTIAL.to_owned() } else { user };
        let password = match &self.server_password {
            Some(password) => password.clone(),
            None if user == NO_CREDENTIAL => NO_CREDENTIAL.to_owned(),
            None => {
                return Err(format!(
                    "the node shows the server the name `{user}`, and its password must be set again: give \
                     --server-password, or --server-user {NO_CREDENTIAL} for none"
                ));
            }
        };
        for (flag, word) in [("--server-user", &user), ("--server-password", &password)] {
            if word.is_empty() || word.len() > CREDENTIAL_MAX_BYTES {
                return Err(format!("{flag} takes 1 to {CREDENTIAL_MAX_BYTES} bytes"));
            }
        }
        Ok((user, password))
    }

    /// Everything that a node tells of itself; what it does not answer is left out.
    async fn show(&self, node: &Node, comm: Value) -> Done {
        let mut told = Map::new();
        for path in ["/sys", "/sys/mac", "/sys/fwinfo", "/sys/rssi"] {
            insert(&mut told, path, node.get(path).await)?;
        }
        told.insert("/sys/comm".to_owned(), comm);
        for path in ["/sys/ota", "/bcg", "/bcg/cali"] {
            insert(&mut told, path, node.get(path).await)?;
        }
        if self.json { Ok(output::json(&Value::Object(told))?) } else { table(&told) }
    }
}

/// Takes an answer; of a fault only that there was one, unless it is the end of all talk.
fn insert(
    told: &mut Map<String, Value>,
    path: &str,
    answer: Result<Value, NodeError>,
) -> Result<(), NodeError> {
    match answer {
        Ok(value) => {
            told.insert(path.to_owned(), value);
        }
        Err(error @ (NodeError::Unreachable { .. } | NodeError::Password { .. })) => return Err(error),
        Err(error) => output::note(&error.to_string()),
    }
    Ok(())
}

/// Restarts a node; one that does it at once does not answer any more.
async fn reboot(node: &Node) -> Result<(), NodeError> {
    match node.post("/sys/cmd", &json!({ "cmd": "reboot" })).await {
        Ok(_) | Err(NodeError::Silent { .. } | NodeError::HungUp { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// This machine as the node sees it, and the port of the plain-HTTP listener.
async fn here(config: &Config, node: &Node) -> Result<String, Failure> {
    let listens = config.listen.http.0.filter(|addr| addr.port() != 0).ok_or_else(|| {
        Failure::Usage(
            "--to here: the plain-HTTP listener is off or at no fixed port: set `http`, or give HOST:PORT"
                .to_owned(),
        )
    })?;
    let ip = if listens.ip().is_unspecified() { own_address(node.address()).await? } else { listens.ip() };
    let shown = match ip {
        IpAddr::V4(four) => four.to_string(),
        IpAddr::V6(six) => format!("[{six}]"),
    };
    Ok(if listens.port() == 80 { shown } else { format!("{shown}:{}", listens.port()) })
}

/// The address this machine would call a node from; nothing is sent for it.
async fn own_address(node: &str) -> anyhow::Result<IpAddr> {
    let found: Vec<SocketAddr> =
        tokio::net::lookup_host(node).await.with_context(|| format!("{node} cannot be resolved"))?.collect();
    let node_addr = found.first().ok_or_else(|| anyhow!("{node} has no address"))?;
    let any: SocketAddr = if node_addr.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = tokio::net::UdpSocket::bind(any).await?;
    socket.connect(node_addr).await.with_context(|| format!("there is no way to {node}"))?;
    Ok(socket.local_addr()?.ip())
}

/// What a node's `url` may be: a host, perhaps with a port, no scheme and no path (§1.1).
fn target(text: &str) -> Result<String, String> {
    let wrong = |why: &str| Err(format!("takes HOST[:PORT] or `here`, and `{text}` {why}"));
    if text.contains("://") {
        return wrong("has a scheme");
    }
    if text.contains(['/', '?', '#', '@']) || text.contains(char::is_whitespace) {
        return wrong("holds more than a host and a port");
    }
    if text.is_empty() || text.len() > URL_MAX_BYTES || !text.is_ascii() {
        return Err(format!("takes 1 to {URL_MAX_BYTES} letters of ASCII"));
    }
    let port = text.rsplit_once(':').filter(|(host, _)| host.starts_with('[') || !host.contains(':'));
    match port {
        Some((_, port)) if port.ends_with(']') => Ok(text.to_owned()),
        Some(("", _)) => wrong("has no host"),
        Some((_, port)) if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(text.to_owned()),
        Some(_) => wrong("has a port that is no number from 1 to 65535"),
        None if text.contains(':') && !text.starts_with('[') => wrong("is an IPv6 address without [ ]"),
        None => Ok(text.to_owned()),
    }
}

fn masked(fields: &Map<String, Value>) -> Value {
    let hide = |(name, value): (&String, &Value)| {
        (name.clone(), if name == SECRET { json!("…") } else { value.clone() })
    };
    Value::Object(fields.iter().map(hide).collect())
}

/// Path, field and value, a line each.
fn table(told: &Map<String, Value>) -> Done {
    let mut rows = Vec::new();
    for (path, fields) in told {
        for (name, value) in fields.as_object().into_iter().flatten().filter(|(name, _)| *name != "errno") {
            rows.push(json!({ "path": path, "field": name, "value": value }));
        }
    }
    Ok(output::table(&rows, &[("CALL", "path"), ("FIELD", "field"), ("VALUE", "value")])?)
}

/// The dialect that checks parameters.
const FAMILY: &str = "sca11h";
/// The field that a node takes and never gives.
const SECRET: &str = "new_password";
/// Known for the OTA settings; the page gives none for the others (§1.1).
const URL_MAX_BYTES: usize = 128;
/// What stands for no user name and no password.
const NO_CREDENTIAL: &str = "x";
const CREDENTIAL_MAX_BYTES: usize = 16;
/// The report interval of a node that names none.
const REPORT_S: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_perhaps_a_port() {
        for right in ["192.0.2.10", "192.0.2.10:7070", "homeport.lan", "[fe80::1]", "[fe80::1]:80"] {
            assert_eq!(target(right).as_deref(), Ok(right));
        }
        for (wrong, word) in [
            ("http://192.0.2.10", "scheme"),
            ("192.0.2.10/data/push/", "more than"),
            ("", "1 to 128"),
            ("h:0", "port"),
            ("h:http", "port"),
            (":80", "no host"),
            ("fe80::1", "IPv6"),
            (&"a".repeat(129), "1 to 128"),
        ] {
            assert!(target(wrong).unwrap_err().contains(word), "{wrong}");
        }
    }
}
