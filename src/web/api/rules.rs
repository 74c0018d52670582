//! Rules: what people want to be told of.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Answer, mail};
use crate::alert::{NO_MAIL, check_mail};
use crate::core::{Caller, Level, Sight, Watch, Webhook};
use crate::model::{Bounds, Check, DeviceId, FamilyName, Phase, Rule, Target, Timestamp};
use crate::web::App;
use crate::web::auth::By;
use crate::web::code::refused;
use crate::web::error::WebError;
use crate::web::params::{Body, Given, Listed, Name, Params, given};

/// A rule as it is written. What is left out stays as it is, or is the default of a new one.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleEdit {
    /// What people call it: 1 to 64 characters.
    pub(crate) name: Option<String>,
    /// The device it is for: its id, address or name. One of `device`, `tag`, `family` and `all`.
    pub(crate) device: Option<String>,
    /// The tag of the devices it is for.
    pub(crate) tag: Option<String>,
    /// The family of the devices it is for.
    pub(crate) family: Option<String>,
    /// `true`: it is for all devices.
    pub(crate) all: Option<bool>,
    /// Of `tag`, `family` and `all`: `true` is the caller's own devices, `false` the house's; of a new one the house's for
    /// whoever sees the house.
    pub(crate) mine: Option<bool>,
    /// A sensor's name, or one with `*` for any run of characters; `null` is every sensor, or the device as a whole.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub(crate) sensor: Given<String>,
    /// `bounds`, `no_data` or `offline`; of a new rule `bounds`. It stays as it is.
    pub(crate) kind: Option<String>,
    /// The lower bound, in the unit of the stored value; what equals it is inside.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    pub(crate) low: Given<f64>,
    /// The upper bound.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    pub(crate) high: Given<f64>,
    /// How far inside a value must be for it to be over; `null` is 2 % of the span, or of the only bound.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    pub(crate) hysteresis: Given<f64>,
    /// Of `no_data`: so many periods without a value (default 3).
    pub(crate) periods: Option<f64>,
    /// Of `no_data`: the period in seconds; `null` is the device's own rhythm.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    pub(crate) period_s: Given<u64>,
    /// How long it must be so before it fires.
    pub(crate) hold_s: Option<u64>,
    /// How long it must be over before it clears.
    pub(crate) clear_hold_s: Option<u64>,
    /// People are told again so often while it fires; `null` is never.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    pub(crate) remind_every_s: Given<u64>,
    /// Who is told: `webhook:ID` or `mail:ADDRESS`.
    pub(crate) channels: Option<Vec<String>>,
    /// Whether it is looked at.
    pub(crate) enabled: Option<bool>,
    /// Nobody is told before; `null` ends that.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Timestamp>)]
    pub(crate) mute_until: Given<Timestamp>,
}

/// A rule.
#[derive(Serialize, ToSchema)]
pub(crate) struct RuleShape {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    family: Option<FamilyName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all: Option<bool>,
    sensor: Option<String>,
    kind: &'static str,
    #[serde(flatten)]
    of_kind: OfKind,
    hold_s: u64,
    clear_hold_s: u64,
    remind_every_s: Option<u64>,
    channels: Vec<String>,
    enabled: bool,
    mute_until: Option<Timestamp>,
    by: String,
    changed: Timestamp,
    /// Where sensors stand that the rule ever found something wrong with; only of one rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    states: Option<Vec<StateShape>>,
}

/// What only rules of one kind have.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum OfKind {
    Bounds { low: Option<f64>, high: Option<f64>, hysteresis: Option<f64>, hysteresis_used: f64 },
    NoData { periods: f64, period_s: Option<u64> },
    Offline {},
}

/// Where one sensor of one device stands.
#[derive(Serialize, ToSchema)]
struct StateShape {
    device: DeviceId,
    sensor: Option<String>,
    /// `normal`, `pending`, `firing` or `clearing`.
    state: &'static str,
    since: Option<Timestamp>,
    alert: Option<String>,
}

