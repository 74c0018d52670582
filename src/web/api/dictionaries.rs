//! The data dictionaries that are in use, and the files that cannot be used.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::Answer;
use crate::web::App;

/// Everything on the shelf.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Dictionaries)]
pub(crate) struct Shelved {
    items: Vec<Item>,
    /// Files that cannot be used: the file, its line, and why.
    problems: Vec<String>,
}

#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Dictionary)]
struct Item {
    name: String,
    /// Which devices it is for.
    devices: String,
    keys: usize,
    /// `null` when it is built in.
    file: Option<String>,
}

/// What values are called and mean: the dictionaries in use.
#[utoipa::path(get, path = "/api/v1/dictionaries",
    responses((status = 200, body = Shelved)))]
pub(crate) async fn list(State(app): State<App>) -> Answer<Shelved> {
    let shelf = app.dictionaries.now();
    let item = |dictionary: &crate::dictionary::Dictionary| Item {
        name: dictionary.name.clone(),
        devices: dictionary.devices(),
        keys: dictionary.keys(),
        file: dictionary.file.as_ref().map(|file| file.display().to_string()),
    };
    Ok(Json(Shelved {
        items: shelf.list.iter().map(|dictionary| item(dictionary)).collect(),
        problems: shelf.problems.iter().map(ToString::to_string).collect(),
    }))
}
