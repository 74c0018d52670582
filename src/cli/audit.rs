//! `homeport audit`: walks the ledger, through the running server or, when none runs, through its store.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Connect, text};
use super::settings::Global;
use super::{Done, output};
use crate::server;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport audit --json")]
pub(super) struct Audit {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Audit {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        let running = self.connect.is_remote() || server::is_running(&config.data_dir).await;
        let found = if running {
            self.connect.client(settings)?.patient().fetch("/ledger/check").await?
        } else {
            let findings =
                server::audit(&config, &mut |entries| output::note(&format!("{entries} entries"))).await?;
            let faults: Vec<String> = findings.faults.iter().map(ToString::to_string).collect();
            json!({ "entries": findings.entries, "faults": faults })
        };
        let faults = found.get("faults").and_then(Value::as_array).cloned().unwrap_or_default();
        if self.json {
            output::json(&found)?;
        } else {
            for fault in &faults {
                output::line(fault.as_str().unwrap_or_else(|| text(fault, "message")))?;
            }
            let entries = found.get("entries").and_then(Value::as_i64).unwrap_or_default();
            output::line(&format!("{entries} entries, {} faults", faults.len()))?;
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(anyhow::anyhow!("the ledger is not what was written").into())
        }
    }
}
