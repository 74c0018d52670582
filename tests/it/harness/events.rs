//! A stream of server-sent events, read as it comes.

use std::io;

use serde_json::Value;

use super::{Answer, Client};

/// One event; a comment has none of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Event {
    /// Its `id`.
    pub(crate) id: String,
    /// Its name; empty where only a place was told.
    pub(crate) name: String,
    /// Its `data` as JSON; `null` without.
    pub(crate) data: Value,
}

/// An open stream.
pub(crate) struct Events {
    client: Client,
    /// The answer that it began with.
    pub(crate) answer: Answer,
    /// What is left of the chunk that is being read.
    left: usize,
}

impl Events {
    /// Asks for a stream. `from` is where to go on.
    pub(crate) fn open(mut client: Client, token: &str, query: &str, from: Option<&str>) -> Self {
        let from = from.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /api/v1/stream{query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{from}\r\n"
        );
        client.write(request.as_bytes()).unwrap();
        let answer = client.read_head().unwrap();
        Self { client, answer, left: 0 }
    }

    /// The next event, or what only tells a place; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Event>> {
        let mut event = Event::default();
        loop {
            let Some(line) = self.line()? else { return Ok(None) };
            match line.split_once(": ") {
                _ if line.is_empty() => return Ok(Some(event)),
                Some(("id", id)) => id.clone_into(&mut event.id),
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                Some(("retry" | "", _)) => {}
                _ => panic!("what is {line:?}?"),
            }
        }
    }

    /// The next event with a name.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Event {
        // A sign of life comes after 15 s of silence.
        for _ in 0..4 {
            let event = self.next().unwrap().expect("the stream goes on");
            if !event.name.is_empty() {
                return event;
            }
        }
        panic!("nothing is told");
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        loop {
            if self.left == 0 && !self.chunk()? {
                return Ok(None);
            }
            let mut byte = [0];
            self.client.read_exact(&mut byte)?;
            self.left -= 1;
            if self.left == 0 {
                self.client.read_exact(&mut [0; 2])?;
            }
            if byte == *b"\n" {
                return Ok(Some(String::from_utf8(line).unwrap()));
            }
            line.push(byte[0]);
        }
    }

    /// Begins the next chunk; says whether there is one.
    fn chunk(&mut self) -> io::Result<bool> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n") {
            let mut byte = [0];
            self.client.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let size = usize::from_str_radix(String::from_utf8_lossy(&head).trim(), 16);
        self.left = size.map_err(io::Error::other)?;
        Ok(self.left > 0)
    }
}
