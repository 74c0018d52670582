//! `homeport certs`: the certificate authority in the certificates' folder. Needs no running server.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::settings::Global;
use super::{Done, output};
use crate::config::Config;
use crate::{pki, server};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport certs init --hosts homeport.lan,192.0.2.7 && homeport certs show"
)]
pub(super) struct Certs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the root and the server's certificates, unless they are there.
    #[command(after_help = "Example:\n  homeport certs init --hosts homeport.lan,192.0.2.7")]
    Init(Hosts),
    /// Print names, fingerprints and days left.
    #[command(after_help = "Example:\n  homeport certs show --json")]
    Show {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make the server's certificates anew; the root stays. A running server takes them up by itself.
    #[command(after_help = "Example:\n  homeport certs renew --hosts homeport.lan,192.0.2.7")]
    Renew(Hosts),
    /// Make a client certificate for a device, with its key and our root beside it.
    #[command(after_help = "Example:\n  homeport certs issue-client 0002010203040506 --out module")]
    IssueClient {
        /// The device's id, which becomes the certificate's name.
        id: String,
        /// The folder to write into.
        #[arg(long, value_name = "DIR", default_value = ".")]
        out: PathBuf,
    },
    /// Print the root certificate, which devices and browsers are told to trust.
    #[command(after_help = "Example:\n  homeport certs export-root > root.pem")]
    ExportRoot,
}

#[derive(Debug, Args)]
struct Hosts {
    /// Names and addresses of the server, separated by commas; may be repeated [default: `hosts`].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    hosts: Vec<String>,
}

impl Hosts {
    fn flags(&self) -> Vec<(&'static str, String)> {
        if self.hosts.is_empty() { Vec::new() } else { vec![("hosts", self.hosts.join(","))] }
    }
}

impl Certs {
    pub(super) fn run(&self, settings: &Global) -> Done {
        let now_s = jiff::Timestamp::now().as_second();
        match &self.what {
            What::Init(hosts) => {
                let config = settings.load(hosts.flags())?;
                pki::ensure(&config.certs_dir, &server::host_names(&config), now_s)?;
                show(&config, now_s, false)
            }
            What::Renew(hosts) => {
                let config = settings.load(hosts.flags())?;
                pki::renew(&config.certs_dir, &server::host_names(&config), now_s)?;
                show(&config, now_s, false)
            }
            What::Show { json } => show(&settings.load(Vec::new())?, now_s, *json),
            What::IssueClient { id, out } => issue(&settings.load(Vec::new())?, id, out, now_s),
            What::ExportRoot => {
                let root = pki::export_root(&settings.load(Vec::new())?.certs_dir)?;
                Ok(output::raw(root.as_bytes())?)
            }
        }
    }
}

fn show(config: &Config, now_s: i64, json: bool) -> Done {
    let found = match &config.tls.certificate {
        Some(file) => vec![pki::describe_file(file, now_s)?],
        None => pki::describe(&config.certs_dir, now_s)?,
    };
    if found.is_empty() {
        let dir = config.certs_dir.display();
        return Err(anyhow::anyhow!("no certificates in {dir}: `homeport certs init` makes them").into());
    }
    if json {
        let rows: Vec<Value> = found
            .iter()
            .map(|one| {
                json!({
                    "file": one.file, "subject": one.subject, "issuer": one.issuer, "names": one.names,
                    "fingerprint": one.fingerprint, "key": one.key_type, "not_after": one.not_after,
                    "days_left": one.days_left, "authority": one.authority,
                })
            })
            .collect();
        return Ok(output::json(&Value::Array(rows))?);
    }
    for one in &found {
        output::line(&format!("{}  ({})", one.file.display(), one.key_type))?;
        output::line(&format!("  subject      {}", one.subject))?;
        if !one.names.is_empty() {
            output::line(&format!("  names        {}", one.names.join(", ")))?;
        }
        output::line(&format!("  fingerprint  SHA-256 {}", one.fingerprint))?;
        output::line(&format!("  days left    {} (until {})", one.days_left, one.not_after))?;
    }
    Ok(())
}

fn issue(config: &Config, id: &str, out: &Path, now_s: i64) -> Done {
    let bundle = pki::issue_client(&config.certs_dir, id, pki::ClientKey::Rsa, now_s)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    // An id is any text; a file name is not.
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    let stem: String = id.chars().map(safe).collect();
    for (name, pem, mode) in [
        (format!("{stem}.pem"), &bundle.cert_pem, 0o644),
        (format!("{stem}.key"), &bundle.key_pem, 0o600),
        ("root.pem".to_owned(), &bundle.root_pem, 0o644),
    ] {
        let path = out.join(name);
        let wrong = || format!("cannot write {}", path.display());
        let mut options = std::fs::OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(mode).open(&path).with_context(wrong)?;
        file.write_all(pem.as_bytes()).with_context(wrong)?;
        output::line(&path.display().to_string())?;
    }
    Ok(())
}
