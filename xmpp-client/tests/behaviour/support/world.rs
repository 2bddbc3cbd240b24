//! A server in memory, whose connections are cut as a seed says, in virtual time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::sync::Notify;
use tokio::time::Instant as Clock;
use xmpp_client::{Backoff, Config, Dial};
use xmpp_core::datetime::DateTime;
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{
    CredentialsAnswer, Encryption, Event, FastConfig, FastTokens, ManagedSession, ManagementConfig,
    ReceiverConfig, Resumption, Stream, TlsInfo,
};
use xmpp_core::time::Instant;
use xmpp_net::{Connection, NetError};
use xmpp_sasl::{Hash, Mechanism, ServerConfig, StoredCredentials};
use xmpp_xml::{Element, Scratch};

use super::PASSWORD;

/// What the test and the server share.
pub struct World {
    state: Mutex<WorldState>,
    clock: Clock,
    orders: Notify,
    credentials: StoredCredentials,
}

pub struct WorldState {
    pub random: Entropy,
    /// Up to how many bytes a connection carries before it is cut; `None` cuts none.
    pub carries: Option<u64>,
    /// How many of a hundred sessions the server has given up when they are asked for, though it knows its count.
    pub expires: u64,
    /// Whether it manages streams.
    pub manages: bool,
    /// Whether it answers anything on connections that stand.
    pub is_mute: bool,
    /// Whether it leaves requests without an answer.
    pub answers_nothing: bool,
    /// Whether it can be reached.
    pub is_down: bool,
    /// Whether it refuses the password.
    pub refuses: bool,
    pub cuts: usize,
    pub connections: Vec<Clock>,
    pub mechanisms: Vec<Mechanism>,
    pub resumed: usize,
    /// What came in.
    pub received: Vec<Element>,
    sessions: Vec<ManagedSession>,
    /// Sessions that were given up, with what they had handled.
    expired: Vec<(String, u64)>,
    pub tokens: FastTokens,
    /// What is to be sent on the connection that stands.
    outgoing: Vec<String>,
    /// Commands to the connection that stands.
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug)]
pub enum Command {
    Cut,
    Close,
    Conflict,
}

