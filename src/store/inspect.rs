//! A look at a store that changes nothing: for a doctor, while no server runs.

use super::{StoreError, Target, sqlite};

/// What a store is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where it is, without secrets.
    pub place: String,
    /// The schema it has; `None` when there is none yet.
    pub schema: Option<u32>,
    /// The newest schema this build knows.
    pub newest: u32,
}

/// Opens a store for reading, once.
///
/// # Errors
/// It is somebody else's, damaged, out of reach, or made by a newer homeport.
pub async fn inspect(target: &Target) -> Result<Inspection, StoreError> {
    let found = match target {
        Target::Sqlite(path) => {
            let path = path.clone();
            let found = tokio::task::spawn_blocking(move || sqlite::inspect(&path)).await;
            found.map_err(|error| StoreError::Failed(error.to_string()))??
        }
        #[cfg(feature = "postgres")]
        Target::Postgres(url) => super::postgres::inspect(url).await?,
        #[cfg(not(feature = "postgres"))]
        Target::Postgres(_) => {
            return Err(StoreError::Failed("this homeport was built without PostgreSQL".to_owned()));
        }
    };
    match found.schema {
        Some(schema) if schema > found.newest => {
            Err(StoreError::TooNew { found: schema, known: found.newest })
        }
        Some(_) | None => Ok(found),
    }
}
