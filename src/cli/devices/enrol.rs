//! `homeport devices add`: a device that sends with a token.

use anyhow::Context as _;
use clap::Args;
use hyper::Method;
use serde_json::{Map, Value};

use crate::cli::client::{Client, text};
use crate::cli::{Done, output};

/// What is said of the new device.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// What people call it.
    name: String,
    /// gauge, number, switch, state, text, counter, location or generic.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// What belongs to its type, as JSON: of a gauge minVal, maxVal, startAngle, maxRange, increaseClockwise, unit, decimals, bands.
    #[arg(long, value_name = "JSON")]
    config_json: Option<String>,
    /// Its own identity [default: one is made].
    #[arg(long)]
    address: Option<String>,
    /// Print JSON: the device, its token and the QR picture.
    #[arg(long)]
    json: bool,
}

impl Add {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let mut body = Map::new();
        body.insert("name".to_owned(), self.name.clone().into());
        body.insert("family".to_owned(), "token".into());
        for (name, said) in [("type", &self.kind), ("address", &self.address)] {
            if let Some(said) = said {
                body.insert(name.to_owned(), said.clone().into());
            }
        }
        if let Some(config) = &self.config_json {
            let config: Value = serde_json::from_str(config).context("--config-json is not JSON")?;
            body.insert("config".to_owned(), config);
        }
        let answer = client.call(Method::POST, "/devices", Some(&Value::Object(body))).await?;
        if self.json {
            return Ok(output::json(&answer)?);
        }
        let id = answer.get("device").map(|device| text(device, "id")).unwrap_or_default();
        output::note(&format!("device {id}"));
        output::note("This is shown once. Give it to the device, and keep it like a password:");
        Ok(output::line(text(&answer, "token"))?)
    }
}
