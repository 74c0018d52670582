//! The form of a rule: what it offers, what was typed, and what that would be for.

use askama::Template;

use super::{Choice, Frame, Place, Typed, Wrong, spans};
use crate::core::{Caller, Level, Sight};
use crate::model::{Check, Device, DeviceState, Rule, Target, UserId, Value};
use crate::web::App;
use crate::web::api::rule_preview::PreviewShape;
use crate::web::api::rules::RuleEdit;
use crate::web::api::{mail, rules};
use crate::web::error::WebError;
use crate::web::page::moment::Moment;

#[derive(Template)]
#[template(path = "rule.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the template asks")]
pub(super) struct FormPage {
    pub(super) frame: Frame,
    pub(super) wrong: Wrong,
    /// The rule's id and name; `None` of a new one.
    rule: Option<(String, String)>,
    /// Where the form goes.
    action: String,
    /// Whether the caller may change it.
    mine: bool,
    typed: Typed,
    kind: String,
    devices: Vec<Choice>,
    /// There are more devices than the list has.
    more: bool,
    families: Vec<Choice>,
    tags: Vec<Choice>,
    /// The house's, and one's own.
    alls: Vec<Choice>,
    /// Sensors to choose from.
    sensors: Vec<(String, String)>,
    holds: Vec<Choice>,
    clear_holds: Vec<Choice>,
    reminders: Vec<Choice>,
    periods: Vec<Choice>,
    hooks: Vec<Choice>,
    addresses: String,
    /// Whether mail can be sent.
    mail: bool,
    enabled: bool,
    muted: Option<Moment>,
    /// Whether what is hidden at first says something.
    finer: bool,
    pub(super) preview: Option<Preview>,
}

/// What a rule would be for.
pub(super) struct Preview {
    devices: usize,
    looked_at: usize,
    sensors: usize,
    outside: usize,
    lines: Vec<PreviewLine>,
}

struct PreviewLine {
    device_id: String,
    device: String,
    sensor: Option<String>,
    value: String,
    shown: Option<String>,
    at: Option<Moment>,
    outside: bool,
}

/// A form's fields as an edit of a rule.
pub(super) trait Fields {
    fn fields_rule(&self) -> Result<RuleEdit, WebError>;
}

