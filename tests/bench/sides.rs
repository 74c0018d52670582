//! The servers that are measured, each a process of its own, started once and left resting while others are measured.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine::Cpu;
use crate::sink;

/// One server.
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) addr: SocketAddr,
    /// Where it speaks plain HTTP beside TLS.
    plain: Option<SocketAddr>,
    /// Where it takes microcontrollers.
    ws: Option<SocketAddr>,
    child: Child,
}

impl Side {
    /// homeport as people run it, but for how many connections one address may have.
    pub(crate) fn homeport(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_homeport"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOMEPORT_") || name == "PORT")
        {
            command.env_remove(name);
        }
        command.arg("serve").current_dir(folder).envs([
            ("HOMEPORT_HTTPS", "127.0.0.1:0"),
            ("HOMEPORT_HTTP", "127.0.0.1:0"),
            ("HOMEPORT_WS", "127.0.0.1:0"),
            ("HOMEPORT_MCU_MESSAGES_PER_SECOND_MAX", "0"),
            ("HOMEPORT_TOKEN_RECORDS_MAX_PER_SECOND", "0"),
            ("HOMEPORT_HOSTS", "localhost,push.homeport.test,127.0.0.1"),
            ("HOMEPORT_DEVICES_UNKNOWN", "accept"),
            ("HOMEPORT_LIMITS_CONNECTIONS_MAX_COUNT", "20000"),
            ("HOMEPORT_LIMITS_PEER_CONNECTIONS_MAX_COUNT", "20000"),
        ]);
        Self::start("homeport", command, &folder.join("homeport.log"), &["https", "http", "ws"])
    }

    /// The yardstick that answers a constant.
    pub(crate) fn bare(certs: &Path, folder: &Path) -> Self {
        let mut command = Self::yardstick("bare");
        command.arg("--certs").arg(certs);
        Self::start("bare", command, &folder.join("bare.log"), &["https"])
    }

    /// The same over plain HTTP.
    pub(crate) fn bare_plain(folder: &Path) -> Self {
        Self::start("bare", Self::yardstick("bare"), &folder.join("bare-plain.log"), &["http"])
    }

    /// The yardstick that commits a row first.
    pub(crate) fn floor(certs: &Path, folder: &Path, company_ms: u64) -> Self {
        let mut command = Self::yardstick("floor");
        command.arg("--certs").arg(certs).arg("--database").arg(folder.join("floor.db"));
        command.arg("--company-ms").arg(company_ms.to_string());
        Self::start("floor", command, &folder.join("floor.log"), &["https"])
    }

    /// The yardstick that commits a row first, over plain HTTP.
    pub(crate) fn floor_plain(folder: &Path, company_ms: u64) -> Self {
        let mut command = Self::yardstick("floor");
        command.arg("--database").arg(folder.join("floor-plain.db"));
        command.arg("--company-ms").arg(company_ms.to_string());
        Self::start("floor", command, &folder.join("floor-plain.log"), &["http"])
    }

    /// The yardstick of microcontrollers.
    pub(crate) fn sink(folder: &Path) -> Self {
        Self::start("sink", Self::yardstick("sink"), &folder.join("sink.log"), &["ws"])
    }

    /// The same by Tornado; `None` when Python does not have it.
    pub(crate) fn tornado(folder: &Path) -> Option<Self> {
        Some(Self::start("tornado", sink::tornado(folder)?, &folder.join("tornado.log"), &["ws"]))
    }

    /// NGINX with homeport's ECDSA pair and one folder of files; `None` when it is not installed.
    pub(crate) fn nginx(certs: &Path, folder: &Path, files: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
        let (certs, files, place) = (certs.display(), files.display(), folder.display());
        let settings = format!(
            "daemon off; worker_processes auto; pid {place}/nginx.pid; error_log {place}/nginx.log; user root;\n\
             events {{ worker_connections 20000; }}\n\
             http {{ access_log off; sendfile on; default_type application/octet-stream;\n\
             client_body_temp_path {place}/t1; proxy_temp_path {place}/t2; fastcgi_temp_path {place}/t3;\n\
             uwsgi_temp_path {place}/t4; scgi_temp_path {place}/t5; keepalive_requests 1000000;\n\
             server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2 TLSv1.3;\n\
             ssl_certificate {certs}/ecdsa.pem; ssl_certificate_key {certs}/ecdsa.key;\n\
             location / {{ root {files}; }} }} }}\n"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, settings).ok()?;
        let mut command = Command::new("nginx");
        command.arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().ok()?;
        let addr = SocketAddr::from(([127, 0, 0, 1], port));
        let patience = Instant::now() + PATIENCE;
        while TcpStream::connect(addr).is_err() {
            if Instant::now() > patience {
                return None;
            }
            std::thread::yield_now();
        }
        Some(Self { name: "nginx", addr, plain: None, ws: None, child })
    }

    fn yardstick(which: &str) -> Command {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(which);
        command
    }

    /// Starts a server and reads from its output where it listens: one address for each scheme, in their order there.
    fn start(name: &'static str, mut command: Command, log: &Path, schemes: &[&str]) -> Self {
        let log = fs::File::create(log).expect("a log");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut address = |scheme: &str| loop {
            let line = lines.next().unwrap_or_else(|| panic!("{name} ended; see its log")).expect("text");
            let found = line.split_whitespace().find_map(|word| {
                let rest = word.strip_prefix(scheme)?.strip_prefix("://")?;
                rest.trim_end_matches(['/', '.', ',']).parse::<SocketAddr>().ok()
            });
            if let Some(addr) = found {
                break addr;
            }
        };
        let mut found = schemes.iter().map(|scheme| address(scheme));
        let addr = found.next().expect("a scheme");
        let (plain, ws) = (found.next(), found.next());
        drop(found);
        // Read on, so that it never waits for a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { name, addr, plain, ws, child }
    }

    /// Where this load goes.
    pub(crate) fn addr_for(&self, load: &[String]) -> SocketAddr {
        let with = |word: &str| load.iter().any(|other| other == word);
        let other = match () {
            () if ["--bed", "--things", "--nodes"].into_iter().any(with) => self.plain,
            () if with("--board") => self.ws,
            () => None,
        };
        other.unwrap_or(self.addr)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it and its workers have spent.
    pub(crate) fn cpu(&self) -> Cpu {
        let own = self.pid();
        let children = fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap_or_default();
        let mut all = vec![own];
        all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        Cpu::of_all(&all)
    }

    /// Asks it to stop in order, and waits for it.
    pub(crate) fn stop(mut self) {
        let told = Command::new("kill").arg(self.pid().to_string()).status();
        assert!(told.is_ok_and(|status| status.success()), "{} can be told to stop", self.name);
        self.child.wait().expect("it ends");
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // In order, so that a master takes its workers along.
            Command::new("kill").arg(self.pid().to_string()).status().ok();
            self.child.wait().ok();
        }
    }
}

/// Whether a homeport's ledger is sound, and how many entries it has: `homeport audit` in its folder.
pub(crate) fn audit(folder: &Path) -> (u64, bool) {
    let audit = Command::new(env!("CARGO_BIN_EXE_homeport"))
        .args(["audit", "--json"])
        .current_dir(folder)
        .output()
        .expect("homeport can be started");
    let found: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap_or_default();
    (found.get("entries").and_then(serde_json::Value::as_u64).unwrap_or_default(), audit.status.success())
}

/// Where homeport keeps its certificates in its folder.
pub(crate) fn certs(folder: &Path) -> PathBuf {
    folder.join("certs")
}

const PATIENCE: Duration = Duration::from_secs(10);
