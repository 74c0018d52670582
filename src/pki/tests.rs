//! The authority on a real folder.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;

const NOW_S: i64 = 1_790_000_000;

fn hosts(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn pem(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap()
}

#[test]
fn everything_is_made_once_and_stays_until_the_hosts_change() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = hosts(&["localhost", "192.0.2.7", "2001:db8::7"]);
    ensure(dir, &first, NOW_S).unwrap();
    let [root, rsa, ecdsa] = <[Description; 3]>::try_from(describe(dir, NOW_S).unwrap()).unwrap();
    assert!(root.authority && !rsa.authority);
    assert_eq!((root.key_type.as_str(), rsa.key_type.as_str()), ("RSA-2048", "RSA-2048"));
    assert_eq!(ecdsa.key_type, "ECDSA P-256");
    assert_eq!((&rsa.issuer, &ecdsa.issuer), (&root.subject, &root.subject));
    assert_eq!(rsa.names, ["192.0.2.7", "2001:db8::7", "localhost"]);
    assert_eq!(rsa.addresses, ["192.0.2.7", "2001:db8::7"]);
    assert_eq!(rsa.not_before_s, NOW_S - 86_400);
    assert_eq!(rsa.not_after_s - rsa.not_before_s, LEAF_LIFE_DAYS * 86_400);
    assert_eq!(rsa.fingerprint.len(), 95);
    for name in ["root", "rsa", "ecdsa"] {
        assert!(pem(dir, &format!("{name}.pem")).len() < PEM_MAX_BYTES);
        let mode = std::fs::metadata(dir.join(format!("{name}.key"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    let (root, leaf) = (pem(dir, "root.pem"), pem(dir, "rsa.pem"));
    ensure(dir, &first, NOW_S + 366 * 86_400).unwrap();
    assert_eq!(pem(dir, "rsa.pem"), leaf, "30 days are left");
    ensure(dir, &first, NOW_S + 367 * 86_400).unwrap();
    assert_ne!(pem(dir, "rsa.pem"), leaf, "less than 30 days were left");

    let leaf = pem(dir, "rsa.pem");
    ensure(dir, &hosts(&["localhost"]), NOW_S + 367 * 86_400).unwrap();
    assert_ne!(pem(dir, "rsa.pem"), leaf, "the hosts changed");
    assert_eq!(pem(dir, "root.pem"), root, "the root never changes");
}

#[test]
fn a_stop_between_two_files_is_healed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    ensure(dir, &hosts(&["localhost"]), NOW_S).unwrap();
    std::fs::copy(dir.join("root.key"), dir.join("rsa.key")).unwrap(); // a key of another certificate
    ensure(dir, &hosts(&["localhost"]), NOW_S).unwrap();
    let key = pem(dir, "root.key");
    std::fs::remove_file(dir.join("root.pem")).unwrap();
    ensure(dir, &hosts(&["localhost"]), NOW_S).unwrap();
    assert_eq!(pem(dir, "root.key"), key);
    let bundle = issue_client(dir, "kitchen-1", ClientKey::Rsa, NOW_S).unwrap();
    assert!(bundle.cert_pem.len() < PEM_MAX_BYTES && bundle.key_pem.len() < PEM_MAX_BYTES);
    assert!(issue_client(dir, "a\nb", ClientKey::Rsa, NOW_S).is_err());
}

#[test]
fn faults_of_an_operators_files_name_file_cause_and_fix() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    ensure(dir, &hosts(&["localhost"]), NOW_S).unwrap();
    let open = |cert: &str, key: &str, now_s| {
        let source = Source::Files { cert: dir.join(cert), key: dir.join(key) };
        Resolver::open(source, now_s).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(open("rsa.pem", "rsa.key", NOW_S), Ok(()));
    assert!(open("rsa.pem", "root.key", NOW_S).unwrap_err().contains("does not belong to the certificate"));
    assert!(open("rsa.pem", "rsa.key", NOW_S + 400 * 86_400).unwrap_err().contains("rsa.pem expired on"));
    assert!(open("none.pem", "rsa.key", NOW_S).unwrap_err().contains("none.pem cannot be read"));
    assert!(open("rsa.key", "rsa.key", NOW_S).unwrap_err().contains("does not hold a certificate"));
    assert!(open("rsa.pem", "rsa.pem", NOW_S).unwrap_err().contains("does not hold a private key"));
    assert!(ensure(dir, &hosts(&["no spaces"]), NOW_S).unwrap_err().to_string().contains("no spaces"));
}

#[test]
fn a_reload_serves_the_new_pair_and_a_bad_file_leaves_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let source = Source::Own { dir: dir.to_owned(), hosts: hosts(&["localhost"]) };
    let resolver = Resolver::open(source, NOW_S).unwrap();
    let before = resolver.material();
    assert!(!resolver.changed());
    renew(dir, &hosts(&["localhost"]), NOW_S).unwrap();
    assert!(resolver.changed());
    resolver.reload(NOW_S).unwrap();
    assert!(!resolver.changed());
    let after = resolver.material();
    assert_ne!(before.rsa.cert, after.rsa.cert);
    std::fs::write(dir.join("root.pem"), "garbage").unwrap();
    assert!(resolver.reload(NOW_S).is_err());
    assert_eq!(resolver.material().rsa.cert, after.rsa.cert);
}
