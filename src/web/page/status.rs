//! What the server does: its listeners and what it records, each with its switch.

use askama::Template;
use axum::extract::State;

use super::moment::Moment;
use super::published::bytes;
use super::typed::Wrong;
use super::{Frame, Page, Place, brief, refused, render};
use crate::core::{Caller, HandshakeNote, Recording, Sight};
use crate::web::api::health::{self, ServerStatus};
use crate::web::api::{listeners, recording};
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::Name;
use crate::web::{App, ListenerNote};

#[derive(Template)]
#[template(path = "status.html")]
struct StatusPage {
    frame: Frame,
    wrong: Wrong,
    done: Option<String>,
    listeners: Vec<ListenerLine>,
    recordings: Vec<RecordingLine>,
    server: ServerStatus,
    store: String,
    handshakes: Vec<HandshakeLine>,
    /// What should be looked after, the worst first.
    cares: Vec<String>,
}

/// Handshakes of one client that failed for one reason.
struct HandshakeLine {
    note: HandshakeNote,
    last: Moment,
}

struct ListenerLine {
    note: ListenerNote,
    turned: String,
}

struct RecordingLine {
    recording: Recording,
    turned: String,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By) -> Page {
    render(&page(&app, &caller).await?)
}

pub(crate) async fn open(State(app): State<App>, Name(name): Name, By(caller): By) -> Page {
    let turned = listeners::turn(&app, &name, true, &caller.by()).await;
    let said = turned.map(|turned| {
        if turned.unchanged {
            format!("{name} was open already.")
        } else {
            format!("{name} is open at {}.", turned.note.address)
        }
    });
    answer(&app, &caller, said).await
}

pub(crate) async fn close(State(app): State<App>, Name(name): Name, By(caller): By) -> Page {
    let turned = listeners::turn(&app, &name, false, &caller.by()).await;
    let said = turned.map(|turned| {
        if turned.unchanged {
            format!("{name} was closed already.")
        } else {
            format!("{name} is closed. Connections closed with it: {}.", turned.closed)
        }
    });
    answer(&app, &caller, said).await
}

pub(crate) async fn pause(State(app): State<App>, Name(family): Name, By(caller): By) -> Page {
    let turned = recording::turn(&app, &family, false, &caller.by()).await;
    let said = turned.map(|_| format!("Recording of {family} is paused. Connections stay open."));
    answer(&app, &caller, said).await
}

pub(crate) async fn resume(State(app): State<App>, Name(family): Name, By(caller): By) -> Page {
    let turned = recording::turn(&app, &family, true, &caller.by()).await;
    let said = turned.map(|turned| {
        format!("Recording of {family} is on. Messages dropped in the pause: {}.", turned.recording.dropped)
    });
    answer(&app, &caller, said).await
}

/// What a person should know on other pages: recordings that are paused and listeners that are closed.
pub(super) fn notes(app: &App, sight: &Sight) -> Vec<String> {
    if !sight.house() {
        return Vec::new();
    }
    let paused = app.hub.recordings().into_iter().filter(|known| !known.recording).map(|known| {
        let turned = turned(known.since, known.by.as_deref());
        format!("Recording of {} is paused ({turned}). Messages dropped: {}.", known.family, known.dropped)
    });
    let closed = listeners::all(app).into_iter().filter(|known| !known.open).map(|known| {
        format!("The listener {} is closed ({}).", known.listener, turned(known.since, known.by.as_deref()))
    });
    paused.chain(closed).collect()
}

async fn answer(app: &App, caller: &Caller, said: Result<String, WebError>) -> Page {
    let mut page = page(app, caller).await?;
    match said {
        Ok(said) => {
            page.done = Some(said);
            render(&page)
        }
        Err(error) => refused(&error, |wrong| StatusPage { wrong, ..page }),
    }
}

async fn page(app: &App, caller: &Caller) -> Result<StatusPage, WebError> {
    let listener = |note: ListenerNote| ListenerLine { turned: turned(note.since, note.by.as_deref()), note };
    let recording = |recording: Recording| RecordingLine {
        turned: turned(recording.since, recording.by.as_deref()),
        recording,
    };
    let server = health::status(app).await?;
    let handshakes = app.hub.handshakes(None, HANDSHAKES_MAX).await?.into_iter();
    Ok(StatusPage {
        cares: cares(&server),
        store: bytes(u64::try_from(server.store_bytes).unwrap_or_default()),
        server,
        handshakes: handshakes
            .map(|(_, note)| HandshakeLine { last: Moment::ago(note.last), note })
            .collect(),
        frame: Frame::of(app, caller, Place::Health, "Health").await,
        wrong: Wrong::default(),
        done: None,
        listeners: listeners::all(app).into_iter().map(listener).collect(),
        recordings: app.hub.recordings().into_iter().map(recording).collect(),
    })
}

/// What should be looked after.
fn cares(server: &ServerStatus) -> Vec<String> {
    let unready = server.reason.map(|reason| format!("Devices' messages cannot be taken: {reason}."));
    let certificates = server.certificates.iter().filter_map(|one| match (&one.fault, one.days_left) {
        (Some(fault), _) => Some(format!("The certificate {} cannot be read: {fault}", one.name)),
        (None, ..0) => Some(format!("The certificate {} is over: run homeport certs renew.", one.name)),
        (None, 0..DAYS_FEW) => Some(format!(
            "The certificate {} ends in {} days: run homeport certs renew.",
            one.name, one.days_left
        )),
        (None, _) => None,
    });
    unready.into_iter().chain(certificates).collect()
}

/// Handshakes that are shown, the newest.
const HANDSHAKES_MAX: u32 = 50;
/// Days that are few for a certificate: the server renews its own before.
const DAYS_FEW: i64 = 14;

fn turned(since: Option<crate::model::Timestamp>, by: Option<&str>) -> String {
    match (since, by) {
        (Some(at), Some(by)) => format!("since {} by {by}", brief(at)),
        (Some(at), None) => format!("since {}", brief(at)),
        (None, _) => String::new(),
    }
}
