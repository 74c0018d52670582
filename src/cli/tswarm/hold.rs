//! Holding nodes awake.

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, escape};
use crate::cli::send::seconds;
use crate::cli::{Done, Failure, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport tswarm hold greenhouse cellar --for 30m\n  homeport tswarm hold --all --for 2h"
)]
pub(super) struct Hold {
    /// The nodes.
    #[arg(required_unless_present = "all")]
    nodes: Vec<String>,
    /// All of them, and those that come.
    #[arg(long, conflicts_with = "nodes")]
    all: bool,
    /// How long: 90s, 30m, 1h, 2d. A node that calls later sleeps again.
    #[arg(long = "for", value_name = "TIME", default_value = "1h")]
    lasts: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport tswarm release 3f0c9a52b7d04c0c8a3f5f2f8f4f9a11\n  homeport tswarm release --all"
)]
pub(super) struct Release {
    /// The hold's id (`homeport tswarm holds`).
    #[arg(required_unless_present = "all")]
    id: Option<String>,
    /// Every hold.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Hold {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let for_s = seconds(&self.lasts).map_err(Failure::Usage)?;
        let wish = json!({ "all": self.all, "nodes": self.nodes, "for_s": for_s });
        let hold = client.call(Method::POST, "/tswarm/holds", Some(&wish)).await?;
        if self.json {
            return Ok(output::json(&hold)?);
        }
        let cell = |field| output::cell(&hold, field);
        let whom = if self.all { "all nodes".to_owned() } else { self.nodes.join(", ") };
        output::line(&format!("hold {}: {whom} until {}", cell("id"), cell("until")))?;
        output::line(&format!("{} of {} nodes stopped", cell("stopped"), cell("of")))?;
        output::note(&format!("warning: {}", cell("warning")));
        Ok(())
    }
}

impl Release {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let ids: Vec<String> = if let Some(id) = &self.id {
            vec![id.clone()]
        } else {
            let holds = client.list("/tswarm/holds").await?;
            holds.iter().map(|hold| output::cell(hold, "id")).collect()
        };
        let mut ended = Vec::new();
        for id in ids {
            ended.push(client.call(Method::DELETE, &format!("/tswarm/holds/{}", escape(&id)), None).await?);
        }
        if self.json {
            return Ok(output::json(&Value::Array(ended))?);
        }
        if ended.is_empty() {
            output::line("no node is held")?;
        }
        for hold in &ended {
            let cell = |field| output::cell(hold, field);
            output::line(&format!(
                "hold {} ended; {} of {} nodes stay awake until they are reset",
                cell("id"),
                cell("stopped"),
                cell("of")
            ))?;
        }
        Ok(())
    }
}

/// Holds with their nodes as people read them.
pub(super) fn shown(mut holds: Vec<Value>) -> Vec<Value> {
    for nodes in holds.iter_mut().filter_map(|hold| hold.get_mut("nodes")) {
        let names: Vec<&str> = nodes.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let text = if names.is_empty() { "all".to_owned() } else { names.join(", ") };
        *nodes = Value::String(text);
    }
    holds
}

/// Columns of the list.
pub(super) const COLUMNS: [(&str, &str); 7] = [
    ("ID", "id"),
    ("NODES", "nodes"),
    ("STOPPED", "stopped"),
    ("OF", "of"),
    ("SINCE", "since"),
    ("UNTIL", "until"),
    ("BY", "by"),
];
