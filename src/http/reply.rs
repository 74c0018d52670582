//! What a device hears: a body of known size and the fewest headers.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::{Body, FileBody};

/// An answer. Its bytes on the wire are frozen: status line, `Content-Type`, whatever was added by
/// [`Reply::with`], `Content-Length`, `Date`.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Media type; `None` sends no such header.
    pub content_type: Option<&'static str>,
    /// Whole body; empty when a file is sent.
    pub body: Bytes,
    file: Option<FileBody>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// A JSON body, sent as these exact bytes.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: Some("application/json"),
            body: body.into(),
            file: None,
            headers: Vec::new(),
        }
    }

    /// Plain text in UTF-8.
    pub fn text(status: StatusCode, body: &str) -> Self {
        Self {
            status,
            content_type: Some("text/plain; charset=utf-8"),
            body: Bytes::copy_from_slice(body.as_bytes()),
            file: None,
            headers: Vec::new(),
        }
    }

    /// Raw bytes of any type.
    pub fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: Some(content_type), body: body.into(), file: None, headers: Vec::new() }
    }

    /// Bytes of a file, read while they are sent.
    pub const fn file(status: StatusCode, content_type: &'static str, file: FileBody) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            body: Bytes::new(),
            file: Some(file),
            headers: Vec::new(),
        }
    }

    /// No body.
    pub const fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, body: Bytes::new(), file: None, headers: Vec::new() }
    }

    /// Adds a header. Device answers carry none but the fixed ones unless a protocol asks for it.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Closes the connection after this answer.
    #[must_use]
    pub fn closing(self) -> Self {
        self.with(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// The answer as hyper sends it.
    pub fn into_response(self) -> Response<Body> {
        let size = self.file.as_ref().and_then(|file| file.size_hint().exact());
        let mut response = Response::new(match self.file {
            Some(file) => file.map_err(Into::into).boxed_unsync(),
            None => Full::new(self.body).map_err(|never| match never {}).boxed_unsync(),
        });
        *response.status_mut() = self.status;
        if let Some(kind) = self.content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if let Some(size) = size {
            // hyper says nothing of no bytes when it answers a HEAD.
            response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size));
        }
        for (name, value) in self.headers {
            response.headers_mut().append(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_carries_its_type_and_its_bytes() {
        let reply = Reply::json(StatusCode::OK, "{\"pull\":false}").closing().into_response();
        assert_eq!(reply.status(), 200);
        assert_eq!(reply.headers()["content-type"], "application/json");
        assert_eq!(reply.headers()["connection"], "close");
        assert_eq!(reply.headers().len(), 2);
    }
}
