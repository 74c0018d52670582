//! `homeport export`: what devices measured, streamed to standard output.

use clap::{Args, ValueEnum};
use http_body_util::BodyExt as _;

use super::client::{Connect, device, escape, text};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport export --device 0002010203040506 --from 2026-01-01T00:00:00Z > values.csv"
)]
pub(super) struct Export {
    /// Of one device: its id, address or name.
    #[arg(long)]
    device: Option<String>,
    /// Of this sensor; may be given several times.
    #[arg(long)]
    sensor: Vec<String>,
    /// Received at or after: RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Received before: RFC 3339.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The file's kind.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// How values become rows.
    #[arg(long, value_enum, default_value = "long")]
    form: Form,
    /// Begin with a byte order mark, by which some spreadsheets know UTF-8.
    #[arg(long)]
    bom: bool,
    /// Add each value's label and how it is shown, in its unit, by the data dictionaries.
    #[arg(long)]
    labels: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Rows of cells.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A value a row.
    Long,
    /// A record a row, with a column for each sensor.
    Wide,
    /// A block a device: Data, Time Received, Time Created.
    Classic,
}

impl Export {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        let ending = match self.format {
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        };
        let mut path = match &self.device {
            Some(name) => {
                let record = device(&client, name).await?;
                format!("/devices/{}/export.{ending}", escape(text(&record, "id")))
            }
            None => format!("/export.{ending}"),
        };
        for (at, (name, value)) in self.query().into_iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            path.push_str(&escape(value));
        }
        let mut body = client.stream(&path).await?;
        let mut rows = 0_u64;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            rows += bytes_that_end_lines(&data);
            output::raw(&data)?;
        }
        output::note(&format!("{rows} lines"));
        Ok(())
    }

    fn query(&self) -> Vec<(&'static str, &str)> {
        let form = match self.form {
            Form::Long => None,
            Form::Wide => Some("wide"),
            Form::Classic => Some("classic"),
        };
        let mut query: Vec<_> = self.sensor.iter().map(|sensor| ("sensor", sensor.as_str())).collect();
        let others = [
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("form", form),
            ("labels", self.labels.then_some("true")),
            ("bom", self.bom.then_some("true")),
        ];
        query.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?))));
        query
    }
}

fn bytes_that_end_lines(data: &[u8]) -> u64 {
    data.iter().fold(0, |count, byte| count + u64::from(*byte == b'\n'))
}
