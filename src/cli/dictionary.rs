//! `homeport dictionary`: data dictionaries, looked at without a server.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::settings::Global;
use super::{Done, output};
use crate::dictionary::{Dictionary, read_file};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport dictionary check data/dictionaries/fryer.toml")]
pub(super) struct DictionaryCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether files are right, and which line is wrong.
    #[command(after_help = "Example:\n  homeport dictionary check fryer.toml oven.toml")]
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// List the dictionaries that a server with these settings uses, and the files it cannot use.
    #[command(after_help = "Example:\n  homeport dictionary list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl DictionaryCommand {
    pub(super) fn run(&self, settings: &Global) -> Done {
        match &self.what {
            What::Check { files } => check(files),
            What::List { json } => list(settings, *json),
        }
    }
}

fn check(files: &[PathBuf]) -> Done {
    let mut wrong = 0;
    for file in files {
        match read_file(file) {
            Ok(dictionary) => {
                let Dictionary { name, .. } = &dictionary;
                let (keys, devices) = (dictionary.keys(), dictionary.devices());
                output::line(&format!("{}: {name}: {keys} keys for {devices}", file.display()))?;
            }
            Err(problem) => {
                wrong += 1;
                output::note(&problem.to_string());
            }
        }
    }
    if wrong > 0 {
        return Err(anyhow!("{wrong} of {} files cannot be used", files.len()).into());
    }
    Ok(())
}

fn list(settings: &Global, as_json: bool) -> Done {
    let config = settings.load(Vec::new())?;
    let read = crate::server::dictionaries(&config)?;
    let rows: Vec<Value> = read
        .list
        .iter()
        .map(|dictionary| {
            json!({
                "name": dictionary.name,
                "devices": dictionary.devices(),
                "keys": dictionary.keys(),
                "file": dictionary.file.as_ref().map(|file| file.display().to_string()),
            })
        })
        .collect();
    for problem in &read.problems {
        output::note(&problem.to_string());
    }
    let columns = [("NAME", "name"), ("DEVICES", "devices"), ("KEYS", "keys"), ("FILE", "file")];
    output::list(rows, as_json, &columns)?;
    if read.problems.is_empty() {
        return Ok(());
    }
    Err(anyhow!("{} files cannot be used", read.problems.len()).into())
}
