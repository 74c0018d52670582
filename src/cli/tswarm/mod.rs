//! `homeport tswarm`: small nodes that upload and sleep.
//!
//! | file | what it owns |
//! | --- | --- |
//! | `node` | logins of nodes, and decisions about nodes |
//! | `hold` | holding nodes awake |

mod hold;
mod node;

use clap::{Args, Subcommand};

use super::client::Connect;
use super::settings::Global;
use super::{Done, output};

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  homeport tswarm add greenhouse > config.json\n  homeport tswarm hold greenhouse --for 30m\n  homeport tswarm rejected"
)]
pub(super) struct Tswarm {
    #[command(subcommand)]
    what: What,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List nodes: those that called, and those that have a login.
    #[command(after_help = "Example:\n  homeport tswarm list --json")]
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a login for a node and print its config.json. The secret in it is shown this once.
    Add(node::Add),
    /// Let a node's uploads count again.
    #[command(after_help = "Example:\n  homeport tswarm enable greenhouse")]
    Enable(node::Which),
    /// Answer a node as if all were well, and store nothing of it.
    #[command(after_help = "Example:\n  homeport tswarm disable greenhouse")]
    Disable(node::Which),
    /// Turn a node away from now on; its login counts no longer.
    #[command(after_help = "Example:\n  homeport tswarm revoke greenhouse")]
    Revoke(node::Which),
    /// Hold nodes awake: each stays at its prompt after its next upload, for you to update its code.
    ///
    /// Nodes do not sleep again of their own accord: they drain their batteries until somebody resets them. End the hold
    /// before you reset them, or they stop again.
    Hold(hold::Hold),
    /// End a hold, so that nodes that are reset sleep again.
    Release(hold::Release),
    /// List holds, and how many of their nodes stay awake by now.
    #[command(after_help = "Example:\n  homeport tswarm holds --json")]
    Holds {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List calls that were turned away: who, as which node, and why.
    #[command(after_help = "Example:\n  homeport tswarm rejected --json")]
    Rejected {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl Tswarm {
    pub(super) async fn run(&self, settings: &Global) -> Done {
        let client = self.connect.client(settings)?;
        match &self.what {
            What::List { json } => {
                Ok(output::list(client.list("/tswarm/nodes").await?, *json, &node::COLUMNS)?)
            }
            What::Add(add) => {
                let here = (!self.connect.is_remote()).then(|| settings.load(Vec::new())).transpose()?;
                add.run(&client, here.as_ref()).await
            }
            What::Enable(which) => which.decide(&client, "enable").await,
            What::Disable(which) => which.decide(&client, "disable").await,
            What::Revoke(which) => which.decide(&client, "revoke").await,
            What::Hold(hold) => hold.run(&client).await,
            What::Release(release) => release.run(&client).await,
            What::Holds { json } => {
                let holds = client.list("/tswarm/holds").await?;
                Ok(output::list(if *json { holds } else { hold::shown(holds) }, *json, &hold::COLUMNS)?)
            }
            What::Rejected { json } => {
                Ok(output::list(client.list("/tswarm/rejected?limit=1000").await?, *json, &REJECTED)?)
            }
        }
    }
}

const REJECTED: [(&str, &str); 7] = [
    ("LAST", "last"),
    ("COUNT", "count"),
    ("PEER", "peer"),
    ("LOGIN", "login"),
    ("NODE", "node"),
    ("REASON", "reason"),
    ("DETAIL", "detail"),
];
