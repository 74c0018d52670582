//! The audit log: who did what, or was refused it.

use askama::Template;
use axum::extract::State;

use super::moment::Moment;
use super::typed::Wrong;
use super::{Frame, Page, Place, render};
use crate::core::AuditFilter;
use crate::http::query::escape;
use crate::model::{AuditEntry, DeviceId};
use crate::web::App;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Listed, Params};

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    who: String,
    what: String,
    device: String,
    filtered: bool,
    /// Words that were met here.
    words: Vec<String>,
    people: Vec<String>,
    lines: Vec<Line>,
    older: Option<String>,
}

struct Line {
    at: Moment,
    who: String,
    how: String,
    what: String,
    device: Option<(String, String)>,
    target: String,
    result: String,
    tag: &'static str,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    let params = params.filled();
    let text = |name: &str| params.text(name).map(str::to_owned);
    let mut wrong = Wrong::default();
    // One that is gone is asked for by its id.
    let device = match params.text("device").map(|text| app.hub.find_seen(&app.hub.sight(&caller), text)) {
        None => None,
        Some(Ok(device)) => Some(device.names.id),
        Some(Err(crate::core::HubError::NotFound(_))) => params.text("device").map(DeviceId::new),
        Some(Err(error)) => {
            wrong = Wrong::of(&WebError::from(error).shown());
            None
        }
    };
    let filter = AuditFilter {
        who: text("who"),
        what: text("what"),
        device,
        from: None,
        to: None,
        before: params.cursor::<i64>()?,
        limit: SHOWN_MAX + 1,
    };
    let rows = app.hub.audit_log(filter).await?;
    let line = |(_, entry): (i64, AuditEntry)| Line::of(&app, entry);
    let (lines, next) = Listed::page(rows, SHOWN_MAX, |(id, _)| *id, line).into_parts();
    let kept: String = ["who", "what", "device"]
        .into_iter()
        .filter_map(|name| Some(format!("{name}={}&", escape(params.text(name)?))))
        .collect();
    let mut words: Vec<_> = lines.iter().map(|line| line.what.clone()).collect();
    words.sort_unstable();
    words.dedup();
    let page = AuditPage {
        frame: Frame::of(&app, &caller, Place::Audit, "Audit").await,
        done: None,
        wrong,
        who: text("who").unwrap_or_default(),
        what: text("what").unwrap_or_default(),
        device: text("device").unwrap_or_default(),
        filtered: !kept.is_empty(),
        words,
        people: app.hub.users().await?.into_iter().map(|user| user.name).collect(),
        lines,
        older: next.map(|next| format!("/audit?{kept}cursor={next}")),
    };
    render(&page)
}

impl Line {
    fn of(app: &App, entry: AuditEntry) -> Self {
        let device = entry.device.map(|id| (id.to_string(), app.device_name(&id)));
        let how = match entry.proof.as_str() {
            "control" => "on this machine".to_owned(),
            "token" => format!("by token, from {}", entry.from),
            _ => format!("from {}", entry.from),
        };
        Self {
            at: Moment::at(entry.at),
            who: if entry.who.is_empty() { "nobody known".to_owned() } else { entry.who },
            how,
            what: entry.what,
            device,
            target: entry.target.unwrap_or_default(),
            tag: if entry.result == "ok" { "ok" } else { "bad" },
            result: entry.result.replace('_', " "),
        }
    }
}

const SHOWN_MAX: u32 = 100;
