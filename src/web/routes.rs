//! The one table of routes: method, path, and the least role that may call it.

mod house;
mod making;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::UtoipaMethodRouter;
use utoipa_axum::routes;

use super::App;
use super::api::{
    access, account, alerts, audit, backup, calibration, calls, captures, commands, data, days, demo,
    devices, dictionaries, export, files, groups, handshakes, health, ledger, listeners, mail, messages,
    metrics, people, picture, recording, registration, rule_preview, rules, schedules, secrets, sign_in,
    stream, templates, timeline, tokens, transfers, tswarm, webhooks,
};
use super::auth::Proof;
use super::deed::Deed;
use super::describe;
use super::error::WebError;
use super::page::{self, assets, login, pullform, send, status};
use crate::core::{AccountFault, Caller};
use crate::http::Peer;
use crate::model::Role;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The method, as sent.
    pub method: &'static str,
    /// The path; `{…}` stands for one piece of it.
    pub path: &'static str,
    /// The least role that may call it; `None` is everybody.
    pub need: Option<Role>,
    /// Whether people look at it: it carries security headers and leads to the sign-in.
    pub page: bool,
    /// Whether a program on this machine may call it without signing in.
    pub local: bool,
    /// Whether it concerns the whole house: only for whoever sees the house.
    pub house: bool,
}

/// One route.
pub(crate) struct Row {
    permit: Permit,
    described: Option<Described>,
    handler: MethodRouter<App>,
}

