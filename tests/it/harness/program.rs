//! Runs the real program in a folder of its own, on ports the system picks, and ends it in every way there is.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;
use tempfile::TempDir;

use super::client::{Answer, Client};

/// The longest any wait in a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Who runs the program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunAs {
    /// Whoever runs the tests.
    Me,
    /// An account without rights, when the tests are run by root: root may write where nobody may.
    Nobody,
}

/// Everything a child said so far, line by line.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Said {
    fn listen(said: &Arc<Self>, stream: impl Read + Send + 'static) -> thread::JoinHandle<()> {
        let said = Arc::clone(said);
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                said.lines.lock().unwrap().push(line);
                said.more.notify_all();
            }
            said.more.notify_all();
        })
    }

    /// Waits until `find` finds something in what was said.
    fn wait<T>(&self, patience: Duration, find: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        let end = Instant::now() + patience;
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(found) = find(&lines) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }
}

struct Running {
    child: Child,
    said: Arc<Said>,
    https: SocketAddr,
}

/// One installation: a folder, its settings, and the program when it runs.
pub(crate) struct Program {
    folder: Arc<TempDir>,
    settings: Vec<(String, String)>,
    run_as: RunAs,
    file_kib: Option<u32>,
    running: Option<Running>,
}

impl Program {
    /// An installation that has never run. Unknown devices are accepted, so that data count at once.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("hp").tempdir().expect("a temporary folder can be made");
        let settings = [
            ("HOMEPORT_HTTPS", "127.0.0.1:0"),
            ("HOMEPORT_HTTP", "127.0.0.1:0"),
            ("HOMEPORT_WS", "127.0.0.1:0"),
            ("HOMEPORT_HOSTS", "localhost,homeport.test,127.0.0.1"),
            ("HOMEPORT_DEVICES_UNKNOWN", "accept"),
        ];
        let settings =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { folder: Arc::new(folder), settings, run_as: RunAs::Me, file_kib: None, running: None }
    }

    /// The same, started.
    pub(crate) fn started() -> Self {
        let mut program = Self::new();
        program.start();
        program
    }

    /// Sets an environment variable of the program.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What it lets go of goes back to the system at once, so that the peak of its memory is what it held.
    pub(crate) fn thrifty(self) -> Self {
        self.set("MIMALLOC_PURGE_DELAY", "0")
    }

    /// Takes a variable away.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.settings.retain(|(known, _)| known != name);
        self
    }

    /// Runs it as somebody else.
    pub(crate) fn run_as(mut self, who: RunAs) -> Self {
        self.run_as = who;
        self
    }

    /// Lets no file it writes grow beyond a size: a full disk for those who may not mount one.
    pub(crate) fn limit_file_kib(mut self, most: u32) -> Self {
        self.file_kib = Some(most);
        self
    }

    /// Takes that limit away.
    pub(crate) fn unlimited(mut self) -> Self {
        self.file_kib = None;
        self
    }

    /// The folder it runs in.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_homeport");
        let mut command = if self.run_as == RunAs::Nobody && am_root() {
            // The target folder may lie where nobody but root may look.
            let copy = self.folder().join("homeport-program");
            if !copy.exists() {
                fs::copy(program, &copy).expect("the program can be copied");
            }
            let owned = Command::new("chown").args(["-R", "nobody"]).arg(self.folder()).status();
            assert!(owned.is_ok_and(|status| status.success()), "the folder can be given to nobody");
            let mut command = Command::new("runuser");
            command.args(["-u", "nobody", "--"]).arg(copy);
            command
        } else if let Some(most) = self.file_kib {
            // SIGXFSZ is ignored, so that a write fails instead of ending the program.
            let mut command = Command::new("bash");
            let script = format!("trap '' XFSZ; ulimit -f {most}; exec \"$0\" \"$@\"");
            command.args(["-c", &script, program]);
            command
        } else {
            Command::new(program)
        };
        command.args(arguments).current_dir(self.folder()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOMEPORT_") || name == "PORT")
        {
            command.env_remove(name);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(&mut self) {
        self.begin(self.command(&["serve"]));
    }

    /// The same through another program, which is given the server's command line.
    pub(crate) fn start_through(&mut self, before: &[&str]) {
        self.begin(self.command_through(before));
    }

    fn command_through(&self, before: &[&str]) -> Command {
        let server = self.command(&["serve"]);
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(server.get_program()).args(server.get_args());
        command.current_dir(self.folder()).stdin(Stdio::null());
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    fn begin(&mut self, mut command: Command) {
        assert!(self.running.is_none(), "it runs already");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let said = Arc::new(Said::default());
        Said::listen(&said, child.stdout.take().expect("stdout is piped"));
        Said::listen(&said, child.stderr.take().expect("stderr is piped"));
        let https = said.wait(PATIENCE, |lines| address_in(lines, "https://"));
        let Some(https) = https else {
            child.kill().ok();
            panic!("the server did not say where it listens:\n{}", said.lines.lock().unwrap().join("\n"));
        };
        self.running = Some(Running { child, said, https });
    }

    /// Runs the server and expects it to refuse; gives its exit code and what it said.
    pub(crate) fn refuses_to_start(&self) -> (Option<i32>, String) {
        Self::refuses(self.command(&["serve"]))
    }

    /// The same through another program.
    pub(crate) fn refuses_to_start_through(&self, before: &[&str]) -> (Option<i32>, String) {
        Self::refuses(self.command_through(before))
    }

    fn refuses(mut command: Command) -> (Option<i32>, String) {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let said = Arc::new(Said::default());
        let out = Said::listen(&said, child.stdout.take().expect("stdout is piped"));
        let err = Said::listen(&said, child.stderr.take().expect("stderr is piped"));
        let status = settled(|| child.try_wait().expect("a child can be asked"));
        let Some(status) = status else {
            child.kill().ok();
            panic!("it started although it must not:\n{}", said.lines.lock().unwrap().join("\n"));
        };
        // What it said last may still be on its way.
        out.join().and(err.join()).expect("what it said can be read");
        (status.code(), said.lines.lock().unwrap().join("\n"))
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.child.kill().expect("a child can be killed");
        running.child.wait().expect("a child can be waited for");
    }

    /// Asks it to stop and waits for it.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        let mut running = self.running.take().expect("it runs");
        settled(|| running.child.try_wait().expect("a child can be asked")).expect("it stops when asked to")
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let id = self.running.as_ref().expect("it runs").child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "SIG{name} can be sent");
    }

    /// Its number among the processes.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().expect("it runs").child.id()
    }

    /// A subcommand in the same folder, to be run by the caller.
    pub(crate) fn command_line(&self, arguments: &[&str]) -> Command {
        self.command(arguments)
    }

    /// Runs another subcommand in the same folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be run")
    }

    /// Runs another subcommand that must do what it was asked; gives what it printed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "homeport {}: {}\n{printed}\n{}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        printed
    }

    /// Everything the running server said.
    pub(crate) fn log(&self) -> String {
        self.running.as_ref().expect("it runs").said.lines.lock().unwrap().join("\n")
    }

    /// Waits until the server has said something.
    pub(crate) fn says(&self, words: &str) -> bool {
        let said = &self.running.as_ref().expect("it runs").said;
        said.wait(PATIENCE, |lines| lines.iter().any(|line| line.contains(words)).then_some(())).is_some()
    }

    /// Where TLS is spoken.
    pub(crate) fn https(&self) -> SocketAddr {
        self.running.as_ref().expect("it runs").https
    }

    /// Where plain HTTP is spoken.
    pub(crate) fn http(&self) -> SocketAddr {
        self.listener("http://")
    }

    /// Where another listener is, by the scheme that is told of it: `http://` or `ws://`.
    pub(crate) fn listener(&self, scheme: &str) -> SocketAddr {
        let said = &self.running.as_ref().expect("it runs").said;
        said.wait(PATIENCE, |lines| address_in(lines, scheme)).expect("it says where it listens")
    }

    /// The root certificate in a file, for other programs.
    pub(crate) fn root_file(&self) -> PathBuf {
        let file = self.folder().join("root-for-clients.pem");
        if !file.exists() {
            fs::write(&file, self.done(&["certs", "export-root"])).expect("the root can be written");
        }
        file
    }

    /// The root certificate.
    pub(crate) fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.root_file()).expect("export-root prints a certificate")
    }

    /// A client that trusts this server's root and nothing else.
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.https(), "localhost", &self.root()).expect("the server takes connections")
    }

    /// A client without TLS.
    pub(crate) fn plain_client(&self) -> Client {
        Client::plain(self.http()).expect("the server takes connections")
    }

    /// The first administrator's password.
    pub(crate) fn password(&self) -> String {
        let file = self.folder().join("data/initial-password");
        fs::read_to_string(file).expect("the first password is kept").trim().to_owned()
    }

    /// Makes an API token for an administrator.
    pub(crate) fn token(&self) -> String {
        let printed = self.done(&["token", "create", "test", "--role", "admin"]);
        let word = printed.split_whitespace().find(|word| word.starts_with("hp_"));
        word.expect("a token is printed").to_owned()
    }

    /// Asks the API and expects success.
    pub(crate) fn api(&self, token: &str, path: &str) -> Value {
        let answer = self.client().get_as(token, path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// Sends JSON to the API.
    pub(crate) fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        self.client().post_as(token, path, body)
    }

    /// Every item of a listing, page after page.
    pub(crate) fn all(&self, token: &str, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut address = path.to_owned();
        loop {
            let page = self.api(token, &address);
            items.extend(page["items"].as_array().expect("a listing has items").iter().cloned());
            let next = match &page["next"] {
                Value::Null => return items,
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            path.clone_into(&mut address);
            let mark = if path.contains('?') { '&' } else { '?' };
            write!(address, "{mark}cursor={next}").expect("text can be added");
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            if thread::panicking() {
                eprintln!("the server said:\n{}", running.said.lines.lock().unwrap().join("\n"));
            }
            running.child.kill().ok();
            running.child.wait().ok();
        }
    }
}

/// Where `scripts/test` puts MicroPython, or says that it is.
pub(crate) fn micropython() -> PathBuf {
    let of_target = || {
        let program = Path::new(env!("CARGO_BIN_EXE_homeport"));
        let target = program.ancestors().nth(2).expect("a program is in target/debug");
        target.join("micropython/bin/micropython")
    };
    std::env::var_os("HOMEPORT_TEST_MICROPYTHON").map_or_else(of_target, PathBuf::from)
}

/// Whether the tests are run by root.
pub(crate) fn am_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0"))
}

/// Asks again and again until there is an answer, or patience ends. Only for what nobody announces.
pub(crate) fn settled<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > end {
            return None;
        }
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// The first `scheme://127.0.0.1:PORT` in what was said.
fn address_in(lines: &[String], scheme: &str) -> Option<SocketAddr> {
    lines.iter().find_map(|line| {
        line.match_indices(scheme).find_map(|(at, _)| {
            let rest = &line[at + scheme.len()..];
            let end =
                rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ':')).unwrap_or(rest.len());
            rest[..end].trim_end_matches(['.', ':']).parse().ok()
        })
    })
}
