//! `homeport devices`: the registry.

mod enrol;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Client, Connect, device, escape, text};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport devices list --state held")]
pub(super) struct Devices {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List devices.
    #[command(after_help = "Example:\n  homeport devices list --family cwm --json")]
    List {
        /// Part of a name or address.
        #[arg(long)]
        q: Option<String>,
        /// Of one family.
        #[arg(long)]
        family: Option<String>,
        /// active, held or blocked.
        #[arg(long)]
        state: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one device with its newest values.
    #[command(after_help = "Example:\n  homeport devices show 0002010203040506")]
    Show {
        /// Its id, address or name.
        device: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a held or blocked device in.
    #[command(after_help = "Example:\n  homeport devices adopt 0002010203040506")]
    Adopt {
        /// Its id, address or name.
        device: String,
    },
    /// Refuse a device from now on.
    #[command(after_help = "Example:\n  homeport devices block 0002010203040506")]
    Block {
        /// Its id, address or name.
        device: String,
    },
    /// Give a device a name.
    #[command(after_help = "Example:\n  homeport devices rename 0002010203040506 'Oven, left'")]
    Rename {
        /// Its id, address or name.
        device: String,
        /// The new name.
        name: String,
    },
    /// Make a device that sends with a token, and print the token, once.
    #[command(
        after_help = "Example:\n  homeport devices add 'Boiler room'\n  homeport devices add Pressure --type gauge --config-json '{\"minVal\":0,\"maxVal\":10}'"
    )]
    Add(enrol::Add),
    /// Set the key that a device shares with this server, or make a new one and print it, once; of a device with a token,
    /// make a new token.
    #[command(
        after_help = "Example:\n  homeport devices rotate 0002010203040506\n  homeport devices rotate 0002010203040506 --key-file vendor.key\n  homeport devices rotate 'Boiler room' --grace-s 3600"
    )]
    Rotate {
        /// Its id, address or name.
        device: String,
        /// A file with the key it has already: text, hex or base64; - reads standard input.
        #[arg(long, value_name = "FILE")]
        key_file: Option<PathBuf>,
        /// How long the tokens that it has stay good, in seconds [default: not at all].
        #[arg(long, value_name = "SECONDS", conflicts_with = "key_file")]
        grace_s: Option<u64>,
    },
    /// Revoke the certificates or tokens of a device. A module that calls /provision again gets a new certificate; block it
    /// to keep it out.
    #[command(
        after_help = "Example:\n  homeport devices revoke 0002010203040506\n  homeport devices revoke 'Boiler room' --token 0193..."
    )]
    Revoke {
        /// Its id, address or name.
        device: String,
        /// One of its tokens, by the id that `devices show` tells [default: all].
        #[arg(long, value_name = "ID")]
        token: Option<String>,
    },
    /// Say over which port a module shall talk to its equipment; it is told when its heartbeat says otherwise.
    #[command(after_help = "Example:\n  homeport devices port 0002010203040506 232 --baud 115200")]
    Port {
        /// Its id, address or name.
        device: String,
        /// 232, 485, ttl or usb; none takes the wish back.
        port: String,
        /// The rate.
        #[arg(long, default_value_t = 115_200)]
        baud: u32,
    },
    /// Forget a device with its values and open commands; the ledger stays.
    #[command(after_help = "Example:\n  homeport devices forget 0002010203040506")]
    Forget {
        /// Its id, address or name.
        device: String,
    },
}

impl Devices {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { q, family, state, json } => {
                list(&client, &[("q", q), ("family", family), ("state", state)], *json).await
            }
            What::Show { device, json } => show(&client, device, *json).await,
            What::Adopt { device } => change(&client, device, Method::POST, "/adopt", None, "adopted").await,
            What::Block { device } => change(&client, device, Method::POST, "/block", None, "blocked").await,
            What::Rename { device, name } => {
                change(&client, device, Method::PATCH, "", Some(json!({ "name": name })), "renamed").await
            }
            What::Add(add) => add.run(&client).await,
            What::Rotate { device, key_file, grace_s } => {
                rotate(&client, device, key_file.as_deref(), *grace_s).await
            }
            What::Revoke { device, token } => revoke(&client, device, token.as_deref()).await,
            What::Port { device, port, baud } => {
                let wish = if port == "none" { Value::Null } else { json!({ "port": port, "baud": baud }) };
                let done = if wish.is_null() { "port no longer wanted" } else { "port wanted" };
                let body = json!({ "wanted_port": wish });
                change(&client, device, Method::PATCH, "", Some(body), done).await
            }
            What::Forget { device } => change(&client, device, Method::DELETE, "", None, "forgotten").await,
        }
    }
}

