//! Alerts: what fires now, what fired before with each of its changes, and what people do about it.

use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};
use serde::Deserialize;

use super::moment::Moment;
use super::typed::{Choice, Wrong, lasted};
use super::{Frame, Page, Place, Sent, login, render};
use crate::core::{AlertFilter, Level, Sight};
use crate::http::query::escape;
use crate::model::{Alert, AlertState, EventState, Side, Value};
use crate::web::App;
use crate::web::api::{alerts, rules};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

#[derive(Template)]
#[template(path = "alerts.html")]
struct AlertsPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    firing: Vec<AlertLine>,
    /// Alerts that fire and are not shown.
    beyond: usize,
    past: Vec<AlertLine>,
    /// The address of what is older.
    older: Option<String>,
    /// Whether this is a page of older ones.
    later: bool,
    rules: Vec<Choice>,
    /// Whether there is any rule.
    ruled: bool,
    /// The device's name that was asked for.
    device: String,
    filtered: bool,
}

/// One alert, as a person reads it.
pub(super) struct AlertLine {
    pub(super) id: String,
    pub(super) rule: String,
    pub(super) rule_name: String,
    pub(super) device_id: String,
    pub(super) device_name: String,
    /// What people call the sensor.
    pub(super) sensor: Option<String>,
    /// `above 250`.
    pub(super) what: String,
    /// The value that was outside, as people read it.
    pub(super) value: Option<String>,
    /// The same as it is stored, where that is another.
    pub(super) stored: Option<String>,
    pub(super) fired: Moment,
    pub(super) resolved: Option<Moment>,
    pub(super) lasted: Option<String>,
    pub(super) acknowledged_by: Option<String>,
    /// Until when nobody is told.
    pub(super) muted: Option<Moment>,
    /// Whether the caller may do something about it.
    pub(super) mine: bool,
    pub(super) events: Vec<EventLine>,
}

/// One change of it.
pub(super) struct EventLine {
    pub(super) at: Moment,
    pub(super) word: &'static str,
    pub(super) tag: &'static str,
    pub(super) value: String,
    pub(super) note: String,
}

/// How long nobody is to be told, and where to go then.
#[derive(Deserialize)]
pub(crate) struct Quiet {
    #[serde(default)]
    for_s: String,
    #[serde(default)]
    back: String,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let params = params.filled();
    let sight = app.hub.sight(&caller);
    let mut wrong = Wrong::default();
    let device = match params.text("device").map(|text| app.hub.find_seen(&sight, text)).transpose() {
        Ok(device) => device,
        Err(error) => {
            wrong = Wrong::of(&WebError::from(error).shown());
            None
        }
    };
    let of = device.as_ref().map(|device| device.names.id.clone());
    let rule = params.text("rule").map(str::to_owned);
    let known = rules::all(&app, &sight).await?;
    let seen = |id: &crate::model::DeviceId| sight.sees(id) && of.as_ref().is_none_or(|of| of == id);
    let (mut now, beyond) = app.hub.firing_alerts(seen, FIRING_MAX).await?;
    now.retain(|alert| rule.as_ref().is_none_or(|rule| alert.rule == *rule));
    let before = params.cursor()?;
    let later = before.is_some();
    let filter = AlertFilter {
        device: of.clone(),
        state: Some(AlertState::Resolved),
        rule: rule.clone(),
        before,
        limit: PAST_MAX + 1,
    };
    let past = app.hub.alerts(filter, |id| sight.sees(id)).await?;
    let (past, next) =
        Listed::page(past, PAST_MAX, |(at, alert)| (*at, alert.id.clone()), |(_, alert)| alert).into_parts();
    let query = |name: &str, text: Option<&str>| {
        text.map(|text| format!("{name}={}&", escape(text))).unwrap_or_default()
    };
    let kept = query("device", params.text("device")) + &query("rule", rule.as_deref());
    let page = AlertsPage {
        frame: Frame::of(&app, &caller, Place::Alerts, "Alerts").await,
        done: params.text("done").and_then(done),
        wrong,
        firing: if later { Vec::new() } else { lines(&app, &sight, now).await? },
        beyond: if later { 0 } else { beyond },
        past: lines(&app, &sight, past).await?,
        older: next.map(|next| format!("/alerts?{kept}cursor={next}")),
        later,
        ruled: !known.is_empty(),
        rules: known
            .into_iter()
            .map(|known| {
                let chosen = rule.as_ref() == Some(&known.id);
                Choice::new(known.id, known.name, chosen)
            })
            .collect(),
        device: params.text("device").unwrap_or_default().to_owned(),
        filtered: params.text("device").is_some() || rule.is_some(),
    };
    render(&page)
}

pub(crate) async fn acknowledge(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(sent): Sent<Quiet>,
) -> Page {
    let alert = alerts::known(&app, &caller, &id, Level::Edit).await?;
    app.hub.alert_acknowledge(&alert, &caller.by()).await?;
    Ok(back(&sent.back, "acknowledged"))
}

pub(crate) async fn mute(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(sent): Sent<Quiet>,
) -> Page {
    let alert = alerts::known(&app, &caller, &id, Level::Edit).await?;
    let seconds = match sent.for_s.trim() {
        "" => None,
        text => {
            let seconds = text.parse::<u64>().ok().filter(|seconds| *seconds <= QUIET_MAX_S);
            Some(seconds.ok_or_else(|| WebError::field("for_s", "a number of seconds, a year at most"))?)
        }
    };
    let until = seconds.map(|seconds| app.hub.now().plus(Duration::from_secs(seconds)));
    app.hub.alert_mute(&alert, until, &caller.by()).await?;
    Ok(back(&sent.back, if until.is_some() { "muted" } else { "unmuted" }))
}

