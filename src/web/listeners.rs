//! The listeners of the server, as pages and API see and turn them. What they are the composition root puts behind
//! this.

use std::net::SocketAddr;

use serde::Serialize;

use crate::core::HubError;
use crate::http::BoxFuture;
use crate::model::Timestamp;

/// The listeners that the settings ask for.
pub trait Listeners: Send + Sync {
    /// All of them, as they are now.
    fn list(&self) -> Vec<ListenerNote>;

    /// Opens one, or closes it with its connections. Carried through although the asker may hang up, and nothing new
    /// when it is so already.
    fn turn<'a>(
        &'a self,
        name: &'a str,
        open: bool,
        by: &'a str,
    ) -> BoxFuture<'a, Result<ListenerTurned, HubError>>;
}

/// One listener.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Listener)]
pub struct ListenerNote {
    /// Its name in the settings.
    pub listener: &'static str,
    /// Where it listens, or would.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// Whether it does.
    pub open: bool,
    /// How many connections are open on it.
    pub connections: usize,
    /// When somebody opened or closed it last; `None` when it is as the settings say.
    pub since: Option<Timestamp>,
    /// Who did.
    pub by: Option<String>,
    /// Why it cannot be closed, where that is so.
    pub stays_open: Option<&'static str>,
}

/// What became of a wish to open or close one.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TurnedListener)]
pub struct ListenerTurned {
    /// How it is now.
    #[serde(flatten)]
    pub note: ListenerNote,
    /// How many connections were closed.
    pub closed: usize,
    /// Whether it was so already.
    pub unchanged: bool,
}
