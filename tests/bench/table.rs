//! The figures, in the order of `docs/performance.md`, and the table that is printed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::machine;
use crate::round::{Found, compare, measure, median};
use crate::sides::{self, Side};
use crate::uploads;

#[derive(clap::Args)]
pub(crate) struct Table {
    /// Shorter rounds and fewer connections: for a look while working.
    #[arg(long)]
    quick: bool,
    /// Rounds per figure.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only these figures, by the word in front of their line.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Also how push cost grows with devices and stored messages. Takes long and some gigabytes.
    #[arg(long)]
    growth: bool,
    /// Stored messages to grow to.
    #[arg(long, default_value_t = 1_000_000)]
    growth_messages: u64,
    /// How long the floor waits for company, in milliseconds.
    #[arg(long, default_value_t = 0)]
    floor_company_ms: u64,
    /// Where the servers keep their files; by default a new folder that goes afterwards.
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// A line of the table.
struct Line {
    word: &'static str,
    what: &'static str,
    must: f64,
    aim: f64,
}

impl Table {
    pub(crate) fn run(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.measure());
    }

    async fn measure(&self) {
        let scratch = tempfile::Builder::new().prefix("homeport-bench").tempdir().expect("a folder");
        let folder = self.folder.clone().unwrap_or_else(|| scratch.path().to_owned());
        let (busy, stolen) = machine::others().await;
        println!("machine: {}", about_machine());
        println!(
            "others before the run: {:.0} % of it, {:.0} % stolen by the host",
            busy * 100.0,
            stolen * 100.0
        );
        println!(
            "{:<9}{:<58}{:>11}{:>11}{:>8}{:>14}{:>7}{:>7}",
            "", "figure", "homeport", "yardstick", "ratio", "spread", "must", "aim"
        );
        let bench = Bench::start(&folder, self);
        bench.kept();
        bench.fresh();
        bench.resumed();
        bench.rate();
        bench.beds();
        bench.uploads();
        bench.boards();
        bench.lone();
        bench.downloads();
        bench.crowd();
        let answered = bench.stop();
        if self.wants("memory") {
            memory(&folder, self).await;
        }
        if self.wants("mcumem") {
            board_memory(&folder, self).await;
        }
        if self.growth {
            growth(&folder, self);
        }
        println!("{answered}");
    }

    fn wants(&self, word: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == word)
    }

    fn seconds(&self) -> f64 {
        if self.quick { 1.5 } else { 4.0 }
    }
}

/// The servers of one run.
struct Bench<'a> {
    table: &'a Table,
    folder: PathBuf,
    homeport: Side,
    bare: Side,
    floor: Side,
    nginx: Option<Side>,
}

impl<'a> Bench<'a> {
    fn start(folder: &Path, table: &'a Table) -> Self {
        let home = folder.join("home");
        let homeport = Side::homeport(&home);
        let certs = sides::certs(&home);
        let bare = Side::bare(&certs, folder);
        let floor = Side::floor(&certs, folder, table.floor_company_ms);
        let files = home.join("files");
        fs::create_dir_all(&files).expect("a folder");
        let nginx = Side::nginx(&certs, folder, &files);
        Self { table, folder: folder.to_owned(), homeport, bare, floor, nginx }
    }

    fn load(&self, more: &[&str]) -> Vec<String> {
        let mut words = vec!["--seconds".to_owned(), self.table.seconds().to_string()];
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    }

    fn compare(&self, line: &Line, theirs: &Side, more: &[&str]) {
        if self.table.wants(line.word) {
            print(line, &compare(&self.homeport, theirs, &self.load(more), self.table.rounds), "µs");
        }
    }

    fn kept(&self) {
        let line = Line {
            word: "kept",
            what: "CPU per durable push, kept-open TLS, 64 clients, over floor",
            must: 2.0,
            aim: 1.4,
        };
        self.compare(&line, &self.floor, &[]);
        let line =
            Line { word: "keptbare", what: "the same over bare (no aim)", must: f64::NAN, aim: f64::NAN };
        self.compare(&line, &self.bare, &[]);
    }

    fn fresh(&self) {
        let line = Line {
            word: "ecdsa",
            what: "a new TLS 1.3 connection each, ECDSA full, over bare",
            must: 1.4,
            aim: 1.2,
        };
        self.compare(&line, &self.bare, &["--fresh"]);
        let line = Line { word: "rsa", what: "the same, RSA-2048 full, over bare", must: 1.15, aim: 1.08 };
        self.compare(&line, &self.bare, &["--fresh", "--key", "rsa"]);
    }

