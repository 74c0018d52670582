//! The one table of routes: method, path, and the least role that may call it.

mod house;
mod making;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
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
    handler: MethodRouter<App>,
    /// Describes the call; hardly anybody asks, and all descriptions together are large.
    describe: Option<fn() -> Described>,
}

/// What stands at a handler about the call.
pub(crate) struct Described {
    /// The method and the path that stand at the handler: those of its row.
    stands_at: Vec<(&'static str, String)>,
    /// What it takes and gives.
    pub(crate) operation: Operation,
    /// The shapes it speaks of.
    pub(crate) schemas: Vec<(String, RefOr<Schema>)>,
}

/// A call of the API: its handler, and how to describe it.
macro_rules! call {
    ($($handler:ident)::+) => {
        Handler { route: |method| on(method, $($handler)::+), describe: || routes!($($handler)::+).into() }
    };
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
        bare("GET", "/health/live", open, get(health::live)),
        bare("GET", "/health/ready", open, get(health::ready)),
        local("GET", "/metrics", viewer, get(metrics::show)),
        api("GET", "/api/v1/server", viewer, call!(health::server)).house(),
        api("GET", "/api/v1/openapi.json", open, call!(describe::show)),
        api("POST", "/api/v1/auth/register", open, call!(registration::register)),
        api("POST", "/api/v1/auth/login", open, call!(sign_in::login)),
        api("POST", "/api/v1/auth/refresh", open, call!(sign_in::refresh)),
        api("POST", "/api/v1/auth/logout", viewer, call!(sign_in::logout)),
        api("GET", "/api/v1/me", viewer, call!(account::me)),
        api("PATCH", "/api/v1/me/password", viewer, call!(account::password)),
        api("GET", "/api/v1/sessions", viewer, call!(account::sessions)),
        api("DELETE", "/api/v1/sessions", viewer, call!(account::end_sessions)),
        api("DELETE", "/api/v1/sessions/{id}", viewer, call!(account::end_session)),
    ]
}