fn back(path: &str, done: &str) -> axum::response::Response {
    let path = if path.is_empty() { "/alerts" } else { login::local(path) };
    let joint = if path.contains('?') { '&' } else { '?' };
    Redirect::to(&format!("{path}{joint}done={done}")).into_response()
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "acknowledged" => "Acknowledged: nobody is reminded of it any more.",
        "muted" => "Muted: nobody is told of it until then.",
        "unmuted" => "No longer muted.",
        _ => return None,
    })
}

/// Alerts as people read them.
pub(super) async fn lines(app: &App, sight: &Sight, alerts: Vec<Alert>) -> Result<Vec<AlertLine>, WebError> {
    let mut lines = Vec::with_capacity(alerts.len());
    for alert in alerts {
        lines.push(line(app, sight, alert).await?);
    }
    Ok(lines)
}

async fn line(app: &App, sight: &Sight, alert: Alert) -> Result<AlertLine, WebError> {
    let note = app.hub.alert_note(&alert).await?;
    let now = app.hub.now();
    // The device may have another name by now.
    let device = app.hub.device(&alert.device.id).map_or_else(|| alert.device.clone(), |known| known.names);
    let meant = |value: Option<f64>| {
        let sensor = alert.sensor.as_deref()?;
        app.meanings(&device).explain(sensor, &Value::Real(value?))
    };
    let read = |value: Option<f64>| {
        let plain = value.map(|value| value.to_string());
        match meant(value) {
            Some(meaning) => Some(match meaning.unit {
                Some(unit) => format!("{} {unit}", meaning.shown),
                None => meaning.shown,
            }),
            None => plain,
        }
    };
    let value = read(alert.value);
    let stored = alert.value.map(|value| value.to_string());
    let scaled = alert.sensor.as_deref().is_some_and(|sensor| {
        let (factor, offset) = app.meanings(&device).scaling(sensor);
        (factor - 1.0).abs() > f64::EPSILON || offset.abs() > f64::EPSILON
    });
    let mut events = alert.events.clone();
    events.extend(note.events);
    events.sort_by_key(|event| event.at);
    let events = events
        .into_iter()
        .map(|event| EventLine {
            at: Moment::at(event.at),
            word: event_word(event.state),
            tag: event_tag(event.state),
            value: read(event.value).unwrap_or_default(),
            note: event.note.unwrap_or_default(),
        })
        .collect();
    let length = |end: crate::model::Timestamp| end.micros().saturating_sub(alert.since.micros());
    let lasting = alert.resolved.map(|end| u64::try_from(length(end) / 1_000_000).unwrap_or_default());
    Ok(AlertLine {
        what: what(&alert, read(alert.bound).as_deref()),
        value,
        stored: stored.filter(|_| scaled),
        sensor: alert.sensor.clone().map(|sensor| meant(Some(0.0)).map_or(sensor, |meaning| meaning.label)),
        fired: if alert.state == AlertState::Firing {
            Moment::ago(alert.since)
        } else {
            Moment::at(alert.since)
        },
        resolved: alert.resolved.map(Moment::at),
        lasted: lasting.map(lasted),
        acknowledged_by: note.acknowledged_by.map(|by| person(&by).to_owned()),
        muted: note.mute_until.filter(|until| now < *until).map(Moment::at),
        mine: sight.level(&alert.device.id) >= Level::Edit,
        events,
        id: alert.id,
        rule: alert.rule,
        rule_name: alert.rule_name,
        device_id: device.id.to_string(),
        device_name: device.name,
    })
}

/// In which way something was wrong.
fn what(alert: &Alert, bound: Option<&str>) -> String {
    match (alert.side, alert.kind.as_str()) {
        (Side::Low, _) => format!("below {}", bound.unwrap_or_default()),
        (Side::High, _) => format!("above {}", bound.unwrap_or_default()),
        (Side::Silent, "offline") => "offline".to_owned(),
        (Side::Silent, _) => match alert.bound {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "seconds, made from a span"
            )]
            Some(seconds) => format!("no data for more than {}", super::typed::span(seconds.round() as u64)),
            None => "no data".to_owned(),
        },
    }
}

/// A person's name out of `user:<name>`.
pub(super) fn person(by: &str) -> &str {
    by.strip_prefix("user:").unwrap_or(by)
}

const fn event_word(state: EventState) -> &'static str {
    match state {
        EventState::Pending => "outside, waiting",
        EventState::Firing => "fired",
        EventState::Resolved => "resolved",
        EventState::Acknowledged => "acknowledged",
        EventState::Muted => "muted",
    }
}

const fn event_tag(state: EventState) -> &'static str {
    match state {
        EventState::Pending => "pending",
        EventState::Firing => "firing",
        EventState::Resolved => "resolved",
        EventState::Acknowledged | EventState::Muted => "",
    }
}

/// Alerts that fire and are shown.
const FIRING_MAX: usize = 100;
/// Alerts of a page of those that were.
const PAST_MAX: u32 = 50;
const QUIET_MAX_S: u64 = 366 * 86_400;
