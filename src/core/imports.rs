//! What was measured before this server was there, brought over from another one.

use std::sync::Arc;

use bytes::Bytes;

use super::hub::astray;
use super::{FeedEvent, Heard, Hub, HubError};
use crate::model::{Device, DeviceId, Reading, Seq, Timestamp, Verdict};
use crate::store::{Outcome, ReportWrite, Write};

/// One message that another server took.
#[derive(Clone, Debug)]
pub struct Brought {
    /// Whose it is; it is not heard by it.
    pub device: Device,
    /// When that server took it: the time that its values are found by.
    pub at: Timestamp,
    /// What stands for it in what that server wrote, byte for byte.
    pub raw: Bytes,
    /// Where that was found, in place of a peer: the ledger tells by it what was brought over.
    pub from: String,
    /// What it says.
    pub readings: Vec<Reading>,
}

impl Hub {
    /// Takes in what another server took. The ledger's entry is of now, and its verdict `none`: nobody said anything.
    /// Durable when it returns.
    pub async fn bring(&self, brought: Brought) -> Result<Seq, HubError> {
        let Brought { device, at, raw, from, readings } = brought;
        let device = Arc::new(device);
        let report = Arc::new(ReportWrite {
            device: Some(Arc::clone(&device)),
            devices: vec![device],
            at: self.now(),
            past: Some(at),
            verdict: Verdict::None,
            hmac: None,
            fingerprint: None,
            peer: from,
            raw,
            readings,
            reply: None,
            via: None,
        });
        let hub = self.clone();
        self.whole(async move {
            let outcome = hub.write(Write::Report(Arc::clone(&report))).await?;
            let Outcome::Reported(reported) = outcome else { return Err(astray(&outcome)) };
            hub.0.teller.tell(FeedEvent::Message(Heard::of(&report, &reported)));
            Ok(reported.seq)
        })
        .await
    }

    /// Puts what was stored where readers look for it. Readers ask for that themselves, but read on without it while the
    /// store has too much to do: this tells instead.
    pub async fn filed(&self) -> Result<(), HubError> {
        self.write(Write::File).await?;
        Ok(())
    }

    /// In which quarters of an hour values of a device arrived: when each begins, the first first.
    pub async fn quarters(&self, device: &DeviceId) -> Result<Vec<Timestamp>, HubError> {
        Ok(self.reader().quarters(device.clone()).await?)
    }

    /// The last entry of the ledger that is older than a time; 0 when there is none.
    pub async fn last_before(&self, at: Timestamp) -> Result<Seq, HubError> {
        let Seq(first) = self.reader().first_since(at).await?;
        Ok(Seq(first - 1))
    }

    /// The last entry of the ledger; 0 when there is none.
    pub async fn last_entry(&self) -> Result<Seq, HubError> {
        self.last_before(Timestamp::from_micros(i64::MAX)).await
    }
}
