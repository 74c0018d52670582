//! Logins of nodes, and decisions about nodes.

use std::net::Ipv4Addr;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, escape};
use crate::cli::{Done, output};
use crate::config::Config;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport tswarm add greenhouse > config.json\n  homeport tswarm add greenhouse --renew --base http://192.168.1.10:8080\n  homeport tswarm add --any --login field"
)]
pub(super) struct Add {
    /// The node's name: letters of the English alphabet, digits, `-`, `_` and `.`.
    #[arg(required_unless_present = "any")]
    node: Option<String>,
    /// More nodes that share the login.
    #[arg(long, value_name = "NODE", conflicts_with = "any")]
    also: Vec<String>,
    /// A login for any node; what becomes of new ones is said by the setting devices.unknown.
    #[arg(long, conflicts_with = "node", requires = "login")]
    any: bool,
    /// What stands before the colon of HTTP Basic [default: the node's name].
    #[arg(long, value_name = "NAME")]
    login: Option<String>,
    /// Give a login that exists a new secret. The old one counts no longer.
    #[arg(long)]
    renew: bool,
    /// What the node's URL begins with [default: this machine's address and the port of listen.http].
    #[arg(long, value_name = "URL")]
    base: Option<String>,
    /// Print everything as JSON, the secret on its own too.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// The node's name.
    node: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) async fn run(&self, client: &Client, here: Option<&Config>) -> Done {
        let base = match (&self.base, here) {
            (Some(base), _) => Some(base.clone()),
            (None, Some(config)) => base(client, config).await,
            (None, None) => None,
        };
        let wish = json!({
            "node": self.node, "also": self.also, "login": self.login, "renew": self.renew, "base": base,
        });
        let added = client.call(Method::POST, "/tswarm/nodes", Some(&wish)).await?;
        if self.json {
            return Ok(output::json(&added)?);
        }
        // The file alone goes to standard output, so that it can be sent into one.
        output::json(added.get("config").unwrap_or(&Value::Null))?;
        let cell = |field| output::cell(&added, field);
        output::note(&format!("login {}, secret {}", cell("login"), cell("secret")));
        for note in added.get("notes").and_then(Value::as_array).into_iter().flatten() {
            output::note(&format!("note: {}", note.as_str().map(output::safe).unwrap_or_default()));
        }
        Ok(())
    }
}

impl Which {
    pub(super) async fn decide(&self, client: &Client, verb: &str) -> Done {
        let path = format!("/tswarm/nodes/{}/{verb}", escape(&self.node));
        let told = client.call(Method::POST, &path, None).await?;
        if self.json {
            return Ok(output::json(&told)?);
        }
        Ok(output::line(&format!("{} is {}", output::cell(&told, "node"), output::cell(&told, "state")))?)
    }
}

/// Where nodes reach this machine: an address of its own before a name, since nodes seldom have a name server.
async fn base(client: &Client, config: &Config) -> Option<String> {
    let names = crate::server::host_names(config);
    let mut address = names.iter().filter_map(|name| name.parse::<Ipv4Addr>().ok());
    let host = match address.find(|address| !address.is_loopback()) {
        Some(address) => address.to_string(),
        None => names.into_iter().find(|name| name.parse::<std::net::IpAddr>().is_err())?,
    };
    let listeners = client.list("/listeners").await.ok()?;
    let http = listeners.iter().find(|one| one.get("listener").and_then(Value::as_str) == Some("http"))?;
    let address: std::net::SocketAddr = http.get("address")?.as_str()?.parse().ok()?;
    Some(format!("http://{host}:{}", address.port()))
}

/// Columns of the list.
pub(super) const COLUMNS: [(&str, &str); 8] = [
    ("NODE", "node"),
    ("STATE", "state"),
    ("ONLINE", "online"),
    ("LATE", "late"),
    ("LAST SEEN", "last_seen"),
    ("HELD UNTIL", "held_until"),
    ("AWAKE SINCE", "awake_since"),
    ("DROPPED", "dropped"),
];
