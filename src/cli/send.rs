//! `homeport send`: queue a command, see its bytes beforehand, follow it to its end; or say it to several devices.

use std::time::{Duration, Instant};

use clap::Args;
use hyper::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::client::{Client, Connect, escape, find_device, text};
use super::settings::Global;
use super::{Done, Failure, output};
use crate::server;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(
    after_help = "Examples:\n  homeport send 0002010203040506 --cmd wr --payload '{\"oke\":{\"port\":\"232\",\"baud\":115200}}' --wait\n  homeport send 0002010203040506 --cmd rd --payload '{\"_ping\":true}' --dry-run\n  homeport send 5 7 12 --family mcu --cmd LED --payload 1\n  homeport send --all --family mcu --cmd LED --payload 0\n  homeport send --all --profile greenhouse --family mcu --cmd Valve --payload 45\n  homeport send 00:11:22:33:44:55 --family sca11h --cmd pars --payload '\"7000,270,5000,0,1400,7\"'"
)]
pub(super) struct Send {
    /// The device's id, address or name. One alone whose address nobody has heard of is taken on by this. For several,
    /// what became of it is told for each.
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "DEVICE")]
    devices: Vec<String>,
    /// Every device of the family that is connected now.
    #[arg(long)]
    all: bool,
    /// With --all: only those of a profile.
    #[arg(long, requires = "all", value_name = "NAME")]
    profile: Option<String>,
    /// Queue nothing for a device that is not connected now, where devices keep a connection.
    #[arg(long, conflicts_with_all = ["dry_run", "wait"])]
    skip_offline: bool,
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
    /// Which of the commands that wait for the device goes first: low, normal or high.
    #[arg(long, value_parser = ["low", "normal", "high"], value_name = "PRIORITY")]
    priority: Option<String>,
    /// Print the exact bytes the device would get, and queue nothing.
    #[arg(long, conflicts_with = "wait")]
    dry_run: bool,
    /// Follow the command to its end; once the device took it, wait 5 s for a reply. Exit code 1 unless it took it.
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
        let payload: &RawValue = serde_json::from_str(&self.payload)
            .map_err(|error| Failure::Usage(format!("--payload is no JSON: {error}")))?;
        let expires_in_s = self.expires.as_deref().map(seconds).transpose().map_err(Failure::Usage)?;
        let dst = (!self.dst.is_empty()).then_some(self.dst.as_slice());
        let priority = self.priority.as_deref();
        let body = Body { cmd: &self.cmd, payload, dst, expires_in_s, priority, dry_run: self.dry_run };
        let client = self.connect.client(settings)?;
        let device = match self.devices.as_slice() {
            [one] if !self.skip_offline => one,
            _ => return self.call(&client, &body).await,
        };
        let body = serde_json::to_string(&body)?;
        let id = match find_device(&client, device).await? {
            Some(device) => text(&device, "id").to_owned(),
            // A look beforehand must not take the device on.
            None if self.dry_run => return self.rehearse_alone(settings, device),
            None => self.take_on(&client, device).await?,
        };
        let path = format!("/devices/{}/commands", escape(&id));
        let made = client.call_with(Method::POST, &path, Some(body)).await?;
        if self.dry_run {
            return self.show_bytes(&made);
        }
        if let Some(warning) = made.get("warning").and_then(Value::as_str) {
            output::note(warning);
        }
        if self.wait {
            return self.follow(&client, &id, text(&made, "id")).await;
        }
        if self.json {
            output::json(&made)?;
        } else {
            output::line(text(&made, "id"))?;
        }
        Ok(())
    }

    /// Makes a device nobody has heard of, since a person who commands it thereby takes it on.
    async fn take_on(&self, client: &Client, address: &str) -> anyhow::Result<String> {
        let body = json!({ "family": self.family, "address": address });
        let device = client.call(Method::POST, "/devices", Some(&body)).await?;
        Ok(text(&device, "id").to_owned())
    }

    /// What a device nobody has heard of would get, made here.
    fn rehearse_alone(&self, settings: &Global, address: &str) -> Done {
        let config = settings.load(Vec::new())?;
        let dst = (!self.dst.is_empty()).then(|| self.dst.clone());
        let bytes = server::rehearse(&config, &self.family, address, &self.cmd, &self.payload, dst)?;
        self.show_bytes(
            &json!({ "dry_run": true, "size": bytes.len(), "raw": String::from_utf8_lossy(&bytes) }),
        )
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

    /// Says it to several devices at once.
    async fn call(&self, client: &Client, body: &Body<'_>) -> Done {
        if self.dry_run || self.wait || !self.dst.is_empty() {
            let message = "--dry-run, --wait and --dst are for one device: name one";
            return Err(Failure::Usage(message.to_owned()));
        }
        let call = Call {
            family: &self.family,
            to: if self.all { json!("all") } else { json!(self.devices) },
            profile: self.profile.as_deref(),
            cmd: body.cmd,
            payload: body.payload,
            expires_in_s: body.expires_in_s,
            priority: body.priority,
            offline: self.skip_offline.then_some("skip"),
        };
        let told = client.call_with(Method::POST, "/commands", Some(serde_json::to_string(&call)?)).await?;
        let items = told.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
        if self.json {
            output::json(&told)?;
        } else if items.is_empty() {
            output::note("nobody is meant: devices that are held must be adopted first");
        } else {
            output::table(
                &items,
                &[("DEVICE", "address"), ("RESULT", "result"), ("COMMAND", "command"), ("WHY", "message")],
            )?;
        }
        let failed = |item: &Value| matches!(text(item, "result"), "no such device" | "refused");
        match items.iter().filter(|item| failed(item)).count() {
            0 => Ok(()),
            count => Err(anyhow::anyhow!("{count} of {} devices got nothing", items.len()).into()),
        }
    }

    async fn follow(&self, client: &Client, device: &str, id: &str) -> Done {
        // Where a device keeps a connection and acknowledges nothing, being sent is the end.
        let device = client.fetch(&format!("/devices/{}", escape(device))).await?;
        let connects = device.get("connected").is_some();
        let mut told = 0;
        let mut taken = None;
        loop {
            let command = client.fetch(&format!("/commands/{}", escape(id))).await?;
            let transitions =
                command.get("transitions").and_then(Value::as_array).cloned().unwrap_or_default();
            for step in transitions.iter().skip(told) {
                let [at, state, reason] = ["at", "state", "reason"].map(|field| output::cell(step, field));
                output::note(&format!("{at}  {state}: {reason}"));
            }
            told = transitions.len();
            let state = text(&command, "state");
            let since = *taken.get_or_insert_with(Instant::now);
            match state {
                "sent" if connects => return self.end(&command, state),
                "queued" | "sent" => taken = None,
                // A reply comes soon or perhaps never, which means nothing (`cwm-oke.md §7.3`).
                "accepted" if since.elapsed() < REPLY_WITHIN => {}
                _ => return self.end(&command, state),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn end(&self, command: &Value, state: &str) -> Done {
        if self.json {
            output::json(command)?;
        } else {
            output::line(state)?;
        }
        match state {
            "accepted" | "answered" | "sent" => Ok(()),
            _ => Err(anyhow::anyhow!("the device did not take the command: it is {state}").into()),
        }
    }
}

/// What is queued. The payload stays as it was typed.
#[derive(Serialize)]
struct Body<'a> {
    cmd: &'a str,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    dst: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
    dry_run: bool,
}

/// What is said to several.
#[derive(Serialize)]
struct Call<'a> {
    family: &'a str,
    to: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
    cmd: &'a str,
    payload: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline: Option<&'static str>,
}

const LOOK_EVERY: Duration = Duration::from_millis(250);
const REPLY_WITHIN: Duration = Duration::from_secs(5);

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