    fn resumed(&self) {
        let line =
            Line { word: "resume13", what: "the same, TLS 1.3 resumed, over bare", must: 1.4, aim: 1.25 };
        self.compare(&line, &self.bare, &["--fresh", "--resume"]);
        let line =
            Line { word: "resume12", what: "the same, TLS 1.2 resumed, over bare", must: 1.9, aim: 1.5 };
        self.compare(&line, &self.bare, &["--fresh", "--resume", "--version", "tls12"]);
    }

    fn rate(&self) {
        let line = Line {
            word: "rate",
            what: "500 new connections a second offered, over bare",
            must: 2.0,
            aim: 1.3,
        };
        self.compare(&line, &self.bare, &["--rate", "500"]);
    }

    /// Bed sensors over plain HTTP, five rows in each push.
    fn beds(&self) {
        if !self.table.wants("bed") {
            return;
        }
        let line = Line {
            word: "bed",
            what: "CPU per durable push of five rows, plain HTTP, over bare",
            must: 12.0,
            aim: f64::NAN,
        };
        let bare = Side::bare_plain(&self.folder);
        let found = compare(&self.homeport, &bare, &self.load(&["--bed"]), self.table.rounds);
        print(&line, &found, "µs");
        println!(
            "{:<9}  1,000 such pushes: {:.0} ms; a twentieth of what the original's server needed on another machine: {:.0} ms",
            "",
            found.ours,
            ORIGINAL_MS / 20.0
        );
    }

    /// Devices with a token on kept connections, and Tswarm nodes, who make one for each upload.
    fn uploads(&self) {
        let line = |word, what| Line { word, what, must: 2.0, aim: f64::NAN };
        let things = line("things", "CPU per durable upload with a token, over plain floor");
        let nodes = line("nodes", "the same of a Tswarm node, a new connection each");
        if !self.table.wants(things.word) && !self.table.wants(nodes.word) {
            return;
        }
        let floor = Side::floor_plain(&self.folder, self.table.floor_company_ms);
        let (tokens, login) = uploads::credentials(&self.folder.join("home"), 64);
        self.compare(&things, &floor, &["--things", &tokens.display().to_string()]);
        self.compare(&nodes, &floor, &["--nodes", &login.display().to_string(), "--fresh"]);
    }

    /// Microcontrollers, a hundred as fast as they can.
    fn boards(&self) {
        if !self.table.wants("mcu") {
            return;
        }
        let line = Line {
            word: "mcu",
            what: "CPU per durable message, 100 boards, over taking them in",
            must: f64::NAN,
            aim: f64::NAN,
        };
        let messages = if self.table.quick { "500" } else { "2000" };
        let load = self.load(&["--board", messages, "--clients", "100"]);
        let sink = Side::sink(&self.folder);
        print(&line, &compare(&self.homeport, &sink, &load, self.table.rounds), "µs");
        if let Some(tornado) = Side::tornado(&self.folder) {
            let line = Line {
                word: "mcupy",
                what: "the same over Tornado, which the original used",
                must: 1.0,
                aim: 0.33,
            };
            print(&line, &compare(&self.homeport, &tornado, &load, self.table.rounds), "µs");
        } else {
            println!("{:<9}Python has no Tornado here: no figure", "mcupy");
        }
    }

    /// One client alone, and the disk's own sync between its rounds.
    fn lone(&self) {
        if !self.table.wants("lone") {
            return;
        }
        let line = Line {
            word: "lone",
            what: "p50 of one client alone, less fdatasync p50",
            must: 300.0,
            aim: 150.0,
        };
        let (mut ours, mut sync, mut less, mut others) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
        for _ in 0..self.table.rounds {
            let before = machine::sync_p50_us(&self.folder, 300);
            let cost = measure(&self.homeport, &self.load(&["--clients", "1"]));
            let after = machine::sync_p50_us(&self.folder, 300);
            let (p50, disk) = (cost.report.p50_us as f64, (before + after) as f64 / 2.0);
            ours.push(p50);
            sync.push(disk);
            less.push(p50 - disk);
            others = others.max(cost.others);
        }
        let found =
            Found { ours: median(&ours), theirs: median(&sync), ratios: less, notes: Vec::new(), others };
        print(&line, &found, "µs");
    }

