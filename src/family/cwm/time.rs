//! `/time`: a module sets its clock (`cwm-oke.md §3.4`; the answer's form is a proposal and configurable).

use hyper::StatusCode;

use super::Cwm;
use crate::http::{Exchange, Reply};
use crate::model::Timestamp;

/// The time by the template; the bare time text for a client that asks for plain text.
pub(super) fn time(cwm: &Cwm, now: Timestamp, exchange: &Exchange) -> Reply {
    let ts = now.civil_seconds();
    if wants_text(exchange.header("accept").unwrap_or_default()) {
        return Reply::text(StatusCode::OK, &ts);
    }
    let utc = now.seconds().to_string();
    Reply::json(StatusCode::OK, cwm.settings.time_answer.replace("{ts}", &ts).replace("{utc}", &utc))
}

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
