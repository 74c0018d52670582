//! Pages and API for people and scripts: one axum router, mounted behind the device table.
//!
//! Talks to the hub and to families through their trait; knows no store, no socket and no dialect's inside.

mod api;
mod auth;
mod code;
mod deed;
mod demo;
mod describe;
mod error;
mod leftover;
mod listeners;
mod page;
mod params;
mod routes;
mod shape;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse as _, Response};
use http::{Method, Uri};
use tokio_util::sync::CancellationToken;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use self::api::stream::{StreamLimits, Streams};
pub use self::code::Code;
pub use self::demo::{DemoKind, DemoNote, DemoState, DemoTurned, DemoWish, Demos, PERIOD as DEMO_PERIOD};
use self::error::WebError;
pub use self::listeners::{ListenerNote, ListenerTurned, Listeners};
pub use self::routes::Permit;
use crate::alert::Post;
use crate::core::{Hub, HubError, Sight};
use crate::dictionary::{Chosen, Shelf};
use crate::family::{Facts, Family, Template, templates};
use crate::http::BoxFuture;
use crate::model::{Device, DeviceId, DeviceRef, FamilyName};

/// Below these paths a body is taken piece by piece and may be as large as a file.
pub const UPLOADS: &[&str] = &["/api/v1/files/", "/api/v1/days/", "/published/upload"];

/// What an operator may set about pages and API.
#[derive(Clone, Default)]
pub struct WebSettings {
    /// Other origins whose pages may call with the session cookie, such as `https://panel.example`.
    pub trusted_origins: Vec<String>,
    /// What values are called and mean.
    pub dictionaries: Shelf,
    /// What answers `/metrics`; `None` serves none.
    pub metrics: Option<Metrics>,
    /// The server's certificates.
    pub certificates: Option<Certificates>,
    /// The listeners, to look at, to open and to close.
    pub listeners: Option<Arc<dyn Listeners>>,
    /// The demos, to start and to stop.
    pub demos: Option<Arc<dyn Demos>>,
    /// What delivers messages about alerts.
    pub post: Option<Post>,
    /// The URL at which devices reach the server, where its caller did not say another: `https://homeport.example:8443`.
    pub device_url: Option<String>,
    /// The names in the certificate.
    pub hosts: Vec<String>,
    /// The root certificate that devices trust, where the server is its own authority.
    pub root_certificate: Option<PathBuf>,
    /// How many streams of events may be open at a time; `None` is [`STREAMS_MAX`].
    pub streams_max: Option<usize>,
    /// The wish that what never ends by itself ends.
    pub stop: CancellationToken,
}

/// Streams of events that may be open at a time, unless an operator says otherwise.
pub const STREAMS_MAX: usize = 256;
/// Those of one user: a browser opens one a page.
const USER_STREAMS_MAX: usize = 64;

/// Looks up how long the server's certificates are good. May block.
pub type Certificates = Arc<dyn Fn() -> Vec<CertificateDays> + Send + Sync>;

/// One of the server's certificates.
#[derive(Clone, Debug, serde::Serialize, utoipa::ToSchema)]
pub struct CertificateDays {
    /// Its name among them: `root`, `rsa`, `ecdsa`, or `server` for one of the owner's.
    pub name: &'static str,
    /// Whose it is.
    pub subject: String,
    /// Names and addresses it is good for.
    pub names: Vec<String>,
    /// SHA-256, `AB:CD:…`.
    pub fingerprint: String,
    /// The end of its life.
    pub not_after: String,
    /// Whole days left; negative when it is over.
    pub days_left: i64,
    /// Why it cannot be read, if so.
    pub fault: Option<String>,
}

/// Looks up what the metrics tell, in Prometheus' text form.
pub type Metrics = Arc<dyn Fn() -> BoxFuture<'static, Result<String, HubError>> + Send + Sync>;

/// What every handler works with.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) hub: Hub,
    pub(crate) dictionaries: Shelf,
    families: Arc<[Arc<dyn Family>]>,
    metrics: Option<Metrics>,
    pub(crate) certificates: Option<Certificates>,
    listeners: Option<Arc<dyn Listeners>>,
    demos: Option<Arc<dyn Demos>>,
    pub(crate) post: Option<Post>,
    device_url: Option<Arc<str>>,
    pub(crate) hosts: Arc<[String]>,
    pub(crate) root_certificate: Option<Arc<std::path::Path>>,
    /// What the API describes itself as, once somebody has asked.
    description: Arc<OnceLock<bytes::Bytes>>,
    trusted_origins: Arc<[String]>,
    streams: Streams,
    stop: CancellationToken,
}

