//! What devices prove themselves with: keys for an HMAC, client certificates and their revocation.
//!
//! Keys and revocations are kept in memory too, because they are asked for with every message and every
//! handshake.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::records::Kept;
use super::{Hub, HubError, secrets};
use crate::model::{DeviceId, FamilyName, Fingerprint, KeySpelling, Timestamp};

/// The key that a device shares with this server. Kept as it is: it must be compared and handed out again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceKey {
    /// Whose.
    pub device: DeviceId,
    /// As typed or made.
    pub key: String,
    /// The spelling under which an HMAC held; `None` until one did.
    pub held: Option<KeySpelling>,
    /// When it was set.
    pub since: Timestamp,
}

/// A client certificate that was handed to a device, with what is needed to hand out the same again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Material {
    /// Whose.
    pub device: DeviceId,
    /// The certificate.
    pub cert_pem: String,
    /// Its private key; `None` when the device made it, or when it is not to be given out again.
    pub key_pem: Option<String>,
    /// The root that signed it.
    pub root_pem: String,
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// SHA-256 of its public key.
    pub public_key: Fingerprint,
    /// When it was made.
    pub issued: Timestamp,
    /// The end of its life.
    pub not_after: Timestamp,
    /// Certificates that it had before and that are still good.
    #[serde(default)]
    pub earlier: Vec<Fingerprint>,
}

/// A certificate that counts no longer. Outlives its device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// SHA-256 of the certificate.
    pub fingerprint: Fingerprint,
    /// The address of the device that had it.
    pub address: String,
    /// When.
    pub at: Timestamp,
    /// `user:<name>`.
    pub by: String,
}

/// The part that is asked for all the time.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    keys: RwLock<HashMap<DeviceId, Arc<DeviceKey>>>,
    /// Keys change one at a time, or a remembered spelling might bring an old key back.
    changes: tokio::sync::Mutex<()>,
    /// When the store was last read.
    read: Mutex<Option<Timestamp>>,
    revoked: watch::Sender<HashSet<Fingerprint>>,
}

impl Hub {
    /// The key of the device at an address. No wait.
    pub fn device_key(&self, family: &FamilyName, address: &str) -> Option<Arc<DeviceKey>> {
        self.key_of(&self.device_by_address(family, address)?.names.id)
    }

    /// The key of a device. No wait.
    pub fn key_of(&self, device: &DeviceId) -> Option<Arc<DeviceKey>> {
        self.0.credentials.keys.read().unwrap_or_else(PoisonError::into_inner).get(device).cloned()
    }

