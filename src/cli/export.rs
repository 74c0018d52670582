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
    /// Of one sensor.
    #[arg(long)]
    sensor: Option<String>,
    /// Received at or after: RFC 3339.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Received before: RFC 3339.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The form.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Add each value's label and how it is shown, in its unit, by the data dictionaries.
    #[arg(long)]
    labels: bool,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A header line, then one value a line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Export {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        let mut path = match &self.device {
            Some(name) => {
                let record = device(&client, name).await?;
                format!("/devices/{}/export.csv", escape(text(&record, "id")))
            }
            None => "/export.csv".to_owned(),
        };
        let labels = self.labels.then(|| "true".to_owned());
        let filter = [("sensor", &self.sensor), ("from", &self.from), ("to", &self.to), ("labels", &labels)];
        for (at, (name, value)) in
            filter.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value))).enumerate()
        {
            path.push(if at == 0 { '?' } else { '&' });
            path.push_str(name);
            path.push('=');
            path.push_str(&escape(value));
        }
        let mut body = client.stream(&path).await?;
        let mut lines = Lines::default();
        let mut rows = 0_u64;
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue };
            rows += bytes_that_end_lines(&data);
            match self.format {
                Format::Csv => output::raw(&data)?,
                Format::Jsonl => output::raw(&lines.take(&data)?)?,
            }
        }
        if self.format == Format::Jsonl {
            output::raw(&lines.take(b"\n")?)?;
        }
        output::note(&format!("{} values", rows.saturating_sub(1)));
        Ok(())
    }
}

fn bytes_that_end_lines(data: &[u8]) -> u64 {
    data.iter().fold(0, |count, byte| count + u64::from(*byte == b'\n'))
}

/// CSV as it comes, whole lines of it turned into JSON lines.
#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
    header: Option<csv::StringRecord>,
}

impl Lines {
    fn take(&mut self, data: &[u8]) -> anyhow::Result<Vec<u8>> {
        self.waiting.extend_from_slice(data);
        // A line end inside quotes is part of a value.
        let mut quoted = false;
        let mut end = 0;
        for (at, byte) in self.waiting.iter().enumerate() {
            match byte {
                b'"' => quoted = !quoted,
                b'\n' if !quoted => end = at + 1,
                _ => {}
            }
        }
        let whole: Vec<u8> = self.waiting.drain(..end).collect();
        let mut out = Vec::new();
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(whole.as_slice());
        for record in reader.records() {
            let record = record?;
            let Some(header) = &self.header else {
                self.header = Some(record);
                continue;
            };
            let object: serde_json::Map<String, serde_json::Value> = header
                .iter()
                .zip(record.iter())
                .map(|(name, text)| (name.to_owned(), typed(name, text)))
                .collect();
            serde_json::to_writer(&mut out, &object)?;
            out.push(b'\n');
        }
        Ok(out)
    }
}

/// A value gets its type back; every other column is text.
fn typed(name: &str, text: &str) -> serde_json::Value {
    if text.is_empty() {
        return serde_json::Value::Null;
    }
    let value = (name == "value").then(|| serde_json::from_str(text).ok()).flatten();
    value.unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_in_pieces_becomes_json_lines() {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for piece in ["device,val", "ue\na,1.5\nb,\"x\n", "y\"\nc,\n"] {
            out.extend(lines.take(piece.as_bytes()).unwrap());
        }
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "{\"device\":\"a\",\"value\":1.5}\n{\"device\":\"b\",\"value\":\"x\\ny\"}\n{\"device\":\"c\",\"value\":null}\n"
        );
    }
}
