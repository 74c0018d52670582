//! `homeport status`: what the running server does, at a glance.

use clap::Args;
use serde_json::{Value, json};

use super::client::Connect;
use super::settings::Global;
use super::{Done, listeners as doors, output, recording as records};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport status\n  homeport status --json")]
pub(super) struct Status {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: Connect,
}

impl Status {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        let listeners = client.list("/listeners").await?;
        let recording = client.list("/recording").await?;
        let devices = client.list("/devices").await?;
        let count = |wanted: fn(&Value) -> bool| devices.iter().filter(|device| wanted(device)).count();
        let devices = json!({
            "all": devices.len(),
            "online": count(|device| device.get("online") == Some(&Value::Bool(true))),
            "held": count(|device| device.get("state").is_some_and(|state| state == "held")),
        });
        if self.json {
            let status = json!({ "devices": devices, "recording": recording, "listeners": listeners });
            return Ok(output::json(&status)?);
        }
        let [all, online, held] = ["all", "online", "held"].map(|field| output::cell(&devices, field));
        output::line(&format!("{all} devices, {online} online, {held} held\n"))?;
        output::table(&listeners, &doors::COLUMNS)?;
        output::line("")?;
        Ok(output::table(&recording, &records::COLUMNS)?)
    }
}
