//! The handle everybody else holds: writes go to the one writer, reads go straight to the engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::writer::{self, Queue, Written};
use super::{Engine, Reader, StoreError, Write};

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// Which database, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file of SQLite's, made when missing.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its URL.
    Postgres(String),
}

/// How much the writer may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriterSettings {
    /// Writes that may wait; one more is answered [`StoreError::Busy`] at once.
    pub queue_max: usize,
    /// Writes that share one transaction at most.
    pub batch_max: usize,
    /// How long a transaction that overlaps with others waits for company; a write that comes alone never waits.
    pub batch_wait: Duration,
}

struct Shared {
    queue: Arc<Queue>,
    reader: Arc<dyn Reader>,
    /// Turns true when the writer has ended and the engine is closed.
    ended: watch::Receiver<bool>,
}

impl Store {
    /// Starts the writer over an engine. Needs a tokio runtime around it.
    ///
    /// # Errors
    /// `Failed` when the machine gives no thread to the writer.
    pub fn start<E: Engine>(engine: E, settings: WriterSettings) -> Result<Self, StoreError> {
        let reader = engine.reader();
        let (queue, waiting) = Queue::new(settings.queue_max.max(1));
        engine.connect(&queue);
        let ended = writer::spawn(engine, waiting, settings)?;
        Ok(Self { shared: Arc::new(Shared { queue, reader, ended }) })
    }

    /// Opens a database, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// `InUse` when another homeport has the data folder, `TooNew`, `ReadOnly`, `Full` or `Failed`.
    pub async fn open(target: &Target, settings: WriterSettings) -> Result<Self, StoreError> {
        super::open(target, settings).await
    }

    /// Sends one write; the future answers when it is on disk, or was not stored.
    ///
    /// Dropping the future does not take the write back: it is whole or not at all.
    pub fn write(&self, write: Write) -> Written {
        self.shared.queue.write(write)
    }

    /// Writes that wait now.
    pub fn waiting(&self) -> usize {
        self.shared.queue.waiting()
    }

    /// What may be read.
    pub fn read(&self) -> &dyn Reader {
        self.shared.reader.as_ref()
    }

    /// Takes no further write, waits until all that wait are answered, and closes the engine.
    pub async fn close(&self) {
        self.shared.queue.close();
        let mut ended = self.shared.ended.clone();
        // An error means that the writer's end is gone, which is what is waited for.
        drop(ended.wait_for(|ended| *ended).await.map(|_| ()));
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Target {
    /// Reads `sqlite` (the file `homeport.db` in the data folder), `sqlite:PATH` or `postgres://…`.
    ///
    /// # Errors
    /// A sentence that lists what is understood.
    pub fn parse(text: &str, data_dir: &Path) -> Result<Self, String> {
        let text = text.trim();
        if text == "sqlite" {
            return Ok(Self::Sqlite(data_dir.join("homeport.db")));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(data_dir.join(path))),
            _ => Err("the store is one of: sqlite, sqlite:PATH, postgres://USER@HOST/DATABASE".to_owned()),
        }
    }
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { queue_max: 4096, batch_max: 1024, batch_wait: Duration::from_millis(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let dir = Path::new("/data");
        assert_eq!(Target::parse("sqlite", dir), Ok(Target::Sqlite("/data/homeport.db".into())));
        assert_eq!(Target::parse("sqlite:x.db", dir), Ok(Target::Sqlite("/data/x.db".into())));
        assert_eq!(Target::parse("sqlite:/x.db", dir), Ok(Target::Sqlite("/x.db".into())));
        assert_eq!(Target::parse("postgres://h/d", dir), Ok(Target::Postgres("postgres://h/d".to_owned())));
        assert!(Target::parse("mysql://h/d", dir).is_err_and(|text| text.contains("sqlite:PATH")));
        assert!(Target::parse("sqlite:", dir).is_err());
    }
}