/// What stands at a handler about the call.
pub(crate) struct Described {
    /// The methods and the path that stand at the handler: those of its row.
    stands_at: Vec<(&'static str, String)>,
    /// What it takes and gives.
    pub(crate) operation: Operation,
    /// The shapes it speaks of.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

/// Every route there is.
pub(crate) fn table() -> Vec<Row> {
    [
        operations(),
        equipment(),
        sets(),
        watching(),
        nodes(),
        administration(),
        pages(),
        house::pages(),
        making::pages(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The least roles, by the names the rows use.
struct Needs {
    open: Option<Role>,
    viewer: Option<Role>,
    operator: Option<Role>,
    admin: Option<Role>,
}

const NEEDS: Needs = Needs {
    open: None,
    viewer: Some(Role::Viewer),
    operator: Some(Role::Operator),
    admin: Some(Role::Admin),
};

/// For whoever watches over the server, and for signing in.
fn operations() -> Vec<Row> {
    let Needs { open, viewer, .. } = NEEDS;
    vec![
        api("GET", "/health/live", open, get(health::live)),
        api("GET", "/health/ready", open, get(health::ready)),
        local("GET", "/metrics", viewer, get(metrics::show)),
        api("GET", "/api/v1/server", viewer, routes!(health::server)).house(),
        api("GET", "/api/v1/openapi.json", open, routes!(describe::show)),
        api("POST", "/api/v1/auth/register", open, routes!(registration::register)),
        api("POST", "/api/v1/auth/login", open, routes!(sign_in::login)),
        api("POST", "/api/v1/auth/refresh", open, routes!(sign_in::refresh)),
        api("POST", "/api/v1/auth/logout", viewer, routes!(sign_in::logout)),
        api("GET", "/api/v1/me", viewer, routes!(account::me)),
        api("PATCH", "/api/v1/me/password", viewer, routes!(account::password)),
        api("GET", "/api/v1/sessions", viewer, routes!(account::sessions)),
        api("DELETE", "/api/v1/sessions", viewer, routes!(account::end_sessions)),
        api("DELETE", "/api/v1/sessions/{id}", viewer, routes!(account::end_session)),
    ]
}

/// Devices, what is said to them and what they say.
fn equipment() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/devices", viewer, routes!(devices::list)),
        api("POST", "/api/v1/devices", operator, routes!(devices::create)),
        api("GET", "/api/v1/devices/{id}", viewer, routes!(devices::show)),
        api("PATCH", "/api/v1/devices/{id}", operator, routes!(devices::edit)),
        api("DELETE", "/api/v1/devices/{id}", operator, routes!(devices::forget)),
        api("POST", "/api/v1/devices/{id}/adopt", operator, routes!(devices::adopt)),
        api("POST", "/api/v1/devices/{id}/block", operator, routes!(devices::block)),
        api("POST", "/api/v1/devices/{id}/rotate", operator, routes!(secrets::rotate)),
        api("POST", "/api/v1/devices/{id}/revoke", operator, routes!(secrets::revoke)),
        api("GET", "/api/v1/devices/{id}/access", viewer, routes!(access::show)),
        api("PUT", "/api/v1/devices/{id}/shares/{user}", operator, routes!(access::share)),
        api("DELETE", "/api/v1/devices/{id}/shares/{user}", viewer, routes!(access::unshare)),
        api("POST", "/api/v1/devices/{id}/transfer", operator, routes!(access::give)),
        api("GET", "/api/v1/devices/{id}/commands", viewer, routes!(commands::list)),
        api("POST", "/api/v1/devices/{id}/commands", operator, routes!(commands::queue)),
        api("POST", "/api/v1/commands", operator, routes!(calls::call)),
        api("GET", "/api/v1/commands/{id}", viewer, routes!(commands::show)),
        api("POST", "/api/v1/commands/{id}/cancel", operator, routes!(commands::cancel)),
        api("POST", "/api/v1/devices/{id}/calibration", operator, routes!(calibration::calibrate)),
        api("GET", "/api/v1/devices/{id}/transfers", viewer, routes!(transfers::list_of)),
        api("POST", "/api/v1/devices/{id}/transfers", operator, routes!(transfers::send)).house(),
        api("GET", "/api/v1/transfers", viewer, routes!(transfers::list)),
        api("GET", "/api/v1/transfers/{id}", viewer, routes!(transfers::show)),
        api("POST", "/api/v1/transfers/{id}/abort", operator, routes!(transfers::abort)),
        api("GET", "/api/v1/devices/{id}/series", viewer, routes!(data::series)),
        api("GET", "/api/v1/devices/{id}/picture", viewer, routes!(picture::show)),
        api("GET", "/api/v1/devices/{id}/data", viewer, routes!(data::list)),
        api("GET", "/api/v1/devices/{id}/timeline", viewer, routes!(timeline::list)),
        api("GET", "/api/v1/devices/{id}/days", viewer, routes!(days::list)),
        api("GET", "/api/v1/devices/{id}/days/{day}", viewer, routes!(days::download)),
        api("PUT", "/api/v1/days/{name}", operator, routes!(days::import)).house(),
        api("GET", "/api/v1/devices/{id}/export.csv", viewer, routes!(export::one)),
        api("GET", "/api/v1/devices/{id}/export.jsonl", viewer, routes!(export::one_lines)),
        api("GET", "/api/v1/data", viewer, routes!(data::all)),
        api("GET", "/api/v1/export.csv", viewer, routes!(export::all)),
        api("GET", "/api/v1/export.jsonl", viewer, routes!(export::all_lines)),
        api("GET", "/api/v1/stream", viewer, routes!(stream::watch)),
        api("GET", "/api/v1/dictionaries", viewer, routes!(dictionaries::list)).house(),
        api("GET", "/api/v1/templates", viewer, routes!(templates::list)).house(),
        api("PUT", "/api/v1/templates", operator, routes!(templates::put)).house(),
        api("GET", "/api/v1/schedules", viewer, routes!(schedules::list)),
        api("POST", "/api/v1/schedules", operator, routes!(schedules::create)),
        api("GET", "/api/v1/schedules/{id}", viewer, routes!(schedules::show)),
        api("PATCH", "/api/v1/schedules/{id}", operator, routes!(schedules::edit)),
        api("DELETE", "/api/v1/schedules/{id}", operator, routes!(schedules::remove)),
        api("GET", "/api/v1/messages", viewer, routes!(messages::list)),
        api("GET", "/api/v1/messages/{seq}", viewer, routes!(messages::show)),
        api("GET", "/api/v1/messages/{seq}/raw", viewer, routes!(messages::raw)),
        api("GET", "/api/v1/files", viewer, routes!(files::list)).house(),
        api("GET", "/api/v1/files/{name}", viewer, routes!(files::show)).house(),
        api("PUT", "/api/v1/files/{name}", operator, routes!(files::publish)).house(),
        api("POST", "/api/v1/files/{name}", operator, routes!(files::publish_too)).house(),
        api("DELETE", "/api/v1/files/{name}", operator, routes!(files::withdraw)).house(),
    ]
}

/// Rules, what they found, and who is told.
fn watching() -> Vec<Row> {
    let Needs { viewer, operator, admin, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/rules", viewer, routes!(rules::list)),
        api("POST", "/api/v1/rules", operator, routes!(rules::create)),
        api("POST", "/api/v1/rules/preview", operator, routes!(rule_preview::show)),
        api("GET", "/api/v1/rules/{id}", viewer, routes!(rules::show)),
        api("PATCH", "/api/v1/rules/{id}", operator, routes!(rules::edit)),
        api("DELETE", "/api/v1/rules/{id}", operator, routes!(rules::remove)),
        api("GET", "/api/v1/alerts", viewer, routes!(alerts::list)),
        api("GET", "/api/v1/alerts/count", viewer, routes!(alerts::count)),
        api("GET", "/api/v1/alerts/{id}", viewer, routes!(alerts::show)),
        api("POST", "/api/v1/alerts/{id}/acknowledge", operator, routes!(alerts::acknowledge)),
        api("POST", "/api/v1/alerts/{id}/mute", operator, routes!(alerts::mute)),
        api("GET", "/api/v1/webhooks", operator, routes!(webhooks::list)).house(),
        api("POST", "/api/v1/webhooks", admin, routes!(webhooks::create)).house(),
        api("GET", "/api/v1/webhooks/{id}", operator, routes!(webhooks::show)).house(),
        api("PATCH", "/api/v1/webhooks/{id}", admin, routes!(webhooks::edit)).house(),
        api("DELETE", "/api/v1/webhooks/{id}", admin, routes!(webhooks::remove)).house(),
        api("POST", "/api/v1/webhooks/{id}/rotate", admin, routes!(webhooks::rotate)).house(),
        api("POST", "/api/v1/webhooks/{id}/test", admin, routes!(webhooks::test)).house(),
        api("GET", "/api/v1/mail", admin, routes!(mail::show)).house(),
        api("PUT", "/api/v1/mail", admin, routes!(mail::put)).house(),
        api("DELETE", "/api/v1/mail", admin, routes!(mail::remove)).house(),
        api("POST", "/api/v1/mail/test", admin, routes!(mail::test)).house(),
        api("GET", "/api/v1/deliveries", admin, routes!(webhooks::deliveries)).house(),
        api("GET", "/api/v1/deliveries/{id}", admin, routes!(webhooks::delivery)).house(),
        api("POST", "/api/v1/deliveries/{id}/retry", admin, routes!(webhooks::retry)).house(),
    ]
}

/// Sets of devices.
fn sets() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/groups", viewer, routes!(groups::list)),
        api("POST", "/api/v1/groups", operator, routes!(groups::create)),
        api("GET", "/api/v1/groups/{id}", viewer, routes!(groups::show)),
        api("PATCH", "/api/v1/groups/{id}", operator, routes!(groups::edit)),
        api("DELETE", "/api/v1/groups/{id}", operator, routes!(groups::remove)),
        api("PUT", "/api/v1/groups/{id}/shares/{user}", operator, routes!(groups::share)),
        api("DELETE", "/api/v1/groups/{id}/shares/{user}", viewer, routes!(groups::unshare)),
    ]
}

/// Small nodes that upload and sleep.
fn nodes() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/tswarm/nodes", viewer, routes!(tswarm::nodes)).house(),
        api("POST", "/api/v1/tswarm/nodes", operator, routes!(tswarm::add)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/enable", operator, routes!(tswarm::enable)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/disable", operator, routes!(tswarm::disable)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/revoke", operator, routes!(tswarm::revoke)).house(),
        api("GET", "/api/v1/tswarm/holds", viewer, routes!(tswarm::holds)).house(),
        api("POST", "/api/v1/tswarm/holds", operator, routes!(tswarm::hold)).house(),
        api("DELETE", "/api/v1/tswarm/holds/{id}", operator, routes!(tswarm::release)).house(),
        api("GET", "/api/v1/tswarm/rejected", operator, routes!(tswarm::rejected)).house(),
    ]
}

