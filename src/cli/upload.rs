//! A file as the body of a request, read while it is sent, with a progress bar when it takes a while.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use anyhow::bail;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::io::{AsyncRead as _, ReadBuf};

/// An open file of known size.
pub(super) struct FileToSend {
    file: tokio::fs::File,
    left: u64,
    buffer: Box<[u8]>,
    progress: ProgressBar,
}

impl FileToSend {
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        let file = tokio::fs::File::open(path).await?;
        let facts = file.metadata().await?;
        if !facts.is_file() {
            bail!("this is no file");
        }
        let left = facts.len();
        let progress = if left < BAR_FROM_BYTES { ProgressBar::hidden() } else { bar(left, path) };
        Ok(Self { file, left, buffer: vec![0; PIECE_BYTES].into(), progress })
    }
}

/// On a terminal's standard error; nowhere else.
fn bar(size: u64, path: &Path) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}");
    let bar = ProgressBar::new(size).with_message(path.display().to_string());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Body for FileToSend {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.left == 0 {
            this.progress.finish_and_clear();
            return Poll::Ready(None);
        }
        let most = usize::try_from(this.left).unwrap_or(usize::MAX).min(PIECE_BYTES);
        let mut read = ReadBuf::new(this.buffer.get_mut(..most).unwrap_or_default());
        if let Err(error) = ready!(Pin::new(&mut this.file).poll_read(cx, &mut read)) {
            return Poll::Ready(Some(Err(error)));
        }
        let bytes = Bytes::copy_from_slice(read.filled());
        if bytes.is_empty() {
            let error =
                io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
            return Poll::Ready(Some(Err(error)));
        }
        this.left = this.left.saturating_sub(bytes.len() as u64);
        this.progress.inc(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

const PIECE_BYTES: usize = 64 * 1024;
/// Smaller files are sent before anybody could look.
const BAR_FROM_BYTES: u64 = 8 * 1024 * 1024;
