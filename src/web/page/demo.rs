//! The demo: pretend devices of this server's own, started and stopped by people, and what they say as they say it.

use std::fmt::Write as _;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;
use serde_json::Value as Json;

use super::bounds::Rules;
use super::dial::{self, Dial};
use super::moment::Moment;
use super::typed::Wrong;
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, CommandFilter, DataFilter};
use crate::model::{CommandRecord, Device, DeviceId, Priority, number};
use crate::web::App;
use crate::web::api::demo;
use crate::web::auth::By;
use crate::web::demo::{DemoKind, DemoNote, DemoState, DemoWish};
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

#[derive(Template)]
#[template(path = "demo.html")]
struct DemoPage {
    frame: Frame,
    /// Where a watcher goes on from what the page shows.
    from: String,
    done: Option<&'static str>,
    wrong: Wrong,
    shows: Vec<Show>,
}

/// One demo as the page shows it.
struct Show {
    note: DemoNote,
    title: &'static str,
    lead: &'static str,
    device: Option<Device>,
    dial: Option<Dial>,
    since: Option<Moment>,
    stats: Vec<Stat>,
    curves: Vec<Curve>,
    /// What stands beside the plot, the greatest first.
    marks: [u16; 4],
    commands: Vec<CommandLine>,
}

/// A newest value.
struct Stat {
    sensor: String,
    label: &'static str,
    value: String,
    unit: String,
    /// Whether it is a number to read from afar.
    large: bool,
}

/// A sensor's last values.
struct Curve {
    sensor: &'static str,
    /// With commas between.
    points: String,
    /// When the newest one arrived.
    last: String,
    /// As an SVG path in a box of 100 by 100.
    path: String,
}

struct CommandLine {
    command: CommandRecord,
    at: Moment,
    reply: Option<String>,
}

/// The form of a start.
#[derive(Deserialize)]
pub(crate) struct Pace {
    #[serde(default)]
    period_ms: String,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let done = params.text("done").and_then(|word| DONE.iter().find(|(known, _)| *known == word));
    let mut page = page(&app, &caller).await?;
    page.done = done.map(|(_, sentence)| *sentence);
    render(&page)
}

pub(crate) async fn start(
    State(app): State<App>,
    Name(kind): Name,
    By(caller): By,
    Sent(pace): Sent<Pace>,
) -> Page {
    let started = demo::begin(&app, &kind, &pace.period_ms.into(), &caller.by()).await;
    let word = started.map(|started| if started.adjusted.is_some() { "held" } else { "started" });
    answer(&app, &caller, word, &kind).await
}

pub(crate) async fn pause(State(app): State<App>, Name(kind): Name, By(caller): By) -> Page {
    let paused = demo::turn(&app, &kind, DemoWish::Pause, &caller.by()).await;
    answer(&app, &caller, paused.map(|_| "paused"), &kind).await
}

pub(crate) async fn stop(State(app): State<App>, Name(kind): Name, By(caller): By) -> Page {
    let stopped = demo::turn(&app, &kind, DemoWish::Stop, &caller.by()).await;
    answer(&app, &caller, stopped.map(|_| "stopped"), &kind).await
}

/// Back to the page, or the page with what was wrong.
async fn answer(app: &App, caller: &Caller, word: Result<&str, WebError>, kind: &str) -> Page {
    match word {
        Ok(word) => {
            let kind = DemoKind::parse(kind).map_or("", DemoKind::as_str);
            Ok(Redirect::to(&format!("/demo?done={word}#{kind}")).into_response())
        }
        Err(error) => {
            let page = page(app, caller).await?;
            refused(&error, |wrong| DemoPage { wrong, ..page })
        }
    }
}

async fn page(app: &App, caller: &Caller) -> Result<DemoPage, WebError> {
    // Before anything is read: what happens meanwhile is told twice then, and known by its time.
    let from = app.hub.follow(None).await?.place().to_string();
    let mut shows = Vec::new();
    for note in demo::all(app) {
        shows.push(one(app, caller, note).await?);
    }
    let frame = Frame::of(app, caller, Place::Demo, "Demo").await;
    Ok(DemoPage { frame, from, done: None, wrong: Wrong::default(), shows })
}

