//! The device table: which path on which listener is whose.

use std::collections::BTreeMap;

use hyper::Method;

use super::{Handler, ListenerKind, Rest};

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

/// The methods that a path takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// GET, POST and PUT, which mean the same to a device's exchange.
    Exchanges,
    /// GET and HEAD: the path is for reading.
    Reads,
    /// These, as the `Allow` header is to list them: `OPTIONS, POST`.
    Only(&'static str),
}

impl Takes {
    /// As the `Allow` header lists them.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Exchanges => "GET, POST, PUT",
            Self::Reads => "GET, HEAD",
            Self::Only(list) => list,
        }
    }

    pub(super) fn method(self, method: &Method) -> bool {
        match self {
            Self::Exchanges => matches!(*method, Method::GET | Method::POST | Method::PUT),
            Self::Reads => matches!(*method, Method::GET | Method::HEAD),
            Self::Only(list) => list.split(", ").any(|name| name == method.as_str()),
        }
    }
}

/// A path's owner.
#[derive(Clone)]
pub struct Owner {
    /// What it takes.
    pub takes: Takes,
    /// Largest body in bytes, where it is smaller than `limits.body_max_bytes`.
    pub body_max_bytes: Option<usize>,
    /// Who answers.
    pub handler: Handler,
}

impl Owner {
    /// Answers GET, POST and PUT, with bodies as large as the listener lets them be.
    pub const fn new(handler: Handler) -> Self {
        Self { takes: Takes::Exchanges, body_max_bytes: None, handler }
    }

    /// Takes these methods; others are answered 405.
    #[must_use]
    pub const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// Takes bodies up to this size; larger ones are answered 413.
    #[must_use]
    pub const fn capped(mut self, body_max_bytes: usize) -> Self {
        self.body_max_bytes = Some(body_max_bytes);
        self
    }
}

/// Paths being gathered; families add theirs.
#[derive(Default)]
pub struct Routes {
    tables: BTreeMap<ListenerKind, matchit::Router<Owner>>,
    rests: BTreeMap<ListenerKind, Rest>,
    rows: Vec<Row>,
}

/// One path, as whoever looks at the table sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Where it is.
    pub listener: ListenerKind,
    /// In matchit's syntax.
    pub path: String,
    /// What it takes.
    pub takes: Takes,
}

impl Routes {
    /// No paths yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a path in matchit's syntax (`/thing/{name}`), without trailing slash.
    pub fn add(&mut self, listener: ListenerKind, path: &str, handler: Handler) -> Result<(), RouteError> {
        self.add_owner(listener, path, Owner::new(handler))
    }

    /// Adds a path that is only read.
    pub fn add_read(
        &mut self,
        listener: ListenerKind,
        path: &str,
        handler: Handler,
    ) -> Result<(), RouteError> {
        self.add_owner(listener, path, Owner::new(handler).takes(Takes::Reads))
    }

    /// Adds a path with methods or a cap of its own.
    pub fn add_owner(&mut self, listener: ListenerKind, path: &str, owner: Owner) -> Result<(), RouteError> {
        let failed = |cause| RouteError { path: path.to_owned(), listener, cause };
        let table = self.tables.entry(listener).or_default();
        let takes = owner.takes;
        table.insert(path, owner).map_err(|error| failed(error.to_string()))?;
        self.rows.push(Row { listener, path: path.to_owned(), takes });
        Ok(())
    }

    /// Sets who is asked for a path that nobody has, before the pages are: one for each listener.
    pub fn add_rest(&mut self, listener: ListenerKind, rest: Rest) -> Result<(), RouteError> {
        match self.rests.insert(listener, rest) {
            None => Ok(()),
            Some(_) => Err(RouteError {
                path: "/*".to_owned(),
                listener,
                cause: "the rest has an owner already".to_owned(),
            }),
        }
    }

    /// Every path there is.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// No more paths.
    pub fn into_table(self) -> Table {
        Table { tables: self.tables, rests: self.rests }
    }
}

/// The finished table.
pub struct Table {
    tables: BTreeMap<ListenerKind, matchit::Router<Owner>>,
    rests: BTreeMap<ListenerKind, Rest>,
}

impl Table {
    /// Owner and named parts of a path, trailing slashes ignored, letter case as sent.
    pub fn find(&self, listener: ListenerKind, path: &str) -> Option<(Owner, Vec<(String, String)>)> {
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        let found = self.tables.get(&listener)?.at(path).ok()?;
        let params = found.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Some((found.value.clone(), params))
    }

    /// Who is asked for a path that nobody has.
    pub(super) fn rest(&self, listener: ListenerKind) -> Option<&Rest> {
        self.rests.get(&listener)
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
