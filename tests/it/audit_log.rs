//! Who did what, as the API keeps it.

use axum::body::Body;
use homeport::model::{Role, Verdict};
use http::{Request, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::web::Desk;

const CWM: &str = "0002010203040506";

async fn log(desk: &Desk, query: &str) -> Vec<Value> {
    let got = desk.call("GET", &format!("/api/v1/audit{query}"), Value::Null).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text());
    got.json()["items"].as_array().unwrap().clone()
}

fn brief(row: &Value) -> (String, String, String) {
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    (text("who"), text("what"), text("result"))
}

fn with(token: &str, method: &str, path: &str, body: &Value) -> Request<Body> {
    let request =
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    request.body(Body::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn what_changes_something_is_noted_and_what_looks_is_not() {
    let desk = Desk::new().await;
    let made = desk.call("POST", "/api/v1/devices", json!({"family": "cwm", "address": CWM})).await.json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/api/v1/devices/{id}");
    assert_eq!(desk.call("PATCH", &path, json!({"name": "Oven"})).await.status, StatusCode::OK);
    assert_eq!(desk.call("GET", &path, Value::Null).await.status, StatusCode::OK);
    let viewer = desk.token(Role::Viewer).await;
    let refused = desk.ask(with(&viewer, "DELETE", &path, &Value::Null)).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let say = json!({"cmd": "nonsense \u{7}", "payload": {}});
    desk.call("POST", &format!("{path}/commands"), say).await;
    let rows = log(&desk, "").await;
    let told: Vec<_> = rows.iter().map(brief).collect();
    let row = |who: &str, what: &str, result: &str| (who.to_owned(), what.to_owned(), result.to_owned());
    assert_eq!(told[1], row("viewer", "device.remove", "role_too_low"), "{told:?}");
    assert_eq!(told[2], row("local", "device.edit", "ok"));
    assert_eq!(told[3], row("local", "device.create", "ok"));
    assert_eq!(told[0].1, "command.create");
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["device"] == id), "{rows:?}");
    assert_eq!((&rows[2]["from"], &rows[2]["proof"]), (&json!("control"), &json!("control")));
    assert_eq!(rows[1]["proof"], "token");
    assert_eq!(log(&desk, "?who=viewer").await.len(), 1);
    assert_eq!(log(&desk, "?what=device.edit").await.len(), 1);
    assert_eq!(log(&desk, &format!("?device={id}&limit=3")).await.len(), 3);
    assert_eq!(log(&desk, "?to=2000-01-01T00:00:00Z").await.len(), 0);
}

#[tokio::test]
async fn sign_ins_are_noted_without_their_secrets_and_strangers_fill_nothing() {
    let desk = Desk::new().await;
    desk.hub.add_user("maria", SecretString::from("correct horse"), Role::Viewer).await.unwrap();
    let login = |password: &str| {
        let body = json!({"username": "maria", "password": password}).to_string();
        Request::post("/api/v1/auth/login").body(Body::from(body)).unwrap()
    };
    desk.ask(login("wrong password")).await;
    desk.ask(login("correct horse")).await;
    let form = Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
    desk.ask(form.body(Body::from("name=maria&password=wrong+again")).unwrap()).await;
    // Nobody's tries at the rest.
    desk.ask(Request::delete("/api/v1/devices/x").body(Body::empty()).unwrap()).await;
    desk.ask(with("hp_made_up", "POST", "/api/v1/devices", &json!({}))).await;
    let rows = log(&desk, "").await;
    let told: Vec<_> = rows.iter().map(brief).collect();
    let row = |result: &str| ("maria".to_owned(), "auth.login".to_owned(), result.to_owned());
    assert_eq!(told, [row("bad_credentials"), row("ok"), row("bad_credentials")]);
    let text = serde_json::to_string(&rows).unwrap();
    assert!(!text.contains("wrong") && !text.contains("horse"), "{text}");
}

#[tokio::test]
async fn a_form_that_is_not_taken_is_noted_with_the_code_of_its_refusal() {
    let desk = Desk::new().await;
    let admin = desk.token(Role::Admin).await;
    let id = desk.hear(b"{}", Verdict::Ok, Vec::new()).await;
    let settings = format!("/devices/{id}/share");
    for (path, form, code) in [
        ("/add/cwm", "address=", "invalid_field"),
        ("/add/gauge", "name=Boiler&minVal=x", "invalid_field"),
        ("/commands", "family=cwm", "invalid_field"),
        ("/send", "family=mcu", "invalid_field"),
        ("/pullform", "_dst=", "invalid_field"),
        ("/new", "do=adopt", "invalid_field"),
        (&settings, "user=nobody&level=viewer", "not_found"),
        ("/rules/new", "kind=bounds", "invalid_field"),
        ("/receivers/webhooks", "name=x&url=ftp", "invalid_field"),
        ("/deliveries/none/retry", "", "not_found"),
        ("/published/none/remove", "", "not_found"),
        ("/users", "name=admin&role=viewer&sees=own&password=12345678", "name_taken"),
        ("/account/tokens", "name=x&role=viewer&scope=some", "invalid_field"),
        ("/demo/none/start", "", "not_found"),
    ] {
        let got = desk.ask(form_of(&admin, path, form)).await;
        let is_form = !got.text().contains("To the dashboard");
        assert!(got.status.is_client_error() && is_form, "{path}: {}", got.text());
        let row = &log(&desk, "?limit=1").await[0];
        assert_eq!(row["result"], code, "{path}");
    }
}

#[tokio::test]
async fn a_form_that_comes_too_often_says_when_to_come_back() {
    let desk = Desk::new().await;
    let admin = desk.token(Role::Admin).await;
    let mut tries = 0;
    let refused = loop {
        let got = desk.ask(form_of("none", "/login", "name=admin&password=wrong+again")).await;
        tries += 1;
        if got.status != StatusCode::UNAUTHORIZED || tries == 100 {
            break got;
        }
    };
    let change = "old_password=wrong&password=a+new+password&password_confirmation=a+new+password";
    let changing = desk.ask(form_of(&admin, "/account/password", change)).await;
    for got in [refused, changing] {
        assert_eq!(got.status, StatusCode::TOO_MANY_REQUESTS, "{}", got.text());
        assert!(got.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
        assert!(got.text().contains("<form"), "the form is there to be sent again");
    }
}

fn form_of(token: &str, path: &str, form: &str) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("authorization", format!("Bearer {token}"));
    request.body(Body::from(form.to_owned())).unwrap()
}

#[tokio::test]
async fn the_log_is_the_administrators() {
    let desk = Desk::new().await;
    let operator = desk.token(Role::Operator).await;
    let got = desk.ask(with(&operator, "GET", "/api/v1/audit", &Value::Null)).await;
    assert_eq!(got.json()["error"]["code"], "role_too_low");
    for method in ["DELETE", "PATCH", "PUT", "POST"] {
        let got = desk.call(method, "/api/v1/audit", Value::Null).await;
        assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
}

#[tokio::test]
async fn a_page_is_as_long_as_it_may_be_and_says_so() {
    let desk = Desk::new().await;
    for path in ["/api/v1/audit", "/api/v1/devices", "/api/v1/messages"] {
        let got = desk.call("GET", &format!("{path}?limit=1001"), Value::Null).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        let error = got.json()["error"].clone();
        assert_eq!((&error["code"], &error["field"]), (&json!("invalid_field"), &json!("limit")));
        assert!(error["message"].as_str().unwrap().contains("1000"), "{error}");
        assert_eq!(desk.call("GET", &format!("{path}?limit=1000"), Value::Null).await.status, StatusCode::OK);
    }
}
