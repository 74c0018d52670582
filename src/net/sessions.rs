//! TLS sessions that clients may take up again, and forgetting them all at once: a session remembers whether its
//! client showed a certificate, so one from before it had to would stand in its way.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs::Ticketer;
use rustls::server::{ProducesTickets, ServerSessionMemoryCache, StoresServerSessions};

/// Sessions by ticket and by id.
pub(super) struct Sessions(ArcSwap<Known>);

struct Known {
    tickets: Arc<dyn ProducesTickets>,
    ids: Arc<dyn StoresServerSessions>,
}

impl Sessions {
    pub(super) fn new() -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(Self(ArcSwap::from_pointee(Known::new()?))))
    }

    /// From here every client shakes hands in full once.
    pub(super) fn forget(&self) -> Result<(), rustls::Error> {
        self.0.store(Arc::new(Known::new()?));
        Ok(())
    }
}

impl Known {
    fn new() -> Result<Self, rustls::Error> {
        Ok(Self { tickets: Ticketer::new()?, ids: ServerSessionMemoryCache::new(IDS_MAX_COUNT) })
    }
}

impl StoresServerSessions for Sessions {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.0.load().ids.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.load().ids.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.load().ids.take(key)
    }

    fn can_cache(&self) -> bool {
        true
    }
}

impl ProducesTickets for Sessions {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.0.load().tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.load().tickets.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.load().tickets.decrypt(cipher)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

const IDS_MAX_COUNT: usize = 8_192;
