//! Everything that may be read. Lists are pages: at most `limit` rows, in a stated order.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;

use super::{Answer, Bulk, Weight};
use crate::model::{
    Admission, AuditEntry, CommandId, CommandRecord, CommandState, Credential, Datum, Device, DeviceId,
    DeviceState, Direction, FamilyName, MessageRecord, Priority, Record, Seq, Session, Standing, Timestamp,
    Token, User, UserId, Verdict, WireId,
};

/// Which devices. Order: name, then id.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    /// Part of the name or address, letter case aside.
    pub q: Option<String>,
    /// Of one family.
    pub family: Option<FamilyName>,
    /// In one state.
    pub state: Option<DeviceState>,
    /// After this (name, id).
    pub after: Option<(String, DeviceId)>,
    /// At most so many.
    pub limit: u32,
}

/// Which messages. Order: newest first.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Of one device.
    pub device: Option<DeviceId>,
    /// With one verdict.
    pub verdict: Option<Verdict>,
    /// One way.
    pub direction: Option<Direction>,
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// Older than this one.
    pub before: Option<Seq>,
    /// At most so many.
    pub limit: u32,
}

/// Which commands. Order: newest first.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    /// For one device, or fetched by it.
    pub device: Option<DeviceId>,
    /// In one state.
    pub state: Option<CommandState>,
    /// Of this priority or a higher one: `Normal` leaves out pieces of files.
    pub least: Option<Priority>,
    /// Older than this one.
    pub before: Option<CommandId>,
    /// At most so many.
    pub limit: u32,
}

/// Which values. Order: oldest first by (ledger entry, sensor, place in the message), or exactly the other way round.
#[derive(Clone, Debug, Default)]
pub struct DataFilter {
    /// Of these devices.
    pub whose: Whose,
    /// Of these sensors; none named means all.
    pub sensors: Vec<String>,
    /// Received at or after.
    pub from: Option<Timestamp>,
    /// Received before.
    pub to: Option<Timestamp>,
    /// Of ledger entries up to this one: what is stored later is not looked at. Who sets it has had them filed
    /// ([`super::Write::File`]), so that a list of many pages asks for that once.
    pub upto: Option<Seq>,
    /// The newest first.
    pub newest_first: bool,
    /// After this one, in the order of the list.
    pub after: Option<After>,
    /// At most so many.
    pub limit: u32,
}

/// Of which devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Of all.
    #[default]
    All,
    /// Of one.
    One(DeviceId),
    /// Of these.
    Only(Arc<HashSet<DeviceId>>),
    /// Of all but these.
    But(Arc<HashSet<DeviceId>>),
}

impl Whose {
    /// Whether a device is one of them.
    pub fn holds(&self, device: &DeviceId) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == device,
            Self::Only(these) => these.contains(device),
            Self::But(those) => !those.contains(device),
        }
    }

    /// The devices, if they are so few that each is read by itself.
    pub(crate) fn few(&self) -> Option<Vec<&DeviceId>> {
        match self {
            Self::One(one) => Some(vec![one]),
            Self::Only(these) if these.len() <= FEW => Some(these.iter().collect()),
            Self::All | Self::Only(_) | Self::But(_) => None,
        }
    }
}

impl From<DeviceId> for Whose {
    fn from(device: DeviceId) -> Self {
        Self::One(device)
    }
}

/// Devices that are read one by one: a page of each is in memory at once.
const FEW: usize = 32;

/// A place in a list of values. One message may hold several values of one sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    /// The ledger entry.
    pub seq: Seq,
    /// The sensor.
    pub sensor: String,
    /// So many of the entry's values of this sensor were listed before the place.
    pub count: u32,
}

/// Which numbers, to be gathered into buckets of time. Buckets are whole: the first is the one that `from` is in, the
/// last the one before `to` or that `to` is in.
///
/// A value's time is the one its device gave, if that is within [`TRUSTED`] of the arrival, else the arrival.
#[derive(Clone, Debug)]
pub struct BucketFilter {
    /// Of one device.
    pub device: DeviceId,
    /// Of these sensors; none named means all.
    pub sensors: Vec<String>,
    /// At or after.
    pub from: Timestamp,
    /// Before.
    pub to: Timestamp,
    /// A bucket's length in seconds. Buckets begin at multiples of it since 1970 in UTC; multiples of 60 and of 3600
    /// are read from summaries.
    pub length_s: u32,
}

