//! Bytes of a file on their way out, piece by piece, so that a file of any size takes the same memory.

use std::fs::File;
use std::future::Future as _;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

/// A part of a file as a body. Its length is known from the start and kept: a file that turns out shorter ends the
/// connection, so that nobody takes half of it for the whole.
///
/// What the kernel has in memory is read at once, since that takes less than waking a thread for it. For the rest a
/// thread waits, which also makes the kernel read ahead.
#[derive(Debug)]
pub struct FileBody {
    file: Arc<File>,
    /// Not yet given away.
    left: Range<u64>,
    reading: Option<JoinHandle<io::Result<BytesMut>>>,
    /// The piece given away last: its memory is used again as soon as it has been sent.
    given: Bytes,
}

impl FileBody {
    /// `part` of an open file.
    pub const fn new(file: Arc<File>, part: Range<u64>) -> Self {
        Self { file, left: part, reading: None, given: Bytes::new() }
    }

    /// Room for the next piece.
    fn room(&mut self) -> BytesMut {
        let length = self.left.end.saturating_sub(self.left.start).min(PIECE_BYTES);
        let mut room = std::mem::take(&mut self.given).try_into_mut().unwrap_or_default();
        room.resize(usize::try_from(length).unwrap_or_default(), 0);
        room
    }

    /// The next piece, or as much of it as takes no waiting. Begins to wait for it if there is nothing.
    fn read(&mut self) -> Option<BytesMut> {
        let (mut room, at) = (self.room(), self.left.start);
        if let Some(length) = in_memory(&self.file, &mut room, at) {
            room.truncate(length);
            return Some(room);
        }
        let file = Arc::clone(&self.file);
        self.reading = Some(tokio::task::spawn_blocking(move || {
            file.read_exact_at(&mut room, at)?;
            Ok(room)
        }));
        None
    }

    fn give(&mut self, piece: BytesMut) -> Frame<Bytes> {
        self.left.start += piece.len() as u64;
        let piece = piece.freeze();
        self.given = piece.clone();
        Frame::data(piece)
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if self.reading.is_none()
            && let Some(piece) = self.read()
        {
            return Poll::Ready(Some(Ok(self.give(piece))));
        }
        let Some(reading) = self.reading.as_mut() else { return Poll::Ready(None) };
        let read = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        self.reading = None;
        Poll::Ready(Some(match read {
            Ok(piece) => Ok(self.give(piece)),
            Err(error) => {
                tracing::error!(%error, "a file could not be read to its end; the download is cut");
                self.left.start = self.left.end;
                Err(error)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end.saturating_sub(self.left.start))
    }
}

/// Reads what the kernel has in memory, as far as it has it; `None` when it has nothing of it or cannot say.
#[cfg(target_os = "linux")]
fn in_memory(file: &File, room: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    let read = preadv2(file, &mut [io::IoSliceMut::new(room)], at, ReadWriteFlags::NOWAIT);
    read.ok().filter(|length| *length > 0)
}

#[cfg(not(target_os = "linux"))]
fn in_memory(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
    None
}

/// What is read at a time, and all that a download holds of its file.
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
    async fn the_memory_of_a_piece_that_was_sent_is_used_again() {
        let mut body = FileBody::new(file(&vec![7; 200_000]), 0..200_000);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let place = first.as_ptr();
        let second = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_ne!(second.as_ptr(), place, "the first one is still held");
        drop((first, second));
        let third = body.frame().await.unwrap().unwrap().into_data().unwrap();
        let place = third.as_ptr();
        drop(third);
        let last = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!((last.as_ptr(), last.len()), (place, 200_000 - 3 * 65_536));
        assert_eq!(last, vec![7; last.len()]);
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn what_a_thread_has_read_is_the_same() {
        let mut body = FileBody::new(file(&vec![7; 100_000]), 0..100_000);
        let mut room = body.room();
        let source = Arc::clone(&body.file);
        body.reading = Some(tokio::task::spawn_blocking(move || {
            source.read_exact_at(&mut room, 0)?;
            Ok(room)
        }));
        assert_eq!(body.collect().await.unwrap().to_bytes(), vec![7; 100_000]);
    }

    #[tokio::test]
    async fn a_file_cut_short_is_an_error_and_not_an_end() {
        let mut body = FileBody::new(file(&vec![7; 100_000]), 0..150_000);
        let mut read = 0;
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => read += frame.into_data().unwrap().len(),
                Err(error) => break error,
            }
        };
        assert!(read <= 100_000, "{read}");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(body.frame().await.is_none());
    }
}
