//! A pretend device to look at: a sine from 0 to 100, a value a tick (`accounts-dashboard.md §1`, live demo). Pure.

use std::f64::consts::TAU;
use std::time::Duration;

use bytes::Bytes;

use crate::family::simulator::{
    Call, Caller, Door, Fact, Fault, Form, Given, Habits, Order, Orders, Outcome, Purpose, Simulator,
    Trouble, Way,
};
use crate::model::Timestamp;

/// The device.
#[derive(Debug)]
pub(super) struct Sine {
    addresses: [String; 1],
    token: String,
    /// Values so far: the next one goes on where the last one was, however long that is ago.
    place: u32,
    /// What is to be said; it comes again until it is heard.
    waits: Option<f64>,
}

impl Default for Sine {
    fn default() -> Self {
        Self { addresses: ["demo-sine".to_owned()], token: String::new(), place: 0, waits: None }
    }
}

/// The value at a place, to a hundredth.
fn value(place: u32) -> f64 {
    let turn = f64::from(place % A_TURN) / f64::from(A_TURN);
    ((turn * TAU).sin().mul_add(50.0, 50.0) * 100.0).round() / 100.0
}

impl Simulator for Sine {
    fn habits(&self) -> Habits {
        Habits {
            called: "sines",
            door: Door::Https,
            every: Duration::from_secs(2),
            a_minute: 30.0,
            span: "1h",
            faults: &[],
            files: false,
            orders: Orders::Never,
            given: Given::Token,
            alike_is_new: true,
        }
    }

    fn addresses(&self) -> &[String] {
        &self.addresses
    }

    fn suffer(&mut self, _: Option<Fault>) {}

    fn tick(&mut self, _: Timestamp) {
        self.waits = Some(value(self.place));
        self.place = self.place.wrapping_add(1);
    }

    fn order(&mut self) -> Order {
        let [address] = self.addresses.clone();
        Order { address, dst: Vec::new(), cmd: "", payload: "{}".to_owned() }
    }

    fn way(&mut self) -> Way<'_> {
        Way::Calls(self)
    }
}

impl Caller for Sine {
    fn next(&mut self, _: Timestamp) -> Option<Call> {
        let value = self.waits?;
        Some(Call {
            purpose: Purpose::Push,
            method: "POST",
            target: super::ANY_PATH.to_owned(),
            headers: vec![
                ("Authorization", format!("Bearer {}", self.token)),
                ("Content-Type", "application/json".to_owned()),
            ],
            body: Bytes::from(format!("{{\"data\":{value}}}")),
            form: Form::Plain,
            trouble: Trouble::None,
        })
    }

    fn heard(&mut self, _: Timestamp, outcome: &Outcome, tell: &mut dyn FnMut(Fact)) {
        match outcome {
            Outcome::Answered { status: 202, .. } => self.waits = None,
            Outcome::Answered { status: 429 | 500.., .. } | Outcome::Broken | Outcome::Unsent => {}
            Outcome::Answered { status, .. } => {
                self.waits = None;
                tell(Fact::Odd(format!("a value was answered {status}")));
            }
        }
    }

    fn entrust(&mut self, secret: &str) {
        secret.clone_into(&mut self.token);
    }
}

/// Values in a turn: the original's window (§1).
const A_TURN: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_from_0_to_100_and_back() {
        let found = [0, 25, 50, 75, 100].map(|place| value(place).to_string());
        assert_eq!(found, ["50", "100", "50", "0", "50"]);
        assert!((0..A_TURN).map(value).all(|value| (0.0..=100.0).contains(&value)));
    }

    #[test]
    fn a_value_that_was_not_heard_comes_again_and_the_next_one_follows_it() {
        let now = Timestamp::from_micros(0);
        let mut sine = Sine::default();
        sine.entrust("dt_x");
        sine.tick(now);
        let first = sine.next(now).unwrap();
        assert_eq!(first.body, "{\"data\":50}");
        assert!(first.headers.contains(&("Authorization", "Bearer dt_x".to_owned())));
        sine.heard(now, &Outcome::Broken, &mut |_| {});
        assert_eq!(sine.next(now).unwrap(), first);
        let taken = Outcome::Answered { status: 202, head: Bytes::new(), body: Bytes::new() };
        sine.heard(now, &taken, &mut |_| {});
        assert_eq!(sine.next(now), None);
        sine.tick(now);
        assert_eq!(sine.next(now).unwrap().body, "{\"data\":53.14}");
    }
}
