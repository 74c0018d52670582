//! Which devices a dictionary is for, and how closely.

use std::fmt;

use crate::model::DeviceRef;

/// The devices a dictionary is for: one family or any, one profile or any, and addresses of which one must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Match {
    /// The dialect; `None` is every one.
    pub(super) family: Option<String>,
    /// The profile that the device has in its dialect; `None` is any, and none.
    pub(super) profile: Option<String>,
    /// Patterns in lower case: `*` is any text, `?` one character. None at all is every address.
    pub(super) addresses: Vec<String>,
}

/// How closely a dictionary fits a device: the pattern's plain characters, the profile above them, a whole address
/// above all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    whole: bool,
    profile: bool,
    plain: usize,
    family: bool,
}

impl Match {
    /// How closely a device fits; `None` when it does not. Letter case does not count.
    pub(super) fn rank(&self, names: &DeviceRef, profile: Option<&str>) -> Option<Rank> {
        let family = match &self.family {
            Some(family) if family.eq_ignore_ascii_case(names.family.as_str()) => true,
            Some(_) => return None,
            None => false,
        };
        if self.profile.is_some() && self.profile.as_deref() != profile {
            return None;
        }
        let profile = self.profile.is_some();
        if self.addresses.is_empty() {
            return Some(Rank { whole: false, profile, plain: 0, family });
        }
        let address = names.address.to_lowercase();
        let fitting = self.addresses.iter().filter(|pattern| text_fits(pattern, &address));
        fitting
            .map(|pattern| {
                let wild = pattern.chars().filter(|letter| matches!(letter, '*' | '?')).count();
                Rank { whole: wild == 0, profile, plain: pattern.chars().count() - wild, family }
            })
            .max()
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut family = self.family.clone().unwrap_or_else(|| "every family".to_owned());
        if let Some(profile) = &self.profile {
            family.push_str(", profile ");
            family.push_str(profile);
        }
        match self.addresses.as_slice() {
            [] => write!(f, "{family}"),
            addresses => write!(f, "{family} {}", addresses.join(" ")),
        }
    }
}

/// Whether a text fits a pattern with `*` (any text) and `?` (one character). Linear in the text for each `*`.
fn text_fits(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    // Where the last `*` stood, and how far the text had come then.
    let mut back: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(from) {
        match pattern.get(at) {
            Some('*') => {
                back = Some((at, from));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match back {
                Some((star, taken)) => {
                    back = Some((star, taken + 1));
                    at = star + 1;
                    from = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == '*')
}

/// Whether a sensor's name fits a key in which `*` stands for one piece between dots.
pub(super) fn pieces_fit(key: &str, sensor: &str) -> bool {
    let (mut keys, mut names) = (key.split('.'), sensor.split('.'));
    loop {
        match (keys.next(), names.next()) {
            (None, None) => return true,
            (Some(key), Some(name)) if key == "*" || key == name => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceId, FamilyName};

    fn device(address: &str) -> DeviceRef {
        DeviceRef {
            id: DeviceId::new("1"),
            family: FamilyName::new("cwm"),
            address: address.to_owned(),
            name: address.to_owned(),
        }
    }

    fn fits(addresses: &[&str]) -> Match {
        let addresses = addresses.iter().map(|pattern| (*pattern).to_owned()).collect();
        Match { family: Some("cwm".to_owned()), profile: None, addresses }
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, text, want) in [
            ("0363*", "036334d0b8df1f05", true),
            ("*df*05", "036334d0b8df1f05", true),
            ("????", "0363", true),
            ("????", "036", false),
            ("*", "", true),
            ("a*b*c", "aXXbYYbc", true),
            ("a*b*c", "aXXbYYbd", false),
            ("0363", "03631", false),
        ] {
            assert_eq!(text_fits(pattern, text), want, "{pattern} {text}");
        }
    }

    #[test]
    fn the_closest_pattern_counts_and_a_whole_address_most() {
        let names = device("036334D0B8DF1F05");
        let [any, model, prefix, whole] = [&[][..], &["0363*"], &["0363*", "036334*"], &["036334d0b8df1f05"]]
            .map(|list| fits(list).rank(&names, None));
        assert!(any < model && model < prefix && prefix < whole, "{any:?} {model:?} {prefix:?} {whole:?}");
        assert_eq!(fits(&["0364*"]).rank(&names, None), None);
        let other = Match { family: Some("sca11h".to_owned()), ..Match::default() };
        assert_eq!(other.rank(&names, None), None);
        let kind = Match { profile: Some("kiln".to_owned()), ..Match::default() };
        assert!(kind.rank(&names, Some("kiln")) > prefix && kind.rank(&names, Some("kiln")) < whole);
        assert_eq!((kind.rank(&names, None), kind.rank(&names, Some("oven"))), (None, None));
    }

    #[test]
    fn a_star_in_a_key_is_one_piece() {
        assert!(pieces_fit("oven.*.temp", "oven.2.temp"));
        assert!(!pieces_fit("oven.*.temp", "oven.2.x.temp"));
        assert!(!pieces_fit("oven.*", "oven"));
    }
}
