//! The bare yardstick: hyper over tokio-rustls that answers a constant. What it costs nobody can save.

use std::convert::Infallible;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// The answer that homeport gives to a heartbeat.
const ANSWER: &str = r#"{"push":true,"pull":false}"#;

#[derive(clap::Args)]
pub(crate) struct Bare {
    /// Folder of homeport's certificates.
    #[arg(long)]
    certs: PathBuf,
}

impl Bare {
    pub(crate) fn run(&self) {
        crate::runtime().block_on(serve(self.certs.clone(), |_| std::future::ready(())));
    }
}

/// Accepts for ever, and lets `first` have a look at each request before it is answered.
pub(crate) async fn serve<F, R>(certs: PathBuf, first: F)
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let acceptor = TlsAcceptor::from(tls::server(&certs));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    println!("https://{}", listener.local_addr().expect("an address"));
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let (acceptor, first) = (acceptor.clone(), first.clone());
        tokio::spawn(async move {
            socket.set_nodelay(true).ok();
            let Ok(socket) = acceptor.accept(socket).await else { return };
            let service = service_fn(move |request| {
                let done = first(request);
                async move {
                    done.await;
                    Ok::<_, Infallible>(answer())
                }
            });
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).half_close(true);
            builder.serve_connection(TokioIo::new(socket), service).await.ok();
        });
    }
}

fn answer() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(ANSWER.as_bytes())));
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
