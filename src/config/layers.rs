//! The merge: defaults < file < environment < flags. Every problem is named with its place, all at once.

use std::fmt;
use std::path::{Path, PathBuf};

use super::file::{self, Entry};
use super::keys::{Key, keys};
use super::setting::kind;
use super::{Address, Config};
use crate::model::Network;

/// Where settings come from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by flag; else `HOMEPORT_CONFIG`, else `homeport.toml` in the working directory if there.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Flags: dotted key and text.
    pub flags: Vec<(&'static str, String)>,
    /// Names of device families, whose sections are theirs to read.
    pub families: Vec<String>,
}

/// Something wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Problem {
    /// `homeport.toml:12`, `HOMEPORT_HTTPS` or `--https`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl Problem {
    fn new(place: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { place: place.to_string(), message: message.into() }
    }
}

/// Merges all layers; the second list holds what is odd but harmless.
///
/// # Errors
/// Every problem found, in the order of the layers.
pub fn load(sources: &Sources) -> Result<(Config, Vec<Problem>), Vec<Problem>> {
    let mut config = Config::default();
    let mut problems = Vec::new();
    let mut oddities = Vec::new();
    if let Some(path) = file_path(sources) {
        from_file(&mut config, &path, &sources.families, &mut problems);
    }
    from_env(&mut config, sources, &mut problems, &mut oddities);
    from_flags(&mut config, &sources.flags, &mut problems);
    whole(&config, &mut problems);
    odd(&config, &mut oddities);
    if problems.is_empty() { Ok((config, oddities)) } else { Err(problems) }
}

fn file_path(sources: &Sources) -> Option<PathBuf> {
    let named =
        sources.env.iter().find(|(name, _)| name == "HOMEPORT_CONFIG").map(|(_, path)| PathBuf::from(path));
    let usual = || Some(PathBuf::from("homeport.toml")).filter(|path| path.exists());
    sources.file.clone().or(named.filter(|path| !path.as_os_str().is_empty())).or_else(usual)
}

fn from_file(config: &mut Config, path: &Path, families: &[String], problems: &mut Vec<Problem>) {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.push(Problem::new(path.display(), format!("cannot be read: {error}")));
            return;
        }
    };
    let mut entries = match file::entries(&text, families) {
        Ok(entries) => entries,
        Err(fault) => {
            problems.push(Problem::new(format!("{}:{}", path.display(), fault.line), fault.message));
            return;
        }
    };
    // First, because addresses given beside it win.
    entries.sort_by_key(|entry| entry.key != DEVICE_PORTS);
    for entry in entries {
        let place = format!("{}:{}", path.display(), entry.line);
        if let Err(message) = from_entry(config, &entry, families) {
            problems.push(Problem::new(place, message));
        }
    }
}

fn from_entry(config: &mut Config, entry: &Entry, families: &[String]) -> Result<(), String> {
    if families.contains(&entry.key) {
        let toml::Value::Table(table) = &entry.value else {
            return Err(format!("`{}` is a section, found {}", entry.key, kind(&entry.value)));
        };
        config.families.insert(entry.key.clone(), table.clone());
        return Ok(());
    }
    if let Some(key) = find(&entry.key) {
        (key.read)(config, &entry.value).map_err(|message| format!("`{}`: {message}", key.name))?;
        return after(config, key);
    }
    if let Some(key) = find_secret(&entry.key) {
        let toml::Value::String(path) = &entry.value else {
            return Err(format!("`{}`: expected a path in quotes, found {}", entry.key, kind(&entry.value)));
        };
        return from_secret_file(config, key, path);
    }
    Err(unknown(&entry.key, families))
}

fn from_env(
    config: &mut Config,
    sources: &Sources,
    problems: &mut Vec<Problem>,
    oddities: &mut Vec<Problem>,
) {
    let env = &sources.env;
    if let Some((_, port)) = env.iter().find(|(name, _)| name == "PORT") {
        match port.parse() {
            Ok(port) => config.listen.https.set_port(port),
            Err(_) => problems
                .push(Problem::new("PORT", format!("expected a port from 0 to 65535, found `{port}`"))),
        }
    }
    let mut ours: Vec<_> = env.iter().filter(|(name, _)| name.starts_with("HOMEPORT_")).collect();
    ours.sort_by_key(|(name, _)| {
        (name != "HOMEPORT_DEVICE_PORTS" && name != "HOMEPORT_LISTEN_DEVICE_PORTS", name)
    });
    for (name, text) in ours {
        let spelt = |key: &&Key| *name == key.variable() || *name == long_variable(key);
        let secret = |key: &&Key| key.secret && *name == format!("{}_FILE", key.variable());
        let done = if let Some(key) = keys().iter().find(spelt) {
            from_text(config, key, text)
        } else if let Some(key) = keys().iter().find(secret) {
            from_secret_file(config, key, text)
        } else if family_variable(config, &sources.families, name, text)
            || OTHERS.iter().any(|other| name.starts_with(other))
        {
            Ok(())
        } else {
            let nearest = nearest(name, keys().iter().map(Key::variable));
            oddities.push(Problem::new(name, format!("no such setting; the nearest is {nearest}")));
            Ok(())
        };
        if let Err(message) = done {
            problems.push(Problem::new(name, message));
        }
    }
}

/// `HOMEPORT_CWM_SOMETHING` sets `something` in the section `cwm`.
fn family_variable(config: &mut Config, families: &[String], name: &str, text: &str) -> bool {
    for family in families {
        let start = format!("HOMEPORT_{}_", family.to_ascii_uppercase());
        if let Some(key) = name.strip_prefix(&start) {
            // The family knows its types: what reads as a TOML value is one, else it is a text.
            let value = toml::from_str::<toml::Table>(&format!("value = {text}"))
                .ok()
                .and_then(|mut table| table.remove("value"))
                .unwrap_or_else(|| toml::Value::String(text.to_owned()));
            config.families.entry(family.clone()).or_default().insert(key.to_ascii_lowercase(), value);
            return true;
        }
    }
    false
}

