//! Any command of any dialect: fields made of an example or the raw payload, for devices, a tag, a group or all, looked at
//! before it is sent.

mod fields;
mod form;

use askama::Template;
use axum::extract::State;
use serde_json::Value;

use self::fields::{Field, Kind};
use self::form::{Act, Form, Meant};
use super::send::{self, Past, Results};
use super::typed::{Typed, Wrong};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, DeviceFilter};
use crate::model::{DeviceState, FamilyName};
use crate::web::App;
use crate::web::api::calls::{self, Order, Planned, rehearsal};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "commands.html")]
struct CommandsPage {
    frame: Frame,
    families: Vec<String>,
    /// Examples of the family, by name.
    starts: Vec<Start>,
    form: Form,
    /// Of the example; empty where the payload is typed.
    fields: Vec<Field>,
    /// Devices to name: address and name.
    known: Vec<(String, String)>,
    tags: Vec<String>,
    /// Id and name.
    groups: Vec<(String, String)>,
    wrong: Wrong,
    plan: Option<Plan>,
    told: Option<Results>,
    history: Vec<Past>,
}

struct Start {
    name: String,
    chosen: bool,
}

/// Who would get it.
struct Plan {
    what: String,
    gets: Vec<PlanLine>,
    out: Vec<PlanLine>,
    /// The form again: what is sent is what was looked at, whatever was typed since.
    pairs: Vec<(String, String)>,
    /// How many get it that are not listed.
    more: usize,
    /// The same bytes for everybody.
    same: Option<String>,
    count: usize,
}

struct PlanLine {
    name: String,
    device: Option<String>,
    bytes: String,
    note: String,
}

/// The form, filled in as a link says.
pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let mut form = Form::read(&Typed::new(params.into_pairs()));
    form.wait = true;
    render(&Desk::of(&app, &caller, form, None).await?.page)
}

/// Says who would get which bytes, or sends it.
pub(crate) async fn submit(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let form = Form::read(&typed);
    let Desk { mut page, example } = Desk::of(&app, &caller, form, Some(())).await?;
    match carry_out(&app, &caller, &mut page, example.as_ref(), typed).await {
        Ok(()) => render(&page),
        Err(error) => refused(&error, |wrong| CommandsPage { wrong, ..page }),
    }
}

async fn carry_out(
    app: &App,
    caller: &Caller,
    page: &mut CommandsPage,
    example: Option<&Value>,
    typed: Typed,
) -> Result<(), WebError> {
    let sight = app.hub.sight(caller);
    let order = page.form.order(example, caller.by())?;
    match Form::act(&typed) {
        Act::Preview => {
            let rehearsed = rehearsal::rehearse(app, &sight, &order, true).await?;
            page.plan = Some(plan(&order, rehearsed.items, typed.into_pairs()));
        }
        Act::Send => {
            let told = calls::carry_out(app, &sight, &order).await?;
            page.told = Some(send::results(&order, told));
            page.history = send::history(app, &sight, None).await?;
        }
    }
    Ok(())
}

/// The page before anything is done, and the example its fields are of.
struct Desk {
    page: CommandsPage,
    example: Option<Value>,
}

impl Desk {
    /// `sent`: the command and payload are those of the form, not of the example.
    async fn of(app: &App, caller: &Caller, mut form: Form, sent: Option<()>) -> Result<Self, WebError> {
        let sight = app.hub.sight(caller);
        let families = app.family_names();
        let named = form.to.first().and_then(|to| app.hub.find_seen(&sight, to).ok());
        let asked = families.iter().find(|name| name.as_str() == form.family);
        let family = asked.cloned().or_else(|| named.map(|device| device.names.family));
        let family = family.or_else(|| families.first().cloned()).unwrap_or_else(|| FamilyName::new("none"));
        form.family = family.to_string();
        let templates = app.templates(&family).await?;
        let chosen = templates.iter().find(|template| template.name == form.start);
        let chosen = chosen.or_else(|| templates.first().filter(|_| form.cmd.is_empty() && sent.is_none()));
        let mut example = None;
        if let Some(template) = chosen {
            form.start.clone_from(&template.name);
            if sent.is_none() && form.payload.is_empty() {
                form.cmd.clone_from(&template.cmd);
                form.payload.clone_from(&template.payload);
            }
            example = serde_json::from_str::<Value>(&template.payload).ok();
        } else {
            form.raw = true;
        }
        let others = templates.iter().filter(|template| template.cmd == form.cmd);
        let others: Vec<Value> =
            others.filter_map(|template| serde_json::from_str(&template.payload).ok()).collect();
        let mut fields = example.as_ref().map(|example| fields::of(example, &others)).unwrap_or_default();
        form.raw |= fields.is_empty();
        for field in &mut fields {
            if let Some((_, typed)) = form.fields.iter().find(|(pointer, _)| *pointer == field.pointer) {
                field.value.clone_from(typed);
            }
        }
        let filter = DeviceFilter {
            family: Some(family.clone()),
            state: Some(DeviceState::Active),
            limit: SUGGESTED,
            ..DeviceFilter::default()
        };
        let known = app.hub.devices_seen(&sight, filter, None).await?;
        let start = |template: crate::family::Template| Start {
            chosen: template.name == form.start,
            name: template.name,
        };
        let groups = sight.groups().into_iter().map(|group| (group.id.to_string(), group.name));
        let page = CommandsPage {
            frame: Frame::of(app, caller, Place::Commands, "Commands").await,
            families: families.iter().map(ToString::to_string).collect(),
            starts: templates.into_iter().map(start).collect(),
            known: known.into_iter().map(|device| (device.names.address, device.names.name)).collect(),
            tags: sight.all_tags(),
            groups: groups.collect(),
            fields,
            form,
            wrong: Wrong::default(),
            plan: None,
            told: None,
            history: send::history(app, &sight, None).await?,
        };
        Ok(Self { page, example })
    }
}

impl CommandsPage {
    /// The fields to name devices in: those that were named, and one more.
    fn names(&self) -> Vec<&str> {
        self.form.to.iter().map(String::as_str).chain([""]).collect()
    }
}

fn plan(order: &Order, items: Vec<Planned>, mut pairs: Vec<(String, String)>) -> Plan {
    pairs.retain(|(name, _)| name != "act");
    let line = |planned: Planned| PlanLine {
        name: planned.device.as_ref().map_or_else(|| planned.address.clone(), |device| device.name.clone()),
        device: planned.device.as_ref().map(|device| device.id.to_string()),
        bytes: planned.exact.shown(),
        note: planned.message.or(planned.warning).unwrap_or_default(),
    };
    let (gets, out): (Vec<_>, Vec<_>) = items.into_iter().partition(|planned| planned.gets);
    let count = gets.len();
    let mut gets: Vec<PlanLine> = gets.into_iter().map(line).collect();
    let same = gets.first().map(|first| first.bytes.clone());
    let same = same.filter(|bytes| gets.iter().all(|line| line.bytes == *bytes));
    gets.truncate(PLAN_SHOWN);
    Plan {
        what: send::what(order),
        pairs,
        more: count - gets.len(),
        gets,
        out: out.into_iter().take(PLAN_SHOWN).map(line).collect(),
        same,
        count,
    }
}

/// Devices that a field suggests while it is typed into.
const SUGGESTED: u32 = 300;
/// Devices that a preview lists.
const PLAN_SHOWN: usize = 200;
