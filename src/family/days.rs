//! Day files: what one device measured on one day, in the form in which its dialect's first server wrote it. Made for
//! any day out of the store, and read again.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use serde::Serialize;

use crate::core::{Hub, HubError};
use crate::http::BoxFuture;
use crate::model::{Device, DeviceId};

/// What a dialect with day files can do.
pub trait Days: Send + Sync {
    /// The days of which there is something, the newest first.
    fn list<'a>(&'a self, hub: &'a Hub, device: &'a Device) -> BoxFuture<'a, Result<Vec<Day>, HubError>>;

    /// The file of a day: as a date, or by the file's name. `zone` is another time zone than the settings'.
    ///
    /// # Errors
    /// `Invalid` when `day` or `zone` is none, `NotFound` when there is nothing of that day.
    fn open<'a>(
        &'a self,
        hub: &'a Hub,
        device: &'a Device,
        day: &'a str,
        zone: Option<&'a str>,
    ) -> BoxFuture<'a, Result<DayFile, HubError>>;

    /// Whether a file of this name is one of the dialect's.
    fn knows(&self, name: &str) -> bool;

    /// Takes in a file. What is stored already is not stored again.
    ///
    /// # Errors
    /// `Invalid` when nothing of the file can be taken in; a line that cannot is told in the answer instead.
    fn import<'a>(&'a self, hub: &'a Hub, file: OldFile) -> BoxFuture<'a, Result<Imported, HubError>>;
}

/// A day of which there is something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Day {
    /// Which: `YYYYMMDD`.
    pub day: String,
    /// What its file is called.
    pub file: String,
}

/// A day's file on its way out.
pub struct DayFile {
    /// What it is called.
    pub name: String,
    /// Its bytes, piece by piece.
    pub bytes: Pin<Box<dyn Stream<Item = Result<Bytes, HubError>> + Send>>,
}

/// A file that another server wrote.
#[derive(Clone, Debug)]
pub struct OldFile {
    /// What it is called.
    pub name: String,
    /// What is in it.
    pub bytes: Bytes,
    /// The time zone it was written in, if that is not the settings'.
    pub zone: Option<String>,
    /// Whether it is only looked at.
    pub dry_run: bool,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Imported {
    /// What it is called.
    pub file: String,
    /// The address of its device.
    pub address: String,
    /// Its device; `None` where one would have been made, had the file not only been looked at.
    pub device: Option<DeviceId>,
    /// Whether the device was not known before.
    pub new_device: bool,
    /// Lines that were taken in.
    pub added: u64,
    /// Lines that were stored before.
    pub known: u64,
    /// Lines, of those, that are of the day before the file's.
    pub day_before: u64,
    /// Lines that could not be read: the first of them.
    pub bad: Vec<BadLine>,
    /// How many there were.
    pub bad_total: u64,
}

/// A line that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct BadLine {
    /// Which, from 1.
    pub line: u64,
    /// What stands there, cut.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}