/// The numbers of one sensor in one stretch of time. Gaps, and values that do not count
/// ([`crate::model::Reading::counts`]), are left out; a bucket without numbers is not listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Bucket {
    /// The sensor's name.
    pub sensor: String,
    /// When it begins.
    pub start: Timestamp,
    /// How many numbers.
    pub count: u64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// All together.
    pub sum: f64,
    /// The latest.
    pub last: f64,
}

impl Bucket {
    /// The mean.
    #[expect(clippy::cast_precision_loss, reason = "a count of values is far below 2^52")]
    pub fn avg(&self) -> f64 {
        self.sum / self.count as f64
    }
}

impl After {
    /// The place behind the last of a page, which began after `before`.
    pub fn last_of(page: &[(DeviceId, Datum)], before: Option<&Self>) -> Option<Self> {
        let (_, last) = page.last()?;
        let same = |datum: &Datum| datum.seq == last.seq && datum.sensor == last.sensor;
        let run = page.iter().rev().take_while(|(_, datum)| same(datum)).count();
        let earlier = before
            .filter(|before| run == page.len() && before.seq == last.seq && before.sensor == *last.sensor);
        let count = u32::try_from(run).unwrap_or(u32::MAX);
        let count = earlier.map_or(0, |before| before.count).saturating_add(count);
        Some(Self { seq: last.seq, sensor: last.sensor.clone().into(), count })
    }
}

/// How far a device's clock may be from ours, for its times to be those that its values are plotted by.
pub const TRUSTED: std::time::Duration = crate::model::TRUSTED;

/// Which small documents. Order: newest first, then by key.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Of this kind.
    pub kind: String,
    /// With this key.
    pub key: Option<String>,
    /// About this device.
    pub device: Option<DeviceId>,
    /// Older than this (time, key).
    pub before: Option<(Timestamp, String)>,
    /// At most so many.
    pub limit: u32,
}

/// Which rows of the audit log. Order: newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of one person, by name.
    pub who: Option<String>,
    /// Of one word.
    pub what: Option<String>,
    /// About one device.
    pub device: Option<DeviceId>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Older than the row with this number.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

/// A stretch of the ledger as the auditor reads it: oldest first.
#[derive(Clone, Debug)]
pub struct LedgerPage {
    /// The entries.
    pub entries: Vec<super::ledger::Entry>,
}

/// Sizes, for health and audit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries in the ledger.
    pub messages: i64,
    /// Commands that wait.
    pub queued: i64,
    /// Commands that are on their way.
    pub sent: i64,
    /// Commands that were taken and not answered.
    pub accepted: i64,
    /// Devices.
    pub devices: i64,
}

/// A copy of a database, checked from end to end.
#[derive(Debug)]
pub struct Backup {
    /// The copy. Its file has no name any more: it is gone when this is closed.
    pub file: std::fs::File,
    /// Its size.
    pub bytes: u64,
    /// Entries of its ledger.
    pub entries: i64,
}