    /// Sets a device's key, or makes one of 128 random bits as 32 hex digits.
    ///
    /// # Errors
    /// `key` is empty, too long or has a control character in it; or the store failed.
    pub async fn rotate_key(&self, device: &DeviceId, key: Option<&str>) -> Result<SecretString, HubError> {
        self.device(device).ok_or(HubError::NotFound("device"))?;
        let key = match key {
            Some(key) => checked_key(key)?,
            None => secrets::random_key()?,
        };
        let text = key.expose_secret().to_owned();
        let made = DeviceKey { device: device.clone(), key: text, held: None, since: self.now() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.credentials.changes.lock().await;
            hub.keep_key(made).await
        })
        .await?;
        Ok(key)
    }

    /// The key of a device; made now if it has none. Of several that ask at once, all get the same.
    pub async fn key_or_new(&self, device: &DeviceId) -> Result<Arc<DeviceKey>, HubError> {
        if let Some(key) = self.key_of(device) {
            return Ok(key);
        }
        let key = secrets::random_key()?.expose_secret().to_owned();
        let made = DeviceKey { device: device.clone(), key, held: None, since: self.now() };
        let hub = self.clone();
        self.whole(async move {
            let _turn = hub.0.credentials.changes.lock().await;
            if let Some(key) = hub.key_of(&made.device) {
                return Ok(key);
            }
            // Another server on the same store may have been faster.
            let key = if hub.keep_new(&made).await? {
                made
            } else {
                hub.kept(made.device.as_str()).await?.ok_or(HubError::Busy)?
            };
            hub.0.credentials.put(key.clone());
            Ok(Arc::new(key))
        })
        .await
    }

    /// Remembers the spelling of a key under which an HMAC held, unless the device has another key by now.
    pub async fn key_held(&self, key: &DeviceKey, spelling: KeySpelling) -> Result<(), HubError> {
        let (hub, key) = (self.clone(), key.clone());
        self.whole(async move {
            let _turn = hub.0.credentials.changes.lock().await;
            match hub.key_of(&key.device) {
                Some(now) if *now == key => hub.keep_key(DeviceKey { held: Some(spelling), ..key }).await,
                Some(_) | None => Ok(()),
            }
        })
        .await
    }

    async fn keep_key(&self, key: DeviceKey) -> Result<(), HubError> {
        self.keep(&key).await?;
        self.0.credentials.put(key);
        Ok(())
    }

    /// What was issued to a device and not revoked.
    pub async fn material(&self, device: &DeviceId) -> Result<Option<Material>, HubError> {
        self.kept(device.as_str()).await
    }

    /// Keeps what was issued, durable when it returns; the `first` of a device only if nobody was faster. Says
    /// whether it was kept.
    pub async fn keep_material(&self, material: &Material, first: bool) -> Result<bool, HubError> {
        if first { self.keep_new(material).await } else { self.keep(material).await.map(|()| true) }
    }

    /// Revokes the certificates of a device: those issued to it, and sound ones in its name that it showed. Gives
    /// all that count no longer from now on. What is asked for next is made anew.
    pub async fn revoke(&self, device: &DeviceId, by: &str) -> Result<Vec<Fingerprint>, HubError> {
        let address = self.device(device).ok_or(HubError::NotFound("device"))?.names.address;
        let (hub, device, by) = (self.clone(), device.clone(), by.to_owned());
        self.whole(async move {
            let mut ended = hub.material(&device).await?.map(|one| one.fingerprints()).unwrap_or_default();
            // Whoever sends a device's messages may show another's certificate: that one is not to suffer.
            let note = hub.certificate(&device).await?.filter(|note| note.verified);
            let own = note.filter(|note| note.subject.eq_ignore_ascii_case(&format!("CN={address}")));
            ended.extend(own.and_then(|note| Fingerprint::parse(&note.fingerprint)));
            ended.sort_unstable();
            ended.dedup();
            ended.retain(|fingerprint| !hub.is_revoked(fingerprint));
            for fingerprint in &ended {
                let (address, by) = (address.clone(), by.clone());
                hub.keep(&Revocation { fingerprint: *fingerprint, address, at: hub.now(), by }).await?;
                hub.0.credentials.revoked.send_modify(|revoked| {
                    revoked.insert(*fingerprint);
                });
            }
            hub.forget_kept::<Material>(device.as_str()).await?;
            Ok(ended)
        })
        .await
    }

    /// Whether a certificate was revoked. No wait.
    pub fn is_revoked(&self, fingerprint: &Fingerprint) -> bool {
        self.0.credentials.revoked.borrow().contains(fingerprint)
    }

    /// Every certificate that was revoked, now and from now on.
    pub fn revocations(&self) -> watch::Receiver<HashSet<Fingerprint>> {
        self.0.credentials.revoked.subscribe()
    }

    /// Reads keys and revocations: all of them the first time; later, once a minute, those of other servers on the
    /// same store.
    pub(super) async fn load_credentials(&self) -> Result<(), HubError> {
        let now = self.now();
        let credentials = &self.0.credentials;
        let Some(since) = credentials.due(now) else { return Ok(()) };
        for key in self.kept_since::<DeviceKey>(since).await? {
            credentials.put(key);
        }
        let found = self.kept_since::<Revocation>(since).await?;
        credentials.revoked.send_if_modified(|revoked| {
            let count = revoked.len();
            revoked.extend(found.iter().map(|revocation| revocation.fingerprint));
            revoked.len() > count
        });
        Ok(())
    }

    /// Items that were kept since a time.
    pub(super) async fn kept_since<T: Kept>(&self, since: Timestamp) -> Result<Vec<T>, HubError> {
        let mut found = Vec::new();
        let mut before = None;
        loop {
            let page = self.kept_all::<T>(None, before, PAGE).await?;
            let whole = u32::try_from(page.len()).is_ok_and(|count| count >= PAGE);
            before = page.last().map(|(at, item)| (*at, item.key()));
            let newer = |(at, item)| (at >= since).then_some(item);
            found.extend(page.into_iter().filter_map(newer));
            if !whole || before.as_ref().is_none_or(|(at, _)| *at < since) {
                return Ok(found);
            }
        }
    }
}

impl Material {
    /// Every certificate that the device was given, the newest first, as many as are remembered.
    pub fn fingerprints(&self) -> Vec<Fingerprint> {
        std::iter::once(&self.fingerprint).chain(&self.earlier).take(FINGERPRINTS_MAX).copied().collect()
    }
}

impl Credentials {
    /// From when on the store is to be read again; `None` when that can wait.
    fn due(&self, now: Timestamp) -> Option<Timestamp> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *read {
            None => Timestamp::from_micros(i64::MIN),
            // Clocks of several servers differ a little.
            Some(before) if now >= before.plus(READ_EVERY) => before.minus(READ_EVERY * 10),
            Some(_) => return None,
        };
        *read = Some(now);
        Some(since)
    }

    /// Takes a key over unless a newer one is known.
    fn put(&self, key: DeviceKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.get(&key.device).is_none_or(|known| known.since <= key.since) {
            keys.insert(key.device.clone(), Arc::new(key));
        }
    }

    /// Drops the key of a device that was forgotten.
    pub(super) fn forget(&self, device: &DeviceId) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

impl Kept for DeviceKey {
    const KIND: &'static str = "device_key";

    fn key(&self) -> String {
        self.device.as_str().to_owned()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Kept for Material {
    const KIND: &'static str = "material";

    fn key(&self) -> String {
        self.device.as_str().to_owned()
    }

    fn device(&self) -> Option<DeviceId> {
        Some(self.device.clone())
    }
}

impl Kept for Revocation {
    const KIND: &'static str = "revoked";

    fn key(&self) -> String {
        self.fingerprint.to_string()
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey")
            .field("device", &self.device)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// A key a person typed: whatever the vendor gave out, in printable characters.
fn checked_key(key: &str) -> Result<SecretString, HubError> {
    let key = key.trim();
    if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
        return Err(HubError::invalid("key", format!("a key has 1 to {KEY_CHARS_MAX} characters")));
    }
    if key.chars().any(char::is_control) {
        return Err(HubError::invalid("key", "the key has a control character in it"));
    }
    Ok(SecretString::from(key))
}

const KEY_CHARS_MAX: usize = 256;
/// A device that asks with a new key each time is not to fill its record.
const FINGERPRINTS_MAX: usize = 64;
/// Records read at a time.
const PAGE: u32 = 500;
/// How long a key or a revocation made by another server may be unknown here.
const READ_EVERY: Duration = Duration::from_mins(1);

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
