//! The bare yardstick: hyper over tokio-rustls, or over plain TCP, that answers a constant. What it costs nobody can save.

use std::convert::Infallible;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// The answers that homeport gives to a heartbeat and to a bed sensor.
const ANSWERS: [(&str, &str); 2] =
    [("application/json", r#"{"push":true,"pull":false}"#), ("text/html; charset=utf-8", "done")];

#[derive(clap::Args)]
pub(crate) struct Bare {
    /// Folder of homeport's certificates; without it, plain HTTP.
    #[arg(long)]
    certs: Option<PathBuf>,
}

impl Bare {
    pub(crate) fn run(&self) {
        crate::runtime().block_on(serve(self.certs.clone(), |_| std::future::ready(())));
    }
}

/// Accepts for ever, and lets `first` have a look at each request before it is answered.
pub(crate) async fn serve<F, R>(certs: Option<PathBuf>, first: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let acceptor = certs.map(|certs| TlsAcceptor::from(tls::server(&certs)));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    println!("{scheme}://{}", listener.local_addr().expect("an address"));
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (acceptor, first) = (acceptor.clone(), first.clone());
        tokio::spawn(async move {
            socket.set_nodelay(true).ok();
            let Some(acceptor) = acceptor else { return http(socket, first, false).await };
            let Ok(socket) = acceptor.accept(socket).await else { return };
            http(socket, first, true).await;
        });
    }
}

async fn http<T, F, R>(socket: T, first: F, tls: bool)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Request<Incoming>) -> R,
    R: Future<Output = ()>,
{
    let service = service_fn(move |request| {
        let done = first(request);
        async move {
            done.await;
            Ok::<_, Infallible>(answer(tls))
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).half_close(true);
    builder.serve_connection(TokioIo::new(socket), service).await.ok();
}

fn answer(tls: bool) -> Response<Full<Bytes>> {
    let [heartbeat, bed] = ANSWERS;
    let (kind, body) = if tls { heartbeat } else { bed };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
