//! `homeport files send|transfers|abort`: files on their way to devices.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, device, escape, text};
use super::{Done, output};

/// What is sent where.
#[derive(Debug, Args)]
pub(super) struct Send {
    /// The name the file is published under.
    file: String,
    /// The device's id, address or name.
    device: String,
    /// The name the equipment is to know the file by [default: the one it is published under].
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
    /// Follow the transfer to its end. Exit code 1 unless the file was delivered.
    #[arg(long)]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Which transfers are shown.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Only those to this device: its id, address or name.
    #[arg(long)]
    device: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Send {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let device = device(client, &self.device).await?;
        let path = format!("/devices/{}/transfers", escape(text(&device, "id")));
        let mut body = json!({ "file": self.file });
        if let (Some(name), Some(body)) = (&self.name, body.as_object_mut()) {
            body.insert("name".to_owned(), name.as_str().into());
        }
        let made = client.call(Method::POST, &path, Some(&body)).await?;
        if self.wait {
            return self.follow(client, text(&made, "id")).await;
        }
        if self.json { Ok(output::json(&made)?) } else { Ok(output::line(text(&made, "id"))?) }
    }

    async fn follow(&self, client: &Client, id: &str) -> Done {
        let mut told = String::new();
        loop {
            let transfer = client.fetch(&format!("/transfers/{}", escape(id))).await?;
            let [state, percent, reason] =
                ["state", "percent", "reason"].map(|field| output::cell(&transfer, field));
            let now = match state.as_str() {
                "transferring" => format!("{state} {percent} %: {reason}"),
                _ => format!("{state}: {reason}"),
            };
            if now != told {
                output::note(&now);
                told = now;
            }
            if transfer.get("over") == Some(&Value::Bool(true)) {
                return self.end(&transfer, &state);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn end(&self, transfer: &Value, state: &str) -> Done {
        if self.json {
            output::json(transfer)?;
        } else {
            output::line(state)?;
        }
        match state {
            "delivered" | "confirmed" => Ok(()),
            _ => {
                Err(anyhow::anyhow!("the file was not delivered: {}", output::cell(transfer, "reason"))
                    .into())
            }
        }
    }
}

impl Show {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let path = match &self.device {
            Some(name) => {
                format!("/devices/{}/transfers", escape(text(&device(client, name).await?, "id")))
            }
            None => "/transfers".to_owned(),
        };
        let transfers = client.list(&path).await?;
        Ok(output::list(transfers, self.json, &COLUMNS)?)
    }
}

/// Withdraws a transfer.
pub(super) async fn abort(client: &Client, id: &str) -> Done {
    let aborted = client.call(Method::POST, &format!("/transfers/{}/abort", escape(id)), None).await?;
    Ok(output::line(&format!("{} {}", text(&aborted, "id"), text(&aborted, "state")))?)
}

const COLUMNS: [(&str, &str); 8] = [
    ("ID", "id"),
    ("FILE", "file"),
    ("AS", "name"),
    ("DEVICE", "device.address"),
    ("STATE", "state"),
    ("%", "percent"),
    ("CHANGED", "changed"),
    ("WHY", "reason"),
];

const LOOK_EVERY: Duration = Duration::from_millis(250);
