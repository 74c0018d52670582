//! Turns: what is done for one device waits for what is being done for it. Many devices share a few of them.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use tokio::sync::{Mutex, MutexGuard};

/// So many devices can have their turn at once.
#[derive(Debug)]
pub(super) struct Turns([Mutex<()>; TURNS]);

impl Default for Turns {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Turns {
    /// The turn of a device by its address, whatever its letter case.
    pub(super) async fn of(&self, address: &str) -> MutexGuard<'_, ()> {
        let [first, rest @ ..] = &self.0;
        let mut hasher = DefaultHasher::new();
        address.to_ascii_lowercase().hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % TURNS as u64).ok().and_then(|at| rest.get(at));
        turn.unwrap_or(first).lock().await
    }
}

/// More than certificates are made at once.
const TURNS: usize = 16;
