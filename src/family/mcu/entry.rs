//! A request for a connection: who may have one, and its answer (`websocket-mcu.md §1, §2, §11`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use subtle::ConstantTimeEq as _;
use tokio::sync::Notify;

use super::boards::Link;
use super::handshake::{self, Refusal};
use super::names::Access;
use super::talk::Talking;
use super::{Mcu, McuSettings};
use crate::core::Hub;
use crate::http::{BoxFuture, Exchange, Reply};

/// Answers one request: with a connection, or with the reason why not.
pub(super) fn enter(mcu: Arc<Mcu>, hub: Hub, exchange: &Exchange) -> Reply {
    let peer = exchange.peer.ip();
    let settings = &mcu.settings;
    let opened = (|| {
        if !settings.networks.iter().any(|network| network.contains(peer)) {
            return Err(Refusal::Network);
        }
        let accept = handshake::accept(&exchange.headers, exchange.version)?;
        handshake::origin(&exchange.headers, &settings.origins)?;
        Ok((accept, proven(settings, exchange)?))
    })();
    let (accept, proven) = match opened {
        Ok(opened) => opened,
        Err(refusal) => {
            tracing::info!(%peer, "no connection: {refusal}");
            return handshake::refused(refusal);
        }
    };
    let link = Arc::new(Link {
        number: mcu.links.fetch_add(1, Ordering::Relaxed),
        peer,
        peer_text: peer.to_string(),
        since: hub.now(),
        proven,
        wake: Notify::new(),
    });
    let talk = |wire, stop| -> BoxFuture<'static, ()> {
        Box::pin(async move { Talking::new(mcu, hub, link, wire).await.run(stop).await })
    };
    handshake::switching(accept, Box::new(talk))
}

/// Whether the request shows the key. Without it `Ok(false)` where known boards need none.
fn proven(settings: &McuSettings, exchange: &Exchange) -> Result<bool, Refusal> {
    let shown = exchange.param("key").map(str::to_owned).or_else(|| {
        let query = exchange.query.as_deref().unwrap_or_default();
        query.split('&').find_map(|pair| pair.strip_prefix("key=").map(str::to_owned))
    });
    let good = shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(settings.key.0.as_bytes())));
    match settings.access {
        Access::Open => Ok(true),
        Access::Key | Access::KeyOrKnown if good => Ok(good),
        // Which board it is only its first message tells.
        Access::KeyOrKnown if known_from(settings, exchange) => Ok(false),
        Access::Key | Access::KeyOrKnown => Err(Refusal::Key),
    }
}

fn known_from(settings: &McuSettings, exchange: &Exchange) -> bool {
    let peer = exchange.peer.ip();
    settings.known.iter().any(|pair| pair.from == peer)
}
