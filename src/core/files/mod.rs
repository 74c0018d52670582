//! Files that devices may download: what is published, under which name, and the bytes.
//!
//! A published file is a record and a content. The content lies in the files' folder under the name of its own
//! SHA-256, so a name is never part of a path, a file that is replaced is replaced in one step, and bytes that are
//! being sent stay as they are.

mod name;
mod shelf;
#[cfg(test)]
mod tests;
mod upload;

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use name::FileName;
pub(super) use shelf::Shelf;
pub use upload::Upload;

use super::{Hub, HubError, Kept};
use crate::model::Timestamp;

/// A file that devices may download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Published {
    /// The name it is asked for by.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, 64 hex digits in lower case.
    pub sha256: String,
    /// MD5 of its bytes, 32 hex digits in lower case: equipment may list a file with it (`cwm-oke.md §8`).
    pub md5: String,
    /// CRC-16/IBM-3740 of its bytes, four hex digits in upper case: equipment may list a file with this instead.
    pub crc16: String,
    /// When it was published.
    pub published: Timestamp,
    /// What is said about it.
    #[serde(flatten)]
    pub about: About,
}

/// What an owner says about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct About {
    /// Which version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The model of device it is made for. Only such a file is firmware.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

impl About {
    /// A label and a target of 1 to 64 characters each; empty ones are none.
    ///
    /// # Errors
    /// `Invalid` names the one that cannot be.
    pub fn new(label: Option<&str>, target: Option<&str>) -> Result<Self, HubError> {
        let checked = |field, text: Option<&str>| {
            let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
            if text.chars().count() > ABOUT_CHARS_MAX || text.chars().any(char::is_control) {
                let message = format!("{field} has 1 to {ABOUT_CHARS_MAX} printable characters");
                return Err(HubError::invalid(field, message));
            }
            Ok(Some(text.to_owned()))
        };
        Ok(Self { label: checked("label", label)?, target: checked("target", target)? })
    }
}

impl Kept for Published {
    const KIND: &'static str = "file";

    fn key(&self) -> String {
        self.name.as_str().to_owned()
    }
}

impl Published {
    /// The strong entity tag of its bytes, in quotes.
    pub fn tag(&self) -> String {
        format!("\"{}\"", self.sha256)
    }
}

/// The bytes of a published file, open: they stay as they are although the file is replaced or withdrawn.
#[derive(Clone, Debug)]
pub struct Content {
    file: Arc<File>,
    size: u64,
}

impl Content {
    /// Its length in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Up to `length` bytes from `offset`; fewer only at the end, none beyond it.
    pub async fn read_at(&self, offset: u64, length: usize) -> Result<Bytes, HubError> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (file, length) = (Arc::clone(&self.file), length.min(left));
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = vec![0; length];
            std::os::unix::fs::FileExt::read_exact_at(&*file, &mut bytes, offset).map(|()| bytes)
        });
        let read = read.await.map_err(std::io::Error::other).flatten();
        read.map(Bytes::from).map_err(|error| shelf::failed("a file cannot be read", &error))
    }

    /// The open file, for whoever reads it in another way.
    pub fn into_file(self) -> Arc<File> {
        self.file
    }
}

impl Hub {
    /// The file published under a name; `None` for names that no file can have.
    pub async fn file(&self, name: &str) -> Result<Option<Published>, HubError> {
        match FileName::parse(name) {
            Ok(name) => self.kept(name.as_str()).await,
            Err(_) => Ok(None),
        }
    }

    /// A page of published files with the time each was kept, newest first: older than `before`, which is the
    /// time and name of the last one seen.
    pub async fn files(
        &self,
        before: Option<(Timestamp, String)>,
        limit: u32,
    ) -> Result<Vec<(Timestamp, Published)>, HubError> {
        self.kept_all(None, before, limit).await
    }

    /// For each file, whether its bytes are there: a backup of the database does not hold them.
    pub async fn files_available(&self, files: &[&Published]) -> Vec<bool> {
        self.0.shelf.available(files).await
    }

    /// Opens the bytes of a published file. `NotFound` when they were replaced or withdrawn meanwhile.
    pub async fn open_file(&self, file: &Published) -> Result<Content, HubError> {
        match self.0.shelf.open(&file.sha256, file.size).await {
            Ok(opened) => Ok(Content { file: Arc::new(opened), size: file.size }),
            Err(error) => {
                tracing::error!(name = %file.name, sha256 = file.sha256, %error, "a published file cannot be opened");
                Err(HubError::NotFound("file"))
            }
        }
    }

