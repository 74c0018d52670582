//! `homeport doctor`: why does it not work? Looks at everything between a device and its data, changes nothing, and
//! says for each thing that is wrong what to do.

mod certificates;
mod machine;
mod names;
mod ports;
mod sockets;
mod state;

use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::settings::Global;
use super::{Done, output};
use crate::config::Config;
use crate::server;

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  homeport doctor\n  homeport doctor --json")]
pub(super) struct Doctor {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Ok,
    /// May be meant so.
    Note,
    /// Something will not work.
    Wrong,
}

impl Level {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    fix: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, message: message.into(), fix: None }
    }

    fn note(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Note, message: message.into(), fix: Some(fix.into()) }
    }

    fn wrong(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, level: Level::Wrong, message: message.into(), fix: Some(fix.into()) }
    }
}

/// What all checks start from.
struct Patient<'a> {
    config: &'a Config,
    /// The process that answers on the control socket; 0 when the system does not say which.
    server: Option<u32>,
    /// Names the certificate should have.
    hosts: Vec<String>,
    now_s: i64,
}

impl Doctor {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        let patient = Patient {
            server: server(&config).await,
            hosts: server::host_names(&config),
            now_s: jiff::Timestamp::now().as_second(),
            config: &config,
        };
        let mut findings = vec![match patient.server {
            Some(_) => Finding::ok("server", format!("runs on {}", config.data_dir.display())),
            None => Finding::note(
                "server",
                format!("none runs on {}", config.data_dir.display()),
                "start it with `homeport serve`, or name its folder with --data-dir",
            ),
        }];
        findings.extend(ports::look(&patient));
        findings.extend(certificates::look(&patient));
        findings.extend(names::look(&patient).await);
        findings.extend(machine::look(&patient));
        findings.extend(state::look(&patient, settings).await?);
        self.tell(&findings)
    }

    fn tell(&self, findings: &[Finding]) -> Done {
        let wrong = findings.iter().filter(|finding| finding.level == Level::Wrong).count();
        if self.json {
            let checks: Vec<Value> = findings
                .iter()
                .map(|Finding { check, level, message, fix }| {
                    json!({ "check": check, "level": level.word(), "message": message, "fix": fix })
                })
                .collect();
            output::json(&json!({ "ok": wrong == 0, "checks": checks }))?;
        } else {
            for Finding { check, level, message, fix } in findings {
                output::line(&format!("{:<6} {check:<13} {}", level.word(), output::safe(message)))?;
                if let Some(fix) = fix {
                    output::line(&format!("{:<20} → {}", "", output::safe(fix)))?;
                }
            }
        }
        match wrong {
            0 => Ok(()),
            1 => Err(anyhow::anyhow!("one thing is wrong").into()),
            many => Err(anyhow::anyhow!("{many} things are wrong").into()),
        }
    }
}

/// The number of the process behind the control socket.
async fn server(config: &Config) -> Option<u32> {
    let socket = tokio::net::UnixStream::connect(server::control_path(&config.data_dir)).await.ok()?;
    let process = socket.peer_cred().ok().and_then(|of| of.pid());
    Some(process.and_then(|number| u32::try_from(number).ok()).unwrap_or(0))
}

/// No single question may hold up the others.
const LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_answers_in_an_empty_folder() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { data_dir: dir.path().to_owned(), ..Config::default() };
        assert_eq!(server(&config).await, None);
    }
}
