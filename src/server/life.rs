//! A server's life in a process: log, signals, service manager.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::logs::Levels;
use super::sockets::Handed;
use super::{Running, ServerError, bind_with, first, logs, notify};
use crate::config::Config;
use crate::model::Clock;

/// Serves until SIGTERM or SIGINT. SIGHUP takes over what `again` reads. `told` gets what an operator should see.
///
/// # Errors
/// Whatever keeps the server from serving.
pub async fn run(
    config: Config,
    again: impl Fn() -> Result<Config, String>,
    told: impl Fn(&str),
) -> Result<(), ServerError> {
    let levels = logs::start(&config.log)?;
    // Before anything is opened, so that no signal is missed.
    let mut signals =
        Signals::listen().map_err(|cause| ServerError::System { what: "waiting for signals", cause })?;
    let running = Box::pin(bind_with(config, Clock::system(), Handed::from_env()?)).await?;
    told(&first::banner(&running));
    notify::ready();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "serving");
    let mut watchdog =
        notify::watchdog().map(|every| tokio::time::interval(every.max(Duration::from_millis(100))));
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            _ = signals.hang_up.recv() => {
                notify::reloading();
                reload(&running, &levels, again()).await;
                notify::ready();
            }
            () = tick(watchdog.as_mut()) => notify::alive(),
        }
    }
    notify::stopping();
    tracing::info!("stopping: no new connections, running requests finish");
    tokio::select! {
        () = running.shutdown() => tracing::info!("stopped"),
        _ = signals.terminate.recv() => tracing::warn!("told to stop a second time: stopped at once"),
        _ = signals.interrupt.recv() => tracing::warn!("told to stop a second time: stopped at once"),
    }
    Ok(())
}

async fn reload(running: &Running, levels: &Levels, config: Result<Config, String>) {
    let config = match config {
        Ok(config) => config,
        Err(problems) => {
            tracing::error!("the settings are wrong, the old ones stay: {problems}");
            return;
        }
    };
    if let Err(error) = levels.set(&config.log.level) {
        tracing::error!(%error, "the log's level stays");
    }
    match running.reload(&config).await {
        Ok(()) => tracing::info!("certificates, log level, limits and dictionaries read again"),
        Err(error) => tracing::error!(%error, "the old certificates stay"),
    }
}

async fn tick(interval: Option<&mut tokio::time::Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }
}