    /// Finds and opens the file published under a name. One that is replaced at this moment is found, old or new.
    pub async fn open_named(&self, name: &FileName) -> Result<Option<(Published, Content)>, HubError> {
        let Some(file) = self.kept::<Published>(name.as_str()).await? else { return Ok(None) };
        if let Ok(opened) = self.0.shelf.open(&file.sha256, file.size).await {
            let content = Content { file: Arc::new(opened), size: file.size };
            return Ok(Some((file, content)));
        }
        let Some(file) = self.kept::<Published>(name.as_str()).await? else { return Ok(None) };
        match self.open_file(&file).await {
            Ok(content) => Ok(Some((file, content))),
            Err(HubError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Begins to publish a file, or to replace the one that has this name.
    ///
    /// # Errors
    /// `Invalid` and `Conflict` when no file can have the name, `Disk` when the folder cannot be written.
    pub async fn begin_file(&self, name: &str) -> Result<Upload, HubError> {
        let name = FileName::parse(name).map_err(|why| HubError::invalid("name", why))?;
        if self.is_name_taken(name.as_str()) {
            let message =
                format!("the path /{name} is a device's or a page's: publish it under another name");
            return Err(HubError::conflict("name", message));
        }
        Upload::begin(self.clone(), name).await
    }

    /// Withdraws a file; downloads under way finish.
    pub async fn withdraw_file(&self, name: &str) -> Result<(), HubError> {
        let hub = self.clone();
        let name = name.to_owned();
        self.whole(async move {
            let _turn = hub.0.shelf.turn().await;
            let file = hub.file(&name).await?.ok_or(HubError::NotFound("file"))?;
            hub.forget_kept::<Published>(&name).await?;
            tracing::info!(%name, sha256 = file.sha256, "file withdrawn");
            hub.drop_unused(&file.sha256).await;
            Ok(())
        })
        .await
    }

    /// Names that no file may have, because a path of devices or of pages begins with them. Said once, by whoever
    /// puts the server together.
    pub fn reserve_names(&self, names: impl IntoIterator<Item = String>) {
        let names: BTreeSet<String> = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
        if self.0.shelf.reserved.set(names).is_err() {
            tracing::debug!("names of paths were reserved before; those stay");
        }
    }

    /// Whether a name belongs to a path of devices or pages, letter case aside.
    pub fn is_name_taken(&self, name: &str) -> bool {
        let reserved = self.0.shelf.reserved.get();
        reserved.is_some_and(|names| names.contains(&name.to_ascii_lowercase()))
    }

    /// Removes what uploads that broke off long ago left behind, and says which files have lost their bytes. For
    /// the start.
    pub async fn tidy_files(&self) -> Result<(), HubError> {
        let _turn = self.0.shelf.turn().await;
        let mut used = BTreeSet::new();
        let mut before = None;
        loop {
            let page = self.kept_all::<Published>(None, before, PAGE).await?;
            let Some((at, last)) = page.last() else { break };
            before = Some((*at, last.key()));
            let files: Vec<_> = page.iter().map(|(_, file)| file).collect();
            for (file, available) in files.iter().zip(self.files_available(&files).await) {
                if !available {
                    tracing::warn!(name = %file.name, "a published file is not there: publish it again or remove it");
                }
            }
            used.extend(page.into_iter().map(|(_, file)| file.sha256));
        }
        self.0.shelf.tidy(used).await
    }

    /// Puts a finished upload in its place and tells the store; says whether a file had the name before.
    async fn publish(&self, file: Published, finished: shelf::Finished) -> Result<bool, HubError> {
        let _turn = self.0.shelf.turn().await;
        let before = self.file(file.name.as_str()).await?;
        self.0.shelf.place(finished, &file.sha256).await?;
        self.keep(&file).await?;
        tracing::info!(name = %file.name, size = file.size, sha256 = file.sha256, "file published");
        let Some(before) = before else { return Ok(false) };
        if before.sha256 != file.sha256 {
            self.drop_unused(&before.sha256).await;
        }
        Ok(true)
    }

    /// Removes a content that no published file has. What fails stays for [`Hub::tidy_files`].
    async fn drop_unused(&self, sha256: &str) {
        let mut before = None;
        loop {
            let page = match self.kept_all::<Published>(None, before, PAGE).await {
                Ok(page) => page,
                Err(error) => return tracing::warn!(%error, "a content that nobody uses stays for now"),
            };
            let Some((at, last)) = page.last() else { break };
            if page.iter().any(|(_, file)| file.sha256 == sha256) {
                return;
            }
            before = Some((*at, last.key()));
        }
        self.0.shelf.remove(sha256).await;
    }
}

const ABOUT_CHARS_MAX: usize = 64;
/// Records read at a time when all are looked through.
const PAGE: u32 = 500;
