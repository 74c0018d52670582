//! What a device was in a stretch of time, as a band: who lay in a bed, whether a door was open. For sensors whose values are
//! words and which are told when they change.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use askama::filters::{Escaper as _, Html};

use super::Moment;
use crate::core::{DataFilter, HubError};
use crate::dictionary::{Chosen, Class};
use crate::model::{Datum, DeviceId, Timestamp, Value};
use crate::web::App;
use crate::web::page::moment::share;

/// A band.
pub(super) struct Band {
    pub(super) label: String,
    pub(super) from: Moment,
    pub(super) to: Moment,
    /// As SVG.
    pub(super) drawing: String,
    /// Each word with how long it was so, and the number of its colour.
    pub(super) words: Vec<(String, String, usize)>,
}

/// A word and the time from which on it was true.
type Turn = (Timestamp, String);

/// The bands of a device in the stretch of time before `to`.
pub(super) async fn bands(
    app: &App,
    device: &DeviceId,
    chosen: &Chosen,
    values: &[Datum],
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<Band>, HubError> {
    let mut bands = Vec::new();
    for newest in values {
        let Some(meaning) = chosen.explain(&newest.sensor, &newest.value) else { continue };
        let is_word = matches!(newest.value, Value::Text(_)) && !chosen.is_amount(&newest.sensor);
        if !is_word || meaning.class != Class::Telemetry {
            continue;
        }
        if let Some(turns) = turns(app, device, chosen, newest, from).await? {
            bands.extend(draw(meaning.label, &chosen.words(&newest.sensor), &turns, from, to));
        }
    }
    Ok(bands)
}

/// When a sensor's word changed since a time, with what it was then; `None` of one that is told too often for a band.
async fn turns(
    app: &App,
    device: &DeviceId,
    chosen: &Chosen,
    newest: &Datum,
    from: Timestamp,
) -> Result<Option<Vec<Turn>>, HubError> {
    let filter = |from: Timestamp| DataFilter {
        whose: device.clone().into(),
        sensors: vec![newest.sensor.to_string()],
        from: Some(from),
        ..DataFilter::default()
    };
    let word = |datum: &Datum| {
        let meaning = chosen.explain(&datum.sensor, &datum.value);
        meaning.map(|meaning| (datum.time(), meaning.shown)).filter(|(_, word)| !word.is_empty())
    };
    if newest.time_received < from {
        return Ok(word(newest).map(|turn| vec![turn]));
    }
    let found = app.hub.data(DataFilter { limit: READ_MAX, ..filter(from) }).await?;
    if u32::try_from(found.len()).is_ok_and(|count| count >= READ_MAX) {
        return Ok(None);
    }
    let before = DataFilter { to: Some(from), newest_first: true, limit: 1, ..filter(from.minus(BEFORE)) };
    let mut turns: Vec<Turn> = Vec::new();
    for (_, datum) in app.hub.data(before).await?.iter().chain(&found) {
        let Some((at, word)) = word(datum) else { continue };
        if turns.last().is_none_or(|(_, last)| *last != word) {
            turns.push((at, word));
        }
    }
    turns.sort_by_key(|(at, _)| *at);
    Ok(Some(turns))
}

/// A band of words, the oldest first; `None` where there is nothing to show or too much.
fn draw(label: String, known: &[&str], turns: &[Turn], from: Timestamp, to: Timestamp) -> Option<Band> {
    let mut lasted: BTreeMap<&str, i64> = BTreeMap::new();
    let ends = turns.iter().skip(1).map(|(at, _)| *at).chain([to]);
    let stretches: Vec<(Timestamp, Timestamp, &str)> = turns
        .iter()
        .zip(ends)
        .map(|((at, word), end)| ((*at).max(from), end.min(to), word.as_str()))
        .filter(|(start, end, _)| end > start)
        .collect();
    for (start, end, word) in &stretches {
        *lasted.entry(word).or_default() += end.micros() - start.micros();
    }
    if lasted.is_empty() || lasted.len() > WORDS_MAX {
        return None;
    }
    // A word that its dictionary knows has the same colour always.
    let words: Vec<&str> =
        known.iter().copied().chain(lasted.keys().copied().filter(|word| !known.contains(word))).collect();
    let colour = |word: &str| words.iter().position(|known| *known == word).unwrap_or(0) % WORDS_MAX + 1;
    let mut drawing = format!(
        "<svg class=\"band\" viewBox=\"0 0 {WIDTH} 28\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\""
    );
    // A string takes whatever is written to it.
    let _ = Html.write_escaped_str(&mut drawing, &label);
    drawing.push_str("\">");
    for (start, end, word) in &stretches {
        let [left, right] = [*start, *end].map(|at| share(at, from, to) * WIDTH);
        let _ = write!(
            drawing,
            "<rect class=\"word-{}\" x=\"{left:.1}\" width=\"{:.1}\" height=\"28\"><title>",
            colour(word),
            (right - left).max(0.6)
        );
        let _ = Html.write_escaped_str(&mut drawing, word);
        drawing.push_str("</title></rect>");
    }
    drawing.push_str("</svg>");
    let words = lasted.iter().map(|(word, us)| ((*word).to_owned(), lasting(us / 1_000_000), colour(word)));
    Some(Band { label, from: Moment::at(from), to: Moment::at(to), words: words.collect(), drawing })
}

/// A length of time in two units.
fn lasting(seconds: i64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

const WIDTH: f64 = 1000.0;
/// A sensor with more values in a stretch of time is no word that changes now and then.
const READ_MAX: u32 = 2000;
/// More words than colours can be told apart.
const WORDS_MAX: usize = 5;
/// How far back the word is looked for that was true at the beginning.
const BEFORE: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(second: i64, word: &str) -> Turn {
        (Timestamp::from_micros(second * 1_000_000), word.to_owned())
    }

    #[test]
    fn a_band_tells_how_long_each_word_was_true() {
        let (from, to) = (Timestamp::from_micros(0), Timestamp::from_micros(36_000_000_000));
        let turns = [turn(-100, "empty"), turn(3600, "<in>"), turn(32_400, "empty")];
        let band = draw("Bed".to_owned(), &["empty"], &turns, from, to).unwrap();
        let words: Vec<(&str, &str)> =
            band.words.iter().map(|(word, lasted, _)| (word.as_str(), lasted.as_str())).collect();
        assert_eq!(words, [("<in>", "8 h 0 min"), ("empty", "2 h 0 min")]);
        assert!(band.drawing.contains("class=\"word-2\" x=\"100.0\" width=\"800.0\""), "{}", band.drawing);
        assert!(band.drawing.contains("<title>&#60;in&#62;</title>"), "{}", band.drawing);
    }

    #[test]
    fn nothing_and_too_many_words_are_no_band() {
        let (from, to) = (Timestamp::from_micros(0), Timestamp::from_micros(60_000_000));
        assert!(draw("x".to_owned(), &[], &[], from, to).is_none());
        let many: Vec<Turn> = (0..6).map(|number| turn(number, &number.to_string())).collect();
        assert!(draw("x".to_owned(), &[], &many, from, to).is_none());
    }

    #[test]
    fn lengths_have_two_units() {
        assert_eq!([5, 65, 3725, 200_000].map(lasting), ["5 s", "1 min", "1 h 2 min", "2 d 7 h"]);
    }
}
