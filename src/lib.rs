//! homeport: a home for devices that call home.
//!
//! ```text
//!              ┌───────────────────────── server ─────────────────────────┐   composes everything, once
//!              │                                                          │
//!  socket → net → http ─► family/{cwm, …} ─► core ─► store ─► sqlite | postgres
//!                   └───► web/{page, api} (axum) ───►┘    ▲
//!                                        model: plain types, below all
//! ```
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`model`] | plain types every room shares: device, message, reading, command, time |
//! | [`store`] | the database seam: one writer that commits in groups, readers, two engines |
//! | [`dictionary`] | what devices' values are called and mean, from editable files |
//! | [`core`] | the hub, only door from families and pages: registry, queue, telemetry, feed, secrets |
//! | [`http`] | the small kit the device plane is written with: exchange, routes, replies |
//! | [`net`] | listeners, accept loop, TLS, connection limits |
//! | [`family`] | one folder per device dialect |
//! | [`alert`] | looks after rules, and delivers what they have to say |
//! | [`web`] | pages and API for people and scripts |
//! | [`pki`] | the certificate authority, leaves, reloading resolver |
//! | [`config`] | settings: defaults < file < environment < flags |
//! | [`simulate`] | a pretend fleet over real sockets |
//! | [`cli`] | a file per subcommand |
//! | [`server`] | the composition root |
//!
//! Who may import whom is a table in `docs/architecture.md`, and `tests/it/tidy.rs` fails on an edge
//! that is not in it.

pub mod alert;
pub mod cli;
pub mod config;
pub mod core;
pub mod dictionary;
pub mod family;
pub mod http;
pub mod model;
pub mod net;
pub mod pki;
pub mod server;
pub mod simulate;
pub mod store;
pub mod web;