/// People, tokens, and what went wrong.
fn administration() -> Vec<Row> {
    let Needs { viewer, operator, admin, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/users", admin, routes!(people::users)),
        api("POST", "/api/v1/users", admin, routes!(people::add_user)),
        api("PATCH", "/api/v1/users/{id}", admin, routes!(people::edit_user)),
        api("DELETE", "/api/v1/users/{id}", admin, routes!(people::remove_user)),
        api("GET", "/api/v1/invites", admin, routes!(registration::invites)),
        api("POST", "/api/v1/invites", admin, routes!(registration::invite)),
        api("DELETE", "/api/v1/invites/{id}", admin, routes!(registration::uninvite)),
        api("GET", "/api/v1/tokens", viewer, routes!(tokens::tokens)),
        api("POST", "/api/v1/tokens", viewer, routes!(tokens::create_token)),
        api("DELETE", "/api/v1/tokens/{id}", viewer, routes!(tokens::revoke_token)),
        api("GET", "/api/v1/audit", admin, routes!(audit::list)),
        api("GET", "/api/v1/captures", operator, routes!(captures::list)).house(),
        api("GET", "/api/v1/captures/{id}", operator, routes!(captures::show)).house(),
        api("GET", "/api/v1/listeners", viewer, routes!(listeners::list)).house(),
        api("POST", "/api/v1/listeners/{name}/open", admin, routes!(listeners::open)).house(),
        api("POST", "/api/v1/listeners/{name}/close", admin, routes!(listeners::close)).house(),
        api("GET", "/api/v1/recording", viewer, routes!(recording::list)).house(),
        api("POST", "/api/v1/recording/{family}/pause", operator, routes!(recording::pause)).house(),
        api("POST", "/api/v1/recording/{family}/resume", operator, routes!(recording::resume)).house(),
        api("GET", "/api/v1/demo", viewer, routes!(demo::list)).house(),
        api("POST", "/api/v1/demo/{kind}/start", operator, routes!(demo::start)).house(),
        api("POST", "/api/v1/demo/{kind}/pause", operator, routes!(demo::pause)).house(),
        api("POST", "/api/v1/demo/{kind}/stop", operator, routes!(demo::stop)).house(),
        api("GET", "/api/v1/handshakes", viewer, routes!(handshakes::list)).house(),
        api("GET", "/api/v1/backup", admin, routes!(backup::download)).house(),
        api("GET", "/api/v1/ledger/check", admin, routes!(ledger::check)).house(),
    ]
}

