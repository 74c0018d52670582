//! Everything about a device in one order, the newest first: messages with their verdict, exact bytes and what they
//! brought, commands with every transition and its reason, events, alerts.

use askama::Template;
use axum::extract::State;

use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, render};
use crate::dictionary::Chosen;
use crate::http::query;
use crate::model::{Direction, EventState, MessageRecord, Seq};
use crate::web::App;
use crate::web::api::timeline::{self, AlertChange, Change, Happened, Kind, Told, Wanted};
use crate::web::auth::By;
use crate::web::page::bytes::Bytes;
use crate::web::page::values::Shown;
use crate::web::params::{Listed, Name, Params};

/// Things that the page shows; of messages alone fewer, as each is long.
const SHOWN: u32 = 250;
const MESSAGES_SHOWN: u32 = 60;

#[derive(Template)]
#[template(path = "device/timeline.html")]
struct TimelinePage {
    frame: Frame,
    head: Head,
    kinds: Vec<Way>,
    entries: Vec<Entry>,
    /// Whether the newest are shown.
    newest: bool,
    older: Option<String>,
}

/// A way to things of one kind.
struct Way {
    name: &'static str,
    path: String,
    here: bool,
}

/// One thing that happened.
struct Entry {
    at: Moment,
    what: What,
}

enum What {
    Message(Box<MessageLine>),
    /// Values whose message is not shown.
    Values(Seq, Vec<Shown>),
    Event(Shown),
    Command(Change),
    Alert(AlertLine),
}

impl What {
    /// The values that it has of a message.
    fn values_of(&mut self, of: Seq) -> Option<&mut Vec<Shown>> {
        match self {
            Self::Message(line) => Some(&mut line.values).filter(|_| line.message.seq == of),
            Self::Values(seq, values) => Some(values).filter(|_| *seq == of),
            Self::Event(_) | Self::Command(_) | Self::Alert(_) => None,
        }
    }
}

/// A message as a line.
pub(super) struct MessageLine {
    pub(super) message: MessageRecord,
    pub(super) at: Moment,
    pub(super) bytes: Bytes,
    /// What it brought.
    pub(super) values: Vec<Shown>,
}

struct AlertLine {
    change: AlertChange,
    /// The word for what it became, and its colour.
    word: &'static str,
    tag: &'static str,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By, params: Params) -> Page {
    let Begun { frame, head, sight, .. } = Begun::with(&app, &caller, &id, Tab::Timeline).await?;
    let params = params.filled();
    let device = &head.device.names;
    let chosen = app.meanings(device);
    let kind = params.text("kind").unwrap_or_default();
    let limit = if kind == Kind::Message.as_str() { MESSAGES_SHOWN } else { SHOWN };
    let wanted = Wanted {
        device: device.id.clone(),
        kinds: timeline::kinds(&params)?,
        span: params.span()?,
        place: params.cursor()?.unwrap_or_default(),
        limit,
    };
    let (told, resume) = timeline::read(&app.hub, &sight, &chosen, wanted).await?;
    let listed = Listed::page(told, limit, |(place, _)| place.clone(), |(_, happened)| happened);
    let (happened, next) = listed.or_resume(resume).into_parts();
    let path = |kind: &str| {
        let path = format!("/devices/{}/timeline", device.id);
        if kind.is_empty() { path } else { format!("{path}?kind={}", query::escape(kind)) }
    };
    let way = |(word, name): (&str, &'static str)| Way { name, path: path(word), here: word == kind };
    let older = next.map(|next| {
        let path = path(kind);
        format!("{path}{}cursor={next}", if path.contains('?') { '&' } else { '?' })
    });
    render(&TimelinePage {
        kinds: KINDS.into_iter().map(way).collect(),
        entries: entries(&chosen, happened),
        newest: params.text("cursor").is_none(),
        older,
        frame,
        head,
    })
}

/// What happened, the values of a message with it.
fn entries(chosen: &Chosen, happened: Vec<Happened>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::with_capacity(happened.len());
    for Happened { at, told } in happened {
        let what = match told {
            Told::Message(message) => What::Message(Box::new(message_line(message))),
            Told::Value(datum) => {
                let shown = Shown::new(chosen, &datum);
                // An event among its message's values stands between them.
                let of =
                    entries.iter_mut().rev().take(NEAR).find_map(|entry| entry.what.values_of(datum.seq));
                if let Some(values) = of {
                    add(values, shown);
                    continue;
                }
                What::Values(datum.seq, vec![shown])
            }
            Told::Event(datum) => What::Event(Shown::new(chosen, &datum)),
            Told::Command(change) => What::Command(change),
            Told::Alert(change) => What::Alert(alert_line(change)),
        };
        entries.push(Entry { at: Moment::at(at), what });
    }
    entries
}

/// Adds a value to those of its message: a sensor's values stand together.
fn add(values: &mut Vec<Shown>, shown: Shown) {
    match values.last_mut() {
        Some(last) if last.sensor == shown.sensor => {
            last.value = format!("{}, {}", last.value, shown.value);
            last.wrong |= shown.wrong;
        }
        Some(_) | None => values.push(shown),
    }
}

/// A message with its bytes.
pub(super) fn message_line(message: MessageRecord) -> MessageLine {
    MessageLine {
        at: Moment::at(message.at),
        bytes: if message.pruned { Bytes::default() } else { Bytes::of(&message.raw) },
        values: Vec::new(),
        message,
    }
}

fn alert_line(change: AlertChange) -> AlertLine {
    let (word, tag) = match change.event.state {
        EventState::Pending => ("pending", "pending"),
        EventState::Firing => ("firing", "firing"),
        EventState::Resolved => ("resolved", "resolved"),
        EventState::Acknowledged => ("acknowledged", ""),
        EventState::Muted => ("muted", ""),
    };
    AlertLine { change, word, tag }
}

/// Entries among which the message of a value is looked for.
const NEAR: usize = 8;

/// What can be shown alone.
const KINDS: [(&str, &str); 6] = [
    ("", "All"),
    ("message", "Messages"),
    ("value", "Values"),
    ("event", "Events"),
    ("command", "Commands"),
    ("alert", "Alerts"),
];

/// That all kinds can be shown alone.
const _: () = assert!(KINDS.len() == Kind::ALL.len() + 1, "every kind has its way");
