//! The composition root: puts the rooms together, once, and takes them apart in a written order.
//!
//! Start: data folder, control socket (a second server ends here), store, ports, certificates, hub, first
//! administrator, routes, accept loops. Stop: 1. stop accepting, 2. finish requests, 3. end the server's own
//! tasks, 4. drain the writer and close the store; all within `limits.shutdown_time_s`.

mod clients;
mod demo;
mod doors;
mod error;
mod first;
mod handshakes;
mod hosts;
mod issuer;
mod life;
mod listeners;
mod logs;
mod metrics;
mod notify;
mod retention;
mod revoked;
mod shares;
mod shelf;
mod sockets;
mod tokens;
mod upkeep;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::ServerError;
pub use life::run;
pub use listeners::closed_listeners;
pub use shelf::dictionaries;
pub use sockets::{control_path, is_running};
pub use upkeep::{backup, restore, verify_backup};

use crate::alert::{self, Post};
use crate::config::Config;
use crate::core::Hub;
use crate::family::{self, Family, schedules};
use crate::http::{self, Dispatch, ListenerKind, Routes, Service, ToHttps};
use crate::model::Clock;
use crate::net::{self, BoundListener, Door};
use crate::pki::ClientTrust;
use crate::store::{self, Store, StoreError, Target};
use crate::web::{self, WebSettings};
use demo::Demos;
use doors::Doors;
use listeners::Listeners;
use shelf::Bookcase;
use sockets::Handed;

/// A server that serves.
pub struct Running {
    config: Config,
    listeners: Listeners,
    spoken: Vec<http::Row>,
    hosts: Vec<String>,
    first_admin: Option<(String, SecretString)>,
    hub: Hub,
    store: Store,
    limits: Arc<ArcSwap<net::Limits>>,
    doors: Doors,
    bookcase: Bookcase,
    post: Post,
    stop: CancellationToken,
    listening: TaskTracker,
    chores: TaskTracker,
}

/// Opens everything and begins to serve.
///
/// # Errors
/// Whatever keeps the server from serving; nothing is left open then.
pub async fn bind(config: Config) -> Result<Running, ServerError> {
    Box::pin(bind_with(config, Clock::system(), Handed::default())).await
}

async fn bind_with(config: Config, clock: Clock, mut handed: Handed) -> Result<Running, ServerError> {
    // Before anything counts.
    metrics::recorder();
    let families = families(&config)?;
    sockets::data_folder(&config.data_dir)?;
    let control = sockets::control(&config.data_dir)?;
    let store = open_store(&config).await?;
    match compose(&config, clock, &mut handed, families, control, store.clone()).await {
        Ok(running) => Ok(running),
        Err(error) => {
            store.close().await;
            Err(error)
        }
    }
}

async fn compose(
    config: &Config,
    clock: Clock,
    handed: &mut Handed,
    families: Vec<Arc<dyn Family>>,
    control: BoundListener,
    store: Store,
) -> Result<Running, ServerError> {
    let (stop, listening, chores) = (CancellationToken::new(), TaskTracker::new(), TaskTracker::new());
    let listeners = Listeners::bind(config, handed, clock.clone(), stop.clone(), listening.clone())?;
    let hosts = hosts::names(&config.hosts);
    let doors = Doors::open(config, &hosts, &clock, listeners.kinds()).await?;

    let hub = Hub::start(store.clone(), clock.clone(), shares::hub(config)).await?;
    let first_admin = first::admin(&hub, &config.data_dir).await?;
    let limits = Arc::new(ArcSwap::from_pointee(shares::net(&config.limits)));
    let bookcase = Bookcase::open(config, &families);
    let post = Post::new(hub.clone(), shares::alert(config));
    let tasks = (stop.clone(), chores.clone());
    let demos = Demos::new(config, &hosts, hub.clone(), families.clone(), listeners.clone(), tasks);
    let web = WebSettings {
        demos: Some(Arc::new(demos)),
        post: Some(post.clone()),
        dictionaries: bookcase.shelf.clone(),
        metrics: Some(metrics::source(hub.clone(), clock.clone(), certificate_files(config))),
        certificates: Some(metrics::certificates(clock.clone(), certificate_files(config))),
        listeners: Some(Arc::new(listeners.clone())),
        device_url: listeners.addr(ListenerKind::Https).map(|addr| hosts::url(&hosts, addr.port())),
        hosts: hosts.clone(),
        root_certificate: config.tls.certificate.is_none().then(|| root_path(&config.certs_dir)),
        streams_max: Some(config.limits.streams_max_count),
        stop: stop.clone(),
        ..WebSettings::default()
    };
    let admin_apart = listeners.kinds().any(|kind| kind == ListenerKind::Admin);
    let to_https = to_https(config, &listeners)?;
    let (service, spoken) = service(&hub, families.clone(), &limits, &doors, admin_apart, to_https, web)?;

    let running = Running {
        config: config.clone(),
        listeners,
        spoken,
        hosts,
        first_admin,
        hub,
        store,
        limits,
        doors,
        bookcase,
        post,
        stop,
        listening,
        chores,
    };
    running.start_chores(families);
    let (told, failures) = handshakes::channel(clock);
    running.chores.spawn(handshakes::keep(failures, running.hub.clone(), running.stop.clone()));
    let tls: BTreeMap<_, _> = running.listeners.kinds().map(|kind| (kind, running.doors.tls(kind))).collect();
    let limits = Arc::clone(&running.limits);
    let door = move |kind, count| Door {
        kind,
        tls: tls.get(&kind).cloned().flatten(),
        told: Arc::clone(&told),
        service: Arc::clone(&service),
        limits: Arc::clone(&limits),
        count,
    };
    let behind_control = door(ListenerKind::Control, net::Count::default());
    running.listening.spawn(net::serve(control, behind_control, running.stop.child_token()));
    running.listeners.begin(Box::new(door));
    running.listening.close();
    Ok(running)
}

