//! A pretend fleet over real sockets: what `homeport simulate` runs.
//!
//! A dialect's [`Simulator`](crate::family::simulator::Simulator) decides what is said; this room lends it
//! connections, makes what shall go wrong go wrong, and writes down what it was told, so that an audit can hold it
//! against what the server stored. It knows nothing of the server's inside: it is a client.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `fleet` | acts, connections, time |
//! | `errands` | what people ask of it meanwhile |
//! | `member` | one device's calls and its back-off |
//! | `line` | one connection: TLS or none, and a device's HTTP |
//! | `link` | one connection that lasts, for devices that keep one |
//! | `solo` | one device that lives as long as its owner likes: the demo's |
//! | `trust` | a server known by its certificate, or not at all |
//! | `tls` | what it shakes hands with |
//! | `pace` | how fast the fleet may go |
//! | `book` | what a device said and was told |
//! | `audit` | books against the server's store |
//! | `office` | what the fleet needs of the people's side |
//! | `latency`, `summary` | figures |

mod audit;
mod book;
mod errands;
mod fleet;
mod latency;
mod line;
mod link;
mod member;
mod office;
mod pace;
mod solo;
mod summary;
mod tls;
mod trust;

pub use audit::{Audit, Finding, Found, StoredMessage};
pub use book::Book;
pub use fleet::{Apply, Plan, Progress, Rehearsed, SimulateError, Time, addresses, habits, reach, run};
pub use line::Target;
pub use office::{Errand, Office, StoredCommand};
pub use solo::{Solo, SoloError};
pub use summary::{Act, Calls, Summary};
pub use trust::{anyone, pinned};

pub use crate::family::simulator::{Application, Door, Fault, Given, Habits, Order, Orders};
pub use crate::model::{Direction, Verdict};

/// A dialect, as the composition root lists it.
pub type AnyFamily = std::sync::Arc<dyn crate::family::Family>;
