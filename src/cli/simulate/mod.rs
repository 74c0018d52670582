//! `homeport simulate`: a pretend fleet over real sockets, what can go wrong going wrong, and an audit of it.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `desk` | the people's side: takes the fleet on, queues commands |
//! | `check` | reads what the server stored, for the audit |
//! | `side` | where the fleet calls |
//! | `weather` | what shall go wrong |

mod check;
mod desk;
mod side;
mod weather;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use hyper::body::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::client::Connect;
use super::probe::{self, Trust};
use super::send::seconds;
use super::settings::Global;
use super::{Done, Failure, output};
use crate::pki;
use crate::server;
use crate::simulate::{self, Application, Found, Habits, Office, Plan, Progress, Rehearsed, Time};
use check::Before;
use desk::Desk;
use side::Side;
use weather::Weather;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport simulate cwm --count 1000 --audit\n  homeport simulate cwm --count 20 --duration 10m --fault none\n  homeport simulate cwm --count 50 --fault kill-mid-pull --server https://rehearsal.example --token hp_…\n  homeport simulate sca11h --count 50 --audit\n  homeport simulate sca11h --count 5 --duration 10m --fault none --at 127.0.0.1:8080\n  homeport simulate mcu --count 100 --audit\n  homeport simulate mcu --count 20 --duration 10m --fault none --at 127.0.0.1:4444\n  homeport simulate tswarm --count 2000 --connections 2000 --audit\n  homeport simulate token --count 50 --audit\n\nIt fills the server with pretend devices and their messages: rehearse on one of its own."
)]
pub(super) struct Simulate {
    /// The dialect to speak.
    #[arg(value_name = "FAMILY", default_value = "cwm")]
    family: String,
    /// Devices that call.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// Pieces of equipment behind each.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=8))]
    oke_per_module: u8,
    /// How much of the devices' time is played, as fast as the server answers [default: 24h for cwm, 1h for sca11h, 20m for mcu].
    #[arg(long, value_name = "TIME", conflicts_with = "duration")]
    span: Option<String>,
    /// Play for so long by the clock on the wall instead; each device then calls when a real one would.
    #[arg(long, value_name = "TIME")]
    duration: Option<String>,
    /// Messages a second from the whole fleet, at most.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// What goes wrong; several are played in turn, after a stretch of fair weather. `all` is what fits the family.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "all")]
    fault: Vec<Weather>,
    /// Connections open at once. On this machine each device has an address of its own.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// Repeats the chances of another run, which names its seed.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Compare afterwards what every device was told with what the server stored; exit code 1 when anything is missing.
    /// Boards are told nothing: of theirs all is looked for that they said on a connection which they ended in order,
    /// and of the rest that nothing is there which they did not say.
    #[arg(long)]
    audit: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Where devices without TLS call: the plain-HTTP listener of the server, or that for microcontrollers.
    #[arg(long, value_name = "HOST:PORT")]
    at: Option<String>,
    #[command(flatten)]
    connect: Connect,
}

impl Simulate {
    /// A fleet keeps more than one core busy.
    pub(super) fn run(&self, settings: &Global) -> Done {
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(self.play(settings))
    }

    async fn play(&self, settings: &Global) -> Done {
        let config = settings.load(Vec::new())?;
        let families = server::families(&config).map_err(|error| Failure::Usage(error.to_string()))?;
        let family = families.into_iter().find(|family| family.name().as_str() == self.family);
        let family = family.ok_or_else(|| Failure::Usage(format!("no family `{}`", self.family)))?;
        let habits = simulate::habits(&family, self.oke_per_module)
            .ok_or_else(|| Failure::Usage(format!("the family {} has no pretend device", self.family)))?;
        let acts = weather::acts(&self.fault, &habits).map_err(Failure::Usage)?;
        let side = Side::of(&self.connect, settings, habits.door, self.at.as_deref()).await?;
        let mut plan = self.plan(family, &side, &habits).await?;
        plan.acts = acts;
        if self.audit && side.api.is_none() {
            return Err(Failure::Usage(
                "--audit reads what the server stored: give --token TOKEN (`homeport token create` there)"
                    .to_owned(),
            ));
        }
        simulate::reach(&plan)
            .await
            .with_context(|| format!("devices cannot call {}://{}", side.scheme(), plan.target.host))?;
        let mut before = Before { seq: 0, file: None };
        let desk = if let Some(client) = side.api {
            let addresses = simulate::addresses(&plan.family, plan.count, plan.behind);
            before.seq = check::newest_seq(&client).await?;
            let mut desk = Desk::open(client, &self.family, addresses, habits.given).await?;
            plan.secrets = std::mem::take(&mut desk.secrets);
            output::note(&format!("{} devices were taken on", desk.taken_on));
            if habits.files {
                let (name, content) = sample(plan.seed)?;
                desk.publish(&name, content.clone()).await?;
                plan.file = Some((name.clone(), content.len()));
                before.file = Some((name, content));
            }
            Some(Arc::new(desk))
        } else {
            output::note(
                "no way into the server's API: nothing will be commanded, and devices it does not know may be refused",
            );
            None
        };
        let office = desk.clone().map(|desk| desk as Arc<dyn Office>);
        let rehearsed = perform(plan, office).await;
        if let (Some(desk), Some((name, _))) = (&desk, &before.file)
            && let Err(error) = desk.withdraw(name).await
        {
            output::note(&format!("{name} stays published: {error:#}"));
        }
        let rehearsed = rehearsed?;
        let summary = rehearsed.summary.clone();
        let found = match desk.filter(|_| self.audit) {
            Some(desk) => Some(self.compare(&desk, rehearsed, &before).await?),
            None => None,
        };
        if self.json {
            output::json(&json!({ "summary": summary, "audit": found }))?;
        } else {
            output::raw(summary.text().as_bytes())?;
            if let Some(found) = &found {
                output::raw(verdict(found).as_bytes())?;
            }
        }
        match found {
            Some(found) if !found.is_clean() => {
                Err(anyhow!("the audit found {} faults", found.faults_count).into())
            }
            _ if summary.confirmed == 0 => Err(anyhow!("the server confirmed no message").into()),
            Some(_) | None => Ok(()),
        }
    }

