//! Plain HTTP on the TLS port: answered in plain HTTP with the address to use.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What a client's first byte says it speaks.
pub(super) enum Speaks {
    Tls,
    PlainHttp,
    /// A hello in the form of SSL 2.0, in which clients of old begin.
    Ssl2,
    Nothing,
    Garbage(u8),
}

/// Looks at the first bytes without taking them.
pub(super) async fn first_bytes(stream: &TcpStream) -> std::io::Result<Speaks> {
    let mut first = [0; 3];
    let read = stream.peek(&mut first).await?;
    Ok(match (read, first) {
        (0, _) => Speaks::Nothing,
        (_, [22, ..]) => Speaks::Tls, // content type "handshake"
        (_, [byte, ..]) if byte.is_ascii_alphabetic() => Speaks::PlainHttp,
        (_, [length, _, 1]) if length & 0x80 != 0 => Speaks::Ssl2, // two bytes of length, then "client hello"
        (_, [byte, ..]) => Speaks::Garbage(byte),
    })
}

/// Reads one request's header block, within a limit, and answers 400.
pub(super) async fn refuse_plain(mut stream: TcpStream, limit: Duration) -> std::io::Result<()> {
    let local = stream.local_addr()?;
    let head = tokio::time::timeout(limit, head(&mut stream)).await.unwrap_or_else(|_| Ok(Vec::new()))?;
    let host = host(&head).unwrap_or_else(|| local.to_string());
    let sentence = format!("This port speaks HTTPS only: use https://{host}/ instead of http://{host}/.\n");
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{sentence}",
        sentence.len()
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

async fn head(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
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
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (!value.is_empty() && value.len() <= 255 && value.chars().all(fits)).then(|| value.to_owned())
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
