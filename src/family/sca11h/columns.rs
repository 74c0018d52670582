//! Which value stands in which column of a row (`sca11h.md §4.3, §4.4`). Pure.

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// The counter of seconds.
    Index,
    /// Heart rate.
    Hr,
    /// Respiration rate.
    Rr,
    /// Stroke volume.
    Sv,
    /// Heart rate variability.
    Hrv,
    /// Signal strength.
    Ss,
    /// The status code.
    Status,
    /// The newest beat-to-beat interval.
    Beat,
    /// The one before it.
    BeatBefore,
    /// The one before that.
    BeatBeforeThat,
}

/// How many columns a row has, its index among them.
pub(super) const COLUMNS: usize = 10;

/// The columns in the order of a row's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Columns(pub(super) [Column; COLUMNS]);

impl Default for Columns {
    fn default() -> Self {
        Self([
            Column::Index,
            Column::Hr,
            Column::Rr,
            Column::Sv,
            Column::Hrv,
            Column::Ss,
            Column::Status,
            Column::Beat,
            Column::BeatBefore,
            Column::BeatBeforeThat,
        ])
    }
}

impl Columns {
    /// The order that the `Component` elements give, if every column has exactly one; the index comes first when none of
    /// them is it. Else the documented order.
    pub(super) fn named(components: &[Option<Column>]) -> Self {
        let mut order = [Column::Index; COLUMNS];
        let places = match components.len() {
            COLUMNS => order.as_mut_slice(),
            9 => order.get_mut(1..).unwrap_or_default(),
            _ => return Self::default(),
        };
        for (place, component) in places.iter_mut().zip(components) {
            let Some(column) = component else { return Self::default() };
            *place = *column;
        }
        let complete = Self::default().0.iter().all(|column| order.contains(column));
        if complete { Self(order) } else { Self::default() }
    }
}

impl Column {
    /// The column of a name; letter case, blanks and marks between words do not count.
    pub(super) fn of(name: &str) -> Option<Self> {
        let mut plain = [0_u8; 24];
        let mut length = 0;
        for letter in name.bytes().filter(|letter| letter.is_ascii_alphanumeric() || *letter == b'\'') {
            *plain.get_mut(length)? = letter.to_ascii_lowercase();
            length += 1;
        }
        let plain = plain.get(..length)?;
        NAMES.iter().find(|(known, _)| known.as_bytes() == plain).map(|(_, column)| *column)
    }
}

const NAMES: [(&str, Column); 27] = [
    ("index", Column::Index),
    ("timestamp", Column::Index),
    ("bcgtimestamp", Column::Index),
    ("ts", Column::Index),
    ("hr", Column::Hr),
    ("heartrate", Column::Hr),
    ("rr", Column::Rr),
    ("respirationrate", Column::Rr),
    ("breathingrate", Column::Rr),
    ("sv", Column::Sv),
    ("strokevolume", Column::Sv),
    ("relativestrokevolume", Column::Sv),
    ("hrv", Column::Hrv),
    ("heartratevariability", Column::Hrv),
    ("ss", Column::Ss),
    ("signalstrength", Column::Ss),
    ("st", Column::Status),
    ("status", Column::Status),
    ("b2b", Column::Beat),
    ("b2b0", Column::Beat),
    ("beattobeat", Column::Beat),
    ("b2b'", Column::BeatBefore),
    ("b2b1", Column::BeatBefore),
    ("beattobeat'", Column::BeatBefore),
    ("b2b''", Column::BeatBeforeThat),
    ("b2b2", Column::BeatBeforeThat),
    ("beattobeat''", Column::BeatBeforeThat),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Columns {
        Columns::named(&names.iter().map(|name| Column::of(name)).collect::<Vec<_>>())
    }

    #[test]
    fn components_order_the_columns_when_all_are_known() {
        let documented = ["HR", "RR", "SV", "HRV", "SS", "ST", "B2B0", "B2B1", "B2B2"];
        assert_eq!(named(&documented), Columns::default());
        let turned =
            ["RR", "hr", "Stroke volume", "HRV", "signal_strength", "Status", "b2b''", "B2B'", "B2B"];
        let found = named(&turned).0;
        assert_eq!(found[..3], [Column::Index, Column::Rr, Column::Hr]);
        assert_eq!(found[7..], [Column::BeatBeforeThat, Column::BeatBefore, Column::Beat]);
        let last = ["HR", "RR", "SV", "HRV", "SS", "ST", "B2B0", "B2B1", "B2B2", "index"];
        assert_eq!(named(&last).0[9], Column::Index);
    }

    #[test]
    fn anything_else_leaves_the_documented_order() {
        for names in [
            &["RR", "HR", "SV", "HRV", "SS", "ST", "B2B0", "B2B1", "x"][..],
            &["RR", "RR", "SV", "HRV", "SS", "ST", "B2B0", "B2B1", "B2B2"],
            &["RR", "HR"],
            &[],
        ] {
            assert_eq!(named(names), Columns::default(), "{names:?}");
        }
        assert_eq!(Column::of(&"hr".repeat(40)), None);
    }
}
