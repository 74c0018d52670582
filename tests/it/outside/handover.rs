//! The service manager keeps the listening sockets, as systemd does: whoever calls while the program restarts waits in
//! the kernel's queue, and is served.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rustix::io::{FdFlags, fcntl_setfd};
use rustls::pki_types::CertificateDer;
use serde_json::Value;

use crate::harness::{Client, Module, Program, settled};

/// The sockets, by the names that their units give them.
struct Manager(Vec<(&'static str, TcpListener)>);

impl Manager {
    fn open(names: &[&'static str]) -> Self {
        let sockets = names.iter().map(|name| {
            let socket = TcpListener::bind("127.0.0.1:0").expect("a port can be had");
            fcntl_setfd(&socket, FdFlags::empty()).expect("a socket may be inherited");
            (*name, socket)
        });
        Self(sockets.collect())
    }

    fn addr(&self, name: &str) -> SocketAddr {
        let (_, socket) = self.0.iter().find(|(known, _)| *known == name).expect("it is open");
        socket.local_addr().expect("a socket has an address")
    }

    /// What a shell does to become the program with the sockets as 3, 4, 5; the high numbers are in nobody's way.
    fn script(&self) -> String {
        let (mut high, mut low) = (String::new(), String::new());
        for (at, (_, socket)) in self.0.iter().enumerate() {
            write!(high, " {}<&{}", 200 + at, socket.as_raw_fd()).expect("text can be added");
            write!(low, " {}<&{}", 3 + at, 200 + at).expect("text can be added");
        }
        let names: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
        let (count, names) = (names.len(), names.join(":"));
        format!(
            "exec{high}; exec{low}; \
             export LISTEN_PID=$$ LISTEN_FDS={count} LISTEN_FDNAMES={names}; exec \"$0\" \"$@\""
        )
    }

    fn starts(&self, program: &mut Program) {
        program.start_through(&["bash", "-c", &self.script()]);
    }
}

/// What the clients of a test did so far.
#[derive(Default)]
struct Load {
    enough: AtomicBool,
    confirmed: AtomicUsize,
}

/// One device: how many of its messages were confirmed, and how often its connection ended between two of them.
struct Told {
    device: String,
    confirmed: usize,
    ended: usize,
}

type Device = JoinHandle<io::Result<Told>>;

impl Load {
    /// Has messages confirmed, one after the other without a pause, until it is enough.
    fn device(
        self: &Arc<Self>,
        device: String,
        mut push: impl FnMut(usize) -> io::Result<usize> + Send + 'static,
    ) -> Device {
        let load = Arc::clone(self);
        thread::spawn(move || {
            let mut told = Told { device, confirmed: 0, ended: 0 };
            while !load.enough.load(Ordering::SeqCst) {
                told.ended += push(told.confirmed)?;
                told.confirmed += 1;
                load.confirmed.fetch_add(1, Ordering::SeqCst);
            }
            Ok(told)
        })
    }

    /// Waits until so many more are confirmed.
    fn goes_on(&self, more: usize) {
        let before = self.confirmed.load(Ordering::SeqCst);
        settled(|| (self.confirmed.load(Ordering::SeqCst) >= before + more).then_some(()))
            .expect("messages are confirmed");
    }
}

/// A bed sensor that connects for each message, and writes it as small machines do: piece by piece.
fn bed_says(addr: SocketAddr, node: &str, second: usize) -> io::Result<usize> {
    const A: &str = include_str!("../../../src/family/sca11h/samples/a.xml");
    let (head, _) = A.split_once("\r\n120,").expect("sample A begins with second 120");
    let (_, tail) = A.split_once("1020,0\r\n").expect("sample A ends with a long row");
    let head = head.replace("00:11:22:33:44:55", node);
    let body = format!("{head}\r\n{second},61,14,55,31,912,1,978,1004,0\r\n{tail}");
    let length = body.len().to_string();
    let mut client = Client::plain(addr)?;
    let pieces =
        ["POST /data/push/ HTTP/1.0\r\n", "Host: ", "x", "\r\n", "Content-Length: ", &length, "\r\n\r\n"];
    for piece in pieces.into_iter().chain([body.as_str()]) {
        client.write(piece.as_bytes())?;
    }
    let answer = client.read()?;
    assert_eq!((answer.status, answer.text().as_str()), (200, "done"), "{}", answer.head);
    Ok(0)
}

/// A small node: a connection for each upload, which it never closes itself; it registers with its first one
/// (`tswarm-node.md §2`, §11.9).
fn node_says(addr: SocketAddr, node: &str, xauth: &str, count: usize) -> io::Result<usize> {
    let method = if count == 0 { "POST" } else { "PUT" };
    let body = format!("{{\"name\":\"{node}\",\"data\":\"{count} 45\"}}");
    let length = body.len().to_string();
    let mut client = Client::plain(addr)?;
    let pieces = [
        method,
        " /api/v1/tswarm/",
        node,
        " HTTP/1.0\r\n",
        "Host: ",
        "x",
        "\r\n",
        "authorization",
        ": ",
        " Basic ",
        xauth,
        "\r\n",
        "Content-Length: ",
        &length,
        "\r\n\r\n",
        &body,
    ];
    for piece in pieces {
        client.write(piece.as_bytes())?;
    }
    let answer = client.read()?;
    assert_eq!(answer.status, 202, "{}", answer.head);
    Ok(0)
}

fn module_says(module: &mut Module, message: &str) -> io::Result<()> {
    let answer = module.push(message)?;
    assert!(answer.text().contains("\"push\":true"), "{} {}", answer.status, answer.text());
    Ok(())
}

/// A module that shakes hands anew for each message.
fn fresh_module(
    addr: SocketAddr,
    root: &CertificateDer<'static>,
    id: &str,
    count: usize,
) -> io::Result<usize> {
    let mut module = Module::new(Client::connect(addr, "localhost", root)?, id);
    let message = (0..=count).map(|_| module.next(r#"{"_hbt":{"door":1}}"#)).last().unwrap();
    module_says(&mut module, &message)?;
    Ok(0)
}

/// A module that keeps its connection, and says a message again on a new one if the old one ended before the answer.
struct Kept {
    addr: SocketAddr,
    root: CertificateDer<'static>,
    module: Module,
}

impl Kept {
    fn says(&mut self) -> io::Result<usize> {
        let message = self.module.next(r#"{"_hbt":{"door":1}}"#);
        if module_says(&mut self.module, &message).is_ok() {
            return Ok(0);
        }
        // Only a kept connection may end so: nothing was said on a new one.
        self.module.reconnect(Client::connect(self.addr, "localhost", &self.root)?);
        module_says(&mut self.module, &message)?;
        Ok(1)
    }
}

#[test]
fn nobody_is_turned_away_while_the_program_restarts_under_load() {
    let manager = Manager::open(&["https", "http", "ws"]);
    let mut program = Program::new();
    manager.starts(&mut program);
    assert_eq!(program.http(), manager.addr("http"));
    assert_eq!(program.listener("ws://"), manager.addr("ws"));
    let (http, https, root) = (manager.addr("http"), manager.addr("https"), program.root());

    let load = Arc::new(Load::default());
    let mut devices: Vec<Device> = Vec::new();
    for number in 0..4 {
        let node = format!("bed {number}");
        let name = node.clone();
        devices.push(load.device(name, move |second| bed_says(http, &node, second)));
    }
    for number in 0..2 {
        let node = format!("node-{number}");
        let added: Value = serde_json::from_str(&program.done(&["tswarm", "add", &node, "--json"])).unwrap();
        let xauth = added["config"]["svconf"]["xauth"].as_str().expect("a login").to_owned();
        devices.push(load.device(node.clone(), move |count| node_says(http, &node, &xauth, count)));
        let (id, root) = (format!("000200000000010{number}"), root.clone());
        devices.push(load.device(id.clone(), move |count| fresh_module(https, &root, &id, count)));
        let id = format!("000200000000020{number}");
        let mut kept = Kept { addr: https, root: program.root(), module: Module::new(program.client(), &id) };
        devices.push(load.device(id, move |_| kept.says()));
    }
    for round in 0..8 {
        load.goes_on(20 + round * 7);
        assert!(program.stop().success());
        manager.starts(&mut program);
    }
    load.goes_on(100);
    load.enough.store(true, Ordering::SeqCst);
    let told: Vec<Told> = devices
        .into_iter()
        .map(|device| device.join().expect("a device ends").expect("no connection is refused or reset"))
        .collect();
    let ended: usize = told.iter().map(|told| told.ended).sum();
    // Two devices, eight restarts. The connection made anew may still reach the program that goes, which serves it once more.
    assert!(ended <= 2 * 8 * 2, "a kept connection ends when a restart ends it, not more often: {ended}");

    // Every message is there once, and nothing else.
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for message in program.all(&program.token(), "/api/v1/messages?limit=200") {
        if message["direction"] == "in" && message["verdict"] != "duplicate" {
            let address = message["device"]["address"].as_str().expect("an address").to_owned();
            *stored.entry(address).or_default() += 1;
        }
    }
    let confirmed: BTreeMap<String, usize> =
        told.into_iter().map(|told| (told.device, told.confirmed)).collect();
    assert_eq!(stored, confirmed);
    assert!(program.stop().success());
    program.done(&["audit"]);
}

#[test]
fn who_has_connected_is_served_although_the_program_stops() {
    let manager = Manager::open(&["https", "http"]);
    let mut program = Program::new();
    manager.starts(&mut program);
    // A device whose first bytes are still on their way, one that is half through its head, one in its body, and a
    // kept connection half through the head of its second request.
    let mut silent = program.plain_client();
    let mut head = program.plain_client();
    head.write(b"POST /data/push/ HT").unwrap();
    let mut body = program.plain_client();
    body.write(b"POST /data/push/ HTTP/1.0\r\nContent-Length: 4\r\n\r\nha").unwrap();
    let mut kept = program.plain_client();
    // It was accepted last, so all are in.
    assert_eq!(kept.post("/data/push/", b"first").text(), "done");
    kept.write(b"POST /data/push/ HT").unwrap();
    let mut shaken = Client::plain(program.https()).unwrap();
    shaken.write(&[0x16]).unwrap();
    program.signal("TERM");
    assert!(program.says("no new connections"));

    let rest = b"TP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nhalf";
    silent.write(b"POST /data/push/ HTTP/1.0\r\nContent-Length: 4\r\n\r\nlate").unwrap();
    for client in [&mut head, &mut kept] {
        client.write(rest).unwrap();
    }
    body.write(b"lf").unwrap();
    for client in [&mut silent, &mut head, &mut kept, &mut body] {
        let answer = client.read().expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "done"));
        assert!(client.read().is_err(), "it is the last one");
    }
    drop(shaken);
    assert!(program.stop().success());
    manager.starts(&mut program);
    assert_eq!(program.all(&program.token(), "/api/v1/messages").len(), 5);
}

/// More than a queue of 1,024 would hold; the socket was opened with a queue of 128.
const WAITING: usize = 1_200;

#[test]
fn more_than_a_thousand_wait_for_a_start_and_are_served() {
    let manager = Manager::open(&["https", "http"]);
    let mut program = Program::new().set("HOMEPORT_LIMITS_PEER_CONNECTIONS_MAX_COUNT", "4096");
    manager.starts(&mut program);
    assert!(program.stop().success());
    let mut waiting: Vec<Client> = (0..WAITING)
        .map(|number| {
            let mut client = Client::plain(manager.addr("http")).expect("there is room in the queue");
            let body = number.to_string();
            let length = body.len();
            let request = format!("POST /data/push/ HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
            client.write(request.as_bytes()).expect("bytes can be written");
            client
        })
        .collect();
    manager.starts(&mut program);
    for client in &mut waiting {
        assert_eq!(client.read().expect("an answer").text(), "done");
    }
    assert_eq!(program.all(&program.token(), "/api/v1/messages?limit=200").len(), WAITING);
}

#[test]
fn sockets_that_nobody_would_accept_on_are_refused_with_a_sentence() {
    for (names, why) in [
        (["http", "http"], "another socket has the same name"),
        (["http", "homeport.socket"], "its name is none of https, http, ws, admin"),
    ] {
        let manager = Manager::open(&names);
        let said = Program::new().refuses_to_start_through(&["bash", "-c", &manager.script()]);
        assert_eq!(said.0, Some(1), "{}", said.1);
        assert!(said.1.contains(why) && said.1.contains("FileDescriptorName="), "{}", said.1);
    }
}
