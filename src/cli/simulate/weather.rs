//! What shall go wrong, as the command line has it.

use clap::ValueEnum;

use crate::simulate::{Fault, Habits};

/// The faults' names, and two words for all and none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Weather {
    /// Each in turn.
    All,
    /// None.
    None,
    /// Messages with a wrong checksum.
    BadCrc,
    /// Messages without one.
    NoCrc,
    /// Requests that break off in their body.
    HalfBody,
    /// Requests that trickle.
    Slow,
    /// Messages that come twice, and such as hold some of the one before.
    Duplicate,
    /// Everybody connects anew again and again.
    ReconnectStorm,
    /// Clocks that are wrong or stand still.
    ClockSkew,
    /// Connections that end while a command is fetched.
    KillMidPull,
    /// Messages that are none.
    Garbage,
    /// Messages that come several at once, cut where none ends.
    Glued,
    /// Devices whose power is cut.
    Vanish,
    /// Devices that start anew, and their counters with them.
    Reboot,
    /// Devices that speak as other clients of the same listener do.
    Neighbours,
}

/// Fair weather first, then each fault in turn. The fault is a sentence.
pub(super) fn acts(chosen: &[Weather], habits: &Habits) -> Result<Vec<Option<Fault>>, String> {
    let mut acts = vec![None];
    for weather in chosen {
        let fault = match weather {
            Weather::All => {
                acts.extend(habits.faults.iter().copied().map(Some));
                continue;
            }
            Weather::None => continue,
            Weather::BadCrc => Fault::BadCrc,
            Weather::NoCrc => Fault::NoCrc,
            Weather::HalfBody => Fault::HalfBody,
            Weather::Slow => Fault::Slow,
            Weather::Duplicate => Fault::Duplicate,
            Weather::ReconnectStorm => Fault::ReconnectStorm,
            Weather::ClockSkew => Fault::ClockSkew,
            Weather::KillMidPull => Fault::KillMidPull,
            Weather::Garbage => Fault::Garbage,
            Weather::Glued => Fault::Glued,
            Weather::Vanish => Fault::Vanish,
            Weather::Reboot => Fault::Reboot,
            Weather::Neighbours => Fault::Neighbours,
        };
        if !habits.faults.contains(&fault) {
            let fitting: Vec<&str> = habits.faults.iter().map(|fault| fault.as_str()).collect();
            let (name, called) = (fault.as_str(), habits.called);
            return Err(format!("--fault {name} does not happen to {called}: {}", fitting.join(", ")));
        }
        acts.push(Some(fault));
    }
    Ok(acts)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::simulate::{Door, Given, Orders};

    const HABITS: Habits = Habits {
        called: "things",
        door: Door::Http,
        every: Duration::from_secs(5),
        a_minute: 1.0,
        span: "1h",
        faults: &[Fault::Slow, Fault::Garbage],
        files: false,
        orders: Orders::Each,
        given: Given::Nothing,
        alike_is_new: false,
    };

    #[test]
    fn all_is_each_fault_that_fits_once_after_fair_weather() {
        let acts = |chosen: &[Weather]| acts(chosen, &HABITS);
        let each = Ok(vec![None, Some(Fault::Slow), Some(Fault::Garbage)]);
        assert_eq!(acts(&[Weather::All]), each);
        assert_eq!(acts(&[Weather::None]), Ok(vec![None]));
        assert_eq!(acts(&[Weather::Slow]), Ok(vec![None, Some(Fault::Slow)]));
        let refused = acts(&[Weather::BadCrc]).unwrap_err();
        assert_eq!(refused, "--fault bad-crc does not happen to things: slow, garbage");
    }

    #[test]
    fn every_fault_has_its_name_on_the_command_line() {
        for weather in Weather::value_variants() {
            let Some(value) = weather.to_possible_value() else { continue };
            let name = value.get_name();
            assert!(matches!(name, "all" | "none") || Fault::parse(name).is_some(), "{name}");
        }
        assert_eq!(Weather::value_variants().len(), Fault::ALL.len() + 2);
    }
}
