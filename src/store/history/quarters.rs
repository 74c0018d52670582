//! In which quarters of an hour a device's values arrived, out of its pages.

use std::collections::BTreeSet;

use super::page::Page;
use super::tally::start_of;
use crate::model::Timestamp;

/// The quarters that were seen so far.
#[derive(Debug, Default)]
pub(crate) struct Quarters(BTreeSet<i64>);

impl Quarters {
    /// Takes in a page; of it the ledger entries beyond one. `None` when the page is not as it was written.
    pub(crate) fn take(&mut self, body: &[u8], beyond: i64) -> Option<()> {
        let page = Page::decode(body, |_| false)?;
        let seen = page.messages.iter().filter(|head| head.seq > beyond);
        self.0.extend(seen.map(|head| start_of(head.at_us, QUARTER_US)));
        Some(())
    }

    /// When each begins.
    pub(crate) fn list(self) -> Vec<Timestamp> {
        self.0.into_iter().map(Timestamp::from_micros).collect()
    }
}

const QUARTER_US: i64 = 15 * 60 * 1_000_000;
