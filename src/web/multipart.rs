//! A form with files (`multipart/form-data`, RFC 7578), read part by part as it arrives: what is held of it in memory is one piece
//! of a file, or one short field.

use axum::body::Body;
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, header};
use memchr::memmem;

use super::api::files::next;
use super::error::WebError;

/// A form on its way in.
pub(crate) struct Multipart {
    body: Body,
    /// What has come and was not given on yet.
    held: BytesMut,
    /// What stands before each part: a line's end and the boundary.
    delimiter: Vec<u8>,
    within: Within,
}

/// What the next bytes belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// What stands before the first part, or a part that goes on.
    Part,
    /// The head of the next part, or the end.
    Between,
    /// What comes behind the last part.
    End,
}

/// What stands above a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Part {
    /// The field's name.
    pub(crate) name: String,
    /// What the file is called where it comes from; `None` of a field that is none.
    pub(crate) file: Option<String>,
}

impl Multipart {
    /// The form that a request with these headers brings; `None` when it says that it is none.
    pub(crate) fn of(headers: &HeaderMap, body: Body) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let (kind, rest) = kind.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameters(rest).find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?.1;
        let fits = (1..=BOUNDARY_CHARS_MAX).contains(&boundary.len());
        // The first boundary has no line before it.
        let held = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        fits.then_some(Self { body, held, delimiter, within: Within::Part })
    }

    /// The next part; what is left of the one before it is passed over. `None` behind the last one.
    ///
    /// # Errors
    /// The form cannot be read, or did not arrive whole.
    pub(crate) async fn part(&mut self) -> Result<Option<Part>, WebError> {
        while self.piece().await?.is_some() {}
        if self.within == Within::End {
            return Ok(None);
        }
        let line = self.until(b"\r\n").await?;
        if line.starts_with(b"--") {
            self.within = Within::End;
            return Ok(None);
        }
        let mut part = Part::default();
        loop {
            let line = self.until(b"\r\n").await?;
            if line.is_empty() {
                break;
            }
            let line = String::from_utf8_lossy(&line);
            let Some((name, value)) = line.split_once(':') else {
                return Err(unreadable("a part of the form has a line that is no header"));
            };
            if !name.trim().eq_ignore_ascii_case("content-disposition") {
                continue;
            }
            for (name, value) in parameters(value.split_once(';').map_or("", |(_, rest)| rest)) {
                match name.as_str() {
                    "name" => part.name = value,
                    "filename" => part.file = Some(value),
                    _ => {}
                }
            }
        }
        self.within = Within::Part;
        Ok(Some(part))
    }

    /// The next piece of the part; `None` at its end.
    ///
    /// # Errors
    /// The form did not arrive whole.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, WebError> {
        if self.within != Within::Part {
            return Ok(None);
        }
        loop {
            if let Some(at) = memmem::find(&self.held, &self.delimiter) {
                if at > 0 {
                    return Ok(Some(self.held.split_to(at).freeze()));
                }
                self.held.advance(self.delimiter.len());
                self.within = Within::Between;
                return Ok(None);
            }
            // What may be the beginning of a boundary stays.
            let sure = self.held.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.held.split_to(sure).freeze()));
            }
            self.more().await?;
        }
    }

    /// The text of the part, which is a short field; `too_long` says which one is not.
    ///
    /// # Errors
    /// It is longer, or the form did not arrive whole.
    pub(crate) async fn text(&mut self, name: &str) -> Result<String, WebError> {
        let mut text = Vec::new();
        while let Some(piece) = self.piece().await? {
            text.extend_from_slice(&piece);
            if text.len() > TEXT_BYTES_MAX {
                return Err(WebError::field(name, format!("this has {TEXT_BYTES_MAX} bytes at most")));
            }
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// What comes before a mark, which is passed over.
    async fn until(&mut self, mark: &[u8]) -> Result<Bytes, WebError> {
        loop {
            if let Some(at) = memmem::find(&self.held, mark) {
                let found = self.held.split_to(at).freeze();
                self.held.advance(mark.len());
                return Ok(found);
            }
            if self.held.len() > HEAD_LINE_BYTES_MAX {
                return Err(unreadable("the head of a part of the form is too long"));
            }
            self.more().await?;
        }
    }

    async fn more(&mut self) -> Result<(), WebError> {
        let bytes = next(&mut self.body).await?;
        self.held.extend_from_slice(&bytes.ok_or_else(|| unreadable("the form did not arrive whole"))?);
        Ok(())
    }
}

fn unreadable(message: &str) -> WebError {
    WebError::Unreadable(message.to_owned())
}

/// The parameters of a header, `name=value; name="value"`. Browsers write a quote within one as `%22`, others with a backslash.
fn parameters(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t', ';']).to_ascii_lowercase();
        let Some(quoted) = after.trim_start().strip_prefix('"') else {
            let (value, more) = after.split_once(';').unwrap_or((after, ""));
            rest = more;
            return Some((name, value.trim().to_owned()));
        };
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        rest = "";
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    rest = quoted.get(at + 1..).unwrap_or_default();
                    break;
                }
                '\\' if quoted.get(at + 1..).is_some_and(|more| more.starts_with(['"', '\\'])) => {
                    value.extend(letters.next().map(|(_, letter)| letter));
                }
                _ => value.push(letter),
            }
        }
        Some((name, value.replace("%22", "\"")))
    })
}

