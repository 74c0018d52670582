//! `homeport endpoint check`: would a CWM that is given this name reach us (`cwm-oke.md §2, §10`)?

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};

use super::probe::{self, Trust};
use super::settings::Global;
use super::{Done, output};
use crate::server;

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  homeport endpoint check homeport.example.org")]
pub(super) struct Endpoint {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Check a name before it goes into a module: its spelling, the certificate, the answer of /pull.
    #[command(
        after_help = "Examples:\n  homeport endpoint check homeport.example.org\n  homeport endpoint check 192.0.2.7 --connect 127.0.0.1:8443"
    )]
    Check(Check),
}

#[derive(Debug, Args)]
struct Check {
    /// What the module would be given: a bare DNS name or an IPv4 address.
    name: String,
    /// Call this address instead of the name at port 443.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The root certificate to trust, PEM [default: root.pem in the certificates' folder].
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// One question and its answer.
struct Finding {
    check: &'static str,
    /// What is right, or what is wrong and how to put it right.
    outcome: Result<String, String>,
}

impl Endpoint {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let What::Check(check) = &self.what;
        let mut findings = vec![Finding { check: "name", outcome: spelling(&check.name) }];
        if findings.iter().all(|finding| finding.outcome.is_ok()) {
            let root = match &check.ca {
                Some(path) => path.clone(),
                None => server::root_path(&settings.load(Vec::new())?.certs_dir),
            };
            check.call(Trust::Root(&root), &mut findings).await;
        }
        check.tell(&findings)
    }
}

impl Check {
    /// A real TLS call, as the module makes it.
    async fn call(&self, trust: Trust<'_>, findings: &mut Vec<Finding>) {
        let target = self.connect.clone().unwrap_or_else(|| format!("{}:443", self.name));
        let connected = tokio::time::timeout(LIMIT, probe::connect(&target, &self.name, trust)).await;
        let socket = match connected {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => {
                let (check, message) = blame(&error, &self.name);
                findings.push(Finding { check, outcome: Err(message) });
                return;
            }
            Err(_) => {
                let message = format!(
                    "{target} does not answer within {} s: check firewall and port forwarding",
                    LIMIT.as_secs()
                );
                findings.push(Finding { check: "reach", outcome: Err(message) });
                return;
            }
        };
        findings.push(Finding { check: "reach", outcome: Ok(format!("{target} answers")) });
        findings.push(Finding { check: "certificate", outcome: Ok(format!("covers {}", self.name)) });
        let answer = tokio::time::timeout(LIMIT, pull(socket, &self.name)).await;
        let outcome = match answer {
            Ok(Ok(body)) if body == PULL => Ok(format!("answers {PULL}")),
            Ok(Ok(body)) => {
                let body: String = body.chars().filter(|letter| !letter.is_control()).take(80).collect();
                Err(format!("answers `{body}` in place of {PULL}: another server has this port"))
            }
            Ok(Err(error)) => Err(format!("{error:#}: is it a homeport server?")),
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        };
        findings.push(Finding { check: "/pull", outcome });
    }

    fn tell(&self, findings: &[Finding]) -> Done {
        let well = findings.iter().all(|finding| finding.outcome.is_ok());
        if self.json {
            let checks: Vec<Value> = findings
                .iter()
                .map(|finding| {
                    let (Ok(message) | Err(message)) = &finding.outcome;
                    json!({ "check": finding.check, "ok": finding.outcome.is_ok(), "message": message })
                })
                .collect();
            output::json(&json!({ "name": self.name, "ok": well, "checks": checks }))?;
        } else {
            for finding in findings {
                match &finding.outcome {
                    Ok(message) => output::line(&format!("ok     {:<12} {message}", finding.check))?,
                    Err(message) => output::line(&format!("wrong  {:<12} {message}", finding.check))?,
                }
            }
        }
        if well {
            Ok(())
        } else {
            Err(anyhow::anyhow!("`{}` would not work as a custom endpoint", self.name).into())
        }
    }
}

