//! The ledger's check, for administrators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Answer;
use crate::web::App;

/// What a walk over the whole ledger found.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = LedgerCheck)]
pub(crate) struct Check {
    entries: i64,
    faults: Vec<String>,
}

/// Checks the whole ledger.
#[utoipa::path(get, path = "/api/v1/ledger/check",
    responses((status = 200, body = Check)))]
pub(crate) async fn check(State(app): State<App>) -> Answer<Check> {
    let found = app.hub.audit(&mut |_| {}).await?;
    Ok(Json(Check { entries: found.entries, faults: found.faults.iter().map(ToString::to_string).collect() }))
}
