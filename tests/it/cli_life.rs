//! A server's life as the machine sees it: signals, service manager, sockets handed over, what it leaves behind.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Command;
use std::time::Duration;

use homeport::config::{Address, Config};
use homeport::http::ListenerKind;
use homeport::server;

use crate::harness::{Client, Program, settled};

const NOTHING: &str = r#"{"pull":false}"#;

fn mode(program: &Program, file: &str) -> u32 {
    fs::metadata(program.folder().join(file)).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_service_manager_hears_of_every_change() {
    let folder = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(folder.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let hear = || {
        let mut bytes = [0; 256];
        let length = manager.recv(&mut bytes).expect("the server tells the manager");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let place = folder.path().join("notify");
    let mut program = Program::new().set("NOTIFY_SOCKET", place.to_str().unwrap());
    program.start();
    assert_eq!(hear().trim(), "READY=1");
    program.signal("HUP");
    let reloading = hear();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(hear().trim(), "READY=1");
    assert!(program.stop().success());
    assert_eq!(hear().trim(), "STOPPING=1");
}

#[test]
fn the_watchdog_is_fed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("notify");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut program =
        Program::new().set("NOTIFY_SOCKET", place.to_str().unwrap()).set("WATCHDOG_USEC", "400000");
    program.start_through(&["bash", "-c", "WATCHDOG_PID=$$ exec \"$0\" \"$@\""]);
    let mut bytes = [0; 256];
    let fed = (0..4).any(|_| {
        let length = manager.recv(&mut bytes).expect("the server tells the manager");
        bytes[..length].starts_with(b"WATCHDOG=1")
    });
    assert!(fed);
}

#[test]
fn a_socket_handed_over_is_served() {
    let mut program = Program::new().set("HOMEPORT_HTTPS", "off");
    // A listening socket must survive into the child as number 3, which std cannot ask for.
    let script = "import os, socket, sys\n\
        s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()\n\
        print('https://127.0.0.1:%d' % s.getsockname()[1], flush=True)\n\
        os.dup2(s.fileno(), 3); os.set_inheritable(3, True); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='https')\n\
        os.execv(sys.argv[1], sys.argv[1:])";
    program.start_through(&["python3", "-c", script]);
    assert!(program.says(" serves."), "the address was told before the server had its certificates");
    program.client().get("/pull").is_device_answer(200, NOTHING);
    assert!(program.stop().success());
}

#[test]
fn secrets_on_disk_are_for_the_owner_alone() {
    let program = Program::started();
    assert!(settled(|| program.folder().join("data/control.sock").exists().then_some(())).is_some());
    assert_eq!(mode(&program, "data/control.sock"), 0o600);
    assert_eq!(mode(&program, "data/initial-password"), 0o600);
    assert_eq!(mode(&program, "data"), 0o700);
    assert_eq!(mode(&program, "certs/root.key"), 0o600);
}

#[test]
fn a_control_socket_that_nobody_answers_on_is_replaced() {
    let mut program = Program::started();
    program.kill();
    assert!(program.folder().join("data/control.sock").exists(), "a power cut leaves it");
    program.start();
    assert!(program.stop().success());
    assert!(!program.folder().join("data/control.sock").exists(), "an orderly stop does not");
}

#[test]
fn a_control_socket_that_somebody_answers_on_is_not() {
    let program = Program::new();
    fs::create_dir(program.folder().join("data")).unwrap();
    let _other = UnixListener::bind(program.folder().join("data/control.sock")).unwrap();
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another homeport serves the data folder data"), "{said}");
}

#[test]
fn the_first_password_is_made_once() {
    let mut program = Program::started();
    let first = program.password();
    assert!(program.says(&first));
    assert!(program.stop().success());
    program.start();
    assert_eq!(program.password(), first);
    assert!(program.says("the first password is in"), "{}", program.log());
    assert!(!program.log().contains(&first), "it is printed once");
}

#[test]
fn hup_takes_over_limits_and_log_level_and_keeps_the_rest_on_a_mistake() {
    let program = Program::new();
    let file = program.folder().join("homeport.toml");
    fs::write(&file, "").unwrap();
    let mut program = program;
    program.start();
    let body = vec![b'x'; 2_000];
    assert_ne!(program.client().post("/push", &body).status, 413);
    fs::write(&file, "[limits]\nbody_max_bytes = 1000\n[log]\nlevel = \"debug\"\n").unwrap();
    program.signal("HUP");
    assert!(program.says("certificates, log level, limits and dictionaries read again"));
    assert_eq!(program.client().post("/push", &body).status, 413);
    fs::write(&file, "[limits]\nbody_max = 1\n").unwrap();
    program.signal("HUP");
    assert!(program.says("the settings are wrong, the old ones stay"));
    program.client().get("/pull").is_device_answer(200, NOTHING);
}

#[test]
fn logs_may_be_json() {
    let mut program = Program::new().set("HOMEPORT_LOG_FORMAT", "json");
    program.start();
    assert!(program.says("serving"));
    let log = program.log();
    let line = log.lines().find(|line| line.starts_with('{')).expect("a JSON line");
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
}

#[test]
fn an_endpoint_is_checked_as_a_module_would_call_it() {
    let program = Program::started();
    let at = program.https().to_string();
    let said = program.done(&["endpoint", "check", "homeport.test", "--connect", &at]);
    assert!(said.contains("covers homeport.test") && said.contains(NOTHING), "{said}");
    program.done(&["endpoint", "check", "127.0.0.1", "--connect", &at]);
    let other = program.run(&["endpoint", "check", "other.example", "--connect", &at]);
    let said = String::from_utf8_lossy(&other.stdout).into_owned();
    assert_eq!(other.status.code(), Some(1));
    assert!(said.contains("does not cover other.example: add it to `hosts`"), "{said}");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let nobody = program.run(&["endpoint", "check", "homeport.test", "--connect", &free]);
    let said = String::from_utf8_lossy(&nobody.stdout).into_owned();
    assert!(nobody.status.code() == Some(1) && said.contains("cannot reach"), "{said}");
}

#[test]
fn the_ledger_is_audited_with_and_without_a_server() {
    let mut program = Program::started();
    program.client().post("/push", br#"{"okm":{"_src":["0102030405060708"],"_cmd":"wr","_id":192,"_ts":"2019-12-26T14:40:00","_crc":"8813","_pld":{"_hbt":{"door":56}}}}"#);
    assert!(program.stop().success());
    let found: serde_json::Value = serde_json::from_str(&program.done(&["audit", "--json"])).unwrap();
    assert_eq!(found["entries"], 1);
    assert_eq!(found["faults"].as_array().unwrap().len(), 0);
}

#[test]
fn a_privileged_port_is_explained() {
    let known = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if known.trim() == "0" {
        return; // On this machine no port is privileged.
    }
    let program = Program::new().run_as(crate::harness::RunAs::Nobody).set("HOMEPORT_HTTPS", "127.0.0.1:443");
    let (code, said) = program.refuses_to_start();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("443 is a privileged port") && said.contains("setcap"), "{said}");
}

/// The library's own door: what other tests and programs start a server with.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_process_tells_where_it_listens_and_stops() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config {
        data_dir: folder.path().join("data"),
        certs_dir: folder.path().join("certs"),
        hosts: vec!["localhost".to_owned()],
        ..Config::default()
    };
    config.listen.https = Address(Some("127.0.0.1:0".parse().unwrap()));
    config.listen.http = config.listen.https;
    config.listen.ws = Address(None);
    let running = server::bind(config).await.unwrap();
    assert!(running.addr(ListenerKind::Https).is_some_and(|addr| addr.port() != 0));
    assert!(running.addr(ListenerKind::Ws).is_none());
    let http = running.addr(ListenerKind::Http).unwrap();
    let unknown =
        tokio::task::spawn_blocking(move || Client::plain(http).unwrap().get("/nothing")).await.unwrap();
    assert_eq!(unknown.status, 404);
    running.shutdown().await;
    assert!(tokio::net::TcpStream::connect(http).await.is_err());
    assert!(!folder.path().join("data/control.sock").exists());
}

#[test]
fn running_requests_are_not_what_a_stop_waits_for_without_end() {
    let mut program = Program::new();
    fs::write(program.folder().join("homeport.toml"), "[limits]\ndrain_time_ms = 300\n").unwrap();
    program.start();
    let mut slow = program.client();
    slow.write(b"POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf").unwrap();
    assert!(program.stop().success());
    assert!(slow.read().is_err() || slow.read().is_err(), "the rest is cut");
}

#[test]
fn the_program_is_told_apart_by_its_version() {
    let printed = Command::new(env!("CARGO_BIN_EXE_homeport")).arg("--version").output().unwrap();
    assert!(String::from_utf8_lossy(&printed.stdout).starts_with("homeport "));
}