/// RFC 2046 §5.1.1.
const BOUNDARY_CHARS_MAX: usize = 70;
const HEAD_LINE_BYTES_MAX: usize = 4096;
/// A field that is no file.
const TEXT_BYTES_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::HeaderValue;
    use http_body_util::StreamBody;
    use hyper::body::Frame;

    use super::*;

    /// The parts of a form that comes in pieces cut at these places.
    async fn read(form: &[u8], cuts: &[usize]) -> Result<Vec<(Part, Vec<u8>)>, WebError> {
        let mut pieces = Vec::new();
        let mut begin = 0;
        for cut in cuts.iter().map(|cut| cut % (form.len() + 1)).chain([form.len()]) {
            if cut > begin {
                pieces.push(Ok::<_, Infallible>(Frame::data(Bytes::copy_from_slice(&form[begin..cut]))));
                begin = cut;
            }
        }
        let body = Body::new(StreamBody::new(tokio_stream_iter(pieces)));
        let mut form = Multipart::of(&headers("multipart/form-data; boundary=xYz"), body).unwrap();
        let mut found = Vec::new();
        while let Some(part) = form.part().await? {
            let mut bytes = Vec::new();
            while let Some(piece) = form.piece().await? {
                bytes.extend_from_slice(&piece);
            }
            found.push((part, bytes));
        }
        Ok(found)
    }

    fn tokio_stream_iter<T>(items: Vec<T>) -> impl futures_util::Stream<Item = T> {
        futures_util::stream::iter(items)
    }

    fn headers(kind: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))])
    }

    const FORM: &[u8] = b"--xYz\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n\r\n--xYz\r\n\
        content-disposition: form-data; filename=\"a \\\"b\\\" %22c%22; d.bin\"; name=file\r\nContent-Type: a/b\r\n\r\n\
        \r\n--xY\r\n--xyz--\r\n\r\n--xYz--\r\nand more";

    proptest::proptest! {
        #[test]
        fn a_form_is_the_same_however_it_is_cut(mut cuts in proptest::collection::vec(0_usize..400, 0..12)) {
            cuts.sort_unstable();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let parts = runtime.block_on(read(FORM, &cuts)).unwrap();
            let (file, bytes) = &parts[1];
            assert_eq!(parts.len(), 2);
            assert_eq!(parts[0], (Part { name: "name".to_owned(), file: None }, Vec::new()));
            assert_eq!((file.name.as_str(), file.file.as_deref()), ("file", Some("a \"b\" \"c\"; d.bin")));
            assert_eq!(bytes, b"\r\n--xY\r\n--xyz--\r\n");
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_form_is_refused() {
        for form in [
            &b""[..],
            b"--xYz\r\n",
            b"--xYz\r\nContent-Disposition: form-data; name=a\r\n\r\nhalf",
            b"--xYz\r\nno header\r\n\r\n\r\n--xYz--\r\n",
            &[&b"--xYz\r\n"[..], &[b'x'; 5000]].concat(),
        ] {
            assert!(read(form, &[]).await.is_err(), "{:?}", String::from_utf8_lossy(form));
        }
        for kind in [
            "multipart/mixed; boundary=a",
            "multipart/form-data",
            "multipart/form-data; boundary=\"\"",
            "text/plain",
        ] {
            assert!(Multipart::of(&headers(kind), Body::empty()).is_none(), "{kind}");
        }
        let quoted =
            Multipart::of(&headers("Multipart/Form-Data; charset=x; Boundary=\"a b\""), Body::empty());
        assert_eq!(quoted.unwrap().delimiter, b"\r\n--a b");
    }
}
