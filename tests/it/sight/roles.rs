//! Every route for every kind of caller, for a device of the house and for one that is another's.

use axum::body::Body;
use bytes::Bytes;
use homeport::alert::{AlertSettings, Lookout, Post};
use homeport::core::{Claim, Event, Level, Report, Share};
use homeport::model::{FamilyName, Reading, Role, Sees, Value as Measured, Verdict};
use homeport::web::{self, Permit};
use http::{Request, StatusCode};
use serde_json::{Value, json};

use super::Caller;
use crate::web::Desk;

/// What all that is of the other's device carries, and nothing else.
const MARK: &str = "olgas-own";

/// A device with something of every kind.
struct Thing {
    id: String,
    command: String,
    transfer: String,
    schedule: String,
    group: String,
    rule: String,
    /// What fires under the rule.
    alert: String,
    seq: i64,
    /// Texts that whoever does not see it must not meet.
    marks: Vec<String>,
}

struct World {
    desk: Desk,
    house: Thing,
    other: Thing,
}

/// Who calls: a name, a role, what the person sees, and what may be done with either device.
struct Kind {
    name: &'static str,
    role: Option<Role>,
    sees: Sees,
    house: Level,
    other: Level,
}

const fn kind(name: &'static str, role: Role, sees: Sees, house: Level, other: Level) -> Kind {
    Kind { name, role: Some(role), sees, house, other }
}

const KINDS: [Kind; 8] = [
    Kind { name: "nobody", role: None, sees: Sees::Own, house: Level::Nothing, other: Level::Nothing },
    kind("viewer", Role::Viewer, Sees::House, Level::View, Level::Nothing),
    kind("operator", Role::Operator, Sees::House, Level::Own, Level::Nothing),
    kind("admin", Role::Admin, Sees::House, Level::Own, Level::Own),
    kind("stranger", Role::Operator, Sees::Own, Level::Nothing, Level::Nothing),
    kind("olga", Role::Operator, Sees::Own, Level::Nothing, Level::Own),
    kind("vera", Role::Operator, Sees::Own, Level::Nothing, Level::View),
    kind("edda", Role::Operator, Sees::Own, Level::Nothing, Level::Edit),
];

/// What a row comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    SignIn,
    Forbidden,
    NotThere,
    Through,
}

async fn thing(desk: &Desk, address: &str, name: &str, mark: &str) -> Thing {
    let family = FamilyName::new("cwm");
    let hear = async |value: i64| {
        let known = desk.hub.claim(Claim { family: &family, address, parent: None }).unwrap();
        let id = known.names().id.to_string();
        let reading =
            Reading { sensor: mark.into(), value: Measured::Integer(value), created: None, counts: true };
        let report = Report {
            device: Some(known),
            at: desk.hub.now(),
            raw: Bytes::from(format!("{{\"{mark}\":{value}}}")),
            verdict: Verdict::Ok,
            hmac: None,
            fingerprint: None,
            events: vec![Event::Readings(vec![reading])],
            peer: "192.0.2.1".to_owned(),
        };
        (id, desk.hub.accept(report).await.unwrap().seq.0)
    };
    let (id, seq) = hear(7).await;
    let call = async |path: &str, body: Value| {
        let got = desk.call("POST", path, body).await;
        assert_eq!(got.status, StatusCode::CREATED, "{path}: {}", got.text());
        got.json()["id"].as_str().unwrap().to_owned()
    };
    let say = json!({"cmd": "wr", "payload": {"oke": {"port": mark}}});
    let command = call(&format!("/api/v1/devices/{id}/commands"), say).await;
    let schedule = json!({"device": id, "cmd": "wr", "payload": {"oke": {"port": mark}}, "name": mark,
        "times": ["12:00"]});
    let schedule = call("/api/v1/schedules", schedule).await;
    let transfer = call(&format!("/api/v1/devices/{id}/transfers"), json!({"file": "app.bin"})).await;
    let group = call("/api/v1/groups", json!({"name": format!("set {seq}"), "devices": [id]})).await;
    let renamed = json!({"name": name, "tags": [mark]});
    let got = desk.call("PATCH", &format!("/api/v1/devices/{id}"), renamed).await;
    assert_eq!(got.status, StatusCode::OK, "{}", got.text());
    let rule = call("/api/v1/rules", json!({"name": mark, "device": id, "sensor": mark, "high": 10})).await;
    let mut lookout =
        Lookout::new(desk.hub.clone(), Post::new(desk.hub.clone(), AlertSettings::default()), true);
    lookout.round().await.unwrap();
    lookout.round().await.unwrap();
    hear(11).await;
    lookout.round().await.unwrap();
    let got = desk.call("GET", &format!("/api/v1/alerts?device={id}"), Value::Null).await.json();
    let alert = got["items"][0]["id"].as_str().unwrap_or_else(|| panic!("nothing fires: {got}")).to_owned();
    let marks = [&id, &command, &transfer, &schedule, &rule, &alert].map(Clone::clone);
    let marks = marks.into_iter().chain([mark.to_owned()]).collect();
    Thing { id, command, transfer, schedule, group, rule, alert, seq, marks }
}