impl WorldState {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.random.number() % limit.max(1)
    }
}

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let credentials =
            StoredCredentials::derive(Hash::Sha256, PASSWORD, b"0123456789abcdef", 4096).unwrap();
        Arc::new(Self {
            state: Mutex::new(WorldState {
                random: Entropy::from_seed(bytes),
                carries: None,
                expires: 0,
                manages: true,
                is_mute: false,
                answers_nothing: false,
                is_down: false,
                refuses: false,
                cuts: 0,
                connections: Vec::new(),
                mechanisms: Vec::new(),
                resumed: 0,
                received: Vec::new(),
                sessions: Vec::new(),
                expired: Vec::new(),
                tokens: FastTokens::default(),
                outgoing: Vec::new(),
                command: None,
            }),
            clock: Clock::now(),
            orders: Notify::new(),
            credentials,
        })
    }

    pub fn state(&self) -> MutexGuard<'_, WorldState> {
        self.state.lock().unwrap()
    }

    /// A client of this world, which comes back within a second or so.
    pub fn config(self: &Arc<Self>) -> Config {
        let backoff = Backoff::new()
            .first(Duration::from_secs(1))
            .cap(Duration::from_secs(8));
        Config::new("juliet@example.org".parse().unwrap(), PASSWORD)
            .dial(Arc::new(Way(Arc::clone(self))))
            .reconnect(Some(backoff))
            .seed(self.state().random.bytes())
    }

    pub fn send(&self, stanza: impl Into<String>) {
        self.state().outgoing.push(stanza.into());
        self.orders.notify_one();
    }

    pub fn command(&self, command: Command) {
        self.state().command = Some(command);
        self.orders.notify_one();
    }

    /// Waits, in virtual time, until that holds.
    pub async fn until(&self, mut done: impl FnMut(&WorldState) -> bool) {
        for _ in 0..1_000_000 {
            if done(&self.state()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("it never comes to that");
    }

    /// The ids of the messages that came in.
    pub fn ids(&self) -> Vec<String> {
        let id = |element: &Element| Some(element.root().attribute("id")?.into_owned());
        let state = self.state();
        let messages = state
            .received
            .iter()
            .filter(|element| element.root().name() == "message");
        messages.filter_map(id).collect()
    }

    fn now(&self) -> Instant {
        Instant::from_origin(self.clock.elapsed())
    }

    async fn serve(self: Arc<Self>, mut io: DuplexStream) {
        let sasl = ServerConfig::new([7; 32])
            .unknown_users(4096, 16)
            .mechanisms([Mechanism::ScramSha256, Mechanism::HtSha256Unbound]);
        let mut config = ReceiverConfig::new("example.org".parse().unwrap(), sasl)
            .encryption(Encryption::Direct)
            .sasl2(true)
            .fast(FastConfig::new());
        let seed = {
            let mut state = self.state();
            if state.manages {
                let management = ManagementConfig::new().queue_stanzas(100_000);
                config = config.management(management.queue_bytes(1 << 30));
            }
            state.random.bytes()
        };
        let mut stream = Stream::receiver(config, Entropy::from_seed(seed), self.now());
        stream.handle_tls(TlsInfo::new(), self.now()).unwrap();
        let mut scratch = Scratch::new();
        let mut buffer = vec![0; 512];
        let mut out = Vec::new();
        loop {
            let mut over = false;
            while let Some(event) = stream.poll_event() {
                self.handle(event, &mut stream, &mut over);
            }
            if stream.is_established() {
                let (outgoing, command) = {
                    let mut state = self.state();
                    (std::mem::take(&mut state.outgoing), state.command.take())
                };
                for stanza in outgoing {
                    stream.send_bytes(stanza.as_bytes()).unwrap();
                }
                match command {
                    Some(Command::Cut) => stream.handle_disconnected(self.now()),
                    Some(Command::Close) => stream.close(self.now()),
                    Some(Command::Conflict) => {
                        stream.fail(xmpp_core::error::StreamCondition::Conflict.into());
                    }
                    None => {}
                }
                if command.is_some() {
                    continue;
                }
            }
            out.clear();
            stream.poll_transmit(&mut out);
            let is_mute = self.state().is_mute;
            if !is_mute && io.write_all(&out).await.is_err() {
                stream.handle_disconnected(self.now());
                over = true;
            }
            if over {
                if let Some(session) = stream.take_session().filter(ManagedSession::is_resumable) {
                    self.state().sessions.push(session);
                }
                return;
            }
            let due = stream.poll_timeout().map(|due| due.since_origin());
            let sleep = async {
                match due {
                    Some(due) => tokio::time::sleep_until(self.clock + due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = io.read(&mut buffer) => {
                    let count = read.unwrap_or(0);
                    if count == 0 {
                        stream.handle_disconnected(self.now());
                    }
                    let mut input = &buffer[..count];
                    while !input.is_empty() && !stream.is_closed() {
                        if let Some(stanza) = stream.handle_bytes(&mut scratch, &mut input, self.now()) {
                            let stanza = stanza.to_element();
                            let mut state = self.state();
                            if !state.answers_nothing {
                                answer_ping(&stanza, &mut state.outgoing);
                            }
                            state.received.push(stanza);
                        }
                        let mut over = false;
                        while let Some(event) = stream.poll_event() {
                            self.handle(event, &mut stream, &mut over);
                        }
                        if over {
                            if let Some(session) = stream.take_session().filter(ManagedSession::is_resumable) {
                                self.state().sessions.push(session);
                            }
                            out.clear();
                            stream.poll_transmit(&mut out);
                            let _ = io.write_all(&out).await;
                            return;
                        }
                    }
                }
                () = sleep => stream.handle_timeout(self.now()),
                () = self.orders.notified(), if stream.is_established() => {}
            }
        }
    }

    fn handle(&self, event: Event, stream: &mut Stream, over: &mut bool) {
        let now = self.now();
        match event {
            Event::Lookup { ticket, .. } => {
                let answer = if self.state().refuses {
                    CredentialsAnswer::Unknown
                } else {
                    CredentialsAnswer::Found(self.credentials.clone())
                };
                stream.handle_credentials(ticket, answer, now).unwrap();
            }
            Event::Tokens { ticket, .. } => {
                let mut tokens = self.state().tokens.clone();
                let time: DateTime = "2026-12-01T12:00:00Z".parse().unwrap();
                stream
                    .handle_tokens(ticket, Ok(&mut tokens), time, now)
                    .unwrap();
                self.state().tokens = tokens;
            }
            Event::Authenticated { mechanism, .. } => self.state().mechanisms.push(mechanism),
            Event::Bind { ticket, jid, .. } => stream.handle_bind(ticket, Ok(jid), now).unwrap(),
            Event::Resume { ticket, id, .. } => {
                let mut state = self.state();
                let is_it = |session: &ManagedSession| session.id() == Some(&*id);
                let answer = match state.sessions.iter().position(is_it) {
                    Some(index) => {
                        let session = state.sessions.remove(index);
                        if state.below(100) < state.expires {
                            let handled = session.handled();
                            state.expired.push((id.to_string(), handled));
                            Resumption::Expired { handled }
                        } else {
                            state.resumed += 1;
                            Resumption::Found(session)
                        }
                    }
                    // Whoever asks has noticed the loss; so has this server, since its end of the pipe is gone.
                    None => {
                        let known = state.expired.iter().find(|(known, _)| **known == *id);
                        let handled = known.expect("a session was lost").1;
                        Resumption::Expired { handled }
                    }
                };
                drop(state);
                stream.handle_resume(ticket, answer, now).unwrap();
            }
            Event::Closed { .. } | Event::Failed(_) => *over = true,
            _ => {}
        }
    }
}

fn answer_ping(stanza: &Element, outgoing: &mut Vec<String>) {
    let root = stanza.root();
    if root.name() == "iq" && root.attribute("type").as_deref() == Some("get") {
        let id = root.attribute("id").unwrap();
        outgoing.push(format!("<iq type='result' id='{id}' from='example.org'/>"));
    }
}

/// How clients get into the world.
pub struct Way(Arc<World>);

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Way")
    }
}

impl Dial for Way {
    fn dial(&self) -> Pin<Box<dyn Future<Output = Result<Connection, NetError>> + Send + '_>> {
        let world = Arc::clone(&self.0);
        Box::pin(async move {
            let address = SocketAddr::from(([127, 0, 0, 1], 5222));
            let mut state = world.state();
            state.connections.push(Clock::now());
            if state.is_down {
                return Err(NetError::Refused { address });
            }
            let (near, far) = tokio::io::duplex(1_024);
            let carries = state.carries;
            let left = carries.map(|most| [state.below(most), state.below(most)]);
            drop(state);
            tokio::spawn(Arc::clone(&world).serve(far));
            let pipe = Pipe {
                io: Some(near),
                left,
                reader: None,
                world,
            };
            Ok(Connection::from_io(pipe, address))
        })
    }
}

