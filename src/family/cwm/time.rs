//! `/time`: a module sets its clock (`cwm-oke.md §3.4`; the answer's form is a proposal and configurable).

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;

use super::error::CwmError;
use super::policy::Capture;
use super::{Cwm, answer, provision};
use crate::core::Hub;
use crate::http::{Exchange, Reply};
use crate::model::Timestamp;

/// The time by the template; the bare time text for a client that asks for plain text.
pub(super) async fn time(cwm: Arc<Cwm>, hub: Hub, exchange: Exchange) -> Reply {
    let reply = match tell(&cwm, hub.now(), &exchange).await {
        Ok(reply) => reply,
        Err(error) => error.into_reply("{}".into(), &exchange.path, &exchange.peer.addr.ip().to_string()),
    };
    cwm.capture(Capture::Time, &hub, &exchange, None, reply.status).await;
    reply
}

async fn tell(cwm: &Cwm, now: Timestamp, exchange: &Exchange) -> Result<Reply, CwmError> {
    if wants_text(exchange.header("accept").unwrap_or_default()) {
        return Ok(Reply::text(StatusCode::OK, &now.civil_seconds()));
    }
    let settings = &cwm.settings;
    let template = provision::template(&settings.time_answer, settings.time_answer_file.as_deref()).await?;
    let answer = answer::fill(&template, |name| place(name, now))
        .map_err(|name| CwmError::Misconfigured(format!("the answer of /time has no {{{name}}}")))?;
    Ok(Reply::json(StatusCode::OK, answer))
}

/// A place of an answer that tells the time.
pub(super) fn place(name: &str, now: Timestamp) -> Option<Cow<'static, str>> {
    match name {
        "ts" => Some(now.civil_seconds().into()),
        "utc" => Some(now.seconds().to_string().into()),
        _ => None,
    }
}

/// The places of the answer.
pub(super) const PLACES: [&str; 2] = ["ts", "utc"];

fn wants_text(accept: &str) -> bool {
    let mut kinds = accept.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    kinds.next().is_some_and(|first| first.eq_ignore_ascii_case("text/plain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_for_those_who_ask_for_it_first() {
        assert!(wants_text("text/plain"));
        assert!(wants_text("Text/Plain; q=1, */*"));
        for other in ["", "*/*", "application/json", "text/html,text/plain"] {
            assert!(!wants_text(other), "{other}");
        }
    }
}
