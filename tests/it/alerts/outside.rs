//! Alerts against the real program: an oven over TLS, receivers on loopback, power cuts.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::receivers::{Habit, Heard, Hook, Mailbox, Mood, tls};
use crate::harness::{Answer, Module, Program};

const OVEN: &str = "0002010203040506";
const OK: Mood = Mood::Says("200 OK");

/// A program whose tries follow each other quickly, with an oven that spoke once.
struct Kitchen {
    program: Program,
    token: String,
    oven: Module,
}

impl Kitchen {
    fn open(program: Program) -> Self {
        let mut program =
            program.set("HOMEPORT_ALERTS_RETRY_FIRST_MS", "100").set("HOMEPORT_ALERTS_RETRY_LONGEST_S", "1");
        program.start();
        let token = program.token();
        let mut oven = Module::new(program.client(), OVEN);
        let okm = oven.next(r#"{"act_temp":[100]}"#);
        oven.pushes(&okm);
        Self { program, token, oven }
    }

    fn is(&mut self, sensor: &str, value: i64) {
        let okm = self.oven.next(&format!("{{\"{sensor}\":[{value}]}}"));
        self.oven.pushes(&okm);
    }

    /// A power cut, and the server again.
    fn power_cut(&mut self) {
        self.program.kill();
        self.program.start();
        self.oven.reconnect(self.program.client());
    }

    #[track_caller]
    fn send(&self, method: &str, path: &str, body: &Value, status: u16) -> Value {
        let answer: Answer = self.program.client().send_as(method, &self.token, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    fn hook(&self, url: &str) -> Value {
        self.send("POST", "/api/v1/webhooks", &json!({"name": "kitchen", "url": url}), 201)
    }

    fn rule(&self, sensor: &str, channel: &Value) -> Value {
        let rule =
            json!({"name": "too hot", "device": OVEN, "sensor": sensor, "high": 250, "channels": [channel]});
        self.send("POST", "/api/v1/rules", &rule, 201)
    }

    /// Asks until something is as it should be.
    #[track_caller]
    fn waits(&self, path: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let found = self.program.api(&self.token, path);
            if is(&found) {
                return found;
            }
            assert!(std::time::Instant::now() < end, "{path}: {found}");
        }
    }
}

fn events(heard: &[Heard]) -> Vec<String> {
    heard.iter().map(|one| one.header("homeport-event").unwrap_or_default().to_owned()).collect()
}

#[track_caller]
fn is_signed(heard: &Heard, secret: &Value) {
    let signature = heard.header("homeport-signature").unwrap();
    let (time, digits) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let mut sum = Hmac::<Sha256>::new_from_slice(secret.as_str().unwrap().as_bytes()).unwrap();
    sum.update(format!("{time}.").as_bytes());
    sum.update(&heard.body);
    let found: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    assert_eq!((found.as_slice(), digits.len()), (&*sum.finalize().into_bytes(), 64));
}

#[test]
fn an_ovens_temperature_reaches_a_webhook_once_and_clears_once_whatever_happens_to_the_server() {
    let mut kitchen = Kitchen::open(Program::new());
    let hook = Hook::open(OK, None);
    let made = kitchen.hook(&hook.url());
    kitchen.rule("act_temp.*", &made["channel"]);
    kitchen.rule("fence.0", &made["channel"]);
    kitchen.is("act_temp", 250);
    kitchen.is("act_temp", 251);
    let fired = hook.hears();
    assert!(fired.head.starts_with("POST /hook?a=b HTTP/1.1\r\n"), "{}", fired.head);
    is_signed(&fired, &made["secret"]);
    let told = fired.json();
    assert_eq!(
        (&told["event"], &told["alert"]["value"], &told["alert"]["bound"]),
        (&json!("firing"), &json!(251.0), &json!(250.0))
    );
    assert_eq!((&told["device"]["address"], &told["alert"]["sensor"]), (&json!(OVEN), &json!("act_temp.0")));
    assert_eq!(told["id"], fired.header("homeport-delivery").unwrap());
    // It is noted that the message was taken.
    kitchen.waits("/api/v1/deliveries?state=delivered", |list| list["items"].as_array().unwrap().len() == 1);

    kitchen.power_cut();
    kitchen.is("act_temp", 252);
    kitchen.is("act_temp", 246);
    kitchen.is("act_temp", 245);
    let cleared = hook.hears();
    assert_eq!(cleared.json()["event"], "resolved");
    assert_eq!(cleared.json()["alert"]["id"], told["alert"]["id"]);
    kitchen.waits("/api/v1/deliveries?state=delivered", |list| list["items"].as_array().unwrap().len() == 2);

    kitchen.power_cut();
    kitchen.is("act_temp", 244);
    // What is looked at later is told of: nothing else was.
    kitchen.is("fence", 999);
    assert_eq!(hook.hears().json()["alert"]["sensor"], "fence.0");
    assert!(hook.rest().is_empty());
    let all = kitchen.program.api(&kitchen.token, "/api/v1/deliveries");
    assert_eq!(all["items"].as_array().unwrap().len(), 3, "{all}");

    let alerts = kitchen.program.api(&kitchen.token, "/api/v1/alerts?state=resolved");
    let alert = &alerts["items"][0];
    let states: Vec<_> = alert["events"].as_array().unwrap().iter().map(|event| &event["state"]).collect();
    assert_eq!(states, ["firing", "resolved"]);
    let device = alert["device"]["id"].as_str().unwrap();
    let timeline = kitchen.program.api(&kitchen.token, &format!("/api/v1/devices/{device}/timeline"));
    let of_alerts = timeline["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "alert");
    assert_eq!(of_alerts.count(), 3, "{timeline}");
}

#[test]
fn a_power_cut_between_alert_and_delivery_loses_nothing_and_doubles_nothing() {
    let mut kitchen = Kitchen::open(Program::new());
    let hook = Hook::open(Mood::Says("503 Service Unavailable"), None);
    let made = kitchen.hook(&hook.url());
    kitchen.rule("act_temp.*", &made["channel"]);
    kitchen.is("act_temp", 300);
    let first = hook.hears();
    kitchen.is("act_temp", 100);
    kitchen.waits("/api/v1/alerts?state=resolved", |list| list["items"].as_array().unwrap().len() == 1);
    kitchen.program.kill();
    drop(hook.rest());
    hook.is(OK);
    kitchen.program.start();
    let (fired, cleared) = (hook.hears(), hook.hears());
    assert_eq!(events(&[fired, cleared]), ["firing", "resolved"], "in their order");
    let done = kitchen
        .waits("/api/v1/deliveries?state=delivered", |list| list["items"].as_array().unwrap().len() == 2);
    assert!(hook.rest().is_empty());
    assert_eq!(done["items"][1]["id"], first.header("homeport-delivery").unwrap(), "the same id each time");
    let tries = done["items"][1]["tries"].as_array().unwrap();
    assert_eq!((&tries[0]["status"], &tries.last().unwrap()["status"]), (&json!(503), &json!(200)));
    assert_eq!(tries[0]["note"], "told");
}

#[test]
fn receivers_that_refuse_hang_or_lead_elsewhere_become_dead_letters_that_can_be_sent_again() {
    let program = Program::new().set("HOMEPORT_ALERTS_ATTEMPTS_MAX", "2");
    let mut kitchen = Kitchen::open(program.set("HOMEPORT_ALERTS_WEBHOOK_REFUSE", "127.0.0.2"));
    let hook = Hook::open(Mood::Says("302 Found\r\nLocation: http://127.0.0.1:1/"), None);
    let made = kitchen.hook(&hook.url());
    let id = made["id"].as_str().unwrap().to_owned();
    let test = |url: &str| {
        kitchen.send("PATCH", &format!("/api/v1/webhooks/{id}"), &json!({"url": url}), 200);
        let tried = kitchen.send("POST", &format!("/api/v1/webhooks/{id}/test"), &json!({}), 200);
        (tried["state"].clone(), tried["tries"][0]["status"].clone(), tried["tries"][0]["note"].to_string())
    };
    let (state, status, note) = test(&hook.url());
    assert!(state == "dead" && status == 302 && note.contains("redirects are not followed"), "{note}");
    let (state, _, note) = test("http://127.0.0.1:1/");
    assert!(state == "dead" && note.contains("no connection"), "{note}");
    let (state, _, note) = test("http://127.0.0.2:1/");
    assert!(state == "dead" && note.contains("webhook_refuse"), "{note}");
    hook.is(OK);
    assert_eq!(test(&hook.url()).0, "delivered");
    assert_eq!(events(&hook.rest()), ["test", "test"]);

    hook.is(Mood::Says("500 Internal Server Error"));
    kitchen.rule("act_temp.*", &made["channel"]);
    kitchen.is("act_temp", 300);
    let dead = kitchen.waits("/api/v1/deliveries?state=dead", |list| {
        list["items"].as_array().unwrap().iter().any(|one| one["event"] == "firing")
    });
    let dead = dead["items"].as_array().unwrap().iter().find(|one| one["event"] == "firing").unwrap();
    assert_eq!(dead["attempts"], 2);
    hook.is(OK);
    drop(hook.rest());
    let again = format!("/api/v1/deliveries/{}/retry", dead["id"].as_str().unwrap());
    kitchen.send("POST", &again, &json!({}), 200);
    assert_eq!(events(&[hook.hears()]), ["firing"]);
    kitchen.waits("/api/v1/deliveries?state=delivered", |list| {
        list["items"].as_array().unwrap().iter().any(|one| one["event"] == "firing")
    });
    kitchen.send("POST", &again, &json!({}), 409);
    kitchen.send("POST", "/api/v1/deliveries/none/retry", &json!({}), 404);
}

#[test]
fn a_receiver_that_hangs_is_left_and_one_with_a_root_of_its_own_is_believed() {
    let kitchen = Kitchen::open(Program::new().set("HOMEPORT_ALERTS_SEND_TIME_MS", "300"));
    let slow = Hook::open(Mood::Hangs, None);
    let made = kitchen.hook(&slow.url());
    let path = format!("/api/v1/webhooks/{}", made["id"].as_str().unwrap());
    let tried = kitchen.send("POST", &format!("{path}/test"), &json!({}), 200);
    assert!(tried["tries"][0]["note"].as_str().unwrap().starts_with("no answer within"), "{tried}");

    let secure = Hook::open(OK, Some(tls(&kitchen.program.folder().join("certs"))));
    let url = format!("https://localhost:{}/", secure.addr.port());
    kitchen.send("PATCH", &path, &json!({"url": url}), 200);
    let tried = kitchen.send("POST", &format!("{path}/test"), &json!({}), 200);
    assert!(tried["tries"][0]["note"].as_str().unwrap().starts_with("no TLS"), "{tried}");
    let root = std::fs::read_to_string(kitchen.program.folder().join("certs/root.pem")).unwrap();
    kitchen.send("PATCH", &path, &json!({"ca": root}), 200);
    let tried = kitchen.send("POST", &format!("{path}/test"), &json!({}), 200);
    assert_eq!(tried["state"], "delivered", "{tried}");
    let old = made["secret"].clone();
    let new = kitchen.send("POST", &format!("{path}/rotate"), &json!({}), 200)["secret"].clone();
    assert_ne!(old, new);
    kitchen.send("POST", &format!("{path}/test"), &json!({}), 200);
    is_signed(&secure.hears(), &old);
    is_signed(&secure.hears(), &new);
}

fn mail(habit: Habit, security: &str) -> (Kitchen, Mailbox) {
    let mut program = Program::new();
    program.done(&["certs", "init"]);
    let certs = program.folder().join("certs");
    let mailbox = Mailbox::open(habit, Some(tls(&certs)));
    program = program
        .set("HOMEPORT_MAIL_HOST", "localhost")
        .set("HOMEPORT_MAIL_PORT", &mailbox.addr.port().to_string())
        .set("HOMEPORT_MAIL_SECURITY", security)
        .set("HOMEPORT_MAIL_FROM", "Oven watch <oven@example.org>")
        .set("HOMEPORT_ALERTS_ATTEMPTS_MAX", "2")
        .set("HOMEPORT_ALERTS_ROOTS", certs.join("root.pem").to_str().unwrap());
    if matches!(habit, Habit::Starttls | Habit::Tls) {
        std::fs::write(program.folder().join("mail-password"), "s3cret\n").unwrap();
        program =
            program.set("HOMEPORT_MAIL_USERNAME", "oven").set("HOMEPORT_MAIL_PASSWORD_FILE", "mail-password");
    }
    (Kitchen::open(program), mailbox)
}

#[test]
fn mail_is_sent_in_the_clear_with_starttls_and_with_tls() {
    for (habit, security) in [(Habit::Plain, "none"), (Habit::Starttls, "starttls"), (Habit::Tls, "tls")] {
        let (mut kitchen, mailbox) = mail(habit, security);
        kitchen.rule("act_temp.*", &json!("mail:Chef <chef@example.org>"));
        kitchen.is("act_temp", 300);
        let letter = mailbox.gets();
        assert!(
            letter.from.contains("<oven@example.org>") && letter.to.contains("<chef@example.org>"),
            "{letter:?}"
        );
        assert!(
            letter.text.contains("above 250: 300") && letter.text.contains("Rule: too hot"),
            "{letter:?}"
        );
        assert!(letter.text.contains("Message-ID: <") && letter.text.contains("\r\nDate: "), "{letter:?}");
        assert_eq!(letter.secure, habit != Habit::Plain);
        // "\0oven\0s3cret", base64-coded.
        assert_eq!(letter.proof.as_deref(), (habit != Habit::Plain).then_some("AG92ZW4AczNjcmV0"));
        kitchen
            .waits("/api/v1/deliveries?state=delivered", |list| list["items"].as_array().unwrap().len() == 1);
        assert!(mailbox.is_empty());
    }
}

#[test]
fn mail_that_is_not_taken_is_tried_again_or_given_up_and_never_sent_in_the_clear_unasked() {
    for (habit, security, attempts, status) in [
        (Habit::Busy, "none", 2, json!(451)),
        (Habit::Nobody, "none", 1, json!(550)),
        (Habit::Bare, "starttls", 2, Value::Null),
    ] {
        let (mut kitchen, mailbox) = mail(habit, security);
        kitchen.rule("act_temp.*", &json!("mail:chef@example.org"));
        kitchen.is("act_temp", 300);
        let dead = kitchen
            .waits("/api/v1/deliveries?state=dead", |list| list["items"].as_array().unwrap().len() == 1);
        let dead = &dead["items"][0];
        assert_eq!(
            (&dead["attempts"], &dead["tries"][0]["status"]),
            (&json!(attempts), &status),
            "{habit:?} {dead}"
        );
        assert!(mailbox.is_empty());
    }
}

#[test]
fn a_mail_server_that_is_set_through_the_api_counts_at_once_and_tells_nobody_its_password() {
    let program = Program::new();
    program.done(&["certs", "init"]);
    let certs = program.folder().join("certs");
    let mailbox = Mailbox::open(Habit::Tls, Some(tls(&certs)));
    let ca = std::fs::read_to_string(certs.join("root.pem")).unwrap();
    let mut kitchen = Kitchen::open(program);
    let none = kitchen.send("GET", "/api/v1/mail", &json!({}), 200);
    assert_eq!((&none["source"], &none["password"]), (&Value::Null, &json!(false)));

    let server = json!({"host": "localhost", "port": mailbox.addr.port(), "security": "tls",
        "username": "oven", "password": "s3cret", "from": "oven@example.org", "ca": ca});
    let set = kitchen.send("PUT", "/api/v1/mail", &server, 200);
    assert_eq!((&set["source"], &set["password"], &set["ca"]), (&json!("store"), &json!(true), &json!(true)));
    assert!(!set.to_string().contains("s3cret"), "{set}");
    let tested = kitchen.send("POST", "/api/v1/mail/test", &json!({"to": "chef@example.org"}), 200);
    assert_eq!(tested["state"], "delivered", "{tested}");
    assert_eq!(mailbox.gets().proof.as_deref(), Some("AG92ZW4AczNjcmV0"));

    // What is left out stays; the password goes to no other server.
    kitchen.send("PUT", "/api/v1/mail", &json!({"from": "Oven watch <oven@example.org>"}), 200);
    let refused = kitchen.send("PUT", "/api/v1/mail", &json!({"host": "elsewhere.example"}), 422);
    assert_eq!(refused["error"]["field"], "password");
    for (edit, field) in [
        (json!({"host": "smtp.example.org:587", "password": "x"}), "host"),
        (json!({"port": 0}), "port"),
        (json!({"from": "nobody"}), "from"),
        (json!({"ca": "no"}), "ca"),
        (json!({"username": ""}), ""),
    ] {
        if field.is_empty() {
            let open = kitchen.send("PUT", "/api/v1/mail", &edit, 200);
            assert_eq!(open["password"], json!(false), "nobody signs in, so there is no password");
            kitchen.send("PUT", "/api/v1/mail", &server, 200);
        } else {
            assert_eq!(kitchen.send("PUT", "/api/v1/mail", &edit, 422)["error"]["field"], field, "{edit}");
        }
    }

    // It is there after a power cut, and alerts go by it; how many fire is counted.
    kitchen.rule("act_temp.*", &json!("mail:chef@example.org"));
    kitchen.power_cut();
    kitchen.is("act_temp", 300);
    assert!(mailbox.gets().text.contains("above 250: 300"));
    kitchen.waits("/api/v1/alerts/count", |count| count["firing"] == 1);
    let rules = kitchen.program.client().get_as(&kitchen.token, "/rules").text();
    assert_eq!(rules.matches("1 firing").count(), 1, "{rules}");
    kitchen.is("act_temp", 100);
    assert!(mailbox.gets().text.contains("well again"));
    kitchen.waits("/api/v1/alerts/count", |count| count["firing"] == 0);
    kitchen.send("DELETE", "/api/v1/mail", &json!({}), 204);
    kitchen.send("DELETE", "/api/v1/mail", &json!({}), 404);
    let tested = kitchen.send("POST", "/api/v1/mail/test", &json!({"to": "chef@example.org"}), 200);
    assert_eq!(tested["state"], "dead", "{tested}");
}

#[test]
fn the_settings_mail_server_goes_before_one_of_the_api() {
    let (kitchen, mailbox) = mail(Habit::Plain, "none");
    let shown = kitchen.send("GET", "/api/v1/mail", &json!({}), 200);
    assert_eq!((&shown["source"], &shown["port"]), (&json!("settings"), &json!(mailbox.addr.port())));
    kitchen.send("PUT", "/api/v1/mail", &json!({"host": "elsewhere.example", "from": "a@example.org"}), 409);
    kitchen.send("DELETE", "/api/v1/mail", &json!({}), 409);
}

#[test]
fn a_rule_is_looked_at_before_it_is_made() {
    let kitchen = Kitchen::open(Program::new());
    let seen = |rule: Value| kitchen.send("POST", "/api/v1/rules/preview", &rule, 200);
    let hot = seen(json!({"device": OVEN, "sensor": "act_temp.*", "high": 90}));
    assert_eq!(
        (&hot["devices"], &hot["sensors"], &hot["outside"]),
        (&json!(1), &json!(1), &json!(1)),
        "{hot}"
    );
    assert_eq!((&hot["items"][0]["sensor"], &hot["items"][0]["value"]), (&json!("act_temp.0"), &json!(100)));
    assert_eq!(seen(json!({"family": "cwm", "sensor": "act_temp.0", "high": 100}))["outside"], 0);
    assert_eq!(
        seen(json!({"all": true, "mine": true, "kind": "offline"}))["devices"],
        0,
        "it is the house's"
    );
    assert_eq!(kitchen.send("GET", "/api/v1/rules", &json!({}), 200)["items"], json!([]), "none was made");
}

#[test]
fn what_makes_no_sense_is_refused_with_its_field() {
    let kitchen = Kitchen::open(Program::new());
    for (path, body, status, field) in [
        ("/api/v1/rules", json!({"high": 1}), 422, "device"),
        ("/api/v1/rules", json!({"device": OVEN, "all": true, "high": 1}), 422, "device"),
        ("/api/v1/rules", json!({"device": OVEN}), 422, "high"),
        ("/api/v1/rules", json!({"device": OVEN, "high": 1, "low": 2}), 422, "low"),
        ("/api/v1/rules", json!({"device": OVEN, "high": 1, "channels": ["webhook:none"]}), 422, "channels"),
        (
            "/api/v1/rules",
            json!({"device": OVEN, "high": 1, "channels": ["mail:me@example.org"]}),
            422,
            "channels",
        ),
        ("/api/v1/rules", json!({"family": "none", "high": 1}), 422, "family"),
        ("/api/v1/rules", json!({"all": true, "kind": "moon"}), 422, "kind"),
        ("/api/v1/rules", json!({"all": true, "kind": "no_data", "periods": 0}), 422, "periods"),
        ("/api/v1/rules", json!({"all": true, "kind": "offline", "sensor": "a"}), 422, "sensor"),
        ("/api/v1/webhooks", json!({}), 422, "url"),
        ("/api/v1/webhooks", json!({"url": "ftp://example.org"}), 422, "url"),
        ("/api/v1/webhooks", json!({"url": "http://example.org", "ca": "no"}), 422, "ca"),
        ("/api/v1/mail/test", json!({"to": "nobody"}), 422, "to"),
    ] {
        let refused = kitchen.send("POST", path, &body, status);
        assert_eq!(refused["error"]["field"], field, "{body}");
    }
    let rule = kitchen.rule("a", &kitchen.hook("http://127.0.0.1:1/")["channel"]);
    let path = format!("/api/v1/rules/{}", rule["id"].as_str().unwrap());
    let edited = kitchen.send("PATCH", &path, &json!({"low": 10, "high": null, "sensor": null}), 200);
    assert_eq!(
        (&edited["low"], &edited["high"], &edited["sensor"]),
        (&json!(10.0), &Value::Null, &Value::Null)
    );
    kitchen.send("PATCH", &path, &json!({"kind": "offline"}), 422);
    let hooks = kitchen.program.api(&kitchen.token, "/api/v1/webhooks");
    assert!(hooks["items"][0].get("secret").is_none());
    let hook = format!("/api/v1/webhooks/{}", hooks["items"][0]["id"].as_str().unwrap());
    kitchen.send("DELETE", &hook, &json!({}), 409);
    kitchen.send("DELETE", &path, &json!({}), 204);
    kitchen.send("DELETE", &hook, &json!({}), 204);
    for gone in [&path, &hook, "/api/v1/alerts/none"] {
        assert_eq!(kitchen.program.client().get_as(&kitchen.token, gone).status, 404);
    }
}