    async fn plan(&self, family: simulate::AnyFamily, side: &Side, habits: &Habits) -> Result<Plan, Failure> {
        let time = if let Some(text) = &self.duration {
            Time::Live(Duration::from_secs(seconds(text).map_err(Failure::Usage)?))
        } else {
            let minutes =
                seconds(self.span.as_deref().unwrap_or(habits.span)).map_err(Failure::Usage)?.div_ceil(60);
            let minutes = u32::try_from(minutes);
            Time::Pressed { minutes: minutes.map_err(|_| Failure::Usage("--span is too long".to_owned()))? }
        };
        if self.rate.is_some_and(|rate| !(rate.is_finite() && rate > 0.0)) {
            return Err(Failure::Usage("--rate is a number above 0".to_owned()));
        }
        let seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().context("no randomness")? >> 11,
        };
        Ok(Plan {
            family,
            target: side.target().await?,
            verifier: probe::verifier(side.trust.as_deref().map_or(Trust::Anyone, Trust::Root))
                .context("give the server's root certificate with --ca FILE, or --insecure to take any")?,
            count: self.count,
            behind: self.oke_per_module,
            connections: usize::try_from(self.connections).unwrap_or(usize::MAX),
            acts: vec![None],
            time,
            rate: self.rate,
            seed,
            apply: Box::new(|address| {
                let (key, request) = pki::apply(address).ok()?;
                Some(Application { key, request })
            }),
            secrets: HashMap::new(),
            file: None,
            patience: PATIENCE,
            epilogue: EPILOGUE,
        })
    }

    async fn compare(&self, desk: &Desk, rehearsed: Rehearsed, before: &Before) -> anyhow::Result<Found> {
        let bar = ProgressBar::new_spinner().with_style(style("audit: {msg} {spinner}"));
        let tell = |what: String| {
            bar.set_message(what);
            bar.tick();
        };
        let found = check::audit(desk, rehearsed, before, &tell).await.context("the audit could not be made");
        bar.finish_and_clear();
        found
    }
}

/// A file of random bytes, as the vendor's page makes them with `dd` (`cwm-oke.md §3.5`).
fn sample(seed: u64) -> anyhow::Result<(String, Bytes)> {
    let mut content = vec![0; SAMPLE_BYTES];
    getrandom::fill(&mut content).context("no randomness")?;
    Ok((format!("simulated-{seed}.bin"), Bytes::from(content)))
}

/// Runs the plan with a progress bar beside it; Ctrl-C ends it early and in order.
async fn perform(plan: Plan, office: Option<Arc<dyn Office>>) -> anyhow::Result<Rehearsed> {
    let stop = CancellationToken::new();
    let progress = Arc::new(Progress::default());
    let watch = tokio::spawn(show(Arc::clone(&progress), stop.clone()));
    let run = simulate::run(plan, office, Arc::clone(&progress), stop.clone());
    let done = run.await;
    watch.abort();
    Ok(done?)
}

async fn show(progress: Arc<Progress>, stop: CancellationToken) {
    let bar = ProgressBar::no_length();
    let mut ticks = tokio::time::interval(Duration::from_millis(250));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            Ok(()) = tokio::signal::ctrl_c() => stop.cancel(),
        }
        let total = progress.minutes_total.load(Ordering::Relaxed);
        if total > 0 && bar.length().is_none() {
            bar.set_length(total);
            bar.set_style(style("{msg:16} [{wide_bar}] {percent:>3} % {eta} left, {prefix}"));
        } else if total == 0 {
            bar.set_style(style("{msg:16} {spinner} {elapsed}, {prefix}"));
        }
        bar.set_position(progress.minutes.load(Ordering::Relaxed));
        bar.set_message(progress.act());
        bar.set_prefix(format!("{} confirmed", progress.confirmed.load(Ordering::Relaxed)));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// What the audit says to a person.
fn verdict(found: &Found) -> String {
    let judgement = if found.is_clean() {
        "nothing is missing".to_owned()
    } else {
        format!("{} faults", found.faults_count)
    };
    let mut lines = vec![format!(
        "\naudit: {} confirmed messages, {} stored, {} commands, {} newest values, {} values counted, the ledger's chain: {judgement}\n",
        found.confirmed, found.stored, found.commands, found.values, found.counted
    )];
    lines.extend(found.faults.iter().map(|fault| format!("  {fault}\n")));
    lines.concat()
}

const SAMPLE_BYTES: usize = 20_479;
/// How long a device goes unanswered before the run is given up.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long commands may find their end after the last act: a module that stopped asking is told to ask again after 30 s.
const EPILOGUE: Duration = Duration::from_secs(90);