/// Devices, what is said to them and what they say.
fn equipment() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/devices", viewer, call!(devices::list)),
        api("POST", "/api/v1/devices", operator, call!(devices::create)),
        api("GET", "/api/v1/devices/{id}", viewer, call!(devices::show)),
        api("PATCH", "/api/v1/devices/{id}", operator, call!(devices::edit)),
        api("DELETE", "/api/v1/devices/{id}", operator, call!(devices::forget)),
        api("POST", "/api/v1/devices/{id}/adopt", operator, call!(devices::adopt)),
        api("POST", "/api/v1/devices/{id}/block", operator, call!(devices::block)),
        api("POST", "/api/v1/devices/{id}/rotate", operator, call!(secrets::rotate)),
        api("POST", "/api/v1/devices/{id}/revoke", operator, call!(secrets::revoke)),
        api("GET", "/api/v1/devices/{id}/access", viewer, call!(access::show)),
        api("PUT", "/api/v1/devices/{id}/shares/{user}", operator, call!(access::share)),
        api("DELETE", "/api/v1/devices/{id}/shares/{user}", viewer, call!(access::unshare)),
        api("POST", "/api/v1/devices/{id}/transfer", operator, call!(access::give)),
        api("GET", "/api/v1/devices/{id}/commands", viewer, call!(commands::list)),
        api("POST", "/api/v1/devices/{id}/commands", operator, call!(commands::queue)),
        api("POST", "/api/v1/commands", operator, call!(calls::call)),
        api("GET", "/api/v1/commands/{id}", viewer, call!(commands::show)),
        api("POST", "/api/v1/commands/{id}/cancel", operator, call!(commands::cancel)),
        api("POST", "/api/v1/devices/{id}/calibration", operator, call!(calibration::calibrate)),
        api("GET", "/api/v1/devices/{id}/transfers", viewer, call!(transfers::list_of)),
        api("POST", "/api/v1/devices/{id}/transfers", operator, call!(transfers::send)).house(),
        api("GET", "/api/v1/transfers", viewer, call!(transfers::list)),
        api("GET", "/api/v1/transfers/{id}", viewer, call!(transfers::show)),
        api("POST", "/api/v1/transfers/{id}/abort", operator, call!(transfers::abort)),
        api("GET", "/api/v1/devices/{id}/series", viewer, call!(data::series)),
        api("GET", "/api/v1/devices/{id}/picture", viewer, call!(picture::show)),
        api("GET", "/api/v1/devices/{id}/data", viewer, call!(data::list)),
        api("GET", "/api/v1/devices/{id}/timeline", viewer, call!(timeline::list)),
        api("GET", "/api/v1/devices/{id}/days", viewer, call!(days::list)),
        api("GET", "/api/v1/devices/{id}/days/{day}", viewer, call!(days::download)),
        api("PUT", "/api/v1/days/{name}", operator, call!(days::import)).house(),
        api("GET", "/api/v1/devices/{id}/export.csv", viewer, call!(export::one)),
        api("GET", "/api/v1/devices/{id}/export.jsonl", viewer, call!(export::one_lines)),
        api("GET", "/api/v1/data", viewer, call!(data::all)),
        api("GET", "/api/v1/export.csv", viewer, call!(export::all)),
        api("GET", "/api/v1/export.jsonl", viewer, call!(export::all_lines)),
        api("GET", "/api/v1/stream", viewer, call!(stream::watch)),
        api("GET", "/api/v1/dictionaries", viewer, call!(dictionaries::list)).house(),
        api("GET", "/api/v1/templates", viewer, call!(templates::list)).house(),
        api("PUT", "/api/v1/templates", operator, call!(templates::put)).house(),
        api("GET", "/api/v1/schedules", viewer, call!(schedules::list)),
        api("POST", "/api/v1/schedules", operator, call!(schedules::create)),
        api("GET", "/api/v1/schedules/{id}", viewer, call!(schedules::show)),
        api("PATCH", "/api/v1/schedules/{id}", operator, call!(schedules::edit)),
        api("DELETE", "/api/v1/schedules/{id}", operator, call!(schedules::remove)),
        api("GET", "/api/v1/messages", viewer, call!(messages::list)),
        api("GET", "/api/v1/messages/{seq}", viewer, call!(messages::show)),
        api("GET", "/api/v1/messages/{seq}/raw", viewer, call!(messages::raw)),
        api("GET", "/api/v1/files", viewer, call!(files::list)).house(),
        api("GET", "/api/v1/files/{name}", viewer, call!(files::show)).house(),
        api("PUT", "/api/v1/files/{name}", operator, call!(files::publish)).house(),
        api("POST", "/api/v1/files/{name}", operator, call!(files::publish_too)).house(),
        api("DELETE", "/api/v1/files/{name}", operator, call!(files::withdraw)).house(),
    ]
}

/// Rules, what they found, and who is told.
fn watching() -> Vec<Row> {
    let Needs { viewer, operator, admin, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/rules", viewer, call!(rules::list)),
        api("POST", "/api/v1/rules", operator, call!(rules::create)),
        api("POST", "/api/v1/rules/preview", operator, call!(rule_preview::show)),
        api("GET", "/api/v1/rules/{id}", viewer, call!(rules::show)),
        api("PATCH", "/api/v1/rules/{id}", operator, call!(rules::edit)),
        api("DELETE", "/api/v1/rules/{id}", operator, call!(rules::remove)),
        api("GET", "/api/v1/alerts", viewer, call!(alerts::list)),
        api("GET", "/api/v1/alerts/count", viewer, call!(alerts::count)),
        api("GET", "/api/v1/alerts/{id}", viewer, call!(alerts::show)),
        api("POST", "/api/v1/alerts/{id}/acknowledge", operator, call!(alerts::acknowledge)),
        api("POST", "/api/v1/alerts/{id}/mute", operator, call!(alerts::mute)),
        api("GET", "/api/v1/webhooks", operator, call!(webhooks::list)).house(),
        api("POST", "/api/v1/webhooks", admin, call!(webhooks::create)).house(),
        api("GET", "/api/v1/webhooks/{id}", operator, call!(webhooks::show)).house(),
        api("PATCH", "/api/v1/webhooks/{id}", admin, call!(webhooks::edit)).house(),
        api("DELETE", "/api/v1/webhooks/{id}", admin, call!(webhooks::remove)).house(),
        api("POST", "/api/v1/webhooks/{id}/rotate", admin, call!(webhooks::rotate)).house(),
        api("POST", "/api/v1/webhooks/{id}/test", admin, call!(webhooks::test)).house(),
        api("GET", "/api/v1/mail", admin, call!(mail::show)).house(),
        api("PUT", "/api/v1/mail", admin, call!(mail::put)).house(),
        api("DELETE", "/api/v1/mail", admin, call!(mail::remove)).house(),
        api("POST", "/api/v1/mail/test", admin, call!(mail::test)).house(),
        api("GET", "/api/v1/deliveries", admin, call!(webhooks::deliveries)).house(),
        api("GET", "/api/v1/deliveries/{id}", admin, call!(webhooks::delivery)).house(),
        api("POST", "/api/v1/deliveries/{id}/retry", admin, call!(webhooks::retry)).house(),
    ]
}

