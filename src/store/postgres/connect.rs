//! Connections: the URL, TLS, and one session with its prepared statements.
//!
//! `sslmode` in the URL: absent, `disable`, `allow` and `prefer` speak plain; `require`, `verify-ca` and
//! `verify-full` speak TLS and **always** check the server's chain and name, against `sslrootcert=FILE` or
//! else the system's roots.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Mutex;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::TlsStream;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Connection, Error, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::translate;
use crate::store::StoreError;

/// How to reach the database. Read from the URL once.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    tls: Option<MakeRustlsConnect>,
}

/// One connection. Shared by tasks, it carries their queries in turn; a transaction needs one of its own.
pub(super) struct Session {
    client: Client,
    retired: AtomicBool,
    statements: Mutex<HashMap<String, Statement>>,
}

/// Query parameters.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Address {
    /// Reads a `postgres://` URL.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let parts = split(url)?;
        let mut config: Config =
            parts.rest.parse().map_err(|error: Error| failed("the PostgreSQL URL", &translate(&error)))?;
        config.ssl_mode(if parts.tls { SslMode::Require } else { SslMode::Disable });
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_LIMIT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE_LIMIT);
        }
        if config.get_application_name().is_none() {
            config.application_name("homeport");
        }
        let tls = if parts.tls { Some(tls(parts.roots.as_deref())?) } else { None };
        Ok(Self { config, tls })
    }

    /// Opens a session.
    pub(super) async fn connect(&self) -> Result<Session, StoreError> {
        let opened = tokio::time::timeout(OPEN_LIMIT, self.open()).await;
        opened.unwrap_or_else(|_| Err(StoreError::Failed("PostgreSQL did not answer in time".to_owned())))
    }

    async fn open(&self) -> Result<Session, StoreError> {
        let client = if let Some(tls) = &self.tls {
            drive(self.config.connect(tls.clone()).await)
        } else {
            drive(self.config.connect(NoTls).await)
        }
        .map_err(|error| translate(&error))?;
        client.batch_execute(SETTINGS).await.map_err(|error| translate(&error))?;
        Ok(Session { client, retired: AtomicBool::new(false), statements: Mutex::new(HashMap::new()) })
    }
}

impl Session {
    /// Whether the connection is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.retired.load(Ordering::Relaxed) || self.client.is_closed()
    }

    /// Notes that the connection is as good as gone.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Relaxed);
    }

    /// The connection itself, for statements without parameters.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Rows of a query.
    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, params).await
    }

    /// The first row of a query.
    pub(super) async fn first(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params).await?.into_iter().next())
    }

    /// Runs a statement; answers the number of rows it touched.
    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, params).await
    }

    async fn statement(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(known) = self.statements.lock().await.get(sql) {
            return Ok(known.clone());
        }
        // Not under the lock: two tasks may prepare the same text, and the later one stays.
        let made = self.client.prepare(sql).await?;
        let replaced = self.statements.lock().await.insert(sql.to_owned(), made.clone());
        drop(replaced);
        Ok(made)
    }
}

/// Starts the task that moves a connection's bytes. It ends by itself when the client is dropped, so nobody
/// need hold it.
fn drive<S, T>(opened: Result<(Client, Connection<S, T>), Error>) -> Result<Client, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsStream + Unpin + Send + 'static,
{
    let (client, connection) = opened?;
    drop(tokio::spawn(connection));
    Ok(client)
}

/// A URL, taken apart as far as tokio-postgres needs help with it.
struct Parts {
    rest: String,
    tls: bool,
    roots: Option<String>,
}

/// Takes `sslmode` and `sslrootcert` out of a URL: tokio-postgres knows neither all modes nor the file.
fn split(url: &str) -> Result<Parts, StoreError> {
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut parts = Parts { rest: base.to_owned(), tls: false, roots: None };
    let mut mark = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", "disable" | "allow" | "prefer")) => parts.tls = false,
            Some(("sslmode", "require" | "verify-ca" | "verify-full")) => parts.tls = true,
            Some(("sslmode", other)) => {
                return Err(StoreError::Failed(format!(
                    "the PostgreSQL URL has sslmode={other}: use disable or verify-full"
                )));
            }
            Some(("sslrootcert", file)) => parts.roots = Some(file.replace("%2F", "/").replace("%2f", "/")),
            Some(_) | None => {
                parts.rest.push(mark);
                parts.rest.push_str(pair);
                mark = '&';
            }
        }
    }
    Ok(parts)
}

/// TLS that checks chain and name.
fn tls(file: Option<&str>) -> Result<MakeRustlsConnect, StoreError> {
    let file = file
        .or_else(|| SYSTEM_ROOTS.into_iter().find(|path| std::path::Path::new(path).exists()))
        .ok_or_else(|| {
            StoreError::Failed("no system roots found: name a file with sslrootcert=".to_owned())
        })?;
    let mut roots = rustls::RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(
            |error| StoreError::Failed(format!("the PostgreSQL roots in {file} cannot be read: {error}")),
        )?;
    let (taken, _) = roots.add_parsable_certificates(certificates);
    if taken == 0 {
        return Err(StoreError::Failed(format!(
            "{file} holds no certificate that PostgreSQL's could be checked with"
        )));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed("TLS for PostgreSQL", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Failed(format!("{what}: {error}"))
}

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const OPEN_LIMIT: Duration = Duration::from_secs(15);
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// Where systems keep their roots: Debian, Fedora, Alpine.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A commit is on disk when it returns, whatever the server's own setting; a session that hangs in a
/// transaction lets go of the ledger's lock; no statement waits for ever.
const SETTINGS: &str = "
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
    SET idle_in_transaction_session_timeout = '20s';
    SET statement_timeout = '30s';
    SET client_min_messages = 'warning';";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_says_whether_to_speak_tls() {
        let parts = split("postgres://u@h/db?sslmode=verify-full&sslrootcert=%2Fa%2Fb.pem&connect_timeout=3")
            .unwrap();
        assert!(parts.tls);
        assert_eq!(parts.roots.as_deref(), Some("/a/b.pem"));
        assert_eq!(parts.rest, "postgres://u@h/db?connect_timeout=3");
        assert!(!split("postgres://u@h/db").unwrap().tls);
        assert!(split("postgres://u@h/db?sslmode=maybe").is_err());
    }

    #[test]
    fn an_unreadable_url_is_said_without_its_password() {
        let told = Address::parse("postgres://u:secret@h:port/db").map(|_| ()).unwrap_err().to_string();
        assert!(!told.contains("secret"), "{told}");
    }
}
