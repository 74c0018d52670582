//! `homeport recording`: whether what devices say is kept.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::{Client, Connect, escape};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport recording pause mcu\n  homeport recording resume mcu")]
pub(super) struct RecordingCommand {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List families whose recording can be paused.
    #[command(after_help = "Example:\n  homeport recording list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep nothing of what a family's devices say. Their connections stay, and commands go out.
    #[command(after_help = "Example:\n  homeport recording pause mcu")]
    Pause(Which),
    /// Keep it again.
    #[command(after_help = "Example:\n  homeport recording resume mcu")]
    Resume(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// The family.
    #[arg(default_value = "mcu")]
    family: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl RecordingCommand {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { json } => {
                let families = client.list("/recording").await?;
                Ok(output::list(families, *json, &COLUMNS)?)
            }
            What::Pause(which) => which.turn(&client, "pause").await,
            What::Resume(which) => which.turn(&client, "resume").await,
        }
    }
}

impl Which {
    async fn turn(&self, client: &Client, verb: &str) -> Done {
        let path = format!("/recording/{}/{verb}", escape(&self.family));
        let turned = client.call(Method::POST, &path, None).await?;
        if self.json {
            return Ok(output::json(&turned)?);
        }
        let family = &self.family;
        let state = if verb == "pause" { "paused" } else { "on" };
        let text = match (turned.get("unchanged") == Some(&Value::Bool(true)), verb) {
            (true, _) => format!("recording of {family} was {state} already"),
            (false, "resume") => {
                let dropped = output::cell(&turned, "dropped");
                format!("recording of {family} is on again; messages dropped meanwhile: {dropped}")
            }
            (false, _) => format!("recording of {family} is paused: what comes now is counted and dropped"),
        };
        Ok(output::line(&text)?)
    }
}

/// Columns of the list.
pub(super) const COLUMNS: [(&str, &str); 5] = [
    ("FAMILY", "family"),
    ("RECORDING", "recording"),
    ("DROPPED", "dropped"),
    ("SINCE", "since"),
    ("BY", "by"),
];
