//! Who is told of alerts: the mail server and the webhooks, each with a way to try it out.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::alerts::person;
use super::deliveries::DeliveryLine;
use super::moment::Moment;
use super::typed::{Choice, Typed, Wrong};
use super::{Frame, Page, Place, Sent, refused, render};
use crate::core::{Caller, MailSecurity, Webhook};
use crate::web::App;
use crate::web::api::mail::{self, MailEdit, MailShape};
use crate::web::api::webhooks::{self, WebhookEdit};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Given, Name, Params};

#[derive(Template)]
#[template(path = "receivers.html")]
struct ReceiversPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    /// Which form is wrong: `mail`, `test`, or a webhook's id; empty is a new one.
    at: String,
    /// The mail server, for administrators.
    mail: Option<MailLine>,
    /// Whether mail can be sent.
    sends: bool,
    /// What became of the test that was asked for.
    tested: Option<DeliveryLine>,
    hooks: Vec<HookLine>,
    /// A webhook's name and its secret, told once.
    secret: Option<(String, String)>,
    typed: Typed,
}

/// The mail server, as its form shows it.
#[expect(clippy::struct_excessive_bools, reason = "each is a question that the template asks")]
struct MailLine {
    /// Whether the server's settings name it.
    fixed: bool,
    set: bool,
    host: String,
    port: String,
    securities: Vec<Choice>,
    username: String,
    /// Whether it has a password.
    password: bool,
    from: String,
    ca: bool,
    by: String,
    changed: Option<Moment>,
    to: String,
}

struct HookLine {
    id: String,
    name: String,
    url: String,
    enabled: bool,
    ca: bool,
    by: String,
    changed: Moment,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let mut page = page(&app, &caller, Typed::default()).await?;
    page.done = params.text("done").and_then(done);
    if let (Some(id), true) = (params.text("test"), page.frame.admin) {
        page.tested = app.hub.delivery(id).await?.map(|one| DeliveryLine::new(one, &[]));
    }
    render(&page)
}

pub(crate) async fn set_mail(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let set = async {
        let edit = mail_edit(&typed)?;
        mail::set(&app, edit, caller.by()).await
    };
    if let Err(error) = set.await {
        return refuse(&app, &caller, typed, "mail", &error).await;
    }
    match typed.some("to") {
        None => Ok(to("done=mail#mail")),
        Some(address) => tried(&app, &caller, typed, "mail", mail::try_out(&app, &address).await).await,
    }
}

pub(crate) async fn test_mail(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    let outcome = mail::try_out(&app, typed.text("to")).await;
    tried(&app, &caller, typed, "mail", outcome).await
}

pub(crate) async fn remove_mail(State(app): State<App>, By(caller): By) -> Page {
    match mail::forget(&app).await {
        Ok(()) => Ok(to("done=no-mail#mail")),
        Err(error) => refuse(&app, &caller, Typed::default(), "mail", &error).await,
    }
}

pub(crate) async fn make_hook(State(app): State<App>, By(caller): By, Sent(typed): Sent<Typed>) -> Page {
    match webhooks::make(&app, &caller, hook_edit(&typed, true)).await {
        Ok(hook) => told(&app, &caller, hook).await,
        Err(error) => refuse(&app, &caller, typed, "new", &error).await,
    }
}

pub(crate) async fn edit_hook(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    Sent(typed): Sent<Typed>,
) -> Page {
    match webhooks::change(&app, &id, hook_edit(&typed, typed.has("enabled"))).await {
        Ok(_) => Ok(to("done=hook#webhooks")),
        Err(error) => refuse(&app, &caller, typed, &id, &error).await,
    }
}

pub(crate) async fn test_hook(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let hook = webhooks::known(&app, &id).await?;
    let outcome = webhooks::try_out(&app, &webhooks::channel(&hook.id)).await;
    tried(&app, &caller, Typed::default(), "webhooks", outcome).await
}

pub(crate) async fn rotate_hook(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let hook = webhooks::renew(&app, &id).await?;
    told(&app, &caller, hook).await
}

pub(crate) async fn remove_hook(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    match webhooks::take_away(&app, &id).await {
        Ok(()) => Ok(to("done=no-hook#webhooks")),
        Err(error) => refuse(&app, &caller, Typed::default(), &id, &error).await,
    }
}

/// Shows a webhook's new secret, once.
async fn told(app: &App, caller: &Caller, hook: Webhook) -> Page {
    let mut page = page(app, caller, Typed::default()).await?;
    page.secret = Some((hook.name, hook.secret));
    render(&page)
}

async fn tried(
    app: &App,
    caller: &Caller,
    typed: Typed,
    at: &str,
    outcome: Result<crate::core::Delivery, WebError>,
) -> Page {
    match outcome {
        Ok(one) => Ok(to(&format!("test={}#tested", one.id))),
        Err(error) => refuse(app, caller, typed, at, &error).await,
    }
}

