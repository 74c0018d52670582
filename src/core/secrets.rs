//! Secrets: random ones, and the hashes that are stored in their place.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::{OnceCell, Semaphore};

use super::HubError;
use crate::store::StoreError;

/// What an API token starts with, so that it is told from a session's secret and found by secret scanners.
pub(super) const TOKEN_PREFIX: &str = "hp_";
/// What a device's token starts with.
pub(super) const DEVICE_TOKEN_PREFIX: &str = "dt_";
/// How long half of a refresh token is.
pub(super) const HALF_CHARS: usize = 32;
/// How long a device's token is.
pub(super) const DEVICE_TOKEN_CHARS: usize = 35;

/// 256 random bits as 64 hex digits.
pub(super) fn random_secret() -> Result<SecretString, HubError> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    Ok(SecretString::from(hex(&bytes)))
}

/// Half of a refresh token: 32 of 62 letters and digits, about 190 bits.
pub(super) fn random_half() -> Result<SecretString, HubError> {
    Ok(SecretString::from(random_letters(BASE62, HALF_CHARS)?))
}

/// A key that a device shares with us: 128 random bits as 32 hex digits, as in the protocol's example.
pub fn random_key() -> Result<SecretString, HubError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
    Ok(SecretString::from(hex(&bytes)))
}

/// A password a person can type off a screen: four groups of five letters and digits, about 99 bits.
pub(super) fn random_password() -> Result<SecretString, HubError> {
    let letters: Vec<char> = random_letters(LETTERS, PASSWORD_LETTERS)?.chars().collect();
    let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
    Ok(SecretString::from(groups.join("-")))
}

/// A device's token: its prefix and 32 of 62 letters and digits, about 190 bits (`accounts-dashboard.md §3`).
pub(super) fn random_device_token() -> Result<SecretString, HubError> {
    let letters = random_letters(BASE62, DEVICE_TOKEN_CHARS - DEVICE_TOKEN_PREFIX.len())?;
    Ok(SecretString::from(format!("{DEVICE_TOKEN_PREFIX}{letters}")))
}

fn random_letters(of: &[u8], count: usize) -> Result<String, HubError> {
    let mut text = String::with_capacity(count);
    while text.len() < count {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes).map_err(|error| failed(&error))?;
        // Bytes over the last whole multiple are dropped, so that every letter is as likely as any other.
        let letters = bytes.iter().filter_map(|byte| {
            let fits = usize::from(*byte) < 256 / of.len() * of.len();
            of.get(usize::from(*byte) % of.len()).filter(|_| fits)
        });
        text.extend(letters.take(count - text.len()).map(|letter| char::from(*letter)));
    }
    Ok(text)
}

/// SHA-256 of a secret: enough for 256 random bits, which nobody can guess.
pub(super) fn secret_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The same in hexadecimal digits, as it is kept in records.
pub fn secret_digest(secret: &str) -> String {
    hex(&secret_hash(secret))
}

/// Hashes passwords, a few at a time and off the runtime's own threads.
#[derive(Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// The hash of a password nobody has, for names nobody has: a try takes the same time for both. Made by the first
    /// try, whoever's it is, since it takes 19 MiB on the way.
    nobody: Arc<OnceCell<Arc<str>>>,
}

impl Passwords {
    /// `turns` says how many may be hashed at a time.
    pub(super) fn new(turns: Arc<Semaphore>) -> Self {
        Self { turns, nobody: Arc::default() }
    }

    /// The PHC text of a password.
    pub(super) async fn hash(&self, password: SecretString) -> Result<String, HubError> {
        self.turn(move || {
            let hash: PasswordHash = argon2()?
                .hash_password(password.expose_secret().as_bytes())
                .map_err(|error| failed(&error))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether a password fits a stored hash. `None` takes as long and never fits.
    pub(super) async fn fits(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<bool, HubError> {
        let make = || async { self.hash(random_secret()?).await.map(Arc::from) };
        let nobody: Arc<str> = Arc::clone(self.nobody.get_or_try_init(make).await?);
        self.turn(move || {
            let text = stored.as_deref().unwrap_or(&nobody);
            let hash = PasswordHash::new(text).map_err(|error| failed(&error))?;
            let fits = argon2()?.verify_password(password.expose_secret().as_bytes(), &hash).is_ok();
            Ok(fits && stored.is_some())
        })
        .await
    }

    async fn turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HubError> + Send + 'static,
    ) -> Result<T, HubError> {
        let permit = Arc::clone(&self.turns).acquire_owned().await.map_err(|error| failed(&error))?;
        // The permit moves along: a caller that hangs up does not free the turn while the work still runs.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        done.await.map_err(|error| failed(&error))?
    }
}

fn argon2() -> Result<Argon2<'static>, HubError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| failed(&error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Two lower-case digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// Reads what [`hex`] wrote of 32 bytes.
pub(super) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn failed(error: &dyn std::fmt::Display) -> HubError {
    HubError::Store(StoreError::Failed(format!("a secret could not be made or checked: {error}")))
}

/// 19 MiB, two passes, one lane: what OWASP gives as the least for Argon2id.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

const PASSWORD_LETTERS: usize = 20;
/// Without letters and digits that look alike.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