async fn one(app: &App, caller: &Caller, note: DemoNote) -> Result<Show, WebError> {
    let Stage { title, lead, sensors, stats, marks } = stage(note.demo);
    let device = note.device.as_ref().and_then(|id| app.hub.device(id));
    let mut show = Show {
        title,
        lead,
        since: note.since.map(Moment::ago),
        device: None,
        dial: None,
        stats: Vec::new(),
        curves: Vec::new(),
        marks,
        commands: Vec::new(),
        note,
    };
    let Some(device) = device.filter(|_| show.note.state != DemoState::Stopped) else {
        return Ok(show);
    };
    let id = &device.names.id;
    let chosen = app.meanings(&device.names);
    let newest = app.hub.latest(id).await?;
    let now = |sensor: &str| newest.iter().find(|datum| datum.sensor.as_str() == sensor);
    let stat = |(sensor, label, large): &(&str, &'static str, bool)| {
        let meaning = now(sensor).and_then(|datum| chosen.explain(&datum.sensor, &datum.value));
        // Where nothing came yet, what comes has its place.
        let (value, unit) = meaning.map_or_else(
            || ("–".to_owned(), String::new()),
            |meaning| (meaning.shown, meaning.unit.unwrap_or_default()),
        );
        Stat { sensor: (*sensor).to_owned(), label, value, unit, large: *large }
    };
    show.stats = stats.iter().map(stat).collect();
    for sensor in sensors {
        let values = window(app, id, sensor, &show.note).await?;
        show.curves.push(curve(sensor, values, f64::from(marks[0])));
    }
    let rules = Rules::read(app, &app.hub.sight(caller)).await?;
    let bounds = rules.stored(&app.hub, &device, &chosen, dial::SENSOR);
    let pointed = now(dial::SENSOR).and_then(|datum| number(&datum.value));
    show.dial = Dial::of(&app.facts(&device).await?).map(|dial| dial.showing(pointed).bounded(bounds));
    show.commands = commands(app, caller, id).await?;
    show.device = Some(device);
    Ok(show)
}

/// The last values of a sensor since the demo was started.
async fn window(
    app: &App,
    device: &DeviceId,
    sensor: &str,
    note: &DemoNote,
) -> Result<(Vec<f64>, String), WebError> {
    let filter = DataFilter {
        whose: device.clone().into(),
        sensors: vec![sensor.to_owned()],
        from: note.since,
        newest_first: true,
        limit: WINDOW_VALUES,
        ..DataFilter::default()
    };
    let found = app.hub.data(filter).await?;
    let last = found.first().map(|(_, datum)| datum.time_received.to_string()).unwrap_or_default();
    Ok((found.iter().rev().filter_map(|(_, datum)| number(&datum.value)).collect(), last))
}

fn curve(sensor: &'static str, (values, last): (Vec<f64>, String), most: f64) -> Curve {
    let points = values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut path = String::new();
    for (place, value) in values.iter().enumerate() {
        let letter = if place == 0 { 'M' } else { 'L' };
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred places")]
        let x = place as f64 * 100.0 / 99.0;
        // A string takes whatever is written to it.
        let _ = write!(path, "{letter}{x:.2} {:.2}", 100.0 - value / most * 100.0);
    }
    Curve { sensor, points, last, path }
}

async fn commands(app: &App, caller: &Caller, device: &DeviceId) -> Result<Vec<CommandLine>, WebError> {
    let filter = CommandFilter {
        device: Some(device.clone()),
        least: Some(Priority::Normal),
        limit: COMMANDS_SHOWN,
        ..CommandFilter::default()
    };
    let found = app.hub.commands_seen(&app.hub.sight(caller), filter).await?;
    let line = |command: CommandRecord| {
        let last = command.transitions.last().map_or_else(|| app.hub.now(), |step| step.at);
        // Of the message only what the device says.
        let reply = command.reply.as_ref().and_then(|reply| serde_json::from_slice::<Json>(reply).ok());
        let reply = reply.and_then(|reply| reply.get("_pld").map(Json::to_string));
        CommandLine { at: Moment::ago(last), reply, command }
    };
    Ok(found.into_iter().map(line).collect())
}

/// What the page says of a demo, and what it shows of its device.
struct Stage {
    title: &'static str,
    lead: &'static str,
    /// Those of which a curve is drawn.
    sensors: &'static [&'static str],
    /// Those whose newest value stands above it, and whether it is one to read from afar.
    stats: &'static [(&'static str, &'static str, bool)],
    marks: [u16; 4],
}

const fn stage(kind: DemoKind) -> Stage {
    match kind {
        DemoKind::Oven => Stage {
            title: "An oven that takes commands",
            lead: "A kitchen oven behind a ConnectWare Module. It heats up, is opened now and then, and does what you tell it.",
            sensors: &["set_temp", "act_temp.0", "act_temp.1"],
            stats: &[
                ("act_temp.0", "Cavity", true),
                ("act_temp.1", "Core", true),
                ("set_temp", "Set to", true),
                ("heating", "Heating", false),
                ("door", "Door", false),
                ("light", "Light", false),
            ],
            marks: [300, 200, 100, 0],
        },
        DemoKind::Sine => Stage {
            title: "A gauge that uploads a sine",
            lead: "A device with a token. It uploads one value each period, from 0 to 100 and back.",
            sensors: &["data"],
            stats: &[],
            marks: [100, 67, 33, 0],
        },
    }
}

/// What was done, by the word in the query.
const DONE: [(&str, &str); 4] = [
    ("started", "The demo runs."),
    (
        "held",
        "The demo runs. The period is 50 to 60000 ms: what you typed is held within that, and 2000 ms where it was no number.",
    ),
    ("paused", "The demo is paused. Start lets it go on where it was."),
    (
        "stopped",
        "The demo is stopped. Its device stays on the dashboard, with what it said, until you forget it.",
    ),
];
/// The original's window (`accounts-dashboard.md §1`).
const WINDOW_VALUES: u32 = 100;
const COMMANDS_SHOWN: u32 = 4;
