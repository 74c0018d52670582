//! Everything about a device in one order, the newest first.

use askama::Template;
use axum::extract::State;

use super::{Begun, DeviceState, Frame, Head, Moment, Page, Tab, render};
use crate::core::MessageFilter;
use crate::model::MessageRecord;
use crate::web::App;
use crate::web::auth::By;
use crate::web::params::Name;

/// Messages that the page shows.
const SHOWN: u32 = 50;
/// A message's text is cut here; the whole is a link away.
const TEXT_SHOWN_CHARS: usize = 600;

#[derive(Template)]
#[template(path = "device/timeline.html")]
struct TimelinePage {
    frame: Frame,
    head: Head,
    messages: Vec<MessageLine>,
}

/// A message as a line.
pub(super) struct MessageLine {
    pub(super) message: MessageRecord,
    pub(super) at: Moment,
    pub(super) text: String,
}

pub(crate) async fn show(State(app): State<App>, Name(id): Name, By(caller): By) -> Page {
    let Begun { frame, head, .. } = Begun::with(&app, &caller, &id, Tab::Timeline).await?;
    let device = Some(head.device.names.id.clone());
    let filter = MessageFilter { device, limit: SHOWN, ..MessageFilter::default() };
    let messages = app.hub.messages(filter).await?;
    let line = |message| message_line(message, TEXT_SHOWN_CHARS);
    render(&TimelinePage { frame, head, messages: messages.into_iter().map(line).collect() })
}

/// A message with as much of its text as asked for.
pub(super) fn message_line(message: MessageRecord, most: usize) -> MessageLine {
    let at = Moment::at(message.at);
    if message.pruned {
        let text = format!("({} bytes, removed as they were old)", message.size);
        return MessageLine { message, at, text };
    }
    let text = String::from_utf8_lossy(&message.raw);
    let mut shown: String = text.chars().take(most).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    MessageLine { message, at, text: shown }
}
