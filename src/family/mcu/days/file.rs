//! A day's file, made out of the store: the same bytes as the writer's.
//!
//! What came here stands in the order of the ledger, as the writer put it down. What was brought over was stored later
//! than it was taken; it is put between by its time, an hour of it at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use super::line;
use super::rows::{Row, Rows};
use super::zone::Zone;
use crate::core::{Hub, HubError};
use crate::family::mcu::Mcu;
use crate::family::mcu::profiles::{Profiles, Ready};
use crate::model::{DeviceId, Timestamp};

/// The lines of one board and one day, on their way out.
pub(super) struct DayLines {
    hub: Hub,
    profiles: Arc<Profiles>,
    ready: Arc<Ready>,
    zone: Zone,
    device: DeviceId,
    /// What came here.
    here: Rows,
    here_next: VecDeque<Row>,
    /// What was brought over: read up to this time.
    elsewhere_from: Timestamp,
    elsewhere_next: VecDeque<Row>,
    to: Timestamp,
}

impl DayLines {
    /// Of the messages from one time to another.
    pub(super) fn new(
        mcu: &Mcu,
        hub: &Hub,
        device: &crate::model::Device,
        zone: Zone,
        (from, to): (Timestamp, Timestamp),
    ) -> Self {
        let id = device.names.id.clone();
        Self {
            hub: hub.clone(),
            profiles: Arc::clone(&mcu.profiles),
            ready: mcu.profiles.of(&device.names.address),
            zone,
            here: Rows::of(&id, from, to),
            here_next: VecDeque::new(),
            elsewhere_from: from,
            elsewhere_next: VecDeque::new(),
            to,
            device: id,
        }
    }

    /// The next piece of the file; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, HubError> {
        let mut text = String::new();
        while text.len() < PIECE_BYTES {
            let Some(row) = self.row().await? else { break };
            let columns = row.columns(&self.profiles, &self.ready);
            if !columns.is_empty() {
                line::write(&mut text, self.zone.civil(row.at()).time(), &columns);
            }
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }

    /// The rest of the file behind its first piece.
    pub(super) fn behind(
        self,
        first: Bytes,
    ) -> impl futures_util::Stream<Item = Result<Bytes, HubError>> + Send {
        stream::unfold((Some(self), Some(first)), |(lines, first)| async move {
            let mut lines = lines?;
            if let Some(first) = first {
                return Some((Ok(first), (Some(lines), None)));
            }
            match lines.piece().await {
                Ok(None) => None,
                Ok(Some(piece)) => Some((Ok(piece), (Some(lines), None))),
                Err(error) => {
                    tracing::error!(%error, "a day's file broke off");
                    Some((Err(error), (None, None)))
                }
            }
        })
    }

    async fn row(&mut self) -> Result<Option<Row>, HubError> {
        while self.here_next.is_empty() {
            let Some(rows) = self.here.next(&self.hub).await? else { break };
            self.here_next.extend(rows.into_iter().filter(|row| row.elsewhere.is_none()));
        }
        while self.elsewhere_next.is_empty() && self.elsewhere_from < self.to {
            self.read_elsewhere().await?;
        }
        let elsewhere = match (self.here_next.front(), self.elsewhere_next.front()) {
            (Some(here), Some(elsewhere)) => elsewhere.received <= here.received,
            (None, _) => true,
            (Some(_), None) => false,
        };
        Ok(if elsewhere { self.elsewhere_next.pop_front() } else { self.here_next.pop_front() })
    }

    async fn read_elsewhere(&mut self) -> Result<(), HubError> {
        let upto = self.elsewhere_from.plus(SORTED_AT_ONCE).min(self.to);
        let mut rows = Rows::of(&self.device, self.elsewhere_from, upto);
        let mut found = Vec::new();
        while let Some(rows) = rows.next(&self.hub).await? {
            found.extend(rows.into_iter().filter(|row| row.elsewhere.is_some()));
        }
        found.sort_by_key(|row| (row.received, row.seq));
        self.elsewhere_next = found.into();
        self.elsewhere_from = upto;
        Ok(())
    }
}

/// A piece of a file on its way out.
const PIECE_BYTES: usize = 32 * 1024;
/// What was brought over of so much time is put in order at once.
const SORTED_AT_ONCE: Duration = Duration::from_hours(1);
