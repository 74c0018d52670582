//! A file on its way in: written and summed piece by piece off the runtime, published in one step at its end.

use std::io::{self, Write as _};

use bytes::Bytes;
use md5::{Digest as _, Md5};
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::shelf::{Finished, Unfinished, failed};
use super::{About, FileName, Published};
use crate::core::secrets::hex;
use crate::core::{Hub, HubError};

/// A file that is being published. Dropped before [`Upload::publish`], it leaves nothing behind.
pub struct Upload {
    hub: Hub,
    name: FileName,
    size: u64,
    size_max: u64,
    about: About,
    pieces: mpsc::Sender<Piece>,
    writer: JoinHandle<io::Result<(Finished, Sums)>>,
}

impl Upload {
    pub(super) async fn begin(hub: Hub, name: FileName) -> Result<Self, HubError> {
        let unfinished = hub.0.shelf.begin().await?;
        let (pieces, taken) = mpsc::channel(PIECES_MAX);
        let writer = tokio::task::spawn_blocking(move || write(unfinished, taken));
        let size_max = hub.settings().file_bytes_max;
        Ok(Self { hub, name, size: 0, size_max, about: About::default(), pieces, writer })
    }

    /// Says something about it.
    pub fn describe(&mut self, about: About) {
        self.about = about;
    }

    /// Adds bytes. `TooLarge` when the file would be larger than files may be.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), HubError> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.size_max {
            return Err(HubError::TooLarge { limit_bytes: self.size_max });
        }
        if self.pieces.send(Piece::Bytes(bytes)).await.is_ok() {
            return Ok(());
        }
        // The writer has gone, and only an error makes it go.
        match (&mut self.writer).await.map_err(io::Error::other).flatten() {
            Err(error) => Err(failed("the file cannot be written", &error)),
            Ok(_) => Err(HubError::Disk("the file was not written whole".to_owned())),
        }
    }

    /// Makes the file durable and publishes it; says whether it replaces one of the same name. Downloads of that
    /// one finish with its bytes.
    pub async fn publish(self) -> Result<(Published, bool), HubError> {
        let Self { hub, name, size, about, pieces, writer, .. } = self;
        // Should the writer have gone, it says why below.
        drop(pieces.send(Piece::End).await);
        let written = writer.await.map_err(io::Error::other).flatten();
        let (finished, sums) = written.map_err(|error| failed("the file cannot be written", &error))?;
        let file = Published {
            name,
            size,
            sha256: hex(&sums.sha256),
            md5: hex(&sums.md5),
            crc16: format!("{:04X}", sums.crc16),
            published: hub.now(),
            about,
        };
        let publisher = hub.clone();
        hub.whole(async move {
            let replaced = publisher.publish(file.clone(), finished).await?;
            Ok((file, replaced))
        })
        .await
    }
}

enum Piece {
    Bytes(Bytes),
    /// All of it was there; a channel that just closes is an upload that broke off.
    End,
}

struct Sums {
    sha256: [u8; 32],
    md5: [u8; 16],
    crc16: u16,
}

fn write(mut to: Unfinished, mut pieces: mpsc::Receiver<Piece>) -> io::Result<(Finished, Sums)> {
    let (mut sha256, mut md5, mut crc16) = (Sha256::new(), Md5::new(), CRC16.digest());
    loop {
        let bytes = match pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => bytes,
            Some(Piece::End) => break,
            None => return Err(io::ErrorKind::ConnectionAborted.into()),
        };
        to.file.write_all(&bytes)?;
        sha256.update(&bytes);
        md5.update(&bytes);
        crc16.update(&bytes);
    }
    let sums = Sums { sha256: sha256.finalize().into(), md5: md5.finalize().into(), crc16: crc16.finalize() };
    Ok((to.finish()?, sums))
}

/// The sum that equipment lists its files with (`cwm-oke.md §5.1, §8`).
const CRC16: crc::Crc<u16> = crc::Crc::<u16>::new(&crc::CRC_16_IBM_3740);
/// Pieces that may wait for the disk; each is as large as the network made it, 16 KiB or so.
const PIECES_MAX: usize = 8;