async fn refuse(app: &App, caller: &Caller, typed: Typed, at: &str, error: &WebError) -> Page {
    let page = page(app, caller, typed).await?;
    refused(error, |wrong| ReceiversPage { wrong, at: at.to_owned(), ..page })
}

fn to(query: &str) -> Response {
    Redirect::to(&format!("/receivers?{query}")).into_response()
}

async fn page(app: &App, caller: &Caller, typed: Typed) -> Result<ReceiversPage, WebError> {
    let frame = Frame::of(app, caller, Place::Alerts, "Receivers").await;
    let mail = if frame.admin { Some(MailLine::new(mail::current(app).await?, &typed)) } else { None };
    let hooks = app.hub.webhooks().await?.into_iter();
    let line = |hook: Webhook| HookLine {
        id: hook.id,
        name: hook.name,
        url: if frame.admin { hook.url } else { String::new() },
        enabled: hook.enabled,
        ca: hook.ca.is_some(),
        by: person(&hook.by).to_owned(),
        changed: Moment::at(hook.changed),
    };
    Ok(ReceiversPage {
        hooks: hooks.map(line).collect(),
        frame,
        done: None,
        wrong: Wrong::default(),
        at: String::new(),
        mail,
        sends: mail::is_set(app).await?,
        tested: None,
        secret: None,
        typed,
    })
}

fn mail_edit(typed: &Typed) -> Result<MailEdit, WebError> {
    let port = typed
        .whole("port")?
        .map(|port| u16::try_from(port).map_err(|_| WebError::field("port", "a port is 1 to 65535")));
    let security = MailSecurity::parse(typed.text("security"));
    Ok(MailEdit {
        host: Some(typed.text("host").to_owned()),
        port: Some(port.transpose()?),
        security: Some(security.ok_or_else(|| WebError::field("security", "choose how it is spoken to"))?),
        username: Some(typed.text("username").to_owned()),
        // An empty field is the password that it has.
        password: Some(typed.raw("password"))
            .filter(|text| !text.is_empty())
            .map(|text| text.to_owned().into()),
        from: Some(typed.text("from").to_owned()),
        ca: ca_edit(typed, "ca"),
    })
}

fn hook_edit(typed: &Typed, enabled: bool) -> WebhookEdit {
    WebhookEdit {
        name: Some(typed.text("name").to_owned()),
        url: Some(typed.text("url").to_owned()),
        ca: ca_edit(typed, "hook_ca"),
        enabled: Some(enabled),
    }
}

/// What becomes of the certificate that is trusted: another, none, or as it is.
fn ca_edit(typed: &Typed, name: &str) -> Given<String> {
    match typed.some(name) {
        Some(pem) => Some(Some(pem)),
        None => typed.has("no_ca").then_some(None),
    }
}

impl MailLine {
    fn new(shape: MailShape, typed: &Typed) -> Self {
        let typed_or = |name: &str, known: Option<String>| {
            if typed.has("host") { typed.text(name).to_owned() } else { known.unwrap_or_default() }
        };
        let chosen = MailSecurity::parse(typed.text("security")).or(shape.security);
        let chosen = chosen.unwrap_or(MailSecurity::Starttls);
        let security = |one: MailSecurity| Choice::new(one.as_str(), security_name(one), one == chosen);
        let usual = shape.security.map(MailSecurity::port);
        Self {
            fixed: shape.source == Some("settings"),
            set: shape.source.is_some(),
            host: typed_or("host", shape.host),
            port: typed_or(
                "port",
                shape.port.filter(|port| Some(*port) != usual).map(|port| port.to_string()),
            ),
            securities: MailSecurity::ALL.into_iter().map(security).collect(),
            username: typed_or("username", shape.username),
            password: shape.password,
            from: typed_or("from", shape.from),
            ca: shape.ca,
            by: shape.by.as_deref().map(person).unwrap_or_default().to_owned(),
            changed: shape.changed.map(Moment::at),
            to: typed.text("to").to_owned(),
        }
    }
}

/// Whom a channel reaches, as people call it; `gone` is said of a webhook that is no more.
pub(super) fn reached(channel: &str, hooks: &[Webhook], gone: &str) -> String {
    match channel.split_once(':') {
        Some(("mail", address)) => address.to_owned(),
        Some(("webhook", id)) => {
            let hook = hooks.iter().find(|hook| hook.id == id);
            hook.map_or(gone, |hook| &hook.name).to_owned()
        }
        Some(_) | None => channel.to_owned(),
    }
}

const fn security_name(security: MailSecurity) -> &'static str {
    match security {
        MailSecurity::Starttls => "STARTTLS, port 587 (most servers)",
        MailSecurity::Tls => "TLS from the start, port 465",
        MailSecurity::None => "none, port 25: in the clear",
    }
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "mail" => "The mail server is set, and counts from now on. Send a test to see that mail arrives.",
        "no-mail" => "The mail server is removed: no e-mail is sent any more.",
        "hook" => "The webhook is changed.",
        "no-hook" => "The webhook is removed.",
        _ => return None,
    })
}