/// Sets of devices.
fn sets() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/groups", viewer, call!(groups::list)),
        api("POST", "/api/v1/groups", operator, call!(groups::create)),
        api("GET", "/api/v1/groups/{id}", viewer, call!(groups::show)),
        api("PATCH", "/api/v1/groups/{id}", operator, call!(groups::edit)),
        api("DELETE", "/api/v1/groups/{id}", operator, call!(groups::remove)),
        api("PUT", "/api/v1/groups/{id}/shares/{user}", operator, call!(groups::share)),
        api("DELETE", "/api/v1/groups/{id}/shares/{user}", viewer, call!(groups::unshare)),
    ]
}

/// Small nodes that upload and sleep.
fn nodes() -> Vec<Row> {
    let Needs { viewer, operator, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/tswarm/nodes", viewer, call!(tswarm::nodes)).house(),
        api("POST", "/api/v1/tswarm/nodes", operator, call!(tswarm::add)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/enable", operator, call!(tswarm::enable)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/disable", operator, call!(tswarm::disable)).house(),
        api("POST", "/api/v1/tswarm/nodes/{node}/revoke", operator, call!(tswarm::revoke)).house(),
        api("GET", "/api/v1/tswarm/holds", viewer, call!(tswarm::holds)).house(),
        api("POST", "/api/v1/tswarm/holds", operator, call!(tswarm::hold)).house(),
        api("DELETE", "/api/v1/tswarm/holds/{id}", operator, call!(tswarm::release)).house(),
        api("GET", "/api/v1/tswarm/rejected", operator, call!(tswarm::rejected)).house(),
    ]
}

/// People, tokens, and what went wrong.
fn administration() -> Vec<Row> {
    let Needs { viewer, operator, admin, .. } = NEEDS;
    vec![
        api("GET", "/api/v1/users", admin, call!(people::users)),
        api("POST", "/api/v1/users", admin, call!(people::add_user)),
        api("PATCH", "/api/v1/users/{id}", admin, call!(people::edit_user)),
        api("DELETE", "/api/v1/users/{id}", admin, call!(people::remove_user)),
        api("GET", "/api/v1/invites", admin, call!(registration::invites)),
        api("POST", "/api/v1/invites", admin, call!(registration::invite)),
        api("DELETE", "/api/v1/invites/{id}", admin, call!(registration::uninvite)),
        api("GET", "/api/v1/tokens", viewer, call!(tokens::tokens)),
        api("POST", "/api/v1/tokens", viewer, call!(tokens::create_token)),
        api("DELETE", "/api/v1/tokens/{id}", viewer, call!(tokens::revoke_token)),
        api("GET", "/api/v1/audit", admin, call!(audit::list)),
        api("GET", "/api/v1/captures", operator, call!(captures::list)).house(),
        api("GET", "/api/v1/captures/{id}", operator, call!(captures::show)).house(),
        api("GET", "/api/v1/listeners", viewer, call!(listeners::list)).house(),
        api("POST", "/api/v1/listeners/{name}/open", admin, call!(listeners::open)).house(),
        api("POST", "/api/v1/listeners/{name}/close", admin, call!(listeners::close)).house(),
        api("GET", "/api/v1/recording", viewer, call!(recording::list)).house(),
        api("POST", "/api/v1/recording/{family}/pause", operator, call!(recording::pause)).house(),
        api("POST", "/api/v1/recording/{family}/resume", operator, call!(recording::resume)).house(),
        api("GET", "/api/v1/demo", viewer, call!(demo::list)).house(),
        api("POST", "/api/v1/demo/{kind}/start", operator, call!(demo::start)).house(),
        api("POST", "/api/v1/demo/{kind}/pause", operator, call!(demo::pause)).house(),
        api("POST", "/api/v1/demo/{kind}/stop", operator, call!(demo::stop)).house(),
        api("GET", "/api/v1/handshakes", viewer, call!(handshakes::list)).house(),
        api("GET", "/api/v1/backup", admin, call!(backup::download)).house(),
        api("GET", "/api/v1/ledger/check", admin, call!(ledger::check)).house(),
    ]
}

