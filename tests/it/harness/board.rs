//! A pretend microcontroller, written from `websocket-mcu.md` and from nothing of the program under test.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The firmware's constant key and what it waits for (§2).
pub(crate) const ACCEPT: &str = "DdLWT/1JcX+nQFHebYP+rqEx5xI=";
const KEY: &str = "L159VM0TWUzyDxwJEIEzjw==";
const PATIENCE: Duration = Duration::from_secs(30);

/// How a frame is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mask {
    /// As the firmware does it: the mask bit set, the key all zero.
    Zero,
    /// As other clients do.
    Random,
    /// As small clients do although they must not.
    None,
}

/// A board on an open connection.
pub(crate) struct Board {
    stream: TcpStream,
}

impl Board {
    /// Connects as the firmware does: its six lines as six writes.
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let mut board = Self::open(addr);
        for line in Self::request("/ws", addr, "") {
            board.write(line.as_bytes());
        }
        let answer = board.answer();
        assert!(answer.contains(ACCEPT), "{answer}");
        board
    }

    /// Opens a connection on which nothing was said.
    pub(crate) fn open(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, PATIENCE).expect("the listener takes connections");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a time limit");
        stream.set_nodelay(true).expect("a socket can be told not to wait");
        Self { stream }
    }

    /// The lines of a request for a connection; `more` are further header lines, each with its end.
    pub(crate) fn request(path: &str, addr: SocketAddr, more: &str) -> [String; 6] {
        [
            format!("GET {path} HTTP/1.1\r\n"),
            format!("Host: {addr}\r\n"),
            format!("Upgrade: WebSocket\r\n{more}"),
            "Connection: Upgrade\r\n".to_owned(),
            format!("Sec-WebSocket-Key: {KEY}\r\n"),
            "Sec-WebSocket-Version: 13\r\n\r\n".to_owned(),
        ]
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the connection takes bytes");
    }

    /// Reads the head of an answer.
    pub(crate) fn answer(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).expect("an answer comes");
            head.extend(byte);
        }
        String::from_utf8_lossy(&head).into_owned()
    }

    /// Sends a message as the firmware does.
    pub(crate) fn says(&mut self, text: &str) {
        self.write(&frame(0x81, text.as_bytes(), Mask::Zero));
    }

    /// Reads exactly these bytes.
    #[track_caller]
    pub(crate) fn hears(&mut self, wanted: &[u8]) {
        let mut found = vec![0; wanted.len()];
        self.stream.read_exact(&mut found).expect("bytes come");
        assert_eq!(found, wanted);
    }

    /// Whether nothing comes for a while.
    pub(crate) fn hears_nothing(&mut self, within: Duration) -> bool {
        self.stream.set_read_timeout(Some(within)).expect("a socket has a time limit");
        let read = self.stream.read(&mut [0; 64]);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a socket has a time limit");
        matches!(read, Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// Everything until the other end closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A cut connection is an end, too.
        drop(self.stream.read_to_end(&mut rest));
        rest
    }
}

/// A frame: `first` has FIN and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8], mask: Mask) -> Vec<u8> {
    let bit = if mask == Mask::None { 0 } else { 0x80 };
    let mut frame = vec![first];
    match u8::try_from(payload.len()) {
        Ok(length) if length < 126 => frame.push(bit | length),
        _ => {
            let length = u16::try_from(payload.len()).expect("a test's message is short");
            frame.push(bit | 0x7E);
            frame.extend(length.to_be_bytes());
        }
    }
    let key = match mask {
        Mask::Zero => [0; 4],
        Mask::Random => [0x5A, 0x81, 0x01, 0xC3],
        Mask::None => {
            frame.extend(payload);
            return frame;
        }
    };
    frame.extend(key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
