//! What devices measured: how it is packed, and how it is gathered into buckets of time. Pure: knows no database.

pub(super) mod tally;

use super::{After, Bucket, BucketFilter, DataFilter, Reader, StoreError};
use crate::model::Timestamp;
use tally::{Sum, Tally};

/// Buckets out of the values themselves.
pub(super) async fn gather(reader: &impl Reader, filter: BucketFilter) -> Result<Vec<Bucket>, StoreError> {
    let mut tally = Tally::new(&filter);
    let (from, to) = tally.span();
    let trusted = super::TRUSTED;
    let mut page = DataFilter {
        device: Some(filter.device.clone()),
        sensor: None,
        from: Some(Timestamp::from_micros(from).minus(trusted)),
        to: Some(Timestamp::from_micros(to).plus(trusted)),
        after: None,
        limit: 10_000,
    };
    loop {
        let values = reader.data(page.clone()).await?;
        for (_, datum) in &values {
            if (filter.sensors.is_empty() || filter.sensors.iter().any(|name| *name == *datum.sensor))
                && let Some(number) = tally::number(&datum.value)
            {
                let at = tally::plotted_at(
                    datum.time_received.micros(),
                    datum.time_created.map(Timestamp::micros),
                );
                tally.add(&datum.sensor, at, &Sum::of(number, at));
            }
        }
        page.after = After::last_of(&values, page.after.as_ref());
        if values.len() < 10_000 {
            return Ok(tally.buckets());
        }
    }
}
