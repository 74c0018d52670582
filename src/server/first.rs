//! The first start: the administrator's password, and what an operator is told.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;

use super::{Running, ServerError, sockets};
use crate::core::Hub;
use crate::http::ListenerKind;

/// Makes the first administrator if there is nobody, and keeps the password until it is changed.
pub(super) async fn admin(hub: &Hub, data_dir: &Path) -> Result<Option<(String, SecretString)>, ServerError> {
    let Some((name, password)) = hub.first_admin().await? else { return Ok(None) };
    keep(&password_path(data_dir), &password)
        .map_err(|cause| ServerError::DataFolder { dir: data_dir.to_owned(), cause })?;
    Ok(Some((name, password)))
}

/// Names of people whose password changes.
type Changes = tokio::sync::broadcast::Receiver<String>;

/// Removes the kept password once it is changed.
pub(super) async fn forget_password(mut changes: Changes, data_dir: PathBuf, stop: CancellationToken) {
    loop {
        let whose = tokio::select! {
            () = stop.cancelled() => return,
            whose = changes.recv() => whose,
        };
        match whose {
            Ok(name) if name != crate::core::FIRST_ADMIN => {}
            // After missed changes the password may be an old one: better none than a wrong one.
            Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {
                if let Err(error) = sockets::remove(&password_path(&data_dir)) {
                    tracing::warn!(%error, "the old initial-password file cannot be removed: remove it by hand");
                }
            }
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}

fn password_path(data_dir: &Path) -> PathBuf {
    data_dir.join("initial-password")
}

fn keep(path: &Path, password: &SecretString) -> io::Result<()> {
    sockets::remove(path)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{}", password.expose_secret())?;
    file.sync_all()
}

/// What an operator needs to know of a server that has just started.
pub(super) fn banner(running: &Running) -> String {
    let mut text = format!("homeport {} serves.\n", env!("CARGO_PKG_VERSION"));
    let port = |kind| running.addr(kind).map(|addr| addr.port());
    if let Some(port) = port(ListenerKind::Admin).or_else(|| port(ListenerKind::Https)) {
        let _ = writeln!(text, "  Open         https://localhost:{port}/");
    }
    for (kind, scheme) in
        [(ListenerKind::Https, "https"), (ListenerKind::Http, "http"), (ListenerKind::Ws, "ws")]
    {
        let Some(addr) = running.addr(kind).filter(|_| running.spoken.iter().any(|row| row.listener == kind))
        else {
            continue;
        };
        for host in running.hosts.iter().filter(|host| *host != "localhost").take(URLS_MAX) {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let _ = writeln!(text, "  {:<12} {scheme}://{host}:{}", "Devices", addr.port());
        }
        if running.hosts.is_empty() {
            let _ = writeln!(text, "  {:<12} {scheme}://{addr}", "Devices");
        }
    }
    for (kind, by, at) in running.listeners.closed() {
        let at = at.civil_seconds().replace('T', " ");
        let _ = writeln!(
            text,
            "  Closed       {kind}, by {by} at {at} UTC: `homeport listeners open {kind}` opens it"
        );
    }
    if let Some(fingerprint) = running.doors.fingerprint() {
        let _ = writeln!(text, "  Certificate  SHA-256 {fingerprint}");
    }
    let _ = writeln!(text, "  Data         {}", running.config.data_dir.display());
    let kept = password_path(&running.config.data_dir);
    if let Some((name, password)) = &running.first_admin {
        let _ = writeln!(
            text,
            "  Sign in      {name} with the password {} (also in {} until you change it)",
            password.expose_secret(),
            kept.display()
        );
    } else if kept.exists() {
        let _ = writeln!(text, "  Sign in      the first password is in {}", kept.display());
    }
    text
}

/// URLs a listener is shown with; a machine may have many addresses.
const URLS_MAX: usize = 4;
