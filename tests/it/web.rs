//! Pages and API over a real store, asked through the router itself.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use homeport::core::{Claim, Event, Hub, HubSettings, Report};
use homeport::family::{self, FamilySettings};
use homeport::http::{ListenerKind, Peer};
use homeport::model::{Clock, FamilyName, Reading, Role, Value as Measured, Verdict};
use homeport::store::{Store, Target, WriterSettings};
use homeport::web::{self, Permit, WebSettings};
use http::{HeaderMap, Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tower::ServiceExt as _;

pub(crate) const CWM: &str = "0002010203040506";
const PASSWORD: &str = "correct horse";

pub(crate) struct Desk {
    pub(crate) hub: Hub,
    app: Router,
    _dir: tempfile::TempDir,
}

pub(crate) struct Got {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    bytes: Bytes,
}

impl Got {
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Desk {
    pub(crate) async fn new() -> Self {
        Self::by(Clock::system()).await
    }

    /// The same, by a clock.
    pub(crate) async fn by(clock: Clock) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::Sqlite(dir.path().join("homeport.db"));
        let store = Store::open(
            &target,
            WriterSettings { queue_max: 64, batch_max: 16, ..WriterSettings::default() },
        )
        .await
        .unwrap();
        let files_dir = dir.path().join("files");
        let settings = HubSettings { files_dir, file_bytes_max: 1000, ..HubSettings::default() };
        let hub = Hub::start(store, clock, settings).await.unwrap();
        let issuer: Arc<dyn family::Issuer> = Arc::new(family::NoIssuer);
        let families = family::all(&FamilySettings::default(), &issuer);
        let app = web::app(hub.clone(), families, WebSettings::default());
        Self { hub, app, _dir: dir }
    }

    pub(crate) async fn ask(&self, request: Request<Body>) -> Got {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        // A stream of events has no end.
        let endless = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let body = if endless { Body::empty() } else { response.into_body() };
        let bytes = to_bytes(body, 1 << 24).await.unwrap();
        Got { status, headers, bytes }
    }

    /// A call through the control socket, whose caller is the administrator.
    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> Got {
        let mut request = Request::builder().method(method).uri(path).body(json_body(&body)).unwrap();
        request.extensions_mut().insert(peer(ListenerKind::Control));
        self.ask(request).await
    }

    pub(crate) async fn token(&self, role: Role) -> String {
        let user = self.hub.add_user(role.as_str(), SecretString::from(PASSWORD), role).await.unwrap();
        let (_, secret) = self.hub.create_token(&user.id, "test", role, None).await.unwrap();
        secret.expose_secret().to_owned()
    }

    pub(crate) async fn hear(&self, raw: &[u8], verdict: Verdict, readings: Vec<Reading>) -> String {
        let family = FamilyName::new("cwm");
        let known = self.hub.claim(Claim { family: &family, address: CWM, parent: None }).unwrap();
        let id = known.names().id.to_string();
        let report = Report {
            device: Some(known),
            at: self.hub.now(),
            raw: Bytes::copy_from_slice(raw),
            verdict,
            hmac: None,
            fingerprint: None,
            events: vec![Event::Readings(readings)],
            peer: "192.0.2.1".to_owned(),
        };
        self.hub.accept(report).await.unwrap();
        id
    }
}

pub(crate) fn control() -> Peer {
    peer(ListenerKind::Control)
}

fn peer(listener: ListenerKind) -> Peer {
    Peer { addr: SocketAddr::from(([127, 0, 0, 1], 0)), listener, tls: None }
}

fn json_body(body: &Value) -> Body {
    if body.is_null() { Body::empty() } else { Body::from(body.to_string()) }
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "nobody").replace("{seq}", "999999").replace("{name}", "nothing")
}