/// What people look at.
fn pages() -> Vec<Row> {
    let Needs { open, viewer, operator, admin } = NEEDS;
    vec![
        api("GET", "/assets/{name}", open, get(assets::serve)),
        page("GET", "/api/docs", open, get(page::api::show)),
        page("GET", "/login", open, get(login::form)),
        page("POST", "/login", open, post(login::submit)),
        page("GET", "/register", open, get(login::newcomer)),
        page("POST", "/register", open, post(login::register)),
        page("POST", "/logout", open, post(login::leave)),
        page("GET", "/", viewer, get(page::dashboard::show)),
        page("GET", "/new", operator, get(page::newcomers::show)).house(),
        page("POST", "/new", operator, post(page::newcomers::decide)).house(),
        page("POST", "/devices", operator, post(page::actions::create)).house(),
        page("GET", "/devices/{id}", viewer, get(page::device::overview::show)),
        page("GET", "/devices/{id}/commands", viewer, get(page::device::commands::show)),
        page("GET", "/devices/{id}/timeline", viewer, get(page::device::timeline::show)),
        page("GET", "/devices/{id}/settings", viewer, get(page::device::settings::show)),
        page("POST", "/devices/{id}/adopt", operator, post(page::actions::adopt)),
        page("POST", "/devices/{id}/block", operator, post(page::actions::block)),
        page("POST", "/devices/{id}/commands", operator, post(page::actions::queue)),
        page("POST", "/commands/{id}/cancel", operator, post(page::actions::cancel)),
        page("POST", "/devices/{id}/transfers", operator, post(page::transfers::send)).house(),
        page("POST", "/transfers/{id}/abort", operator, post(page::transfers::abort)),
        page("GET", "/commands", operator, get(page::command::show)),
        page("POST", "/commands", operator, post(page::command::submit)),
        page("GET", "/send", operator, get(send::form)),
        page("POST", "/send", operator, post(send::submit)),
        page("GET", "/status", viewer, get(status::show)).house(),
        page("POST", "/status/recording/{family}/pause", operator, post(status::pause)).house(),
        page("POST", "/status/recording/{family}/resume", operator, post(status::resume)).house(),
        page("POST", "/status/listeners/{name}/open", admin, post(status::open)).house(),
        page("POST", "/status/listeners/{name}/close", admin, post(status::close)).house(),
        page("GET", "/pullform", operator, get(pullform::form)).house(),
        page("POST", "/pullform", operator, post(pullform::submit)).house(),
    ]
}

/// A call of the API, with its description: `routes!(resource::handler)`.
fn api(method: &'static str, path: &'static str, need: Option<Role>, handler: impl Into<Handler>) -> Row {
    Row::new(Permit { method, path, need, page: false, local: false, house: false }, handler.into())
}

fn local(method: &'static str, path: &'static str, need: Option<Role>, handler: impl Into<Handler>) -> Row {
    Row::new(Permit { method, path, need, page: false, local: true, house: true }, handler.into())
}

fn page(method: &'static str, path: &'static str, need: Option<Role>, handler: MethodRouter<App>) -> Row {
    Row::new(Permit { method, path, need, page: true, local: false, house: false }, handler.into())
}

/// What carries a call out, with its description where it has one.
struct Handler {
    described: Option<Described>,
    handler: MethodRouter<App>,
}

impl From<MethodRouter<App>> for Handler {
    fn from(handler: MethodRouter<App>) -> Self {
        Self { described: None, handler }
    }
}

