//! `homeport files`: what devices may download.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::{Client, Connect, escape, is_not_found, text};
use super::settings::Global;
use super::upload::FileToSend;
use super::{Done, Failure, output, transfers};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport files add menu.bin\n  homeport files list\n\n\
    Devices find a published file at /NAME, /file/NAME and /files/NAME. Anybody who reaches the server may.")]
pub(super) struct Files {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Publish files, or replace those that have their names.
    #[command(
        after_help = "Example:\n  homeport files add build/menu-7.bin --as menu.bin\n  homeport files add sca11h-2.1.bin --label 2.1 --target SCA11H"
    )]
    Add {
        /// Files to publish.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The name devices ask for [default: the file's own].
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Which version it is.
        #[arg(long)]
        label: Option<String>,
        /// The model of device it is made for, for instance SCA11H: such a file is firmware, and devices find it at
        /// /firmware/files/ID/NAME too.
        #[arg(long, value_name = "MODEL")]
        target: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List published files.
    #[command(after_help = "Example:\n  homeport files list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send a published file to a device, piece by piece through its command queue.
    #[command(after_help = "Example:\n  homeport files send menu.bin 036334d0b8df1f05 --as MENU --wait")]
    Send(transfers::Send),
    /// List files on their way to devices, and what became of earlier ones.
    #[command(after_help = "Example:\n  homeport files transfers --device 036334d0b8df1f05")]
    Transfers(transfers::Show),
    /// Withdraw a file that is on its way to a device.
    #[command(after_help = "Example:\n  homeport files abort 0190f5e2a4b87c2d9e1f3a5b6c7d8e9f")]
    Abort {
        /// The transfer's id.
        id: String,
    },
    /// Withdraw files; downloads under way finish.
    #[command(after_help = "Example:\n  homeport files remove menu.bin")]
    Remove {
        /// Their names.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

impl Files {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::Add { files, name, label, target, json } => {
                let about = [("label", label), ("target", target)];
                add(&client.patient(), files, name.as_deref(), &query(about), *json).await
            }
            What::List { json } => list(&client, *json).await,
            What::Send(send) => send.run(&client).await,
            What::Transfers(show) => show.run(&client).await,
            What::Abort { id } => transfers::abort(&client, id).await,
            What::Remove { names } => remove(&client, names).await,
        }
    }
}

/// What is said about a file, as the call's query.
fn query(about: [(&str, &Option<String>); 2]) -> String {
    let said = about.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    let parts: Vec<String> = said.map(|(name, text)| format!("{name}={}", escape(text))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

async fn add(client: &Client, files: &[PathBuf], name: Option<&str>, about: &str, json: bool) -> Done {
    if name.is_some() && files.len() > 1 {
        return Err(Failure::Usage("--as names one file: give one".to_owned()));
    }
    let mut published = Vec::new();
    for path in files {
        let record = add_one(client, path, name, about).await?;
        if !json {
            let done =
                if record.get("replaced") == Some(&Value::Bool(true)) { "replaced" } else { "published" };
            let shown = |field| output::cell(&record, field);
            output::line(&format!(
                "{} {done}: {} bytes, SHA-256 {}",
                shown("name"),
                shown("size"),
                shown("sha256")
            ))?;
        }
        published.push(record);
    }
    if json { Ok(output::json(&Value::Array(published))?) } else { Ok(()) }
}

async fn add_one(client: &Client, path: &Path, name: Option<&str>, about: &str) -> anyhow::Result<Value> {
    let own = path.file_name().and_then(|name| name.to_str());
    let Some(name) = name.or(own) else { bail!("{}: give a name with --as NAME", path.display()) };
    let file = FileToSend::open(path).await.with_context(|| path.display().to_string())?;
    let sent = client.upload(&format!("/files/{}{about}", escape(name)), file).await;
    sent.with_context(|| format!("{} was not published", path.display()))
}

async fn list(client: &Client, json: bool) -> Done {
    let mut files = client.list("/files").await?;
    if json {
        return Ok(output::json(&Value::Array(files))?);
    }
    files.sort_by(|one, other| text(one, "name").cmp(text(other, "name")));
    output::table(&files, &COLUMNS)?;
    for file in files.iter().filter(|file| file.get("available") == Some(&Value::Bool(false))) {
        let name = output::cell(file, "name");
        output::note(&format!("{name} is not there to be downloaded: publish it again, or remove it"));
    }
    Ok(())
}

async fn remove(client: &Client, names: &[String]) -> Done {
    for name in names {
        match client.call(Method::DELETE, &format!("/files/{}", escape(name)), None).await {
            Ok(_) => output::line(&format!("{name} removed"))?,
            Err(error) if is_not_found(&error) => {
                return Err(anyhow::anyhow!("no file `{name}`: `homeport files list` shows them").into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

const COLUMNS: [(&str, &str); 8] = [
    ("NAME", "name"),
    ("LABEL", "label"),
    ("TARGET", "target"),
    ("BYTES", "size"),
    ("PUBLISHED", "published"),
    ("CRC-16", "crc16"),
    ("MD5", "md5"),
    ("SHA-256", "sha256"),
];
