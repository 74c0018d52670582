//! Devices that are owned, shared, given away, tagged and grouped.

use homeport::model::{Role, Sees};
use http::StatusCode;
use serde_json::{Value, json};

use super::Caller;
use crate::web::Desk;

const OK: StatusCode = StatusCode::OK;

/// A device with a token; gives its id.
async fn made(desk: &Desk, caller: &Caller, name: &str) -> String {
    let body = json!({"name": name});
    let made = desk.done(caller, "POST", "/api/v1/devices", body, StatusCode::CREATED).await;
    made["device"]["id"].as_str().unwrap().to_owned()
}

fn device(id: &str) -> String {
    format!("/api/v1/devices/{id}")
}

#[tokio::test]
async fn a_device_is_its_maker_s_and_may_be_shared_and_given_away() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let uwe = desk.person("uwe", Role::Operator, Sees::Own).await;
    let maria = desk.person("maria", Role::Operator, Sees::House).await;
    let id = made(&desk, &olga, "Boiler").await;
    let shown = desk.done(&olga, "GET", &device(&id), Value::Null, OK).await;
    assert_eq!((&shown["owner"]["name"], &shown["access"]), (&json!("olga"), &json!("own")));
    for other in [&uwe, &maria] {
        desk.done(other, "GET", &device(&id), Value::Null, StatusCode::NOT_FOUND).await;
        assert!(desk.names(other, "/api/v1/devices").await.is_empty());
    }
    // Shared to look at, then to change; by name, in any letter case.
    let share = format!("{}/shares/UWE", device(&id));
    desk.done(&olga, "PUT", &share, json!({"level": "viewer"}), OK).await;
    assert_eq!(desk.names(&uwe, "/api/v1/devices").await, ["Boiler"]);
    let rename = |name: &str| json!({"name": name});
    let refused = desk.done(&uwe, "PATCH", &device(&id), rename("x"), StatusCode::FORBIDDEN).await;
    assert_eq!(refused["error"]["code"], "share_too_low");
    let access = desk.done(&olga, "PUT", &share, json!({"level": "editor"}), OK).await;
    assert_eq!(access["shares"], json!([{"user": {"id": uwe.user.id, "name": "uwe"}, "level": "editor"}]));
    desk.done(&uwe, "PATCH", &device(&id), rename("Kettle"), OK).await;
    let theirs = desk.done(&uwe, "GET", &format!("{}/access", device(&id)), Value::Null, OK).await;
    assert_eq!((&theirs["access"], theirs.get("shares")), (&json!("edit"), None));
    for (method, path) in [("DELETE", device(&id)), ("POST", format!("{}/rotate", device(&id)))] {
        desk.done(&uwe, method, &path, Value::Null, StatusCode::FORBIDDEN).await;
    }
    // An editor neither shares nor gives away; but may leave.
    let to = format!("{}/shares/maria", device(&id));
    desk.done(&uwe, "PUT", &to, json!({"level": "viewer"}), StatusCode::FORBIDDEN).await;
    desk.done(&uwe, "DELETE", &share, Value::Null, StatusCode::NO_CONTENT).await;
    desk.done(&uwe, "GET", &device(&id), Value::Null, StatusCode::NOT_FOUND).await;
    desk.done(&olga, "DELETE", &share, Value::Null, StatusCode::NOT_FOUND).await;
    // Given to Uwe, and by Uwe to the house: it is seen by whoever sees the house, and no longer by those before.
    desk.done(&olga, "PUT", &to, json!({"level": "viewer"}), OK).await;
    let give = format!("{}/transfer", device(&id));
    desk.done(&olga, "POST", &give, json!({}), StatusCode::UNPROCESSABLE_ENTITY).await;
    desk.done(&olga, "POST", &give, json!({"to": "nobody-at-all"}), StatusCode::NOT_FOUND).await;
    let after = desk.done(&olga, "POST", &give, json!({"to": "uwe"}), OK).await;
    assert_eq!((&after["owner"]["name"], &after["access"]), (&json!("uwe"), &json!("nothing")));
    for other in [&olga, &maria] {
        desk.done(other, "GET", &device(&id), Value::Null, StatusCode::NOT_FOUND).await;
    }
    desk.done(&uwe, "POST", &give, json!({"to": null}), OK).await;
    desk.done(&uwe, "GET", &device(&id), Value::Null, StatusCode::NOT_FOUND).await;
    assert_eq!(desk.names(&maria, "/api/v1/devices").await, ["Kettle"]);
    // The house's at once, where that is asked for; nobody else's.
    let house = json!({"name": "Hall", "owner": null});
    desk.done(&maria, "POST", "/api/v1/devices", house.clone(), StatusCode::CREATED).await;
    desk.done(&olga, "POST", "/api/v1/devices", house, StatusCode::FORBIDDEN).await;
    let uwes = json!({"name": "Hall", "owner": "uwe"});
    desk.done(&olga, "POST", "/api/v1/devices", uwes, StatusCode::UNPROCESSABLE_ENTITY).await;
    // What calls by an address is the house's.
    let module = json!({"family": "cwm", "address": "0002010203040506"});
    let refused = desk.done(&olga, "POST", "/api/v1/devices", module, StatusCode::FORBIDDEN).await;
    assert_eq!(refused["error"]["code"], "house_only");
}

