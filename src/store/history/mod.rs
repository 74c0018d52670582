//! What devices measured: how it is packed, and how it is gathered into buckets of time. Pure: knows no database, and
//! both engines keep what it makes.

mod ints;
pub(super) mod listing;
pub(super) mod merge;
pub(super) mod newest;
pub(super) mod page;
pub(super) mod quarters;
pub(super) mod sums;
pub(super) mod tally;
pub(super) mod wire;

use super::StoreError;

/// What a page that is not as it was written is told as.
pub(super) fn damaged(device: &str, last: i64) -> StoreError {
    StoreError::Failed(format!("what {device} measured up to message {last} is damaged: restore a backup"))
}
