//! Schema versions: numbered SQL texts, and which of them a database still needs. Knows no engine.

use super::{StoreError, ledger};

/// One step of a schema. Never changed once released: its checksum is kept in every database.
pub(crate) struct Migration {
    /// 1, 2, 3 …
    pub(crate) version: u32,
    /// The file's name.
    pub(crate) name: &'static str,
    /// The file's text.
    pub(crate) sql: &'static str,
}

/// A step that a database has had: its version and the checksum of its text.
pub(crate) type Applied = (u32, Vec<u8>);

impl Migration {
    /// What is kept of the text.
    pub(crate) fn checksum(&self) -> [u8; 32] {
        ledger::digest(self.sql.as_bytes())
    }
}

/// The newest version of a list.
pub(crate) fn newest(known: &[Migration]) -> u32 {
    known.last().map_or(0, |migration| migration.version)
}

/// The steps that are missing, in order.
///
/// # Errors
/// `TooNew` when the database has had more steps than are known, `Failed` when a step's text has changed.
pub(crate) fn missing<'a>(
    known: &'a [Migration],
    applied: &[Applied],
) -> Result<Vec<&'a Migration>, StoreError> {
    let found = applied.iter().map(|(version, _)| *version).max().unwrap_or(0);
    if found > newest(known) {
        return Err(StoreError::TooNew { found, known: newest(known) });
    }
    let mut missing = Vec::new();
    for migration in known {
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => missing.push(migration),
            Some((_, checksum)) if *checksum == migration.checksum() => {}
            Some(_) => {
                return Err(StoreError::Failed(format!(
                    "its schema step {} is not the one of this homeport: start the homeport that made it, or \
                     restore a backup",
                    migration.name
                )));
            }
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [Migration; 2] = [
        Migration { version: 1, name: "0001_a.sql", sql: "a" },
        Migration { version: 2, name: "0002_b.sql", sql: "b" },
    ];

    fn versions(applied: &[Applied]) -> Result<Vec<u32>, StoreError> {
        missing(&KNOWN, applied).map(|steps| steps.iter().map(|step| step.version).collect())
    }

    #[test]
    fn only_missing_steps_are_taken() {
        let had = |step: &Migration| (step.version, step.checksum().to_vec());
        assert_eq!(versions(&[]), Ok(vec![1, 2]));
        assert_eq!(versions(&[had(&KNOWN[0])]), Ok(vec![2]));
        assert_eq!(versions(&[had(&KNOWN[0]), had(&KNOWN[1])]), Ok(vec![]));
    }

    #[test]
    fn a_newer_schema_and_a_changed_step_are_refused() {
        assert_eq!(versions(&[(3, vec![])]), Err(StoreError::TooNew { found: 3, known: 2 }));
        assert!(matches!(versions(&[(1, vec![0])]), Err(StoreError::Failed(_))));
    }
}
