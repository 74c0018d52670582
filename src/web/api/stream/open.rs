//! Who may open a stream, and how many of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Uri, header};

use crate::core::HubError;
use crate::model::UserId;
use crate::web::auth;

/// How many streams there may be at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    /// Of all together.
    pub(crate) all_max: usize,
    /// Of one user.
    pub(crate) user_max: usize,
}

/// The streams that are open.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    limits: StreamLimits,
    open: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// A stream's place among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    open: Arc<Mutex<HashMap<UserId, usize>>>,
    user: UserId,
}

impl Streams {
    /// None yet.
    pub(crate) fn new(limits: StreamLimits) -> Self {
        Self { limits, open: Arc::default() }
    }

    /// Lets one more in, if there is room.
    pub(super) fn enter(&self, user: &UserId) -> Result<Turn, HubError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let StreamLimits { all_max, user_max } = self.limits;
        if open.values().sum::<usize>() >= all_max {
            let message = format!("{all_max} streams are open already (limits.streams_max_count): try again");
            return Err(HubError::TooFast(message));
        }
        let own = open.entry(user.clone()).or_default();
        if *own >= user_max {
            let message = format!("this user has {user_max} streams open already: close one first");
            return Err(HubError::TooFast(message));
        }
        *own += 1;
        Ok(Turn { open: Arc::clone(&self.open), user: user.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// Whether a browser sends this, with its user's cookie, for a page of another site. A token is no cookie: whoever sends
/// one has it.
pub(super) fn is_foreign(headers: &HeaderMap, trusted: &[String]) -> bool {
    if !auth::is_by_cookie(headers) {
        return false;
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text("origin");
    if origin.is_some_and(|origin| trusted.iter().any(|known| known == origin)) {
        return false;
    }
    match text("sec-fetch-site") {
        Some(site) => !matches!(site, "same-origin" | "none"),
        None => origin.is_some_and(|origin| {
            let host = origin.parse::<Uri>().ok().and_then(|uri| Some(uri.authority()?.as_str().to_owned()));
            host.is_none() || host.as_deref() != text(header::HOST.as_str())
        }),
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_page_of_another_site_opens_nothing_with_a_cookie() {
        let cookie = ("cookie", "__Host-homeport=x");
        let trusted = ["https://panel.example".to_owned()];
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[cookie], false),
            (&[cookie, ("sec-fetch-site", "same-origin")], false),
            (&[cookie, ("sec-fetch-site", "none")], false),
            (&[cookie, ("sec-fetch-site", "same-site")], true),
            (&[cookie, ("sec-fetch-site", "cross-site"), ("origin", "https://panel.example")], false),
            (&[cookie, ("host", "a:8443"), ("origin", "https://a:8443")], false),
            (&[cookie, ("host", "a:8443"), ("origin", "https://b:8443")], true),
            (&[cookie, ("host", "a"), ("origin", "null")], true),
            (&[cookie, ("authorization", "Bearer hp_x"), ("sec-fetch-site", "cross-site")], false),
        ];
        for (lines, foreign) in cases {
            let lines: Vec<(&'static str, &'static str)> = lines.to_vec();
            assert_eq!(is_foreign(&headers(&lines), &trusted), foreign, "{lines:?}");
        }
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let streams = Streams::new(StreamLimits { all_max: 3, user_max: 2 });
        let [one, other] = ["one", "other"].map(UserId::new);
        let first = streams.enter(&one).unwrap();
        let _second = streams.enter(&one).unwrap();
        assert!(streams.enter(&one).unwrap_err().to_string().contains("this user has 2"));
        let _third = streams.enter(&other).unwrap();
        assert!(streams.enter(&other).unwrap_err().to_string().contains("3 streams are open"));
        drop(first);
        streams.enter(&other).unwrap();
    }
}
