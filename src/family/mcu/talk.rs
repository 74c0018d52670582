//! One board's connection: frames in, commands out (`websocket-mcu.md §3, §6, §10`).
//!
//! Nothing is sent before the board's first message was taken, for its first read could swallow it (§2). No pings are
//! sent, since no pong would come.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_util::sync::CancellationToken;

use super::Mcu;
use super::boards::{Fault, Link};
use super::intake::{self, Taken};
use super::session::{Limits, Pace, Session};
use crate::core::{Acknowledgement, Hub, HubError, Terms};
use crate::http::Wire;

/// A talk with whoever is at the other end.
pub(super) struct Talking {
    mcu: Arc<Mcu>,
    hub: Hub,
    link: Arc<Link>,
    session: Session,
    socket: WebSocketStream<Box<dyn Wire>>,
    refused: bool,
}

/// Why a talk ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the board closed it")]
    Closed,
    #[error("it broke off: {0}")]
    Broken(Box<Error>),
    #[error("nothing was heard for too long (`mcu.silent_s`)")]
    Silent,
    #[error("messages come too fast (`mcu.messages_per_second_max`)")]
    Flood,
    #[error("a message is over {0} bytes (`mcu.message_bytes_max`)")]
    TooLarge(usize),
    #[error("the board is not known to call from here without a key (`mcu.known`)")]
    Unproven,
    #[error("a message could not be stored: {0}")]
    Unstored(HubError),
    #[error("the server stops")]
    Stop,
}

impl End {
    /// In a word, for the board's history.
    const fn word(&self) -> &'static str {
        match self {
            Self::Closed => "closed by the board",
            Self::Broken(_) => "broken off",
            Self::Silent => "silent for too long",
            Self::Flood => "too many messages",
            Self::TooLarge(_) => "too large a message",
            Self::Unproven => "no key",
            Self::Unstored(_) => "a message could not be stored",
            Self::Stop => "closed by the server",
        }
    }
}

/// What happens next on a connection.
enum Next {
    Came(Option<Result<Message, Error>>),
    Woken,
    Silent,
    Stop,
}

