//! What a form says, field by field, and what is wrong with it: for pages that show the form again as it was filled in.

use serde::Deserialize;

use crate::web::error::{Shown, WebError};

/// The fields of a form, or of a query.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Typed(Vec<(String, String)>);

impl Typed {
    pub(super) const fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// A field as it was typed; one that is missing is empty.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    /// The same without the blanks around it.
    pub(super) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The same, where an empty field is none.
    pub(super) fn some(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Each value of a field that may come several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(key, text)| key == name && !text.trim().is_empty());
        of_name.map(|(_, text)| text.trim())
    }

    /// Fields whose names begin so: what follows in the name, and what was typed.
    pub(super) fn beginning(&self, start: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(move |(key, text)| Some((key.strip_prefix(start)?, text.as_str())))
    }

    /// The fields as they came, to be sent again.
    pub(super) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// Whether a box is ticked or a button was pressed.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Whether nothing was sent at all.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A number; a comma is taken for a point.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, WebError> {
        let text = self.text(name).replace(',', ".");
        if text.is_empty() {
            return Ok(None);
        }
        let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| WebError::field(name, "a number, such as 21.5"))
    }

    /// A whole number that is not negative.
    pub(super) fn whole(&self, name: &str) -> Result<Option<u64>, WebError> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| WebError::field(name, "a whole number, such as 60")),
        }
    }
}

/// What is wrong with a form, if anything.
#[derive(Clone, Debug, Default)]
pub(super) struct Wrong(Option<(Option<String>, String)>);

impl Wrong {
    /// What an error says of a form.
    pub(super) fn of(shown: &Shown) -> Self {
        let field = shown.field.clone().filter(|field| !field.is_empty());
        Self(Some((field, shown.message.clone())))
    }

    /// The field that it is about.
    pub(super) fn field(&self) -> Option<&str> {
        self.0.as_ref().and_then(|(field, _)| field.as_deref())
    }

    /// The same where what names no field can only be about this one.
    pub(super) fn or_about(self, field: &str) -> Self {
        Self(self.0.map(|(named, message)| (named.or_else(|| Some(field.to_owned())), message)))
    }

    /// The sentence.
    pub(super) fn said(&self) -> Option<&str> {
        self.0.as_ref().map(|(_, message)| message.as_str())
    }

    /// The sentence, if it is about this field.
    pub(super) fn at(&self, name: &str) -> Option<&str> {
        self.said().filter(|_| self.field() == Some(name))
    }
}

/// One of some things to choose from.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

impl Choice {
    pub(super) fn new(value: impl Into<String>, name: impl Into<String>, chosen: bool) -> Self {
        Self { value: value.into(), name: name.into(), chosen }
    }
}

/// Stretches of time to choose from, in seconds; one that is none of them is there too if it is the chosen one.
pub(super) fn spans(none: &str, all: &[u64], chosen: Option<u64>) -> Vec<Choice> {
    let mut seconds: Vec<u64> = all.to_vec();
    seconds.extend(chosen.filter(|one| *one > 0 && !all.contains(one)));
    seconds.sort_unstable();
    let of = |one: u64| Choice::new(one.to_string(), span(one), chosen == Some(one));
    let first = Choice::new("", none, chosen.unwrap_or_default() == 0);
    std::iter::once(first).chain(seconds.into_iter().map(of)).collect()
}

/// A stretch of time as people say it.
pub(super) fn span(seconds: u64) -> String {
    let whole = |unit: u64, name: &str| {
        let count = seconds / unit;
        let one = (seconds.is_multiple_of(unit) && count > 0).then_some(count)?;
        Some(if one == 1 { format!("1 {name}") } else { format!("{one} {name}s") })
    };
    whole(86_400, "day")
        .or_else(|| whole(3600, "hour"))
        .or_else(|| whole(60, "minute"))
        .unwrap_or_else(|| if seconds == 1 { "1 second".to_owned() } else { format!("{seconds} seconds") })
}

/// Roughly how long something lasted.
pub(super) fn lasted(seconds: u64) -> String {
    let rounded = match seconds {
        0..120 => seconds,
        120..7200 => seconds / 60 * 60,
        7200..172_800 => seconds / 3600 * 3600,
        _ => seconds / 86_400 * 86_400,
    };
    span(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_largest_whole_unit() {
        for (seconds, said) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (7200, "2 hours"),
            (86_400, "1 day"),
        ] {
            assert_eq!(span(seconds), said);
        }
        for (seconds, said) in
            [(119, "119 seconds"), (121, "2 minutes"), (7300, "2 hours"), (200_000, "2 days")]
        {
            assert_eq!(lasted(seconds), said);
        }
    }

    #[test]
    fn what_was_set_elsewhere_can_be_chosen_too() {
        let choices = spans("at once", &[60, 300], Some(90));
        let values: Vec<_> = choices.iter().map(|choice| (choice.value.as_str(), choice.chosen)).collect();
        assert_eq!(values, [("", false), ("60", false), ("90", true), ("300", false)]);
        assert!(spans("at once", &[60], None).first().is_some_and(|first| first.chosen));
    }

    #[test]
    fn numbers_are_read_as_people_type_them() {
        let typed = Typed::new(vec![("a".to_owned(), " 2,5 ".to_owned()), ("b".to_owned(), "x".to_owned())]);
        assert_eq!(typed.number("a").unwrap(), Some(2.5));
        assert_eq!(typed.number("c").unwrap(), None);
        assert!(typed.number("b").is_err() && typed.whole("a").is_err());
    }
}
