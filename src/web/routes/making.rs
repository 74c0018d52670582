//! Pages of whoever brings devices in: adding one, setting it up, trying things out, taking data away.

use axum::routing::{get, post};

use super::{NEEDS, Needs, Row, page as row};
use crate::web::page::device::settings::{change, secret};
use crate::web::page::{add, demo, download};

pub(super) fn pages() -> Vec<Row> {
    let Needs { open, viewer, operator, .. } = NEEDS;
    vec![
        row("POST", "/devices/{id}/rename", operator, post(change::rename)),
        row("POST", "/devices/{id}/config", operator, post(change::config)),
        row("POST", "/devices/{id}/tag", operator, post(change::tag)),
        row("POST", "/devices/{id}/group", operator, post(change::group)),
        row("POST", "/devices/{id}/share", operator, post(change::share)),
        row("POST", "/devices/{id}/unshare", operator, post(change::unshare)),
        row("POST", "/devices/{id}/transfer", operator, post(change::transfer)),
        row("POST", "/devices/{id}/rotate", operator, post(secret::rotate)),
        row("POST", "/devices/{id}/revoke", operator, post(secret::revoke)),
        row("POST", "/devices/{id}/forget", operator, post(change::forget)),
        row("GET", "/download", viewer, get(download::show)),
        row("GET", "/download/data", viewer, get(download::lead)),
        row("GET", "/add", operator, get(add::show)),
        row("GET", "/add/root.pem", open, get(add::root)),
        row("GET", "/add/gauge", operator, get(add::token::gauge)),
        row("POST", "/add/gauge", operator, post(add::token::make_gauge)),
        row("GET", "/add/token", operator, get(add::token::any)),
        row("POST", "/add/token", operator, post(add::token::make_any)),
        row("GET", "/add/tswarm", operator, get(add::tswarm::show)).house(),
        row("POST", "/add/tswarm", operator, post(add::tswarm::make)).house(),
        row("GET", "/add/{kind}", operator, get(add::address::show)).house(),
        row("POST", "/add/{kind}", operator, post(add::address::make)).house(),
        row("GET", "/demo", operator, get(demo::show)).house(),
        row("POST", "/demo/{kind}/start", operator, post(demo::start)).house(),
        row("POST", "/demo/{kind}/pause", operator, post(demo::pause)).house(),
        row("POST", "/demo/{kind}/stop", operator, post(demo::stop)).house(),
    ]
}
