//! The log on standard error: text or JSON, its level changeable while the server runs.

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use super::ServerError;
use crate::config::{Log, LogFormat};

/// Turns the level of a running log.
pub(super) struct Levels(reload::Handle<EnvFilter, Registry>);

/// Reads what `log.level` says.
pub(super) fn filter(level: &str) -> Result<EnvFilter, ServerError> {
    EnvFilter::builder().parse(level).map_err(|error| ServerError::Setting {
        section: "log.level".to_owned(),
        message: format!("`{level}` is not understood: {error}"),
    })
}

/// Starts the log. A second start in one process changes nothing.
pub(super) fn start(log: &Log) -> Result<Levels, ServerError> {
    let (filter, handle) = reload::Layer::new(filter(&log.level)?);
    let lines = match log.format {
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(false).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
    };
    // An error says that a log runs already, which is what is wanted.
    tracing_subscriber::registry().with(filter).with(lines).try_init().ok();
    Ok(Levels(handle))
}

impl Levels {
    /// Sets a new level.
    pub(super) fn set(&self, level: &str) -> Result<(), ServerError> {
        let filter = filter(level)?;
        // It fails only when the log is gone, and then there is no one to tell.
        self.0.reload(filter).ok();
        Ok(())
    }
}
