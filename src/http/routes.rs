//! The device table: which path on which listener is whose.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::{Method, Uri};

use super::{BoxFuture, Exchange, Handler, ListenerKind, Reject, Reply, Rest};

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
    /// Every method: the exchange itself says what becomes of those it does not know.
    Every,
    /// These, as the `Allow` header is to list them: `OPTIONS, POST`.
    Only(&'static str),
}

impl Takes {
    /// As the `Allow` header lists them.
    pub const fn list(self) -> &'static str {
        match self {
            Self::Exchanges => "GET, POST, PUT",
            Self::Reads => "GET, HEAD",
            Self::Every => "",
            Self::Only(list) => list,
        }
    }

    pub(super) fn method(self, method: &Method) -> bool {
        match self {
            Self::Exchanges => matches!(*method, Method::GET | Method::POST | Method::PUT),
            Self::Reads => matches!(*method, Method::GET | Method::HEAD),
            Self::Every => true,
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
    /// Longest time a body may take, in milliseconds, where it is shorter than `limits.body_time_ms`.
    pub body_time_ms: Option<u64>,
    /// Whether the path is the same in capital letters, and with a slash twice.
    pub any_case: bool,
    /// Who answers when the body cannot be read; `None` tells the caller in JSON.
    pub unread: Option<Unread>,
    /// Which requests it takes at all; the others are answered as if the path were nobody's, which is by the pages
    /// where there are some.
    pub minds: fn(&Method, &Uri) -> bool,
    /// Who answers.
    pub handler: Handler,
}

/// Answers a request whose body was too large, too slow or broke off. The exchange has no body.
pub type Unread = Arc<dyn Fn(Exchange, Reject) -> BoxFuture<'static, Reply> + Send + Sync>;

impl Owner {
    /// Answers GET, POST and PUT, with bodies as large as the listener lets them be.
    pub const fn new(handler: Handler) -> Self {
        Self {
            takes: Takes::Exchanges,
            body_max_bytes: None,
            body_time_ms: None,
            any_case: false,
            unread: None,
            minds: |_, _| true,
            handler,
        }
    }

    /// Takes these methods; others are answered 405.
    #[must_use]
    pub const fn takes(mut self, takes: Takes) -> Self {
        self.takes = takes;
        self
    }

    /// Takes only some of the requests, and leaves the others to the pages.
    #[must_use]
    pub const fn minding(mut self, minds: fn(&Method, &Uri) -> bool) -> Self {
        self.minds = minds;
        self
    }

    /// Takes bodies up to this size; larger ones are answered 413.
    #[must_use]
    pub const fn capped(mut self, body_max_bytes: usize) -> Self {
        self.body_max_bytes = Some(body_max_bytes);
        self
    }

    /// Takes bodies that are there within this time; slower ones are answered 408.
    #[must_use]
    pub const fn within(mut self, body_time_ms: u64) -> Self {
        self.body_time_ms = Some(body_time_ms);
        self
    }

    /// Takes the path in any letter case, and with slashes that came twice.
    #[must_use]
    pub const fn in_any_case(mut self) -> Self {
        self.any_case = true;
        self
    }

    /// Says who answers when the body cannot be read.
    #[must_use]
    pub fn unread(mut self, unread: Unread) -> Self {
        self.unread = Some(unread);
        self
    }
}

/// Paths being gathered; families add theirs.
#[derive(Default)]
pub struct Routes {
    tables: BTreeMap<ListenerKind, matchit::Router<Owner>>,
    small: BTreeMap<ListenerKind, matchit::Router<Owner>>,
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
        if owner.any_case {
            let small = self.small.entry(listener).or_default();
            small
                .insert(path.to_ascii_lowercase(), owner.clone())
                .map_err(|error| failed(error.to_string()))?;
        }
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
        Table { tables: self.tables, small: self.small, rests: self.rests }
    }
}

/// The finished table.
pub struct Table {
    tables: BTreeMap<ListenerKind, matchit::Router<Owner>>,
    /// Paths in small letters, of those who take any.
    small: BTreeMap<ListenerKind, matchit::Router<Owner>>,
    rests: BTreeMap<ListenerKind, Rest>,
}

impl Table {
    /// Owner and named parts of a path, trailing slashes ignored, letter case as sent. Where the owner takes any letter
    /// case, the parts are still as sent.
    pub fn find(&self, listener: ListenerKind, path: &str) -> Option<(Owner, Vec<(String, String)>)> {
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        let Ok(found) = self.tables.get(&listener)?.at(path) else { return self.find_small(listener, path) };
        let params = found.params.iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Some((found.value.clone(), params))
    }

    fn find_small(&self, listener: ListenerKind, path: &str) -> Option<(Owner, Vec<(String, String)>)> {
        let table = self.small.get(&listener)?;
        let pieces: Vec<&str> = path.split('/').filter(|piece| !piece.is_empty()).collect();
        let path = format!("/{}", pieces.join("/"));
        let small = path.to_ascii_lowercase();
        let found = table.at(&small).ok()?;
        // ASCII letters keep their width: what is in one text stands at the same place in the other.
        let as_sent = |part: &str| {
            let start = part.as_ptr().addr().saturating_sub(small.as_ptr().addr());
            path.get(start..start + part.len()).unwrap_or(part).to_owned()
        };
        let params = found.params.iter().map(|(key, value)| (key.to_owned(), as_sent(value))).collect();
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

    #[test]
    fn who_takes_any_letter_case_hears_the_parts_as_sent() {
        let mut routes = Routes::new();
        let answer = handler(|_| async { Reply::empty(hyper::StatusCode::OK) });
        let owner = Owner::new(answer).in_any_case();
        routes.add_owner(ListenerKind::Http, "/api/things/{name}", owner).unwrap();
        let table = routes.into_table();
        for path in ["/api/things/Bed1", "/API/Things/Bed1/", "//api//things/Bed1"] {
            let (_, params) = table.find(ListenerKind::Http, path).unwrap_or_else(|| panic!("{path}"));
            assert_eq!(params, [("name".to_owned(), "Bed1".to_owned())], "{path}");
        }
        assert!(table.find(ListenerKind::Http, "/API/other").is_none());
        assert!(table.find(ListenerKind::Https, "/API/things/Bed1").is_none());
    }
}
