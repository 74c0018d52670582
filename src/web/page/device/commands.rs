//! What a device was told: its commands with every transition, the files sent to it, and the forms for both.

use askama::Template;
use axum::extract::State;

use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, render};
use crate::core::CommandFilter;
use crate::model::{CommandRecord, CommandState, Priority};
use crate::web::App;
use crate::web::auth::By;
use crate::web::page::controls::{self, ControlLine};
use crate::web::page::transfers::{self, TransferLine};
use crate::web::params::{Name, Params};

/// Commands that the page shows.
const SHOWN: u32 = 20;

#[derive(Template)]
#[template(path = "device/commands.html")]
struct CommandsPage {
    frame: Frame,
    head: Head,
    controls: Vec<ControlLine>,
    commands: Vec<CommandLine>,
    transfers: Vec<TransferLine>,
    /// Names of files that may be sent.
    files: Vec<String>,
    templates: Vec<crate::family::Template>,
}

/// A command with what became of it.
struct CommandLine {
    command: CommandRecord,
    bytes: String,
    reply: Option<String>,
    can_cancel: bool,
    steps: Vec<Step>,
}

struct Step {
    at: Moment,
    state: CommandState,
    reason: String,
    by: String,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, _: Params) -> Page {
    let Begun { frame, head, sight, facts: _ } = Begun::with(&app, &caller, &id, Tab::Commands).await?;
    let device = &head.device;
    let id = device.names.id.clone();
    // Pieces of files are told as the transfers they belong to.
    let least = Some(Priority::Normal);
    let filter = CommandFilter { device: Some(id.clone()), least, limit: SHOWN, ..CommandFilter::default() };
    let commands = app.hub.commands_seen(&sight, filter).await?;
    let family = app.family(&device.names.family);
    render(&CommandsPage {
        frame,
        controls: controls::lines(family.map(|family| family.controls(Some(device))).unwrap_or_default()),
        commands: commands.into_iter().map(line).collect(),
        transfers: transfers::lines(&app, &id).await?,
        files: if sight.house() { transfers::files(&app).await? } else { Vec::new() },
        templates: app.templates(&device.names.family).await?,
        head,
    })
}

fn line(command: CommandRecord) -> CommandLine {
    let steps = command.transitions.iter().map(|step| Step {
        at: Moment::at(step.at),
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
