//! A client of as little cost as can be: one connection, requests as bytes, answers read to their end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// One connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    resumed: bool,
    buffer: Vec<u8>,
    part: Vec<u8>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The whole body, or as much of it as was kept.
    pub(crate) body: Vec<u8>,
    /// How long the body was.
    pub(crate) size: usize,
}

impl Client {
    /// Without a configuration of TLS it speaks plain HTTP.
    pub(crate) async fn open(addr: SocketAddr, config: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let socket = TcpStream::connect(addr).await?;
        socket.set_nodelay(true)?;
        let Some(config) = config else {
            return Ok(Self {
                stream: Box::new(socket),
                resumed: false,
                buffer: Vec::new(),
                part: Vec::new(),
            });
        };
        let name = ServerName::try_from("push.homeport.test").expect("a name");
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, socket).await?;
        let resumed = stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        Ok(Self { stream: Box::new(stream), resumed, buffer: Vec::new(), part: Vec::new() })
    }

    /// Whether the handshake took up an earlier session.
    pub(crate) const fn resumed(&self) -> bool {
        self.resumed
    }

    /// Sends a request and reads the answer. Of a body only the first kilobyte is kept.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        // TLS may hold it: a task that has read for long is given no more turns of the socket until it has waited.
        self.stream.flush().await?;
        self.buffer.clear();
        self.part.resize(16 * 1024, 0);
        let head = loop {
            if let Some(at) = self.buffer.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            let read = self.stream.read(&mut self.part).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.buffer.extend(self.part.iter().take(read));
        };
        let text = String::from_utf8_lossy(self.buffer.get(..head).unwrap_or_default()).to_ascii_lowercase();
        let status = text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let size: usize = length.ok_or(io::ErrorKind::InvalidData)?;
        let mut body = self.buffer.split_off(head);
        let mut taken = body.len();
        while taken < size {
            let read = self.stream.read(&mut self.part).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            taken += read;
            if body.len() < 1024 {
                body.extend(self.part.iter().take(read));
            }
        }
        Ok(Answer { status, body, size })
    }

    /// Says goodbye as a device does that has its answer.
    pub(crate) async fn close(mut self) {
        self.stream.shutdown().await.ok();
    }
}