impl FormPage {
    pub(super) async fn of(
        app: &App,
        caller: &Caller,
        rule: Option<&Rule>,
        typed: Typed,
    ) -> Result<Self, WebError> {
        let sight = app.hub.sight(caller);
        let title = rule.map_or("New rule", |rule| rule.name.as_str());
        let mine = rule.is_none_or(|rule| rules::level(&sight, rule) >= Level::Edit);
        let mut devices = app.devices_by_name(&sight);
        devices.retain(|device| device.state == DeviceState::Active);
        let whom = typed.text("whom");
        // A link from a device's page names the device alone.
        let whom = if whom.is_empty() {
            typed.some("device").map(|id| format!("device:{id}"))
        } else {
            Some(whom.to_owned())
        };
        let whom = whom.unwrap_or_default();
        let chosen = devices.iter().find(|device| whom == format!("device:{}", device.names.id)).cloned();
        let more = devices.len() > LISTED_MAX;
        let sensors = sensors(app, &sight, chosen.as_ref(), &devices).await?;
        let device = |device: &Device| {
            let value = format!("device:{}", device.names.id);
            Choice::new(value.clone(), device.names.name.clone(), value == whom)
        };
        let mut choices: Vec<_> = devices.iter().take(LISTED_MAX).map(device).collect();
        let beyond = !choices.iter().any(|one| one.chosen);
        choices.extend(chosen.iter().filter(|_| beyond).map(device));
        let kind = if typed.text("kind").is_empty() { "bounds" } else { typed.text("kind") };
        let house = sight.house();
        let hooks = if house { app.hub.webhooks().await? } else { Vec::new() };
        let hook = |hook: crate::core::Webhook| {
            let chosen = typed.all("hook").any(|id| id == hook.id);
            Choice::new(hook.id, hook.name, chosen)
        };
        let chosen_span = |name: &str| typed.whole(name).ok().flatten();
        let fine = ["hysteresis", "clear_hold_s", "remind_every_s"];
        Ok(Self {
            frame: Frame::of(app, caller, Place::Alerts, title).await,
            wrong: Wrong::default(),
            rule: rule.map(|rule| (rule.id.clone(), rule.name.clone())),
            action: rule.map_or_else(|| "/rules/new".to_owned(), |rule| format!("/rules/{}", rule.id)),
            mine: mine && caller.role >= crate::model::Role::Operator,
            kind: kind.to_owned(),
            more,
            families: named(
                "family",
                &whom,
                app.family_names().iter().map(ToString::to_string),
                &devices,
                |device, name| device.names.family.as_str() == name,
            ),
            tags: tags(app, &whom, &devices),
            alls: alls(app, &sight, &whom, &devices),
            devices: choices,
            sensors,
            holds: spans("at once", &HOLDS_S, chosen_span("hold_s")),
            clear_holds: spans("at once", &HOLDS_S, chosen_span("clear_hold_s")),
            reminders: spans("never", &REMINDERS_S, chosen_span("remind_every_s")),
            periods: spans("its usual interval, as learned", &PERIODS_S, chosen_span("period_s")),
            hooks: hooks.into_iter().map(hook).collect(),
            addresses: typed.all("mail").collect::<Vec<_>>().join(", "),
            mail: house && mail::is_set(app).await?,
            enabled: typed.is_empty() || typed.has("enabled") || !typed.has("whom"),
            muted: rule
                .and_then(|rule| rule.mute_until)
                .filter(|until| app.hub.now() < *until)
                .map(Moment::at),
            finer: fine.iter().any(|name| !typed.text(name).is_empty()),
            preview: None,
            typed,
        })
    }

    /// The same, with what is wrong with it.
    pub(super) fn with(self, wrong: Wrong) -> Self {
        Self { wrong, ..self }
    }
}

impl Fields for Typed {
    fn fields_rule(&self) -> Result<RuleEdit, WebError> {
        let kind = self.some("kind").unwrap_or_else(|| "bounds".to_owned());
        let mut edit = RuleEdit {
            name: Some(self.some("name").unwrap_or_else(|| name_of(self, &kind))),
            sensor: Some(self.some("sensor").filter(|_| kind != "offline")),
            hold_s: Some(self.whole("hold_s")?.unwrap_or_default()),
            clear_hold_s: Some(self.whole("clear_hold_s")?.unwrap_or_default()),
            remind_every_s: Some(self.whole("remind_every_s")?),
            ..RuleEdit::default()
        };
        match kind.as_str() {
            "bounds" => {
                edit.low = Some(self.number("low")?);
                edit.high = Some(self.number("high")?);
                edit.hysteresis = Some(self.number("hysteresis")?);
            }
            "no_data" => {
                edit.periods = self.number("periods")?;
                edit.period_s = Some(self.whole("period_s")?);
                // How long a silence may last is said by the periods.
                edit.hold_s = Some(0);
            }
            _ => {}
        }
        edit.kind = Some(kind);
        match self.some("which").map_or_else(|| self.text("whom").to_owned(), |text| format!("device:{text}"))
        {
            text if text.is_empty() => return Err(WebError::field("whom", "choose what the rule is for")),
            text => match text.split_once(':') {
                Some(("device", id)) => edit.device = Some(id.to_owned()),
                Some(("family", name)) => edit.family = Some(name.to_owned()),
                Some(("tag", name)) => edit.tag = Some(name.to_owned()),
                Some(_) => return Err(WebError::field("whom", "choose what the rule is for")),
                None => {
                    edit.all = Some(true);
                    // `theirs` leaves whose it is.
                    edit.mine = [("mine", true), ("all", false)]
                        .into_iter()
                        .find_map(|(word, mine)| (text == word).then_some(mine));
                }
            },
        }
        let hooks = self.all("hook").map(|id| format!("webhook:{id}"));
        let letters = self.all("mail").flat_map(|text| text.split([',', ';', ' ', '\n', '\r']));
        let letters = letters.map(str::trim).filter(|address| !address.is_empty());
        let channels: Vec<_> = hooks.chain(letters.map(|address| format!("mail:{address}"))).collect();
        if self.has("channels") {
            edit.channels = Some(channels);
        }
        edit.enabled = Some(self.has("enabled"));
        edit.mute_until = if self.has("unmute") { Some(None) } else { None };
        Ok(edit)
    }
}

