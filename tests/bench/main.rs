//! Measures homeport against its yardsticks; `scripts/bench` builds and runs it, `docs/performance.md` reads it.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `table` | the figures: who is measured how, in which order, and what is printed |
//! | `round` | one figure: interleaved rounds, their ratio and their spread |
//! | `sides` | the servers: homeport, the yardsticks, NGINX |
//! | `bare`, `floor` | the yardsticks: what answering costs, and what answering after a commit costs |
//! | `sink` | the yardsticks of microcontrollers: they only take messages in |
//! | `load` | the load generator, a process of its own |
//! | `history` | days of values through the real engine: bytes, and CPU of plots |
//! | `hold` | many connections that rest, a process of its own |
//! | `client`, `heartbeat`, `bed`, `boards`, `uploads`, `tls` | what the load is made of |
//! | `machine` | what the kernel says of a process, the disk and the others on this machine |

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a program for developers: it prints, it stops with a word when its ground is missing, and its figures are rough"
)]

mod bare;
mod bed;
mod boards;
mod client;
mod floor;
mod heartbeat;
mod history;
mod hold;
mod load;
mod machine;
mod round;
mod sides;
mod sink;
mod table;
mod tls;
mod uploads;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Ratios of homeport to its yardsticks, measured in one run on one machine")]
struct Arguments {
    /// Of `cargo bench`, without a meaning here.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measures and prints the table.
    Table(table::Table),
    /// A yardstick as a server: answers a constant.
    Bare(bare::Bare),
    /// The same that also commits a row a request.
    Floor(floor::Floor),
    /// A yardstick as a server: takes messages of microcontrollers in.
    Sink(sink::Sink),
    /// Asks a server for a while and says what it cost.
    Load(load::Load),
    /// Fills a store with days of values and reads plots out of it.
    History(history::History),
    /// Opens connections and lets them rest until standard input ends.
    Hold(hold::Hold),
}

fn main() {
    match Arguments::parse().what {
        What::Table(table) => table.run(),
        What::Bare(bare) => bare.run(),
        What::Floor(floor) => floor.run(),
        What::Sink(sink) => sink.run(),
        What::Load(load) => load.run(),
        What::History(history) => history.run(),
        What::Hold(hold) => hold.run(),
    }
}

/// A runtime as homeport has one.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime can be made")
}