/// What may be read from an engine.
pub trait Reader: Send + Sync + 'static {
    /// Every device, for the registry's start.
    fn all_devices(&self) -> Answer<'_, Vec<Device>>;
    /// A page of devices.
    fn devices(&self, filter: DeviceFilter) -> Answer<'_, Vec<Device>>;
    /// Devices that have a due command now, by the id they fetch with.
    fn pending(&self, at: Timestamp) -> Answer<'_, Vec<DeviceId>>;
    /// A page of the ledger's messages, without bodies being left out.
    fn messages(&self, filter: MessageFilter) -> Answer<'_, Vec<MessageRecord>>;
    /// Messages behind a ledger entry, the oldest first.
    fn messages_after(&self, entry: Seq, limit: u32) -> Answer<'_, Vec<MessageRecord>>;
    /// One message.
    fn message(&self, seq: Seq) -> Answer<'_, Option<MessageRecord>>;
    /// A page of commands with their transitions.
    fn commands(&self, filter: CommandFilter) -> Answer<'_, Vec<CommandRecord>>;
    /// One command.
    fn command(&self, id: CommandId) -> Answer<'_, Option<CommandRecord>>;
    /// The number the next command fetched by this device would get, for a dry run.
    fn next_wire_id(&self, via: DeviceId) -> Answer<'_, WireId>;
    /// A page of values with the device of each.
    fn data(&self, filter: DataFilter) -> Answer<'_, Vec<(DeviceId, Datum)>>;
    /// The numbers of a device in buckets of time, by (start, sensor).
    fn buckets(&self, filter: BucketFilter) -> Answer<'_, Vec<Bucket>>;
    /// The newest value of every sensor of a device, by sensor name.
    fn latest(&self, device: DeviceId) -> Answer<'_, Vec<Datum>>;
    /// The same of several devices at once, in no order; those that have no values may be left out.
    fn latest_each(&self, devices: Vec<DeviceId>) -> Answer<'_, Vec<(DeviceId, Vec<Datum>)>>;
    /// In which quarters of an hour values of a device arrived: when each begins, the first first. In every zone of our
    /// days a day begins with one.
    fn quarters(&self, device: DeviceId) -> Answer<'_, Vec<Timestamp>>;
    /// Ledger entries from `from` on, at most `limit`, oldest first, with their hashes.
    fn ledger(&self, from: Seq, limit: u32) -> Answer<'_, LedgerPage>;
    /// All users, by name.
    fn users(&self) -> Answer<'_, Vec<User>>;
    /// One user with the password hash, by name (letter case does not count).
    fn credential(&self, name: String) -> Answer<'_, Option<Credential>>;
    /// What a secret is good for, by its hash, with its session and user; also an expired one.
    fn admission(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Admission, Session, User)>>;
    /// Sessions of one user or of all, the one used last first; those that were misused are not among them.
    fn sessions(&self, user: Option<UserId>) -> Answer<'_, Vec<Session>>;
    /// What those of these sessions and tokens that there still are let their holders do.
    fn standing(&self, ids: Vec<String>) -> Answer<'_, Vec<Standing>>;
    /// One token with its user, by the hash of its secret; also an expired one.
    fn token(&self, secret_hash: [u8; 32]) -> Answer<'_, Option<(Token, User)>>;
    /// All tokens, of one user or of all.
    fn tokens(&self, user: Option<UserId>) -> Answer<'_, Vec<Token>>;
    /// Sizes.
    fn stats(&self) -> Answer<'_, Stats>;
    /// Size of the database in bytes, free pages included.
    fn bytes(&self) -> Answer<'_, i64>;
    /// The last ledger entry whose part was pruned; 0 before the first.
    fn pruned(&self, what: Bulk) -> Answer<'_, Seq>;
    /// The first ledger entry at or after a time; the one after the last when there is none. After steps of the
    /// clock it is about right.
    fn first_since(&self, at: Timestamp) -> Answer<'_, Seq>;
    /// What the entries after one hold, at most `limit` of them.
    fn weigh(&self, what: Bulk, after: Seq, limit: u32) -> Answer<'_, Weight>;
    /// A copy of all there is at this moment, made beside the database and checked. `Refused` by engines that
    /// have tools of their own for it.
    fn backup(&self) -> Answer<'_, Backup>;
    /// A page of small documents.
    fn records(&self, filter: RecordFilter) -> Answer<'_, Vec<Record>>;
    /// A page of the audit log with the rows' numbers.
    fn audit_log(&self, filter: AuditFilter) -> Answer<'_, Vec<(i64, AuditEntry)>>;
    /// A small text kept under a name (`None` when there is none), e.g. the server's id.
    fn note(&self, name: &'static str) -> Answer<'_, Option<Bytes>>;
}
