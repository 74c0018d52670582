//! `homeport sca11h`: the bed sensor's own local HTTP API (`sca11h.md §7`). The server is not asked: whoever sets a node
//! up is near it.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `node` | calls of one node: Basic credentials, a connection each, read again what was set |
//! | `discover` | who is on this network |
//! | `configure` | settings: shown, changed, pointed at a server |
//! | `calibrate` | the calibration that the node makes itself |
//! | `history` | the calibration that the server makes from what it has stored |

mod calibrate;
mod configure;
mod discover;
mod history;
mod node;

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Done;
use super::settings::Global;
use node::Node;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport sca11h discover\n  homeport sca11h configure 192.0.2.20 --to here\n  homeport sca11h calibrate 192.0.2.20"
)]
pub(super) struct Sca11h {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look for nodes on this network.
    Discover(discover::Discover),
    /// Show a node's settings; change them with the flags given, for instance point it at this server.
    Configure(Box<configure::Configure>),
    /// Let a node calibrate itself, first with the bed empty, then with somebody in it; or calibrate it from history.
    Calibrate(Box<calibrate::Calibrate>),
}

impl Sca11h {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        match &self.what {
            What::Discover(discover) => discover.run().await,
            What::Configure(configure) => configure.run(settings).await,
            What::Calibrate(calibrate) => calibrate.run(settings).await,
        }
    }
}

/// How a node is spoken to.
#[derive(Debug, Args)]
#[command(next_help_heading = "How to reach the node")]
struct Reach {
    /// The node's user name.
    #[arg(long, value_name = "NAME", default_value = "admin", env = "HOMEPORT_NODE_USER")]
    user: String,
    /// Its password.
    #[arg(
        long,
        value_name = "PASSWORD",
        default_value = "admin",
        env = "HOMEPORT_NODE_PASSWORD",
        hide_env_values = true
    )]
    password: String,
    /// How many seconds one call may take: a node is slow.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

impl Reach {
    /// The node at an address `HOST[:PORT]`.
    fn node(&self, address: &str) -> Node {
        Node::new(address, &self.user, &self.password, Duration::from_secs(self.timeout))
    }
}
