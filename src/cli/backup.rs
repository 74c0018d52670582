//! `homeport backup`: a checked copy of the store, through the running server or, when none runs, from its file.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use serde_json::json;

use super::client::Connect;
use super::settings::Global;
use super::{Done, output};
use crate::server;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport backup /backups/homeport-$(date +%F).db\n  homeport backup copy.db --server https://homeport.example.org --token \"$TOKEN\"\n\nThe copy is checked from end to end before it gets its name. It holds the store alone: keep a copy of\ncertificates, published files and settings beside it (docs/operations.md)."
)]
pub(super) struct Backup {
    /// The file to make. One that is there already is left alone.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Backup {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        if self.file.exists() {
            return Err(taken(&self.file).into());
        }
        let partial = partial(&self.file);
        // Left by a try that was killed.
        drop(fs::remove_file(&partial));
        let running = self.connect.is_remote() || server::is_running(&config.data_dir).await;
        let copied = if running {
            self.fetch(settings, &partial).await
        } else {
            server::backup(&config, &partial).await.map_err(Into::into)
        };
        let finished = copied.and_then(|entries| {
            // Not over a file that somebody made meanwhile.
            if self.file.exists() {
                return Err(taken(&self.file));
            }
            fs::rename(&partial, &self.file)?;
            let folder = self.file.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(entries)
        });
        drop(fs::remove_file(&partial));
        let entries = finished?;
        let bytes = fs::metadata(&self.file)?.len();
        if self.json {
            output::json(&json!({ "file": self.file, "bytes": bytes, "entries": entries }))?;
        } else {
            let file = self.file.display();
            output::line(&format!("{file}: {entries} entries in the ledger, {bytes} bytes, checked"))?;
        }
        Ok(())
    }

    /// Takes the server's copy and checks what arrived.
    async fn fetch(&self, settings: &Global, to: &Path) -> anyhow::Result<i64> {
        let client = match self.connect.client(settings) {
            Ok(client) => client.patient(),
            Err(super::Failure::Usage(message)) => bail!(message),
            Err(super::Failure::Failed(error)) => return Err(error),
        };
        let mut body = client.stream("/backup").await?;
        let due = body.size_hint().exact();
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let mut file = made.with_context(|| format!("cannot write {}", to.display()))?;
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.context("the copy broke off")?.into_data() else { continue };
            file.write_all(&data).with_context(|| format!("cannot write {}", to.display()))?;
            bytes += data.len() as u64;
        }
        if due.is_some_and(|due| due != bytes) {
            bail!("the copy broke off after {bytes} bytes");
        }
        file.sync_all()?;
        Ok(server::verify_backup(to).await?)
    }
}

fn taken(file: &Path) -> anyhow::Error {
    anyhow::anyhow!("{} is there already: choose another name, or remove it", file.display())
}

/// Where the copy is made before it is known to be good.
fn partial(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}
