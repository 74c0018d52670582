//! The command line: a file per subcommand. Results go to standard output, logs and questions to standard
//! error; exit codes are 0 done, 1 the thing asked for failed, 2 wrong usage or configuration.

mod audit;
mod backup;
mod captures;
mod certs;
mod client;
mod completions;
mod config;
mod devices;
mod dictionary;
mod doctor;
mod endpoint;
mod export;
mod files;
mod listeners;
mod man;
mod mcu;
mod output;
mod probe;
mod recording;
mod restore;
mod sca11h;
mod schedule;
mod send;
mod serve;
mod settings;
mod simulate;
mod status;
mod template;
mod token;
mod transfers;
mod tswarm;
mod upload;
mod user;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// A home for devices that call home: one self-hosted server for the clouds their makers closed.
#[derive(Debug, Parser)]
#[command(name = "homeport", version, propagate_version = true, max_term_width = 110)]
#[command(
    after_help = "Examples:\n  homeport serve\n  homeport devices list\n  homeport config template > homeport.toml"
)]
pub struct Cli {
    #[command(flatten)]
    settings: settings::Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(Box<serve::Serve>),
    /// Make, show and hand out certificates.
    Certs(certs::Certs),
    /// Check settings, print them, or print a commented template.
    Config(config::ConfigCommand),
    /// Queue a command for a device.
    Send(send::Send),
    /// Commands at times of the day.
    Schedule(schedule::ScheduleCommand),
    /// Commands that people start from.
    Template(template::TemplateCommand),
    /// The devices the server knows.
    Devices(devices::Devices),
    /// Ports: which are open, and a switch on those without pages.
    Listeners(listeners::Listeners),
    /// Whether what devices say is kept.
    Recording(recording::RecordingCommand),
    /// What the server does, at a glance.
    Status(status::Status),
    /// Files that devices may download.
    Files(files::Files),
    /// Requests of devices as they came, to learn what a device really says.
    Captures(captures::Captures),
    /// People who may sign in.
    User(user::User),
    /// Tokens for scripts.
    Token(token::Token),
    /// Data dictionaries: what values are called and mean.
    Dictionary(dictionary::DictionaryCommand),
    /// Find out why it does not work: ports, names, certificates, clock, disk, store, handshakes.
    Doctor(doctor::Doctor),
    /// Names that devices are given to call.
    Endpoint(endpoint::Endpoint),
    /// Check that the ledger is whole.
    Audit(audit::Audit),
    /// Write a checked copy of the store into a file, also while the server runs.
    Backup(backup::Backup),
    /// Put a backup in the place of the store.
    Restore(restore::Restore),
    /// Write what devices measured to standard output.
    Export(export::Export),
    /// Bed sensors by their own local interface: find, set up, calibrate.
    Sca11h(Box<sca11h::Sca11h>),
    /// Microcontrollers: their files of a day, and those of their original server.
    Mcu(mcu::Mcu),
    /// Small nodes that upload and sleep: logins, holding them awake, who was turned away.
    Tswarm(tswarm::Tswarm),
    /// Rehearse with a pretend fleet.
    Simulate(Box<simulate::Simulate>),
    /// Print a completion script for a shell.
    Completions(completions::Completions),
    /// Write the manual pages into a folder.
    Man(man::Man),
}

/// Why a command did not do as asked.
#[derive(Debug)]
enum Failure {
    /// Wrong usage or configuration: exit code 2.
    Usage(String),
    /// The thing asked for failed: exit code 1.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

type Done = Result<(), Failure>;

/// Reads the command line, does as it says and tells how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let failure = match run(cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    match failure {
        Failure::Usage(message) => {
            output::complain(&message);
            ExitCode::from(2)
        }
        // A reader that has seen enough (`| head`) is no failure.
        Failure::Failed(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Failure::Failed(error) => {
            output::complain(&format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}

fn run(cli: Cli) -> Done {
    let Cli { settings, command } = cli;
    match command {
        Command::Serve(command) => command.run(&settings),
        Command::Certs(command) => command.run(&settings),
        Command::Config(command) => command.run(&settings),
        Command::Dictionary(command) => command.run(&settings),
        Command::Completions(command) => command.run(&mut Cli::command()),
        Command::Man(command) => command.run(Cli::command()),
        Command::Send(command) => wait(command.run(&settings)),
        Command::Devices(command) => wait(command.run(&settings)),
        Command::Schedule(command) => wait(command.run(&settings)),
        Command::Template(command) => wait(command.run(&settings)),
        Command::Listeners(command) => wait(command.run(&settings)),
        Command::Recording(command) => wait(command.run(&settings)),
        Command::Status(command) => wait(command.run(&settings)),
        Command::Files(command) => wait(command.run(&settings)),
        Command::Captures(command) => wait(command.run(&settings)),
        Command::User(command) => wait(command.run(&settings)),
        Command::Token(command) => wait(command.run(&settings)),
        Command::Doctor(command) => wait(command.run(&settings)),
        Command::Endpoint(command) => wait(command.run(&settings)),
        Command::Audit(command) => wait(command.run(&settings)),
        Command::Backup(command) => wait(command.run(&settings)),
        Command::Restore(command) => wait(command.run(&settings)),
        Command::Export(command) => wait(command.run(&settings)),
        Command::Sca11h(command) => wait(command.run(&settings)),
        Command::Mcu(command) => wait(command.run(&settings)),
        Command::Tswarm(command) => wait(command.run(&settings)),
        Command::Simulate(command) => command.run(&settings),
    }
}

/// Runs one short task; a client needs no second thread.
fn wait(task: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn walk(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example") || path.ends_with(" help"), "{path} has no example");
            for sub in command.get_subcommands() {
                walk(sub, &path);
            }
        }
        walk(&Cli::command(), "");
    }
}
