//! One connection of a pretend device: TLS, and as much HTTP/1.1 as a small device speaks. Written by hand, because
//! what a device does wrong (half a request, a trickle, hanging up at the first byte) no client library does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::family::simulator::{Call, Outcome, Trouble};

/// Where the fleet calls.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub addr: SocketAddr,
    /// The name its certificate is checked against.
    pub name: ServerName<'static>,
    /// The `Host` that requests carry.
    pub host: String,
}

/// An open connection.
pub(super) struct Line {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    open: bool,
}

impl Line {
    /// Connects and shakes hands. On the loopback each device has an address of its own, as it would in a network, so
    /// that limits per peer see what they would see there.
    pub(super) async fn open(target: &Target, number: u32, tls: Arc<ClientConfig>) -> io::Result<Self> {
        let socket = match target.addr {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_nodelay(true)?;
        if let Some(own) = own_loopback(target.addr.ip(), number) {
            socket.bind(SocketAddr::new(own, 0))?;
        }
        let stream = socket.connect(target.addr).await?;
        let stream = TlsConnector::from(tls).connect(target.name.clone(), stream).await?;
        Ok(Self { stream, buffer: BytesMut::new(), open: true })
    }

    /// Whether another request can be made.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Makes a call. After anything but a whole answer the connection is of no use any more.
    pub(super) async fn call(&mut self, call: &Call, host: &str) -> Outcome {
        let request = request(call, host);
        self.open = false;
        let sent = match call.trouble {
            Trouble::Slow => self.trickle(&request).await,
            Trouble::HalfSent => {
                let (half, _) = request.split_at(request.len() / 2);
                // Whether it arrives or not: half of it is all there is.
                drop(self.send(half).await);
                return Outcome::Unsent;
            }
            Trouble::None | Trouble::Fresh | Trouble::HalfHeard => self.send(&request).await,
        };
        if sent.is_err() {
            return Outcome::Broken;
        }
        if call.trouble == Trouble::HalfHeard {
            let mut first = [0];
            // With the first byte of the answer the server has done its part.
            drop(self.stream.read(&mut first).await);
            return Outcome::Broken;
        }
        match self.answer().await {
            Ok((status, body)) => Outcome::Answered { status, body },
            Err(_) => Outcome::Broken,
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    async fn trickle(&mut self, request: &[u8]) -> io::Result<()> {
        for piece in request.chunks(request.len().div_ceil(TRICKLE_PIECES).max(1)) {
            self.send(piece).await?;
            tokio::time::sleep(TRICKLE_PAUSE).await;
        }
        Ok(())
    }

    async fn answer(&mut self) -> io::Result<(u16, Bytes)> {
        let head = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break self.buffer.split_to(end + 4);
            }
            if self.buffer.len() > HEAD_MAX_BYTES {
                return Err(io::Error::other("the answer's head is too long"));
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&head);
        let status = head.split(' ').nth(1).and_then(|number| number.parse().ok());
        let status: u16 = status.ok_or_else(|| io::Error::other("the answer has no status"))?;
        let length: usize = header(&head, "content-length")
            .and_then(|text| text.parse().ok())
            .filter(|length| *length <= BODY_MAX_BYTES)
            .ok_or_else(|| io::Error::other("the answer does not say how long it is"))?;
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body = self.buffer.split_to(length).freeze();
        self.open = !header(&head, "connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
        Ok((status, body))
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// The whole request, to be written at once.
fn request(call: &Call, host: &str) -> Vec<u8> {
    let length = call.body.len().to_string();
    let mut bytes = Vec::with_capacity(call.target.len() + call.body.len() + 160);
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
    put(&[call.method, " ", &call.target, " HTTP/1.1\r\nHost: ", host, "\r\n"]);
    for (name, value) in &call.headers {
        put(&[name, ": ", value, "\r\n"]);
    }
    if call.method != "GET" || !call.body.is_empty() {
        put(&["Content-Length: ", &length, "\r\n"]);
    }
    put(&["\r\n"]);
    bytes.extend_from_slice(&call.body);
    bytes
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// 127.80.0.0/12 by number: every address of 127.0.0.0/8 is this machine's.
fn own_loopback(server: IpAddr, number: u32) -> Option<IpAddr> {
    let is_v4_loopback = matches!(server, IpAddr::V4(four) if four.is_loopback());
    let own = Ipv4Addr::from_bits((127 << 24) | (80 << 16) | (number & 0xF_FFFF));
    (is_v4_loopback && cfg!(target_os = "linux")).then_some(IpAddr::V4(own))
}

const TRICKLE_PIECES: usize = 5;
const TRICKLE_PAUSE: Duration = Duration::from_millis(150);
const HEAD_MAX_BYTES: usize = 16 * 1024;
const BODY_MAX_BYTES: usize = 64 * 1024 * 1024;
const READ_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::simulator::Purpose;

    #[test]
    fn a_request_is_what_a_device_sends() {
        let call = |method, headers, body| Call {
            purpose: Purpose::Push,
            method,
            target: "/push?req=%7B%7D".to_owned(),
            headers,
            body: Bytes::from_static(body),
            trouble: Trouble::None,
        };
        let documented = request(&call("POST", Vec::new(), b""), "localhost");
        assert_eq!(
            documented,
            b"POST /push?req=%7B%7D HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        );
        let with = request(&call("GET", vec![("Range", "bytes=0-1".to_owned())], b""), "h");
        assert_eq!(with, b"GET /push?req=%7B%7D HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1\r\n\r\n");
    }

    #[test]
    fn headers_are_found_whatever_their_letter_case() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\nDate: x\r\n\r\n";
        assert_eq!(header(head, "content-length"), Some("26"));
        assert_eq!(header(head, "connection"), None);
    }

    #[test]
    fn devices_have_addresses_of_their_own_on_the_loopback_alone() {
        let own = |server: &str, number| own_loopback(server.parse().unwrap(), number);
        assert_eq!(own("127.0.0.1", 258), Some("127.80.1.2".parse().unwrap()));
        assert_eq!(own("192.0.2.1", 258), None);
        assert_eq!(own("::1", 258), None);
    }
}
