//! The audit log: who did what. A row that cannot be stored is kept here and tried again, and until it is stored nothing
//! more is changed by anybody: so at most the requests that were under way are missing from a log whose disk was full, and
//! the program's own log has those.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::{Hub, HubError};
use crate::model::AuditEntry;
use crate::store::{AuditFilter, Write};

/// Rows that are still to be stored, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<VecDeque<AuditEntry>>);

impl Unwritten {
    fn take(&self) -> Option<AuditEntry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    fn give_back(&self, entry: AuditEntry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_front(entry);
    }

    fn add(&self, entry: AuditEntry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(entry);
    }
}

impl Hub {
    /// Writes a row of the audit log.
    ///
    /// # Errors
    /// What keeps the store from it. The row is in the program's log then, and is tried again.
    pub async fn audited(&self, entry: AuditEntry) -> Result<(), HubError> {
        let write = self.write(Write::Audit(Box::new(entry.clone())));
        if let Err(error) = write.await {
            tracing::error!(?entry, %error, "a row of the audit log cannot be stored");
            self.0.unwritten.add(entry);
            return Err(error.into());
        }
        Ok(())
    }

    /// Leaves a row to be written with the next one, where nobody can wait for it.
    pub fn audit_later(&self, entry: AuditEntry) {
        self.0.unwritten.add(entry);
    }

    /// Writes what is still to be written; before anything is changed for somebody.
    ///
    /// # Errors
    /// What keeps the store from it: then nothing shall be changed.
    pub async fn audit_is_whole(&self) -> Result<(), HubError> {
        while let Some(entry) = self.0.unwritten.take() {
            if let Err(error) = self.write(Write::Audit(Box::new(entry.clone()))).await {
                self.0.unwritten.give_back(entry);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// A page of the audit log with the rows' numbers, the newest first.
    pub async fn audit_log(&self, filter: AuditFilter) -> Result<Vec<(i64, AuditEntry)>, HubError> {
        Ok(self.reader().audit_log(filter).await?)
    }
}