/// The client's end of a connection. When it is cut, what was on its way is lost, though it was written well.
struct Pipe {
    io: Option<DuplexStream>,
    /// How many bytes it still carries, in and out.
    left: Option<[u64; 2]>,
    reader: Option<Waker>,
    world: Arc<World>,
}

impl Pipe {
    fn cut(&mut self) {
        if self.io.take().is_some() {
            self.world.state().cuts += 1;
        }
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = match self.left {
            Some([0, _]) => {
                self.cut();
                0
            }
            Some([left, _]) => left,
            None => u64::MAX,
        };
        self.reader = Some(cx.waker().clone());
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        };
        let mut part = buffer.take(usize::try_from(room).unwrap_or(usize::MAX));
        match Pin::new(io).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {
                let count = part.filled().len();
                // What was read through the part stands in the buffer.
                buffer.advance(count);
                if let Some([left, _]) = &mut self.left {
                    *left -= count as u64;
                }
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let room = self.left.map_or(u64::MAX, |[_, left]| left);
        let part = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if part == 0 {
            // The system takes what will never arrive.
            self.cut();
            return Poll::Ready(Ok(bytes.len()));
        }
        let Some(io) = &mut self.io else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        match Pin::new(io).poll_write(cx, &bytes[..part]) {
            Poll::Ready(Ok(count)) => {
                if let Some([_, left]) = &mut self.left {
                    *left -= count as u64;
                }
                Poll::Ready(Ok(count))
            }
            other => other,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io = None;
        Poll::Ready(Ok(()))
    }
}