fn target(config: &Config) -> Result<Target, ServerError> {
    Target::parse(config.store.reveal(), &config.data_dir)
        .map_err(|message| ServerError::Setting { section: "store".to_owned(), message })
}

async fn open_store(config: &Config) -> Result<Store, ServerError> {
    match Store::open(&target(config)?, shares::writer(&config.limits)).await {
        Ok(store) => Ok(store),
        Err(StoreError::InUse(_)) => Err(ServerError::SecondServer(config.data_dir.clone())),
        Err(error) => Err(error.into()),
    }
}

/// The certificates whose days the metrics tell.
fn certificate_files(config: &Config) -> Vec<(&'static str, PathBuf)> {
    match &config.tls.certificate {
        Some(file) => vec![("server", file.clone())],
        None => ["root", "rsa", "ecdsa"]
            .map(|name| (name, config.certs_dir.join(name).with_extension("pem")))
            .to_vec(),
    }
}

/// What every listener calls, and every path of a dialect.
fn service(
    hub: &Hub,
    families: Vec<Arc<dyn Family>>,
    limits: &Arc<ArcSwap<net::Limits>>,
    doors: &Doors,
    admin_apart: bool,
    to_https: Option<ToHttps>,
    web: WebSettings,
) -> Result<(Service, Vec<http::Row>), ServerError> {
    let mut routes = Routes::new();
    for family in &families {
        hub.judge_silence(family.name(), family.silence());
        if family.may_pause() {
            hub.may_pause(family.name());
        }
        Arc::clone(family).routes(hub.clone(), &mut routes)?;
    }
    hub.reserve_names(taken_names(&routes));
    let pages = http::pages(web::app(hub.clone(), families, web));
    let every = [
        ListenerKind::Https,
        ListenerKind::Http,
        ListenerKind::Ws,
        ListenerKind::Admin,
        ListenerKind::Control,
    ];
    let pages_on: Vec<_> =
        every.into_iter().filter(|kind| listeners::shows_pages(*kind, admin_apart)).collect();
    let limits = Arc::clone(limits);
    let spoken = routes.rows().to_vec();
    let mut dispatch = Dispatch::new(routes.into_table(), move || limits.load().body())
        .with_pages(pages, &pages_on)
        .with_redirect(to_https)
        .with_uploads(web::UPLOADS);
    if let Some(gate) = doors.gate() {
        dispatch = dispatch.with_gate(gate);
    }
    let service = dispatch.into_service();
    Ok((service, spoken))
}

/// Where browsers are sent that come to the plain-HTTP listener, if they are to be: to https, where the pages are there.
fn to_https(config: &Config, listeners: &Listeners) -> Result<Option<ToHttps>, ServerError> {
    let admin_apart = listeners.kinds().any(|kind| kind == ListenerKind::Admin);
    let wanted = config.listen.redirect_pages && listeners::shows_pages(ListenerKind::Https, admin_apart);
    let Some(addr) = listeners.addr(ListenerKind::Https).filter(|_| wanted) else { return Ok(None) };
    let pages = web::permits().into_iter().filter(|permit| permit.page && permit.method == "GET");
    Ok(Some(ToHttps::new(pages.map(|permit| permit.path), addr.port())?))
}

