//! Certificates: there, ours to use, in time, for the right names, small enough for a module, keys private.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Finding, Patient};
use crate::pki::{self, Description};

pub(super) fn look(patient: &Patient<'_>) -> Vec<Finding> {
    let tls = &patient.config.tls;
    let dir = &patient.config.certs_dir;
    let mut findings = Vec::new();
    if let (Some(cert), Some(key)) = (&tls.certificate, &tls.key) {
        match pki::describe_file(cert, patient.now_s) {
            Ok(leaf) => leaf_findings(patient, &leaf, "replace tls.certificate and tls.key", &mut findings),
            Err(error) => findings.push(Finding::wrong(CHECK, error.to_string(), "see tls.certificate")),
        }
        findings.extend(key_findings(key));
    } else {
        own(patient, dir, &mut findings);
    }
    if let Some(roots) = &tls.client_roots
        && let Err(error) = pki::describe_file(roots, patient.now_s)
    {
        findings.push(Finding::wrong(CHECK, error.to_string(), "see tls.client_roots"));
    }
    findings
}

fn own(patient: &Patient<'_>, dir: &Path, findings: &mut Vec<Finding>) {
    let all = match pki::describe(dir, patient.now_s) {
        Ok(all) => all,
        Err(error) => {
            findings.push(Finding::wrong(
                CHECK,
                error.to_string(),
                "replace the file, or remove it to have a new one made",
            ));
            return;
        }
    };
    let Some(root) = all.iter().find(|one| one.authority) else {
        findings.push(Finding::note(
            CHECK,
            format!("none in {}", dir.display()),
            "the first start makes them; or `homeport certs init`",
        ));
        return;
    };
    for one in &all {
        if one.authority {
            findings.push(in_time(one, "make a new root: move the folder away, run `homeport certs init`, and install the new root in every device"));
        } else {
            leaf_findings(patient, one, "`homeport certs renew`", findings);
            if one.issuer != root.subject {
                let message = format!("{} is signed by another root ({})", one.file.display(), one.issuer);
                findings.push(Finding::wrong(CHECK, message, "`homeport certs renew`"));
            }
        }
        findings.extend(key_findings(&one.file.with_extension("key")));
    }
}

fn leaf_findings(patient: &Patient<'_>, leaf: &Description, fix: &str, findings: &mut Vec<Finding>) {
    findings.push(in_time(leaf, fix));
    let missing: Vec<&str> =
        patient.hosts.iter().filter(|host| !covers(leaf, host)).map(String::as_str).collect();
    let file = leaf.file.display();
    if missing.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{file} covers {}", patient.hosts.join(", "))));
    } else {
        let message = format!("{file} does not cover {}", missing.join(", "));
        findings.push(Finding::wrong(CHECK, message, fix));
    }
    match std::fs::metadata(&leaf.file) {
        Ok(facts) if facts.len() >= pki::PEM_MAX_BYTES as u64 => findings.push(Finding::note(
            CHECK,
            format!(
                "{file} has {} bytes; modules take less than {} of PEM in one item",
                facts.len(),
                pki::PEM_MAX_BYTES
            ),
            "if modules fail in the handshake, serve a leaf signed by its root directly, without a chain",
        )),
        Ok(_) | Err(_) => {}
    }
}

fn in_time(one: &Description, fix: &str) -> Finding {
    let (file, days) = (one.file.display(), one.days_left);
    if days < 0 {
        Finding::wrong(CHECK, format!("{file} expired on {}", one.not_after), fix)
    } else if days < SOON_DAYS {
        Finding::note(CHECK, format!("{file} has {days} days left"), fix)
    } else {
        Finding::ok(CHECK, format!("{file} ({}) has {days} days left", one.key_type))
    }
}

/// A key that others may read, or that is not there. The root's may be kept elsewhere.
fn key_findings(key: &Path) -> Option<Finding> {
    let shown = key.display();
    match std::fs::metadata(key) {
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => Some(Finding::wrong(
            CHECK,
            format!("{shown} may be read by others (mode {:o})", facts.permissions().mode() & 0o777),
            format!("`chmod 600 {shown}`"),
        )),
        Ok(_) => None,
        Err(_) if key.file_name().is_some_and(|name| name == "root.key") => Some(Finding::note(
            CHECK,
            format!("{shown} is not there: nothing new can be signed"),
            "bring it back before the server's certificates have to be renewed",
        )),
        Err(error) => Some(Finding::wrong(
            CHECK,
            format!("{shown}: {error}"),
            "bring the key back, or `homeport certs renew`",
        )),
    }
}

/// Whether a certificate is good for a host, as TLS clients see it: one label may be a star.
pub(super) fn covers(leaf: &Description, host: &str) -> bool {
    let plain =
        host.parse::<std::net::IpAddr>().map_or_else(|_| host.to_owned(), |address| address.to_string());
    leaf.names.iter().any(|name| {
        name.eq_ignore_ascii_case(&plain)
            || name.strip_prefix("*.").is_some_and(|domain| {
                plain.split_once('.').is_some_and(|(_, tail)| tail.eq_ignore_ascii_case(domain))
            })
    })
}

/// The certificates that a client may be shown.
pub(super) fn leaves(patient: &Patient<'_>) -> Vec<PathBuf> {
    match &patient.config.tls.certificate {
        Some(own) => vec![own.clone()],
        None => ["rsa.pem", "ecdsa.pem"].map(|name| patient.config.certs_dir.join(name)).to_vec(),
    }
}

const CHECK: &str = "certificates";
const SOON_DAYS: i64 = 30;

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::config::Config;

    fn levels(findings: &[Finding], level: Level) -> Vec<&str> {
        findings.iter().filter(|one| one.level == level).map(|one| one.message.as_str()).collect()
    }

    #[test]
    fn each_fault_of_a_folder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = Config { certs_dir: dir.path().to_owned(), ..Config::default() };
        let hosts = vec!["localhost".to_owned(), "192.0.2.7".to_owned()];
        let now_s = 1_790_000_000;
        let mut patient = Patient { config: &config, server: None, hosts: hosts.clone(), now_s };
        assert_eq!(levels(&look(&patient), Level::Wrong), [""; 0], "none yet");
        pki::ensure(dir.path(), &hosts, now_s).unwrap();
        let sound = look(&patient);
        assert!(sound.iter().all(|one| one.level == Level::Ok), "{sound:?}");
        patient.hosts.push("new.example".to_owned());
        let key = dir.path().join("ecdsa.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let faults = look(&patient);
        let wrong = levels(&faults, Level::Wrong);
        assert_eq!(wrong.len(), 3, "{wrong:?}");
        assert!(wrong[0].contains("does not cover new.example"), "{wrong:?}");
        assert!(wrong[2].contains("mode 644"), "{wrong:?}");
        patient.now_s += 400 * 86_400;
        assert!(levels(&look(&patient), Level::Wrong).iter().any(|message| message.contains("expired")));
    }
}
