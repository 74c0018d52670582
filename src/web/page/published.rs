//! Files that devices may download, and those on their way to one.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect};

use super::moment::Moment;
use super::typed::{Typed, Wrong};
use super::{Frame, Page, Place, refused, render};
use crate::core::{Caller, Published};
use crate::model::{Timestamp, Transfer};
use crate::web::App;
use crate::web::auth::By;
use crate::web::error::WebError;
use crate::web::params::{Listed, Name, Params};

#[derive(Template)]
#[template(path = "published.html")]
pub(super) struct PublishedPage {
    frame: Frame,
    done: Option<&'static str>,
    wrong: Wrong,
    /// What stands beside the file that was not taken.
    typed: Typed,
    files: Vec<FileLine>,
    older: Option<String>,
    transfers: Vec<TransferLine>,
    most: String,
}

struct FileLine {
    name: String,
    size: String,
    sha256: String,
    label: Option<String>,
    target: Option<String>,
    published: Moment,
    /// Whether its bytes are there.
    available: bool,
}

struct TransferLine {
    id: String,
    device_id: String,
    device: String,
    file: String,
    state: &'static str,
    percent: u8,
    reason: String,
    changed: Moment,
    over: bool,
}

pub(crate) async fn show(State(app): State<App>, By(caller): By, params: Params) -> Page {
    render(&page(&app, &caller, &params).await?)
}

pub(crate) async fn remove(State(app): State<App>, Name(name): Name, By(caller): By, params: Params) -> Page {
    match app.hub.withdraw_file(&name).await {
        Ok(()) => Ok(Redirect::to("/published?done=removed").into_response()),
        Err(error) => {
            let page = page(&app, &caller, &params).await?;
            refused(&error.into(), |wrong| PublishedPage { wrong, ..page })
        }
    }
}

pub(super) async fn page(app: &App, caller: &Caller, params: &Params) -> Result<PublishedPage, WebError> {
    let files = app.hub.files(params.cursor()?, FILES_MAX + 1).await?;
    let found = app.hub.files_available(&files.iter().map(|(_, file)| file).collect::<Vec<_>>()).await;
    let mut found = found.into_iter();
    let cursor = |(at, file): &(Timestamp, Published)| (*at, file.name.as_str().to_owned());
    let line = |(_, file): (Timestamp, Published)| FileLine {
        available: found.next().unwrap_or(false),
        name: file.name.as_str().to_owned(),
        size: bytes(file.size),
        sha256: file.sha256,
        label: file.about.label,
        target: file.about.target,
        published: Moment::at(file.published),
    };
    let (files, next) = Listed::page(files, FILES_MAX, cursor, line).into_parts();
    let sight = app.hub.sight(caller);
    let transfers = app.hub.transfers(None, None, TRANSFERS_READ).await?;
    let seen = transfers.into_iter().filter(|(_, transfer)| sight.sees(&transfer.device.id));
    Ok(PublishedPage {
        frame: Frame::of(app, caller, Place::Files, "Files").await,
        done: params.text("done").and_then(done),
        wrong: Wrong::default(),
        typed: Typed::default(),
        files,
        older: next.map(|next| format!("/published?cursor={next}")),
        transfers: seen.take(TRANSFERS_MAX).map(|(_, transfer)| TransferLine::of(app, transfer)).collect(),
        most: bytes(app.hub.settings().file_bytes_max),
    })
}

impl PublishedPage {
    /// The same with an upload that was not taken.
    pub(super) fn again(self, wrong: Wrong, typed: Typed) -> Self {
        Self { wrong, typed, ..self }
    }
}

impl TransferLine {
    fn of(app: &App, transfer: Transfer) -> Self {
        let known = app.hub.device(&transfer.device.id).map(|device| device.names.name);
        Self {
            percent: transfer.percent(),
            over: transfer.is_over(),
            state: transfer.state.as_str(),
            id: transfer.id.to_string(),
            device_id: transfer.device.id.to_string(),
            device: known.unwrap_or(transfer.device.name),
            file: transfer.parcel.file,
            reason: transfer.reason,
            changed: Moment::ago(transfer.changed),
        }
    }
}

/// A number of bytes as people say it.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let mut rest = count as f64;
    let mut unit = 0;
    while rest >= 1000.0 && unit + 1 < UNITS.len() {
        rest /= 1000.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || rest >= 100.0 { format!("{rest:.0} {name}") } else { format!("{rest:.1} {name}") }
}

fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "removed" => "The file is removed: devices can no longer download it.",
        "uploaded" => "The file is uploaded, and devices can download it now.",
        "replaced" => "The file is uploaded in place of the one of its name.",
        _ => return None,
    })
}

const FILES_MAX: u32 = 100;
const TRANSFERS_READ: u32 = 100;
const TRANSFERS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    #[test]
    fn sizes_are_said_shortly() {
        for (count, said) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_048_576, "1.0 MB"),
            (123_456_789, "123 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(super::bytes(count), said);
        }
    }
}
