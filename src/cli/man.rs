//! `homeport man`: the manual pages, made from the same definitions as `--help`.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};

use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder to write into; it is made if need be.
    dir: PathBuf,
}

impl Man {
    pub(super) fn run(&self, command: Command) -> Done {
        let dir = self.dir.display();
        std::fs::create_dir_all(&self.dir).with_context(|| format!("cannot make {dir}"))?;
        clap_mangen::generate_to(command, &self.dir).with_context(|| format!("cannot write into {dir}"))?;
        Ok(output::line(&format!("{dir}/homeport.1"))?)
    }
}
