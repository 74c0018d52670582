//! Commands in every state they can be in, over restarts of every kind.

use serde_json::{Value, json};

use crate::harness::{Module, Program};

const ADDRESS: &str = "0002010203040506";

struct Desk {
    token: String,
    device: String,
}

impl Desk {
    fn open(program: &Program) -> Self {
        let token = program.token();
        let devices = program.all(&token, "/api/v1/devices");
        let device = devices.iter().find(|device| device["address"] == ADDRESS).expect("it is known");
        let device = device["id"].as_str().expect("an id").to_owned();
        Self { token, device }
    }

    fn queue(&self, program: &Program, number: u32) -> String {
        let order = json!({"cmd": "wr", "payload": {"cmd": {"relay": number}}});
        let answer = program.post(&self.token, &format!("/api/v1/devices/{}/commands", self.device), &order);
        assert!(matches!(answer.status, 200..=202), "{} {}", answer.status, answer.text());
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    fn command(&self, program: &Program, id: &str) -> Value {
        program.api(&self.token, &format!("/api/v1/commands/{id}"))
    }

    fn cancel(&self, program: &Program, id: &str) {
        let answer = program.post(&self.token, &format!("/api/v1/commands/{id}/cancel"), &json!({}));
        assert!(matches!(answer.status, 200 | 204), "{} {}", answer.status, answer.text());
    }
}

fn restarted(program: &mut Program, hard: bool) {
    if hard {
        program.kill();
    } else {
        assert!(program.stop().success());
    }
    program.start();
}

#[test]
fn commands_in_every_state_outlive_a_restart() {
    for hard in [false, true] {
        let mut program = Program::started();
        let mut module = Module::new(program.client(), ADDRESS);
        let hello = module.next(r#"{"_hbt":{"door":1}}"#);
        module.pushes(&hello);
        let desk = Desk::open(&program);

        // One answered, one accepted, one sent, one cancelled, one queued.
        let answered = desk.queue(&program, 1);
        let (_, wire) = module.takes();
        module.answers(wire, r#"{"cmd":{"relay":1}}"#);
        let accepted = desk.queue(&program, 2);
        let (_, accepted_wire) = module.takes();
        assert_eq!(module.pull(Some(true)), r#"{"pull":false}"#);
        let sent = desk.queue(&program, 3);
        let queued = desk.queue(&program, 4);
        let cancelled = desk.queue(&program, 5);
        desk.cancel(&program, &cancelled);
        let (sent_text, _) = module.takes();
        let all = [
            (&answered, "answered"),
            (&accepted, "accepted"),
            (&sent, "sent"),
            (&queued, "queued"),
            (&cancelled, "cancelled"),
        ];
        let before: Vec<Value> = all.iter().map(|(id, _)| desk.command(&program, id)).collect();
        for (found, (_, state)) in before.iter().zip(all) {
            assert_eq!(found["state"], state, "{found}");
        }

        restarted(&mut program, hard);
        for (was, (id, _)) in before.iter().zip(all) {
            let is = desk.command(&program, id);
            assert_eq!(is["state"], was["state"]);
            assert_eq!(is["transitions"], was["transitions"]);
        }

        // The module did not take the one that was sent: it gets the same bytes again.
        let mut module = Module::new(program.client(), ADDRESS);
        let again = module.pull(Some(false));
        assert!(again.contains(&sent_text), "{again} is not {sent_text}");
        // The reply to the accepted one still finds it.
        module.answers(accepted_wire, r#"{"cmd":{"relay":2}}"#);
        assert_eq!(desk.command(&program, &accepted)["state"], "answered");
        let (text, _) = module.takes();
        assert!(text.contains(r#"{"relay":4}"#), "{text}");
        assert_eq!(desk.command(&program, &sent)["state"], "accepted");
        program.done(&["audit"]);
    }
}

#[test]
fn a_cancelled_command_never_goes_out() {
    let program = Program::started();
    let mut module = Module::new(program.client(), ADDRESS);
    let hello = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&hello);
    let desk = Desk::open(&program);
    let command = desk.queue(&program, 1);
    desk.cancel(&program, &command);
    let next = module.next(r#"{"_hbt":{"door":1}}"#);
    assert!(!module.pushes(&next));
    assert_eq!(module.pull(None), r#"{"pull":false}"#);
    let again = program.post(&desk.token, &format!("/api/v1/commands/{command}/cancel"), &json!({}));
    assert_eq!(again.status, 409, "{}", again.text());
}