fn from_flags(config: &mut Config, flags: &[(&'static str, String)], problems: &mut Vec<Problem>) {
    let mut flags: Vec<_> = flags.iter().collect();
    flags.sort_by_key(|(name, _)| *name != DEVICE_PORTS);
    for (name, text) in flags {
        let done = match find(name) {
            Some(key) => from_text(config, key, text),
            None => Err(unknown(name, &[])),
        };
        if let Err(message) = done {
            let flag = name.rsplit('.').next().unwrap_or(name).replace('_', "-");
            problems.push(Problem::new(format!("--{flag}"), message));
        }
    }
}

fn from_text(config: &mut Config, key: &Key, text: &str) -> Result<(), String> {
    (key.parse)(config, text)?;
    after(config, key)
}

fn from_secret_file(config: &mut Config, key: &Key, path: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("the file of `{}`, {path}, cannot be read: {error}", key.name))?;
    from_text(config, key, text.trim())
}

/// What setting one key does to others.
#[expect(clippy::unnecessary_wraps, reason = "each caller ends with it")]
fn after(config: &mut Config, key: &Key) -> Result<(), String> {
    if key.name == DEVICE_PORTS && config.listen.device_ports {
        config.listen.https.set_port(443);
        config.listen.http.set_port(80);
        config.listen.ws.set_port(4444);
    }
    Ok(())
}

/// Rules that take more than one key.
fn whole(config: &Config, problems: &mut Vec<Problem>) {
    if config.tls.certificate.is_some() != config.tls.key.is_some() {
        problems
            .push(Problem::new("tls", "`tls.certificate` and `tls.key` are given together or not at all"));
    }
    for (name, bytes) in [
        ("limits.tls_record_bytes_max", config.limits.tls_record_bytes_max),
        ("limits.admin_tls_record_bytes_max", config.limits.admin_tls_record_bytes_max),
    ] {
        if !(512..=16_384).contains(&bytes) {
            problems.push(Problem::new(name, format!("expected 512 to 16384 bytes, found {bytes}")));
        }
    }
    alerts(config, problems);
    let listen = &config.listen;
    if [listen.https, listen.http, listen.ws, listen.admin].iter().all(|address| *address == Address(None)) {
        problems.push(Problem::new("listen", "every listener is off: nothing could be served"));
    }
    let named = [("https", listen.https), ("http", listen.http), ("ws", listen.ws), ("admin", listen.admin)];
    for (at, (name, address)) in named.iter().enumerate() {
        let same =
            |other: &&(&str, Address)| other.1 == *address && address.0.is_some_and(|addr| addr.port() != 0);
        if let Some((other, _)) = named.iter().take(at).find(same) {
            problems.push(Problem::new(
                format!("listen.{name}"),
                format!("{address} is already that of `listen.{other}`: give each listener its own"),
            ));
        }
    }
}

fn alerts(config: &Config, problems: &mut Vec<Problem>) {
    for network in &config.alerts.webhook_refuse {
        if let Err(message) = Network::try_from(network.clone()) {
            problems.push(Problem::new("alerts.webhook_refuse", message));
        }
    }
    let mail = &config.mail;
    if !mail.host.is_empty() && mail.from.is_empty() {
        problems.push(Problem::new("mail.from", "a mail is from somebody: set it beside `mail.host`"));
    }
    if mail.port.0 > u64::from(u16::MAX) {
        problems.push(Problem::new(
            "mail.port",
            format!("expected a port from 0 to 65535, found {}", mail.port.0),
        ));
    }
}

/// What may be set and is rarely meant.
fn odd(config: &Config, oddities: &mut Vec<Problem>) {
    if config.limits.tls_record_bytes_max < RECORD_SAFE_BYTES {
        oddities.push(Problem::new(
            "limits.tls_record_bytes_max",
            format!("below {RECORD_SAFE_BYTES} modules with old Mbed TLS fail in the handshake"),
        ));
    }
}

fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

fn find_secret(name: &str) -> Option<&'static Key> {
    let name = name.strip_suffix("_file")?;
    find(name).filter(|key| key.secret)
}

fn long_variable(key: &Key) -> String {
    format!("HOMEPORT_{}", key.name.replace('.', "_").to_ascii_uppercase())
}

fn unknown(name: &str, families: &[String]) -> String {
    let secrets = keys().iter().filter(|key| key.secret).map(|key| format!("{}_file", key.name));
    let known = keys().iter().map(|key| key.name.to_owned()).chain(secrets).chain(families.iter().cloned());
    format!("unknown key `{name}`; the nearest known key is `{}`", nearest(name, known))
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    // A key under the wrong section is nearer than one that merely looks alike.
    let leaf = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    known
        .min_by_key(|key| {
            let whole = strsim::damerau_levenshtein(name, key);
            if leaf(name) == leaf(key) { whole.min(1) } else { whole }
        })
        .unwrap_or_default()
}

/// Smaller records cut a certificate into pieces that Mbed TLS before 3.6.3 cannot join.
const RECORD_SAFE_BYTES: usize = 1536;
const DEVICE_PORTS: &str = "listen.device_ports";

/// Variables that are ours and set nothing here.
const OTHERS: [&str; 4] = ["HOMEPORT_CONFIG", "HOMEPORT_SERVER", "HOMEPORT_TOKEN", "HOMEPORT_TEST"];