async fn list(client: &Client, filter: &[(&str, &Option<String>)], json: bool) -> Done {
    let filter: Vec<String> = filter
        .iter()
        .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", escape(value))))
        .collect();
    let path =
        if filter.is_empty() { "/devices".to_owned() } else { format!("/devices?{}", filter.join("&")) };
    let devices = client.list(&path).await?;
    Ok(output::list(devices, json, &COLUMNS)?)
}

async fn show(client: &Client, name: &str, json: bool) -> Done {
    let id = escape(text(&device(client, name).await?, "id"));
    let mut record = client.call(Method::GET, &format!("/devices/{id}"), None).await?;
    let picture = client.fetch(&format!("/devices/{id}/picture")).await?;
    let mut values = picture.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    if json {
        if let Some(record) = record.as_object_mut() {
            record.insert("values".to_owned(), values.into());
        }
        return Ok(output::json(&record)?);
    }
    for field in record.as_object().into_iter().flat_map(|fields| fields.keys()) {
        let shown = match record.get(field) {
            Some(shown) if field == "certificate" => certificate(shown),
            _ => output::cell(&record, field),
        };
        output::line(&format!("{field:<11} {shown}"))?;
    }
    if !values.is_empty() {
        output::line("")?;
        values.iter_mut().for_each(add_meaning);
        let columns =
            [("SENSOR", "sensor"), ("VALUE", "value"), ("MEANING", "meaning"), ("RECEIVED", "time_received")];
        output::table(&values, &columns)?;
    }
    Ok(())
}

/// The certificate that a device shows, in a line.
fn certificate(shown: &Value) -> String {
    let belief = match text(shown, "fault") {
        "" => "verified".to_owned(),
        fault => format!("not believed: {fault}"),
    };
    output::safe(&format!("{}, {belief}, SHA-256 {}", text(shown, "subject"), text(shown, "fingerprint")))
}

async fn rotate(client: &Client, name: &str, key_file: Option<&Path>, grace_s: Option<u64>) -> Done {
    let record = device(client, name).await?;
    let key = match key_file {
        None => None,
        Some(file) if file == Path::new("-") => Some(std::io::read_to_string(std::io::stdin())?),
        Some(file) => {
            Some(std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?)
        }
    };
    let path = format!("/devices/{}/rotate", escape(text(&record, "id")));
    let body = json!({ "key": key.as_deref().map(str::trim), "grace_s": grace_s });
    let answer = client.call(Method::POST, &path, Some(&body)).await?;
    if key.is_some() {
        return Ok(output::line(&format!("{} has the key of the file", output::cell(&record, "address")))?);
    }
    output::note("This is shown once. Give it to the device, and keep it like a password:");
    let token = text(&answer, "token");
    Ok(output::line(if token.is_empty() { text(&answer, "key") } else { token })?)
}

async fn revoke(client: &Client, name: &str, token: Option<&str>) -> Done {
    let record = device(client, name).await?;
    let path = format!("/devices/{}/revoke", escape(text(&record, "id")));
    let body = token.map(|token| json!({ "token": token }));
    let answer = client.call(Method::POST, &path, body.as_ref()).await?;
    if answer.is_null() {
        return Ok(output::line(&format!("{} revoked", output::cell(&record, "address")))?);
    }
    let ended: Vec<&str> = answer
        .get("revoked")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if ended.is_empty() {
        output::note("it has no certificate that could be revoked");
    }
    for fingerprint in ended {
        output::line(&format!("{fingerprint} revoked"))?;
    }
    Ok(())
}

/// What a dictionary makes of a value, in one cell: label, value, unit, and what is wrong with it.
fn add_meaning(value: &mut Value) {
    let label = text(value, "label");
    if label.is_empty() {
        return;
    }
    let shown = format!("{label}: {} {}", text(value, "shown"), text(value, "unit"));
    let side = value.get("outside").and_then(Value::as_str).map(|side| format!("{side} its limit"));
    let alarms = value.get("alarms").and_then(Value::as_array).into_iter().flatten();
    let parts = [shown.trim().to_owned()].into_iter().chain(side);
    let parts: Vec<String> = parts.chain(alarms.map(|alarm| text(alarm, "message").to_owned())).collect();
    let meaning = parts.join(", ");
    if let Some(fields) = value.as_object_mut() {
        fields.insert("meaning".to_owned(), meaning.into());
    }
}

async fn change(
    client: &Client,
    name: &str,
    method: Method,
    tail: &str,
    body: Option<Value>,
    done: &str,
) -> Done {
    let record = device(client, name).await?;
    let id = escape(text(&record, "id"));
    client.call(method, &format!("/devices/{id}{tail}"), body.as_ref()).await?;
    Ok(output::line(&format!("{} {done}", output::cell(&record, "address")))?)
}

const COLUMNS: [(&str, &str); 6] = [
    ("FAMILY", "family"),
    ("ADDRESS", "address"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("ONLINE", "online"),
    ("LAST SEEN", "last_seen"),
];
