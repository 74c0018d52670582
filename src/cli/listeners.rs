//! `homeport listeners`: which ports are open, and a switch on each that shows no pages.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::{Client, Connect, escape};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport listeners list\n  homeport listeners close ws")]
pub(super) struct Listeners {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List listeners with their connections.
    #[command(after_help = "Example:\n  homeport listeners list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Open a listener that was closed.
    #[command(after_help = "Example:\n  homeport listeners open ws")]
    Open(Which),
    /// Close a listener and its connections, also for later starts. What came on them is stored first.
    #[command(after_help = "Example:\n  homeport listeners close ws")]
    Close(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// Its name in the settings: http or ws, and https where `listen.admin` is set.
    listener: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Listeners {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { json } => {
                let listeners = client.list("/listeners").await?;
                Ok(output::list(listeners, *json, &COLUMNS)?)
            }
            What::Open(which) => which.turn(&client, "open").await,
            What::Close(which) => which.turn(&client, "close").await,
        }
    }
}

impl Which {
    async fn turn(&self, client: &Client, verb: &str) -> Done {
        let path = format!("/listeners/{}/{verb}", escape(&self.listener));
        let turned = client.call(Method::POST, &path, None).await?;
        if self.json {
            return Ok(output::json(&turned)?);
        }
        let cell = |field| output::cell(&turned, field);
        let state = if verb == "open" { "open" } else { "closed" };
        let text = match (turned.get("unchanged") == Some(&Value::Bool(true)), verb) {
            (true, _) => format!("{} was {state} already", self.listener),
            (false, "close") => {
                format!("{} closed; connections closed with it: {}", self.listener, cell("closed"))
            }
            (false, _) => format!("{} opened at {}", self.listener, cell("address")),
        };
        Ok(output::line(&text)?)
    }
}

/// Columns of the list.
pub(super) const COLUMNS: [(&str, &str); 6] = [
    ("LISTENER", "listener"),
    ("ADDRESS", "address"),
    ("OPEN", "open"),
    ("CONNECTIONS", "connections"),
    ("SINCE", "since"),
    ("BY", "by"),
];
