//! Reading requests: query, JSON body, cursors. Every complaint names its field.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::error::WebError;
use crate::model::Timestamp;

/// The longest body the API takes.
pub(crate) const BODY_MAX_BYTES: usize = 1024 * 1024;
/// The longest page of most lists.
const PAGE_MAX_ITEMS: u32 = 1000;
/// Ten years.
const LASTS_MAX_S: u64 = 10 * 365 * 24 * 60 * 60;
/// A page when the asker does not say.
const PAGE_ITEMS: u32 = 100;

/// The query, as pairs. Names that a call does not know are ignored.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, WebError> {
        Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map(|Query(pairs)| Self(pairs))
            .map_err(|error| WebError::Unreadable(format!("the query cannot be read: {error}")))
    }
}

impl Params {
    /// A parameter's text; an empty one counts as absent.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// The texts of a parameter that may come several times.
    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        let of_name = self.0.iter().filter(move |(key, value)| key == name && !value.is_empty());
        of_name.map(|(_, value)| value.as_str())
    }

    /// Those that say something: a form sends the fields too that nobody filled in.
    pub(crate) fn filled(mut self) -> Self {
        self.0.retain(|(_, value)| !value.is_empty());
        self
    }

    /// What stands there, be it empty.
    fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Yes or no; without it no.
    pub(crate) fn truth(&self, name: &str) -> Result<bool, WebError> {
        let parse = |text: &str| match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        };
        Ok(self.word(name, parse, "true, false")?.unwrap_or(false))
    }

    /// All of them, as they came.
    pub(crate) fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// A word out of a closed list. An empty text is none, and refused.
    pub(crate) fn word<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Option<T>,
        words: &str,
    ) -> Result<Option<T>, WebError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        parse(text).map(Some).ok_or_else(|| WebError::field(name, format!("{name} is one of {words}")))
    }

    /// A point in time. An empty text is none, and refused.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, WebError> {
        let Some(text) = self.given(name) else { return Ok(None) };
        // A `+` of a zone that was not percent-encoded arrives as a space.
        Timestamp::parse(&text.trim().replace(' ', "+"))
            .or_else(|| Timestamp::parse(text))
            .map(Some)
            .ok_or_else(|| WebError::field(name, format!("{name} is a time such as 2024-03-01T12:00:00Z")))
    }

    /// How many items a page shall have.
    pub(crate) fn limit(&self) -> Result<u32, WebError> {
        let Some(text) = self.given("limit") else { return Ok(PAGE_ITEMS) };
        let count = text.parse::<u32>().ok().filter(|count| (1..=PAGE_MAX_ITEMS).contains(count));
        let refusal =
            || WebError::field("limit", format!("limit is a whole number from 1 to {PAGE_MAX_ITEMS}"));
        count.ok_or_else(refusal)
    }

    /// A stretch of time: `from` and `to`, either of which may be left out.
    pub(crate) fn span(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), WebError> {
        let (from, to) = (self.time("from")?, self.time("to")?);
        match (from, to) {
            (Some(from), Some(to)) if from >= to => Err(WebError::field("from", "from is a time before to")),
            _ => Ok((from, to)),
        }
    }

    /// Where the page before ended.
    pub(crate) fn cursor<T: DeserializeOwned>(&self) -> Result<Option<T>, WebError> {
        let Some(text) = self.text("cursor") else { return Ok(None) };
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .map(Some)
            .ok_or_else(|| WebError::field("cursor", "cursor is the `next` of the page before, unchanged"))
    }
}

/// A page of a list. `next` is the cursor of the following page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    /// The cursor of the following page; `null` when there is none.
    next: Option<String>,
}

impl<T> Listed<T> {
    /// A list that is always whole.
    pub(crate) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// A page out of `limit + 1` records that were asked for: the last one only says that there is more.
    pub(crate) fn page<R, C: Serialize>(
        records: Vec<R>,
        limit: u32,
        cursor: impl Fn(&R) -> C,
        item: impl FnMut(R) -> T,
    ) -> Self {
        Self::page_after(records, limit, |page| page.last().map(&cursor), item)
    }

