//! Device table first, pages second.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::{Request, Response};
use tower::ServiceExt as _;

use super::{
    Body, BodyLimits, BoxError, BoxFuture, Exchange, ListenerKind, Owner, Peer, Reject, Reply, Service,
    Table, Takes, ToHttps, body,
};

/// The pages: whatever answers what the device table does not know.
pub type Pages =
    Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Result<Response<Body>, Infallible>> + Send + Sync>;

/// Asked before a device path is answered; says why it is not.
pub type Gate = Arc<dyn Fn(&Peer) -> Result<(), Reject> + Send + Sync>;

/// Makes [`Pages`] of a tower service, such as an `axum::Router`.
pub fn pages<S, B>(service: S) -> Pages
where
    S: tower::Service<Request<Body>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: hyper::body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let service = service
        .map_response(|response: Response<B>| response.map(|body| body.map_err(Into::into).boxed_unsync()));
    Arc::new(move |request| Box::pin(service.clone().oneshot(request)))
}

/// Sends each request to the device table or to the pages.
pub struct Dispatch {
    table: Table,
    gate: Option<Gate>,
    pages: Option<Pages>,
    pages_on: Vec<ListenerKind>,
    to_https: Option<ToHttps>,
    uploads: &'static [&'static str],
    limits: Box<dyn Fn() -> BodyLimits + Send + Sync>,
}

impl Dispatch {
    /// `limits` is asked anew for each request, so a reload needs no restart.
    pub fn new(table: Table, limits: impl Fn() -> BodyLimits + Send + Sync + 'static) -> Self {
        Self {
            table,
            gate: None,
            pages: None,
            pages_on: Vec::new(),
            to_https: None,
            uploads: &[],
            limits: Box::new(limits),
        }
    }

    /// Lets nobody to the device table whom the gate refuses. Pages are not asked about.
    #[must_use]
    pub fn with_gate(mut self, gate: Gate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Serves pages on these listeners. On others an unknown path is answered 404 in JSON.
    #[must_use]
    pub fn with_pages(mut self, pages: Pages, on: &[ListenerKind]) -> Self {
        self.pages = Some(pages);
        self.pages_on = on.to_vec();
        self
    }

    /// Sends browsers on the plain-HTTP listener to the pages. Devices never: their paths are looked up first.
    #[must_use]
    pub fn with_redirect(mut self, to_https: Option<ToHttps>) -> Self {
        self.to_https = to_https;
        self
    }

    /// Leaves the size of bodies to the pages below these paths, and limits the time of each piece alone.
    #[must_use]
    pub fn with_uploads(mut self, below: &'static [&'static str]) -> Self {
        self.uploads = below;
        self
    }

    /// What the listeners are given. What a device waits in is made as small as may be.
    pub fn into_service(self) -> Service {
        let dispatch = Arc::new(self);
        Arc::new(move |request, peer| {
            let found = dispatch.table.find(peer.listener, request.uri().path());
            let found = found.filter(|(owner, _)| (owner.minds)(request.method(), request.uri()));
            if let Some((owner, params)) = found {
                let version = request.version();
                let reply = match dispatch.gated(peer) {
                    Ok(()) => device(owner, params, request, peer, (dispatch.limits)()),
                    Err(reject) => at_once(reject),
                };
                return Box::pin(async move { Ok(reply.await.into_response_to(version)) });
            }
            let (dispatch, peer) = (Arc::clone(&dispatch), peer.clone());
            Box::pin(async move { Ok(dispatch.other(request, peer).await) })
        })
    }

    /// Answers what is in no device's table.
    async fn other(&self, mut request: Request<Incoming>, peer: Peer) -> Response<Body> {
        let version = request.version();
        if let Some(reply) = self.rest(&request, &peer).await {
            return self.gated(&peer).map_or_else(Reject::into_reply, |()| reply).into_response_to(version);
        }
        match &self.pages {
            Some(pages) if self.pages_on.contains(&peer.listener) => {
                let path = request.uri().path();
                let upload = self.uploads.iter().any(|below| path.starts_with(below));
                let limited = if upload { body::streamed } else { body::limited };
                let limits = (self.limits)();
                request.extensions_mut().insert(peer);
                match pages(request.map(|body| limited(body, limits))).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
            _ if let Some(reply) = self.sent_on(&request, &peer) => reply.into_response(),
            _ => Reject::not_found("there is nothing at this path")
                .log(format!(
                    "{} asked for unknown path {:?} on {}",
                    peer.addr,
                    request.uri().path(),
                    peer.listener
                ))
                .into_reply()
                .into_response(),
        }
    }

    fn sent_on(&self, request: &Request<Incoming>, peer: &Peer) -> Option<Reply> {
        self.to_https.as_ref().filter(|_| peer.listener == ListenerKind::Http)?.of(request)
    }

    fn gated(&self, peer: &Peer) -> Result<(), Reject> {
        self.gate.as_ref().map_or(Ok(()), |gate| gate(peer))
    }

    /// Asks the owner of what is in no table. The request stays whole for the pages.
    async fn rest(&self, request: &Request<Incoming>, peer: &Peer) -> Option<Reply> {
        if !Takes::Reads.method(request.method()) {
            return None;
        }
        let rest = self.table.rest(peer.listener)?;
        let exchange = rest(Exchange {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: request.headers().clone(),
            body: Bytes::new(),
            version: request.version(),
            params: Vec::new(),
            peer: peer.clone(),
        });
        exchange.await
    }
}

/// A device's request, to the one who owns its path.
fn device(
    owner: Owner,
    params: Vec<(String, String)>,
    request: Request<Incoming>,
    peer: &Peer,
    limits: BodyLimits,
) -> BoxFuture<'static, Reply> {
    let (head, incoming) = request.into_parts();
    if !owner.takes.method(&head.method) {
        let line = format!("{} sent method {} to {:?}", peer.addr, head.method, head.uri.path());
        return at_once(Reject::method(owner.takes).log(line));
    }
    let exchange = Exchange {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: Bytes::new(),
        version: head.version,
        params,
        peer: peer.clone(),
    };
    if incoming.is_end_stream() {
        return (owner.handler)(exchange); // as nearly every message has its text in the query
    }
    let limits = limits.capped(owner.body_max_bytes, owner.body_time_ms);
    Box::pin(async move {
        match body::read_body(&exchange.headers, incoming, limits).await {
            Ok(body) => (owner.handler)(Exchange { body, ..exchange }).await,
            Err(reject) => {
                let line = format!("{} on {:?}: {}", exchange.peer.addr, exchange.path, reject.caller());
                let reject = reject.log(line);
                match owner.unread {
                    Some(unread) => unread(exchange, reject).await,
                    None => reject.into_reply(),
                }
            }
        }
    })
}

fn at_once(reject: Reject) -> BoxFuture<'static, Reply> {
    Box::pin(std::future::ready(reject.into_reply()))
}
