//! How a device is: its values, plots and controls, and what came last.

use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::bands::{self, Band};
use super::events::{self, EventLine};
use super::marks::Marks;
use super::plots::{self, Plots, RANGES, Range, Wanted};
use super::summary::{self, SummaryLine};
use super::timeline::{self, MessageLine};
use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, render};
use crate::core::{CommandFilter, DataFilter, HubError, MessageFilter, picture};
use crate::dictionary::{Alarm, Bound, Chosen};
use crate::model::{Alert, CommandRecord, Datum, Device, DeviceId, Direction, Priority, Timestamp, number};
use crate::web::App;
use crate::web::auth::By;
use crate::web::page::bounds;
use crate::web::page::controls::{self, ControlLine};
use crate::web::page::dial::{self, Dial};
use crate::web::page::values::{self, Shown, raw, telling};
use crate::web::params::{Name, Params};

/// Commands and messages that the page shows; their own pages show the rest.
const SHOWN: u32 = 5;
/// Values at the top of the page.
const NOW_SHOWN: usize = 8;
/// How far back values are looked for that are shown together, and how many are read for it.
const RECENT_WITHIN: Duration = Duration::from_mins(2);
const RECENT_READ_MAX: u32 = 1000;

#[derive(Template)]
#[template(path = "device/overview.html")]
struct OverviewPage {
    frame: Frame,
    head: Head,
    children: Vec<Device>,
    alerts: Vec<AlertLine>,
    now: Vec<Shown>,
    /// Of a gauge, and its bounds in words.
    dial: Option<Dial>,
    bounds: Option<String>,
    bands: Vec<Band>,
    values: Vec<ValueLine>,
    ranges: [Range; RANGES.len()],
    plots: Plots,
    events: Vec<EventLine>,
    summary: Vec<SummaryLine>,
    controls: Vec<ControlLine>,
    commands: Vec<CommandShort>,
    messages: Vec<MessageLine>,
}

struct ValueLine {
    sensor: String,
    label: Option<String>,
    value: String,
    unit: Option<String>,
    /// As it was sent, when it is shown otherwise.
    raw: Option<String>,
    /// Those before it, the newest first.
    before: Vec<String>,
    outside: Option<&'static str>,
    alarms: Vec<Alarm>,
    /// Digits after the point of what comes next, where a person said how many.
    decimals: Option<u8>,
    received: Moment,
    created: Option<Moment>,
}

/// An alert that fires.
struct AlertLine {
    name: String,
    sensor: Option<String>,
    value: Option<f64>,
    bound: Option<f64>,
    since: Moment,
}

/// A command and where it stands.
struct CommandShort {
    command: CommandRecord,
    at: Moment,
    reason: String,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let Begun { frame, head, sight, facts } = Begun::with(&app, &caller, &id, Tab::Overview).await?;
    let device = &head.device;
    let id = device.names.id.clone();
    let mut values = picture(app.hub.latest(&id).await?);
    // Pieces of files are told as the transfers they belong to.
    let least = Some(Priority::Normal);
    let commands =
        CommandFilter { device: Some(id.clone()), least, limit: SHOWN, ..CommandFilter::default() };
    let commands = app.hub.commands_seen(&sight, commands).await?;
    let messages = MessageFilter { device: Some(id.clone()), limit: SHOWN, ..MessageFilter::default() };
    let messages = app.hub.messages(messages).await?;
    let chosen = app.meanings(&device.names);
    values::sort(&chosen, &mut values);
    let events = events::lines(&app, &id, &chosen, &values).await?;
    let range = Range::chosen(params.text("range"));
    let now = app.hub.now();
    let stretch = (now.minus(Duration::from_secs(range.span_s.into())), now);
    let bands = bands::bands(&app, &id, &chosen, &values, stretch).await?;
    let marks = Marks::read(&app, &sight, device).await?;
    let pointed = values.iter().find(|datum| datum.sensor.as_str() == dial::SENSOR);
    let pointed = pointed.and_then(|datum| number(&datum.value));
    let bounds = marks.rules().stored(&app.hub, device, &chosen, dial::SENSOR);
    let dial = Dial::of(&facts).map(|dial| dial.showing(pointed).bounded(bounds));
    let telling: Vec<Shown> = telling(&chosen, values.clone())
        .iter()
        .take(NOW_SHOWN)
        .map(|datum| Shown::on(dial.as_ref(), &chosen, datum))
        .collect();
    let wanted = Wanted {
        device: &id,
        chosen: &chosen,
        marks: &marks,
        range,
        rhythm: head.presence.rhythm,
        all: params.text("plots") == Some("all"),
        sensors: values.iter().map(|datum| (datum.sensor.to_string(), datum.value.clone())).collect(),
    };
    let plots = plots::draw(&app, wanted).await?;
    let mut lines = Vec::with_capacity(values.len());
    for datum in values {
        let before = before(&app, &id, &chosen, &datum).await?;
        lines.push(ValueLine { before, ..value_line(&chosen, dial.as_ref(), datum) });
    }
    let family = app.family(&device.names.family);
    render(&OverviewPage {
        frame,
        children: app.hub.children(&id).into_iter().filter(|child| sight.sees(&child.names.id)).collect(),
        alerts: marks.firing().map(|alert| alert_line(alert, now)).collect(),
        now: telling,
        bounds: dial.as_ref().and_then(|dial| bounds::words(dial.bounds())),
        dial,
        bands,
        values: lines,
        ranges: RANGES,
        plots,
        events,
        summary: summary::lines(&app, &id, &chosen).await?,
        controls: controls::lines(family.map(|family| family.controls(Some(device))).unwrap_or_default()),
        commands: commands.into_iter().map(command_short).collect(),
        messages: messages.into_iter().map(timeline::message_line).collect(),
        head,
    })
}

