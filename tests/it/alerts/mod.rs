//! Rules, alerts and their delivery.

mod outside;
mod receivers;
mod rounds;
