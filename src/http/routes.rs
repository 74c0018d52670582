//! The device table: which path on which listener is whose.

use std::collections::BTreeMap;

use super::{Handler, ListenerKind};

/// A path that cannot be added. Found when the server is composed, never by a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the path {path} on {listener} cannot be served: {cause}")]
pub struct RouteError {
    /// The path.
    pub path: String,
    /// The listener.
    pub listener: ListenerKind,
    /// What the router says.
    pub cause: String,
}

/// Paths being gathered; families add theirs.
#[derive(Default)]
pub struct Routes {
    tables: BTreeMap<ListenerKind, matchit::Router<Handler>>,
}

impl Routes {
    /// No paths yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path in matchit's syntax (`/files/{name}`), without trailing slash.
    pub fn add(&mut self, listener: ListenerKind, path: &str, handler: Handler) -> Result<(), RouteError> {
        self.tables.entry(listener).or_default().insert(path, handler).map_err(|error| RouteError {
            path: path.to_owned(),
            listener,
            cause: error.to_string(),
        })
    }

    /// The listeners that have paths.
    pub fn listeners(&self) -> Vec<ListenerKind> {
        self.tables.keys().copied().collect()
    }

    /// No more paths.
    pub fn into_table(self) -> Table {
        Table { tables: self.tables }
    }
}

/// The finished table.
pub struct Table {
    tables: BTreeMap<ListenerKind, matchit::Router<Handler>>,
}

impl Table {
    /// Handler and named parts of a path, trailing slashes ignored, letter case as sent.
    pub fn find(&self, listener: ListenerKind, path: &str) -> Option<(Handler, Vec<(String, String)>)> {
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        let found = self.tables.get(&listener)?.at(path).ok()?;
        let params = found.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Some((Handler::clone(found.value), params))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Reply, handler};
    use super::*;

    #[test]
    fn a_trailing_slash_is_tolerated_and_letter_case_is_not() {
        let mut routes = Routes::new();
        let answer = handler(|_| async { Reply::empty(hyper::StatusCode::OK) });
        routes.add(ListenerKind::Https, "/push", Handler::clone(&answer)).unwrap();
        routes.add(ListenerKind::Https, "/files/{name}", Handler::clone(&answer)).unwrap();
        assert!(routes.add(ListenerKind::Https, "/push", answer).is_err());
        let table = routes.into_table();
        assert!(table.find(ListenerKind::Https, "/push").is_some());
        assert!(table.find(ListenerKind::Https, "/push/").is_some());
        assert!(table.find(ListenerKind::Https, "/Push").is_none());
        assert!(table.find(ListenerKind::Http, "/push").is_none());
        let (_, params) = table.find(ListenerKind::Https, "/files/a%20b").unwrap();
        assert_eq!(params, [("name".to_owned(), "a%20b".to_owned())]);
    }
}
