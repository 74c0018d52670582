//! The data dictionaries of this server: the owner's folder and what each dialect brings.

use std::sync::Arc;

use super::ServerError;
use crate::config::Config;
use crate::dictionary::{Dictionaries, Shelf};
use crate::family::Family;

/// The shelf that pages read, and what is always on it.
pub(super) struct Bookcase {
    pub(super) shelf: Shelf,
    built_in: Vec<String>,
}

impl Bookcase {
    /// Reads the dictionaries for the first time.
    pub(super) fn open(config: &Config, families: &[Arc<dyn Family>]) -> Self {
        let bookcase = Self { shelf: Shelf::default(), built_in: built_in(families) };
        bookcase.reload(config);
        bookcase
    }

    /// Reads them again. What is wrong with one is logged and keeps no other from being used.
    pub(super) fn reload(&self, config: &Config) {
        let read = Dictionaries::read(Some(&config.dictionaries()), &self.built_in);
        for problem in &read.problems {
            tracing::error!("a data dictionary is not used: {problem}");
        }
        self.shelf.exchange(read);
    }
}

/// What a server with these settings would use, read afresh.
///
/// # Errors
/// A section of the settings says something its family does not understand.
pub fn dictionaries(config: &Config) -> Result<Dictionaries, ServerError> {
    let families = super::families(config)?;
    Ok(Dictionaries::read(Some(&config.dictionaries()), &built_in(&families)))
}

fn built_in(families: &[Arc<dyn Family>]) -> Vec<String> {
    let texts = |family: &Arc<dyn Family>| {
        family.dictionary().map(str::to_owned).into_iter().chain(family.dictionaries())
    };
    families.iter().flat_map(texts).collect()
}
