//! A command for several devices at once, with the control that its value needs, and what became of it for each.

use std::time::Duration;

use askama::Template;
use axum::extract::State;

use super::controls::{self, ControlLine};
use super::moment::Moment;
use super::typed::{Typed, Wrong};
use super::{Frame, Page, Place, Sent, brief, refused, render, status};
use crate::core::{Caller, CommandFilter, DeviceFilter, Sight};
use crate::model::{CommandRecord, Device, DeviceId, DeviceState, FamilyName, Priority};
use crate::web::App;
use crate::web::api::calls::{self, Offline, Order, Outcome, To, Told, Whom};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Params;

#[derive(Template)]
#[template(path = "send.html")]
struct SendPage {
    frame: Frame,
    notes: Vec<String>,
    /// Families that have controls.
    families: Vec<String>,
    family: String,
    q: String,
    controls: Vec<ControlLine>,
    /// Profiles to choose from, where there are several.
    profiles: Vec<String>,
    lines: Vec<Line>,
    /// More devices fit than are shown.
    more: bool,
    fields: Fields,
    wrong: Wrong,
    ask: Option<Ask>,
    told: Option<Results>,
    history: Vec<Past>,
}

/// A device that may be chosen.
struct Line {
    device: Device,
    /// On a connection now, or heard of late where devices come and fetch.
    here: bool,
    word: &'static str,
    chosen: bool,
}

/// A question before something goes out.
struct Ask {
    what: String,
    whom: String,
    /// The form again.
    pairs: Vec<(String, String)>,
}

pub(super) struct Results {
    pub(super) what: String,
    pub(super) sum: String,
    pub(super) lines: Vec<ToldLine>,
    pub(super) more: usize,
    pub(super) sent: bool,
    pub(super) queued: bool,
}

pub(super) struct ToldLine {
    pub(super) told: Told,
    pub(super) tag: &'static str,
    pub(super) why: String,
}

pub(super) struct Past {
    pub(super) command: CommandRecord,
    pub(super) at: Moment,
    pub(super) by: String,
}

/// What the form says.
#[derive(Clone, Debug, Default)]
struct Fields {
    family: String,
    all: bool,
    /// Of all, those of one profile.
    profile: Option<String>,
    to: Vec<String>,
    wait: bool,
    expires_in_s: String,
    sure: bool,
    /// The device on whose page a button was pressed.
    of: String,
}

pub(crate) async fn form(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let to: Vec<String> = params.texts("to").map(str::to_owned).collect();
    let family = params.text("family").unwrap_or_default().to_owned();
    let fields = Fields { all: to.is_empty(), to, family, ..Fields::default() };
    let q = params.text("q").unwrap_or_default().to_owned();
    render(&page(&app, &caller, fields, q).await?)
}

pub(crate) async fn submit(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let fields = Fields::read(&typed);
    let mut page = page(&app, &caller, fields.clone(), typed.raw("q").to_owned()).await?;
    // The controls of a device's page are those of that device alone.
    let of = app
        .hub
        .device(&DeviceId::new(&fields.of))
        .filter(|device| device.names.family.as_str() == page.family);
    let of = of.and_then(|device| Some(app.family(&device.names.family)?.controls(Some(&device))));
    let pressable = of.map_or_else(|| page.controls.clone(), controls::lines);
    match fields.order(&typed, &pressable, &page.family, caller.by()) {
        Ok((order, true)) if !fields.sure => {
            page.ask = Some(Ask { what: what(&order), whom: fields.whom(), pairs: typed.into_pairs() });
            render(&page)
        }
        Ok((order, _)) => match calls::carry_out(&app, &app.hub.sight(&caller), &order).await {
            Ok(told) => {
                page.told = Some(results(&order, told));
                page.history =
                    history(&app, &app.hub.sight(&caller), Some(&FamilyName::new(&page.family))).await?;
                render(&page)
            }
            Err(error) => refused(&error, |wrong| SendPage { wrong, ..page }),
        },
        Err(error) => refused(&error, |wrong| SendPage { wrong, ..page }),
    }
}

