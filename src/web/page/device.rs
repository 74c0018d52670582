//! One device: its values, its commands with every transition, its last messages with their verdicts.

use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::controls::{self, ControlLine};
use super::events::{self, EventLine};
use super::facts::{self, FactLine};
use super::plots::{self, Plots, RANGES, Range, Wanted};
use super::summary::{self, SummaryLine};
use super::transfers::{self, TransferLine};
use super::{Frame, Page, Place, brief, brief_or_never, render};
use crate::core::{
    CertificateNote, CommandFilter, DataFilter, HubError, Level, MessageFilter, Presence, picture,
};
use crate::dictionary::{Alarm, Bound, Chosen};
use crate::family::Day;
use crate::model::{
    CommandRecord, CommandState, Datum, Device, DeviceId, DeviceState, MessageRecord, Priority, Value,
};
use crate::web::App;
use crate::web::api;
use crate::web::auth::By;
use crate::web::params::{Name, Params};

/// Commands and messages that the page shows.
const SHOWN: u32 = 20;
/// Days whose files the page leads to; the API lists all.
const DAYS_SHOWN: usize = 31;
/// How far back values are looked for that are shown together, and how many are read for it.
const RECENT_WITHIN: Duration = Duration::from_mins(2);
const RECENT_READ_MAX: u32 = 1000;
/// A message's text is cut here; the whole is a link away.
const TEXT_SHOWN_CHARS: usize = 600;

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    frame: Frame,
    device: Device,
    presence: Presence,
    rhythm: Option<String>,
    seen: String,
    parent: Option<Device>,
    children: Vec<Device>,
    certificate: Option<CertificateNote>,
    values: Vec<ValueLine>,
    ranges: [Range; RANGES.len()],
    plots: Plots,
    /// The newest days of which there is a file.
    days: Vec<Day>,
    days_more: usize,
    events: Vec<EventLine>,
    summary: Vec<SummaryLine>,
    facts: Vec<FactLine>,
    /// What is wrong, as its dialect says.
    warnings: Vec<String>,
    paused: bool,
    controls: Vec<ControlLine>,
    commands: Vec<CommandLine>,
    transfers: Vec<TransferLine>,
    /// Names of files that may be sent.
    files: Vec<String>,
    messages: Vec<MessageLine>,
    templates: Vec<crate::family::Template>,
}

struct ValueLine {
    sensor: String,
    label: Option<String>,
    value: String,
    /// As it was sent, when it is shown otherwise.
    raw: Option<String>,
    /// Those before it, the newest first.
    before: Vec<String>,
    outside: Option<&'static str>,
    alarms: Vec<Alarm>,
    received: String,
    created: String,
}

struct CommandLine {
    command: CommandRecord,
    bytes: String,
    reply: Option<String>,
    can_cancel: bool,
    steps: Vec<Step>,
}

struct Step {
    at: String,
    state: CommandState,
    reason: String,
    by: String,
}

