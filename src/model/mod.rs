//! Plain types that every room shares. Imports no other room.

mod command;
mod device;
mod id;
mod message;
mod operator;
mod proof;
mod reading;
mod record;
mod schedule;
mod session;
mod time;
mod transfer;

pub use command::{
    CommandId, CommandRecord, CommandState, Draft, Dress, EncodeError, Encoder, Illegal, Lease, Priority,
    Transition, WireId,
};
pub use device::{Device, DeviceId, DeviceRef, DeviceState, FamilyName};
pub use message::{Direction, MessageRecord, Seq, Verdict};
pub use operator::{Credential, Role, Sees, Token, User, UserId};
pub use proof::{Fingerprint, HmacCheck, KeySpelling};
pub use reading::{Datum, Gap, Reading, SensorName, Value};
pub use record::Record;
pub use schedule::{Day, LocalTime, NoTime, Schedule, When};
pub use session::{Admission, Origin, Refresh, Session, Standing};
pub use time::{Clock, Timestamp};
pub use transfer::{
    Errand, Listing, Load, Onward, PARCEL_BYTES_MAX, Parcel, Patience, Transfer, TransferId, TransferState,
};
