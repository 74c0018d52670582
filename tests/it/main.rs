//! The one integration binary; its modules mirror `src`.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says what must hold by panicking"
)]

mod accounts;
mod alerts;
mod audit_log;
mod care;
mod cli_alone;
mod cli_doctor;
mod cli_life;
mod cli_operator;
mod cli_sca11h;
mod cwm;
mod dashboard;
mod device_paths;
mod dictionary;
mod harness;
mod mcu;
mod net_door;
mod net_kit;
mod openapi;
mod outside;
mod sca_presence;
mod sca_push;
mod sca_sync;
mod schedules;
mod sight;
mod simulate;
mod simulate_mcu;
mod simulate_sca11h;
mod simulate_token;
mod simulate_tswarm;
mod store;
mod tidy;
mod token_examples;
#[cfg(feature = "postgres")]
mod token_servers;
mod tokens;
mod transfers;
mod tswarm;
mod web;
mod wire;
