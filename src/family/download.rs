//! Downloads of published files, for every dialect whose devices make them.
//!
//! Only what somebody published is there, by its exact name. The name is looked up and never becomes part of a path.

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use crate::core::{Content, FileName, Hub, HubError, Published};
use crate::http::query::{self, Plus};
use crate::http::range::{self, Choice};
use crate::http::{Exchange, FileBody, Reject, Reply};

/// Answers with the file of this name; `None` when none is published, or none that is `meant` for who asks.
pub(super) async fn answer(
    hub: &Hub,
    exchange: &Exchange,
    name: &FileName,
    meant: impl Fn(&Published) -> bool,
) -> Option<Reply> {
    match hub.open_named(name).await {
        Ok(Some((file, content))) if meant(&file) => Some(chosen(exchange, &file, content)),
        Ok(Some(_) | None) => None,
        Err(error) => Some(not_now(exchange, &error)),
    }
}

/// A name as it stands in a path, its escapes read once. What is still escaped then is no name.
pub(super) fn named(piece: &str) -> Option<FileName> {
    let text = query::decode(piece.as_bytes(), Plus::Literal);
    FileName::parse(std::str::from_utf8(&text).ok()?).ok()
}

fn chosen(exchange: &Exchange, file: &Published, content: Content) -> Reply {
    let choose = if exchange.method == Method::HEAD { range::choose_head } else { range::choose };
    let (tag, size) = (file.tag(), file.size);
    let reply = match choose(&exchange.headers, exchange.query.as_deref(), size, &tag) {
        Choice::Whole => Reply::file(StatusCode::OK, KIND, FileBody::new(content.into_file(), 0..size)),
        Choice::Part(part) => {
            let shown = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
            let body = FileBody::new(content.into_file(), part);
            Reply::file(StatusCode::PARTIAL_CONTENT, KIND, body).with(header::CONTENT_RANGE, value(&shown))
        }
        Choice::Unchanged => return Reply::empty(StatusCode::NOT_MODIFIED).with(header::ETAG, value(&tag)),
        Choice::Changed => return Reject::changed("the file is not the one you have").into_reply(),
        Choice::OutOfRange => {
            return Reject::out_of_range(format!("the file has {size} bytes"))
                .log(format!("{} asked beyond the end of {}", exchange.peer.addr, file.name))
                .into_reply()
                .with(header::CONTENT_RANGE, value(&format!("bytes */{size}")));
        }
        Choice::Unreadable(why) => return Reject::bad_request(why).into_reply(),
    };
    tracing::debug!(peer = %exchange.peer.addr, name = %file.name, status = reply.status.as_u16(), "download");
    reply
        .with(header::ETAG, value(&tag))
        .with(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"))
        // Whatever the bytes are, no browser is to take them for a page or a script of ours.
        .with(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
}

/// There is no such file.
pub(super) fn missing(exchange: &Exchange) -> Reply {
    Reject::not_found("there is no such file")
        .log(format!("{} asked for {:?}, which is not published", exchange.peer.addr, exchange.path))
        .into_reply()
}

fn not_now(exchange: &Exchange, error: &HubError) -> Reply {
    Reject::unavailable("the file cannot be read now")
        .log(format!("{} asked for {:?}: {error}", exchange.peer.addr, exchange.path))
        .retry_after(5)
        .into_reply()
}

/// Digits and punctuation of ours; anything else would be an empty value.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

const KIND: &str = "application/octet-stream";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_once_and_lead_nowhere() {
        for (piece, want) in [
            ("file1023.bin", Some("file1023.bin")),
            ("file%31023%2ebin", Some("file1023.bin")),
            ("..", None),
            ("%2e%2e", None),
            ("%2e%2e%2fetc%2fpasswd", None),
            ("..%5cx", None),
            ("%252e%252e", None),
            ("a%00b", None),
            ("%2Fetc%2Fpasswd", None),
            ("a%ffb", None),
            ("a/b", None),
            (".hidden", None),
            ("a+b", None),
            ("", None),
        ] {
            assert_eq!(named(piece).as_ref().map(FileName::as_str), want, "{piece}");
        }
    }
}
