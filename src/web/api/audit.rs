//! The audit log, for administrators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Answer;
use crate::core::AuditFilter;
use crate::model::{AuditEntry, DeviceId};
use crate::web::App;
use crate::web::describe::params::{Paged, Span};
use crate::web::params::{Listed, Params};

/// A row with its number.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRow)]
pub(crate) struct Item {
    /// Grows from row to row.
    id: i64,
    #[serde(flatten)]
    entry: AuditEntry,
}

/// Who did what, or was refused it, the newest first.
#[utoipa::path(get, path = "/api/v1/audit",
    params(
        ("who" = Option<String>, Query, description = "a user's name", example = "admin"),
        ("what" = Option<String>, Query, description = "the word for what was done", example = "device.edit"),
        ("device" = Option<String>, Query, description = "a device's id, also of one that was forgotten"),
        Span, Paged,
    ),
    responses((status = 200, body = Listed<Item>)))]
pub(crate) async fn list(State(app): State<App>, params: Params) -> Answer<Listed<Item>> {
    let limit = params.limit()?;
    let (from, to) = params.span()?;
    let filter = AuditFilter {
        who: params.text("who").map(str::to_owned),
        what: params.text("what").map(str::to_owned),
        device: params.text("device").map(DeviceId::new),
        from,
        to,
        before: params.cursor::<i64>()?,
        limit: limit + 1,
    };
    let rows = app.hub.audit_log(filter).await?;
    Ok(Json(Listed::page(rows, limit, |(id, _)| *id, |(id, entry)| Item { id, entry })))
}
