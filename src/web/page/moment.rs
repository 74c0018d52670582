//! Times in pages: UTC without script; with it in the viewer's zone, the whole time on hover.

use std::fmt;

use askama::filters::HtmlSafe;

use crate::model::Timestamp;

/// A time as an element that `shell.mjs` rewrites for the viewer. Templates write it as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    at: Timestamp,
    /// Whether how long ago it was matters more than when.
    ago: bool,
}

impl Moment {
    /// A time of which people want to know when it was.
    pub(crate) const fn at(at: Timestamp) -> Self {
        Self { at, ago: false }
    }

    /// A time of which people want to know how long ago it was.
    pub(crate) const fn ago(at: Timestamp) -> Self {
        Self { at, ago: true }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let class = if self.ago { " class=\"ago\"" } else { "" };
        write!(f, "<time datetime=\"{}\"{class}>{} UTC</time>", self.at, super::brief(self.at))
    }
}

impl HtmlSafe for Moment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_there_for_people_without_script_and_for_programs() {
        let at = Timestamp::parse("2024-03-01T12:00:00.25Z").unwrap();
        assert_eq!(
            Moment::ago(at).to_string(),
            "<time datetime=\"2024-03-01T12:00:00.250000Z\" class=\"ago\">2024-03-01 12:00:00 UTC</time>"
        );
        assert!(!Moment::at(at).to_string().contains("ago"));
    }
}
