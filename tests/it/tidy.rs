//! The house rules that a compiler does not know: who may import whom, headers, file length, the lock file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The import table of `docs/architecture.md`: a room and the rooms it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("store", &["model"]),
    ("core", &["model", "store"]),
    ("http", &[]),
    ("net", &["http"]),
    ("family", &["model", "core", "http"]),
    ("dictionary", &["model"]),
    ("alert", &["model", "core"]),
    ("web", &["model", "dictionary", "core", "http", "family", "alert"]),
    ("pki", &[]),
    ("config", &["model"]),
    ("simulate", &["model", "family"]),
    ("cli", &["config", "dictionary", "server", "pki", "simulate"]),
    (
        "server",
        &["model", "dictionary", "config", "store", "core", "http", "net", "family", "alert", "web", "pki"],
    ),
];

/// Files that may name every room.
const COMPOSERS: &[&str] = &["lib.rs", "main.rs", "server.rs", "server"];

/// What `core` may not see of the store: its engines are chosen by the composition root alone.
const ENGINES: &[&str] = &["sqlite", "postgres"];

const LONGEST_FILE: usize = 500;

/// Packages that must not be in the build at all.
const BANNED: &[&str] = &["openssl", "openssl-sys", "native-tls", "libudev-sys", "schannel"];

/// Big packages of which one version is enough.
const ONCE: &[&str] = &[
    "tokio",
    "hyper",
    "rustls",
    "aws-lc-rs",
    "aws-lc-sys",
    "libsqlite3-sys",
    "axum",
    "http",
    "matchit",
    "serde_json",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder of the project can be listed").path();
        if path.is_dir() {
            files_below(&path, ending, into);
        } else if path.extension().is_some_and(|found| found == ending) {
            into.push(path);
        }
    }
}

fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        files_below(&root().join(folder), "rs", &mut files);
    }
    files.sort();
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// The source without comments and without the text of string literals, so that only code is judged.
fn code_of(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(character) = rest.chars().next() {
        let width = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(end) = literal_end(rest) {
            end
        } else {
            code.push(character);
            character.len_utf8()
        };
        rest = &rest[width..];
    }
    code
}

/// Where the string or character literal ends that `text` begins with.
fn literal_end(text: &str) -> Option<usize> {
    let after_r = text.strip_prefix('r').unwrap_or(text);
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    if text.starts_with('r') && after_r[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = 1 + hashes + 1;
        return Some(text[body..].find(&close).map_or(text.len(), |at| body + at + close.len()));
    }
    if text.starts_with("'\"'") {
        return Some(3);
    }
    if text.starts_with("'\\\"'") {
        return Some(4);
    }
    if !text.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(text.len())
}

/// Every path that begins with `crate::`, braces opened: `crate::{a::b, c}` gives `a::b` and `c`.
fn crate_paths(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let whole_word = !code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if whole_word && !code[..at].ends_with('$') {
            open_braces("", &code[at + "crate::".len()..], &mut paths);
        }
    }
    paths
}

