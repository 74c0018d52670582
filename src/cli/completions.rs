//! `homeport completions`: a script that teaches a shell our commands.

use clap::{Args, Command};
use clap_complete::Shell;

use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport completions bash > /etc/bash_completion.d/homeport")]
pub(super) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, command: &mut Command) -> Done {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "homeport", &mut script);
        Ok(output::raw(&script)?)
    }
}