#[tokio::test]
async fn a_name_is_one_owner_s_once() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let uwe = desk.person("uwe", Role::Operator, Sees::Own).await;
    let boiler = made(&desk, &olga, "Boiler").await;
    let other = made(&desk, &olga, "Kettle").await;
    let theirs = made(&desk, &uwe, "boiler").await;
    let create = |name: &str| json!({"name": name});
    let taken = desk.done(&olga, "POST", "/api/v1/devices", create(" BOILER "), StatusCode::CONFLICT).await;
    assert_eq!((&taken["error"]["code"], &taken["error"]["field"]), (&json!("name_taken"), &json!("name")));
    desk.done(&olga, "PATCH", &device(&other), create("boiler"), StatusCode::CONFLICT).await;
    assert_eq!(desk.names(&olga, "/api/v1/devices").await, ["Boiler", "Kettle"]);
    // Its own name in another letter case is no other's.
    desk.done(&olga, "PATCH", &device(&boiler), create("BOILER"), OK).await;
    let same = desk.done(&olga, "PATCH", &device(&boiler), create(" BOILER "), OK).await;
    assert_eq!(same["unchanged"], true);
    // Given to whoever has one of the name.
    let give = format!("{}/transfer", device(&theirs));
    desk.done(&uwe, "POST", &give, json!({"to": "olga"}), StatusCode::CONFLICT).await;
    // A name that was given up is free: by renaming, by forgetting, by giving away.
    desk.done(&olga, "PATCH", &device(&boiler), create("Old"), OK).await;
    desk.done(&uwe, "POST", &give, json!({"to": "olga"}), OK).await;
    desk.done(&olga, "PATCH", &device(&boiler), create("Boiler"), StatusCode::CONFLICT).await;
    desk.done(&olga, "DELETE", &device(&theirs), Value::Null, StatusCode::NO_CONTENT).await;
    desk.done(&olga, "PATCH", &device(&boiler), create("Boiler"), OK).await;
    made(&desk, &uwe, "Boiler").await;
    // Of many that want one name at once, one gets it.
    let wanting = (0..8).map(|_| desk.ask_as(&olga, "POST", "/api/v1/devices", create("Grill")));
    let answers = futures_util::future::join_all(wanting).await;
    let count = |status| answers.iter().filter(|got| got.status == status).count();
    assert_eq!((count(StatusCode::CREATED), count(StatusCode::CONFLICT)), (1, 7));
    let names = ["Pot", "Pan"];
    let moves = [&boiler, &other].map(|id| async {
        let path = device(id);
        desk.ask_as(&olga, "PATCH", &path, create("Same")).await.status
    });
    let mut statuses = futures_util::future::join_all(moves).await;
    statuses.sort();
    assert_eq!(statuses, [OK, StatusCode::CONFLICT], "{names:?}");
}

