//! Commands that need no running server, as a person runs them.

use std::fs;
use std::path::Path;

use crate::harness::Program;

fn refused(program: &Program, arguments: &[&str], code: i32) -> String {
    let output = program.run(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "homeport {}: {said}", arguments.join(" "));
    assert!(output.stdout.is_empty(), "what failed has no result");
    said
}

#[test]
fn the_template_is_a_file_the_server_takes() {
    let program = Program::new();
    let template = program.done(&["config", "template"]);
    assert!(template.contains("\n[limits]\n") && template.contains("\nunknown = \"hold\"\n"), "{template}");
    fs::write(program.folder().join("homeport.toml"), template).unwrap();
    assert_eq!(program.done(&["config", "check"]), "The settings are right.\n");
}

#[test]
fn settings_come_from_defaults_file_environment_and_flags_in_this_order() {
    let program = Program::new().set("HOMEPORT_FILES_DIR", "from-environment").set("PORT", "7777");
    let text = "data_dir = \"from-file\"\nfiles_dir = \"from-file\"\ncerts_dir = \"from-file\"\n";
    fs::write(program.folder().join("other.toml"), text).unwrap();
    let printed = program.done(&["--config", "other.toml", "config", "print", "--certs-dir", "from-flag"]);
    for line in [
        "data_dir = \"from-file\"",
        "files_dir = \"from-environment\"",
        "certs_dir = \"from-flag\"",
        "https = \"127.0.0.1:0\"",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line} in {printed}");
    }
}

#[test]
fn port_alone_moves_the_main_listener() {
    let program = Program::new().unset("HOMEPORT_HTTPS").set("PORT", "7777");
    assert!(program.done(&["config", "print"]).contains("https = \"0.0.0.0:7777\""));
    let program = program.set("PORT", "many");
    assert!(refused(&program, &["config", "check"], 2).contains("PORT: expected a port"));
}

#[test]
fn secrets_are_masked() {
    let program = Program::new().set("HOMEPORT_STORE", "postgres://u:s3cret@db/x");
    let printed = program.done(&["config", "print"]);
    assert!(printed.contains("postgres://u:***@db/x") && !printed.contains("s3cret"), "{printed}");
}

#[test]
fn a_mistake_in_the_file_names_its_line_and_what_was_meant() {
    let program = Program::new();
    let file = program.folder().join("homeport.toml");
    for (text, said) in [
        (
            "\n[listen]\nhtps = \"x\"\n",
            "homeport.toml:3: unknown key `listen.htps`; the nearest known key is `listen.https`",
        ),
        ("hosts = 7\n", "homeport.toml:1: `hosts`: expected a list of texts, found a whole number"),
        ("[cwm]\nbad_mesages = \"reject\"\n", "bad_mesages"),
        ("[log]\nlevel = \"info,=,\"\n", "log.level"),
        ("[tls]\ncertificate = \"a.pem\"\n", "`tls.certificate` and `tls.key` are given together"),
    ] {
        fs::write(&file, text).unwrap();
        let found = refused(&program, &["config", "check"], 2);
        assert!(found.contains(said), "{found}");
        refused(&program, &["serve"], 2);
    }
    fs::remove_file(&file).unwrap();
    assert!(refused(&program, &["config", "check", "none.toml"], 2).contains("none.toml: cannot be read"));
}

#[test]
fn wrong_usage_is_exit_code_2_and_says_how() {
    let program = Program::new();
    for arguments in [&["sreve"][..], &[], &["send"], &["send", "x", "--cmd", "wr", "--payload", "{"]] {
        let output = program.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
    let said = refused(&program, &["devices", "list", "--server", "ftp://x", "--token", "t"], 2);
    assert!(said.contains("https://HOST"), "{said}");
}

#[test]
fn without_a_server_an_operator_is_told_how_to_get_one() {
    let program = Program::new();
    let said = refused(&program, &["devices", "list"], 1);
    assert!(said.contains("control.sock") && said.contains("homeport serve"), "{said}");
}

#[test]
fn certificates_are_made_once_shown_and_renewed_under_one_root() {
    let program = Program::new();
    assert!(refused(&program, &["certs", "show"], 1).contains("homeport certs init"));
    program.done(&["certs", "init", "--hosts", "oven.lan,192.0.2.7"]);
    let shown: serde_json::Value = serde_json::from_str(&program.done(&["certs", "show", "--json"])).unwrap();
    let rows = shown.as_array().unwrap();
    assert_eq!(rows.len(), 3, "a root and two leaves: {shown}");
    assert!(
        rows.iter().all(|row| row["days_left"].as_i64().unwrap() > 300 && row["fingerprint"].is_string())
    );
    assert!(rows[1]["names"].as_array().unwrap().contains(&"oven.lan".into()), "{shown}");
    let root = program.done(&["certs", "export-root"]);
    program.done(&["certs", "renew", "--hosts", "oven.lan,192.0.2.7"]);
    assert_eq!(program.done(&["certs", "export-root"]), root);
    let again: serde_json::Value = serde_json::from_str(&program.done(&["certs", "show", "--json"])).unwrap();
    assert_ne!(again[1]["fingerprint"], shown[1]["fingerprint"]);
}

#[test]
fn a_client_certificate_comes_with_its_key_and_our_root() {
    use std::os::unix::fs::PermissionsExt as _;
    let program = Program::new();
    let written = program.done(&["certs", "issue-client", "0002/../x", "--out", "module"]);
    assert_eq!(written, "module/0002____x.pem\nmodule/0002____x.key\nmodule/root.pem\n");
    for line in written.lines() {
        let text = fs::read_to_string(program.folder().join(line)).unwrap();
        assert!(text.starts_with("-----BEGIN ") && text.len() < 4096, "{line}");
    }
    let key = fs::metadata(program.folder().join("module/0002____x.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn completions_and_manual_come_from_the_same_definitions() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(program.done(&["completions", shell]).contains("export-root"), "{shell}");
    }
    let page = program.done(&["man", "pages"]);
    let page = fs::read_to_string(program.folder().join(page.trim())).unwrap();
    assert!(page.contains(".TH homeport 1"), "{page}");
    assert!(Path::new(&program.folder().join("pages/homeport-certs-issue-client.1")).exists());
}

#[test]
fn a_name_that_no_module_takes_is_refused_with_the_reason() {
    let program = Program::new();
    let output = program.run(&["endpoint", "check", "https://oven.lan/push", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["ok"], false);
    assert!(found["checks"][0]["message"].as_str().unwrap().contains("scheme"), "{found}");
}
