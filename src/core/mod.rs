//! The hub and what it is made of: the only door from families and pages to what is stored.
//!
//! Knows no wire field's name, no socket and no engine: families bring typed reports, the store takes writes.

mod alerts;
mod api_tokens;
mod audit_log;
mod bell;
mod browse;
mod caller;
mod captures;
mod certificates;
mod credentials;
mod device_tokens;
mod devices;
mod error;
mod feed;
mod files;
mod first_entry;
mod follow;
mod handshakes;
mod holds;
mod hub;
mod imports;
mod neighbours;
mod operators;
mod picture;
mod queue;
mod recording;
mod records;
mod registration;
mod registry;
mod reports;
mod retention;
mod rhythm;
mod rhythms;
mod schedules;
mod secrets;
mod settings;
mod sight;
mod sign_in;
mod standing;
mod sweep;
mod tally;
pub mod telemetry;
#[cfg(test)]
mod tests;
mod throttle;
mod transfers;
mod upkeep;
mod whole;

pub use alerts::{
    AlertFilter, Delivered, Delivery, DeliveryState, Firing, MailSecurity, MailServer, Try, Watch, Webhook,
};
pub use api_tokens::TokenOrder;
pub use bell::Ringing;
pub use caller::{Caller, How, Visitor};
pub use captures::{Capture, CapturedTls};
pub use certificates::{CertificateNote, EarlierCertificate, Presented};
pub use credentials::{DeviceKey, Material, Revocation};
pub use device_tokens::{DeviceToken, Pass, TokenFault, is_device_token};
pub use error::{AccountFault, HubError};
pub use feed::{Feed, FeedEvent, Heard, Next};
pub use files::{About, Content, FileName, Published, Upload};
pub use follow::{Follower, Place, Told};
pub use handshakes::HandshakeNote;
pub use holds::HistoryHold;
pub use hub::Hub;
pub use imports::Brought;
pub use operators::FIRST_ADMIN;
pub use picture::picture;
pub use queue::Order;
pub use recording::Recording;
pub use records::{Batch, Exact, Kept};
pub use registration::{Invite, InviteOrder, Newcomer};
pub use registry::Known;
pub use reports::{Accepted, Claim, Event, Pulled, Report, Terms};
pub use retention::{Retention, RetentionSettings};
pub use rhythm::{Presence, Silence};
pub use schedules::{Progress, Run};
pub use secrets::{random_key, secret_digest};
pub use settings::{HubSettings, RegistrationPolicy, UnknownPolicy};
pub use sight::{Access, Group, GroupEdit, Level, Person, Scope, Seen, Share, Sight};
pub use sign_in::{LEEWAY, Opened, Pair};
pub use transfers::Shipment;
pub use whole::Whole;

// Pages name what they list by these, and may not import the store.
pub use crate::store::audit::{Fault, Findings};
pub use crate::store::{
    Acknowledgement, After, AuditFilter, Bucket, BucketFilter, CommandFilter, DataFilter, DeviceFilter,
    MessageFilter, Stats, StoreError, Whose,
};