struct MessageLine {
    message: MessageRecord,
    at: String,
    text: String,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let device = api::device_for(&app, &caller, &id, Level::View)?;
    let sight = app.hub.sight(&caller);
    let id = device.names.id.clone();
    let values = picture(app.hub.latest(&id).await?);
    // Pieces of files are told as the transfers they belong to.
    let least = Some(Priority::Normal);
    let commands =
        CommandFilter { device: Some(id.clone()), least, limit: SHOWN, ..CommandFilter::default() };
    let commands = app.hub.commands_seen(&sight, commands).await?;
    let messages = MessageFilter { device: Some(id.clone()), limit: SHOWN, ..MessageFilter::default() };
    let messages = app.hub.messages(messages).await?;
    let presence = app.hub.presence(&device);
    let chosen = app.meanings(&device.names);
    let events = events::lines(&app, &id, &chosen, &values).await?;
    let wanted = Wanted {
        device: &id,
        chosen: &chosen,
        range: Range::chosen(params.text("range")),
        rhythm: presence.rhythm,
        all: params.text("plots") == Some("all"),
        sensors: values.iter().map(|datum| (datum.sensor.to_string(), datum.value.clone())).collect(),
    };
    let plots = plots::draw(&app, wanted).await?;
    let mut lines = Vec::with_capacity(values.len());
    for datum in values {
        let before = before(&app, &id, &chosen, &datum).await?;
        lines.push(ValueLine { before, ..value_line(&chosen, datum) });
    }
    let known = app.facts(&device).await?;
    let family = app.family(&device.names.family);
    let mut days = match family.and_then(|family| family.days()) {
        Some(days) => days.list(&app.hub, &device).await?,
        None => Vec::new(),
    };
    let days_more = days.len().saturating_sub(DAYS_SHOWN);
    days.truncate(DAYS_SHOWN);
    render(&DevicePage {
        frame: Frame::of(&app, &caller, Place::Elsewhere, device.names.name.clone()).await,
        presence,
        rhythm: presence.rhythm.map(|rhythm| format!("{:.0} s", rhythm.as_secs_f64())),
        seen: brief_or_never(device.last_seen),
        parent: device.parent.as_ref().filter(|id| sight.sees(id)).and_then(|id| app.hub.device(id)),
        children: app.hub.children(&id).into_iter().filter(|child| sight.sees(&child.names.id)).collect(),
        certificate: app.hub.certificate(&id).await?,
        values: lines,
        ranges: RANGES,
        plots,
        days,
        days_more,
        events,
        summary: summary::lines(&app, &id, &chosen).await?,
        facts: facts::lines(&known),
        warnings: facts::warnings(&known),
        paused: !app.hub.is_recording(&device.names.family),
        controls: controls::lines(family.map(|family| family.controls(Some(&device))).unwrap_or_default()),
        commands: commands.into_iter().map(command_line).collect(),
        transfers: transfers::lines(&app, &id).await?,
        files: if sight.house() { transfers::files(&app).await? } else { Vec::new() },
        messages: messages.into_iter().map(message_line).collect(),
        templates: app.templates(&device.names.family).await?,
        device,
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

fn value_line(chosen: &Chosen, datum: Datum) -> ValueLine {
    let raw = match datum.value {
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => value.to_string(),
        Value::Text(ref value) => value.clone(),
        Value::Gap(_) => "–".to_owned(),
    };
    let created = datum.time_created.map(brief).unwrap_or_default();
    let meaning = chosen.explain(&datum.sensor, &datum.value);
    let mut line = ValueLine {
        sensor: datum.sensor.into(),
        label: None,
        value: raw.clone(),
        raw: None,
        before: Vec::new(),
        outside: None,
        alarms: Vec::new(),
        received: brief(datum.time_received),
        created,
    };
    if let Some(meaning) = meaning {
        let unit = meaning.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        line.label = Some(meaning.label);
        if !meaning.shown.is_empty() {
            line.value = format!("{}{unit}", meaning.shown);
            line.raw = Some(raw).filter(|raw| *raw != meaning.shown);
        }
        line.outside = meaning.outside.map(|bound| match bound {
            Bound::Below => "below its limit",
            Bound::Above => "above its limit",
        });
        line.alarms = meaning.alarms;
    }
    line
}

fn command_line(command: CommandRecord) -> CommandLine {
    let steps = command.transitions.iter().map(|step| Step {
        at: brief(step.at),
        state: step.state,
        reason: step.reason.clone(),
        by: step.by.clone(),
    });
    CommandLine {
        steps: steps.collect(),
        bytes: String::from_utf8_lossy(&command.bytes).into_owned(),
        reply: command.reply.as_ref().map(|reply| String::from_utf8_lossy(reply).into_owned()),
        can_cancel: command.state == CommandState::Queued,
        command,
    }
}

fn message_line(message: MessageRecord) -> MessageLine {
    if message.pruned {
        let text = format!("({} bytes, removed as they were old)", message.size);
        return MessageLine { at: brief(message.at), text, message };
    }
    let text = String::from_utf8_lossy(&message.raw);
    let mut shown: String = text.chars().take(TEXT_SHOWN_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    MessageLine { at: brief(message.at), text: shown, message }
}