fn with_token(permit: &Permit, token: Option<&str>) -> Request<Body> {
    let mut request = Request::builder().method(permit.method).uri(concrete(permit.path));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    if permit.page {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_route_lets_in_exactly_the_roles_of_its_row() {
    let desk = Desk::new().await;
    let mut callers = vec![(None, None)];
    for role in Role::ALL {
        callers.push((Some(role), Some(desk.token(role).await)));
    }
    let permits = web::permits();
    assert!(permits.len() > 30);
    for permit in &permits {
        for (role, token) in &callers {
            let got = desk.ask(with_token(permit, token.as_deref())).await;
            let what =
                format!("{} {} as {role:?}: {} {}", permit.method, permit.path, got.status, got.text());
            let let_in = permit.need.is_none_or(|need| role.is_some_and(|role| role >= need));
            match (let_in, role) {
                (true, _) => {
                    let login = ["login", "refresh"].iter().any(|name| permit.path.ends_with(name));
                    assert!(login || got.status != StatusCode::UNAUTHORIZED, "{what}");
                    // Nobody may register by default, whatever the role.
                    let register = permit.path.ends_with("register");
                    assert!(register || got.status != StatusCode::FORBIDDEN, "{what}");
                    assert!(!got.status.is_server_error(), "{what}");
                }
                (false, None) if permit.page => {
                    assert_eq!(got.status, StatusCode::SEE_OTHER, "{what}");
                    assert!(got.header("location").starts_with("/login"), "{what}");
                }
                (false, None) => assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{what}"),
                (false, Some(_)) => assert_eq!(got.status, StatusCode::FORBIDDEN, "{what}"),
            }
            assert_eq!(!got.header("content-security-policy").is_empty(), permit.page, "{what}");
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_a_wrong_method_405() {
    let desk = Desk::new().await;
    let paths =
        ["devices/x", "devices/x/data", "devices/x/commands", "commands/x", "messages/5", "messages/x/raw"];
    for path in paths {
        let got = desk.call("GET", &format!("/api/v1/{path}"), Value::Null).await;
        assert_eq!(got.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(got.json()["error"]["code"], "not_found", "{path}");
    }
    let got = desk.call("PUT", "/api/v1/devices", Value::Null).await;
    assert_eq!(got.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(got.json()["error"]["code"], "method_not_allowed");
    assert!(desk.call("GET", "/nowhere", Value::Null).await.text().contains("<h1>"));
}

#[tokio::test]
async fn a_script_signs_in_and_out() {
    let desk = Desk::new().await;
    desk.hub.add_user("maria", SecretString::from(PASSWORD), Role::Viewer).await.unwrap();
    let login = |password: &str| {
        let body = json!({"username": "maria", "password": password});
        Request::post("/api/v1/auth/login")
            .header("content-type", "text/plain")
            .body(json_body(&body))
            .unwrap()
    };
    let wrong = desk.ask(login("wrong password")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.json()["error"]["code"], "bad_credentials");
    let opened = desk.ask(login(PASSWORD)).await.json();
    assert_eq!((&opened["token_type"], &opened["expires_in"]), (&json!("Bearer"), &json!(1800)));
    let bearer = format!("bearer {}", opened["access_token"].as_str().unwrap());
    let ask = |method: &str, path: &str| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", &bearer)
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(desk.ask(ask("GET", "/api/v1/me")).await.json()["name"], "maria");
    assert_eq!(desk.ask(ask("POST", "/api/v1/auth/logout")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.ask(ask("GET", "/api/v1/me")).await.status, StatusCode::UNAUTHORIZED);
    let basic =
        Request::post("/api/v1/auth/login").header("authorization", "Basic bWFyaWE6Y29ycmVjdCBob3JzZQ==");
    assert_eq!(desk.ask(basic.body(Body::empty()).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_browser_signs_in_and_other_sites_cannot_use_its_cookie() {
    let desk = Desk::new().await;
    desk.hub.add_user("maria", SecretString::from(PASSWORD), Role::Operator).await.unwrap();
    let form = "name=maria&password=correct+horse&next=%2Fpullform";
    let request = Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
    let got = desk.ask(request.body(Body::from(form)).unwrap()).await;
    assert_eq!((got.status, got.header("location")), (StatusCode::SEE_OTHER, "/pullform"), "{}", got.text());
    let set = got.header("set-cookie").to_owned();
    for part in ["__Host-homeport=", "Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(set.contains(part), "{set}");
    }
    let cookie = set.split(';').next().unwrap();
    let post = |site: Option<&str>| {
        let mut request = Request::post("/pullform").header("cookie", cookie).header("host", "home.example");
        request = request.header("content-type", "application/x-www-form-urlencoded");
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let form =
            format!("_dst=%5B%22{CWM}%22%5D&_cmd=wr&_pld=%7B%22oke%22%3A%7B%22port%22%3A%22232%22%7D%7D");
        request.body(Body::from(form)).unwrap()
    };
    let evil = desk.ask(post(Some("cross-site"))).await;
    assert_eq!(evil.status, StatusCode::FORBIDDEN);
    assert_eq!(desk.hub.stats().await.unwrap().queued, 0);
    let good = desk.ask(post(Some("same-origin"))).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text());
    assert!(good.text().contains("&#34;port&#34;:&#34;232&#34;"), "{}", good.text());
    assert_eq!(desk.hub.stats().await.unwrap().queued, 1);
    let list = desk.ask(Request::get("/").header("cookie", cookie).body(Body::empty()).unwrap()).await;
    assert!(list.text().contains(CWM));
}

#[tokio::test]
async fn a_command_is_rehearsed_queued_seen_and_cancelled() {
    let desk = Desk::new().await;
    let made = desk.call("POST", "/api/v1/devices", json!({"family": "cwm", "address": CWM})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let again = desk.call("POST", "/api/v1/devices", json!({"family": "cwm", "address": CWM})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let path = format!("/api/v1/devices/{id}/commands");
    let say = json!({"cmd": "wr", "payload": {"oke": {"port": "232"}}, "dry_run": true});
    let dry = desk.call("POST", &path, say.clone()).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text());
    assert!(dry.json()["raw"].as_str().unwrap().contains(r#""_pld":{"oke":{"port":"232"}}"#));
    assert!(desk.call("GET", &path, Value::Null).await.json()["items"].as_array().unwrap().is_empty());

    let mut say = say;
    say["dry_run"] = json!(false);
    let queued = desk.call("POST", &path, say).await;
    assert_eq!(queued.status, StatusCode::CREATED, "{}", queued.text());
    let command = queued.json();
    assert_eq!(command["state"], "queued");
    assert_eq!(command["payload"], json!({"oke": {"port": "232"}}));
    assert_eq!(command["transitions"][0]["state"], "queued");
    let one = format!("/api/v1/commands/{}", command["id"].as_str().unwrap());
    assert_eq!(desk.call("GET", &one, Value::Null).await.json()["id"], command["id"]);
    let cancelled = desk.call("POST", &format!("{one}/cancel"), Value::Null).await;
    assert_eq!(cancelled.json()["state"], "cancelled", "{}", cancelled.text());
    let twice = desk.call("POST", &format!("{one}/cancel"), Value::Null).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let page = desk.call("GET", &format!("/devices/{id}"), Value::Null).await;
    assert!(page.text().contains("cancelled"), "{}", page.text());
}

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let desk = Desk::new().await;
    let id = desk.hear(b"{}", Verdict::Ok, Vec::new()).await;
    let raw = |body: &'static str| {
        let mut request =
            Request::post(format!("/api/v1/devices/{id}/commands")).body(Body::from(body)).unwrap();
        request.extensions_mut().insert(peer(ListenerKind::Control));
        request
    };
    for (body, status, field) in [
        ("{half", StatusCode::BAD_REQUEST, None),
        ("", StatusCode::UNPROCESSABLE_ENTITY, Some("cmd")),
        (r#"{"cmd":"wr","payload":5}"#, StatusCode::UNPROCESSABLE_ENTITY, Some("payload")),
    ] {
        let got = desk.ask(raw(body)).await;
        assert_eq!(got.status, status, "{body}: {}", got.text());
        assert_eq!(got.json()["error"]["field"].as_str(), field, "{body}");
    }
    for (query, field) in
        [("limit=0", "limit"), ("cursor=x", "cursor"), ("from=soon", "from"), ("verdict=fine", "verdict")]
    {
        let got = desk.call("GET", &format!("/api/v1/messages?{query}"), Value::Null).await;
        assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert_eq!(got.json()["error"]["field"], field);
    }
    let mut long = Request::post("/api/v1/devices").body(Body::from(vec![b' '; 1024 * 1024 + 1])).unwrap();
    long.extensions_mut().insert(peer(ListenerKind::Control));
    assert_eq!(desk.ask(long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn messages_are_listed_with_their_exact_bytes() {
    let desk = Desk::new().await;
    let text = b"{\"_pld\":{\"t\" : 1.50}}";
    desk.hear(text, Verdict::Ok, Vec::new()).await;
    desk.hear(&[0xff, 0x00], Verdict::Malformed, Vec::new()).await;
    let list = desk.call("GET", "/api/v1/messages?limit=1", Value::Null).await.json();
    assert_eq!(list["items"][0]["verdict"], "malformed");
    assert_eq!(list["items"][0]["raw_base64"], "/wA=");
    let next = list["next"].as_str().unwrap();
    let older =
        desk.call("GET", &format!("/api/v1/messages?limit=1&cursor={next}"), Value::Null).await.json();
    assert_eq!(older["items"][0]["raw"].as_str().unwrap().as_bytes(), text);
    assert_eq!(older["items"][0]["size"], text.len());
    assert_eq!(older["items"][0]["device"]["address"], CWM);
    assert_eq!(older["next"], Value::Null);
    let raw = desk.call("GET", "/api/v1/messages/1/raw", Value::Null).await;
    assert_eq!((raw.header("content-type"), &raw.bytes[..]), ("application/octet-stream", &text[..]));
    let check = desk.call("GET", "/api/v1/ledger/check", Value::Null).await.json();
    assert_eq!(check, json!({"entries": 2, "faults": []}));
}

#[tokio::test]
async fn values_are_listed_and_exported_whole() {
    let desk = Desk::new().await;
    let reading = |n: i64| Reading {
        sensor: "act_temp.0".into(),
        value: Measured::Integer(n),
        created: None,
        counts: true,
    };
    let mut id = String::new();
    for n in 0..5 {
        let gap = Reading {
            sensor: "note".into(),
            value: Measured::Text("=1+1".to_owned()),
            created: None,
            counts: true,
        };
        id = desk.hear(b"{}", Verdict::Ok, vec![reading(n), gap]).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/devices/{id}/data?sensor=act_temp.0&limit=2{cursor}");
        let page = desk.call("GET", &path, Value::Null).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|datum| datum["value"].as_i64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    let series = desk.call("GET", &format!("/api/v1/devices/{id}/series"), Value::Null).await.json();
    assert_eq!(series["items"][0]["value"], 4);
    let data = |query: &str| format!("/api/v1/devices/{id}/data?{query}");
    let year = "bucket_s=31622400&from=1970-01-01T00:00:00Z";
    let buckets = desk.call("GET", &data(&format!("{year}&sensor=act_temp.0")), Value::Null).await.json();
    let numbers = ["count", "min", "max", "avg", "last"].map(|name| buckets["items"][0][name].to_string());
    assert_eq!(numbers, ["5", "0.0", "4.0", "2.0", "4.0"], "{buckets}");
    assert_eq!(buckets["items"].as_array().unwrap().len(), 1);
    let some = desk.call("GET", &data(&format!("{year}&agg=min,count")), Value::Null).await.json();
    let names: BTreeSet<_> = some["items"][0].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["count", "min", "sensor", "time"].into());
    for (query, field) in [
        ("bucket_s=60", "from"),
        ("bucket_s=0&from=2024-01-01T00:00:00Z", "bucket_s"),
        ("agg=min&from=2024-01-01T00:00:00Z", "bucket_s"),
        ("bucket_s=60&agg=median&from=2024-01-01T00:00:00Z", "agg"),
        ("bucket_s=60&from=1970-01-01T00:00:00Z", "bucket_s"),
    ] {
        let refused = desk.call("GET", &data(query), Value::Null).await;
        assert!(refused.status.is_client_error(), "{query}");
        assert_eq!(refused.json()["error"]["field"], field, "{query}");
    }
    let csv = desk.call("GET", "/api/v1/export.csv", Value::Null).await;
    assert!(csv.header("content-disposition").contains("data.csv"));
    let lines: Vec<_> = csv.text().split("\r\n").map(str::to_owned).collect();
    assert_eq!(lines[0], "device,sensor,value,unit,time_received,time_created");
    assert_eq!(lines.len(), 12, "{lines:?}");
    assert!(lines[1].starts_with(&format!("{CWM},act_temp.0,0,,")), "{lines:?}");
    assert!(lines[2].starts_with(&format!("{CWM},note,'=1+1,,")), "{lines:?}");
    let path = format!("/api/v1/devices/{id}/export.csv?format=jsonl&sensor=note");
    assert_eq!(desk.call("GET", &path, Value::Null).await.text().lines().count(), 5);
}

#[tokio::test]
async fn users_and_tokens_are_kept_by_administrators() {
    let desk = Desk::new().await;
    let add = json!({"name": "maria", "password": PASSWORD, "role": "admin"});
    let user = desk.call("POST", "/api/v1/users", add).await;
    assert_eq!(user.status, StatusCode::CREATED, "{}", user.text());
    assert!(!user.text().contains(PASSWORD));
    let id = user.json()["id"].as_str().unwrap().to_owned();
    let made = desk.call("POST", "/api/v1/tokens", json!({"name": "script", "role": "viewer"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let (token, token_id) = (made.json()["token"].clone(), made.json()["id"].clone());
    let list = desk.call("GET", "/api/v1/tokens", Value::Null).await;
    assert!(!list.text().contains(token.as_str().unwrap()));
    let me = || {
        let bearer = format!("Bearer {}", token.as_str().unwrap());
        Request::get("/api/v1/me").header("authorization", bearer).body(Body::empty()).unwrap()
    };
    assert_eq!(desk.ask(me()).await.json()["role"], "viewer");
    let revoke = format!("/api/v1/tokens/{}", token_id.as_str().unwrap());
    assert_eq!(desk.call("DELETE", &revoke, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(desk.call("DELETE", &revoke, Value::Null).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.ask(me()).await.status, StatusCode::UNAUTHORIZED);
    let removed = desk.call("DELETE", &format!("/api/v1/users/{id}"), Value::Null).await;
    assert_eq!(removed.status, StatusCode::CONFLICT, "the last administrator stays");
    let lower = desk.call("PATCH", &format!("/api/v1/users/{id}"), json!({"role": "viewer"})).await;
    assert_eq!(lower.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    let desk = Desk::new().await;
    let id = desk.hear(b"<script>alert(1)</script>", Verdict::Malformed, Vec::new()).await;
    let body = json!({"name": "<img src=x>"});
    let renamed = desk.call("PATCH", &format!("/api/v1/devices/{id}"), body.clone()).await;
    assert_eq!(renamed.json()["name"], "<img src=x>");
    let same = desk.call("PATCH", &format!("/api/v1/devices/{id}"), body).await;
    assert_eq!(same.json()["unchanged"], true);
    let page = desk.call("GET", &format!("/devices/{id}"), Value::Null).await.text();
    assert!(!page.contains("<script>") && !page.contains("<img src=x"), "{page}");
}

#[tokio::test]
async fn requests_that_cannot_be_read_are_answered_in_the_asker_s_own_language() {
    let desk = Desk::new().await;
    let odd = desk.call("GET", "/api/v1/devices/%ff", Value::Null).await;
    assert_eq!(odd.status, StatusCode::NOT_FOUND);
    assert_eq!(odd.json()["error"]["code"], "not_found");
    let half = Request::post("/login").header("content-type", "application/x-www-form-urlencoded");
    let got = desk.ask(half.body(Body::from("name=maria")).unwrap()).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    assert!(got.text().contains("<h1>"), "{}", got.text());
}
