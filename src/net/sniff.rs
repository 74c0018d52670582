//! Plain HTTP on the TLS port: answered in plain HTTP with the address to use.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::is_harmless_host;

/// What a client's first byte says it speaks.
pub(super) enum Speaks {
    Tls,
    PlainHttp,
    /// A hello in the form of SSL 2.0, in which clients of old begin.
    Ssl2,
    Nothing,
    Garbage(u8),
}

impl Speaks {
    /// Judges the first bytes of a connection.
    pub(super) fn of(first: &[u8]) -> Self {
        match first {
            [] => Self::Nothing,
            [22, ..] => Self::Tls, // content type "handshake"
            [byte, ..] if byte.is_ascii_alphabetic() => Self::PlainHttp,
            [length, _, 1, ..] if length & 0x80 != 0 => Self::Ssl2, // two bytes of length, then "client hello"
            [byte, ..] => Self::Garbage(*byte),
        }
    }
}

/// Reads the rest of a request's header block, within a limit, and answers 400.
pub(super) async fn refuse_plain(
    mut stream: TcpStream,
    begun: Vec<u8>,
    limit: Duration,
) -> std::io::Result<()> {
    let local = stream.local_addr()?;
    let head = head(&mut stream, begun);
    let head = tokio::time::timeout(limit, head).await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let host = host(&head).unwrap_or_else(|| local.to_string());
    let sentence = format!("This port speaks HTTPS only: use https://{host}/ instead of http://{host}/.\n");
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sentence}",
        sentence.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn head(stream: &mut TcpStream, begun: Vec<u8>) -> std::io::Result<Vec<u8>> {
    let mut head = begun;
    let mut part = [0; 1024];
    while head.len() < HEAD_MAX_BYTES && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut part).await?;
        if read == 0 {
            break;
        }
        head.extend(part.iter().take(read));
    }
    Ok(head)
}

/// The `Host` header, if it is one that may be repeated.
fn host(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("host").then(|| value.trim())
    })?;
    is_harmless_host(value).then(|| value.to_owned())
}

const HEAD_MAX_BYTES: usize = 16_384;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_harmless_host_is_repeated() {
        assert_eq!(
            host(b"GET / HTTP/1.1\r\nhOsT: a.example:8443\r\n\r\n").as_deref(),
            Some("a.example:8443")
        );
        assert_eq!(host(b"GET / HTTP/1.1\r\nHost: <script>\r\n\r\n"), None);
        assert_eq!(host(b"GET / HTTP/1.0\r\n\r\n"), None);
    }
}
