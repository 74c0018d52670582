//! What devices with a token may call beside people (`docs/token.md`): these paths are in the devices' table, not in ours.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::responses;
use crate::web::code::Code;

/// Adds the calls to the paths.
pub(super) fn add(paths: &mut Map<String, Value>) {
    let any = "for the device that the token is of";
    let one = "for this device, by its own token or by a person's who may edit it";
    for (path, what, methods) in
        [("/api/v1/data", any, ["post", "put"]), ("/api/v1/devices/{id}/data", one, ["post", "put"])]
    {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        for method in methods {
            if let Some(item) = item.as_object_mut() {
                item.entry(method).or_insert_with(|| upload(path, method, what));
            }
        }
    }
    if let Some(item) = paths.get_mut("/api/v1/data").and_then(Value::as_object_mut) {
        item.entry("get").or_insert_with(by_query);
    }
}

/// An upload by a device that can only ask for a URL.
fn by_query() -> Value {
    let mut call = upload("/api/v1/data", "get", "for the device that the token is of");
    if let Some(fields) = call.as_object_mut() {
        let token = json!({"name": "token", "in": "query", "required": true, "schema": {"type": "string"},
            "description": "the device's token"});
        fields.remove("requestBody");
        fields.insert("parameters".to_owned(), json!([token]));
        fields.insert("security".to_owned(), json!([]));
        fields.insert("description".to_owned(), json!("Every other member of the query is a sensor."));
    }
    call
}

fn upload(path: &str, method: &str, what: &str) -> Value {
    let is_one = path.contains('{');
    let name = if is_one { "devices_id_data" } else { "data" };
    let mut parameters = vec![json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "the same key again is the same upload: it is stored once",
        "schema": {"type": "string", "maxLength": 128},
    })];
    if is_one {
        parameters.push(json!({"name": "id", "in": "path", "required": true,
            "schema": {"type": "string", "minLength": 1}}));
    }
    let mut codes = BTreeSet::from([
        Code::TokenMissing,
        Code::BadToken,
        Code::RoleTooLow,
        Code::Blocked,
        Code::BadJson,
        Code::TooLarge,
        Code::TooDeep,
        Code::TooManyRecords,
        Code::NoValue,
        Code::TooManySensors,
        Code::TooFast,
        Code::Busy,
        Code::StoreFailed,
    ]);
    let status = if method == "get" { "200" } else { "202" };
    if method == "get" {
        codes.insert(Code::NotFound);
    }
    codes.insert(if is_one { Code::NotFound } else { Code::DeviceRequired });
    let count = |text: &str| json!({"type": "integer", "minimum": 0, "description": text});
    let taken = json!({
        "type": "object", "required": ["accepted"],
        "properties": {
            "accepted": count("records that are on disk"),
            "dropped": count("values that were none, such as NaN"),
            "duplicate": count("records that were stored before"),
        },
    });
    let taken = json!({"description": "it is on disk", "content":
        {"application/json": {"schema": taken, "example": {"accepted": 1}}}});
    json!({
        "operationId": format!("{method}_upload_{name}"),
        "tags": ["uploads"],
        "summary": format!("Takes values in, {what}."),
        "description": "A number, an object of sensors, or a list of up to 1000 objects.",
        "x-role": "device",
        "security": [{"device": []}],
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"description": "values; see docs/token.md"},
            "examples": {
                "one value": {"value": 21.5},
                "several sensors": {"value": {"tmp": 21.5, "light": 80}},
                "with the device's time": {"value": {"data": {"tmp": 26}, "time_created": "2026-01-01T00:00:00Z", "seq": 1}},
            },
        }}},
        "responses": responses(json!({status: taken}), codes),
    })
}
