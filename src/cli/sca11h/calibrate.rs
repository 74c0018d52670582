//! `homeport sca11h calibrate`: the calibration that a node makes by itself, first with the bed empty, then with
//! somebody in it, 60 s each (`sca11h.md §6.1`).

use std::io::BufRead as _;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Reach;
use super::history::FromHistory;
use super::node::{Node, NodeError};
use crate::cli::client::text;
use crate::cli::settings::Global;
use crate::cli::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport sca11h calibrate 192.0.2.20\n  homeport sca11h calibrate 192.0.2.20 --phase empty --json\n  homeport sca11h calibrate 001122334455 --from-history\n  homeport sca11h calibrate 001122334455 --from-history --empty 2026-11-20T09:00:00Z..2026-11-20T10:00:00Z --queue"
)]
pub(super) struct Calibrate {
    /// The node's address, HOST[:PORT].
    #[arg(value_name = "NODE")]
    target: String,
    /// Only this part, at once [default: both, each when you press Enter]. The empty bed comes first, always.
    #[arg(long, value_enum)]
    phase: Option<Phase>,
    /// How many seconds between two looks at how far it is.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    every: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    history: FromHistory,
}

/// Which part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Phase {
    /// Nobody is in the bed, and nothing shakes it.
    Empty,
    /// Somebody lies in it and keeps still.
    Occupied,
}

impl Phase {
    const fn number(self) -> i64 {
        match self {
            Self::Empty => 1,
            Self::Occupied => 2,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Occupied => "occupied",
        }
    }

    const fn wish(self) -> &'static str {
        match self {
            Self::Empty => "leave the bed empty and still for a minute",
            Self::Occupied => "lie down and keep still for a minute",
        }
    }
}

/// How a part ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    /// It is done, and the node doubts what it found.
    Doubtful,
    Failed,
}

impl Calibrate {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        if self.history.wanted {
            return self.history.run(settings, &self.target, self.json).await;
        }
        let node = self.reach.node(&self.target);
        let mut phases = Vec::new();
        let mut failed = false;
        for phase in self.phase.map_or_else(|| vec![Phase::Empty, Phase::Occupied], |phase| vec![phase]) {
            if self.phase.is_none() {
                ask(&format!("{}; then press Enter.", phase.wish()))?;
            }
            start(&node, phase).await?;
            let status = self.follow(&node, phase).await?;
            let (outcome, message) = meaning(status);
            failed = outcome == Outcome::Failed;
            phases.push(json!({
                "phase": phase.word(),
                "status": status,
                "outcome": match outcome {
                    Outcome::Good => "good",
                    Outcome::Doubtful => "doubtful",
                    Outcome::Failed => "failed",
                },
                "message": message,
            }));
            if failed {
                break;
            }
        }
        // What the node reckoned with so far is of use whatever became of it.
        let pars = node.get("/bcg/pars").await.ok().map(|told| text(&told, "pars").to_owned());
        self.tell(&node, &phases, pars.as_deref())?;
        if failed { Err(anyhow!("the node could not calibrate itself").into()) } else { Ok(()) }
    }

    /// Looks every few seconds until the node is done; gives its status.
    async fn follow(&self, node: &Node, phase: Phase) -> anyhow::Result<i64> {
        let every = Duration::try_from_secs_f64(self.every).context("--every is a number of seconds")?;
        let bar = ProgressBar::new(STEPS);
        let style = ProgressStyle::with_template("{msg:9} [{wide_bar}] {percent:>3} %");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(phase.word());
        let end = Instant::now() + GIVE_UP_AFTER;
        loop {
            tokio::time::sleep(every).await;
            match node.get("/bcg/cali").await {
                Ok(told) => {
                    let number = |name: &str| told.get(name).and_then(Value::as_i64);
                    let (step, status) = (number("step"), number("status"));
                    if number("phase").is_none_or(|found| found == phase.number())
                        && step == Some(STEP_END)
                        && let Some(status) = status.filter(|status| *status != IN_PROGRESS)
                    {
                        bar.finish_and_clear();
                        return Ok(status);
                    }
                    bar.set_position(step.and_then(|step| u64::try_from(step).ok()).unwrap_or(0).min(STEPS));
                }
                // It is busy: one look more or less does not matter.
                Err(NodeError::Silent { .. } | NodeError::HungUp { .. } | NodeError::Unreachable { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() > end {
                bail!("the node is still not done after {} s", GIVE_UP_AFTER.as_secs());
            }
        }
    }

    fn tell(&self, node: &Node, phases: &[Value], pars: Option<&str>) -> anyhow::Result<()> {
        if self.json {
            output::json(&json!({ "node": node.address(), "parts": phases, "pars": pars }))?;
            return Ok(());
        }
        for part in phases {
            let [phase, outcome, message] = ["phase", "outcome", "message"].map(|name| text(part, name));
            output::line(&format!("{phase:<9} {outcome}: {message}"))?;
        }
        if let Some(pars) = pars {
            output::line(&format!("pars      {}", output::safe(pars)))?;
        }
        Ok(())
    }
}

/// Waits for a person.
fn ask(what: &str) -> anyhow::Result<()> {
    output::note(what);
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line).context("nobody can be asked")?;
    if read == 0 {
        bail!("nobody pressed Enter: give --phase empty, and afterwards --phase occupied");
    }
    Ok(())
}

/// Tells the node to begin. One that does not answer may have begun: looking shows it.
async fn start(node: &Node, phase: Phase) -> anyhow::Result<()> {
    match node.post("/bcg/cali", &json!({ "phase": phase.number() })).await {
        Ok(_) | Err(NodeError::Silent { .. } | NodeError::HungUp { .. }) => Ok(()),
        Err(NodeError::Refused { errno, .. }) => match errno {
            -2 => bail!("the node is calibrating itself already"),
            -3 => bail!(
                "the node calibrates itself in cloud mode only when it knows a server: `homeport sca11h configure {} --to here`",
                node.address()
            ),
            _ => bail!("the node could not begin (errno {errno})"),
        },
        Err(error) => Err(error.into()),
    }
}

/// The node's status at the end, and what it means (§6.1).
fn meaning(status: i64) -> (Outcome, String) {
    let known = match status {
        0 => (Outcome::Good, "done"),
        1 => (Outcome::Failed, "calibrate the empty bed first"),
        2 => (Outcome::Doubtful, "something shook the bed: stop fans, close doors, and repeat it"),
        3 => (Outcome::Doubtful, "the signal is weak: move the sensor nearer to the chest, and repeat it"),
        7 => (Outcome::Doubtful, "something shook the bed and the signal is weak: repeat it"),
        8 => (Outcome::Failed, "the sensor inside the node does not respond: restart the node"),
        -2 => (Outcome::Failed, "it was not begun since the node started: did it lose power?"),
        _ => return (Outcome::Failed, format!("status {status}, which nobody documents")),
    };
    (known.0, known.1.to_owned())
}

/// A minute in steps of a second.
const STEPS: u64 = 60;
const STEP_END: i64 = 255;
const IN_PROGRESS: i64 = -1;
const GIVE_UP_AFTER: Duration = Duration::from_mins(4);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubtful_calibration_is_done_and_a_failed_one_is_not() {
        use Outcome::{Doubtful, Failed, Good};
        let outcomes: Vec<Outcome> = [0, 1, 2, 3, 7, 8, -2, 40].map(|status| meaning(status).0).to_vec();
        assert_eq!(outcomes, [Good, Failed, Doubtful, Doubtful, Doubtful, Failed, Failed, Failed]);
        assert!(meaning(40).1.contains("40"));
    }
}