/// Reads one path or brace group from the start of `text`; returns what is left behind it.
fn open_braces<'t>(prefix: &str, text: &'t str, into: &mut Vec<String>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut inside) = text.strip_prefix('{') {
        loop {
            inside = inside.trim_start();
            if let Some(rest) = inside.strip_prefix('}') {
                return rest;
            }
            let before = inside.len();
            inside = open_braces(prefix, inside, into).trim_start();
            inside = inside.strip_prefix(',').unwrap_or(inside);
            if inside.len() == before {
                return inside;
            }
        }
    }
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}::{name}") };
    if let Some(deeper) = rest.strip_prefix("::") {
        return open_braces(&path, deeper, into);
    }
    into.push(path);
    let rest = rest.trim_start();
    let alias = rest.strip_prefix("as ").map(str::trim_start);
    alias.map_or(rest, |name| name.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The sentence that says why a path is not allowed in a file, if it is not.
fn judged(file: &str, path: &str, rooms: &BTreeMap<&str, &[&str]>) -> Option<String> {
    let inside = file.strip_prefix("src/").unwrap_or(file);
    if COMPOSERS.contains(&inside.split('/').next().unwrap_or_default()) {
        return None;
    }
    let mut parts = inside.split('/');
    let room = parts.next().unwrap_or_default().trim_end_matches(".rs");
    let folder = parts.next().unwrap_or_default();
    let mut target = path.split("::");
    let aim = target.next().unwrap_or_default();
    let deeper = target.next().unwrap_or_default();
    let Some(allowed) = rooms.get(room) else {
        return Some(format!("{file}: the room `{room}` is not in the import table"));
    };
    if aim == room {
        let other_family = room == "family"
            && root().join("src/family").join(deeper).is_dir()
            && !folder.is_empty()
            && folder != "mod.rs"
            && folder != deeper;
        return other_family.then(|| format!("{file}: a family must not import another (`crate::{path}`)"));
    }
    if !allowed.contains(&aim) {
        return Some(format!("{file}: `{room}` must not import `crate::{path}`"));
    }
    if room == "core" && aim == "store" && ENGINES.contains(&deeper) {
        return Some(format!("{file}: `core` must not know an engine (`crate::{path}`)"));
    }
    if room == "web" && aim == "family" && root().join("src/family").join(deeper).is_dir() {
        return Some(format!("{file}: `web` must not look into a family (`crate::{path}`)"));
    }
    None
}

#[test]
fn every_import_is_in_the_table() {
    let rooms: BTreeMap<&str, &[&str]> = MAY_IMPORT.iter().copied().collect();
    let mut faults = Vec::new();
    for path in rust_files(&["src"]) {
        let source = fs::read_to_string(&path).expect("a source file can be read");
        for import in crate_paths(&code_of(&source)) {
            faults.extend(judged(&shown(&path), &import, &rooms));
        }
    }
    faults.dedup();
    assert!(faults.is_empty(), "see docs/architecture.md, section 2:\n{}", faults.join("\n"));
}

#[test]
fn outside_packages_stay_in_their_rooms() {
    // A package and the rooms that may name it.
    let homes: &[(&str, &[&str])] = &[
        ("rusqlite", &["store"]),
        ("tokio_postgres", &["store"]),
        ("hyper", &["alert", "http", "net", "family", "web", "cli", "server", "server.rs"]),
        ("axum", &["web", "server", "server.rs"]),
        ("rcgen", &["pki"]),
        ("clap", &["cli", "main.rs"]),
        ("anyhow", &["cli", "main.rs"]),
    ];
    let mut faults = Vec::new();
    for path in rust_files(&["src"]) {
        let name = shown(&path);
        let room = name.trim_start_matches("src/").split('/').next().unwrap_or_default().to_owned();
        let code = code_of(&fs::read_to_string(&path).expect("a source file can be read"));
        for (package, rooms) in homes {
            let named = [format!("use {package}::"), format!(" {package}::"), format!("({package}::")];
            if !rooms.contains(&room.as_str()) && named.iter().any(|words| code.contains(words)) {
                faults.push(format!("{name}: `{package}` belongs to {rooms:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_owns_and_is_short() {
    let mut faults = Vec::new();
    for path in rust_files(&["src", "tests", "benches"]) {
        let source = fs::read_to_string(&path).expect("a source file can be read");
        let lines = source.lines().count();
        if !source.starts_with("//! ") {
            faults.push(format!("{}: does not begin with `//!` and a sentence", shown(&path)));
        }
        if lines > LONGEST_FILE {
            faults.push(format!("{}: {lines} lines, the most is {LONGEST_FILE}", shown(&path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_lock_file_has_one_of_each_big_package_and_nothing_banned() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed");
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut ring_users = Vec::new();
    for block in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
        };
        let name = value("name").expect("every package has a name");
        versions.entry(name).or_default().insert(value("version").expect("every package has a version"));
        if block.lines().any(|line| line.trim() == "\"ring\",") {
            ring_users.push(name);
        }
    }
    for name in BANNED {
        assert!(!versions.contains_key(name), "{name} is in Cargo.lock");
    }
    for name in ONCE {
        let found = versions.get(name).map_or(0, BTreeSet::len);
        assert!(found <= 1, "{name} is in Cargo.lock {found} times");
    }
    // These two list `ring` as an option that is off: it stands in the lock file and is not built.
    ring_users.retain(|name| !["rcgen", "rustls", "rustls-webpki"].contains(name));
    assert!(ring_users.is_empty(), "ring is asked for by {ring_users:?}");
}

#[test]
fn the_reader_of_imports_reads_them() {
    let code = code_of(
        "use crate::{a::b, c::{d, e as f}};\n// crate::no\nlet x = \"crate::no\"; crate::g::h(1); $crate::m",
    );
    assert_eq!(crate_paths(&code), ["a::b", "c::d", "c::e", "g::h"]);
}
