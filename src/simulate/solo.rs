//! One pretend device that lives as long as its owner likes, at the pace its owner gives it: what the demo shows. Unlike the fleet
//! it keeps no book, and gives up a turn at the first call that goes wrong.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use tokio::time::timeout;

use super::line::{Line, Target};
use super::tls;
use crate::family::simulator::{Call, Fact, Outcome, Simulator, Trouble, Way};
use crate::model::Timestamp;

/// The device with its connection.
pub struct Solo {
    sim: Box<dyn Simulator>,
    target: Target,
    verifier: Arc<dyn ServerCertVerifier>,
    line: Option<Line>,
    tls: Option<Arc<ClientConfig>>,
    certified: bool,
}

/// Why a turn ended before everything was said.
#[derive(Debug, thiserror::Error)]
pub enum SoloError {
    /// The server does not let the device in: 401 or 403.
    #[error("the server turned the device away with status {0}")]
    TurnedAway(u16),
    /// The server cannot take it just now, or what was said made no sense to it.
    #[error("the server answered {0}")]
    Status(u16),
    /// There is no connection, or it broke.
    #[error("{0}")]
    Line(String),
}

impl Solo {
    /// A device that will call `target`; nothing happens yet.
    pub fn new(sim: Box<dyn Simulator>, target: Target, verifier: Arc<dyn ServerCertVerifier>) -> Self {
        Self { sim, target, verifier, line: None, tls: None, certified: false }
    }

    /// A turn: lets the device's time come to `now`, and has it say and do all that it wants. Gives how many of its messages
    /// the server confirmed.
    ///
    /// # Errors
    /// What kept it from going on; the next turn tries again.
    pub async fn live(&mut self, now: Timestamp) -> Result<u64, SoloError> {
        self.sim.tick(now);
        let mut confirmed = 0;
        for _ in 0..CALLS_MAX {
            let Way::Calls(caller) = self.sim.way() else { return Ok(confirmed) };
            let Some(call) = caller.next(now) else { return Ok(confirmed) };
            let outcome = self.call(&call).await;
            let heard = outcome.as_ref().map_or(&Outcome::Unsent, |outcome| outcome);
            if let Way::Calls(caller) = self.sim.way() {
                caller.heard(now, heard, &mut |fact| note(&fact, &mut confirmed));
            }
            self.take_identity();
            match outcome {
                Ok(Outcome::Answered { status: status @ (401 | 403), .. }) => {
                    return Err(SoloError::TurnedAway(status));
                }
                Ok(Outcome::Answered { status: status @ (429 | 500..), .. }) => {
                    return Err(SoloError::Status(status));
                }
                Ok(Outcome::Answered { status, .. }) => confirmed += u64::from(status == 202),
                Ok(Outcome::Broken | Outcome::Unsent) => {
                    self.line = None;
                    return Err(SoloError::Line("the connection to the server broke".to_owned()));
                }
                Err(error) => return Err(SoloError::Line(error.to_string())),
            }
        }
        Ok(confirmed)
    }

    async fn call(&mut self, call: &Call) -> io::Result<Outcome> {
        if call.trouble == Trouble::Fresh || !self.line.as_ref().is_some_and(Line::is_open) {
            self.line = None;
        }
        let kept = self.line.is_some();
        let outcome = self.once(call).await?;
        // A connection that was kept may have ended between two turns.
        if kept && matches!(outcome, Outcome::Broken | Outcome::Unsent) {
            self.line = None;
            return self.once(call).await;
        }
        Ok(outcome)
    }

    async fn once(&mut self, call: &Call) -> io::Result<Outcome> {
        if self.line.is_none() {
            self.line = Some(self.connect().await?);
        }
        let Some(line) = self.line.as_mut() else { return Ok(Outcome::Unsent) };
        Ok(timeout(ANSWER_WITHIN, line.call(call, &self.target.host)).await.unwrap_or(Outcome::Broken))
    }

    async fn connect(&mut self) -> io::Result<Line> {
        let tls = if let Some(tls) = &self.tls {
            Arc::clone(tls)
        } else {
            let identity = match self.sim.way() {
                Way::Calls(caller) => caller.identity(),
                Way::Talks(_) => None,
            };
            let made = tls::config(&self.verifier, identity).map_err(io::Error::other)?;
            Arc::clone(self.tls.insert(made))
        };
        let opened = Line::open(&self.target, NUMBER, self.target.name.is_some().then_some(tls));
        timeout(CONNECT_WITHIN, opened).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// A certificate that was just given is shown from the next connection on.
    fn take_identity(&mut self) {
        let Way::Calls(caller) = self.sim.way() else { return };
        if !self.certified && caller.identity().is_some() {
            (self.certified, self.tls, self.line) = (true, None, None);
        }
    }
}

fn note(fact: &Fact, confirmed: &mut u64) {
    match fact {
        Fact::Said { confirmed: true, .. } => *confirmed += 1,
        Fact::Odd(sentence) => tracing::debug!("the demo's device met something odd: {sentence}"),
        Fact::Said { .. }
        | Fact::Sure { .. }
        | Fact::Vanished
        | Fact::Got { .. }
        | Fact::Replied { .. }
        | Fact::Shows { .. }
        | Fact::Holds { .. }
        | Fact::File { .. } => {}
    }
}

/// Calls of a turn: a module that is told of a hundred commands carries out the rest in the next turns.
const CALLS_MAX: u32 = 200;
/// Its own address on the loopback, apart from those of a fleet.
const NUMBER: u32 = 0xF_FFF0;
/// A module waits at least 20 s for an answer (`cwm-oke.md §2`).
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::family::Family as _;
    use crate::family::token::{TokenDevices, TokenSettings};
    use crate::simulate::pinned;

    async fn answered(listener: &TcpListener, status: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            assert!(stream.read_buf(&mut request).await.unwrap() > 0);
        }
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }

    #[tokio::test]
    async fn a_turn_says_one_value_and_tells_what_became_of_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = Target { addr: listener.local_addr().unwrap(), name: None, host: "here".to_owned() };
        let sim = TokenDevices::new(TokenSettings::default()).demonstration().unwrap();
        let mut solo = Solo::new(sim, target, pinned(Vec::new()));
        let now = Timestamp::from_micros(0);
        let (lived, request) = tokio::join!(solo.live(now), answered(&listener, "202 Accepted"));
        assert_eq!(lived.unwrap(), 1);
        assert!(request.ends_with("{\"data\":50}"), "{request}");
        let (lived, _) = tokio::join!(solo.live(now), answered(&listener, "401 Unauthorized"));
        assert!(matches!(lived, Err(SoloError::TurnedAway(401))), "{lived:?}");
        drop(listener);
        assert!(matches!(solo.live(now).await, Err(SoloError::Line(_))));
    }
}