/// What people look at.
fn pages() -> Vec<Row> {
    let Needs { open, viewer, operator, admin } = NEEDS;
    vec![
        bare("GET", "/assets/{name}", open, get(assets::serve)),
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

/// A call of the API: `call!(resource::handler)`.
fn api(method: &'static str, path: &'static str, need: Option<Role>, handler: Handler) -> Row {
    let Handler { route, describe } = handler;
    let permit = Permit { method, path, need, page: false, local: false, house: false };
    Row { describe: Some(describe), ..Row::new(permit, route(filter(method))) }
}

/// A call that is not described: it is no part of the API.
fn bare(method: &'static str, path: &'static str, need: Option<Role>, handler: MethodRouter<App>) -> Row {
    Row::new(Permit { method, path, need, page: false, local: false, house: false }, handler)
}

fn local(method: &'static str, path: &'static str, need: Option<Role>, handler: MethodRouter<App>) -> Row {
    Row::new(Permit { method, path, need, page: false, local: true, house: true }, handler)
}

fn page(method: &'static str, path: &'static str, need: Option<Role>, handler: MethodRouter<App>) -> Row {
    Row::new(Permit { method, path, need, page: true, local: false, house: false }, handler)
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "PUT" => MethodFilter::PUT,
        "POST" => MethodFilter::POST,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

/// What carries a call out, and what describes it.
#[derive(Clone, Copy)]
struct Handler {
    route: fn(MethodFilter) -> MethodRouter<App>,
    describe: fn() -> Described,
}

impl From<UtoipaMethodRouter<App>> for Described {
    fn from((schemas, paths, _): UtoipaMethodRouter<App>) -> Self {
        let mut stands_at = Vec::new();
        let mut operation = Operation::new();
        for (path, item) in paths.paths {
            let found = [
                ("GET", item.get),
                ("PUT", item.put),
                ("POST", item.post),
                ("DELETE", item.delete),
                ("PATCH", item.patch),
            ];
            for (method, found) in found {
                if let Some(found) = found {
                    stands_at.push((method, path.clone()));
                    operation = found;
                }
            }
        }
        Self { stands_at, operation, schemas }
    }
}

impl Row {
    /// The same, for whoever sees the house.
    fn house(mut self) -> Self {
        self.permit.house = true;
        self
    }

    fn new(mut permit: Permit, handler: MethodRouter<App>) -> Self {
        // What is for administrators concerns the house: none of it is for a token of some devices.
        permit.house |= permit.need == Some(Role::Admin);
        Self { permit, handler, describe: None }
    }

    /// Who may call it.
    pub(crate) fn permit(&self) -> Permit {
        self.permit
    }

    /// What it takes and gives, made for the asker.
    pub(crate) fn described(&self) -> Option<Described> {
        let described = self.describe.map(|describe| describe())?;
        debug_assert!(
            described.stands_at == [(self.permit.method, self.permit.path.to_owned())],
            "another call stands at the handler of {} {}",
            self.permit.method,
            self.permit.path
        );
        Some(described)
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