impl From<UtoipaMethodRouter<App>> for Handler {
    fn from((schemas, paths, handler): UtoipaMethodRouter<App>) -> Self {
        let mut stands_at = Vec::new();
        let mut operation = None;
        for (path, item) in paths.paths {
            let found = [
                ("GET", item.get),
                ("PUT", item.put),
                ("POST", item.post),
                ("DELETE", item.delete),
                ("PATCH", item.patch),
            ];
            for (method, found) in found {
                stands_at.extend(found.as_ref().map(|_| (method, path.clone())));
                operation = operation.or(found);
            }
        }
        let described = operation.map(|operation| Described { stands_at, operation, schemas });
        Self { described, handler }
    }
}

impl Row {
    /// The same, for whoever sees the house.
    fn house(mut self) -> Self {
        self.permit.house = true;
        self
    }

    fn new(mut permit: Permit, Handler { described, handler }: Handler) -> Self {
        // What is for administrators concerns the house: none of it is for a token of some devices.
        permit.house |= permit.need == Some(Role::Admin);
        debug_assert!(
            described
                .iter()
                .all(|described| described.stands_at == [(permit.method, permit.path.to_owned())]),
            "another call stands at the handler of {} {}",
            permit.method,
            permit.path
        );
        Self { permit, described, handler }
    }

    /// Who may call it.
    pub(crate) fn permit(&self) -> Permit {
        self.permit
    }

    /// What it takes and gives.
    pub(crate) fn described(&self) -> Option<&Described> {
        self.described.as_ref()
    }

    /// Adds the route with its guard; there is no other way into the router.
    pub(crate) fn mount(self, router: Router<App>, app: &App) -> Router<App> {
        let guard = Guard { app: app.clone(), permit: self.permit };
        let guarded = self.handler.route_layer(middleware::from_fn_with_state(guard, admit));
        router.route(self.permit.path, guarded)
    }
}

#[derive(Clone)]
struct Guard {
    app: App,
    permit: Permit,
}

/// Finds out who calls, and lets in whoever may. What changes something is written down when it is over, and is not begun
/// while the audit log cannot be written.
async fn admit(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let hub = &guard.app.hub;
    let caller = match Proof::of(&request).caller(hub).await {
        Ok(caller) => caller,
        Err(error) => return guard.refuse(&request, &error.into()),
    };
    let deed = Deed::begin(hub, &guard.permit, &mut request, caller.as_ref());
    let mut refused = guard.judge(&request, caller.as_ref()).err();
    if refused.is_none()
        && deed.is_some()
        && let Err(error) = hub.audit_is_whole().await
    {
        refused = Some(error.into());
    }
    let mut response = if let Some(error) = &refused {
        guard.refuse(&request, error)
    } else {
        if let Some(caller) = caller.clone() {
            request.extensions_mut().insert(caller);
        }
        next.run(request).await
    };
    if let Some(entry) = deed.and_then(|deed| deed.end(refused.as_ref(), &response))
        && let Err(error) = hub.audited(entry).await
    {
        let error = WebError::from(error);
        response = if guard.permit.page { page::failed(&error) } else { error.into_response() };
    }
    if guard.permit.page {
        page::secure(&mut response);
        if let Some(caller) = &caller {
            response = page::framed(response, &guard.app, caller).await;
        }
    }
    response
}

/// Whether a program on this machine asks for itself. What a proxy on this machine passes on is a stranger's.
fn is_local(request: &Request) -> bool {
    let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|peer| peer.ip().is_loopback())
        && !passed_on.iter().any(|name| request.headers().contains_key(*name))
}

impl Guard {
    /// Whether the caller may.
    fn judge(&self, request: &Request, caller: Option<&Caller>) -> Result<(), WebError> {
        if self.permit.local && is_local(request) {
            return Ok(());
        }
        if let Some(need) = self.permit.need {
            let role = caller.map(|caller| caller.role).ok_or(WebError::SignIn)?;
            if role < need {
                return Err(WebError::Role(need));
            }
            if need == Role::Admin && caller.is_some_and(|caller| !caller.is_unbounded()) {
                return Err(WebError::Hub(AccountFault::ScopeTooSmall.into()));
            }
        }
        if self.permit.house && caller.is_some_and(|caller| !self.app.hub.sight(caller).house()) {
            return Err(WebError::House);
        }
        Ok(())
    }

    fn refuse(&self, request: &Request, error: &WebError) -> Response {
        if !self.permit.page {
            return error.answer();
        }
        if matches!(error, WebError::SignIn) { login::lead_to(request) } else { page::failed(error) }
    }
}
