//! Puts the certificate folder behind the families' seam: keys are made off the runtime's own threads, a few at a
//! time, and whoever would wait too long is told so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::family::{IssueError, Issued, Issuer, KeyKind, Wish, WishedKey};
use crate::http::BoxFuture;
use crate::model::{Clock, Timestamp};
use crate::pki::{self, ClientKey, PkiError};

/// The authority in a folder.
pub(super) struct Folder {
    dir: PathBuf,
    clock: Clock,
    turns: Arc<Semaphore>,
}

impl Folder {
    pub(super) fn new(dir: PathBuf, clock: Clock) -> Self {
        Self { dir, clock, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Issuer for Folder {
    fn issue(&self, wish: Wish) -> BoxFuture<'_, Result<Issued, IssueError>> {
        Box::pin(async move {
            let turn = timeout(PATIENCE, Arc::clone(&self.turns).acquire_owned()).await;
            let Ok(Ok(turn)) = turn else { return Err(IssueError::Busy) };
            let (dir, now_s) = (self.dir.clone(), self.clock.now().seconds());
            blocking(move || {
                let _turn = turn;
                let key = match &wish.key {
                    WishedKey::Make(KeyKind::Rsa) => ClientKey::Rsa,
                    WishedKey::Make(KeyKind::Ecdsa) => ClientKey::Ecdsa,
                    WishedKey::Sign(readings) => ClientKey::Request(readings),
                };
                let made = pki::issue_client(&dir, &wish.address, key, now_s)?;
                Ok(Issued {
                    cert_pem: made.cert_pem,
                    key_pem: Some(made.key_pem).filter(|pem| !pem.is_empty()),
                    root_pem: made.root_pem,
                    fingerprint: made.fingerprint,
                    public_key: made.public_key,
                    not_after: Timestamp::from_micros(made.not_after_s.saturating_mul(1_000_000)),
                })
            })
            .await
        })
    }

    fn root(&self) -> BoxFuture<'_, Result<String, IssueError>> {
        let dir = self.dir.clone();
        Box::pin(blocking(move || pki::export_root(&dir)))
    }

    fn public_key(&self, request: &[u8]) -> Option<[u8; 32]> {
        pki::request_key(request)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PkiError> + Send + 'static,
) -> Result<T, IssueError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(PkiError::Request { cause })) => Err(IssueError::Request(cause)),
        Ok(Err(error)) => Err(IssueError::Failed(error.to_string())),
        Err(error) => Err(IssueError::Failed(error.to_string())),
    }
}

/// Keys made at a time: each costs some tenths of a second of one core.
const AT_ONCE: usize = 2;
/// A module waits at least 20 s for its answer (`cwm-oke.md §2`), and may have waited for its turn before.
const PATIENCE: Duration = Duration::from_secs(6);
