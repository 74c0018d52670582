//! What a device is called and set to, who has to do with it, what it proves itself with, and its end.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `change` | what the forms do |
//! | `secret` | tokens: a new one, told once, and the end of old ones |

pub(crate) mod change;
pub(crate) mod secret;

use askama::Template;
use axum::extract::State;
use serde_json::Value as Json;

use super::facts::{self, FactLine};
use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, refused, render};
use crate::core::{Access, Caller, CertificateNote, DeviceToken, Level};
use crate::family::{Day, Facts};
use crate::web::App;
use crate::web::api::secrets;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::page::add::token::KINDS;
use crate::web::page::bounds::Rules;
use crate::web::page::dial::{self, Dial};
use crate::web::page::download::newest_days;
use crate::web::page::gauge::GaugeFields;
use crate::web::page::typed::{Typed, Wrong};
use crate::web::params::{Name, Params};

#[derive(Template)]
#[template(path = "device/settings.html")]
struct SettingsPage {
    frame: Frame,
    head: Head,
    done: Option<&'static str>,
    /// Whether that is no change.
    unchanged: bool,
    wrong: Wrong,
    /// The form that it is about.
    at: &'static str,
    created: Moment,
    /// The name as typed, when it was not taken.
    name: String,
    config: Option<Config>,
    tags: String,
    groups: Vec<GroupLine>,
    access: Access,
    tokens: Option<Vec<TokenLine>>,
    /// Whether it may have a key or a certificate of ours.
    keyed: bool,
    certificate: Option<CertificateNote>,
    facts: Vec<FactLine>,
    /// The newest days of which there is a file.
    days: Vec<Day>,
    days_more: usize,
}

/// Type and configuration of a device with a token.
struct Config {
    kind: String,
    kinds: [&'static str; KINDS.len()],
    /// As JSON for people; `None` where nothing was said.
    json: Option<String>,
    /// The same as it was typed, when it was not taken.
    typed: Option<String>,
    /// The gauge's own fields with a dial, where it is one.
    gauge: Option<(GaugeFields, Dial)>,
}

struct GroupLine {
    id: String,
    name: String,
    /// Whether the device is in it.
    within: bool,
}

struct TokenLine {
    id: String,
    created: Moment,
    by: String,
    used: Option<Moment>,
    from: Option<String>,
    ends: Option<Moment>,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let mut page = page(&app, &caller, &id).await?;
    let done = params.text("done").and_then(|word| DONE.iter().find(|(known, _)| *known == word));
    page.done = done.map(|(_, sentence)| *sentence);
    page.unchanged = params.text("done") == Some("unchanged");
    render(&page)
}

/// The page with the form that was not taken.
async fn refuse(app: &App, caller: &Caller, id: &str, at: &'static str, error: &WebError) -> Page {
    let page = page(app, caller, id).await?;
    refused(error, |wrong| SettingsPage { wrong, at, ..page })
}

/// The same with the configuration as it was typed.
async fn refuse_config(app: &App, caller: &Caller, id: &str, typed: &Typed, error: &WebError) -> Page {
    let mut page = page(app, caller, id).await?;
    if let Some(config) = &mut page.config {
        match &mut config.gauge {
            Some((fields, _)) if typed.has("minVal") => *fields = GaugeFields::read(typed),
            Some(_) | None if typed.has("config") => {
                config.typed = Some(typed.raw("config").to_owned());
                typed.text("type").clone_into(&mut config.kind);
            }
            Some(_) | None => {}
        }
    }
    refused(error, |wrong| SettingsPage { wrong, at: "config", ..page })
}

async fn page(app: &App, caller: &Caller, id: &str) -> Result<SettingsPage, WebError> {
    let Begun { frame, head, sight, mut facts } = Begun::with(app, caller, id, Tab::Settings).await?;
    let device = &head.device;
    let (days, days_more) = newest_days(app, device).await?;
    let id = &device.names.id;
    let tokens = secrets::tokens(app, device);
    let mut config = tokens.is_some().then(|| config(&facts));
    if let Some((_, dial)) = config.as_mut().and_then(|config| config.gauge.as_mut()) {
        let rules = Rules::read(app, &sight).await?;
        let bounds = rules.stored(&app.hub, device, &app.meanings(&device.names), dial::SENSOR);
        *dial = dial.clone().bounded(bounds);
    }
    if config.is_some() {
        // They have a part of their own on the page.
        facts.retain(|name, _| name != "type" && name != "config");
    }
    let groups = sight.groups().into_iter().filter(|group| sight.group_level(&group.id) >= Level::Own);
    let groups = groups.map(|group| GroupLine {
        within: group.devices.contains(id),
        id: group.id.to_string(),
        name: group.name,
    });
    Ok(SettingsPage {
        done: None,
        unchanged: false,
        wrong: Wrong::default(),
        at: "",
        created: Moment::at(device.created),
        name: device.names.name.clone(),
        config,
        tags: app.hub.tags(id).join(", "),
        groups: groups.collect(),
        access: app.hub.access(id),
        keyed: tokens.is_none() && (app.hub.key_of(id).is_some() || app.hub.material(id).await?.is_some()),
        tokens: tokens.map(|tokens| tokens.into_iter().map(token_line).collect()),
        certificate: app.hub.certificate(id).await?,
        facts: facts::lines(&facts),
        days,
        days_more,
        frame,
        head,
    })
}

fn config(facts: &Facts) -> Config {
    let kind = facts.get("type").and_then(Json::as_str).unwrap_or_default().to_owned();
    let said = facts.get("config").and_then(Json::as_object).cloned();
    let gauge = (kind == "gauge").then(|| {
        let fields = GaugeFields::of(&said.clone().unwrap_or_default());
        let dial = fields.dial();
        (fields, dial)
    });
    let json = said.and_then(|said| serde_json::to_string_pretty(&said).ok());
    Config { kind, kinds: KINDS.map(|(word, _)| word), json, typed: None, gauge }
}

fn token_line(token: DeviceToken) -> TokenLine {
    TokenLine {
        id: token.id,
        created: Moment::at(token.created),
        by: token.by.trim_start_matches("user:").to_owned(),
        used: token.last_used.map(Moment::ago),
        from: token.last_peer.map(|peer| peer.to_string()),
        ends: token.ends.map(Moment::at),
    }
}

impl SettingsPage {
    /// What is wrong with a form; empty when nothing is.
    fn fault(&self, form: &str) -> &str {
        self.wrong.said().filter(|_| self.at == form).unwrap_or_default()
    }

    /// The field at fault in the gauge's form.
    fn wrong_field(&self) -> &str {
        self.wrong.field().filter(|_| self.at == "config").unwrap_or_default()
    }
}

/// What was done, by the word in the query.
const DONE: [(&str, &str); 11] = [
    ("renamed", "It has its new name."),
    ("unchanged", "It has this name already."),
    ("configured", "Its configuration is changed."),
    ("tagged", "Its tags are changed."),
    ("grouped", "Its groups are changed."),
    ("shared", "It is shared."),
    ("unshared", "It is shared with this user no longer."),
    ("given", "It has another owner."),
    ("revoked", "Revoked: whoever shows that is turned away from now on."),
    ("blocked", "It is blocked."),
    ("adopted", "It is let in."),
];
