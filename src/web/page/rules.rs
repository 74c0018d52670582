//! Rules: what people want to be told of, each with what it is for and who is told.

mod form;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use self::form::{Fields as _, FormPage};
use super::moment::Moment;
use super::receivers::reached;
use super::typed::{Choice, Typed, Wrong, span, spans};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, Level};
use crate::model::{Check, Rule, Target};
use crate::web::App;
use crate::web::api::{rule_preview, rules};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Name, Params};

#[derive(Template)]
#[template(path = "rules.html")]
struct RulesPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    lines: Vec<RuleLine>,
}

/// One rule, as a person reads it.
struct RuleLine {
    id: String,
    name: String,
    whom: String,
    what: String,
    told: Vec<String>,
    /// How many of its alerts fire.
    firing: usize,
    enabled: bool,
    muted: Option<Moment>,
}

pub(crate) async fn list(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let sight = app.hub.sight(&caller);
    let hooks = app.hub.webhooks().await?;
    let known = rules::all(&app, &sight).await?;
    let firing = app.hub.firing_by_rule(|id| sight.sees(id)).await?;
    let now = app.hub.now();
    let line = |rule: Rule| RuleLine {
        whom: whom(&app, &rule),
        what: what(&rule),
        told: rule.channels.iter().map(|channel| reached(channel, &hooks, "a removed webhook")).collect(),
        firing: firing.get(&rule.id).copied().unwrap_or_default(),
        enabled: rule.enabled,
        muted: rule.mute_until.filter(|until| now < *until).map(Moment::at),
        id: rule.id,
        name: rule.name,
    };
    let page = RulesPage {
        frame: Frame::of(&app, &caller, Place::Alerts, "Rules").await,
        done: params.text("done").and_then(done),
        wrong: Wrong::default(),
        lines: known.into_iter().map(line).collect(),
    };
    render(&page)
}

/// The form of a new rule, with what it would be for once it says something.
pub(crate) async fn fresh(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let typed = Typed::new(params.into_pairs());
    let mut page = FormPage::of(&app, &caller, None, typed.clone()).await?;
    if typed.has("kind") {
        let drafted = async { rules::draft(&app, &caller, typed.fields_rule()?).await };
        look(&app, &caller, &mut page, drafted.await.and_then(checked)).await?;
    }
    render(&page)
}

pub(crate) async fn create(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let made = async {
        let rule = rules::draft(&app, &caller, typed.fields_rule()?).await?;
        Ok::<_, WebError>(app.hub.rule_keep(rule).await?)
    };
    match made.await {
        Ok(rule) => Ok(to_list(&rule.id, "made")),
        Err(error) => {
            let page = FormPage::of(&app, &caller, None, typed).await?;
            refused(&error, |wrong| page.with(wrong))
        }
    }
}

/// One rule, to look at and to change.
pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let rule = rules::known(&app, &caller, &id, Level::View).await?;
    let typed = Typed::new(params.into_pairs());
    let changing = typed.has("whom");
    let fields = if changing { typed.clone() } else { form::fields_of(&rule, &caller.user.id) };
    let mut page = FormPage::of(&app, &caller, Some(&rule), fields).await?;
    let rule = if changing { changed(&app, &caller, &id, &typed).await.and_then(checked) } else { Ok(rule) };
    look(&app, &caller, &mut page, rule).await?;
    render(&page)
}

pub(crate) async fn edit(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    let before = rules::known(&app, &caller, &id, Level::Edit).await?;
    let kept = async {
        let rule = changed(&app, &caller, &id, &typed).await?;
        Ok::<_, WebError>(app.hub.rule_keep(rule).await?)
    };
    match kept.await {
        Ok(rule) => Ok(to_list(&rule.id, "changed")),
        Err(error) => {
            let page = FormPage::of(&app, &caller, Some(&before), typed).await?;
            refused(&error, |wrong| page.with(wrong))
        }
    }
}

pub(crate) async fn remove(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let rule = rules::known(&app, &caller, &id, Level::Edit).await?;
    app.hub.rule_remove(&rule.id).await?;
    Ok(Redirect::to("/rules?done=removed").into_response())
}

/// The rule as it would be after the form's change.
async fn changed(app: &App, caller: &Caller, id: &str, typed: &Typed) -> Result<Rule, WebError> {
    rules::changed(app, caller, id, form::without_kind(typed.fields_rule()?)).await
}

/// Shows what a rule would be for, or what is wrong with it.
async fn look(
    app: &App,
    caller: &Caller,
    page: &mut FormPage,
    rule: Result<Rule, WebError>,
) -> Result<(), WebError> {
    match rule {
        Ok(rule) => page.preview = Some(form::told(rule_preview::preview(app, caller, &rule).await?)),
        Err(error) => page.wrong = Wrong::of(&error.shown()),
    }
    Ok(())
}

/// The rule, if it makes sense.
fn checked(rule: Rule) -> Result<Rule, WebError> {
    match rule.check() {
        Ok(()) => Ok(rule),
        Err(wrong) => Err(WebError::field(wrong.field, wrong.message)),
    }
}

fn to_list(id: &str, done: &str) -> Response {
    Redirect::to(&format!("/rules?done={done}#rule-{id}")).into_response()
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "made" => "The rule is made, and looked at from now on.",
        "changed" => "The rule is changed; the newest values were held against it at once.",
        "removed" => "The rule is removed, and its alerts are over.",
        _ => return None,
    })
}

/// The devices a rule is for, in words.
fn whom(app: &App, rule: &Rule) -> String {
    let all = if rule.owner.is_some() { "all devices of one owner" } else { "all devices of the house" };
    match &rule.target {
        Target::Device(id) => app.device_name(id),
        Target::Tag(tag) => format!("devices tagged {tag}"),
        Target::Family(family) => format!("all {family} devices"),
        Target::All => all.to_owned(),
    }
}

/// What a rule looks at, in words.
fn what(rule: &Rule) -> String {
    let sensor = rule.sensor.as_deref();
    let held = if rule.hold_s > 0 { format!(", for {}", span(rule.hold_s)) } else { String::new() };
    match &rule.check {
        Check::Bounds(bounds) => {
            let sensor = sensor.unwrap_or("any sensor");
            let said = match (bounds.low, bounds.high) {
                (Some(low), Some(high)) => format!("{sensor} outside {low} to {high}"),
                (Some(low), None) => format!("{sensor} below {low}"),
                (None, Some(high)) => format!("{sensor} above {high}"),
                (None, None) => sensor.to_owned(),
            };
            said + &held
        }
        Check::NoData { periods, period_s } => {
            let of = sensor.map(|sensor| format!(" from {sensor}")).unwrap_or_default();
            match period_s {
                Some(period) => format!("no data{of} for {periods} × {}", span(*period)),
                None => format!("no data{of} for {periods} of its usual intervals"),
            }
        }
        Check::Offline => format!("offline{held}"),
    }
}
