//! Receivers of webhooks and mail, written from the documents of HTTP and SMTP and from nothing of the program under
//! test. They do as they are told: take, refuse, or say nothing.

use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The longest any wait in a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// What a receiver answers.
#[derive(Clone, Debug)]
pub(crate) enum Mood {
    /// This status line and these headers.
    Says(&'static str),
    /// Nothing, for as long as the caller stays.
    Hangs,
}

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }
}

/// The certificate and key of a folder, for a receiver that speaks TLS.
pub(crate) fn tls(certs: &Path) -> Arc<ServerConfig> {
    let chain =
        CertificateDer::pem_file_iter(certs.join("ecdsa.pem")).unwrap().collect::<Result<Vec<_>, _>>();
    let key = PrivateKeyDer::from_pem_file(certs.join("ecdsa.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(chain.unwrap(), key).unwrap())
}

/// A receiver of webhooks.
pub(crate) struct Hook {
    pub(crate) addr: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    heard: Receiver<Heard>,
}

impl Hook {
    pub(crate) fn open(mood: Mood, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let addr = listener.local_addr().unwrap();
        let mood = Arc::new(Mutex::new(mood));
        let (tell, heard) = channel();
        let shared = Arc::clone(&mood);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (mood, tell, tls) = (Arc::clone(&shared), tell.clone(), tls.clone());
                // Who hangs up in the middle has said nothing.
                thread::spawn(move || drop(answer(wire(stream, tls), &mood, &tell)));
            }
        });
        Self { addr, mood, heard }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook?a=b", self.addr)
    }

    pub(crate) fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The next request; also one that is not answered.
    #[track_caller]
    pub(crate) fn hears(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("a request comes")
    }

    /// What came that nobody asked for yet.
    pub(crate) fn rest(&self) -> Vec<Heard> {
        self.heard.try_iter().collect()
    }
}

fn wire(stream: TcpStream, tls: Option<Arc<ServerConfig>>) -> Box<dyn Wire> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    match tls {
        None => Box::new(stream),
        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
    }
}

fn answer(wire: Box<dyn Wire>, mood: &Mutex<Mood>, tell: &Sender<Heard>) -> io::Result<()> {
    let mut wire = BufReader::new(wire);
    let mut lines = String::new();
    while !lines.ends_with("\r\n\r\n") {
        if wire.read_line(&mut lines)? == 0 {
            return Ok(());
        }
    }
    let mut heard = Heard { head: lines, body: Vec::new() };
    let length = heard.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    heard.body = vec![0; length];
    wire.read_exact(&mut heard.body)?;
    let mood = mood.lock().unwrap().clone();
    drop(tell.send(heard));
    match mood {
        Mood::Hangs => drop(wire.read(&mut [0])?),
        Mood::Says(status) => {
            write!(wire.get_mut(), "HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\ntold")?;
            wire.get_mut().flush()?;
        }
    }
    Ok(())
}

/// How a mail server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Takes everything in the clear.
    Plain,
    /// Wants TLS by STARTTLS, then a name and a password.
    Starttls,
    /// The same, with TLS from the first byte.
    Tls,
    /// Says at each recipient that it is busy.
    Busy,
    /// Knows no recipient.
    Nobody,
    /// Offers no STARTTLS.
    Bare,
}

/// A letter as it came.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    /// What `AUTH PLAIN` said.
    pub(crate) proof: Option<String>,
    pub(crate) secure: bool,
}

/// A mail server.
pub(crate) struct Mailbox {
    pub(crate) addr: SocketAddr,
    letters: Receiver<Letter>,
}

impl Mailbox {
    pub(crate) fn open(habit: Habit, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let addr = listener.local_addr().unwrap();
        let (tell, letters) = channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (tell, tls) = (tell.clone(), tls.clone());
                thread::spawn(move || drop(serve(stream, habit, tls.as_ref(), &tell)));
            }
        });
        Self { addr, letters }
    }

    #[track_caller]
    pub(crate) fn gets(&self) -> Letter {
        self.letters.recv_timeout(PATIENCE).expect("a letter comes")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.letters.try_recv().is_err()
    }
}

fn serve(
    stream: TcpStream,
    habit: Habit,
    tls: Option<&Arc<ServerConfig>>,
    tell: &Sender<Letter>,
) -> io::Result<()> {
    let copy = stream.try_clone()?;
    let mut secure = habit == Habit::Tls;
    let mut wire = BufReader::new(wire(stream, tls.filter(|_| secure).cloned()));
    say(&mut wire, "220 mail.test")?;
    let (mut from, mut to, mut proof) = (String::new(), String::new(), None);
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        match verb.as_str() {
            "EHLO" if habit == Habit::Starttls && !secure => say(&mut wire, "250-mail.test\r\n250 STARTTLS")?,
            "EHLO" if secure => say(&mut wire, "250-mail.test\r\n250 AUTH PLAIN LOGIN")?,
            "EHLO" | "RSET" | "NOOP" => say(&mut wire, "250 mail.test")?,
            "STARTTLS" => {
                say(&mut wire, "220 go on")?;
                secure = true;
                wire = BufReader::new(self::wire(copy.try_clone()?, tls.cloned()));
            }
            "AUTH" => {
                proof = line.split(' ').nth(2).map(str::to_owned);
                say(&mut wire, "235 welcome")?;
            }
            "MAIL" if matches!(habit, Habit::Starttls | Habit::Tls) && proof.is_none() => {
                say(&mut wire, "530 who are you")?;
            }
            "MAIL" => {
                line.clone_into(&mut from);
                say(&mut wire, "250 ok")?;
            }
            "RCPT" if habit == Habit::Busy => say(&mut wire, "451 later")?,
            "RCPT" if habit == Habit::Nobody => say(&mut wire, "550 nobody of that name")?,
            "RCPT" => {
                line.clone_into(&mut to);
                say(&mut wire, "250 ok")?;
            }
            "DATA" => {
                say(&mut wire, "354 go on")?;
                let mut text = String::new();
                while !text.ends_with("\r\n.\r\n") && wire.read_line(&mut text)? > 0 {}
                let letter =
                    Letter { from: from.clone(), to: to.clone(), text, proof: proof.clone(), secure };
                drop(tell.send(letter));
                say(&mut wire, "250 taken")?;
            }
            "QUIT" => return say(&mut wire, "221 bye"),
            _ => say(&mut wire, "500 what")?,
        }
    }
}

fn say(wire: &mut BufReader<Box<dyn Wire>>, line: &str) -> io::Result<()> {
    write!(wire.get_mut(), "{line}\r\n")?;
    wire.get_mut().flush()
}
