//! `homeport mcu`: what the microcontrollers' original server did with files.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `day` | the days of a board, and a day's file |
//! | `import` | files that the original wrote, taken in |

mod day;
mod import;

use clap::{Args, Subcommand};

use super::Done;
use super::client::Connect;
use super::settings::Global;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport mcu day 5 20161124 > IoTD005_20161124.csv\n  homeport mcu import PyWsServer/Data"
)]
pub(super) struct Mcu {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print a board's file of a day, as the original server wrote it.
    Day(day::Day),
    /// List the days of which there is something of a board.
    Days(day::List),
    /// Take in files that the original server wrote: `IoTD005_20161124.csv`. What is stored already is not stored again.
    Import(import::Import),
}

impl Mcu {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?.patient();
        match &self.what {
            What::Day(day) => day.run(&client).await,
            What::Days(list) => list.run(&client).await,
            What::Import(import) => import.run(&client).await,
        }
    }
}