/// What `/pull` answers.
pub(super) async fn pull(
    socket: tokio_rustls::client::TlsStream<tokio::net::TcpStream>,
    name: &str,
) -> anyhow::Result<String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await?;
    // Ends with the answer's body; a failure shows there.
    drop(tokio::spawn(connection));
    let request = Request::get("/pull").header("host", name).body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await.context("the server hung up")?;
    let body = Limited::new(response.into_body(), 65_536).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// Which check a failed connection belongs to, and what to do about it.
fn blame(error: &anyhow::Error, name: &str) -> (&'static str, String) {
    let tls = error.chain().find_map(|cause| {
        let io = cause.downcast_ref::<std::io::Error>()?;
        io.get_ref()?.downcast_ref::<rustls::Error>()
    });
    match tls {
        Some(rustls::Error::InvalidCertificate(reason)) => {
            use rustls::CertificateError as C;
            let message = match reason {
                C::NotValidForName | C::NotValidForNameContext { .. } => {
                    format!("does not cover {name}: add it to `hosts` and run `homeport certs renew`")
                }
                C::Expired | C::ExpiredContext { .. } => "has expired: run `homeport certs renew`".to_owned(),
                C::UnknownIssuer => "is not signed by our root: give its root with --ca FILE".to_owned(),
                other => format!("is refused: {other}"),
            };
            ("certificate", message)
        }
        Some(other) => ("reach", format!("TLS failed: {other}")),
        None => ("reach", format!("{error:#}")),
    }
}

/// The rules for a custom endpoint's text.
fn spelling(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("is empty".to_owned());
    }
    for (sign, what) in [
        ("://", "a scheme"),
        ("/", "a path"),
        ("?", "a query"),
        (":", "a port or an IPv6 address"),
        ("@", "a user"),
    ] {
        if name.contains(sign) {
            return Err(format!("holds {what} (`{sign}`): give the bare name, the module adds the rest"));
        }
    }
    if name.chars().any(char::is_whitespace) {
        return Err("holds a blank: give the bare name".to_owned());
    }
    if !name.is_ascii() {
        return Err("holds letters beyond ASCII: give its `xn--` form".to_owned());
    }
    if name.len() > NAME_MAX {
        return Err(format!("has {} characters, a module takes {NAME_MAX}", name.len()));
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Ok("is an IPv4 address".to_owned());
    }
    let numeric = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    if name.split('.').all(numeric) {
        return Err("looks like an IPv4 address and is none: it takes four numbers from 0 to 255".to_owned());
    }
    for label in name.strip_suffix('.').unwrap_or(name).split('.') {
        let signs = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if label.is_empty() || label.len() > 63 || !signs || label.starts_with('-') || label.ends_with('-') {
            return Err(format!(
                "is no DNS name: `{label}` must be 1 to 63 letters, digits and hyphens, with no hyphen at its ends"
            ));
        }
    }
    Ok("is a bare DNS name".to_owned())
}

/// What a fresh server answers to a bare `/pull` (`cwm-oke.md §3.3`).
pub(super) const PULL: &str = r#"{"pull":false}"#;
/// The longest name a module is known to take (`cwm-oke.md §2`).
const NAME_MAX: usize = 64;
/// A module waits 20 s; a server that takes longer than this is no good.
const LIMIT: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_names_and_ipv4_addresses_pass() {
        for name in ["homeport.example.org", "localhost", "192.0.2.7", "a-b.c", "oven_1.lan", &"a".repeat(63)]
        {
            assert!(spelling(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn everything_else_is_named() {
        for (name, word) in [
            ("", "empty"),
            ("https://a.example", "scheme"),
            ("a.example/push", "path"),
            ("a.example:8443", "port"),
            ("a.example?x", "query"),
            ("a b", "blank"),
            ("a..b", "DNS"),
            ("-a.example", "DNS"),
            ("300.1.1.1", "IPv4"),
            ("1.2.3", "IPv4"),
            ("::1", "IPv6"),
            ("öfen.example", "ASCII"),
        ] {
            let message = spelling(name).unwrap_err();
            assert!(message.contains(word), "{name}: {message}");
        }
        let long = format!("{}.{}", "a".repeat(40), "b".repeat(40));
        assert!(spelling(&long).unwrap_err().contains("81"));
    }
}
