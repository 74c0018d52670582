//! `/pull`: a module fetches its oldest due command (`cwm-oke.md §3.3`).

use bytes::Bytes;
use hyper::StatusCode;

use super::error::CwmError;
use super::{Cwm, envelope, reply};
use crate::core::{Acknowledgement, Hub};
use crate::http::{Exchange, Reply};

/// Answers one pull. Without arguments it is the vendor's check of a fresh server: nothing is queued.
pub(super) async fn pull(cwm: &Cwm, hub: &Hub, exchange: Exchange) -> Reply {
    let peer = exchange.peer.addr.ip().to_string();
    match fetch(cwm, hub, &exchange, &peer).await {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => error.into_reply(reply::nothing(&cwm.settings.names), &exchange.path, &peer),
    }
}

async fn fetch(cwm: &Cwm, hub: &Hub, exchange: &Exchange, peer: &str) -> Result<Bytes, CwmError> {
    let names = &cwm.settings.names;
    let asked = envelope::asked(exchange.query.as_deref(), &exchange.body, &cwm.settings)
        .ok_or(CwmError::Unreadable("the request object cannot be read: send req={\"devid\":\"...\"}"))?;
    let Some(devid) = asked.devid else { return Ok(reply::nothing(names)) };
    let last = if asked.taken { Acknowledgement::Taken } else { Acknowledgement::NotTaken };
    let pulled = hub.lease(&cwm.name, &devid, last, peer).await?;
    Ok(match pulled.lease {
        Some(lease) => reply::message(names, &lease.bytes, pulled.more),
        None => reply::nothing(names),
    })
}