    /// One file by homeport and by NGINX, kept connections.
    fn downloads(&self) {
        let Some(nginx) = &self.nginx else {
            println!("{:<9}NGINX is not installed: no figure", "file");
            return;
        };
        if !self.table.wants("file") {
            return;
        }
        let name = "bench.bin";
        let content: Vec<u8> =
            (0..32_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let source = self.folder.join(name);
        fs::write(&source, content).expect("a file");
        fs::copy(&source, self.folder.join("home/files").join(name)).expect("a file for NGINX");
        let added = Command::new(env!("CARGO_BIN_EXE_homeport"))
            .args(["files", "add"])
            .arg(&source)
            .current_dir(self.folder.join("home"))
            .output();
        if !added.is_ok_and(|added| added.status.success()) {
            println!("{:<9}homeport publishes no files yet: no figure", "file");
            return;
        }
        let line = Line {
            word: "file",
            what: "file download over TLS, 4 clients, CPU per MiB over NGINX",
            must: 1.2,
            aim: 0.9,
        };
        self.compare(&line, nginx, &["--get", "/bench.bin", "--clients", "4"]);
    }

    /// Many that rest and 200 that work.
    fn crowd(&self) {
        if !self.table.wants("crowd") {
            return;
        }
        let count = if self.table.quick { 2_000 } else { 10_000 };
        let mut held = Held::open(self.homeport.addr_for(&[]), count, &[]);
        let cost = measure(&self.homeport, &self.load(&["--clients", "200", "--first", "5000"]));
        println!(
            "{:<9}{} idle TLS connections and 200 active ones: {:.0} pushes/s, p50 {} µs, p99 {} µs, {:.1} µs each, {} failed",
            "crowd",
            held.count,
            cost.report.requests as f64 / cost.report.seconds,
            cost.report.p50_us,
            cost.report.p99_us,
            cost.each,
            cost.report.errors
        );
        held.close();
    }

    /// Ends all, and says whether what was answered is what is stored.
    fn stop(self) -> String {
        let Self { folder, homeport, .. } = self;
        homeport.stop();
        let (entries, sound) = sides::audit(&folder.join("home"));
        let word = if sound { "sound" } else { "NOT SOUND" };
        format!("the ledger afterwards: {word}, {entries} entries")
    }
}

/// Connections that rest in a process of their own.
struct Held {
    child: std::process::Child,
    count: u64,
}

impl Held {
    fn open(addr: SocketAddr, count: usize, how: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["hold", "--addr", &addr.to_string(), "--count", &count.to_string()]).args(how);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let count = line.trim().strip_prefix("held ").and_then(|count| count.parse().ok()).unwrap_or(0);
        Self { child, count }
    }

    fn close(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().expect("it ends");
    }
}

/// Resident memory: of a fresh server, and with many idle connections, unused and used once.
async fn memory(folder: &Path, table: &Table) {
    let count = if table.quick { 2_000 } else { 10_000 };
    let home = folder.join("home");
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let certs = sides::certs(&home);
    let sides: [fn(&Path, &Path, &Path) -> Side; 2] =
        [|home, _, _| Side::homeport(home), |_, certs, folder| Side::bare(certs, folder)];
    let mut rows = Vec::new();
    for start in sides {
        for used in [false, true] {
            let side = start(&home, &certs, folder);
            tokio::time::sleep(Duration::from_secs(2)).await;
            let idle = machine::resident(side.pid());
            let how: &[&str] = if used { &["--used"] } else { &[] };
            let mut held = Held::open(side.addr, count, how);
            tokio::time::sleep(REST).await;
            let full = machine::resident(side.pid());
            let each = (full.saturating_sub(idle)) as f64 / 1024.0 / held.count.max(1) as f64;
            rows.push((side.name, used, mib(idle), held.count, mib(full), each));
            held.close();
            side.stop();
        }
    }
    println!(
        "{:<9}resident memory: must 40 MiB idle and 230 MiB at 10,000 idle TLS connections; aim 25 and 150",
        "memory"
    );
    for (name, used, idle, count, full, each) in rows {
        let what = if used { "each used once" } else { "never used" };
        println!(
            "{:<9}  {name}: idle {idle:.1} MiB, with {count} connections ({what}) {full:.1} MiB, {each:.1} KiB each",
            ""
        );
    }
}

