//! `homeport serve`: runs the server until it is told to stop.

use std::path::PathBuf;

use clap::Args;

use super::settings::Global;
use super::{Done, output};
use crate::server;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport serve\n  homeport serve --device-ports --hosts homeport.lan,192.0.2.7\n  homeport serve --https 127.0.0.1:8443 --http off --ws off"
)]
pub(super) struct Serve {
    /// Devices with TLS, pages and API: ADDRESS:PORT, or off.
    #[arg(long, value_name = "ADDRESS")]
    https: Option<String>,
    /// Devices without TLS: ADDRESS:PORT, or off.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<String>,
    /// WebSocket microcontrollers: ADDRESS:PORT, or off.
    #[arg(long, value_name = "ADDRESS")]
    ws: Option<String>,
    /// Pages and API only here: ADDRESS:PORT.
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// Listen where real devices call: 443, 80 and 4444.
    #[arg(long)]
    device_ports: bool,
    /// Names and addresses for the certificate, separated by commas; may be repeated.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    hosts: Vec<String>,
    /// The database: sqlite, sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// First contact of an unknown device: accept, hold or refuse.
    #[arg(long, value_name = "POLICY")]
    unknown: Option<String>,
    /// Folder of files for devices.
    #[arg(long, value_name = "DIR")]
    files_dir: Option<PathBuf>,
    /// error, warn, info, debug, trace or directives.
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// text or json.
    #[arg(long, value_name = "FORM")]
    log_format: Option<String>,
    /// Any setting by its full name; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Serve {
    pub(super) fn run(&self, settings: &Global) -> Done {
        let flags = self.flags()?;
        let config = settings.load(flags.clone())?;
        let again = {
            let settings = settings.clone();
            move || {
                settings.load(flags.clone()).map_err(|failure| match failure {
                    super::Failure::Usage(message) => message,
                    super::Failure::Failed(error) => format!("{error:#}"),
                })
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(server::run(config, again, |banner| {
            // A closed standard output is no reason not to serve.
            drop(output::line(banner));
        }));
        Ok(ended?)
    }

    fn flags(&self) -> Result<Vec<(&'static str, String)>, super::Failure> {
        let mut flags = Vec::new();
        for (key, text) in [
            ("listen.https", &self.https),
            ("listen.http", &self.http),
            ("listen.ws", &self.ws),
            ("listen.admin", &self.admin),
            ("store", &self.store),
            ("devices.unknown", &self.unknown),
            ("log.level", &self.log_level),
            ("log.format", &self.log_format),
        ] {
            flags.extend(text.clone().map(|text| (key, text)));
        }
        if let Some(dir) = &self.files_dir {
            flags.push(("files_dir", dir.display().to_string()));
        }
        if self.device_ports {
            flags.push(("listen.device_ports", "true".to_owned()));
        }
        if !self.hosts.is_empty() {
            flags.push(("hosts", self.hosts.join(",")));
        }
        for pair in &self.set {
            let wrong = |why: &str| super::Failure::Usage(format!("--set {pair}: {why}"));
            let (name, text) = pair.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE"))?;
            let key = crate::config::keys().iter().find(|key| key.name == name);
            let key = key.ok_or_else(|| wrong("no such key; `homeport config template` shows them all"))?;
            flags.push((key.name, text.to_owned()));
        }
        Ok(flags)
    }
}
