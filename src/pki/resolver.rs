//! Picks the certificate for each handshake; swapped whole while connections go on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CipherSuite, NamedGroup, SignatureScheme};
use tokio_util::sync::CancellationToken;

use super::authority::{self, Material};
use super::make::Kind;
use super::{PkiError, load};

/// Where the server's certificates come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own authority in this folder, for these hosts.
    Own {
        /// Folder of the PEM files.
        dir: PathBuf,
        /// DNS names and addresses of the server.
        hosts: Vec<String>,
    },
    /// Files the operator looks after.
    Files {
        /// Certificate, and its chain if it has one.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// What rustls asks for a certificate.
#[derive(Debug)]
pub struct Resolver {
    source: Source,
    current: ArcSwap<Material>,
    seen: Mutex<Stamps>,
}

type Stamps = Vec<Option<(SystemTime, u64)>>;

impl Resolver {
    /// Loads, and for [`Source::Own`] first makes, the certificates. Blocks for a second when keys are made.
    pub fn open(source: Source, now_s: i64) -> Result<Arc<Self>, PkiError> {
        let material = read(&source, now_s)?;
        let seen = Mutex::new(stamps(&source));
        Ok(Arc::new(Self { source, current: ArcSwap::from_pointee(material), seen }))
    }

    /// Reads the files again; the next handshake uses what they hold. On an error the old pair goes on being used.
    pub fn reload(&self, now_s: i64) -> Result<(), PkiError> {
        let stamps = stamps(&self.source);
        let outcome = read(&self.source, now_s).map(|material| self.current.store(Arc::new(material)));
        // Also after an error: one bad file is one log line, not one per poll.
        let stamps = if outcome.is_ok() { self::stamps(&self.source) } else { stamps };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        outcome
    }

    /// Whether a file changed since it was last read.
    pub fn changed(&self) -> bool {
        stamps(&self.source) != *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pairs in use.
    pub fn material(&self) -> Arc<Material> {
        self.current.load_full()
    }

    /// Reloads when a file changes, and once a day for renewal, until stopped. Logs each outcome.
    pub async fn watch(
        self: Arc<Self>,
        now_s: impl Fn() -> i64 + Send,
        every: Duration,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(every);
        let mut renewed_s = now_s();
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = now_s();
            if !self.changed() && now - renewed_s < super::DAY_S {
                continue;
            }
            renewed_s = now;
            let resolver = Arc::clone(&self);
            match tokio::task::spawn_blocking(move || resolver.reload(now)).await {
                Ok(Ok(())) => tracing::info!("certificates read again"),
                Ok(Err(error)) => tracing::error!("certificates not read again, the old ones stay: {error}"),
                Err(error) => tracing::error!("certificates not read again, the old ones stay: {error}"),
            }
        }
    }
}

impl ResolvesServerCert for Resolver {
    /// Never `None`: rustls would then say `access_denied`, which misleads.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let material = self.current.load();
        let signs = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        let curve = hello.named_groups().is_some_and(|groups| groups.contains(&NamedGroup::secp256r1));
        match &material.ecdsa {
            Some(pair) if signs && curve && suite_for_ecdsa(hello.cipher_suites()) => Some(Arc::clone(pair)),
            _ => Some(Arc::clone(&material.rsa)),
        }
    }
}

/// Whether an ECDSA pair leaves a suite to agree on. rustls lets `ECDSA_NISTP256_SHA256` pass when a suite of TLS 1.3
/// is offered, also by a client that then speaks TLS 1.2 with RSA suites only. With TLS 1.3 both pairs do.
fn suite_for_ecdsa(offered: &[CipherSuite]) -> bool {
    let ecdsa = [
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    let rsa = [
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ];
    offered.iter().any(|suite| ecdsa.contains(suite)) || !offered.iter().any(|suite| rsa.contains(suite))
}

fn read(source: &Source, now_s: i64) -> Result<Material, PkiError> {
    match source {
        Source::Own { dir, hosts } => authority::ensure(dir, hosts, now_s),
        Source::Files { cert, key } => Ok(Material { rsa: load::pair(cert, key, now_s)?, ecdsa: None }),
    }
}

fn stamps(source: &Source) -> Stamps {
    let stamp = |file: &Path| {
        let facts = std::fs::metadata(file).ok()?;
        Some((facts.modified().ok()?, facts.len()))
    };
    match source {
        Source::Own { dir, .. } => [Kind::Rsa, Kind::Ecdsa]
            .into_iter()
            .flat_map(|kind| <[PathBuf; 2]>::from(authority::leaf_files(dir, kind)))
            .map(|file| stamp(&file))
            .collect(),
        Source::Files { cert, key } => vec![stamp(cert), stamp(key)],
    }
}
