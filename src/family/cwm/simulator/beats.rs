//! Heartbeats of a pretend module and of what stands behind it (`cwm-oke.md §1, §6.1`).

use super::wire::Stamp;
use super::{Fault, Module, SOME};
use crate::model::Timestamp;

impl Module {
    /// Queues the next heartbeat of one of its devices.
    pub(super) fn heartbeat(&mut self, from: usize, now: Timestamp) {
        let stamp = match self.fault {
            Some(Fault::BadCrc) if self.chance.permille(SOME) => Stamp::Wrong,
            Some(Fault::NoCrc) if self.chance.permille(SOME) => Stamp::Absent,
            _ => Stamp::Sound,
        };
        let Some(beat) = self.beats.get_mut(from) else { return };
        *beat += 1;
        let beat = *beat;
        let payload = match &self.oven {
            _ if from == 0 => self.port.heartbeat(beat, &mut self.chance),
            Some(oven) => oven.heartbeat(beat),
            None => self.kitchen(beat),
        };
        let id = self.own_id();
        let message = self.say(from, id, now, &payload, stamp);
        message.beat = (stamp != Stamp::Wrong).then_some(beat);
    }

    /// A fryer's minute: eight values in about 400 bytes with the header.
    fn kitchen(&mut self, beat: i64) -> String {
        let mut near = |centre: u32, spread: u32| centre + self.chance.below(spread);
        let (left, right, oil) = (near(1480, 40), near(1480, 40), near(3500, 200));
        let (door, fault) = (near(0, 2), if near(0, 500) == 0 { 4 } else { 0 });
        format!(
            r#"{{"_hbt":{{"beat":{beat},"set_temp":[1500,1500],"act_temp":[{left},{right}],"oil_temp":{oil},"recipe":[null,"Hearty Vegetable"],"door":{door},"fault":{fault}}}}}"#
        )
    }
}