impl Fields {
    fn read(typed: &Typed) -> Self {
        let text = |name: &str| typed.text(name).to_owned();
        let profile = typed.text("whom").strip_prefix("profile:").map(str::to_owned);
        Self {
            family: text("family"),
            all: profile.is_some() || typed.text("whom") == "all",
            profile,
            to: typed.all("to").map(str::to_owned).collect(),
            wait: typed.text("wait") == "yes",
            expires_in_s: text("expires_in_s"),
            sure: typed.text("sure") == "yes",
            of: text("of"),
        }
    }

    /// What is meant, and whether it is asked about first.
    fn order(
        &self,
        typed: &Typed,
        lines: &[ControlLine],
        family: &str,
        by: String,
    ) -> Result<(Order, bool), WebError> {
        let (control, payload) = controls::pressed(lines, typed)?;
        if !self.all && self.to.is_empty() {
            return Err(WebError::field("to", "choose devices, or all of them"));
        }
        let to = self.to.iter().cloned().map(Whom::Device);
        let order = Order {
            family: Some(FamilyName::new(family)),
            to: if self.all { To::One(Whom::Device("all".to_owned())) } else { To::Many(to.collect()) },
            profile: self.profile.clone(),
            cmd: control.name.clone(),
            payload,
            expires_in: wait(&self.expires_in_s)?,
            priority: Priority::default(),
            offline: Some(if self.wait { Offline::Queue } else { Offline::Skip }),
            by,
        };
        Ok((order, control.confirm))
    }

    fn whom(&self) -> String {
        match (self.all, self.to.len()) {
            (true, _) => match &self.profile {
                Some(profile) => format!("all devices of the profile {profile}"),
                None => "all devices".to_owned(),
            },
            (false, 1) => "one device".to_owned(),
            (false, count) => format!("{count} devices"),
        }
    }
}

async fn page(app: &App, caller: &Caller, fields: Fields, q: String) -> Result<SendPage, WebError> {
    let sight = app.hub.sight(caller);
    let with_controls =
        |name: &FamilyName| app.family(name).is_some_and(|family| !family.controls(None).is_empty());
    let families: Vec<FamilyName> = app.family_names().into_iter().filter(with_controls).collect();
    let asked = families.iter().find(|name| name.as_str() == fields.family);
    let family = asked.or_else(|| families.first()).cloned().unwrap_or_else(|| FamilyName::new("none"));
    let filter = DeviceFilter {
        q: Some(q.clone()).filter(|q| !q.is_empty()),
        family: Some(family.clone()),
        state: Some(DeviceState::Active),
        limit: SHOWN + 1,
        ..DeviceFilter::default()
    };
    let mut devices = app.hub.devices_seen(&sight, filter, None).await?;
    let more = u32::try_from(devices.len()).is_ok_and(|count| count > SHOWN);
    devices.truncate(SHOWN as usize);
    // What a link or the form named stays chosen, although the search hides it.
    for named in &fields.to {
        let hidden = app
            .hub
            .device(&DeviceId::new(named))
            .filter(|device| device.names.family == family && sight.sees(&device.names.id));
        let shown = |device: &Device| devices.iter().any(|known| known.names.id == device.names.id);
        if let Some(device) = hidden.filter(|device| !shown(device)) {
            devices.push(device);
        }
    }
    devices.sort_by_cached_key(|device| {
        (device.names.address.parse::<u64>().ok(), device.names.address.clone())
    });
    let line = |device: Device| {
        let reachable = app.family(&family).and_then(|family| family.reachable(&device));
        Line {
            here: reachable.unwrap_or_else(|| app.hub.online(&device)),
            word: if reachable.is_some() { "connected" } else { "online" },
            chosen: fields.to.iter().any(|to| to == device.names.id.as_str()),
            device,
        }
    };
    let controls = app.family(&family).map(|family| family.controls(None)).unwrap_or_default();
    let mut profiles: Vec<String> = controls.iter().flat_map(|control| control.profiles.clone()).collect();
    profiles.sort();
    profiles.dedup();
    profiles.truncate(if profiles.len() > 1 { PROFILES_SHOWN } else { 0 });
    Ok(SendPage {
        frame: Frame::of(app, caller, Place::Commands, "Send").await,
        notes: status::notes(app, &sight),
        families: families.iter().map(ToString::to_string).collect(),
        history: history(app, &sight, Some(&family)).await?,
        family: family.to_string(),
        q,
        controls: controls::lines(controls),
        profiles,
        lines: devices.into_iter().map(line).collect(),
        more,
        fields,
        wrong: Wrong::default(),
        ask: None,
        told: None,
    })
}

