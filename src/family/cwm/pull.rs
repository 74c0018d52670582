//! `/pull`: a module fetches its oldest due command (`cwm-oke.md §3.3`).

use std::sync::Arc;

use bytes::Bytes;
use hyper::StatusCode;

use super::courier::Courier;
use super::error::CwmError;
use super::policy::Capture;
use super::proof::{self, Prover};
use super::{Cwm, envelope, reply};
use crate::core::{Acknowledgement, Hub};
use crate::http::{Exchange, Reply};
use crate::model::HmacCheck;

/// Answers one pull. Without arguments it is the vendor's check of a fresh server: nothing is queued.
pub(super) async fn pull(cwm: Arc<Cwm>, hub: Hub, exchange: Exchange) -> Reply {
    let peer = exchange.peer.addr.ip().to_string();
    let reply = match fetch(&cwm, &hub, &exchange, &peer).await {
        Ok(body) => Reply::json(StatusCode::OK, body),
        Err(error) => error.into_reply(reply::nothing(&cwm.settings.names), &exchange.path, &peer),
    };
    cwm.capture(Capture::Pull, &hub, &exchange, None, reply.status).await;
    reply
}

async fn fetch(cwm: &Cwm, hub: &Hub, exchange: &Exchange, peer: &str) -> Result<Bytes, CwmError> {
    let names = &cwm.settings.names;
    let prover = Prover::new(cwm, hub, exchange);
    let prove = |text: &[u8], module: Option<&str>| prover.check(text, module);
    let (asked, found) = envelope::asked(exchange.query.as_deref(), &exchange.body, &cwm.settings, prove)
        .ok_or_else(|| {
            CwmError::unreadable("the request object cannot be read: send req={\"devid\":\"...\"}")
        })?;
    let Some(devid) = asked.devid else { return Ok(reply::nothing(names)) };
    if prover.settle(found).await? == Some(HmacCheck::Bad) {
        tracing::warn!(%peer, module = %devid, "answered although the HMAC of the pull does not hold");
    }
    proof::check_name(cwm, exchange.peer.certificate(), &devid)?;
    let last = if asked.taken { Acknowledgement::Taken } else { Acknowledgement::NotTaken };
    let pulled = Courier::fetch(cwm, hub, &devid, last, peer).await?;
    Ok(match pulled.lease {
        Some(lease) => reply::message(names, &lease.bytes, pulled.more),
        None => reply::nothing(names),
    })
}