/// First pieces of every path there is: no published file may be called like one.
fn taken_names(routes: &Routes) -> Vec<String> {
    let pages = web::permits();
    let paths =
        routes.rows().iter().map(|row| row.path.as_str()).chain(pages.iter().map(|permit| permit.path));
    let pieces = paths.filter_map(|path| path.split('/').nth(1));
    pieces.filter(|piece| !piece.is_empty() && !piece.contains('{')).map(str::to_owned).collect()
}

impl Running {
    /// Where a listener listens, with the port that was chosen; `None` when it is off or closed.
    pub fn addr(&self, kind: ListenerKind) -> Option<SocketAddr> {
        self.listeners.addr(kind)
    }

    /// Every path of a device dialect.
    pub fn device_paths(&self) -> &[http::Row] {
        &self.spoken
    }

    /// The hub.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The administrator that this start made, with the password.
    pub fn first_admin(&self) -> Option<&(String, SecretString)> {
        self.first_admin.as_ref()
    }

    /// Who counts as a client with a certificate of ours, to revoke some; `None` when no listener speaks TLS.
    pub fn client_trust(&self) -> Option<&Arc<ClientTrust>> {
        self.doors.clients()
    }

    /// Takes over what may change while running: certificates, limits, how devices are treated,
    /// data dictionaries.
    ///
    /// # Errors
    /// The certificates cannot be read; the old ones stay in use, all else is taken over.
    pub async fn reload(&self, config: &Config) -> Result<(), ServerError> {
        self.limits.store(Arc::new(shares::net(&config.limits)));
        self.hub.settings_reload(shares::hub(config));
        self.post.settings_reload(shares::alert(config));
        self.bookcase.reload(config);
        self.doors.reload(config).await
    }

    /// Asks the server to stop; [`Running::join`] tells when it has.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits for the wish to stop, then stops in the written order.
    pub async fn join(self) {
        self.stop.cancelled().await;
        let limit = Duration::from_secs(self.config.limits.shutdown_time_s);
        let orderly = async {
            // 1 and 2: each door stops accepting, then waits for its connections.
            self.listening.wait().await;
            tracing::info!("requests finished");
            // 3
            self.chores.close();
            self.chores.wait().await;
            // 4: whoever asked has been answered or has hung up; what was begun for them is finished first.
            self.hub.settle().await;
            self.store.close().await;
            tracing::info!("store closed");
        };
        if tokio::time::timeout(limit, orderly).await.is_err() {
            tracing::warn!(seconds = limit.as_secs(), "not everything finished in time; the rest is cut");
        }
    }

    /// Stops and waits for it.
    pub async fn shutdown(self) {
        self.stop();
        self.join().await;
    }

    fn start_chores(&self, families: Vec<Arc<dyn Family>>) {
        self.chores.spawn(schedules::run(families.clone(), self.hub.clone(), self.stop.clone()));
        for family in families {
            for chore in family.chores(&self.hub, &self.stop) {
                self.chores.spawn(chore);
            }
        }
        let hub = self.hub.clone();
        self.chores.spawn(async move {
            if let Err(error) = hub.tidy_files().await {
                tracing::warn!(%error, "what uploads left behind stays for now");
            }
        });
        // A file has one server.
        let alone = !matches!(target(&self.config), Ok(Target::Postgres(_)));
        self.chores.spawn(alert::run(self.hub.clone(), self.post.clone(), alone, self.stop.clone()));
        if !alone {
            self.chores.spawn(tokens::follow(self.hub.clone(), self.stop.clone()));
        }
        let (hub, stop) = (self.hub.clone(), self.stop.clone());
        self.chores.spawn(async move {
            let mut ticks = tokio::time::interval(SWEEP_EVERY);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                metrics::upkeep();
                if let Err(error) = hub.sweep().await {
                    tracing::warn!(%error, "the sweep failed; the next one tries again");
                }
            }
        });
        self.chores.spawn(retention::run(self.hub.clone(), self.stop.clone()));
        let data_dir = self.config.data_dir.clone();
        self.chores.spawn(first::forget_password(self.hub.password_changes(), data_dir, self.stop.clone()));
        if let Some(trust) = self.doors.clients() {
            self.chores.spawn(revoked::follow(&self.hub, trust, self.stop.clone()));
        }
        self.doors.watch(&self.chores, &self.stop);
    }
}

