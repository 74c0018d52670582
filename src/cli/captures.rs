//! `homeport captures`: requests of devices as they came.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::client::{Client, Connect, escape, text};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport captures list\n  homeport captures show 0192f0c1a2b3")]
pub(super) struct Captures {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List captured requests, the newest first. `cwm.capture` says which calls are captured.
    #[command(after_help = "Example:\n  homeport captures list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one as it came.
    #[command(after_help = "Example:\n  homeport captures show 0192f0c1a2b37d4e8f6a5b4c3d2e1f00")]
    Show {
        /// Its id.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Captures {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { json } => {
                let captures = client.list("/captures").await?;
                Ok(output::list(captures, *json, &COLUMNS)?)
            }
            What::Show { id, json } => show(&client, id, *json).await,
        }
    }
}

async fn show(client: &Client, id: &str, json: bool) -> Done {
    let capture = client.call(Method::GET, &format!("/captures/{}", escape(id)), None).await?;
    if json {
        return Ok(output::json(&capture)?);
    }
    let part = |name: &str| capture.get(name).and_then(Value::as_str);
    let query = part("query").map(|query| format!("?{query}")).unwrap_or_default();
    let (method, path, version) =
        (text(&capture, "method"), text(&capture, "path"), text(&capture, "version"));
    output::line(&format!("{method} {path}{query} {version}"))?;
    for pair in capture.get("headers").and_then(Value::as_array).into_iter().flatten() {
        let half = |at: usize| pair.get(at).and_then(Value::as_str).unwrap_or_default();
        output::line(&format!("{}: {}", half(0), half(1)))?;
    }
    output::line("")?;
    match (part("body"), part("body_base64")) {
        (Some(body), _) => output::line(body)?,
        (None, Some(base64)) => output::line(&format!("(base64) {base64}"))?,
        (None, None) => {}
    }
    let peer = text(&capture, "peer");
    output::note(&format!(
        "from {peer}, {} bytes of body, answered {}",
        output::cell(&capture, "body_bytes"),
        output::cell(&capture, "status")
    ));
    Ok(())
}

const COLUMNS: [(&str, &str); 6] = [
    ("ID", "id"),
    ("AT", "at"),
    ("PEER", "peer"),
    ("METHOD", "method"),
    ("PATH", "path"),
    ("STATUS", "status"),
];