/// What a rule is called that nobody gave a name.
fn name_of(typed: &Typed, kind: &str) -> String {
    let sensor = typed.some("sensor").unwrap_or_else(|| "value".to_owned());
    let name = match (kind, typed.text("low"), typed.text("high")) {
        ("no_data", ..) => "no data".to_owned(),
        ("offline", ..) => "offline".to_owned(),
        (_, "", high) => format!("{sensor} above {high}"),
        (_, low, "") => format!("{sensor} below {low}"),
        (_, low, high) => format!("{sensor} outside {low} to {high}"),
    };
    name.chars().take(64).collect()
}

/// A rule keeps its kind: the form says it, and the edit leaves it out.
pub(super) fn without_kind(edit: RuleEdit) -> RuleEdit {
    RuleEdit { kind: None, ..edit }
}

/// A rule as its form says it.
pub(super) fn fields_of(rule: &Rule, user: &UserId) -> Typed {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut put = |name: &str, text: String| pairs.push((name.to_owned(), text));
    put("name", rule.name.clone());
    put("kind", rule.check.kind().to_owned());
    put(
        "whom",
        match &rule.target {
            Target::Device(id) => format!("device:{id}"),
            Target::Tag(tag) => format!("tag:{tag}"),
            Target::Family(family) => format!("family:{family}"),
            Target::All => match &rule.owner {
                None => "all",
                Some(owner) if owner == user => "mine",
                Some(_) => "theirs",
            }
            .to_owned(),
        },
    );
    put("sensor", rule.sensor.clone().unwrap_or_default());
    let some = |number: Option<f64>| number.map(|number| number.to_string()).unwrap_or_default();
    let seconds = |seconds: u64| if seconds == 0 { String::new() } else { seconds.to_string() };
    match &rule.check {
        Check::Bounds(bounds) => {
            put("low", some(bounds.low));
            put("high", some(bounds.high));
            put("hysteresis", some(bounds.hysteresis));
        }
        Check::NoData { periods, period_s } => {
            put("periods", periods.to_string());
            put("period_s", period_s.map(|period| period.to_string()).unwrap_or_default());
        }
        Check::Offline => {}
    }
    put("hold_s", seconds(rule.hold_s));
    put("clear_hold_s", seconds(rule.clear_hold_s));
    put("remind_every_s", rule.remind_every_s.map(seconds).unwrap_or_default());
    for channel in &rule.channels {
        match channel.split_once(':') {
            Some(("webhook", id)) => put("hook", id.to_owned()),
            Some(("mail", address)) => put("mail", address.to_owned()),
            Some(_) | None => {}
        }
    }
    if rule.enabled {
        put("enabled", "1".to_owned());
    }
    Typed::new(pairs)
}

/// What a rule would be for, as a person reads it.
pub(super) fn told(found: PreviewShape) -> Preview {
    let lines = found.items.into_iter().take(LINES_MAX).map(|line| PreviewLine {
        device_id: line.device.id.to_string(),
        device: line.device.name,
        sensor: line.sensor,
        value: line.value.map(|value| plain(&value)).unwrap_or_default(),
        shown: line.shown,
        at: line.at.map(Moment::ago),
        outside: line.outside,
    });
    Preview {
        lines: lines.collect(),
        devices: found.devices,
        looked_at: found.looked_at,
        sensors: found.sensors,
        outside: found.outside,
    }
}

