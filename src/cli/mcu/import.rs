//! `homeport mcu import`: files that the original server wrote, taken in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde_json::Value;

use crate::cli::client::{Client, escape};
use crate::cli::upload::FileToSend;
use crate::cli::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport mcu import PyWsServer/Data\n  homeport mcu import IoTD005_20161124.csv --zone Europe/London --dry-run\n\n\
    The name of a file says whose and of which day it is. Its times are of the server's `mcu.day_zone`, unless --zone says \
    otherwise. A board that is not known is taken on. Importing a file again adds nothing."
)]
pub(super) struct Import {
    /// Files called like IoTD005_20161124.csv, or folders with such files.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The time zone that the files were written in: UTC, +01:00 or Europe/London.
    #[arg(long)]
    zone: Option<String>,
    /// Only say what would be taken in.
    #[arg(long)]
    dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let files = found(&self.paths)?;
        let mut records = Vec::with_capacity(files.len());
        let (mut failed, mut bad) = (0_usize, 0);
        for path in &files {
            match self.one(client, path).await {
                Ok(record) => {
                    bad += complain(path, &record);
                    records.push(record);
                }
                // The other files are none the worse for it.
                Err(error) => {
                    output::complain(&format!("{error:#}"));
                    failed += 1;
                }
            }
        }
        if self.json {
            output::json(&Value::Array(records))?;
        } else {
            output::table(&records, &COLUMNS)?;
            if self.dry_run {
                output::note("nothing was taken in: that was a dry run");
            }
        }
        if failed == 0 && bad == 0 {
            return Ok(());
        }
        Err(anyhow!("{failed} of {} files and {bad} lines could not be taken in", files.len()).into())
    }

    async fn one(&self, client: &Client, path: &Path) -> anyhow::Result<Value> {
        let name = path.file_name().and_then(OsStr::to_str);
        let Some(name) = name else { bail!("{}: the name is no text", path.display()) };
        let mut call = format!("/days/{}?dry_run={}", escape(name), self.dry_run);
        if let Some(zone) = &self.zone {
            call.push_str("&zone=");
            call.push_str(&escape(zone));
        }
        let file = FileToSend::open(path).await.with_context(|| path.display().to_string())?;
        client.upload(&call, file).await.with_context(|| path.display().to_string())
    }
}

/// Every file that is meant: those named, and of a folder those that are called like the original's, by name.
fn found(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
        let entries = entries.map(|entry| Ok(entry?.path()));
        let mut inside =
            entries.collect::<std::io::Result<Vec<_>>>().with_context(|| path.display().to_string())?;
        inside.retain(|path| path.file_name().and_then(OsStr::to_str).is_some_and(is_like_the_original_s));
        if inside.is_empty() {
            bail!("{}: there is no file called like IoTD005_20161124.csv", path.display());
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn is_like_the_original_s(name: &str) -> bool {
    name.starts_with("IoTD") && Path::new(name).extension() == Some(OsStr::new("csv"))
}

/// Says which lines were not taken in; answers how many.
fn complain(path: &Path, record: &Value) -> u64 {
    let told = record.get("bad").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let path = path.display();
    for bad in told {
        let [line, why, text] = ["line", "why", "text"].map(|field| output::cell(bad, field));
        output::complain(&format!("{path}:{line}: {why}: {text}"));
    }
    let total = record.get("bad_total").and_then(Value::as_u64).unwrap_or_default();
    let more = total.saturating_sub(told.len() as u64);
    if more > 0 {
        output::complain(&format!("{path}: {more} more lines that cannot be read"));
    }
    total
}

const COLUMNS: [(&str, &str); 6] = [
    ("FILE", "file"),
    ("BOARD", "address"),
    ("ADDED", "added"),
    ("KNOWN", "known"),
    ("DAY BEFORE", "day_before"),
    ("BAD", "bad_total"),
];
