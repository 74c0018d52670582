//! `homeport config`: look at settings without starting anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::settings::Global;
use super::{Done, output};
use crate::{config, server};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport config template > homeport.toml && homeport config check")]
pub(super) struct ConfigCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Say whether the settings are right, and what is wrong with them.
    #[command(after_help = "Example:\n  homeport config check homeport.toml")]
    Check {
        /// The file [default: the one the server would take].
        file: Option<PathBuf>,
    },
    /// Print the settings that are in force, secrets masked.
    #[command(after_help = "Example:\n  HOMEPORT_HTTPS=0.0.0.0:443 homeport config print")]
    Print,
    /// Print a file with every key, its meaning and its default.
    #[command(after_help = "Example:\n  homeport config template > homeport.toml")]
    Template,
}

impl ConfigCommand {
    pub(super) fn run(&self, settings: &Global) -> Done {
        match &self.what {
            What::Check { file } => {
                settings.load_named(file.clone().or_else(|| settings.config.clone()), Vec::new())?;
                output::line("The settings are right.")?;
            }
            What::Print => output::raw(config::print(&settings.load(Vec::new())?).as_bytes())?,
            What::Template => {
                output::raw(config::template().as_bytes())?;
                output::raw(server::family_template().as_bytes())?;
            }
        }
        Ok(())
    }
}