fn plain(value: &Value) -> String {
    value.plain().unwrap_or_else(|| "no value".to_owned())
}

/// Names that some device has, and the chosen one.
fn named(
    kind: &str,
    whom: &str,
    names: impl Iterator<Item = String>,
    devices: &[Device],
    has: impl Fn(&Device, &str) -> bool,
) -> Vec<Choice> {
    let one = |name: String| {
        let value = format!("{kind}:{name}");
        let count = devices.iter().filter(|device| has(device, &name)).count();
        let chosen = value == whom;
        let text =
            if count == 1 { format!("{name} (1 device)") } else { format!("{name} ({count} devices)") };
        (count > 0 || chosen).then(|| Choice::new(value, text, chosen))
    };
    names.filter_map(one).collect()
}

/// All of the house's devices, and all of one's own.
fn alls(app: &App, sight: &Sight, whom: &str, devices: &[Device]) -> Vec<Choice> {
    let owner = |device: &Device| app.hub.owner(&device.names.id);
    let count = |mine: bool| {
        let fits = |device: &&Device| match owner(device) {
            Some(owner) => mine && owner.id == *sight.user(),
            None => !mine,
        };
        devices.iter().filter(fits).count()
    };
    let house = Choice::new("all", format!("All devices of the house ({})", count(false)), whom == "all");
    let mine = Choice::new("mine", format!("All devices of mine ({})", count(true)), whom == "mine");
    // Whoever does not see the house has a rule for all that is for the own.
    let theirs = Choice::new("theirs", "All devices of the rule's owner", true);
    let mut all = if sight.house() { vec![house, mine] } else { vec![mine] };
    all.extend((whom == "theirs").then_some(theirs));
    all
}

fn tags(app: &App, whom: &str, devices: &[Device]) -> Vec<Choice> {
    let mut names: Vec<String> =
        devices.iter().flat_map(|device| app.hub.tags(&device.names.id).to_vec()).collect();
    names.extend(whom.strip_prefix("tag:").map(str::to_owned));
    names.sort_unstable();
    names.dedup();
    named("tag", whom, names.into_iter(), devices, |device, name| app.hub.has_tag(&device.names.id, name))
}

/// The sensors of the chosen device, or of the first few: the name, and what people call it.
async fn sensors(
    app: &App,
    sight: &Sight,
    chosen: Option<&Device>,
    devices: &[Device],
) -> Result<Vec<(String, String)>, WebError> {
    let among = chosen.map_or_else(|| devices.iter().take(SENSORS_OF).collect(), |one| vec![one]);
    let mut found = std::collections::BTreeMap::new();
    for device in among.into_iter().filter(|device| sight.sees(&device.names.id)) {
        let meanings = app.meanings(&device.names);
        for datum in app.hub.latest(&device.names.id).await? {
            let said = meanings.explain(&datum.sensor, &datum.value);
            let value = said.as_ref().map_or_else(|| plain(&datum.value), |said| said.shown.clone());
            let unit = said.as_ref().and_then(|said| said.unit.clone()).map(|unit| format!(" {unit}"));
            let label = said.map(|said| said.label).filter(|label| *label != *datum.sensor);
            let label = label.map(|label| format!("{label}, ")).unwrap_or_default();
            let about = format!("{label}{value}{}", unit.unwrap_or_default());
            found.entry(datum.sensor.to_string()).or_insert(about);
        }
    }
    Ok(found.into_iter().take(SENSORS_MAX).collect())
}

/// Devices that the list offers; others are typed.
const LISTED_MAX: usize = 500;
/// Lines of a preview.
const LINES_MAX: usize = 25;
/// Devices whose sensors are offered when none is chosen.
const SENSORS_OF: usize = 20;
const SENSORS_MAX: usize = 300;
const HOLDS_S: [u64; 6] = [10, 60, 300, 900, 1800, 3600];
const REMINDERS_S: [u64; 5] = [900, 3600, 14_400, 43_200, 86_400];
const PERIODS_S: [u64; 6] = [10, 60, 300, 900, 3600, 86_400];
