//! One connection of a pretend device: TLS or none, and as much HTTP/1.1 as a small device speaks. Written by hand, because
//! what a device does wrong (half a request, a trickle, hanging up at the first byte) no client library does.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

use crate::family::simulator::{Call, Form, Outcome, Trouble};

/// Where the fleet calls.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub addr: SocketAddr,
    /// The name its certificate is checked against; `None` for a listener without TLS.
    pub name: Option<ServerName<'static>>,
    /// The `Host` that requests carry.
    pub host: String,
}

/// What bytes go through.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection.
pub(super) struct Line {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    open: bool,
}

impl Line {
    /// Connects, and shakes hands where TLS is spoken.
    pub(super) async fn open(
        target: &Target,
        number: u32,
        tls: Option<Arc<ClientConfig>>,
    ) -> io::Result<Self> {
        let stream = dial(target, number).await?;
        let stream: Box<dyn Stream> = match (&target.name, tls) {
            (Some(name), Some(tls)) => Box::new(TlsConnector::from(tls).connect(name.clone(), stream).await?),
            (None, _) | (_, None) => Box::new(stream),
        };
        Ok(Self { stream, buffer: BytesMut::new(), open: true })
    }

    /// Whether another request can be made.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Makes a call. After anything but a whole answer the connection is of no use any more.
    pub(super) async fn call(&mut self, call: &Call, host: &str) -> Outcome {
        self.open = false;
        if call.form == Form::Pieces && call.trouble == Trouble::None {
            return self.in_pieces(call, host).await.unwrap_or(Outcome::Broken);
        }
        let request = request(call, host);
        let sent = match call.trouble {
            Trouble::Slow => self.trickle(&request).await,
            Trouble::HalfSent => {
                let (half, _) = request.split_at(request.len() / 2);
                // Whether it arrives or not: half of it is all there is.
                drop(self.send(half).await);
                return Outcome::Unsent;
            }
            Trouble::None | Trouble::Fresh | Trouble::HalfHeard if call.form == Form::Expecting => {
                return self.expecting(&request).await;
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
            Ok(outcome) => outcome,
            Err(_) => Outcome::Broken,
        }
    }

    /// Sends the body when the server asks for it; what it answers without asking counts as its answer.
    async fn expecting(&mut self, request: &[u8]) -> Outcome {
        let end = end_of_head(request).unwrap_or(request.len());
        let (head, body) = request.split_at(end);
        let exchange = async {
            self.send(head).await?;
            while end_of_head(&self.buffer).is_none() {
                self.more().await?;
            }
            if self.buffer.starts_with(b"HTTP/1.1 100 ") {
                drop(self.head().await?);
                self.send(body).await?;
            }
            self.answer().await
        };
        exchange.await.unwrap_or(Outcome::Broken)
    }

    /// Writes what MicroPython writes, and reads what it reads: the head.
    async fn in_pieces(&mut self, call: &Call, host: &str) -> io::Result<Outcome> {
        for piece in pieces(call, host) {
            self.send(&piece).await?;
        }
        let head = self.head().await?;
        let status = status(&head)?;
        Ok(Outcome::Answered { status, head, body: Bytes::new() })
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

    async fn answer(&mut self) -> io::Result<Outcome> {
        let mut bytes = self.head().await?;
        while bytes.starts_with(b"HTTP/1.1 1") {
            bytes = self.head().await?;
        }
        let status = status(&bytes)?;
        let head = String::from_utf8_lossy(&bytes);
        let chunked =
            header(&head, "transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
        let length = if chunked {
            self.chunks().await?
        } else {
            header(&head, "content-length")
                .and_then(|text| text.parse().ok())
                .filter(|length| *length <= BODY_MAX_BYTES)
                .ok_or_else(|| io::Error::other("the answer does not say how long it is"))?
        };
        while self.buffer.len() < length {
            self.more().await?;
        }
        let body = self.buffer.split_to(length).freeze();
        let old = head.starts_with("HTTP/1.0");
        self.open =
            !old && !header(&head, "connection").is_some_and(|word| word.eq_ignore_ascii_case("close"));
        Ok(Outcome::Answered { status, head: bytes, body })
    }

    /// Everything up to the blank line.
    async fn head(&mut self) -> io::Result<Bytes> {
        loop {
            if let Some(end) = end_of_head(&self.buffer) {
                return Ok(self.buffer.split_to(end).freeze());
            }
            if self.buffer.len() > HEAD_MAX_BYTES {
                return Err(io::Error::other("the answer's head is too long"));
            }
            self.more().await?;
        }
    }

    /// How long a body in chunks is with its marks, once all of it is here. Trailers are not known.
    async fn chunks(&mut self) -> io::Result<usize> {
        let mut at = 0;
        loop {
            let line = loop {
                let rest = self.buffer.get(at..).unwrap_or_default();
                if let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
                    break end;
                }
                self.more().await?;
            };
            let mark = self.buffer.get(at..at + line).and_then(|mark| std::str::from_utf8(mark).ok());
            let size = mark.and_then(|mark| usize::from_str_radix(mark, 16).ok());
            let size = size.filter(|size| *size <= BODY_MAX_BYTES);
            let size = size.ok_or_else(|| io::Error::other("a chunk does not say how long it is"))?;
            at += line + 2 + size + 2;
            while self.buffer.len() < at {
                self.more().await?;
            }
            if size == 0 {
                return Ok(at);
            }
            if at > BODY_MAX_BYTES {
                return Err(io::Error::other("the answer is too long"));
            }
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Connects. On the loopback each device has an address of its own, as it would in a network, so that limits per peer
/// see what they would see there.
pub(super) async fn dial(target: &Target, number: u32) -> io::Result<TcpStream> {
    let socket = match target.addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_nodelay(true)?;
    if let Some(own) = own_loopback(target.addr.ip(), number) {
        socket.bind(SocketAddr::new(own, 0))?;
    }
    socket.connect(target.addr).await
}

fn status(head: &[u8]) -> io::Result<u16> {
    let head = String::from_utf8_lossy(head);
    let status = head.split(' ').nth(1).and_then(|number| number.parse().ok());
    status.ok_or_else(|| io::Error::other("the answer has no status"))
}

/// The request as MicroPython's `urequests` writes it, write for write (`tswarm-node.md §2`).
fn pieces(call: &Call, host: &str) -> Vec<Vec<u8>> {
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut pieces = vec![
        format!("{} {} HTTP/1.0\r\n", call.method, call.target).into_bytes(),
        format!("Host: {host}\r\n").into_bytes(),
    ];
    for (name, value) in &call.headers {
        pieces.extend([name.as_bytes(), b": ", value.as_bytes(), b"\r\n"].map(<[u8]>::to_vec));
    }
    if !call.body.is_empty() {
        pieces.push(format!("Content-Length: {}\r\n", call.body.len()).into_bytes());
    }
    pieces.push(b"\r\n".to_vec());
    pieces.push(call.body.to_vec());
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// The whole request, to be written at once.
fn request(call: &Call, host: &str) -> Vec<u8> {
    if call.form == Form::Pieces {
        return pieces(call, host).concat();
    }
    let length = call.body.len().to_string();
    let has_body = call.method != "GET" || !call.body.is_empty();
    let mut bytes = Vec::with_capacity(call.target.len() + call.body.len() + 200);
    let mut put = |parts: &[&str]| parts.iter().for_each(|part| bytes.extend_from_slice(part.as_bytes()));
    let version = if call.form == Form::Old { "HTTP/1.0" } else { "HTTP/1.1" };
    put(&[call.method, " ", &call.target, " ", version, "\r\nHost: ", host, "\r\n"]);
    for (name, value) in &call.headers {
        put(&[name, ": ", value, "\r\n"]);
    }
    match call.form {
        Form::Plain | Form::Old if has_body => put(&["Content-Length: ", &length, "\r\n"]),
        Form::Expecting if has_body => put(&["Content-Length: ", &length, "\r\nExpect: 100-continue\r\n"]),
        Form::Chunked if has_body => put(&["Transfer-Encoding: chunked\r\n"]),
        Form::Plain | Form::Old | Form::Expecting | Form::Chunked | Form::Pieces => {}
    }
    put(&["\r\n"]);
    if call.form == Form::Chunked && has_body {
        for piece in call.body.chunks(call.body.len().div_ceil(CHUNKS).max(1)) {
            bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            bytes.extend_from_slice(piece);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
    } else {
        bytes.extend_from_slice(&call.body);
    }
    bytes
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
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
/// In so many pieces goes a body that comes in chunks.
const CHUNKS: usize = 3;
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
            form: Form::Plain,
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
    fn a_small_board_writes_every_piece_by_itself() {
        let call = Call {
            purpose: Purpose::Push,
            method: "PUT",
            target: "/api/v1/tswarm/node1".to_owned(),
            headers: vec![
                ("authorization", " Basic bm9kZTE6c2VjcmV0".to_owned()),
                ("content-type", "application/json".to_owned()),
            ],
            body: Bytes::from_static(br#"{"name":"node1","data":"23 45"}"#),
            form: Form::Pieces,
            trouble: Trouble::None,
        };
        let pieces = pieces(&call, "192.168.1.10:8080");
        assert_eq!(pieces.len(), 13);
        assert_eq!(
            String::from_utf8(pieces.concat()).unwrap(),
            "PUT /api/v1/tswarm/node1 HTTP/1.0\r\nHost: 192.168.1.10\r\n\
             authorization:  Basic bm9kZTE6c2VjcmV0\r\ncontent-type: application/json\r\n\
             Content-Length: 31\r\n\r\n{\"name\":\"node1\",\"data\":\"23 45\"}"
        );
        assert_eq!(request(&call, "192.168.1.10:8080"), pieces.concat());
    }

    #[test]
    fn a_body_is_put_in_each_form() {
        let put = |form| {
            let call = Call {
                purpose: Purpose::Push,
                method: "POST",
                target: "/data/push/".to_owned(),
                headers: Vec::new(),
                body: Bytes::from_static(b"<Data/>"),
                form,
                trouble: Trouble::None,
            };
            String::from_utf8(request(&call, "h")).unwrap()
        };
        let chunks = "Transfer-Encoding: chunked\r\n\r\n3\r\n<Da\r\n3\r\nta/\r\n1\r\n>\r\n0\r\n\r\n";
        assert_eq!(put(Form::Chunked), format!("POST /data/push/ HTTP/1.1\r\nHost: h\r\n{chunks}"));
        let plain = "Host: h\r\nContent-Length: 7\r\n\r\n<Data/>";
        assert_eq!(put(Form::Old), format!("POST /data/push/ HTTP/1.0\r\n{plain}"));
        assert!(put(Form::Expecting).ends_with("Expect: 100-continue\r\n\r\n<Data/>"));
    }

    async fn trickled(server: &mut tokio::io::DuplexStream, pieces: &[&[u8]]) {
        for piece in pieces {
            server.write_all(piece).await.unwrap();
        }
    }

    #[tokio::test]
    async fn answers_are_read_whether_they_come_in_chunks_or_not() {
        for (sent, whole) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone", "done"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
                "2\r\n{}\r\n0\r\n\r\n",
            ),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok"),
        ] {
            let (mut server, client) = tokio::io::duplex(4096);
            let mut line = Line { stream: Box::new(client), buffer: BytesMut::new(), open: true };
            let call = Call {
                purpose: Purpose::Push,
                method: "POST",
                target: "/".to_owned(),
                headers: Vec::new(),
                body: Bytes::from_static(b"x"),
                form: if sent.contains("Continue") { Form::Expecting } else { Form::Plain },
                trouble: Trouble::None,
            };
            // Some at a time, as a network has it.
            let pieces: Vec<&[u8]> = sent.as_bytes().chunks(5).collect();
            let (outcome, ()) = tokio::join!(line.call(&call, "h"), trickled(&mut server, &pieces));
            let Outcome::Answered { status: 200, body, .. } = outcome else { panic!("{sent}: {outcome:?}") };
            assert_eq!(body, whole);
            assert!(line.is_open());
        }
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
