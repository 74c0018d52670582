//! The yardsticks of microcontrollers: tungstenite, and Tornado where Python has it, that only take messages in. What they
//! take is kept nowhere.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use futures_util::StreamExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// Tungstenite, one task a connection.
#[derive(clap::Args)]
pub(crate) struct Sink {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:0")]
    at: SocketAddr,
}

impl Sink {
    pub(crate) fn run(&self) {
        crate::runtime().block_on(accept(self.at));
    }
}

async fn accept(at: SocketAddr) {
    let listener = TcpListener::bind(at).await.expect("a port");
    println!("ws://{}", listener.local_addr().expect("an address"));
    loop {
        if let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(swallow(socket));
        }
    }
}

async fn swallow(mut socket: TcpStream) {
    socket.set_nodelay(true).ok();
    // Boards all have one key, so that there is one answer; they wait for it before they go on.
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.unwrap_or_default() == 0 {
            return;
        }
    }
    if socket.write_all(ANSWER).await.is_err() {
        return;
    }
    let mut board = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    let mut bytes = 0;
    while let Some(Ok(message)) = board.next().await {
        bytes += message.len();
    }
    std::hint::black_box(bytes);
}

/// A program for Python that does the same by Tornado, which the original server was written with. `None` when it is not
/// there.
pub(crate) fn tornado(folder: &Path) -> Option<Command> {
    let python = ["/usr/bin/python3", "python3"].into_iter().find(|python| {
        let asked = Command::new(python).args(["-c", "import tornado"]).output();
        asked.is_ok_and(|asked| asked.status.success())
    })?;
    let file = folder.join("sink.py");
    std::fs::write(&file, TORNADO).ok()?;
    let mut command = Command::new(python);
    command.arg(file);
    Some(command)
}

const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: DdLWT/1JcX+nQFHebYP+rqEx5xI=\r\n\r\n";
const TORNADO: &str = r#"
import tornado.httpserver, tornado.ioloop, tornado.netutil, tornado.web, tornado.websocket

class Board(tornado.websocket.WebSocketHandler):
    taken = 0

    def on_message(self, message):
        Board.taken += len(message)

(socket,) = tornado.netutil.bind_sockets(0, "127.0.0.1")
server = tornado.httpserver.HTTPServer(tornado.web.Application([("/ws", Board)]))
server.add_socket(socket)
print("ws://127.0.0.1:%d" % socket.getsockname()[1], flush=True)
tornado.ioloop.IOLoop.current().start()
"#;
