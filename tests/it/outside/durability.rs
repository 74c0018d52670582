//! Nothing that was answered `"push":true` is ever lost, whatever ends the program.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::harness::{Module, Program, settled};

/// How often the program is killed.
const ROUNDS: usize = 6;
/// Modules that push while it is.
const MODULES: usize = 4;

/// What the modules of one round said.
#[derive(Default)]
struct Said {
    tried: Vec<String>,
    confirmed: Vec<String>,
}

fn push_until_the_end(mut module: Module, count: &AtomicUsize, said: &Mutex<Said>) {
    loop {
        let message = module.next(r#"{"_hbt":{"door":1}}"#);
        said.lock().unwrap().tried.push(message.clone());
        let Ok(answer) = module.push(&message) else { return };
        if answer.text().contains("\"push\":true") {
            said.lock().unwrap().confirmed.push(message);
            count.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn every_confirmed_message_survives_kill_9() {
    let mut program = Program::new();
    let mut confirmed: Vec<String> = Vec::new();
    let mut tried: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        program.start();
        let count = Arc::new(AtomicUsize::new(0));
        let said = Arc::new(Mutex::new(Said::default()));
        let pushers: Vec<_> = (0..MODULES)
            .map(|number| {
                let module = Module::new(program.client(), &format!("00020000000000{round}{number}"));
                let (count, said) = (Arc::clone(&count), Arc::clone(&said));
                thread::spawn(move || push_until_the_end(module, &count, &said))
            })
            .collect();
        // A different moment each round.
        let enough = 3 + round * 17;
        settled(|| (count.load(Ordering::SeqCst) >= enough).then_some(())).expect("messages are taken");
        program.kill();
        for pusher in pushers {
            pusher.join().expect("a pusher ends when its server does");
        }
        let mut said = said.lock().unwrap();
        tried.append(&mut said.tried);
        confirmed.append(&mut said.confirmed);
    }

    program.done(&["audit"]);
    program.start();
    let token = program.token();
    let heard = program.all(&token, "/api/v1/messages?limit=200");
    let mut client = program.client();
    let kept: Vec<String> = heard
        .iter()
        .filter(|message| message["direction"] == "in")
        .map(|message| client.get_as(&token, &format!("/api/v1/messages/{}/raw", message["seq"])).text())
        .collect();
    let distinct: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(distinct.len(), kept.len(), "a message was stored twice");
    let lost: Vec<_> = confirmed.iter().filter(|message| !distinct.contains(message)).collect();
    assert!(lost.is_empty(), "{} of {} confirmed messages are lost: {lost:?}", lost.len(), confirmed.len());
    assert!(confirmed.len() >= ROUNDS * 3);
    let made: BTreeSet<&String> = tried.iter().collect();
    assert!(kept.iter().all(|message| made.contains(message)), "something is kept that nobody said");

    // The sequence has no gap.
    let mut numbers: Vec<u64> = heard.iter().filter_map(|message| message["seq"].as_u64()).collect();
    numbers.sort_unstable();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn a_stop_finishes_what_was_begun() {
    let mut program = Program::started();
    let mut module = Module::new(program.client(), "0002010203040506");
    let message = module.next(r#"{"_hbt":{"door":1}}"#);
    module.pushes(&message);
    assert!(program.stop().success());
    assert!(program.done(&["audit"]).contains(char::is_numeric));
    program.start();
    assert_eq!(program.all(&program.token(), "/api/v1/messages").len(), 1);
}