/// The values before the newest one, of a sensor of which several are shown together.
async fn before(app: &App, id: &DeviceId, chosen: &Chosen, newest: &Datum) -> Result<Vec<String>, HubError> {
    let count = usize::try_from(chosen.recent(&newest.sensor)).unwrap_or(1);
    if count <= 1 {
        return Ok(Vec::new());
    }
    let filter = DataFilter {
        whose: id.clone().into(),
        sensors: vec![newest.sensor.to_string()],
        from: Some(newest.time_received.minus(RECENT_WITHIN)),
        limit: RECENT_READ_MAX,
        ..DataFilter::default()
    };
    let values = app.hub.data(filter).await?;
    let shown = |(_, datum): &(DeviceId, Datum)| {
        chosen.explain(&datum.sensor, &datum.value).map(|meaning| meaning.shown)
    };
    Ok(values.iter().rev().take(count).skip(1).filter_map(shown).collect())
}

fn value_line(chosen: &Chosen, dial: Option<&Dial>, datum: Datum) -> ValueLine {
    let raw = raw(&datum.value);
    let told = dial.and_then(|dial| dial.telling(chosen, &datum));
    let created = datum.time_created.map(Moment::at);
    let meaning = chosen.explain(&datum.sensor, &datum.value);
    let mut line = ValueLine {
        sensor: datum.sensor.into(),
        label: None,
        value: raw.clone(),
        unit: None,
        raw: None,
        before: Vec::new(),
        outside: None,
        alarms: Vec::new(),
        decimals: None,
        received: Moment::ago(datum.time_received),
        created,
    };
    if let Some((value, unit)) = told {
        line.decimals = dial.and_then(Dial::decimals);
        line.raw = Some(raw.clone()).filter(|raw| *raw != value);
        (line.value, line.unit) = (value, unit);
    }
    if let Some(meaning) = meaning {
        line.label = Some(meaning.label);
        if !meaning.shown.is_empty() {
            line.unit = meaning.unit;
            line.raw = Some(raw).filter(|raw| *raw != meaning.shown);
            line.value = meaning.shown;
        }
        line.outside = meaning.outside.map(|bound| match bound {
            Bound::Below => "below its limit",
            Bound::Above => "above its limit",
        });
        line.alarms = meaning.alarms;
    }
    line
}

fn alert_line(alert: &Alert, now: Timestamp) -> AlertLine {
    AlertLine {
        name: alert.rule_name.clone(),
        sensor: alert.sensor.clone(),
        value: alert.value,
        bound: alert.bound,
        since: Moment::since(alert.fired, now),
    }
}

fn command_short(command: CommandRecord) -> CommandShort {
    let last = command.transitions.last();
    CommandShort {
        at: Moment::ago(last.map_or(command.created, |step| step.at)),
        reason: last.map(|step| step.reason.clone()).unwrap_or_default(),
        command,
    }
}
