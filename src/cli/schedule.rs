//! `homeport schedule`: commands at times of the day.

use clap::{Args, Subcommand};
use hyper::Method;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::client::{Client, Connect, device, escape, text};
use super::send::seconds;
use super::settings::Global;
use super::{Done, Failure, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  homeport schedule add 036334d0b8df1f05 --cmd wr --payload '{\"cmd\":{\"relay\":1}}' --at 06:30 --days mon,tue,wed,thu,fri --zone Europe/Berlin"
)]
pub(super) struct ScheduleCommand {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Queue a command again and again. What falls due while no server runs is skipped.
    #[command(
        after_help = "Example:\n  homeport schedule add 0002010203040506 --cmd rd --payload '{\"_ping\":true}' --every 15m"
    )]
    Add(Add),
    /// List schedules with what became of them.
    #[command(after_help = "Example:\n  homeport schedule list --device 036334d0b8df1f05 --json")]
    List {
        /// Of one device: its id, address or name.
        #[arg(long)]
        device: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Stop schedules until they are resumed.
    #[command(after_help = "Example:\n  homeport schedule pause 'Fryer on'")]
    Pause {
        /// Their ids or names.
        #[arg(required = true)]
        schedules: Vec<String>,
    },
    /// Let paused schedules run from now on.
    #[command(after_help = "Example:\n  homeport schedule resume 'Fryer on'")]
    Resume {
        /// Their ids or names.
        #[arg(required = true)]
        schedules: Vec<String>,
    },
    /// Remove schedules; commands they queued stay.
    #[command(after_help = "Example:\n  homeport schedule remove 'Fryer on'")]
    Remove {
        /// Their ids or names.
        #[arg(required = true)]
        schedules: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Add {
    /// The device's id, address or name.
    device: String,
    /// The verb, for instance wr or rd.
    #[arg(long)]
    cmd: String,
    /// The payload: JSON.
    #[arg(long, value_name = "JSON")]
    payload: String,
    /// Times of the day, with commas between: 06:30,18:00.
    #[arg(long, value_name = "TIMES", value_delimiter = ',', required_unless_present = "every")]
    at: Vec<String>,
    /// Each so often, counted from midnight, to the minute: 15m, 2h.
    #[arg(long, value_name = "TIME")]
    every: Option<String>,
    /// Days, with commas between: mon,tue [default: every day].
    #[arg(long, value_name = "DAYS", value_delimiter = ',')]
    days: Vec<String>,
    /// The zone whose clocks count.
    #[arg(long, default_value = "UTC")]
    zone: String,
    /// What people call it [default: the verb].
    #[arg(long)]
    name: Option<String>,
    /// How long each command may wait for the device, for instance 10m [default: 15m].
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    device: &'a str,
    cmd: &'a str,
    payload: &'a RawValue,
    times: &'a [String],
    every_min: Option<u64>,
    days: &'a [String],
    zone: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in_s: Option<u64>,
}

impl ScheduleCommand {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::Add(add) => add.run(&client).await,
            What::List { device, json } => list(&client, device.as_deref(), *json).await,
            What::Pause { schedules } => enable(&client, schedules, false).await,
            What::Resume { schedules } => enable(&client, schedules, true).await,
            What::Remove { schedules } => {
                for schedule in schedules {
                    let id = escape(&find(&client, schedule).await?);
                    client.call(Method::DELETE, &format!("/schedules/{id}"), None).await?;
                    output::line(&format!("{schedule} removed"))?;
                }
                Ok(())
            }
        }
    }
}

impl Add {
    async fn run(&self, client: &Client) -> Done {
        let payload: &RawValue = serde_json::from_str(&self.payload)
            .map_err(|error| Failure::Usage(format!("--payload is no JSON: {error}")))?;
        let every = self.every.as_deref().map(seconds).transpose().map_err(Failure::Usage)?;
        if every.is_some_and(|every| every % 60 != 0) {
            return Err(Failure::Usage("--every: whole minutes, for instance 15m".to_owned()));
        }
        let expires_in_s = self.expires.as_deref().map(seconds).transpose().map_err(Failure::Usage)?;
        let device = device(client, &self.device).await?;
        let days: Vec<String> = self.days.iter().map(|day| day.trim().to_lowercase()).collect();
        let body = Body {
            device: text(&device, "id"),
            cmd: &self.cmd,
            payload,
            times: &self.at,
            every_min: every.map(|every| every / 60),
            days: &days,
            zone: &self.zone,
            name: self.name.as_deref(),
            expires_in_s,
        };
        let body = serde_json::to_string(&body)?;
        let made = client.call_with(Method::POST, "/schedules", Some(body)).await?;
        if self.json {
            return Ok(output::json(&made)?);
        }
        Ok(output::line(&format!("{}  next at {}", text(&made, "id"), output::cell(&made, "next")))?)
    }
}

async fn list(client: &Client, device: Option<&str>, json: bool) -> Done {
    let filter = device.map(|device| format!("?device={}", escape(device))).unwrap_or_default();
    let mut schedules = client.list(&format!("/schedules{filter}")).await?;
    if json {
        return Ok(output::json(&Value::Array(schedules))?);
    }
    for schedule in &mut schedules {
        let when = when(schedule);
        if let Some(fields) = schedule.as_object_mut() {
            fields.insert("when".to_owned(), when.into());
        }
    }
    let columns = [
        ("ID", "id"),
        ("NAME", "name"),
        ("DEVICE", "device.name"),
        ("WHEN", "when"),
        ("ZONE", "zone"),
        ("ENABLED", "enabled"),
        ("NEXT", "next"),
        ("MISSED", "missed"),
        ("LAST NOTE", "last.note"),
    ];
    Ok(output::table(&schedules, &columns)?)
}

/// Times, steps and days in one cell.
fn when(schedule: &Value) -> String {
    let words = |field: &str| {
        let items = schedule.get(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).collect::<Vec<_>>().join(",")
    };
    let every = schedule.get("every_min").and_then(Value::as_u64).map(|step| format!("every {step} min"));
    let parts = [words("times"), every.unwrap_or_default(), words("days")];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(" ")
}

async fn enable(client: &Client, schedules: &[String], enabled: bool) -> Done {
    for schedule in schedules {
        let id = escape(&find(client, schedule).await?);
        client.call(Method::PATCH, &format!("/schedules/{id}"), Some(&json!({ "enabled": enabled }))).await?;
        output::line(&format!("{schedule} {}", if enabled { "resumed" } else { "paused" }))?;
    }
    Ok(())
}

/// The id of the schedule that a person means by its id or its name.
async fn find(client: &Client, wanted: &str) -> anyhow::Result<String> {
    let all = client.list("/schedules").await?;
    let by = |field| all.iter().filter(move |one| text(one, field) == wanted);
    let mut found: Vec<&Value> = by("id").collect();
    if found.is_empty() {
        found = by("name").collect();
    }
    match found.as_slice() {
        [one] => Ok(text(one, "id").to_owned()),
        [] => anyhow::bail!("no schedule `{wanted}`: `homeport schedule list` shows them"),
        [_, _, ..] => anyhow::bail!("several schedules are called {wanted}: use the id"),
    }
}
