//! What the metrics tell of the writer.

use std::time::Duration;

use metrics::{Gauge, Histogram};

/// The writer's handles.
pub(super) struct Gauges {
    commit: Histogram,
    batch: Histogram,
    waiting: Gauge,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self {
            commit: metrics::histogram!("homeport_store_commit_seconds"),
            batch: metrics::histogram!("homeport_store_batch_writes"),
            waiting: metrics::gauge!("homeport_store_writes_waiting"),
        }
    }

    /// A batch was committed, or refused, in this time; so many wait behind it.
    #[expect(clippy::cast_precision_loss, reason = "counts of a queue that is far shorter than 2^52")]
    pub(super) fn committed(&self, took: Duration, writes: usize, waiting: usize) {
        self.commit.record(took.as_secs_f64());
        self.batch.record(writes as f64);
        self.waiting.set(waiting as f64);
    }
}