/// Rules for devices that the caller sees.
#[utoipa::path(get, path = "/api/v1/rules",
    params(("device" = Option<String>, Query, description = "those that are for this device alone")),
    responses((status = 200, body = Listed<RuleShape>), refused::NotFound, refused::Conflict))]
pub(crate) async fn list(
    State(app): State<App>,
    By(caller): By,
    params: Params,
) -> Answer<Listed<RuleShape>> {
    let sight = app.hub.sight(&caller);
    let device = params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose()?;
    let mut rules = all(&app, &sight).await?;
    rules.retain(|rule| {
        device.as_ref().is_none_or(|device| rule.target == Target::Device(device.names.id.clone()))
    });
    Ok(Json(Listed::whole(rules.into_iter().map(RuleShape::from).collect())))
}

/// Every rule that a caller sees.
pub(crate) async fn all(app: &App, sight: &Sight) -> Result<Vec<Rule>, WebError> {
    let mut rules = app.hub.rules().await?;
    rules.retain(|rule| level(sight, rule) >= Level::View);
    Ok(rules)
}

/// One rule, with where each sensor stands.
#[utoipa::path(get, path = "/api/v1/rules/{id}", responses((status = 200, body = RuleShape)))]
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Answer<RuleShape> {
    let rule = known(&app, &caller, &id, Level::View).await?;
    let sight = app.hub.sight(&caller);
    let mut states = Vec::new();
    app.hub
        .kept_each(|watch: Watch| {
            if watch.rule == id && sight.sees(&watch.device) {
                states.push(StateShape::from(watch));
            }
        })
        .await?;
    Ok(Json(RuleShape { states: Some(states), ..rule.into() }))
}

/// Makes a rule.
#[utoipa::path(post, path = "/api/v1/rules", request_body = RuleEdit,
    responses((status = 201, body = RuleShape), refused::Conflict, refused::NotFound, refused::HouseOnly))]
pub(crate) async fn create(
    State(app): State<App>,
    By(caller): By,
    Body(edit): Body<RuleEdit>,
) -> Result<(StatusCode, Json<RuleShape>), WebError> {
    let rule = draft(&app, &caller, edit).await?;
    Ok((StatusCode::CREATED, Json(app.hub.rule_keep(rule).await?.into())))
}

/// The rule that an edit would make.
pub(crate) async fn draft(app: &App, caller: &Caller, edit: RuleEdit) -> Result<Rule, WebError> {
    let check = match edit.kind.as_deref().unwrap_or("bounds") {
        "bounds" => Check::Bounds(Bounds::default()),
        "no_data" => Check::NoData { periods: PERIODS, period_s: None },
        "offline" => Check::Offline,
        _ => return Err(WebError::field("kind", "kind is one of bounds, no_data, offline")),
    };
    let Some(target) = edit.target(app, caller)? else {
        return Err(WebError::field("device", "give one of device, tag, family and all"));
    };
    let sight = app.hub.sight(caller);
    let fresh = Rule {
        id: Rule::fresh_id(),
        name: check.kind().to_owned(),
        target,
        sensor: None,
        check,
        hold_s: 0,
        clear_hold_s: 0,
        remind_every_s: None,
        channels: Vec::new(),
        enabled: true,
        mute_until: None,
        owner: (!sight.house()).then(|| sight.user().clone()),
        by: caller.by(),
        changed: app.hub.now(),
    };
    edit.over(app, caller, fresh).await
}

/// Changes a rule; its bounds are held against the newest values at once.
#[utoipa::path(patch, path = "/api/v1/rules/{id}", request_body = RuleEdit,
    responses((status = 200, body = RuleShape), refused::Conflict, refused::HouseOnly))]
pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Body(edit): Body<RuleEdit>,
) -> Answer<RuleShape> {
    let rule = changed(&app, &caller, &id, edit).await?;
    Ok(Json(app.hub.rule_keep(rule).await?.into()))
}