    /// The same, where the cursor depends on more than the last record.
    pub(crate) fn page_after<R, C: Serialize>(
        mut records: Vec<R>,
        limit: u32,
        cursor: impl Fn(&[R]) -> Option<C>,
        item: impl FnMut(R) -> T,
    ) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = records.len() > limit;
        records.truncate(limit);
        let next = if more { cursor(&records).and_then(|cursor| seal(&cursor)) } else { None };
        Self { items: records.into_iter().map(item).collect(), next }
    }

    /// The same, where the list goes on at a place although the page is not full.
    pub(crate) fn or_resume<C: Serialize>(self, place: Option<C>) -> Self {
        let next = self.next.or_else(|| place.and_then(|place| seal(&place)));
        Self { next, ..self }
    }

    /// The items and the cursor of what follows them.
    pub(crate) fn into_parts(self) -> (Vec<T>, Option<String>) {
        (self.items, self.next)
    }
}

/// How long something that a person makes may last, in seconds.
pub(crate) fn lasts(seconds: Option<u64>) -> Result<Option<Duration>, WebError> {
    match seconds {
        Some(seconds) if seconds > LASTS_MAX_S => {
            let message = format!("expires_in_s is at most {LASTS_MAX_S}, ten years");
            Err(WebError::field("expires_in_s", message))
        }
        seconds => Ok(seconds.map(Duration::from_secs)),
    }
}

fn seal(cursor: &impl Serialize) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(cursor).ok()?))
}

/// A JSON body, whatever its `Content-Type` says. An empty body is `{}`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = WebError;

    async fn from_request(request: Request, state: &S) -> Result<Self, WebError> {
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                WebError::TooLarge { limit_bytes: BODY_MAX_BYTES }
            } else {
                WebError::Unreadable("the body did not arrive whole".to_owned())
            }
        })?;
        parse(&bytes).map(Body)
    }
}

/// The one variable piece of a path. A piece that is no text names nothing, so it is not found.
#[derive(Clone, Debug)]
pub(crate) struct Name(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = WebError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, WebError> {
        let piece = Path::<String>::from_request_parts(parts, state).await;
        piece.map(|Path(name)| Self(name)).map_err(|_| WebError::NotFound("page"))
    }
}

/// A field that may be left out, taken away by `null`, or set.
pub(crate) type Given<T> = Option<Option<T>>;

/// Reads a field that is there, even if it is `null`.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(field: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(field).map(Some)
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WebError> {
    let bytes = bytes.trim_ascii();
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| {
        if error.is_data() {
            WebError::field("", format!("the body does not fit this call: {error}"))
        } else {
            WebError::Unreadable(format!("the body is not JSON: {error}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_cursor_comes_back_as_it_was_and_a_made_up_one_is_refused() {
        let page = Listed::page(vec![1, 2, 3], 2, |last| *last, |item| item);
        let (items, next) = page.into_parts();
        assert_eq!(items, [1, 2]);
        let next = next.unwrap();
        assert_eq!(params(&[("cursor", &next)]).cursor::<i64>().unwrap(), Some(2));
        assert!(params(&[("cursor", "made-up")]).cursor::<i64>().is_err());
    }

    #[test]
    fn the_last_page_has_no_next() {
        let (items, next) = Listed::page(vec![1, 2], 2, |last| *last, |item| item).into_parts();
        assert_eq!((items.len(), next), (2, None));
    }

    #[test]
    fn limits_are_whole_numbers_up_to_the_longest_page() {
        assert_eq!(params(&[]).limit().unwrap(), PAGE_ITEMS);
        assert_eq!(params(&[("limit", "1000")]).limit().unwrap(), PAGE_MAX_ITEMS);
        for text in ["0", "-1", "x", "1.5", "1001", "999999999999"] {
            let refused = params(&[("limit", text)]).limit().unwrap_err().to_string();
            assert!(refused.contains("from 1 to 1000"), "{text}");
        }
    }

    #[test]
    fn a_span_that_ends_before_it_begins_is_refused() {
        let at = |second: u32| format!("2024-03-01T12:00:{second:02}Z");
        let span = |from: u32, to: u32| params(&[("from", &at(from)), ("to", &at(to))]).span();
        assert!(span(1, 2).is_ok());
        assert!(span(2, 2).is_err() && span(3, 2).is_err());
        assert!(params(&[("to", &at(0))]).span().unwrap().0.is_none());
    }

    #[test]
    fn a_zone_whose_plus_became_a_space_is_read() {
        let at = params(&[("from", "2024-03-01T13:00:00 01:00")]).time("from").unwrap();
        assert_eq!(at, Timestamp::parse("2024-03-01T12:00:00Z"));
    }
}
