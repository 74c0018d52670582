//! Pages of the house: alerts and who is told, people and what they may do.

use axum::routing::{get, post};

use super::{NEEDS, Needs, Row, page as row};
use crate::web::page::{account, alerts, audit, deliveries, publish, published, receivers, rules, users};

pub(super) fn pages() -> Vec<Row> {
    let Needs { viewer, operator, admin, .. } = NEEDS;
    vec![
        row("GET", "/alerts", viewer, get(alerts::show)),
        row("POST", "/alerts/{id}/acknowledge", operator, post(alerts::acknowledge)),
        row("POST", "/alerts/{id}/mute", operator, post(alerts::mute)),
        row("GET", "/rules", viewer, get(rules::list)),
        row("GET", "/rules/new", operator, get(rules::fresh)),
        row("POST", "/rules/new", operator, post(rules::create)),
        row("GET", "/rules/{id}", viewer, get(rules::show)),
        row("POST", "/rules/{id}", operator, post(rules::edit)),
        row("POST", "/rules/{id}/remove", operator, post(rules::remove)),
        row("GET", "/receivers", operator, get(receivers::show)).house(),
        row("POST", "/receivers/mail", admin, post(receivers::set_mail)).house(),
        row("POST", "/receivers/mail/test", admin, post(receivers::test_mail)).house(),
        row("POST", "/receivers/mail/remove", admin, post(receivers::remove_mail)).house(),
        row("POST", "/receivers/webhooks", admin, post(receivers::make_hook)).house(),
        row("POST", "/receivers/webhooks/{id}", admin, post(receivers::edit_hook)).house(),
        row("POST", "/receivers/webhooks/{id}/test", admin, post(receivers::test_hook)).house(),
        row("POST", "/receivers/webhooks/{id}/rotate", admin, post(receivers::rotate_hook)).house(),
        row("POST", "/receivers/webhooks/{id}/remove", admin, post(receivers::remove_hook)).house(),
        row("GET", "/deliveries", admin, get(deliveries::show)).house(),
        row("POST", "/deliveries/{id}/retry", admin, post(deliveries::retry)).house(),
        row("GET", "/account", viewer, get(account::show)),
        row("POST", "/account/password", viewer, post(account::password)),
        row("POST", "/account/sessions/end", viewer, post(account::end_sessions)),
        row("POST", "/account/sessions/{id}/end", viewer, post(account::end_session)),
        row("POST", "/account/tokens", viewer, post(account::make_token)),
        row("POST", "/account/tokens/{id}/revoke", viewer, post(account::revoke_token)),
        row("GET", "/users", admin, get(users::list)),
        row("POST", "/users", admin, post(users::add)),
        row("POST", "/users/invites", admin, post(users::invite)),
        row("POST", "/users/invites/{id}/remove", admin, post(users::uninvite)),
        row("GET", "/users/{id}", admin, get(users::show)),
        row("POST", "/users/{id}", admin, post(users::edit)),
        row("POST", "/users/{id}/password", admin, post(users::password)),
        row("POST", "/users/{id}/sessions/end", admin, post(users::end_sessions)),
        row("POST", "/users/{id}/sessions/{name}/end", admin, post(users::end_session)),
        row("POST", "/users/{id}/tokens/{name}/revoke", admin, post(users::revoke_token)),
        row("POST", "/users/{id}/remove", admin, post(users::remove)),
        row("GET", "/published", viewer, get(published::show)).house(),
        row("POST", "/published/upload", operator, post(publish::upload)).house(),
        row("POST", "/published/{name}/remove", operator, post(published::remove)).house(),
        row("GET", "/audit", admin, get(audit::show)),
    ]
}
