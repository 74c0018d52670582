//! The API for people to read: the description, drawn here as a page that needs no script and fetches nothing.

use std::collections::BTreeMap;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use serde_json::Value;

use super::{Frame, Page, Place, render};
use crate::core::Caller;
use crate::web::App;
use crate::web::error::WebError;

#[derive(Template)]
#[template(path = "api.html")]
struct ApiPage {
    frame: Frame,
    groups: Vec<Group>,
    /// Name and text.
    schemas: Vec<(String, String)>,
}

struct Group {
    name: String,
    calls: Vec<Call>,
}

struct Call {
    id: String,
    method: String,
    path: String,
    role: String,
    summary: String,
    description: String,
    /// Name, place, what it is.
    parameters: Vec<(String, String, String)>,
    /// The schema's name, or the content's kind; whether it is a schema's.
    body: Option<(String, bool)>,
    /// The status; the schema's name or what it means; whether it is a schema's.
    replies: Vec<(String, String, bool)>,
}

/// Draws the page.
pub(crate) async fn show(State(app): State<App>, caller: Option<Extension<Caller>>) -> Page {
    let document: Value = serde_json::from_slice(&app.description())
        .map_err(|error| WebError::Unreadable(format!("the description is no JSON: {error}")))?;
    let frame = match &caller {
        Some(Extension(caller)) => Frame::of(&app, caller, Place::Elsewhere, "API").await,
        None => Frame::outside("API"),
    };
    let schemas = members(document.pointer("/components/schemas").unwrap_or(&Value::Null))
        .map(|(name, schema)| (name.clone(), format!("{schema:#}")))
        .collect();
    render(&ApiPage { frame, groups: groups(&document), schemas })
}

fn groups(document: &Value) -> Vec<Group> {
    let mut groups: BTreeMap<String, Vec<Call>> = BTreeMap::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            let call = call(path, method, operation);
            groups.entry(text(operation.pointer("/tags/0").unwrap_or(&Value::Null))).or_default().push(call);
        }
    }
    groups.into_iter().map(|(name, calls)| Group { name, calls }).collect()
}

fn call(path: &str, method: &str, operation: &Value) -> Call {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameter = |one: &Value| {
        let schema = &one["schema"];
        let bounds = ["minimum", "maximum", "default"]
            .iter()
            .filter_map(|name| schema.get(*name).map(|bound| format!("{name} {bound}")));
        let words: Vec<_> = [text(&one["description"]), text(&schema["type"])]
            .into_iter()
            .filter(|word| !word.is_empty())
            .chain(bounds)
            .collect();
        (text(&one["name"]), text(&one["in"]), words.join(", "))
    };
    let content = |part: &Value| {
        let (kind, content) = members(&part["content"]).next()?;
        let schema = &content["schema"];
        let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        Some(name.map_or_else(|| (kind.clone(), false), |name| (name.to_owned(), true)))
    };
    let reply = |(status, reply): (&String, &Value)| {
        let said = text(&reply["description"]);
        let (what, is_schema) = match content(reply) {
            Some((name, true)) => (name, true),
            found => (if said.is_empty() { found.unwrap_or_default().0 } else { said }, false),
        };
        (status.clone(), what, is_schema)
    };
    Call {
        id: text(&operation["operationId"]),
        method: method.to_ascii_uppercase(),
        path: path.to_owned(),
        role: match text(&operation["x-role"]).as_str() {
            "none" => "everybody".to_owned(),
            role => role.to_owned(),
        },
        summary: text(&operation["summary"]),
        description: text(&operation["description"]),
        parameters: parameters.map(parameter).collect(),
        body: content(&operation["requestBody"]),
        replies: members(&operation["responses"]).map(reply).collect(),
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
