//! Publishing, replacing and withdrawing over a real store and a real folder.

use std::fs;
use std::path::PathBuf;

use bytes::Bytes;

use super::*;
use crate::core::HubSettings;
use crate::core::tests::Bench;

struct Place {
    bench: Bench,
    dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files_dir = dir.path().join("files");
        let bench =
            Bench::new(HubSettings { files_dir, file_bytes_max: 1000, ..HubSettings::default() }).await;
        Self { bench, dir }
    }

    fn hub(&self) -> &Hub {
        &self.bench.hub
    }

    async fn publish(&self, name: &str, bytes: &[u8]) -> (Published, bool) {
        let mut upload = self.hub().begin_file(name).await.unwrap();
        for piece in bytes.chunks(7) {
            upload.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        upload.publish().await.unwrap()
    }

    async fn read(&self, file: &Published) -> Bytes {
        let content = self.hub().open_file(file).await.unwrap();
        content.read_at(0, usize::MAX).await.unwrap()
    }

    /// Names in the folder of contents.
    fn contents(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder()) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("files/published")
    }
}

#[tokio::test]
async fn a_file_is_published_with_its_sums_and_read_in_parts() {
    let place = Place::new().await;
    let (file, replaced) = place.publish("check", b"123456789").await;
    assert!(!replaced);
    assert_eq!((file.size, file.crc16.as_str()), (9, "29B1")); // cwm-oke.md §5.1
    assert_eq!(file.md5, "25f9e794323b453885f5181f1b624d0b");
    assert_eq!(file.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    assert_eq!(place.hub().file("check").await.unwrap(), Some(file.clone()));
    let content = place.hub().open_file(&file).await.unwrap();
    assert_eq!(content.size(), 9);
    for (offset, length, want) in [(0, 4, "1234"), (4, 100, "56789"), (8, 1, "9"), (9, 5, ""), (90, 5, "")] {
        assert_eq!(content.read_at(offset, length).await.unwrap(), want);
    }
}

#[tokio::test]
async fn a_file_is_replaced_in_one_step_and_readers_keep_the_old_one() {
    let place = Place::new().await;
    let (old, _) = place.publish("a", b"old").await;
    let held = place.hub().open_file(&old).await.unwrap();
    let (new, replaced) = place.publish("a", b"newer").await;
    assert!(replaced);
    assert_eq!(place.read(&new).await, "newer");
    assert_eq!(held.read_at(0, 9).await.unwrap(), "old");
    assert_eq!(place.hub().open_file(&old).await.unwrap_err(), HubError::NotFound("file"));
    assert_eq!(place.contents(), [new.sha256]);
    assert_eq!(place.hub().files(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn two_names_may_have_the_same_content() {
    let place = Place::new().await;
    let (one, _) = place.publish("one", b"same").await;
    place.publish("two", b"same").await;
    place.hub().withdraw_file("two").await.unwrap();
    assert_eq!(place.read(&one).await, "same");
    place.hub().withdraw_file("one").await.unwrap();
    assert_eq!(place.contents(), Vec::<String>::new());
    assert_eq!(place.hub().withdraw_file("one").await, Err(HubError::NotFound("file")));
}

#[tokio::test]
async fn what_breaks_off_or_is_too_large_leaves_nothing() {
    let place = Place::new().await;
    let mut upload = place.hub().begin_file("a").await.unwrap();
    upload.write(Bytes::from_static(b"half")).await.unwrap();
    drop(upload);
    let mut upload = place.hub().begin_file("a").await.unwrap();
    let refused = upload.write(Bytes::from(vec![0; 1001])).await.unwrap_err();
    assert_eq!(refused, HubError::TooLarge { limit_bytes: 1000 });
    drop(upload);
    // The writers end on threads of their own.
    while !place.contents().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(place.hub().file("a").await.unwrap(), None);
}

#[tokio::test]
async fn names_of_paths_are_refused_in_any_letter_case() {
    let place = Place::new().await;
    place.hub().reserve_names(["push".to_owned(), "login".to_owned()]);
    for name in ["push", "PUSH", "Login"] {
        let refused = place.hub().begin_file(name).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, HubError::Conflict { field: "name", .. }), "{name}: {refused}");
    }
    for name in ["..", "../a", "a/b", "/etc/passwd", "%2e%2e", "a\0b", ".hidden", ""] {
        let refused = place.hub().begin_file(name).await.map(|_| ()).unwrap_err();
        assert!(matches!(refused, HubError::Invalid { field: "name", .. }), "{name}: {refused}");
        assert_eq!(place.hub().file(name).await.unwrap(), None);
    }
    assert!(place.hub().begin_file("push2").await.is_ok());
}

#[tokio::test]
async fn a_content_that_somebody_changed_is_not_given_out() {
    let place = Place::new().await;
    let (file, _) = place.publish("a", b"secret").await;
    let path = place.folder().join(&file.sha256);
    let outside = place.dir.path().join("outside");
    fs::write(&outside, b"SECRET").unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(place.hub().files_available(&[&file]).await, [false]);
    std::os::unix::fs::symlink(&outside, &path).unwrap();
    assert!(place.hub().open_file(&file).await.is_err(), "a link leads out of the folder");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(place.hub().open_file(&file).await.is_err(), "a folder is no file");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, b"longer than it was").unwrap();
    assert!(place.hub().open_file(&file).await.is_err(), "another length");
    let name = FileName::parse("a").unwrap();
    assert!(place.hub().open_named(&name).await.unwrap().is_none());
    let (again, _) = place.publish("a", b"secret").await;
    assert_eq!(place.read(&again).await, "secret", "publishing it again puts it right");
    assert_eq!(place.hub().files_available(&[&again]).await, [true]);
}

#[tokio::test]
async fn a_record_cannot_lead_out_of_the_folder() {
    let place = Place::new().await;
    let (mut file, _) = place.publish("a", b"x").await;
    for sum in ["../../etc/passwd", "", "..", "/etc/passwd"] {
        sum.clone_into(&mut file.sha256);
        assert_eq!(place.hub().open_file(&file).await.unwrap_err(), HubError::NotFound("file"));
    }
}

#[tokio::test]
async fn only_old_remains_are_tidied_away() {
    let place = Place::new().await;
    let (kept, _) = place.publish("a", b"kept").await;
    let long_ago = std::time::UNIX_EPOCH;
    let put = |name: &str, old: bool| {
        let file = File::create(place.folder().join(name)).unwrap();
        if old {
            file.set_modified(long_ago).unwrap();
        }
    };
    let sum = "ab".repeat(32);
    put(".upload-old", true);
    put(&sum, true);
    put(".upload-young", false);
    put("somebody's notes", true);
    File::open(place.folder().join(&kept.sha256)).unwrap().set_modified(long_ago).unwrap();
    place.hub().tidy_files().await.unwrap();
    let mut left = place.contents();
    left.sort();
    let mut want = vec![".upload-young".to_owned(), kept.sha256, "somebody's notes".to_owned()];
    want.sort();
    assert_eq!(left, want);
}
