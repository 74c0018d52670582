//! `homeport sca11h calibrate --from-history`: parameters worked out from what the server has stored of a device
//! (`sca11h.md §6.2`). The node is not asked; a change reaches it at its next sync.

use anyhow::anyhow;
use clap::Args;
use hyper::Method;
use serde_json::{Map, Value, json};

use crate::cli::client::{Connect, escape, find_device, text};
use crate::cli::settings::Global;
use crate::cli::{Done, Failure, output};

/// Flags of a calibration from history.
#[derive(Debug, Args)]
#[command(next_help_heading = "From stored history")]
pub(super) struct FromHistory {
    /// Work the parameters out from what the server has stored of NODE, which is then the device's id, address or
    /// name; the node itself is not asked.
    #[arg(long = "from-history", id = "from_history", conflicts_with = "phase")]
    pub(super) wanted: bool,
    /// When the bed was empty, FROM..TO [default: the newest quiet stretch of the last days].
    #[arg(long, value_name = "FROM..TO", requires = "from_history")]
    empty: Option<String>,
    /// When somebody lay still in it, FROM..TO [default: the newest such stretch].
    #[arg(long, value_name = "FROM..TO", requires = "from_history")]
    occupied: Option<String>,
    /// How many days back to look for stretches [default: 7].
    #[arg(long, value_name = "DAYS", requires = "from_history")]
    search_days: Option<u32>,
    /// How many seconds a stretch has that is looked for [default: 3600].
    #[arg(long, value_name = "SECONDS", requires = "from_history")]
    window: Option<u32>,
    /// Queue the result for the node's next sync.
    #[arg(long, requires = "from_history")]
    queue: bool,
    #[command(flatten)]
    connect: Connect,
}

impl FromHistory {
    /// Asks the server.
    pub(super) async fn run(&self, settings: &Global, device: &str, as_json: bool) -> Done {
        let mut ask = Map::new();
        for (name, typed) in [("empty", &self.empty), ("occupied", &self.occupied)] {
            if let Some(typed) = typed {
                ask.insert(name.to_owned(), period(name, typed)?);
            }
        }
        ask.extend(self.search_days.map(|days| ("search_days".to_owned(), days.into())));
        ask.extend(self.window.map(|seconds| ("window_s".to_owned(), seconds.into())));
        ask.insert("queue".to_owned(), self.queue.into());
        let client = self.connect.client(settings)?;
        let found = find_device(&client, device).await?;
        let found =
            found.ok_or_else(|| anyhow!("there is no device {device}: see `homeport devices list`"))?;
        let path = format!("/devices/{}/calibration", escape(text(&found, "id")));
        let told = client.call(Method::POST, &path, Some(&Value::Object(ask))).await?;
        if as_json {
            return Ok(output::json(&told)?);
        }
        for (name, line) in lines(&told) {
            output::line(&format!("{name:<10} {}", output::safe(&line)))?;
        }
        if !self.queue {
            output::note("nothing was changed: --queue sends these parameters at the node's next sync");
        }
        Ok(())
    }
}

fn period(name: &str, typed: &str) -> Result<Value, Failure> {
    let (from, to) = typed.split_once("..").ok_or_else(|| {
        Failure::Usage(format!(
            "--{name} is FROM..TO, for instance 2026-11-21T01:00:00Z..2026-11-21T02:00:00Z"
        ))
    })?;
    Ok(json!({ "from": from.trim(), "to": to.trim() }))
}

/// What a person reads of it.
fn lines(told: &Value) -> Vec<(&'static str, String)> {
    let at = |pointer: &str| told.pointer(pointer).map(plain).unwrap_or_default();
    let mut lines = vec![("pars", at("/pars"))];
    for name in ["empty", "occupied"] {
        let of = |field: &str| at(&format!("/inputs/{name}/{field}"));
        let found = if of("found") == "true" { ", found" } else { "" };
        lines.push((
            name,
            format!(
                "{} to {}: {} s{found}, {} s of movement left out",
                of("from"),
                of("to"),
                of("seconds"),
                of("left_out_movement")
            ),
        ));
    }
    let computed = |field: &str| at(&format!("/computed/{field}"));
    lines.push((
        "inputs",
        format!("empty SS {}, SS {}, SV {}", computed("empty"), computed("ss"), computed("sv")),
    ));
    let each = |pointer: &str| told.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    for clamp in each("/computed/clamps") {
        let [field, was, is] =
            ["field", "computed", "used"].map(|name| clamp.get(name).map(plain).unwrap_or_default());
        lines.push(("clamped", format!("{field}: {was} is out of range, {is} is used")));
    }
    for doubt in each("/doubts") {
        lines.push(("doubt", plain(&doubt)));
    }
    if told.pointer("/quality/grade").is_some() {
        let of = |field: &str| at(&format!("/quality/{field}"));
        lines.push((
            "quality",
            format!(
                "{}: the largest change is {} against {}",
                of("grade"),
                of("largest_change"),
                of("compared_with")
            ),
        ));
    }
    for (name, pointer) in [("unusable", "/unusable"), ("warning", "/warning"), ("queued", "/command/id")] {
        if told.pointer(pointer).is_some_and(|value| !value.is_null()) {
            lines.push((name, at(pointer)));
        }
    }
    lines
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
