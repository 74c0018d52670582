//! `homeport mcu day`, `homeport mcu days`: day files out of the store.

use clap::Args;
use http_body_util::BodyExt as _;

use crate::cli::client::{Client, device, escape, text};
use crate::cli::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport mcu day 5 20161124 > IoTD005_20161124.csv\n  homeport mcu day 5 2016-11-24 --zone Europe/London"
)]
pub(super) struct Day {
    /// The board: its number, id or name.
    board: String,
    /// The day: 20161124 or 2016-11-24.
    #[arg(value_name = "DAY")]
    date: String,
    /// Another time zone than the server's `mcu.day_zone`: UTC, +01:00 or Europe/London.
    #[arg(long)]
    zone: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport mcu days 5")]
pub(super) struct List {
    /// The board: its number, id or name.
    board: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Day {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let record = device(client, &self.board).await?;
        let mut path = format!("/devices/{}/days/{}", escape(text(&record, "id")), escape(&self.date));
        if let Some(zone) = &self.zone {
            path.push_str("?zone=");
            path.push_str(&escape(zone));
        }
        let mut body = client.stream(&path).await?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                output::raw(&data)?;
            }
        }
        Ok(())
    }
}

impl List {
    pub(super) async fn run(&self, client: &Client) -> Done {
        let record = device(client, &self.board).await?;
        let days = client.list(&format!("/devices/{}/days", escape(text(&record, "id")))).await?;
        Ok(output::list(days, self.json, &[("DAY", "day"), ("FILE", "file")])?)
    }
}
