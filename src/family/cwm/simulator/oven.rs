//! Equipment that behaves like an oven: it heats up to what it is set to, keeps that by switching its heating on and off, is
//! opened now and then, and does what commands say. For people to look at; its values are explained by `oven.toml`.
//!
//! No maker's oven speaks these words: what equipment says is its own business (`cwm-oke.md §6`).

use serde_json::{Value, json};

use crate::model::Timestamp;

/// The oven. Temperatures in °C.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Oven {
    set: f64,
    cavity: f64,
    core: f64,
    heating: bool,
    light: bool,
    /// Whether the last command was wrong.
    complained: bool,
    /// Seconds that it has lived.
    age_s: f64,
    last: Option<Timestamp>,
}

impl Default for Oven {
    fn default() -> Self {
        Self {
            set: 180.0,
            cavity: ROOM,
            core: ROOM,
            heating: true,
            light: true,
            complained: false,
            age_s: 0.0,
            last: None,
        }
    }
}

impl Oven {
    /// Lets its time come to `now`. A long pause passes as a minute.
    pub(super) fn live(&mut self, now: Timestamp) {
        let passed_us = self.last.map_or(0, |last| now.micros() - last.micros());
        self.last = Some(now);
        #[expect(clippy::cast_precision_loss, reason = "at most a minute in microseconds")]
        let mut rest_s = passed_us.clamp(0, STEP_MAX_US) as f64 / 1e6;
        while rest_s > 0.0 {
            let step_s = rest_s.min(1.0);
            self.step(step_s);
            rest_s -= step_s;
        }
    }

    fn step(&mut self, step_s: f64) {
        self.age_s += step_s;
        if self.cavity < self.set - SWING {
            self.heating = true;
        } else if self.cavity > self.set + SWING {
            self.heating = false;
        }
        let heated = if self.heating && !self.open() { HEATS } else { 0.0 };
        let loss = if self.open() { LOSES_OPEN } else { LOSES_SHUT };
        self.cavity += (heated - loss * (self.cavity - ROOM)) * step_s;
        self.core += CORE_FOLLOWS * (self.cavity - self.core) * step_s;
    }

    /// Somebody looks into it for a few seconds every few minutes.
    fn open(&self) -> bool {
        self.age_s % LOOKED_INTO_EVERY_S > LOOKED_INTO_EVERY_S - LOOKED_INTO_S
    }

    /// The payload of its heartbeat.
    pub(super) fn heartbeat(&self, beat: i64) -> String {
        let (set, cavity, core) = (tenths(self.set), tenths(self.cavity), tenths(self.core));
        let on = u8::from;
        json!({"_hbt": {
            "beat": beat, "set_temp": set, "act_temp": [cavity, core],
            "heating": on(self.heating && !self.open()), "door": on(self.open()), "light": on(self.light),
        }})
        .to_string()
    }

    /// Does what a command says, and tells what is so now; or what is wrong with it, and then nothing has changed.
    pub(super) fn obey(&mut self, cmd: &str, payload: &Value) -> String {
        let wanted = payload.as_object().filter(|_| cmd == "wr");
        let mut next = self.clone();
        for (name, value) in wanted.into_iter().flatten() {
            if let Err(message) = next.set(name, value) {
                self.complained = true;
                return json!({ "error": message }).to_string();
            }
        }
        let complained = std::mem::take(&mut next.complained);
        *self = next;
        let mut shown = json!({
            "set_temp": tenths(self.set), "act_temp": [tenths(self.cavity), tenths(self.core)],
            "light": u8::from(self.light),
        });
        if let Some(members) = shown.as_object_mut().filter(|_| complained) {
            // What it complained of is over.
            members.insert("error".to_owned(), Value::Null);
        }
        shown.to_string()
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let number = value.as_f64().or_else(|| value.as_bool().map(|on| f64::from(u8::from(on))));
        match (name, number) {
            ("set_temp", Some(set)) if (SET_LEAST..=SET_MOST).contains(&set) => self.set = set,
            ("set_temp", _) => return Err(format!("set_temp is {SET_LEAST} to {SET_MOST} °C")),
            ("light", Some(on)) => self.light = on != 0.0,
            _ => return Err(format!("this oven knows set_temp and light, not {name}")),
        }
        Ok(())
    }
}

/// To a tenth of a degree, as a probe has it.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// The module's address: `0002` is a module (`cwm-oke.md §4.3`); nobody gave out the rest.
pub(super) const MODULE: &str = "0002DE3000000001";
/// The oven's.
pub(super) const OVEN: &str = "5150DE3000000001";
const ROOM: f64 = 21.0;
const SET_LEAST: f64 = 30.0;
const SET_MOST: f64 = 300.0;
/// Degrees above and below, between which the heating is left as it is.
const SWING: f64 = 2.0;
/// Degrees a second: a real oven takes ten minutes, and nobody who looks has so much time.
const HEATS: f64 = 4.5;
/// Of the difference to the room, a second.
const LOSES_SHUT: f64 = 0.008;
const LOSES_OPEN: f64 = 0.06;
const CORE_FOLLOWS: f64 = 0.004;
const LOOKED_INTO_EVERY_S: f64 = 150.0;
const LOOKED_INTO_S: f64 = 6.0;
const STEP_MAX_US: i64 = 60_000_000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(oven: &mut Oven, from: Timestamp, seconds: u64) -> Timestamp {
        (1..=seconds).for_each(|second| oven.live(from.plus(Duration::from_secs(second))));
        from.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn it_heats_up_and_keeps_what_it_is_set_to() {
        let mut oven = Oven::default();
        let start = Timestamp::from_micros(0);
        oven.live(start);
        let at = after(&mut oven, start, 100);
        assert!((oven.cavity - 180.0).abs() < 8.0, "{oven:?}");
        assert!(oven.core > ROOM && oven.core < oven.cavity);
        assert_eq!(
            oven.obey("wr", &json!({"set_temp": 60, "light": false})),
            format!(
                r#"{{"set_temp":60.0,"act_temp":{},"light":0}}"#,
                json!([tenths(oven.cavity), tenths(oven.core)])
            )
        );
        after(&mut oven, at, 200);
        assert!((oven.cavity - 60.0).abs() < 8.0, "{oven:?}");
    }

    #[test]
    fn what_it_does_not_know_changes_nothing() {
        let mut oven = Oven::default();
        let before = oven.clone();
        for wrong in [json!({"set_temp": 900}), json!({"light": true, "fan": 1}), json!({"set_temp": "hot"})]
        {
            assert!(oven.obey("wr", &wrong).contains("error"), "{wrong}");
        }
        let shown = oven.obey("rd", &json!({"get": true}));
        assert!(shown.contains("\"set_temp\":180.0") && shown.contains("\"error\":null"), "{shown}");
        assert_eq!(oven, before);
        assert!(!oven.obey("rd", &json!(true)).contains("error"), "told once");
    }

    #[test]
    fn a_long_pause_is_a_minute_and_time_does_not_go_back() {
        let mut oven = Oven::default();
        oven.live(Timestamp::from_micros(0));
        oven.live(Timestamp::from_micros(3_600_000_000));
        assert!((oven.age_s - 60.0).abs() < 1e-6);
        oven.live(Timestamp::from_micros(0));
        assert!((oven.age_s - 60.0).abs() < 1e-6);
    }
}