impl App {
    /// The dialect with a name.
    pub(crate) fn family(&self, name: &FamilyName) -> Option<&Arc<dyn Family>> {
        self.families.iter().find(|family| family.name() == *name)
    }

    /// What a device's values mean.
    pub(crate) fn meanings(&self, device: &DeviceRef) -> Chosen {
        let profile = self.family(&device.family).and_then(|family| family.profile(device));
        self.dictionaries.choose(device, profile.as_deref())
    }

    /// What a device's dialect knows of it beside its values.
    pub(crate) async fn facts(&self, device: &Device) -> Result<Facts, WebError> {
        match self.family(&device.names.family) {
            Some(family) => Ok(family.facts(&self.hub, device).await?),
            None => Ok(Facts::new()),
        }
    }

    /// What people call a device; its id, where there is no such device any more.
    pub(crate) fn device_name(&self, id: &DeviceId) -> String {
        self.hub.device(id).map_or_else(|| id.to_string(), |device| device.names.name)
    }

    /// The device behind which another one is, for whoever sees it.
    pub(crate) fn parent(&self, sight: &Sight, device: &Device) -> Option<Device> {
        device.parent.as_ref().filter(|id| sight.sees(id)).and_then(|id| self.hub.device(id))
    }

    /// The devices that somebody sees, by their names.
    pub(crate) fn devices_by_name(&self, sight: &Sight) -> Vec<Device> {
        let mut devices = self.hub.devices_now();
        devices.retain(|device| sight.sees(&device.names.id));
        devices.sort_by_cached_key(|device| device.names.name.to_lowercase());
        devices
    }

    /// Commands to start from in a dialect.
    pub(crate) async fn templates(&self, name: &FamilyName) -> Result<Vec<Template>, WebError> {
        match self.family(name) {
            Some(family) => Ok(templates::list(&self.hub, family.as_ref()).await?.0),
            None => Ok(Vec::new()),
        }
    }

    /// What the API describes itself as. Made when it is first asked for: on the way it takes 15 MiB, and few ask.
    pub(crate) fn description(&self) -> bytes::Bytes {
        self.description.get_or_init(|| describe::document(&routes::table()).into()).clone()
    }

    /// Every dialect's name, in the order of the list.
    pub(crate) fn family_names(&self) -> Vec<FamilyName> {
        self.families.iter().map(|family| family.name()).collect()
    }
}

/// The operator plane. Requests should carry a [`crate::http::Peer`] in their extensions; without one the
/// caller is a stranger from nowhere.
pub fn app(hub: Hub, families: Vec<Arc<dyn Family>>, settings: WebSettings) -> Router {
    let app = App {
        description: Arc::default(),
        hub,
        families: families.into(),
        dictionaries: settings.dictionaries,
        metrics: settings.metrics,
        certificates: settings.certificates,
        listeners: settings.listeners,
        demos: settings.demos,
        post: settings.post,
        device_url: settings.device_url.map(Arc::from),
        hosts: settings.hosts.into(),
        root_certificate: settings.root_certificate.map(Arc::from),
        trusted_origins: settings.trusted_origins.clone().into(),
        streams: Streams::new(StreamLimits {
            all_max: settings.streams_max.unwrap_or(STREAMS_MAX),
            user_max: USER_STREAMS_MAX,
        }),
        stop: settings.stop,
    };
    let mut csrf = CsrfLayer::new();
    for origin in &settings.trusted_origins {
        match csrf.clone().add_trusted_origin(origin) {
            Ok(more) => csrf = more,
            Err(error) => tracing::warn!(%origin, %error, "an origin that cannot be trusted is left out"),
        }
    }
    routes::table()
        .into_iter()
        .fold(Router::new(), |router, row| row.mount(router, &app))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(params::BODY_MAX_BYTES))
        .layer(csrf.with_rejection_response(|_: ProtectionError| WebError::CrossSite.into_response()))
        .layer(axum::middleware::from_fn(leftover::see_to))
        .with_state(app)
}

/// Every route with the least role that may call it: the table that the router itself is made of.
pub fn permits() -> Vec<Permit> {
    routes::table().iter().map(routes::Row::permit).collect()
}

async fn nothing_here(uri: Uri) -> Response {
    refuse(&uri, WebError::NotFound("page"))
}

async fn wrong_method(method: Method, uri: Uri) -> Response {
    tracing::debug!(%method, %uri, "method not taken");
    refuse(&uri, WebError::Method)
}

/// The answer in the asker's own language: JSON below `/api`, a page elsewhere.
fn refuse(uri: &Uri, error: WebError) -> Response {
    if uri.path().starts_with("/api/") { error.into_response() } else { page::failed(&error) }
}