/// Names of the sections that device families read themselves.
pub fn family_names() -> Vec<String> {
    toml::Table::try_from(family::FamilySettings::default())
        .map(|sections| sections.keys().cloned().collect())
        .unwrap_or_default()
}

/// The sections of the device families at their defaults, for the template: as comments, because they follow what
/// is learned of the devices.
pub fn family_template() -> String {
    let sections = toml::to_string(&family::FamilySettings::default()).unwrap_or_default();
    let lines =
        sections.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("# {line}\n") });
    format!(
        "\n# What device families read themselves; docs/ has a page on each.\n{}",
        lines.collect::<String>()
    )
}

/// The device families with their settings.
///
/// # Errors
/// A section says something its family does not understand.
pub fn families(config: &Config) -> Result<Vec<Arc<dyn Family>>, ServerError> {
    for (section, table) in &config.families {
        let alone = toml::Table::from_iter([(section.clone(), toml::Value::Table(table.clone()))]);
        if let Err(error) = alone.try_into::<family::FamilySettings>() {
            return Err(ServerError::Setting {
                section: section.clone(),
                message: error.message().to_owned(),
            });
        }
    }
    let sections: toml::Table = config
        .families
        .iter()
        .map(|(name, table)| (name.clone(), toml::Value::Table(table.clone())))
        .collect();
    let settings: family::FamilySettings = sections.try_into().map_err(|error: toml::de::Error| {
        ServerError::Setting { section: "families".to_owned(), message: error.message().to_owned() }
    })?;
    settings
        .check()
        .map_err(|(section, message)| ServerError::Setting { section: section.to_owned(), message })?;
    let folder = issuer::Folder::new(config.certs_dir.clone(), Clock::system());
    let issuer: Arc<dyn family::Issuer> = Arc::new(folder);
    Ok(family::all(&settings, &issuer))
}

/// The bytes that a device nobody has heard of would get as its first command.
///
/// # Errors
/// There is no such family, or its words make no command.
pub fn rehearse(
    config: &Config,
    family: &str,
    address: &str,
    cmd: &str,
    payload: &str,
    dst: Option<Vec<String>>,
) -> Result<bytes::Bytes, ServerError> {
    let families = families(config)?;
    let wrong = |message: String| ServerError::Setting { section: "command".to_owned(), message };
    let family = families.iter().find(|known| known.name().as_str() == family);
    let family = family.ok_or_else(|| wrong("no such family".to_owned()))?;
    let text = family::CommandText {
        address: Some(address.to_owned()),
        parent: None,
        cmd: cmd.to_owned(),
        payload: payload.to_owned(),
        dst,
        at: Clock::system().now(),
    };
    let draft = family.draft(&text).map_err(|invalid| wrong(invalid.to_string()))?;
    (draft.encode)(1).map_err(|error| wrong(error.to_string()))
}

/// Checks settings that other rooms read, without opening anything.
///
/// # Errors
/// The first setting that is wrong.
pub fn check(config: &Config) -> Result<(), ServerError> {
    families(config)?;
    logs::filter(&config.log.level)?;
    target(config)?;
    Ok(())
}

/// The file of our own root certificate.
pub fn root_path(certs_dir: &Path) -> PathBuf {
    certs_dir.join("root.pem")
}

/// The names a certificate gets: the operator's, else the machine's.
pub fn host_names(config: &Config) -> Vec<String> {
    hosts::names(&config.hosts)
}

/// Walks the ledger of a store that no server has open.
///
/// # Errors
/// The store cannot be opened or read.
pub async fn audit(
    config: &Config,
    progress: &mut (dyn FnMut(i64) + Send),
) -> Result<store::audit::Findings, ServerError> {
    sockets::data_folder(&config.data_dir)?;
    let store = open_store(config).await?;
    let findings = store::audit::check(store.read(), progress).await;
    store.close().await;
    Ok(findings?)
}

/// Looks at the store without changing it, while no server has it open.
///
/// # Errors
/// It cannot be opened, or another process has it.
pub async fn inspect(config: &Config) -> Result<store::Inspection, ServerError> {
    let target = Target::parse(config.store.reveal(), &config.data_dir)
        .map_err(|message| ServerError::Setting { section: "store".to_owned(), message })?;
    Ok(store::inspect(&target).await?)
}

const SWEEP_EVERY: Duration = Duration::from_secs(5);
