//! Small pages become large ones: a page is small when its messages were filed, and history is read from large ones.
//!
//! A device's pages lie in the order of the ledger, each with a level. Once [`FANOUT`] pages of the lowest level are at
//! the end they become one of the next level, and so on, until pages are full. So a device has at most a few dozen
//! pages that are not full, and a value is written about three times.

use super::page::{MESSAGES_MAX, Page, VALUES_MAX};
use super::sums::Sums;
use super::tally::Summary;

/// What an engine keeps of a page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packed {
    /// The first ledger entry.
    pub(crate) first: i64,
    /// The last one. No two pages share one, for a message is of one device.
    pub(crate) last: i64,
    /// The first arrival, in microseconds.
    pub(crate) from_us: i64,
    /// The last one.
    pub(crate) to_us: i64,
    /// How often its values were merged; [`FULL`] once they need not be any more.
    pub(crate) level: u8,
    /// The page.
    pub(crate) body: Vec<u8>,
    /// Sums by the minute, where they are much shorter than the page.
    pub(crate) minutes: Option<Vec<u8>>,
    /// Sums by the hour, likewise.
    pub(crate) hours: Option<Vec<u8>>,
}

impl Packed {
    /// A page as its messages are filed; `None` of an empty one.
    pub(crate) fn small(page: &Page) -> Option<Self> {
        let ((first, last), (from_us, to_us)) = (page.stretch()?, page.times()?);
        let body = page.encode();
        Some(Self { first, last, from_us, to_us, level: 0, body, minutes: None, hours: None })
    }

    /// A page that was merged.
    pub(crate) fn large(page: &Page, level: u8) -> Option<Self> {
        let small = Self::small(page)?;
        let sums = |summary: Summary| {
            let length_us = summary.length_us();
            let sums = Sums::of(page, length_us, i64::MIN).encode(length_us);
            (sums.len() < small.body.len() / 2).then_some(sums)
        };
        let level = if small.body.len() >= FULL_BYTES { FULL } else { level };
        Some(Self { level, minutes: sums(Summary::Minutes), hours: sums(Summary::Hours), ..small })
    }

    /// The room it takes.
    pub(crate) fn bytes(&self) -> usize {
        let sums = [&self.minutes, &self.hours].into_iter().flatten().map(Vec::len).sum::<usize>();
        self.body.len() + sums
    }
}

/// Which of the pages at a device's end are to be merged now, given their levels in order: from a place on, into pages
/// of a level.
pub(crate) fn due(levels: &[u8]) -> Option<(usize, u8)> {
    let (mut from, mut level) = (levels.len(), 0);
    loop {
        let before = levels.get(..from).unwrap_or_default();
        let more = before.iter().rev().take_while(|here| **here <= level).count();
        // What was merged so far is one of this level.
        if more + usize::from(from < levels.len()) < FANOUT {
            return (from < levels.len()).then_some((from, level));
        }
        from -= more;
        level += 1;
    }
}

/// Packs messages, which come as pages in the order of the ledger, into as few pages as may be.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    level: u8,
    page: Page,
    bytes: usize,
    full: Vec<Packed>,
}

impl Packer {
    /// One that makes pages of a level.
    pub(crate) fn new(level: u8) -> Self {
        Self { level, ..Self::default() }
    }

    /// Takes a page, which took so many bytes.
    pub(crate) fn take(&mut self, page: Page, bytes: usize) {
        let fits = self.bytes + bytes <= PAGE_BYTES
            && self.page.messages.len() + page.messages.len() <= MESSAGES_MAX
            && self.page.values() + page.values() <= VALUES_MAX;
        if !fits {
            self.close();
        }
        self.bytes += bytes;
        self.page.append(page);
    }

    /// The pages that take no more.
    pub(crate) fn full(&mut self) -> Vec<Packed> {
        std::mem::take(&mut self.full)
    }

    /// The pages.
    pub(crate) fn finish(mut self) -> Vec<Packed> {
        self.close();
        self.full
    }

    fn close(&mut self) {
        self.bytes = 0;
        let page = std::mem::take(&mut self.page);
        self.full.extend(Packed::large(&page, self.level));
    }
}

/// The level of a page that is not merged any more.
pub(crate) const FULL: u8 = u8::MAX;
/// Pages of one level that become one.
pub(crate) const FANOUT: usize = 32;
/// What the pages that become one take together, at most.
pub(crate) const PAGE_BYTES: usize = 64 << 10;
/// From here on a page is full.
const FULL_BYTES: usize = PAGE_BYTES / 2;
