//! The API's description (OpenAPI 3.1), made of the one table of routes and of what stands at each handler.
//!
//! Method, path and role come from the row. A handler says (`#[utoipa::path]`) what it takes, what it gives, and the
//! refusals of its own ([`super::code::refused`]). What every call may answer is added here: no sign-in, a role that is
//! too low, a path that names nothing, a body or a query that cannot be read, a store that fails.

pub(crate) mod params;
mod uploads;

use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header;
use serde_json::{Map, Value, json};

use super::App;
use super::code::Code;
use super::routes::{Permit, Row};

/// The description, as text.
pub(crate) fn document(rows: &[Row]) -> String {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for row in rows {
        let Some(described) = row.described() else { continue };
        for (name, schema) in &described.schemas {
            schemas.entry(name.clone()).or_insert_with(|| json!(schema));
        }
        let permit = row.permit();
        let operation = operation(&permit, json!(described.operation));
        let item = paths.entry(permit.path).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(permit.method.to_ascii_lowercase(), operation);
        }
    }
    uploads::add(&mut paths);
    schemas.insert("Refusal".to_owned(), refusal());
    let bearer = json!({"type": "http", "scheme": "bearer",
        "description": "an API token, or the `access_token` of a sign-in"});
    let cookie = json!({"type": "apiKey", "in": "cookie", "name": super::auth::COOKIE,
        "description": "the session of a browser that signed in at `/login`"});
    let device = json!({"type": "http", "scheme": "bearer", "description": "a device's token"});
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "homeport",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
            "description": "One server for devices that call home. `x-role` is the least role that may call.",
        },
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": {"bearer": bearer, "cookie": cookie, "device": device}},
    });
    // What an answer is one of may overlap: a list of values and one of buckets are the same when both are empty.
    document.to_string().replace("\"oneOf\":", "\"anyOf\":")
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn show(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.description()).into_response()
}

/// A handler's own description with what its row and its shape add.
fn operation(permit: &Permit, mut operation: Value) -> Value {
    if operation.pointer("/requestBody/content/application~1json").is_some()
        && let Some(required) = operation.pointer_mut("/requestBody/required")
    {
        // An empty body is `{}`.
        *required = json!(false);
    }
    let Some(fields) = operation.as_object_mut() else { return operation };
    let words: Vec<_> = permit.path.split('/').filter(|word| !["", "api", "v1"].contains(word)).collect();
    if fields.get("tags").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        fields.insert("tags".to_owned(), json!([words.first().unwrap_or(&"server")]));
    }
    let id = format!("{} {}", permit.method.to_ascii_lowercase(), words.join(" "));
    let id = id.replace(|letter: char| !letter.is_ascii_alphanumeric(), "_").replace("__", "_");
    fields.insert("operationId".to_owned(), json!(id.trim_end_matches('_')));
    fields.insert("x-role".to_owned(), json!(permit.need.map_or("none", crate::model::Role::as_str)));
    let ways = if permit.need.is_some() { json!([{"bearer": []}, {"cookie": []}]) } else { json!([]) };
    fields.insert("security".to_owned(), ways);
    let in_query = parameters(permit, fields);
    let codes = codes(permit, fields, in_query);
    let replies = fields.remove("responses").unwrap_or_else(|| json!({}));
    fields.insert("responses".to_owned(), responses(replies, codes));
    operation
}

/// Adds the pieces of the path that the handler did not describe; whether the call reads a query.
fn parameters(permit: &Permit, fields: &mut Map<String, Value>) -> bool {
    let list = fields.entry("parameters").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else { return false };
    for parameter in list.iter_mut() {
        // Absent is absent: a query has no null.
        if let Some(kinds) = parameter.pointer_mut("/schema/type")
            && let Some(kind) =
                kinds.as_array().and_then(|kinds| kinds.iter().find(|kind| *kind != "null")).cloned()
        {
            *kinds = kind;
        }
    }
    let in_query = list.iter().any(|parameter| parameter["in"] == "query");
    for piece in permit.path.split('/') {
        let Some(name) = piece.strip_prefix('{').and_then(|piece| piece.strip_suffix('}')) else { continue };
        if !list.iter().any(|parameter| parameter["name"] == name && parameter["in"] == "path") {
            list.push(json!({"name": name, "in": "path", "required": true,
                "schema": {"type": "string", "minLength": 1}}));
        }
    }
    in_query
}

/// The refusals that the call's shape brings with it.
fn codes(permit: &Permit, fields: &Map<String, Value>, in_query: bool) -> BTreeSet<Code> {
    let mut codes = BTreeSet::from([Code::Busy, Code::StoreFailed]);
    if permit.need.is_some() {
        codes.extend([Code::NotSignedIn, Code::RoleTooLow]);
    }
    if permit.method != "GET" {
        codes.insert(Code::CrossSite);
    }
    if permit.need == Some(crate::model::Role::Admin) {
        codes.insert(Code::ScopeTooSmall);
    }
    if permit.house {
        codes.insert(Code::HouseOnly);
    }
    if permit.method != "GET" && permit.need.is_some() {
        codes.insert(Code::ShareTooLow);
    }
    if permit.path.contains('{') {
        codes.insert(Code::NotFound);
    }
    if in_query || fields.contains_key("requestBody") {
        codes.extend([Code::Unreadable, Code::InvalidField]);
    }
    if fields.contains_key("requestBody") {
        codes.insert(Code::TooLarge);
    }
    codes
}

/// The replies, with those of one status put together.
fn responses(replies: Value, mut codes: BTreeSet<Code>) -> Value {
    let mut all = Map::new();
    if let Value::Object(replies) = replies {
        for (key, reply) in replies {
            match key.split_once(' ').and_then(|(_, word)| Code::parse(word)) {
                Some(code) => drop(codes.insert(code)),
                None => drop(all.insert(key, reply)),
            }
        }
    }
    let statuses: BTreeSet<_> = codes.iter().map(|code| code.status()).collect();
    for status in statuses {
        let of_status: Vec<_> = codes.iter().filter(|code| code.status() == status).collect();
        let words: Vec<_> = of_status.iter().map(|code| code.as_str()).collect();
        let lines: Vec<_> =
            of_status.iter().map(|code| format!("`{}`: {}", code.as_str(), code.meaning())).collect();
        let schema = json!({"allOf": [
            {"$ref": "#/components/schemas/Refusal"},
            {"properties": {"error": {"properties": {"code": {"enum": words}}}}},
        ]});
        let message = of_status.first().map(|code| code.meaning());
        let example = json!({"error": {"code": words.first(), "message": message}});
        let content = json!({"application/json": {"schema": schema, "example": example}});
        let reply = json!({"description": lines.join("; "), "content": content, "x-codes": words});
        all.insert(status.as_str().to_owned(), reply);
    }
    Value::Object(all)
}

/// What every refusal looks like.
fn refusal() -> Value {
    let words: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "required": ["error"],
        "properties": {"error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "enum": words, "description": "a word for scripts; it stays"},
                "message": {"type": "string", "description": "a sentence for people; it may change"},
                "field": {"type": "string", "description": "the field at fault"},
            },
        }},
    })
}
