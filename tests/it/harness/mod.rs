//! What the outside tests are written with: the real program as a child, a raw client, a pretend module, microcontroller and bed
//! sensor, and what a rehearsal printed.

mod board;
mod client;
mod events;
mod module;
mod node;
mod program;
mod rehearsal;

pub(crate) use board::{ACCEPT, Board, Mask, frame};
pub(crate) use client::{Answer, Client};
pub(crate) use events::{Event, Events};
pub(crate) use module::{Module, crc, encoded, okm};
pub(crate) use node::{Node, Quirks};
pub(crate) use program::{Program, RunAs, am_root, micropython, settled};
pub(crate) use rehearsal::{calls, clean, killed_meanwhile, number};