impl World {
    async fn new() -> Self {
        let desk = Desk::new().await;
        let file = Request::put("/api/v1/files/app.bin");
        let mut file = file.body(Body::from("bytes")).unwrap();
        file.extensions_mut().insert(crate::web::control());
        assert!(desk.ask(file).await.status.is_success());
        let house = thing(&desk, "0002010203040506", "Oven", "the-house").await;
        let other = thing(&desk, "0002010203040599", "Grill", MARK).await;
        Self { desk, house, other }
    }

    /// Makes the caller, and the other's device the other's.
    async fn caller(&mut self, kind: &Kind) -> Option<Caller> {
        let mut people = Vec::new();
        for kind in KINDS.iter().filter(|one| ["olga", "vera", "edda", kind.name].contains(&one.name)) {
            let Some(role) = kind.role else { continue };
            people.push(self.desk.person(kind.name, role, kind.sees).await);
        }
        let user = |name: &str| people.iter().find(|caller| caller.user.name == name).unwrap().user.clone();
        self.desk.give(&self.other.id, Some(&user("olga"))).await;
        let id = homeport::model::DeviceId::new(&self.other.id);
        for (name, share) in [("vera", Share::Viewer), ("edda", Share::Editor)] {
            self.desk.hub.share_device(&id, &user(name), Some(share), "user:test").await.unwrap();
        }
        people.into_iter().find(|caller| caller.user.name == kind.name)
    }
}

/// The path with a thing's names in it, and whether it names a device or something of one.
fn concrete(permit: &Permit, thing: &Thing) -> (String, bool) {
    let of = |prefix: &str| {
        permit.path.starts_with(&format!("/api/v1/{prefix}/{{"))
            || permit.path.starts_with(&format!("/{prefix}/{{"))
    };
    let seq = thing.seq.to_string();
    let id = [
        ("devices", &thing.id),
        ("commands", &thing.command),
        ("transfers", &thing.transfer),
        ("schedules", &thing.schedule),
        ("rules", &thing.rule),
        ("alerts", &thing.alert),
        ("messages", &seq),
    ];
    let id = id.into_iter().find(|(prefix, _)| of(prefix)).map(|(_, id)| id.clone());
    let path = permit.path.replace("{id}", id.as_deref().unwrap_or("nobody"));
    let path = path.replace("{seq}", &seq).replace("{user}", "vera").replace("{day}", "2024-01-01");
    (path.replace("{name}", "nothing").replace("{family}", "cwm").replace("{node}", "n"), id.is_some())
}

/// What the caller must be allowed with the device.
fn needed(permit: &Permit) -> Level {
    let own = [
        "/adopt",
        "/block",
        "/rotate",
        "/revoke",
        "/transfer",
        "/shares/{user}",
        "/share",
        "/unshare",
        "/forget",
    ];
    // Vera may end her own share.
    if permit.method == "DELETE" && permit.path.ends_with("/shares/{user}") {
        return Level::Own;
    }
    let forgets = permit.method == "DELETE" && permit.path.ends_with("/devices/{id}");
    match permit.method {
        "GET" => Level::View,
        _ if forgets || own.iter().any(|end| permit.path.ends_with(end)) => Level::Own,
        _ => Level::Edit,
    }
}

fn comes(permit: &Permit, kind: &Kind, level: Option<Level>) -> Comes {
    let Some(need) = permit.need else { return Comes::Through };
    let Some(role) = kind.role else { return Comes::SignIn };
    if role < need || (permit.house && kind.sees == Sees::Own) {
        return Comes::Forbidden;
    }
    let leaves = kind.name == "vera" && permit.method == "DELETE" && permit.path.ends_with("/shares/{user}");
    match level {
        Some(Level::Nothing) => Comes::NotThere,
        Some(level) if level < needed(permit) && !leaves => Comes::Forbidden,
        Some(_) | None => Comes::Through,
    }
}