#[tokio::test]
async fn a_removed_user_s_devices_go_to_the_house_or_to_whom_they_are_left() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let uwe = desk.person("uwe", Role::Operator, Sees::Own).await;
    let maria = desk.person("maria", Role::Viewer, Sees::House).await;
    for name in ["Boiler", "Kettle"] {
        made(&desk, &olga, name).await;
    }
    let first = made(&desk, &uwe, "KETTLE").await;
    let remove = |caller: &Caller, to: &str| format!("/api/v1/users/{}{to}", caller.user.id.as_str());
    let path = remove(&olga, "?devices_to=uwe");
    let refused = desk.call("DELETE", &path, Value::Null).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (StatusCode::CONFLICT, &json!("name_taken"))
    );
    assert_eq!(desk.names(&olga, "/api/v1/devices").await, ["Boiler", "Kettle"], "nothing was changed");
    desk.done(&uwe, "PATCH", &device(&first), json!({"name": "Mine"}), OK).await;
    assert_eq!(desk.call("DELETE", &path, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.names(&uwe, "/api/v1/devices").await, ["Boiler", "Kettle", "Mine"]);
    assert!(desk.names(&maria, "/api/v1/devices").await.is_empty());
    assert_eq!(desk.call("DELETE", &remove(&uwe, ""), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.names(&maria, "/api/v1/devices").await, ["Boiler", "Kettle", "Mine"]);
}

#[tokio::test]
async fn a_group_shares_what_is_its_owner_s_and_nothing_else() {
    let desk = Desk::new().await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let uwe = desk.person("uwe", Role::Operator, Sees::Own).await;
    let (boiler, kettle) = (made(&desk, &olga, "Boiler").await, made(&desk, &olga, "Kettle").await);
    let uwes = made(&desk, &uwe, "Pump").await;
    desk.done(&uwe, "PUT", &format!("{}/shares/olga", device(&uwes)), json!({"level": "viewer"}), OK).await;
    let body = json!({"name": "Cellar", "devices": ["Boiler", uwes]});
    let group = desk.done(&olga, "POST", "/api/v1/groups", body, StatusCode::CREATED).await;
    assert_eq!((&group["size"], &group["owner"]["name"]), (&json!(2), &json!("olga")));
    let path = format!("/api/v1/groups/{}", group["id"].as_str().unwrap());
    desk.done(&uwe, "GET", &path, Value::Null, StatusCode::NOT_FOUND).await;
    let share = format!("{path}/shares/uwe");
    desk.done(&olga, "PUT", &share, json!({"level": "editor"}), OK).await;
    assert_eq!(desk.names(&uwe, "/api/v1/devices").await, ["Boiler", "Pump"]);
    assert_eq!(desk.names(&uwe, "/api/v1/devices?group=cellar").await, ["Boiler", "Pump"]);
    // Somebody else's device, shared with the group's owner, is not passed on.
    let third = desk.person("third", Role::Operator, Sees::Own).await;
    desk.done(&olga, "PUT", &format!("{path}/shares/third"), json!({"level": "editor"}), OK).await;
    assert_eq!(desk.names(&third, "/api/v1/devices").await, ["Boiler"]);
    let seen = desk.done(&third, "GET", &path, Value::Null, OK).await;
    assert_eq!((&seen["size"], seen.get("shares")), (&json!(1), None), "{seen}");
    // With whom it is shared changes devices, not what is in it.
    desk.done(&third, "PATCH", &device(&boiler), json!({"tags": ["Hot", "hot", "Cellar"]}), OK).await;
    desk.done(&third, "PATCH", &path, json!({"add": [boiler]}), StatusCode::FORBIDDEN).await;
    assert_eq!(desk.names(&olga, "/api/v1/devices?tag=HOT").await, ["Boiler"]);
    assert_eq!(desk.names(&olga, "/api/v1/devices?tag=hot&tag=cold").await, Vec::<String>::new());
    desk.done(&olga, "PATCH", &path, json!({"add": [kettle], "name": "Basement"}), OK).await;
    assert_eq!(desk.names(&third, "/api/v1/devices").await, ["Boiler", "Kettle"]);
    let taken = json!({"name": "basement"});
    desk.done(&olga, "POST", "/api/v1/groups", taken.clone(), StatusCode::CONFLICT).await;
    desk.done(&uwe, "POST", "/api/v1/groups", taken, StatusCode::CREATED).await;
    // A device that is given away leaves the group.
    desk.done(&olga, "POST", &format!("{}/transfer", device(&kettle)), json!({"to": "uwe"}), OK).await;
    assert_eq!(desk.names(&third, "/api/v1/devices").await, ["Boiler"]);
    desk.done(&third, "DELETE", &format!("{path}/shares/third"), Value::Null, StatusCode::NO_CONTENT).await;
    assert!(desk.names(&third, "/api/v1/devices").await.is_empty());
    desk.done(&olga, "DELETE", &path, Value::Null, StatusCode::NO_CONTENT).await;
    assert_eq!(desk.names(&uwe, "/api/v1/devices").await, ["Kettle", "Pump"]);
    desk.done(&olga, "GET", "/api/v1/devices?group=basement", Value::Null, StatusCode::UNPROCESSABLE_ENTITY)
        .await;
    for body in [
        json!({"name": " "}),
        json!({"name": "x".repeat(65)}),
        json!({}),
        json!({"name": "a", "devices": ["Kettle"]}),
    ] {
        desk.done(&olga, "POST", "/api/v1/groups", body, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    let odd = json!({"tags": ["<b>"]});
    desk.done(&olga, "PATCH", &device(&boiler), odd, StatusCode::UNPROCESSABLE_ENTITY).await;
}
