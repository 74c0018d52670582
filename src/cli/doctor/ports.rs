//! Listeners: is each one's port ours, free or another's, and does the port that real modules call lead here?

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::sockets::{Holder, holder};
use super::{Finding, Patient};
use crate::server::closed_listeners;

pub(super) fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let listen = &patient.config.listen;
    let all = [("https", listen.https), ("http", listen.http), ("ws", listen.ws), ("admin", listen.admin)];
    let mut findings: Vec<Finding> = all
        .iter()
        .filter_map(|(name, address)| address.0.map(|address| one(patient, name, address)))
        .collect();
    if let Some(https) = listen.https.0 {
        findings.extend(device_port(patient, https));
    }
    findings
}

fn one(patient: &Patient<'_>, name: &str, address: SocketAddr) -> Finding {
    if address.port() == 0 {
        return Finding::ok(CHECK, format!("{name}: a port that the system picks"));
    }
    let place = format!("{name} on {address}");
    let settle = format!("stop it, or give listen.{name} another port");
    match (holder(address.port()), patient.server) {
        (Some(Holder { process: Some((held, _)) }), Some(ours)) if held == ours => {
            Finding::ok(CHECK, format!("{place}: held by the server"))
        }
        (Some(Holder { process: Some((held, by)) }), _) => {
            Finding::wrong(CHECK, format!("{place}: taken by {by} (process {held})"), settle)
        }
        (Some(Holder { process: None }), Some(_)) => {
            Finding::ok(CHECK, format!("{place}: in use, it seems by the server"))
        }
        (Some(Holder { process: None }), None) => Finding::wrong(
            CHECK,
            format!("{place}: taken by a program of another user"),
            format!("`sudo ss -lptn 'sport = :{}'` names it; {settle}", address.port()),
        ),
        (None, Some(_)) if let Some(by) = closed_listeners(patient.config).get(name) => Finding::note(
            CHECK,
            format!("{place}: {by} closed it"),
            format!("`homeport listeners open {name}` opens it"),
        ),
        (None, Some(_)) => Finding::wrong(
            CHECK,
            format!("{place}: the server that runs does not listen there"),
            "restart it, so that it takes these settings",
        ),
        (None, None) => free(name, address),
    }
}

/// Tries the port for a moment; no server of ours runs.
fn free(name: &str, address: SocketAddr) -> Finding {
    let place = format!("{name} on {address}");
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(CHECK, format!("{place}: free")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::wrong(
            CHECK,
            format!("{place}: this user may not open it"),
            "ports below 1024 need CAP_NET_BIND_SERVICE: use the systemd unit, or `sudo setcap cap_net_bind_service=+ep` on the program",
        ),
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Finding::wrong(
            CHECK,
            format!("{place}: this machine has no such address"),
            format!("give listen.{name} one it has, or 0.0.0.0"),
        ),
        Err(error) => {
            Finding::wrong(CHECK, format!("{place}: {error}"), format!("give listen.{name} another address"))
        }
    }
}

/// Real modules call 443 and know no other port (`cwm-oke.md §2`).
fn device_port(patient: &Patient<'_>, https: SocketAddr) -> Option<Finding> {
    if https.port() == MODULES_CALL {
        return None;
    }
    let test = "then check from another machine: `homeport endpoint check NAME`";
    Some(match holder(MODULES_CALL) {
        Some(Holder { process: Some((number, _)) }) if patient.server == Some(number) => return None,
        Some(Holder { process }) => {
            let by = process.map_or_else(|| "a program".to_owned(), |(_, name)| name);
            Finding::note(
                CHECK,
                format!("real modules call port {MODULES_CALL}, where {by} listens"),
                format!("let it pass TLS on to port {} untouched; {test}", https.port()),
            )
        }
        None => Finding::note(
            CHECK,
            format!("real modules call port {MODULES_CALL}, where nothing listens"),
            format!(
                "serve with --device-ports, or forward {MODULES_CALL} to {} in router or firewall; {test}",
                https.port()
            ),
        ),
    })
}

const CHECK: &str = "ports";
const MODULES_CALL: u16 = 443;

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::config::{Address, Config};

    #[test]
    fn a_port_is_free_ours_or_anothers() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        config.listen.https = Address(Some(address));
        let mut patient = Patient { config: &config, server: None, hosts: Vec::new(), now_s: 0 };
        let taken = one(&patient, "https", address);
        assert_eq!(taken.level, Level::Wrong, "{taken:?}");
        assert!(taken.message.contains(&format!("process {}", std::process::id())), "{taken:?}");
        patient.server = Some(std::process::id());
        assert_eq!(one(&patient, "https", address).level, Level::Ok);
        drop(socket);
        assert!(one(&patient, "https", address).message.contains("does not listen"));
        let turns = r#"{"ws":{"open":false,"by":"user:maria","at":"2026-11-21T10:20:30Z"}}"#;
        std::fs::write(config.data_dir.join("listeners.json"), turns).unwrap();
        let closed = one(&patient, "ws", address);
        assert!(closed.level == Level::Note && closed.message.contains("user:maria closed it"), "{closed:?}");
        patient.server = None;
        assert!(one(&patient, "https", address).message.contains("free"));
    }
}
