//! The layers, the template and what mistakes look like.

use std::io::Write as _;

use super::*;

fn file(text: &str) -> (tempfile::NamedTempFile, Sources) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        families: vec!["cwm".to_owned()],
        ..Sources::default()
    };
    (file, sources)
}

fn problem(text: &str) -> String {
    let (_file, sources) = file(text);
    let problems = load(&sources).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn the_template_reads_back_as_the_defaults() {
    let (_file, sources) = file(&template());
    let (config, odd) = load(&sources).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(odd, []);
}

#[test]
fn print_reads_back_as_what_was_set() {
    let (_file, sources) = file(
        "hosts = [\"a.example\"]\n[listen]\nadmin = \"127.0.0.1:9000\"\n\
         [cwm]\nokm_max_bytes = 499\n[cwm.files]\nfragment_bytes = 192\n",
    );
    let (config, _) = load(&sources).unwrap();
    let (_again, sources) = file(&print(&config));
    assert_eq!(load(&sources).unwrap().0, config);
}

#[test]
fn every_key_is_named_once_and_explained() {
    let mut names: Vec<_> = keys().iter().map(|key| key.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), keys().len());
    assert!(keys().iter().all(|key| key.meaning.ends_with('.')));
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let (_file, mut sources) = file("data_dir = \"file\"\ncerts_dir = \"file\"\nfiles_dir = \"file\"\n");
    sources.env =
        vec![("HOMEPORT_CERTS_DIR".into(), "env".into()), ("HOMEPORT_FILES_DIR".into(), "env".into())];
    sources.flags = vec![("files_dir", "flag".into())];
    let (config, _) = load(&sources).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("file"));
    assert_eq!(config.certs_dir, PathBuf::from("env"));
    assert_eq!(config.files_dir, PathBuf::from("flag"));
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_one() {
    let text = problem("data_dir = \"d\"\n\n[listen]\nhtps = \"0.0.0.0:1\"\n");
    assert!(
        text.ends_with(":4: unknown key `listen.htps`; the nearest known key is `listen.https`"),
        "{text}"
    );
    let text = problem("https = \"0.0.0.0:1\"\n");
    assert!(text.contains(":1: unknown key `https`; the nearest known key is `listen.https`"), "{text}");
}

#[test]
fn a_wrong_value_names_its_line() {
    let text = problem("[limits]\nbody_max_bytes = \"big\"\n");
    assert!(text.ends_with(":2: `limits.body_max_bytes`: expected a whole number, found a text"), "{text}");
    let text = problem("[limits]\nbody_max_bytes = 0\n");
    assert!(text.ends_with("expected a number above 0"), "{text}");
    let text = problem("hosts = [\n");
    assert!(text.contains(":1: ") || text.contains(":2: "), "{text}");
    let text = problem("[devices]\nunknown = \"maybe\"\n");
    assert!(text.ends_with("expected one of accept, hold, refuse, found `maybe`"), "{text}");
}

#[test]
fn device_ports_are_a_shorthand_that_explicit_addresses_win_over() {
    let (_file, mut sources) = file("[listen]\nhttp = \"127.0.0.1:81\"\ndevice_ports = true\n");
    let (config, _) = load(&sources).unwrap();
    assert_eq!(config.listen.https, Address::any(443));
    assert_eq!(config.listen.http.to_string(), "127.0.0.1:81");
    sources.flags = vec![("listen.https", "1.2.3.4:5".into()), ("listen.device_ports", "true".into())];
    let (config, _) = load(&sources).unwrap();
    assert_eq!(config.listen.https.to_string(), "1.2.3.4:5");
    assert_eq!(config.listen.http.to_string(), "127.0.0.1:80");
}

#[test]
fn port_sets_the_port_of_https_and_an_explicit_address_wins() {
    let (_file, mut sources) = file("");
    sources.env = vec![("PORT".into(), "9000".into())];
    assert_eq!(load(&sources).unwrap().0.listen.https, Address::any(9000));
    sources.env.push(("HOMEPORT_HTTPS".into(), "127.0.0.1:9001".into()));
    assert_eq!(load(&sources).unwrap().0.listen.https.to_string(), "127.0.0.1:9001");
}

#[test]
fn a_secret_may_come_from_a_file_and_prints_masked() {
    let mut secret = tempfile::NamedTempFile::new().unwrap();
    secret.write_all(b"postgres://u:s3cret@db/x\n").unwrap();
    let (_file, sources) = file(&format!("store_file = {:?}\n", secret.path()));
    let (config, _) = load(&sources).unwrap();
    assert_eq!(config.store.reveal(), "postgres://u:s3cret@db/x");
    assert!(!print(&config).contains("s3cret"));
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn a_familys_section_is_kept_for_it() {
    let (_file, mut sources) = file("[cwm]\nreq = \"q\"\n");
    sources.env = vec![("HOMEPORT_CWM_COUNT".into(), "3".into()), ("HOMEPORT_CWM_NAME".into(), "x".into())];
    let (config, odd) = load(&sources).unwrap();
    let table = &config.families["cwm"];
    assert_eq!(table["req"].as_str(), Some("q"));
    assert_eq!(table["count"].as_integer(), Some(3));
    assert_eq!(table["name"].as_str(), Some("x"));
    assert_eq!(odd, []);
}

#[test]
fn an_unknown_variable_is_odd_and_named_with_the_nearest() {
    let (_file, mut sources) = file("");
    sources.env = vec![("HOMEPORT_HTPS".into(), "1".into())];
    let (_, odd) = load(&sources).unwrap();
    assert_eq!(odd[0].to_string(), "HOMEPORT_HTPS: no such setting; the nearest is HOMEPORT_HTTPS");
}

#[test]
fn rules_over_several_keys_are_checked() {
    assert!(problem("[tls]\nkey = \"k.pem\"\n").contains("together"));
    assert!(problem("[listen]\nhttp = \"0.0.0.0:8443\"\n").contains("is already that of `listen.https`"));
    assert!(
        problem("[listen]\nhttp = \"off\"\nhttps = \"off\"\nws = \"off\"\n")
            .contains("every listener is off")
    );
}

#[test]
fn a_record_size_has_bounds_and_a_small_one_is_warned_of() {
    assert!(problem("[limits]\ntls_record_bytes_max = 511\n").contains("512 to 16384"));
    assert!(problem("[limits]\nadmin_tls_record_bytes_max = 16385\n").contains("512 to 16384"));
    let (_file, sources) = file("[limits]\ntls_record_bytes_max = 1024\n");
    let (_, odd) = load(&sources).unwrap();
    assert!(odd[0].to_string().contains("Mbed TLS"), "{odd:?}");
    let (_file, sources) =
        file("[limits]\ntls_record_bytes_max = 1536\n[tls]\nclient_certificates = \"required\"\n");
    let (config, odd) = load(&sources).unwrap();
    assert_eq!((odd.len(), config.tls.client_certificates), (0, ClientCertificates::Required));
    assert!(problem("[tls]\nclient_certificates = \"maybe\"\n").contains("off, optional, required"));
}
