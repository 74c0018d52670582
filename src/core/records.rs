//! Small documents that a part keeps for itself: typed here, text in the store.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Hub, HubError};
use crate::model::{DeviceId, Record, Timestamp};
use crate::store::{RecordFilter, RecordWrite, StoreError, Write};

/// What can be kept. For what is small and changes slowly, never for each message.
pub trait Kept: Serialize + DeserializeOwned + Send {
    /// Which part's, and what it is. Never changes once released; a form that old documents do not fit needs
    /// another kind.
    const KIND: &'static str;
    /// So many are kept of the kind, the newest; `None` keeps all.
    const KEEP_MAX: Option<u32> = None;

    /// Its name among those of its kind.
    fn key(&self) -> String;

    /// The device it is about; it goes when the device is forgotten.
    fn device(&self) -> Option<DeviceId> {
        None
    }
}

impl Hub {
    /// Keeps an item in place of the one with the same key. Durable when it returns.
    pub async fn keep<T: Kept>(&self, item: &T) -> Result<(), HubError> {
        self.write(Write::Record(Box::new(kept(item, self.now(), false)?))).await?;
        Ok(())
    }

    /// Keeps an item unless there is one with the same key; says whether it did. Of several that try at once,
    /// on one server or on many, one gets `true`.
    pub async fn keep_new<T: Kept>(&self, item: &T) -> Result<bool, HubError> {
        match self.write(Write::Record(Box::new(kept(item, self.now(), true)?))).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The item with a key.
    pub async fn kept<T: Kept>(&self, key: &str) -> Result<Option<T>, HubError> {
        Ok(self.kept_exact(key).await?.map(|(item, _)| item))
    }

    /// A page of items with the time each was kept, newest first: of one device or of all, older than
    /// `before` (the time and key of the last one seen).
    pub async fn kept_all<T: Kept>(
        &self,
        of: Option<&DeviceId>,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, T)>, HubError> {
        let filter = RecordFilter { kind: T::KIND.to_owned(), key: None, device: of.cloned(), before, limit };
        let found = self.reader().records(filter).await?;
        found.iter().map(|record| Ok((record.at, read(record)?))).collect()
    }

    /// Hands over every item of a kind, newest first, as many at a time as a page has.
    pub async fn kept_each<T: Kept>(&self, mut take: impl FnMut(T) + Send) -> Result<(), HubError> {
        let mut before = None;
        loop {
            let page = self.kept_all::<T>(None, before, PAGE).await?;
            let full = u32::try_from(page.len()).is_ok_and(|count| count >= PAGE);
            before = page.last().filter(|_| full).map(|(at, item)| (*at, item.key()));
            for (_, item) in page {
                take(item);
            }
            if before.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes the item with a key, if there is one.
    pub async fn forget_kept<T: Kept>(&self, key: &str) -> Result<(), HubError> {
        self.write(Write::Record(Box::new(gone::<T>(key, self.now())))).await?;
        Ok(())
    }

    /// The item with a key, and its exact text, by which [`Batch::replace`] knows whether it is still the same.
    pub async fn kept_exact<T: Kept>(&self, key: &str) -> Result<Option<(T, Exact)>, HubError> {
        let filter = RecordFilter {
            kind: T::KIND.to_owned(),
            key: Some(key.to_owned()),
            limit: 1,
            ..RecordFilter::default()
        };
        let found = self.reader().records(filter).await?;
        found.into_iter().next().map(|record| Ok((read(&record)?, Exact(record.body)))).transpose()
    }

    /// Carries out several changes, all or none; says whether it did. It does not when an item that was to be new or
    /// unchanged is not.
    pub async fn keep_together(&self, batch: Batch) -> Result<bool, HubError> {
        if batch.writes.is_empty() {
            return Ok(true);
        }
        match self.write(Write::Records(batch.writes)).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The exact text of an item as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact(String);

/// Changes that are carried out together, in their order.
#[derive(Debug)]
pub struct Batch {
    at: Timestamp,
    writes: Vec<RecordWrite>,
}

impl Batch {
    /// No change yet; those that follow are of this time.
    pub const fn new(at: Timestamp) -> Self {
        Self { at, writes: Vec::new() }
    }

    /// Whether it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Keeps an item in place of the one with the same key.
    pub fn keep<T: Kept>(&mut self, item: &T) -> Result<(), HubError> {
        self.writes.push(kept(item, self.at, false)?);
        Ok(())
    }

    /// Keeps an item that must be the first with its key.
    pub fn keep_new<T: Kept>(&mut self, item: &T) -> Result<(), HubError> {
        self.writes.push(kept(item, self.at, true)?);
        Ok(())
    }

    /// Keeps an item in place of one that must be there unchanged; gives the new one's text.
    pub fn replace<T: Kept>(&mut self, was: &Exact, item: &T) -> Result<Exact, HubError> {
        let write = RecordWrite { was: Some(was.0.clone()), ..kept(item, self.at, false)? };
        let text = Exact(write.body.clone().unwrap_or_default());
        self.writes.push(write);
        Ok(text)
    }

    /// Removes an item that must be there unchanged.
    pub fn take<T: Kept>(&mut self, was: &Exact, key: &str) {
        self.writes.push(RecordWrite { was: Some(was.0.clone()), ..gone::<T>(key, self.at) });
    }

    /// Removes an item, if there is one.
    pub fn forget<T: Kept>(&mut self, key: &str) {
        self.writes.push(gone::<T>(key, self.at));
    }
}

/// Items read at a time when all are looked through.
const PAGE: u32 = 500;

fn gone<T: Kept>(key: &str, at: Timestamp) -> RecordWrite {
    RecordWrite {
        kind: T::KIND,
        key: key.to_owned(),
        device: None,
        at,
        body: None,
        keep_max: None,
        only_new: false,
        was: None,
    }
}

fn kept<T: Kept>(item: &T, at: Timestamp, only_new: bool) -> Result<RecordWrite, HubError> {
    let body = serde_json::to_string(item).map_err(|error| {
        HubError::Store(StoreError::Failed(format!("a {} has no JSON: {error}", T::KIND)))
    })?;
    Ok(RecordWrite {
        kind: T::KIND,
        key: item.key(),
        device: item.device(),
        at,
        body: Some(body),
        keep_max: T::KEEP_MAX,
        only_new,
        was: None,
    })
}

fn read<T: Kept>(record: &Record) -> Result<T, HubError> {
    serde_json::from_str(&record.body).map_err(|error| {
        let text = format!("the stored {} {} cannot be read: {error}", record.kind, record.key);
        HubError::Store(StoreError::Failed(text))
    })
}