impl Talking {
    /// Begins on a connection that has just become a WebSocket.
    pub(super) async fn new(mcu: Arc<Mcu>, hub: Hub, link: Arc<Link>, wire: Box<dyn Wire>) -> Self {
        let most = mcu.settings.message_bytes_max;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(most))
            .max_frame_size(Some(most))
            .accept_unmasked_frames(true);
        let limits =
            Limits { per_second: mcu.settings.messages_per_second_max, silence: mcu.settings.silence() };
        let session = Session::new(limits, hub.now());
        let socket = WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await;
        Self { mcu, hub, link, session, socket, refused: false }
    }

    /// Talks until either side ends it.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        tracing::debug!(peer = %self.link.peer, "a board's connection is open");
        let end = loop {
            if let Err(end) = self.turn(&stop).await {
                break end;
            }
        };
        Box::pin(self.part(end)).await;
    }

    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), End> {
        let patience = self.session.patience(self.hub.now());
        let next = tokio::select! {
            came = self.socket.next() => Next::Came(came),
            () = self.link.wake.notified() => Next::Woken,
            () = tokio::time::sleep(patience) => Next::Silent,
            () = stop.cancelled() => Next::Stop,
        };
        match next {
            // Boxed, because most connections rest and need not hold what messages need.
            Next::Came(Some(Ok(message))) => Box::pin(self.messages(message)).await,
            Next::Came(end) => Err(ended(end)),
            Next::Woken => Box::pin(self.deliver_all()).await,
            // The clock of the server may have been set meanwhile.
            Next::Silent if self.session.patience(self.hub.now()).is_zero() => Err(End::Silent),
            Next::Silent => Ok(()),
            Next::Stop => Err(End::Stop),
        }
    }

    /// Takes a message and those that are here behind it, which go to the store together.
    async fn messages(&mut self, first: Message) -> Result<(), End> {
        let (came, then) = self.gather(first).await;
        // Who is about to go gets no command: it waits for the board's next connection.
        let goes = then.is_some() || came.last().is_some_and(Message::is_close);
        let before = self.session.boards().last().copied();
        let (mut raws, mut dropped, mut flood) = (Vec::with_capacity(came.len()), 0, false);
        for message in came {
            match self.session.comes(self.hub.now()) {
                Pace::Take => raws.push(content(message)),
                Pace::Drop => dropped += 1,
                Pace::End => (dropped, flood) = (dropped + 1, true),
            }
        }
        let taken = intake::take(&self.mcu, &self.hub, &self.link, &raws, before).await;
        let mut waits = Vec::new();
        for taken in taken.map_err(End::Unstored)? {
            waits.extend(self.note(taken)?);
        }
        if let Some(board) = self.session.boards().last() {
            for _ in 0..dropped {
                self.mcu.boards.notice(*board, Fault::TooFast, self.hub.now());
            }
        }
        // The newest message of a board knows best whether something waits for it.
        let mut seen: Vec<u32> = Vec::new();
        for (board, pending) in waits.into_iter().rev() {
            if !seen.contains(&board) {
                seen.push(board);
                if pending && !goes && !flood {
                    self.deliver(board).await?;
                }
            }
        }
        match then {
            _ if flood => Err(End::Flood),
            Some(end) => Err(end),
            None => Ok(()),
        }
    }

    /// Messages that have come already, `first` in front; and the end, if that has come, too. Behind a ping or a close
    /// frame nothing is read yet, because tungstenite answers it then: the answer is to say that all before it is stored.
    async fn gather(&mut self, first: Message) -> (Vec<Message>, Option<End>) {
        let mut came = vec![first];
        while came.len() < TOGETHER_MAX && came.last().is_some_and(|last| !last.is_ping() && !last.is_close())
        {
            let next = poll_fn(|cx| Poll::Ready(self.socket.poll_next_unpin(cx))).await;
            match next {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(message))) => came.push(message),
                Poll::Ready(end) => return (came, Some(ended(end))),
            }
        }
        (came, None)
    }

    /// Takes note of what became of a message. Gives the board it is of, and whether something waits for that.
    fn note(&mut self, taken: Taken) -> Result<Option<(u32, bool)>, End> {
        match taken {
            Taken::Stored { board, pending } => {
                self.session.speaks_for(board);
                Ok(Some((board, pending)))
            }
            Taken::Passed(board) => {
                self.session.speaks_for(board);
                // Only a look tells whether something waits.
                Ok(Some((board, true)))
            }
            Taken::Refused if !self.link.proven => Err(End::Unproven),
            Taken::Refused => {
                if !std::mem::replace(&mut self.refused, true) {
                    tracing::info!(peer = %self.link.peer, "messages of a board that is not let in are dropped");
                }
                Ok(None)
            }
            Taken::Unread | Taken::Empty => Ok(None),
        }
    }

    /// Sends what waits for the boards whose newest connection this is.
    async fn deliver_all(&mut self) -> Result<(), End> {
        for board in self.session.boards().to_vec() {
            self.deliver(board).await?;
        }
        Ok(())
    }

    async fn deliver(&mut self, board: u32) -> Result<(), End> {
        let address = board.to_string();
        // Nothing is heard of a command again (§5): it counts as sent once it is on its way.
        let terms = Terms { last: Acknowledgement::Taken, hold: None, attempts_max: 1 };
        while self.mcu.boards.is_on(board, &self.link) {
            let asked = self.hub.lease_on(&self.mcu.name, &address, terms, &self.link.peer_text).await;
            let pulled = match asked {
                Ok(pulled) => pulled,
                Err(error) => {
                    // The board's next message tells that it still waits.
                    tracing::warn!(board, %error, "a command could not be taken from the queue");
                    return Ok(());
                }
            };
            let Some(lease) = pulled.lease else { return Ok(()) };
            let sent = match Utf8Bytes::try_from(lease.bytes) {
                Ok(text) => self.socket.send(Message::Text(text)).await,
                Err(_) => Err(Error::Utf8("a command is no text".to_owned())),
            };
            if let Err(error) = sent {
                let reason = format!("it did not leave: {error}");
                if let Err(error) = self.hub.hand_back(&lease.id, &reason).await {
                    tracing::warn!(board, %error, "a command that did not leave is taken for sent");
                }
                return Err(End::Broken(Box::new(error)));
            }
            if !pulled.more {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Says why, where the other end may understand it, and lets go.
    async fn part(mut self, end: End) {
        let peer = self.link.peer;
        self.mcu.boards.ended(&self.link, self.session.boards(), end.word(), self.hub.now());
        let code = match &end {
            End::Closed | End::Broken(_) => None,
            End::Silent | End::Stop => Some(CloseCode::Away),
            End::Flood | End::Unproven => Some(CloseCode::Policy),
            End::TooLarge(_) => Some(CloseCode::Size),
            End::Unstored(_) => Some(CloseCode::Again),
        };
        match &end {
            // What boards do every day: a power cut, a walk out of reach, a new connection instead.
            End::Closed | End::Broken(_) | End::Silent | End::Stop => {
                tracing::debug!(%peer, "a connection ended: {end}");
            }
            End::Flood | End::TooLarge(_) | End::Unproven => {
                tracing::info!(%peer, "a connection was ended: {end}");
            }
            End::Unstored(_) => tracing::warn!(%peer, "a connection was ended: {end}"),
        }
        let Some(code) = code else { return };
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
        let goodbye = async {
            if self.socket.close(Some(frame)).await.is_ok() {
                // With bytes unread the system would cut the connection before the goodbye is read.
                let mut rest = [0; 1024];
                while self.socket.get_mut().read(&mut rest).await.is_ok_and(|read| read > 0) {}
            }
        };
        // Whether it is heard is no matter.
        drop(timeout(GOODBYE_WITHIN, goodbye).await);
    }
}

/// How a connection ended that gave no message.
fn ended(came: Option<Result<Message, Error>>) -> End {
    match came {
        Some(Err(Error::Capacity(CapacityError::MessageTooLong { max_size, .. }))) => End::TooLarge(max_size),
        Some(Err(error)) => End::Broken(Box::new(error)),
        Some(Ok(_)) | None => End::Closed,
    }
}

/// What a message says. tungstenite answers the other kinds itself; they are a sign of life, and cost as much as a message.
fn content(message: Message) -> Bytes {
    match message {
        Message::Text(text) => text.into(),
        Message::Binary(bytes) => bytes,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => Bytes::new(),
    }
}

/// So many messages of a connection share a wait for the disk: more than its buffer holds of usual ones.
const TOGETHER_MAX: usize = 64;
/// A message has about twenty bytes; the rest of a large one is read in turns.
const READ_BUFFER_BYTES: usize = 1024;
const WRITE_BUFFER_BYTES: usize = 4096;
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);
