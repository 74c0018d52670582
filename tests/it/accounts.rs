//! Accounts by the real program (`accounts-dashboard.md §3, §8` points 1 and 2): registration, the pair of tokens, sessions,
//! API tokens with a scope, and that other servers hear of an end.

use serde_json::{Value, json};

use crate::harness::{Answer, Program};

const PASSWORD: &str = "correct horse";

fn started(settings: &[(&str, &str)]) -> Program {
    let mut program = settings.iter().fold(Program::new(), |program, (name, value)| program.set(name, value));
    program.start();
    program
}

fn open() -> Program {
    started(&[("HOMEPORT_ACCOUNTS_REGISTRATION", "open")])
}

/// A call without a word about who calls.
fn post(program: &Program, path: &str, body: &Value) -> Answer {
    program.client().post(&format!("/api/v1{path}"), body.to_string().as_bytes())
}

fn register(program: &Program, name: &str) -> Answer {
    let body = json!({"username": name, "password": PASSWORD, "password_confirmation": PASSWORD});
    post(program, "/auth/register", &body)
}

fn sign_in(program: &Program, name: &str) -> Value {
    let answer = post(program, "/auth/login", &json!({"username": name, "password": PASSWORD}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn said(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

fn api(program: &Program, token: &str, path: &str) -> Value {
    program.api(token, &format!("/api/v1{path}"))
}

fn call(program: &Program, token: &str, path: &str, body: &Value) -> Answer {
    program.post(token, &format!("/api/v1{path}"), body)
}

fn ask(program: &Program, method: &str, token: &str, path: &str, body: &Value) -> Answer {
    program.client().send_as(method, token, &format!("/api/v1{path}"), body)
}

#[test]
fn people_make_accounts_and_see_nothing_of_each_other() {
    let program = open();
    let made = register(&program, "maria");
    assert_eq!(made.status, 201, "{}", made.text());
    let user = &made.json()["user"];
    assert_eq!((&user["role"], &user["sees"]), (&json!("operator"), &json!("own")));
    assert_eq!(said(&register(&program, "Maria")), (409, "username_taken".to_owned()));
    assert_eq!(said(&register(&program, "four")), (422, "username_too_short".to_owned()));
    for (password, again, code) in
        [("seven77", "seven77", "password_length"), (PASSWORD, "correct horsf", "password_mismatch")]
    {
        let body = json!({"username": "other", "password": password, "password_confirmation": again});
        assert_eq!(said(&post(&program, "/auth/register", &body)), (422, code.to_owned()));
    }
    for body in [json!({}), json!({"username": "other"}), json!({"username": "other", "password": PASSWORD})]
    {
        assert_eq!(said(&post(&program, "/auth/register", &body)), (422, "invalid_field".to_owned()));
    }
    let wrong =
        |name: &str| post(&program, "/auth/login", &json!({"username": name, "password": "wrong one"}));
    let (known, unknown) = (wrong("maria"), wrong("nobody"));
    assert_eq!(said(&known), (401, "bad_credentials".to_owned()));
    assert_eq!(known.text(), unknown.text(), "nobody learns which names there are");

    assert_eq!(register(&program, "stranger").status, 201);
    let maria = word(&sign_in(&program, "maria"), "access_token");
    let stranger = word(&sign_in(&program, "stranger"), "access_token");
    let sessions = api(&program, &maria, "/sessions")["items"].clone();
    assert_eq!((sessions.as_array().unwrap().len(), &sessions[0]["current"]), (1, &json!(true)));
    assert_eq!(sessions[0]["peer"], "127.0.0.1");
    let path = format!("/sessions/{}", word(&sessions[0], "id"));
    assert_eq!(said(&ask(&program, "DELETE", &stranger, &path, &json!({}))), (404, "not_found".to_owned()));
    for path in ["/sessions?user=maria", "/tokens?user=maria", "/sessions?user=nobody"] {
        assert_eq!(said(&ask(&program, "GET", &stranger, path, &Value::Null)), (404, "not_found".to_owned()));
    }
    let made = ask(&program, "POST", &maria, "/tokens", &json!({"name": "cron"})).json();
    let path = format!("/tokens/{}", word(&made, "id"));
    assert_eq!(ask(&program, "DELETE", &stranger, &path, &json!({})).status, 404);
    assert!(api(&program, &stranger, "/tokens")["items"].as_array().unwrap().is_empty());
    let other = json!({"name": "x", "user": "maria"});
    assert_eq!(ask(&program, "POST", &stranger, "/tokens", &other).status, 404);
    assert_eq!(ask(&program, "DELETE", &maria, &path, &json!({})).status, 204);
}

#[test]
fn a_pair_of_tokens_is_renewed_and_a_copy_ends_it() {
    let program = started(&[("HOMEPORT_ACCOUNTS_REFRESH_S", "60")]);
    assert_eq!(said(&register(&program, "maria")), (403, "registration_closed".to_owned()));
    let add = json!({"name": "maria", "password": PASSWORD, "role": "operator"});
    assert_eq!(call(&program, &program.token(), "/users", &add).status, 201);
    let first = sign_in(&program, "maria");
    let numbers = (&first["expires_in"], &first["refresh_expires_in"], &first["token_type"]);
    assert_eq!(numbers, (&json!(1800), &json!(60), &json!("Bearer")));
    let renew = |pair: &Value| {
        post(&program, "/auth/refresh", &json!({"refresh_token": word(pair, "refresh_token")}))
    };
    let second = renew(&first).json();
    // By Basic with an empty body, and by Bearer.
    let basic = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nAuthorization: Basic bWFyaWE6Y29ycmVjdCBob3JzZQ==\r\nContent-Length: 0\r\n\r\n";
    let other = program.client().ask(basic.as_bytes()).unwrap();
    assert_eq!(other.status, 200, "{}", other.text());
    let bearer = word(&other.json(), "refresh_token");
    assert_eq!(program.client().post_as(&bearer, "/api/v1/auth/refresh", &json!({})).status, 200);

    let second_access = word(&second, "access_token");
    assert_eq!(api(&program, &second_access, "/me")["name"], "maria");
    let refresh = word(&second, "refresh_token");
    assert_eq!(ask(&program, "GET", &refresh, "/me", &Value::Null).status, 401, "it lets nobody in");
    assert_eq!(said(&renew(&first)), (401, "refresh_reused".to_owned()));
    assert_eq!(said(&renew(&second)), (401, "refresh_reused".to_owned()));
    assert_eq!(ask(&program, "GET", &second_access, "/me", &Value::Null).status, 401);
    let made_up = json!({"refresh_token": format!("rt_{}", "a".repeat(64))});
    assert_eq!(said(&post(&program, "/auth/refresh", &made_up)), (401, "refresh_expired".to_owned()));
    assert_eq!(said(&post(&program, "/auth/refresh", &json!({}))), (422, "invalid_field".to_owned()));
}

#[test]
fn a_new_password_and_signing_out_end_what_they_should() {
    let mut program = open();
    assert_eq!(register(&program, "maria").status, 201);
    let (here, there) = (sign_in(&program, "maria"), sign_in(&program, "maria"));
    let (here, there) = (word(&here, "access_token"), word(&there, "access_token"));
    let cron = word(&ask(&program, "POST", &here, "/tokens", &json!({"name": "cron"})).json(), "token");
    let made = ask(&program, "POST", &here, "/devices", &json!({"family": "token", "name": "Gauge"}));
    assert_eq!(made.status, 201, "{}", made.text());
    let device = word(&made.json(), "token");
    let change = |old: &str, new: &str, again: &str| {
        let body = json!({"old_password": old, "password": new, "password_confirmation": again});
        ask(&program, "PATCH", &here, "/me/password", &body)
    };
    let new = "a better horse";
    assert_eq!(said(&change("wrong one", new, new)), (401, "bad_credentials".to_owned()));
    assert_eq!(said(&change(PASSWORD, new, PASSWORD)), (422, "password_mismatch".to_owned()));
    assert_eq!(said(&change(PASSWORD, "short", "short")).0, 422);
    assert_eq!(change(PASSWORD, new, new).status, 204);
    let is_in =
        |program: &Program, token: &str| ask(program, "GET", token, "/me", &Value::Null).status == 200;
    assert!(is_in(&program, &here) && !is_in(&program, &there) && is_in(&program, &cron));
    let denied = post(&program, "/auth/login", &json!({"username": "maria", "password": PASSWORD}));
    assert_eq!(denied.status, 401);

    assert!(program.stop().success());
    program.start();
    assert!(is_in(&program, &here), "a restart signs nobody out");
    assert_eq!(program.client().post_as(&device, "/api/v1/data", &json!(7)).status, 202);
    let small = ask(&program, "DELETE", &cron, "/sessions", &json!({}));
    assert_eq!(said(&small), (403, "scope_too_small".to_owned()), "a viewer's token of an operator");
    assert_eq!(ask(&program, "DELETE", &here, "/sessions", &json!({})).status, 204);
    assert!(!is_in(&program, &here) && is_in(&program, &cron));
    assert_eq!(program.client().post_as(&device, "/api/v1/data", &json!(8)).status, 202);
}

#[test]
fn a_token_for_some_devices_reaches_no_others_and_makes_no_other_token() {
    let program = Program::started();
    let add = |name: &str| -> Value {
        serde_json::from_str(&program.done(&["devices", "add", name, "--json"])).unwrap()
    };
    let (oven, other) = (add("Oven"), add("Other"));
    let create =
        ["token", "create", "oven", "--device", "Oven", "--role", "admin", "--expires", "1h", "--json"];
    let made: Value = serde_json::from_str(&program.done(&create)).unwrap();
    assert_eq!(made["devices"], json!([oven["device"]["id"]]));
    assert!(made["expires"].is_string());
    let token = word(&made, "token");
    let path = |device: &Value| format!("/devices/{}", word(&device["device"], "id"));
    assert_eq!(ask(&program, "GET", &token, &path(&oven), &Value::Null).status, 200);
    assert_eq!(ask(&program, "GET", &token, &path(&other), &Value::Null).status, 404);
    assert_eq!(api(&program, &token, "/devices")["items"].as_array().unwrap().len(), 1);
    for (method, path) in
        [("GET", "/users"), ("POST", "/tokens"), ("DELETE", "/sessions"), ("POST", "/invites")]
    {
        let answer = ask(&program, method, &token, path, &json!({"name": "larger"}));
        assert_eq!(said(&answer), (403, "scope_too_small".to_owned()), "{method} {path}");
    }
    assert_eq!(api(&program, &token, "/me")["devices"], made["devices"]);
    let nowhere = program.run(&["token", "create", "x", "--device", "Nowhere"]);
    assert!(!nowhere.status.success());
    let unknown = call(&program, &program.token(), "/tokens", &json!({"name": "x", "devices": ["nobody"]}));
    assert_eq!((said(&unknown).0, &unknown.json()["error"]["field"]), (422, &json!("devices")));
}

#[test]
fn an_invitation_lets_one_person_in() {
    let program = started(&[("HOMEPORT_ACCOUNTS_REGISTRATION", "invite")]);
    let admin = program.token();
    assert_eq!(said(&register(&program, "maria")), (403, "invite_required".to_owned()));
    let made = call(&program, &admin, "/invites", &json!({"role": "viewer", "sees": "house"}));
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let join = |name: &str| {
        let body = json!({"username": name, "password": PASSWORD, "password_confirmation": PASSWORD,
            "invite": made["invite"]});
        post(&program, "/auth/register", &body)
    };
    assert_eq!(join("maria").json()["user"]["sees"], "house");
    assert_eq!(said(&join("second")), (403, "invite_invalid".to_owned()));
    let listed = api(&program, &admin, "/invites");
    assert_eq!((&listed["items"][0]["used"], listed["items"][0].get("invite")), (&json!(1), None));
    assert!(!listed.to_string().contains("hash"));
    let path = format!("/invites/{}", word(&made, "id"));
    assert_eq!(ask(&program, "DELETE", &admin, &path, &json!({})).status, 204);
    assert_eq!(ask(&program, "DELETE", &admin, &path, &json!({})).status, 404);
    let maria = word(&sign_in(&program, "maria"), "access_token");
    assert_eq!(said(&ask(&program, "POST", &maria, "/invites", &json!({}))).0, 403);
}

#[test]
fn there_is_no_secret_that_everybody_knows() {
    let [one, other] = [Program::started(), Program::started()].map(|program| program.password());
    assert_ne!(one, other);
    assert!(one.len() >= 20);
    let program = Program::started();
    for (name, password) in
        [("admin", "admin"), ("admin", "password"), ("admin", ""), ("local", "local"), ("", "")]
    {
        let answer = post(&program, "/auth/login", &json!({"username": name, "password": password}));
        assert_eq!(said(&answer), (401, "bad_credentials".to_owned()), "{name}");
    }
}
