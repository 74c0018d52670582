//! Plain types that every room shares. Imports no other room.

mod alarm;
mod alert;
mod audit;
mod command;
mod device;
mod id;
mod message;
mod network;
mod operator;
mod proof;
mod reading;
mod record;
mod rule;
mod schedule;
mod session;
mod time;
mod transfer;

pub use alarm::{Alarm, Change, Holds, Phase, Sample, Side, Trip};
pub use alert::{Alert, AlertEvent, AlertNote, AlertState, EventState};
pub use audit::AuditEntry;
pub use command::{
    CommandId, CommandRecord, CommandState, Draft, Dress, EncodeError, Encoder, Illegal, Lease, Priority,
    Transition, WireId,
};
pub use device::{Device, DeviceId, DeviceRef, DeviceState, FamilyName, GroupId};
pub use message::{Direction, MessageRecord, Seq, Verdict};
pub use network::Network;
pub use operator::{Credential, Role, Sees, Token, User, UserId};
pub use proof::{Fingerprint, HmacCheck, KeySpelling};
pub use reading::{Datum, Gap, Reading, SensorName, TRUSTED, Value};
pub use record::Record;
pub use rule::{Bounds, Check, NoRule, Rule, Target, number};
pub use schedule::{Day, LocalTime, NoTime, Schedule, When};
pub use session::{Admission, Origin, Refresh, Session, Standing};
pub use time::{Clock, Timestamp};
pub use transfer::{
    Errand, Listing, Load, Onward, PARCEL_BYTES_MAX, Parcel, Patience, Transfer, TransferId, TransferState,
};
