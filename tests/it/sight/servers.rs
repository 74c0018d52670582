//! Owners, shares and groups from outside: at two servers on one PostgreSQL, and over a restart.

use serde_json::{Value, json};

use crate::harness::Program;
#[cfg(feature = "postgres")]
use crate::harness::settled;
#[cfg(feature = "postgres")]
use crate::store::postgres::Database;

#[cfg(feature = "postgres")]
fn server(database: &Database) -> Program {
    let mut program = Program::new().set("HOMEPORT_STORE", &database.url());
    program.start();
    program
}

/// A person who sees what is the person's own, and a token of the person.
fn person(program: &Program, admin: &str, name: &str) -> String {
    let user = json!({"name": name, "password": "correct horse", "role": "operator", "sees": "own"});
    assert_eq!(program.post(admin, "/api/v1/users", &user).status, 201);
    let token = json!({"name": "test", "user": name, "role": "operator"});
    program.post(admin, "/api/v1/tokens", &token).json()["token"].as_str().unwrap().to_owned()
}

fn names(program: &Program, token: &str) -> Vec<String> {
    let names = program.all(token, "/api/v1/devices");
    names.iter().map(|device| device["name"].as_str().unwrap().to_owned()).collect()
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn what_one_server_shares_is_seen_at_the_other_within_a_second() {
    let database = Database::make().await;
    tokio::task::block_in_place(|| {
        let (one, other) = (server(&database), server(&database));
        let admin = one.token();
        let (olga, uwe) = (person(&one, &admin, "olga"), person(&one, &admin, "uwe"));
        let made = one.post(&olga, "/api/v1/devices", &json!({"name": "Boiler"})).json();
        let id = made["device"]["id"].as_str().unwrap().to_owned();
        assert!(settled(|| (names(&other, &olga) == ["Boiler"]).then_some(())).is_some(), "the owner's");
        assert!(names(&other, &uwe).is_empty());
        // The name is taken at the other server too, whether it has heard of it or not.
        let again = other.post(&olga, "/api/v1/devices", &json!({"name": "BOILER"}));
        assert_eq!((again.status, &again.json()["error"]["code"]), (409, &json!("name_taken")));
        let share = format!("/api/v1/devices/{id}/shares/uwe");
        assert_eq!(one.client().send_as("PUT", &olga, &share, &json!({"level": "viewer"})).status, 200);
        assert!(settled(|| (names(&other, &uwe) == ["Boiler"]).then_some(())).is_some(), "shared");
        assert_eq!(other.client().send_as("DELETE", &uwe, &share, &Value::Null).status, 204);
        assert!(settled(|| names(&one, &uwe).is_empty().then_some(())).is_some(), "left");
        let group = json!({"name": "Cellar", "devices": ["Boiler"]});
        let group = one.post(&olga, "/api/v1/groups", &group).json();
        let share = format!("/api/v1/groups/{}/shares/uwe", group["id"].as_str().unwrap());
        assert_eq!(one.client().send_as("PUT", &olga, &share, &json!({"level": "editor"})).status, 200);
        assert!(settled(|| (names(&other, &uwe) == ["Boiler"]).then_some(())).is_some(), "by a group");
        // Of both servers that are asked for one name at once, one gives it.
        let racing =
            |program: &Program| program.post(&olga, "/api/v1/devices", &json!({"name": "Race"})).status;
        let mut statuses = std::thread::scope(|scope| {
            let there = scope.spawn(|| racing(&other));
            vec![racing(&one), there.join().unwrap()]
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    });
    database.remove().await;
}

#[test]
fn what_was_shared_is_shared_after_a_kill() {
    let mut program = Program::started();
    let admin = program.token();
    let (olga, uwe) = (person(&program, &admin, "olga"), person(&program, &admin, "uwe"));
    let made = program.post(&olga, "/api/v1/devices", &json!({"name": "Boiler"})).json();
    let device = format!("/api/v1/devices/{}", made["device"]["id"].as_str().unwrap());
    let tags = json!({"tags": ["hot"]});
    assert_eq!(program.client().send_as("PATCH", &olga, &device, &tags).status, 200);
    let group = json!({"name": "Cellar", "devices": ["Boiler"]});
    let group = program.post(&olga, "/api/v1/groups", &group).json();
    let share = format!("/api/v1/groups/{}/shares/uwe", group["id"].as_str().unwrap());
    assert_eq!(program.client().send_as("PUT", &olga, &share, &json!({"level": "editor"})).status, 200);
    let access = program.api(&olga, &format!("{device}/access"));
    program.kill();
    program.start();
    assert_eq!(program.api(&olga, &format!("{device}/access")), access);
    assert_eq!(program.api(&uwe, &device)["access"], "edit");
    assert_eq!(program.all(&uwe, "/api/v1/devices?tag=hot").len(), 1);
    let again = program.post(&olga, "/api/v1/devices", &json!({"name": "BOILER"}));
    assert_eq!((again.status, &again.json()["error"]["code"]), (409, &json!("name_taken")));
}
