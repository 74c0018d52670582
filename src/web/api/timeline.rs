//! Everything about a device in one order, the newest first: messages, each with the values it brought, and what
//! became of commands and alerts.

mod changes;
mod read;
mod said;

use axum::Json;
use axum::extract::State;
use serde::Serialize;

pub(crate) use self::changes::{AlertChange, Change};
pub(crate) use self::read::{Happened, Kind, Told, Wanted, read};
use super::{Answer, device_for};
use crate::core::Level;
use crate::dictionary::Chosen;
use crate::model::{Direction, MessageRecord, Seq, Timestamp, Verdict};
use crate::web::App;
use crate::web::auth::By;
use crate::web::describe::params::{Paged, Span};
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};
use crate::web::shape::DatumShape;

/// One thing that happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineItem)]
pub(crate) struct Item {
    at: Timestamp,
    #[serde(flatten)]
    what: What,
}

/// What happened.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineWhat)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum What {
    /// A message came or left. Its bytes are at `/messages/{seq}/raw`.
    Message { message: Said },
    /// It brought a value.
    Value { datum: DatumShape },
    /// A value that says that something happened.
    Event { datum: DatumShape },
    /// A command changed its state.
    Command { command: Change },
    /// An alert fired, was over, or a person did something about it.
    Alert { alert: AlertChange },
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TimelineMessage)]
struct Said {
    seq: Seq,
    direction: Direction,
    verdict: Verdict,
    size: usize,
    peer: String,
}

/// Everything about a device in one order, the newest first.
#[utoipa::path(get, path = "/api/v1/devices/{id}/timeline",
    params(
        ("kind" = Option<String>, Query, description = "some of message,value,event,command,alert", example = "command"),
        Span, Paged,
    ),
    responses((status = 200, body = Listed<Item>)))]
pub(crate) async fn list(
    State(app): State<App>,
    Name(id): Name,
    By(caller): By,
    params: Params,
) -> Answer<Listed<Item>> {
    let device = device_for(&app, &caller, &id, Level::View)?;
    let sight = app.hub.sight(&caller);
    let chosen = app.meanings(&device.names);
    let wanted = Wanted {
        device: device.names.id,
        kinds: kinds(&params)?,
        span: params.span()?,
        place: params.cursor()?.unwrap_or_default(),
        limit: params.limit()?,
    };
    let limit = wanted.limit;
    let (told, resume) = read(&app.hub, &sight, &chosen, wanted).await?;
    let listed =
        Listed::page(told, limit, |(place, _)| place.clone(), |(_, happened)| item(&chosen, happened));
    Ok(Json(listed.or_resume(resume)))
}

/// The kinds that a query asks for; none named means all.
pub(crate) fn kinds(params: &Params) -> Result<Vec<Kind>, WebError> {
    let words = params.texts("kind").flat_map(|text| text.split(','));
    let kinds = words.map(|word| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == word.trim());
        kind.ok_or_else(|| {
            WebError::field("kind", "kind is one or more of message, value, event, command, alert")
        })
    });
    let kinds: Vec<Kind> = kinds.collect::<Result<_, _>>()?;
    Ok(if kinds.is_empty() { Kind::ALL.to_vec() } else { kinds })
}

fn item(chosen: &Chosen, Happened { at, told }: Happened) -> Item {
    let what = match told {
        Told::Message(message) => What::Message { message: said(message) },
        Told::Value(datum) => What::Value { datum: DatumShape::new(chosen, datum) },
        Told::Event(datum) => What::Event { datum: DatumShape::new(chosen, datum) },
        Told::Command(command) => What::Command { command },
        Told::Alert(alert) => What::Alert { alert },
    };
    Item { at, what }
}

fn said(message: MessageRecord) -> Said {
    Said {
        seq: message.seq,
        direction: message.direction,
        verdict: message.verdict,
        size: message.size,
        peer: message.peer,
    }
}
