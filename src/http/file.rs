//! Bytes of a file on their way out: read in pieces, one ahead of the connection, so that a file of any size takes
//! the same memory.

use std::fs::File;
use std::future::Future as _;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

/// A part of a file as a body. Its length is known from the start and kept: a file that turns out shorter ends the
/// connection, so that nobody takes half of it for the whole.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    /// Not yet read.
    ahead: Range<u64>,
    /// Not yet given away.
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// `part` of an open file, which nobody else reads from: its position is moved.
    pub const fn new(file: Arc<File>, part: Range<u64>) -> Self {
        let left = part.end.saturating_sub(part.start);
        Self { file, ahead: part, left, reading: None }
    }

    /// Begins to read the next piece, if there is one.
    fn read_on(&mut self) {
        let at = self.ahead.start;
        let length = self.ahead.end.saturating_sub(at).min(PIECE_BYTES);
        if length == 0 {
            return;
        }
        self.ahead.start += length;
        let file = Arc::clone(&self.file);
        self.reading = Some(tokio::task::spawn_blocking(move || piece(&file, at, length)));
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.reading.is_none() {
            self.read_on();
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        self.reading = None;
        match read {
            Ok(bytes) => {
                self.left = self.left.saturating_sub(bytes.len() as u64);
                self.read_on();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Err(error) => {
                tracing::error!(%error, "a file could not be read to its end; the download is cut");
                self.ahead.end = self.ahead.start;
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn piece(mut file: &File, at: u64, length: u64) -> io::Result<Bytes> {
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.seek(SeekFrom::Start(at))?;
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length {
        Ok(bytes.into())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file is shorter than it was"))
    }
}

/// What is read at a time; a download holds two of these at most.
const PIECE_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn file(bytes: &[u8]) -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, bytes).unwrap();
        Arc::new(file)
    }

    #[tokio::test]
    async fn any_part_comes_out_as_it_is() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0] ^ 0x5A).collect();
        for part in [0..0, 0..1, 0..65_536, 1..65_537, 65_535..200_000, 0..200_000, 199_999..200_000] {
            let body = FileBody::new(file(&bytes), part.start as u64..part.end as u64);
            assert_eq!(body.size_hint().exact(), Some(part.len() as u64));
            assert_eq!(body.is_end_stream(), part.is_empty());
            let found = body.collect().await.unwrap().to_bytes();
            assert_eq!(found, &bytes[part]);
        }
    }

    #[tokio::test]
    async fn a_file_cut_short_is_an_error_and_not_an_end() {
        let mut body = FileBody::new(file(&vec![7; 100_000]), 0..150_000);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), 65_536);
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none());
    }
}
