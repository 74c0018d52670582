//! `homeport user`: people who may sign in.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use hyper::Method;
use serde_json::json;

use super::client::{Client, Connect, escape, text};
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport user add eve --role operator")]
pub(super) struct User {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

/// What a person may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleArg {
    /// Reads.
    Viewer,
    /// Also commands and edits devices.
    Operator,
    /// Also users, tokens and settings.
    Admin,
}

impl RoleArg {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// Which devices a person sees beside the own.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeesArg {
    /// The house's: all that no person owns.
    House,
    /// None.
    Own,
}

impl SeesArg {
    const fn word(self) -> &'static str {
        match self {
            Self::House => "house",
            Self::Own => "own",
        }
    }
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a person; the password is asked for, or read from a file or from standard input.
    #[command(after_help = "Example:\n  homeport user add eve --role operator --password-file eve.txt")]
    Add {
        /// The name to sign in with.
        name: String,
        /// What the person may do.
        #[arg(long, value_enum, default_value = "viewer")]
        role: RoleArg,
        /// Which devices the person sees beside the own: the house's, or none.
        #[arg(long, value_enum, default_value = "house")]
        sees: SeesArg,
        /// A file whose first line is the password.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Set a person's password and end their sessions.
    #[command(after_help = "Example:\n  homeport user passwd admin")]
    Passwd {
        /// Whose.
        name: String,
        /// A file whose first line is the password.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// List people.
    #[command(after_help = "Example:\n  homeport user list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a person with their sessions and tokens.
    #[command(after_help = "Example:\n  homeport user remove eve")]
    Remove {
        /// Whom.
        name: String,
    },
}

impl User {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::Add { name, role, sees, password_file } => {
                let password = password(password_file.as_ref(), name)?;
                let body =
                    json!({ "name": name, "role": role.word(), "sees": sees.word(), "password": password });
                client.call(Method::POST, "/users", Some(&body)).await?;
                output::line(&format!("{name} added as {}", role.word()))?;
            }
            What::Passwd { name, password_file } => {
                let id = find(&client, name).await?;
                let body = json!({ "password": password(password_file.as_ref(), name)? });
                client.call(Method::PATCH, &format!("/users/{}", escape(&id)), Some(&body)).await?;
                output::line(&format!("{name} has a new password; open sessions ended"))?;
            }
            What::List { json } => {
                let users = client.list("/users").await?;
                let columns = [("NAME", "name"), ("ROLE", "role"), ("SEES", "sees"), ("CREATED", "created")];
                output::list(users, *json, &columns)?;
            }
            What::Remove { name } => {
                let id = find(&client, name).await?;
                client.call(Method::DELETE, &format!("/users/{}", escape(&id)), None).await?;
                output::line(&format!("{name} removed"))?;
            }
        }
        Ok(())
    }
}

/// The id of the person with this name.
pub(super) async fn find(client: &Client, name: &str) -> anyhow::Result<String> {
    let users = client.list("/users").await?;
    let user = users.iter().find(|user| text(user, "name").eq_ignore_ascii_case(name));
    match user {
        Some(user) => Ok(text(user, "id").to_owned()),
        None => bail!("no user `{name}`: `homeport user list` shows them"),
    }
}

/// The password: first line of the file, else of standard input.
fn password(file: Option<&PathBuf>, name: &str) -> anyhow::Result<String> {
    let read = if let Some(path) = file {
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
    } else {
        let input = std::io::stdin();
        if input.is_terminal() {
            output::note(&format!("New password for {name} (it shows as you type), then Enter:"));
        }
        let mut line = String::new();
        input.lock().read_line(&mut line).context("cannot read the password")?;
        line
    };
    match read.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        Some(_) | None => bail!("the password is empty"),
    }
}
