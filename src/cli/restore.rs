//! `homeport restore`: a backup becomes the store. What was there is kept.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::settings::Global;
use super::{Done, output};
use crate::server;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport restore /backups/homeport-2026-01-31.db\n\nThe server must be stopped. The backup is checked before anything is changed, and the store that it replaces\nis kept beside it as homeport.db.replaced-TIME: remove that when all is well."
)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        let (kept, entries) = server::restore(&config, &self.file).await?;
        if self.json {
            output::json(&json!({ "file": self.file, "entries": entries, "kept": kept }))?;
            return Ok(());
        }
        output::line(&format!("restored {}: {entries} entries in the ledger", self.file.display()))?;
        if let Some(kept) = kept {
            output::line(&format!("the store it replaced is kept as {}", kept.display()))?;
        }
        Ok(())
    }
}
