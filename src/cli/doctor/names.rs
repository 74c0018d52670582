//! Names: do they lead to this machine, and does the server that runs answer under them?

use std::net::{IpAddr, SocketAddr};

use super::{Finding, LIMIT, Patient, certificates};
use crate::cli::endpoint::{self, PULL};
use crate::cli::probe::{self, Trust};
use crate::config::{ClientCertificates, Config};
use crate::server;

pub(super) async fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = own_addresses();
    for host in patient.hosts.iter().filter(|host| host.parse::<IpAddr>().is_err()) {
        findings.push(resolved(host, &ours).await);
    }
    if let (Some(_), Some(https)) = (patient.server, patient.config.listen.https.0)
        && https.port() != 0
    {
        findings.push(answers(patient, https).await);
    }
    findings
}

/// Whether a name leads here.
async fn resolved(host: &str, ours: &[IpAddr]) -> Finding {
    let found = tokio::time::timeout(LIMIT, tokio::net::lookup_host((host, 0))).await;
    let addresses: Vec<IpAddr> = match found {
        Ok(Ok(found)) => found.map(|addr| addr.ip()).collect(),
        Ok(Err(error)) => {
            let fix = "give it an address in your DNS or router, or take it out of `hosts`";
            return Finding::note(CHECK, format!("{host} does not resolve here: {error}"), fix);
        }
        Err(_) => {
            let fix = "look at this machine's DNS servers (/etc/resolv.conf)";
            return Finding::note(CHECK, format!("{host}: no DNS server answers"), fix);
        }
    };
    let shown = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if addresses.iter().any(|address| address.is_loopback() || ours.contains(address)) {
        Finding::ok(CHECK, format!("{host} leads here ({shown})"))
    } else {
        let fix = "right when that is a router that forwards to this machine; else correct the DNS entry";
        Finding::note(CHECK, format!("{host} leads to {shown}, which is not this machine"), fix)
    }
}

/// A real call, as a module makes it.
async fn answers(patient: &Patient<'_>, https: SocketAddr) -> Finding {
    let ip = if https.ip().is_unspecified() { IpAddr::from([127, 0, 0, 1]) } else { https.ip() };
    let target = SocketAddr::new(ip, https.port()).to_string();
    let name = patient.hosts.first().map_or("localhost", String::as_str);
    let root = server::root_path(&patient.config.certs_dir);
    // Who signed an operator's own certificate is not known here; its names and days have been looked at.
    let own = patient.config.tls.certificate.is_none()
        && certificates::leaves(patient).iter().any(|file| file.exists());
    let trust = if own { Trust::Root(&root) } else { Trust::Anyone };
    let call = async {
        let socket = probe::connect(&target, name, trust).await?;
        endpoint::pull(socket, name).await
    };
    let required = patient.config.tls.client_certificates == ClientCertificates::Required;
    match tokio::time::timeout(LIMIT, call).await {
        Ok(Ok(body)) if body == PULL => {
            Finding::ok("answer", format!("{target} answers /pull with {PULL} as {name}"))
        }
        Ok(Ok(body)) if required && body.contains("client certificate") => {
            Finding::ok("answer", format!("{target} asks for a client certificate, as is set"))
        }
        Ok(Ok(_)) => Finding::wrong(
            "answer",
            format!("{target} answers /pull with something else than {PULL}"),
            "another server has this port: see ports",
        ),
        Ok(Err(error)) => Finding::wrong(
            "answer",
            format!("{target} as {name}: {error:#}"),
            "see certificates and ports; `homeport certs renew` makes new ones under the present root",
        ),
        Err(_) => Finding::wrong(
            "answer",
            format!("{target} does not answer within {} s", LIMIT.as_secs()),
            "look at the server's log; is a firewall in between?",
        ),
    }
}

/// The addresses this machine has.
fn own_addresses() -> Vec<IpAddr> {
    server::host_names(&Config::default()).iter().filter_map(|name| name.parse().ok()).collect()
}

const CHECK: &str = "names";

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[tokio::test]
    async fn localhost_leads_here_and_a_reserved_name_nowhere() {
        assert_eq!(resolved("localhost", &[]).await.level, Level::Ok);
        let nowhere = resolved("nothing.invalid", &[]).await;
        assert_eq!(nowhere.level, Level::Note, "{nowhere:?}");
    }
}
