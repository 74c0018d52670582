//! What a device hears: a body of known size and the fewest headers.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Frame};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, Version};

use super::session::{Session, Talk};
use super::{Body, BoxError, FileBody};

/// An answer. Its bytes on the wire are frozen: status line, `Content-Type`, whatever was added by
/// [`Reply::with`], `Content-Length` (or `Transfer-Encoding`, see [`Reply::chunked`]), `Date`.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: StatusCode,
    /// Media type; `None` sends no such header.
    pub content_type: Option<&'static str>,
    /// Whole body; empty when a file is sent.
    pub body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    form: Form,
}

/// How the body is sent, and what follows it.
enum Form {
    Whole,
    Chunk,
    File(FileBody),
    Switch(Session),
}

impl Reply {
    /// A JSON body, sent as these exact bytes.
    pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::new(status, Some("application/json"), body.into())
    }

    /// Plain text in UTF-8.
    pub fn text(status: StatusCode, body: &str) -> Self {
        Self::new(status, Some("text/plain; charset=utf-8"), Bytes::copy_from_slice(body.as_bytes()))
    }

    /// Raw bytes of any type.
    pub fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self::new(status, Some(content_type), body.into())
    }

    /// Bytes of a file, read while they are sent.
    pub fn file(status: StatusCode, content_type: &'static str, file: FileBody) -> Self {
        Self { form: Form::File(file), ..Self::new(status, Some(content_type), Bytes::new()) }
    }

    /// No body.
    pub const fn empty(status: StatusCode) -> Self {
        Self::new(status, None, Bytes::new())
    }

    /// 101: after it, nothing on this connection is HTTP, and `talk` has it. Only for a request that carries
    /// `Upgrade`; one of HTTP/1.0 is answered 426 instead. The headers that belong to it are added by
    /// [`Reply::with`]; but for `Date` no others are sent.
    pub fn switching(talk: Talk) -> Self {
        Self { form: Form::Switch(Session::new(talk)), ..Self::empty(StatusCode::SWITCHING_PROTOCOLS) }
    }

    const fn new(status: StatusCode, content_type: Option<&'static str>, body: Bytes) -> Self {
        Self { status, content_type, body, headers: Vec::new(), form: Form::Whole }
    }

    /// Sends the whole body as one chunk, its size in upper-case hexadecimal without leading zeros, and no
    /// `Content-Length` (`sca11h.md §3.4`). A caller of HTTP/1.0 gets `Content-Length` all the same.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        if matches!(self.form, Form::Whole) {
            self.form = Form::Chunk;
        }
        self
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

    /// The answer as hyper sends it to a caller of HTTP/1.1.
    pub fn into_response(self) -> Response<Body> {
        self.into_response_to(Version::HTTP_11)
    }

    /// The answer as hyper sends it to a caller of this version.
    pub fn into_response_to(self, version: Version) -> Response<Body> {
        if matches!(self.form, Form::Switch(_)) && version <= Version::HTTP_10 {
            return Self::empty(StatusCode::UPGRADE_REQUIRED).closing().into_response_to(version);
        }
        let mut size = None;
        let mut session = None;
        let whole = |body| Full::new(body).map_err(|never| match never {}).boxed_unsync();
        let body = match self.form {
            Form::File(file) => {
                size = file.size_hint().exact();
                file.map_err(Into::into).boxed_unsync()
            }
            Form::Chunk if version > Version::HTTP_10 => Chunk(Some(self.body)).boxed_unsync(),
            Form::Chunk | Form::Whole => whole(self.body),
            Form::Switch(talk) => {
                session = Some(talk);
                whole(Bytes::new())
            }
        };
        let mut response = Response::new(body);
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
        if let Some(session) = session {
            response.extensions_mut().insert(session);
        }
        response
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whole => "Whole",
            Self::Chunk => "Chunk",
            Self::File(_) => "File",
            Self::Switch(_) => "Switch",
        })
    }
}

/// A body of one piece that does not say its size beforehand, so that hyper sends it as a chunk.
struct Chunk(Option<Bytes>);

impl hyper::body::Body for Chunk {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        // A chunk of no bytes would be the end.
        Poll::Ready(self.0.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
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
