//! A raw HTTP/1.1 client over rustls: it keeps every byte of an answer, and its connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// One kept connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
}

trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// An answer, byte for byte.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Status line and header lines as they came.
    pub(crate) head: String,
    /// The number in the status line.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The body as it came, chunks and all.
    pub(crate) framed: Vec<u8>,
}

impl Client {
    /// Opens a TLS connection that trusts one root.
    pub(crate) fn connect(addr: SocketAddr, name: &str, root: &CertificateDer<'static>) -> io::Result<Self> {
        Self::connect_with(addr, name, root, rustls::ALL_VERSIONS)
    }

    /// The same with the versions of one's choice.
    pub(crate) fn connect_with(
        addr: SocketAddr,
        name: &str,
        root: &CertificateDer<'static>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Self> {
        Self::shake(addr, name, config(root, versions)?.with_no_client_auth())
    }

    /// The same with a certificate of one's own, whether the key fits or not.
    pub(crate) fn connect_as(
        addr: SocketAddr,
        root: &CertificateDer<'static>,
        shown: &CertifiedKey,
        versions: &[&'static SupportedProtocolVersion],
    ) -> io::Result<Self> {
        let resolver = Arc::new(SingleCertAndKey::from(shown.clone()));
        Self::shake(addr, "localhost", config(root, versions)?.with_client_cert_resolver(resolver))
    }

    fn shake(addr: SocketAddr, name: &str, config: ClientConfig) -> io::Result<Self> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        let mut socket = socket(addr)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Self { stream: Box::new(StreamOwned::new(connection, socket)) })
    }

    /// Opens a connection without TLS.
    pub(crate) fn plain(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: Box::new(socket(addr)?) })
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads one answer.
    pub(crate) fn read(&mut self) -> io::Result<Answer> {
        let mut answer = self.read_head()?;
        answer.body = match answer.header("content-length") {
            Some(length) => {
                let mut body = vec![0; length.parse().map_err(io::Error::other)?];
                self.read_exact(&mut body)?;
                body
            }
            None if answer.status == 204 || answer.status == 304 => Vec::new(),
            None if answer.header("transfer-encoding").is_some() => self.read_chunks(&mut answer.framed)?,
            None => {
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body)?;
                body
            }
        };
        if answer.framed.is_empty() {
            answer.framed.clone_from(&answer.body);
        }
        Ok(answer)
    }

    /// Reads as many bytes of a body as fit.
    pub(crate) fn read_exact(&mut self, body: &mut [u8]) -> io::Result<()> {
        self.stream.read_exact(body)
    }

    /// Reads an answer to the end of its head: the body is left, or there is none.
    pub(crate) fn read_head(&mut self) -> io::Result<Answer> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if self.stream.read(&mut byte)? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("closed after {:?}", String::from_utf8_lossy(&head)),
                ));
            }
            head.extend_from_slice(&byte);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|number| number.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))?;
        Ok(Answer { head, status, body: Vec::new(), framed: Vec::new() })
    }

    fn read_chunks(&mut self, framed: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            let mut byte = [0];
            while !line.ends_with(b"\r\n") {
                self.stream.read_exact(&mut byte)?;
                line.extend_from_slice(&byte);
            }
            let size =
                usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk)?;
            framed.extend([&line[..], &chunk].concat());
            if size == 0 {
                return Ok(body);
            }
            body.extend_from_slice(&chunk[..size]);
        }
    }

    /// Writes a request and reads its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.write(request)?;
        self.read()
    }

    /// A device's GET: the answer must have exactly a device answer's headers.
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.ask(request.as_bytes()).expect("an answer")
    }

    /// A device's POST.
    pub(crate) fn post(&mut self, target: &str, body: &[u8]) -> Answer {
        self.try_post(target, body).expect("an answer")
    }

    /// A device's POST that may meet a closed connection.
    pub(crate) fn try_post(&mut self, target: &str, body: &[u8]) -> io::Result<Answer> {
        let mut request =
            format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
        request.extend_from_slice(body);
        self.ask(&request)
    }

    /// A GET with an API token.
    pub(crate) fn get_as(&mut self, token: &str, target: &str) -> Answer {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
        self.ask(request.as_bytes()).expect("an answer")
    }

    /// A POST of JSON with an API token.
    pub(crate) fn post_as(&mut self, token: &str, target: &str, body: &Value) -> Answer {
        self.send_as("POST", token, target, body)
    }

    /// The same with another method.
    pub(crate) fn send_as(&mut self, method: &str, token: &str, target: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.ask(request.as_bytes()).expect("an answer")
    }
}

impl Answer {
    /// A header's value, whatever its letter case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// Checks that this is a device answer with this body: exact bytes, and no header more than there must be.
    #[track_caller]
    pub(crate) fn is_device_answer(&self, status: u16, body: &str) {
        assert_eq!(self.text(), body, "{}", self.head);
        assert_eq!(self.status, status, "{}", self.head);
        self.has_device_headers();
    }

    /// Checks the header lines of a device answer, names and order included.
    #[track_caller]
    pub(crate) fn has_device_headers(&self) {
        let names: Vec<&str> =
            self.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, ["Content-Length", "Content-Type", "Date"], "{}", self.head);
        assert!(self.head.starts_with("HTTP/1.1 "), "{}", self.head);
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.head);
    }
}

fn config(
    root: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> io::Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
    Ok(builder.map_err(io::Error::other)?.with_root_certificates(roots))
}

fn socket(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&addr, PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}
