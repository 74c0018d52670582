//! One figure: rounds that go round the sides in turn, so that what disturbs one disturbs all; a ratio for each round,
//! and their median with the spread.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use crate::load::Report;
use crate::machine::Ticks;
use crate::sides::Side;

/// One side's cost in one round.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    /// Microseconds of CPU time per request answered, or milliseconds per MiB for downloads.
    pub(crate) each: f64,
    pub(crate) report: Report,
    /// CPU time that neither the server nor the load had, as a share of the machine.
    pub(crate) others: f64,
}

/// What a figure came to.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    pub(crate) ratios: Vec<f64>,
    pub(crate) notes: Vec<String>,
    pub(crate) others: f64,
}

impl Found {
    pub(crate) fn ratio(&self) -> f64 {
        median(&self.ratios)
    }
}

/// Measures two sides in turn, `rounds` times.
pub(crate) fn compare(ours: &Side, theirs: &Side, load: &[String], rounds: usize) -> Found {
    let mut pairs = Vec::new();
    for _ in 0..rounds {
        pairs.push((measure(ours, load), measure(theirs, load)));
    }
    let ratios = pairs.iter().map(|(ours, theirs)| ours.each / theirs.each).collect();
    let of = |pick: fn(&(Cost, Cost)) -> f64| median(&pairs.iter().map(pick).collect::<Vec<_>>());
    let mut notes = Vec::new();
    for (side, cost) in pairs.iter().flat_map(|(mine, yours)| [(ours, mine), (theirs, yours)]) {
        if cost.report.errors > 0 {
            let why = cost.report.error.clone().unwrap_or_default();
            notes.push(format!("{}: {} requests failed, such as: {why}", side.name, cost.report.errors));
        }
    }
    let speeds = |pick: fn(&(Cost, Cost)) -> &Cost| {
        let all: Vec<f64> =
            pairs.iter().map(|pair| pick(pair).report.requests as f64 / pick(pair).report.seconds).collect();
        median(&all)
    };
    notes.push(format!(
        "{} {:.0}/s p50 {} µs p99 {} µs; {} {:.0}/s p50 {} µs p99 {} µs",
        ours.name,
        speeds(|pair| &pair.0),
        of(|pair| pair.0.report.p50_us as f64),
        of(|pair| pair.0.report.p99_us as f64),
        theirs.name,
        speeds(|pair| &pair.1),
        of(|pair| pair.1.report.p50_us as f64),
        of(|pair| pair.1.report.p99_us as f64),
    ));
    Found {
        ours: of(|pair| pair.0.each),
        theirs: of(|pair| pair.1.each),
        ratios,
        notes,
        others: pairs.iter().map(|(ours, theirs)| ours.others.max(theirs.others)).fold(0.0, f64::max),
    }
}

/// One load against one side.
pub(crate) fn measure(side: &Side, load: &[String]) -> Cost {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["load", "--addr", &side.addr_for(load).to_string()])
        .args(load)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the load can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
    let mut line = || lines.next().expect("the load says how it goes");
    assert_eq!(line(), "begin");
    let (before, load_before, ticks) = (side.cpu(), crate::machine::Cpu::of(child.id()), Ticks::now());
    assert_eq!(line(), "end");
    let spent = side.cpu().since(&before);
    let loaded = crate::machine::Cpu::of(child.id()).since(&load_before);
    let (busy, stolen) = Ticks::now().since(ticks);
    let report: Report = serde_json::from_str(&line()).expect("a report");
    child.wait().expect("the load ends");
    let cores = std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64);
    let ours = (spent + loaded).as_secs_f64() / (report.seconds * cores);
    let units =
        if report.bytes > 0 { report.bytes as f64 / f64::from(1 << 20) } else { report.requests as f64 };
    Cost { each: spent.as_secs_f64() * 1e6 / units.max(1.0), report, others: (busy - ours).max(0.0) + stolen }
}

/// The middle one; of an even number the lower middle.
pub(crate) fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    all.get((all.len().max(1) - 1) / 2).copied().unwrap_or(f64::NAN)
}
