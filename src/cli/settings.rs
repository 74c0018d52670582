//! Flags that every command takes, and the settings they lead to.

use std::path::PathBuf;

use clap::Args;

use super::{Failure, output};
use crate::config::{self, Config, Sources};
use crate::server;

/// Where settings come from.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// Settings file [default: homeport.toml in the working directory, if it is there].
    #[arg(long, global = true, value_name = "FILE", env = "HOMEPORT_CONFIG", hide_env = true)]
    pub(super) config: Option<PathBuf>,
    /// Folder of the store and the control socket.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Folder of the certificates.
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) certs_dir: Option<PathBuf>,
}

impl Global {
    /// Merges all layers, these flags and those of the command last.
    pub(super) fn load(&self, flags: Vec<(&'static str, String)>) -> Result<Config, Failure> {
        self.load_named(self.config.clone(), flags)
    }

    /// The same with another settings file.
    pub(super) fn load_named(
        &self,
        file: Option<PathBuf>,
        mut flags: Vec<(&'static str, String)>,
    ) -> Result<Config, Failure> {
        for (key, path) in [("data_dir", &self.data_dir), ("certs_dir", &self.certs_dir)] {
            if let Some(path) = path {
                flags.push((key, path.display().to_string()));
            }
        }
        let sources = Sources { file, env: environment(), flags, families: server::family_names() };
        let (config, oddities) = config::load(&sources).map_err(|problems| {
            Failure::Usage(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        })?;
        for oddity in oddities {
            output::note(&oddity.to_string());
        }
        server::check(&config).map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(config)
    }
}

/// The environment as text; a variable that is no text is none of ours.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