fn request(permit: &Permit, path: &str, caller: Option<&Caller>) -> Request<Body> {
    let mut request = Request::builder().method(permit.method).uri(path);
    if let Some(caller) = caller {
        request = request.header("authorization", format!("Bearer {}", caller.token));
    }
    if permit.page {
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    // A form that is whole, so that its refusal is about the device.
    let form = "cmd=wr&payload=%7B%7D&name=x&file=app.bin&family=cwm&address=1";
    request
        .body(if permit.page && permit.method == "POST" { Body::from(form) } else { Body::empty() })
        .unwrap()
}

/// What changes or ends things comes last.
fn rank(permit: &Permit) -> usize {
    let last = ["/cancel", "/abort", "/adopt", "/block", "/revoke", "/rotate", "/rename", "/transfer"];
    match permit.method {
        "GET" => 0,
        "DELETE" if permit.path.ends_with("/devices/{id}") => 4,
        "POST" if permit.path.ends_with("/devices/{id}/forget") => 4,
        // Whoever leaves sees nothing any more.
        "DELETE" if permit.path.ends_with("/shares/{user}") => 5,
        "DELETE" => 3,
        _ if last.iter().any(|end| permit.path.ends_with(end)) => 2,
        _ => 1,
    }
}

impl World {
    /// Asks one route about one of the things, and checks what comes of it.
    async fn ask(&self, permit: &Permit, kind: &Kind, caller: Option<&Caller>, thing: &Thing, level: Level) {
        let (path, of_device) = concrete(permit, thing);
        let got = self.desk.ask(request(permit, &path, caller)).await;
        let (status, said) = (got.status, got.text());
        let what = format!("{} {path} as {} ({}): {status} {said}", permit.method, kind.name, permit.path);
        match comes(permit, kind, of_device.then_some(level)) {
            Comes::SignIn if permit.page => assert_eq!(status, StatusCode::SEE_OTHER, "{what}"),
            Comes::SignIn => assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}"),
            Comes::Forbidden => assert_eq!(status, StatusCode::FORBIDDEN, "{what}"),
            Comes::NotThere => assert_eq!(status, StatusCode::NOT_FOUND, "{what}"),
            Comes::Through => {
                let open = permit.path.ends_with("login") || permit.need.is_none();
                assert!(open || status != StatusCode::UNAUTHORIZED, "{what}");
                assert_ne!(status, StatusCode::FORBIDDEN, "{what}");
                assert!(!status.is_server_error(), "{what}");
                let is_read = permit.method == "GET" && of_device && !permit.path.contains("/days");
                assert!(!is_read || status == StatusCode::OK, "{what}");
            }
        }
        let found = self.other.marks.iter().find(|mark| said.contains(mark.as_str()));
        // A path that was asked for may be told again, in the way to the sign-in.
        let asked = path.contains(&self.other.id) && status == StatusCode::SEE_OTHER;
        assert!(kind.other > Level::Nothing || found.is_none() || asked, "{found:?} is told: {what}");
    }
}

#[tokio::test]
async fn every_route_for_every_kind_of_caller() {
    let mut permits = web::permits();
    // The copy of a whole store, a stream without an end, and the end of the session, are told elsewhere.
    let elsewhere = ["/backup", "/stream", "/logout"];
    permits.retain(|permit| !elsewhere.iter().any(|end| permit.path.ends_with(end)));
    permits.sort_by_key(rank);
    for kind in &KINDS {
        let mut world = World::new().await;
        let caller = world.caller(kind).await;
        for permit in &permits {
            world.ask(permit, kind, caller.as_ref(), &world.other, kind.other).await;
            world.ask(permit, kind, caller.as_ref(), &world.house, kind.house).await;
        }
    }
}

#[tokio::test]
async fn a_query_for_another_s_device_is_answered_as_one_for_none() {
    let mut world = World::new().await;
    let operator = world.caller(&KINDS[2]).await.unwrap();
    let paths = ["messages?device=", "schedules?device=", "export.csv?device="];
    for text in [&world.other.id, "Grill", "0002010203040599"] {
        for path in paths {
            let path = |text: &str| format!("/api/v1/{path}{text}");
            let got = world.desk.ask_as(&operator, "GET", &path(text), Value::Null).await;
            let none = world.desk.ask_as(&operator, "GET", &path("no-such-device"), Value::Null).await;
            assert_eq!((got.status, got.text()), (StatusCode::NOT_FOUND, none.text()), "{text}");
        }
    }
    let group = format!("/api/v1/groups/{}", world.other.group);
    let got = world.desk.ask_as(&operator, "GET", &group, Value::Null).await.json();
    assert_eq!((&got["size"], &got["devices"]), (&json!(0), &json!([])), "a group of the house: {got}");
    for (path, body) in [
        ("commands", json!({"family": "cwm", "to": "0002010203040599", "cmd": "wr", "payload": {"a": 1}})),
        ("commands", json!({"family": "cwm", "to": ["Grill"], "cmd": "wr", "payload": {"a": 1}})),
    ] {
        let got = world.desk.ask_as(&operator, "POST", &format!("/api/v1/{path}"), body).await.json();
        assert_eq!(got["items"][0]["result"], "no such device", "{got}");
    }
    // By the text of a command for a device that the caller may command.
    let say = json!({"cmd": "wr", "payload": {"a": 1}, "dst": ["0002010203040599"]});
    let path = format!("/api/v1/devices/{}/commands", world.house.id);
    let got = world.desk.ask_as(&operator, "POST", &path, say).await;
    assert_eq!(got.status, StatusCode::NOT_FOUND, "{}", got.text());
}
