//! Commands for many: who is meant, who is left out and why, and that a dry run's bytes are those that go out.

use homeport::core::{Acknowledgement, MessageFilter};
use homeport::model::{Clock, CommandId, DeviceId, Direction, FamilyName, Role, Sees, Timestamp};
use http::StatusCode;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::web::Desk;

const MODULE: &str = "0002010203040506";

async fn create(desk: &Desk, family: &str, address: &str, tags: &[&str]) -> String {
    let made = desk.call("POST", "/api/v1/devices", json!({"family": family, "address": address})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let tagged = desk.call("PATCH", &format!("/api/v1/devices/{id}"), json!({"tags": tags})).await;
    assert_eq!(tagged.status, StatusCode::OK, "{}", tagged.text());
    id
}

fn items(answer: &Value) -> &[Value] {
    answer["items"].as_array().unwrap()
}

#[tokio::test]
async fn a_preview_says_who_gets_it_and_who_does_not() {
    let desk = Desk::new().await;
    let maria = desk.person("maria", Role::Operator, Sees::House).await;
    let olga = desk.person("olga", Role::Operator, Sees::Own).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(create(&desk, "cwm", &format!("000201020304050{n}"), &["kitchen"]).await);
    }
    let board = create(&desk, "mcu", "5", &["kitchen"]).await;
    // One is another's and not seen, one is another's and shared to look at, one is blocked.
    desk.give(&ids[0], Some(&olga.user)).await;
    desk.give(&ids[1], Some(&olga.user)).await;
    let share = format!("/api/v1/devices/{}/shares/maria", ids[1]);
    desk.done(&olga, "PUT", &share, json!({"level": "viewer"}), StatusCode::OK).await;
    desk.hub.block(&DeviceId::new(&ids[2])).await.unwrap();
    let call = |to: Value, more: Value| {
        let mut call = json!({"to": to, "cmd": "wr", "payload": {"oke": {"port": "232"}}});
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        call
    };
    let ask = async |body: Value, status| desk.done(&maria, "POST", "/api/v1/commands", body, status).await;
    let tag = json!({"tag": "Kitchen"});
    let preview = ask(call(tag.clone(), json!({"preview": true})), StatusCode::OK).await;
    assert_eq!((&preview["targets"], &preview["left_out"]), (&json!(2), &json!(3)), "{preview}");
    let why: Vec<_> =
        items(&preview).iter().map(|item| item["message"].as_str().unwrap_or("gets it")).collect();
    assert!(
        why.contains(&"it is blocked") && why.contains(&"it is shared with you to look at it"),
        "{why:?}"
    );
    assert!(!preview.to_string().contains(&ids[0]), "another's: {preview}");
    assert!(preview.to_string().contains(&board), "a board has no such command, and that is said: {preview}");
    assert_eq!(desk.hub.stats().await.unwrap().queued, 0, "nothing was queued");
    // Only of one dialect; with all bytes; a tag and a group; several sets; each device once.
    let dry = ask(call(tag.clone(), json!({"dry_run": true, "family": "cwm"})), StatusCode::OK).await;
    let bytes = items(&dry).iter().filter(|item| item["raw"].is_string()).count();
    assert_eq!((bytes, &dry["targets"]), (2, &json!(2)), "{dry}");
    let group = json!({"name": "Left", "owner": null, "devices": [ids[3], ids[2]]});
    desk.done(&maria, "POST", "/api/v1/groups", group, StatusCode::CREATED).await;
    let both = json!({"tag": "kitchen", "group": "left"});
    let both = ask(call(both, json!({"preview": true})), StatusCode::OK).await;
    assert_eq!((&both["targets"], items(&both).len()), (&json!(1), 2), "{both}");
    let many = json!([tag, {"group": "left"}]);
    let many = ask(call(many, json!({"preview": true})), StatusCode::OK).await;
    assert_eq!(items(&many).len(), 5, "{many}");
    for to in [json!({}), json!({"tagg": "x"}), json!({"group": "nobody's"}), json!(7)] {
        ask(call(to, json!({})), StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    assert_eq!(desk.hub.stats().await.unwrap().queued, 0);
    // The same without rehearsal: those two get it, and the others are named with what kept them from it.
    let told = ask(call(tag, json!({"family": "cwm", "offline": "queue"})), StatusCode::OK).await;
    let results: Vec<_> = items(&told).iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(results.iter().filter(|result| **result == "queued").count(), 2, "{told}");
    assert_eq!(results.iter().filter(|result| **result == "refused").count(), 3, "{told}");
    assert_eq!(desk.hub.stats().await.unwrap().queued, 2);
}

/// A dialect and words that it may understand.
fn words() -> impl Strategy<Value = (&'static str, String, Value)> {
    let text = "[a-zA-Z0-9 äß°\"\\\\/{}<>'_.-]{0,24}";
    let cwm = prop_oneof![
        (text, text).prop_map(|(name, value)| json!({"oke": {name: value}})),
        (text, any::<i32>()).prop_map(|(name, number)| json!({name: number})),
        (any::<u16>(), text)
            .prop_map(|(port, text)| json!({"oke": {"port": port.to_string(), "note": [text, null]}})),
    ];
    let cwm = (prop_oneof![Just("wr"), Just("rd")], cwm)
        .prop_map(|(cmd, payload)| ("cwm", cmd.to_owned(), payload));
    let six = (0u32..20_000, 0u32..1000, 0u32..10_000, 0u32..10_000, 0u32..5000, 0u32..20);
    let sca = six.prop_map(|(a, b, c, d, e, f)| {
        ("sca11h", "pars".to_owned(), json!(format!("{a},{b},{c},{d},{e},{f}")))
    });
    let board =
        prop_oneof![Just(json!({})), any::<bool>().prop_map(Value::from), (0..300i64).prop_map(Value::from)];
    let mcu = (0usize..16, board).prop_map(|(n, payload)| ("mcu", n.to_string(), payload));
    prop_oneof![cwm, sca, mcu]
}

/// Devices of a dialect that may be given one command together; some share a queue.
const GIVEN: [(&str, &[&str]); 3] = [
    ("cwm", &[MODULE, "0002010203040507"]),
    ("sca11h", &["94e36d000001", "94e36d000002"]),
    ("mcu", &["5", "17"]),
];

async fn world() -> Desk {
    let desk = Desk::by(Clock::from_fn(|| Timestamp::parse("2026-03-01T12:00:00Z").unwrap())).await;
    for (family, addresses) in GIVEN {
        for address in addresses {
            create(&desk, family, address, &["all"]).await;
        }
    }
    desk
}

/// What a dry run shows is what is queued, what goes out, and what the ledger has. Says whether there was anything.
async fn as_rehearsed(desk: &Desk, family: &str, cmd: &str, payload: &Value) -> bool {
    let call =
        json!({"family": family, "to": {"tag": "all"}, "cmd": cmd, "payload": payload, "offline": "queue"});
    let mut dry = call.clone();
    dry["dry_run"] = json!(true);
    let dry = desk.call("POST", "/api/v1/commands", dry).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.text());
    let dry = dry.json();
    let told = desk.call("POST", "/api/v1/commands", call).await.json();
    let mut any = false;
    for (planned, told) in items(&dry).iter().filter(|item| item["device"]["family"] == family).zip(
        items(&told).iter().filter(|item| {
            let id = DeviceId::new(item["device"].as_str().unwrap());
            desk.hub.device(&id).is_some_and(|device| device.names.family.as_str() == family)
        }),
    ) {
        assert_eq!(planned["address"], told["address"]);
        assert_eq!(planned["gets"], json!(told["command"].is_string()), "{planned} {told}");
        let Some(id) = told["command"].as_str() else { continue };
        any = true;
        let raw = planned["raw"].as_str().unwrap().as_bytes();
        let queued = desk.hub.command(&CommandId::new(id)).await.unwrap().unwrap();
        assert_eq!(queued.bytes, raw, "{planned}");
        let device = queued.device.address.clone();
        let name = FamilyName::new(family);
        let out = desk.hub.lease(&name, &device, Acknowledgement::Taken, "192.0.2.1").await.unwrap();
        assert_eq!(out.lease.as_ref().map(|lease| &lease.bytes[..]), Some(raw), "{planned}");
        let filter = MessageFilter { direction: Some(Direction::Out), limit: 1, ..MessageFilter::default() };
        assert_eq!(desk.hub.messages(filter).await.unwrap()[0].raw, raw, "{planned}");
    }
    any
}

#[test]
fn a_dry_run_s_bytes_are_those_that_go_out() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let desk = runtime.block_on(world());
    let board: Vec<String> = {
        let list = runtime.block_on(desk.call("GET", "/api/v1/templates?family=mcu", Value::Null)).json();
        items(&list).iter().map(|item| item["cmd"].as_str().unwrap().to_owned()).collect()
    };
    // Each dialect with words that it surely understands.
    for family in ["cwm", "sca11h", "mcu"] {
        let path = format!("/api/v1/templates?family={family}");
        let list = runtime.block_on(desk.call("GET", &path, Value::Null)).json();
        let any = items(&list).iter().any(|item| {
            let payload: Value = serde_json::from_str(item["payload"].as_str().unwrap_or("null"))
                .unwrap_or_else(|_| item["payload"].clone());
            runtime.block_on(as_rehearsed(&desk, family, item["cmd"].as_str().unwrap(), &payload))
        });
        assert!(any, "{family} understands one of its own templates: {list}");
    }
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) }, |(said in words())| {
        let (family, cmd, payload) = said;
        let cmd = match (family, cmd.parse::<usize>()) {
            ("mcu", Ok(n)) if !board.is_empty() => board[n % board.len()].clone(),
            _ => cmd,
        };
        runtime.block_on(as_rehearsed(&desk, family, &cmd, &payload));
    });
}