/// The last commands, of one family or of all, whoever gave them.
pub(super) async fn history(
    app: &App,
    sight: &Sight,
    family: Option<&FamilyName>,
) -> Result<Vec<Past>, WebError> {
    let filter =
        CommandFilter { least: Some(Priority::Normal), limit: LOOKED_THROUGH, ..CommandFilter::default() };
    let commands = app.hub.commands(filter).await?;
    let of_family = commands
        .into_iter()
        .filter(|command| family.is_none_or(|family| command.device.family == *family))
        .filter(|command| sight.sees(&command.device.id));
    let past = |command: CommandRecord| Past {
        at: Moment::at(command.created),
        by: command.transitions.first().map(|step| step.by.clone()).unwrap_or_default(),
        command,
    };
    Ok(of_family.take(HISTORY_SHOWN).map(past).collect())
}

/// How long a command waits at most; what is empty leaves it to the server.
pub(super) fn wait(seconds: &str) -> Result<Option<Duration>, WebError> {
    if seconds.is_empty() {
        return Ok(None);
    }
    let wrong = |_| WebError::field("expires_in_s", "the time to wait is a whole number of seconds");
    seconds.parse().map(|seconds| Some(Duration::from_secs(seconds))).map_err(wrong)
}

pub(super) fn what(order: &Order) -> String {
    format!("{} {}", order.cmd, order.payload)
}

pub(super) fn results(order: &Order, told: Vec<Told>) -> Results {
    let every = [Outcome::Sent, Outcome::Queued, Outcome::Offline, Outcome::Unknown, Outcome::Refused];
    let count = |outcome: Outcome| told.iter().filter(|told| told.result == outcome).count();
    let counts = every.into_iter().map(|outcome| (outcome, count(outcome))).filter(|(_, count)| *count > 0);
    let sum: Vec<String> = counts.map(|(outcome, count)| format!("{count} {}", outcome.as_str())).collect();
    let sum = if sum.is_empty() { "nobody is there to be told".to_owned() } else { sum.join(", ") };
    let more = told.len().saturating_sub(RESULTS_SHOWN);
    let (sent, queued) = (count(Outcome::Sent) > 0, count(Outcome::Queued) > 0);
    let line = |told: Told| ToldLine {
        tag: match told.result {
            Outcome::Sent => "ok",
            Outcome::Queued => "held",
            Outcome::Offline | Outcome::Unknown => "",
            Outcome::Refused => "failed",
        },
        why: match (&told.message, told.expires) {
            (Some(message), _) => message.clone(),
            (None, Some(expires)) => format!("it waits until {}", brief(expires)),
            (None, None) => String::new(),
        },
        told,
    };
    Results {
        what: what(order),
        sum,
        lines: told.into_iter().take(RESULTS_SHOWN).map(line).collect(),
        more,
        sent,
        queued,
    }
}

/// Devices to choose from; a search finds the others.
const SHOWN: u32 = 200;
const PROFILES_SHOWN: usize = 50;
const RESULTS_SHOWN: usize = 500;
const HISTORY_SHOWN: usize = 20;
/// Newest commands of any family that are looked through for them.
const LOOKED_THROUGH: u32 = 500;
