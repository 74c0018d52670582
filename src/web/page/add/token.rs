//! Devices with a token: any, or a gauge. The token is in the answer to the form and nowhere else.

use askama::Template;
use axum::extract::State;
use serde_json::{Value as Json, json};

use super::reach::Reach;
use super::snippets::{self, Snippet};
use super::{Kind, Ways};
use crate::core::Caller;
use crate::family::{Enrolment, Facts};
use crate::model::{DeviceRef, FamilyName};
use crate::web::App;
use crate::web::api::access::{Whose, owner_of_new};
use crate::web::api::enrolment;
use crate::web::auth::By;
use crate::web::deed::Noting;
use crate::web::error::WebError;
use crate::web::page::dial::Dial;
use crate::web::page::gauge::GaugeFields;
use crate::web::page::typed::{Typed, Wrong};
use crate::web::page::{Frame, Page, Place, Sent, refused, render};

#[derive(Template)]
#[template(path = "add/token.html")]
struct Form {
    frame: Frame,
    ways: Ways,
    name: String,
    kind: String,
    kinds: Vec<(&'static str, &'static str)>,
    /// The gauge's own fields with a dial, where it is one.
    gauge: Option<(GaugeFields, Dial)>,
    wrong: Wrong,
}

/// What was made.
#[derive(Template)]
#[template(path = "add/made.html")]
struct Made {
    frame: Frame,
    device: DeviceRef,
    token: String,
    qr_svg: Option<String>,
    snippets: Vec<Snippet>,
    root: bool,
    gauge: bool,
}

pub(crate) async fn gauge(State(app): State<App>, By(caller): By) -> Page {
    render(&form(&app, &caller, Kind::Gauge, &Typed::default()).await)
}

pub(crate) async fn any(State(app): State<App>, By(caller): By) -> Page {
    render(&form(&app, &caller, Kind::Token, &Typed::default()).await)
}

pub(crate) async fn make_gauge(
    State(app): State<App>,
    By(caller): By,
    reach: Reach,
    noting: Noting,
    Sent(typed): Sent<Typed>,
) -> Page {
    make(&app, &caller, Kind::Gauge, &reach, &noting, &typed).await
}

pub(crate) async fn make_any(
    State(app): State<App>,
    By(caller): By,
    reach: Reach,
    noting: Noting,
    Sent(typed): Sent<Typed>,
) -> Page {
    make(&app, &caller, Kind::Token, &reach, &noting, &typed).await
}

async fn make(app: &App, caller: &Caller, kind: Kind, reach: &Reach, noting: &Noting, typed: &Typed) -> Page {
    let name = typed.text("name");
    noting.target(name);
    let wishes = match kind {
        Kind::Gauge => {
            let config = GaugeFields::read(typed).config(&Facts::new());
            config.map(|config| wishes("gauge", Some(config)))
        }
        Kind::Token | Kind::Cwm | Kind::Sca11h | Kind::Mcu | Kind::Tswarm => {
            Ok(wishes(typed.text("type"), None))
        }
    };
    let made = match wishes {
        Ok(wishes) => enrolled(app, caller, name, wishes, reach).await,
        Err((field, message)) => Err(WebError::field(&field, message)),
    };
    match made {
        Ok(made) => {
            let (device, token, qr_svg) = made.into_parts();
            noting.device(&device.id);
            let frame = Frame::of(app, caller, Place::Add, format!("{} is added", device.name)).await;
            let snippets = snippets::of(reach, &token, "data");
            let (root, gauge) = (reach.root && reach.https_port.is_some(), kind == Kind::Gauge);
            render(&Made { frame, device, token, qr_svg, snippets, root, gauge })
        }
        Err(error) => {
            let page = form(app, caller, kind, typed).await;
            refused(&error, |wrong| Form { wrong, ..page })
        }
    }
}

async fn enrolled(
    app: &App,
    caller: &Caller,
    name: &str,
    wishes: Facts,
    reach: &Reach,
) -> Result<enrolment::Made, WebError> {
    let owner = owner_of_new(app, caller, Whose::Unsaid).await?;
    let wanted = Enrolment { name: name.to_owned(), address: None, owner, by: caller.by(), wishes };
    let base = reach.https().or_else(|| reach.http());
    enrolment::make(app, &FamilyName::new("token"), caller, &wanted, base.as_deref()).await
}

async fn form(app: &App, caller: &Caller, kind: Kind, typed: &Typed) -> Form {
    let frame = Frame::of(app, caller, Place::Add, kind.name()).await;
    let name = if typed.is_empty() && kind == Kind::Gauge { "Device" } else { typed.text("name") };
    let gauge = (kind == Kind::Gauge).then(|| {
        let fields = if typed.is_empty() { GaugeFields::default() } else { GaugeFields::read(typed) };
        let dial = fields.dial();
        (fields, dial)
    });
    Form {
        ways: Ways::of(&frame, Some(kind)),
        frame,
        name: name.to_owned(),
        kind: typed.text("type").to_owned(),
        // The gauge has a page of its own.
        kinds: KINDS.into_iter().filter(|(word, _)| *word != "gauge").collect(),
        gauge,
        wrong: Wrong::default(),
    }
}

fn wishes(kind: &str, config: Option<Facts>) -> Facts {
    let mut wishes = Facts::from_iter([("type".to_owned(), json!(kind))]);
    wishes.extend(config.map(|config| ("config".to_owned(), Json::Object(config))));
    wishes
}

/// The types of `accounts-dashboard.md §2`, and what each measures.
pub(in crate::web::page) const KINDS: [(&str, &str); 8] = [
    ("generic", "Anything"),
    ("gauge", "A number on a dial"),
    ("number", "A number"),
    ("switch", "On or off"),
    ("state", "One of some words"),
    ("text", "Words"),
    ("counter", "Something that only grows"),
    ("location", "A place"),
];