/// Resident memory of boards that rest.
async fn board_memory(folder: &Path, table: &Table) {
    let count = if table.quick { 2_000 } else { 10_000 };
    println!("{:<9}resident memory of boards at rest: must 12 KiB each at 10,000", "mcumem");
    for (how, what) in [
        (&["--board", "--first", "1"][..], "never used"),
        (&["--board", "--used", "--first", "1"], "one message each"),
    ] {
        let side = Side::homeport(&folder.join("boards"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let idle = machine::resident(side.pid());
        let mut held = Held::open(side.addr_for(&["--board".to_owned()]), count, how);
        tokio::time::sleep(REST).await;
        let full = machine::resident(side.pid());
        let each = (full.saturating_sub(idle)) as f64 / 1024.0 / held.count.max(1) as f64;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{:<9}  idle {:.1} MiB, with {} boards ({what}) {:.1} MiB, {each:.1} KiB each",
            "",
            mib(idle),
            held.count,
            mib(full)
        );
        held.close();
        side.stop();
    }
}

/// Push cost with more devices and more stored messages.
fn growth(folder: &Path, table: &Table) {
    let home = folder.join("grown");
    let side = Side::homeport(&home);
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    println!("growth   CPU per durable push, kept-open TLS, 64 clients in turn over all devices");
    let mut stored = 0;
    for each in [2_usize, 16, 157, 1563] {
        let fill = measure(&side, &words(&format!("--devices-each {each} --requests-each {each}")));
        let cost = measure(&side, &words(&format!("--seconds 4 --devices-each {each}")));
        stored += fill.report.answered + cost.report.answered;
        println!("           {:>7} devices, {stored:>9} stored: {:.1} µs", each * 64, cost.each);
    }
    let mut next = stored;
    while next < table.growth_messages {
        next = (next * 3).min(table.growth_messages);
        let fill =
            measure(&side, &words(&format!("--devices-each 16 --requests-each {}", (next - stored) / 64)));
        stored += fill.report.answered;
        let cost = measure(&side, &words("--seconds 4 --devices-each 16"));
        stored += cost.report.answered;
        println!("              1024 devices, {stored:>9} stored: {:.1} µs", cost.each);
    }
    side.stop();
    let (entries, sound) = sides::audit(&home);
    println!("           its ledger: {}, {entries} entries", if sound { "sound" } else { "NOT SOUND" });
}

fn print(line: &Line, found: &Found, unit: &str) {
    let Line { word, what, must, aim } = line;
    let (low, high) = found
        .ratios
        .iter()
        .fold((f64::MAX, f64::MIN), |(low, high), ratio| (low.min(*ratio), high.max(*ratio)));
    let digits = if *must > 10.0 { 0 } else { 2 };
    let ratio = found.ratio();
    let verdict = match () {
        () if must.is_nan() => "",
        () if ratio <= *aim => "  aim reached",
        () if ratio <= *must => "  within must",
        () => "  OVER must",
    };
    let limit = |limit: f64| if limit.is_nan() { "-".to_owned() } else { limit.to_string() };
    println!(
        "{word:<9}{what:<58}{:>8.1} {unit}{:>8.1} {unit}{ratio:>8.digits$}{:>14}{:>7}{:>7}{verdict}",
        found.ours,
        found.theirs,
        format!("{low:.digits$}-{high:.digits$}"),
        limit(*must),
        limit(*aim),
    );
    for note in &found.notes {
        println!("{:<9}  {note}", "");
    }
    if found.others > OTHERS_MATTER {
        println!(
            "{:<9}  others had up to {:.0} % of the machine meanwhile: measure again when it is quiet",
            "",
            found.others * 100.0
        );
    }
    std::io::stdout().flush().ok();
}

fn about_machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{cores} cores of {}", model.trim_start_matches([' ', '\t', ':']))
}

/// What the original server of the bed sensors took for 1,000 pushes, with nothing durable.
const ORIGINAL_MS: f64 = 1_060.0;
/// From which share on the others' use of the machine is worth a word.
const OTHERS_MATTER: f64 = 0.05;
/// How long connections rest before memory is read.
const REST: Duration = Duration::from_secs(6);
