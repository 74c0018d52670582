//! `homeport template`: commands that people start from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Connect, escape};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport template list --json > mine.json\n  homeport template set mine.json"
)]
pub(super) struct TemplateCommand {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the commands that people start from.
    #[command(after_help = "Example:\n  homeport template list --family cwm")]
    List {
        /// Of one family.
        #[arg(long)]
        family: Option<String>,
        /// Print JSON: what `set` takes.
        #[arg(long)]
        json: bool,
    },
    /// Put a list of your own in place of the one before; families that it does not name keep theirs.
    #[command(after_help = "Example:\n  homeport template set mine.json")]
    Set {
        /// A JSON list of {"name":…,"cmd":…,"payload":…}, each with its "family" if it is not that of --family.
        file: PathBuf,
        /// The family of those that name none.
        #[arg(long, default_value = "cwm")]
        family: String,
    },
    /// Go back to the list of the settings.
    #[command(after_help = "Example:\n  homeport template reset")]
    Reset {
        /// The family.
        #[arg(long, default_value = "cwm")]
        family: String,
    },
}

impl TemplateCommand {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { family, json } => list(&client, family.as_deref(), *json).await,
            What::Set { file, family } => {
                let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
                let items: Vec<Value> = serde_json::from_str(&text)
                    .with_context(|| format!("{} is no JSON list", file.display()))?;
                for (family, items) in by_family(items, family) {
                    put(&client, &family, items.into(), "kept").await?;
                }
                Ok(())
            }
            What::Reset { family } => put(&client, family, Value::Null, "back to the settings'").await,
        }
    }
}

async fn list(client: &Client, family: Option<&str>, json: bool) -> Done {
    let filter = family.map(|family| format!("?family={}", escape(family))).unwrap_or_default();
    let templates = client.list(&format!("/templates{filter}")).await?;
    let columns =
        [("FAMILY", "family"), ("NAME", "name"), ("CMD", "cmd"), ("PAYLOAD", "payload"), ("OWN", "own")];
    Ok(output::list(templates, json, &columns)?)
}

/// The templates of each family, in their order. Without any, an empty list for the family of those that name none.
fn by_family(items: Vec<Value>, usual: &str) -> BTreeMap<String, Vec<Value>> {
    let mut lists = BTreeMap::new();
    if items.is_empty() {
        lists.insert(usual.to_owned(), Vec::new());
    }
    for item in items {
        let family = item.get("family").and_then(Value::as_str).unwrap_or(usual).to_owned();
        lists.entry(family).or_default().push(item);
    }
    lists
}

async fn put(client: &Client, family: &str, items: Value, done: &str) -> Done {
    let body = json!({ "family": family, "items": items });
    client.call(Method::PUT, "/templates", Some(&body)).await?;
    Ok(output::line(&format!("{family}: {done}"))?)
}
