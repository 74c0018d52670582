//! The program from outside: the real binary, real sockets, real other programs.

mod adversity;
mod bad_input;
mod beds;
mod certificates;
mod client_certificates;
mod clients;
mod crowd;
mod durability;
mod exports;
mod file_forms;
mod files;
mod handover;
mod handshakes;
mod metrics;
mod parameters;
mod provisioning;
mod restart;
mod story;
mod stream;
mod transfers;
mod upkeep;
