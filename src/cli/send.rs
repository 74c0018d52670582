//! `homeport send`: queue a command, see its bytes beforehand, follow it to its end.

use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Connect, escape, find_device, text};
use super::settings::Global;
use super::{Done, Failure, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport send 0002010203040506 --cmd wr --payload '{\"oke\":{\"port\":\"232\",\"baud\":115200}}' --wait\n  homeport send 0002010203040506 --cmd rd --payload '{\"_ping\":true}' --dry-run"
)]
pub(super) struct Send {
    /// The device's id, address or name. An address nobody has heard of is taken on by this.
    device: String,
    /// The verb, for instance wr or rd.
    #[arg(long)]
    cmd: String,
    /// The payload: JSON.
    #[arg(long, value_name = "JSON")]
    payload: String,
    /// Where to, in the family's own way, when it is not the device itself; may be repeated.
    #[arg(long)]
    dst: Vec<String>,
    /// The family of a device nobody has heard of.
    #[arg(long, default_value = "cwm")]
    family: String,
    /// How long the command may wait for the device, for instance 90s, 30m, 1h or 2d.
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Print the exact bytes the device would get, and queue nothing.
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Follow the command to its end; exit code 1 unless the device took it.
    #[arg(long)]
    wait: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Send {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let payload: Value = serde_json::from_str(&self.payload)
            .map_err(|error| Failure::Usage(format!("--payload is no JSON: {error}")))?;
        let mut body = json!({ "cmd": self.cmd, "payload": payload, "dry_run": self.dry_run });
        if let Some(body) = body.as_object_mut() {
            if let Some(expires) = &self.expires {
                body.insert("expires_in_s".to_owned(), seconds(expires).map_err(Failure::Usage)?.into());
            }
            if !self.dst.is_empty() {
                body.insert("dst".to_owned(), self.dst.clone().into());
            }
        }
        let client = self.connect.client(settings)?;
        let device = self.target(&client).await?;
        let id = escape(text(&device, "id"));
        let made = client.call(Method::POST, &format!("/devices/{id}/commands"), Some(&body)).await?;
        if self.dry_run {
            return self.show_bytes(&made);
        }
        if let Some(warning) = made.get("warning").and_then(Value::as_str) {
            output::note(warning);
        }
        if self.wait {
            return self.follow(&client, text(&made, "id")).await;
        }
        if self.json {
            output::json(&made)?;
        } else {
            output::line(text(&made, "id"))?;
        }
        Ok(())
    }

    /// The device; made if nobody has heard of it, since a person who commands it thereby takes it on.
    async fn target(&self, client: &Client) -> anyhow::Result<Value> {
        if let Some(device) = find_device(client, &self.device).await? {
            return Ok(device);
        }
        let body = json!({ "family": self.family, "address": self.device });
        client.call(Method::POST, "/devices", Some(&body)).await
    }

    fn show_bytes(&self, made: &Value) -> Done {
        if self.json {
            return Ok(output::json(made)?);
        }
        match ["raw", "raw_base64"].iter().map(|field| text(made, field)).find(|bytes| !bytes.is_empty()) {
            Some(bytes) => Ok(output::line(bytes)?),
            None => Ok(output::json(made)?),
        }
    }

    async fn follow(&self, client: &Client, id: &str) -> Done {
        let mut told = 0;
        loop {
            let command = client.fetch(&format!("/commands/{}", escape(id))).await?;
            let transitions =
                command.get("transitions").and_then(Value::as_array).cloned().unwrap_or_default();
            for step in transitions.iter().skip(told) {
                let [at, state, reason] = ["at", "state", "reason"].map(|field| output::cell(step, field));
                output::note(&format!("{at}  {state}: {reason}"));
            }
            told = transitions.len();
            let state = text(&command, "state").to_owned();
            // A device may never reply; that it took the command is the end unless a reply is on its way.
            if !matches!(state.as_str(), "queued" | "sent") {
                if self.json {
                    output::json(&command)?;
                } else {
                    output::line(&state)?;
                }
                return match state.as_str() {
                    "accepted" | "answered" => Ok(()),
                    _ => Err(anyhow::anyhow!("the command {state}").into()),
                };
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// A span of time as people write it, in seconds.
pub(super) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("expected a time such as 90s, 30m, 1h or 2d, found `{text}`");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default();
    let factor = match unit {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("30m"), Ok(1_800));
        assert_eq!(seconds("1h"), Ok(3_600));
        assert_eq!(seconds("2d"), Ok(172_800));
        for wrong in ["", "0s", "h", "1w", "-1s", "99999999999999999d"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