/// What an edit would make of a rule.
pub(crate) async fn changed(app: &App, caller: &Caller, id: &str, edit: RuleEdit) -> Result<Rule, WebError> {
    let before = known(app, caller, id, Level::Edit).await?;
    if edit.kind.as_deref().is_some_and(|kind| kind != before.check.kind()) {
        return Err(WebError::field("kind", "a rule keeps its kind: make another rule"));
    }
    edit.over(app, caller, before).await
}

/// Removes a rule and ends its alerts.
#[utoipa::path(delete, path = "/api/v1/rules/{id}", responses((status = 204)))]
pub(crate) async fn remove(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
) -> Result<StatusCode, WebError> {
    let rule = known(&app, &caller, &id, Level::Edit).await?;
    app.hub.rule_remove(&rule.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a caller may do with a rule: with one for a device as with the device.
pub(crate) fn level(sight: &Sight, rule: &Rule) -> Level {
    match (&rule.target, &rule.owner) {
        (Target::Device(device), _) => sight.level(device),
        (Target::Tag(_) | Target::Family(_) | Target::All, None) if sight.house() => Level::Own,
        (Target::Tag(_) | Target::Family(_) | Target::All, Some(owner))
            if sight.whole() || owner == sight.user() =>
        {
            Level::Own
        }
        (Target::Tag(_) | Target::Family(_) | Target::All, _) => Level::Nothing,
    }
}

pub(crate) async fn known(app: &App, caller: &Caller, id: &str, need: Level) -> Result<Rule, WebError> {
    let rule = app.hub.kept::<Rule>(id).await?.ok_or(WebError::NotFound("rule"))?;
    match level(&app.hub.sight(caller), &rule) {
        Level::Nothing => Err(WebError::NotFound("rule")),
        level if level < need => Err(WebError::Level(need)),
        Level::View | Level::Edit | Level::Own => Ok(rule),
    }
}

impl RuleEdit {
    /// The devices it names, if it does.
    fn target(&self, app: &App, caller: &Caller) -> Result<Option<Target>, WebError> {
        let named =
            [self.device.is_some(), self.tag.is_some(), self.family.is_some(), self.all == Some(true)];
        if named.into_iter().filter(|named| *named).count() > 1 {
            return Err(WebError::field("device", "give only one of device, tag, family and all"));
        }
        if let Some(text) = &self.device {
            let device = app.hub.find_seen(&app.hub.sight(caller), text)?;
            super::may(app, caller, &device.names.id, Level::Edit, "device")?;
            return Ok(Some(Target::Device(device.names.id)));
        }
        if let Some(tag) = &self.tag {
            let words = tag.trim();
            if words.is_empty() || words.chars().count() > 64 || words.chars().any(char::is_control) {
                return Err(WebError::field("tag", "a tag has 1 to 64 characters, none a control character"));
            }
            return Ok(Some(Target::Tag(words.to_owned())));
        }
        if let Some(family) = &self.family {
            let family = FamilyName::new(family);
            if app.family(&family).is_none() {
                return Err(WebError::field("family", format!("no family {family} is spoken here")));
            }
            return Ok(Some(Target::Family(family)));
        }
        Ok((self.all == Some(true)).then_some(Target::All))
    }

    async fn over(self, app: &App, caller: &Caller, mut rule: Rule) -> Result<Rule, WebError> {
        if let Some(target) = self.target(app, caller)? {
            rule.target = target;
        }
        if let Some(mine) = self.mine {
            let sight = app.hub.sight(caller);
            if !mine && !sight.house() {
                return Err(WebError::House);
            }
            rule.owner = mine.then(|| sight.user().clone());
        }
        if let Some(channels) = &self.channels {
            check_channels(app, caller, channels).await?;
            rule.channels.clone_from(channels);
        }
        let not_of = |field: &str, kind: &str| {
            Err(WebError::field(field, format!("only of rules of the kind {kind}")))
        };
        match &mut rule.check {
            Check::Bounds(bounds) => {
                bounds.low = self.low.unwrap_or(bounds.low);
                bounds.high = self.high.unwrap_or(bounds.high);
                bounds.hysteresis = self.hysteresis.unwrap_or(bounds.hysteresis);
            }
            Check::NoData { .. } | Check::Offline
                if self.low.flatten().is_some() || self.high.flatten().is_some() =>
            {
                return not_of("low", "bounds");
            }
            Check::NoData { periods, period_s } => {
                *periods = self.periods.unwrap_or(*periods);
                *period_s = self.period_s.unwrap_or(*period_s);
            }
            Check::Offline => {}
        }
        rule.name = self.name.map_or(rule.name, |name| name.trim().to_owned());
        rule.sensor = self.sensor.unwrap_or(rule.sensor);
        if rule.check == Check::Offline && rule.sensor.is_some() {
            return Err(WebError::field("sensor", "a device is offline as a whole: leave sensor out"));
        }
        rule.hold_s = self.hold_s.unwrap_or(rule.hold_s);
        rule.clear_hold_s = self.clear_hold_s.unwrap_or(rule.clear_hold_s);
        rule.remind_every_s = self.remind_every_s.unwrap_or(rule.remind_every_s);
        rule.enabled = self.enabled.unwrap_or(rule.enabled);
        rule.mute_until = self.mute_until.unwrap_or(rule.mute_until);
        Ok(rule)
    }
}

/// Whether a caller may have these told: receivers are the house's.
async fn check_channels(app: &App, caller: &Caller, channels: &[String]) -> Result<(), WebError> {
    if !channels.is_empty() && !app.hub.sight(caller).house() {
        return Err(WebError::House);
    }
    for channel in channels {
        match channel.split_once(':') {
            Some(("webhook", id)) => {
                if app.hub.kept::<Webhook>(id).await?.is_none() {
                    return Err(WebError::field("channels", format!("there is no webhook {id}")));
                }
            }
            Some(("mail", address)) => {
                check_mail(address).map_err(|message| WebError::field("channels", message))?;
                if !mail::is_set(app).await? {
                    return Err(WebError::field("channels", NO_MAIL));
                }
            }
            Some(_) | None => {
                return Err(WebError::field("channels", "a channel is webhook:ID or mail:ADDRESS"));
            }
        }
    }
    Ok(())
}

impl From<Rule> for RuleShape {
    fn from(rule: Rule) -> Self {
        let kind = rule.check.kind();
        let of_kind = match rule.check {
            Check::Bounds(bounds) => OfKind::Bounds {
                low: bounds.low,
                high: bounds.high,
                hysteresis: bounds.hysteresis,
                hysteresis_used: bounds.slack(),
            },
            Check::NoData { periods, period_s } => OfKind::NoData { periods, period_s },
            Check::Offline => OfKind::Offline {},
        };
        let (mut device, mut tag, mut family, mut all) = (None, None, None, None);
        match rule.target {
            Target::Device(id) => device = Some(id),
            Target::Tag(name) => tag = Some(name),
            Target::Family(name) => family = Some(name),
            Target::All => all = Some(true),
        }
        Self {
            id: rule.id,
            name: rule.name,
            device,
            tag,
            family,
            all,
            sensor: rule.sensor,
            kind,
            of_kind,
            hold_s: rule.hold_s,
            clear_hold_s: rule.clear_hold_s,
            remind_every_s: rule.remind_every_s,
            channels: rule.channels,
            enabled: rule.enabled,
            mute_until: rule.mute_until,
            by: rule.by,
            changed: rule.changed,
            states: None,
        }
    }
}

impl From<Watch> for StateShape {
    fn from(watch: Watch) -> Self {
        let (state, since) = match watch.alarm.phase() {
            Phase::Normal => ("normal", None),
            Phase::Pending(trip) => ("pending", Some(trip.at)),
            Phase::Firing(trip) => ("firing", Some(trip.at)),
            Phase::Clearing { since, .. } => ("clearing", Some(*since)),
        };
        let sensor = Some(watch.sensor).filter(|sensor| !sensor.is_empty());
        Self { device: watch.device, sensor, state, since, alert: watch.alert }
    }
}

/// Periods without a value, when a rule does not say.
const PERIODS: f64 = 3.0;
