//! A server on the loopback, and clients that drive the stream machine over plain sockets.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use xmpp_core::entropy::Entropy;
use xmpp_core::stream::{
    Encryption, Error, Event, FastToken, InitiatorConfig, ManagedSession, ManagementConfig, Stream,
    TlsInfo,
};
use xmpp_core::time::Instant;
use xmpp_sasl::Credentials;
use xmpp_server::storage::{Memory, Store};
use xmpp_server::{Server, ServerConfig};
use xmpp_xml::{Element, Scratch};

pub const DOMAIN: &str = "example.com";
/// The least that clients accept; more would only make the tests slow.
pub const ITERATIONS: u32 = 4096;

pub struct Running {
    pub server: Server,
    pub address: SocketAddr,
}

pub fn config() -> ServerConfig {
    ServerConfig::new(DOMAIN)
        .unwrap()
        .plain_text_without_tls()
        .iterations(ITERATIONS)
}

/// A server with an empty store and these accounts; each name is its own password.
pub async fn server(users: &[&str]) -> Running {
    server_with(config(), Arc::new(Memory::new()), users).await
}

pub async fn server_with(config: ServerConfig, store: Arc<dyn Store>, users: &[&str]) -> Running {
    let server = Server::start(config, store).await.unwrap();
    for user in users {
        server.accounts().create(user, user).await.unwrap();
    }
    let address = server.listen("127.0.0.1:0").await.unwrap();
    Running { server, address }
}

impl Running {
    /// Logs in: `juliet/balcony`.
    pub async fn client(&self, address: &str) -> Client {
        Client::login(self.address, address).await.unwrap()
    }

    /// Logs in and sends initial presence after asking for the roster, as ordinary clients do.
    pub async fn available(&self, address: &str) -> Client {
        let mut client = self.client(address).await;
        client
            .send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq><presence/>")
            .await;
        client.sync().await;
        client
    }

    pub async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

/// Makes the two contacts of each other, both with subscription `both`, and drops what they were told.
pub async fn befriend(one: &mut Client, other: &mut Client) {
    for (from, to) in [(0, 1), (1, 0)] {
        let clients = [&mut *one, &mut *other];
        let addresses = clients.map(|client| client.bare());
        let clients = [&mut *one, &mut *other];
        clients[from]
            .send(&format!(
                "<presence type='subscribe' to='{}'/>",
                addresses[to]
            ))
            .await;
        clients[from].sync().await;
        clients[to]
            .send(&format!(
                "<presence type='subscribed' to='{}'/>",
                addresses[from]
            ))
            .await;
        clients[to].sync().await;
    }
    one.sync().await;
    other.sync().await;
}

pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub struct Client {
    pub stream: Stream,
    pub io: Box<dyn Io>,
    scratch: Scratch,
    inbox: VecDeque<Element>,
    pub failed: Option<Error>,
    pub closed: bool,
    /// Whether the session of an earlier stream goes on.
    pub resumed: bool,
    /// The token that the server has issued last.
    pub token: Option<FastToken>,
    /// Whether the server did not take a token.
    pub refused: bool,
    syncs: u32,
    heard: Vec<u8>,
}

pub fn now() -> Instant {
    Instant::ORIGIN
}

impl Client {
    pub async fn login(server: SocketAddr, address: &str) -> Result<Self, Error> {
        let user = address.split('/').next().unwrap();
        Self::login_as(server, address, user).await
    }

    pub async fn login_as(
        server: SocketAddr,
        address: &str,
        password: &str,
    ) -> Result<Self, Error> {
        let io = Box::new(TcpStream::connect(server).await.unwrap());
        let (user, resource) = address
            .split_once('/')
            .map_or((address, None), |(u, r)| (u, Some(r)));
        let mut jid = format!("{user}@{DOMAIN}");
        if let Some(resource) = resource {
            jid = format!("{jid}/{resource}");
        }
        let config =
            InitiatorConfig::new(jid.parse().unwrap(), Credentials::password(user, password))
                .encryption(Encryption::None)
                .lang("en");
        Self::negotiate(io, config).await
    }

    pub async fn negotiate(io: Box<dyn Io>, config: InitiatorConfig) -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        Self::drive(
            io,
            Stream::initiator(config, Entropy::from_seed(seed), now()),
        )
        .await
    }

    /// Negotiates over a connection on which TLS is there already.
    pub async fn negotiate_tls(
        io: Box<dyn Io>,
        config: InitiatorConfig,
        exporter: Option<[u8; 32]>,
    ) -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let mut stream = Stream::initiator(config, Entropy::from_seed(seed), now());
        stream
            .handle_tls(TlsInfo::new().exporter(exporter), now())
            .unwrap();
        Self::drive(io, stream).await
    }

    /// Logs in with stream management: with a new session, or with one of before, which is resumed if it still is
    /// there.
    pub async fn managed(
        io: Box<dyn Io>,
        address: &str,
        session: Option<ManagedSession>,
    ) -> Result<Self, Error> {
        let (user, resource) = address.split_once('/').unwrap();
        let jid = format!("{user}@{DOMAIN}/{resource}").parse().unwrap();
        let config = InitiatorConfig::new(jid, Credentials::password(user, user))
            .encryption(Encryption::None)
            .lang("en")
            .management(ManagementConfig::new());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let mut stream = Stream::initiator(config, Entropy::from_seed(seed), now());
        if let Some(session) = session {
            stream.resume(session).unwrap();
        }
        let mut client = Self::drive(io, stream).await?;
        while client
            .stream
            .session()
            .is_none_or(|session| session.id().is_none())
        {
            client.turn().await;
        }
        Ok(client)
    }

    /// Loses the connection without a word, and gives what is left.
    pub fn lose(mut self) -> ManagedSession {
        self.stream.handle_disconnected(now());
        self.stream.take_session().unwrap()
    }

    pub async fn drive(io: Box<dyn Io>, stream: Stream) -> Result<Self, Error> {
        let mut client = Self {
            stream,
            io,
            scratch: Scratch::new(),
            inbox: VecDeque::new(),
            failed: None,
            closed: false,
            resumed: false,
            token: None,
            refused: false,
            syncs: 0,
            heard: Vec::new(),
        };
        client.flush().await;
        while !client.stream.is_established() {
            client.turn().await;
            if let Some(error) = client.failed.take() {
                return Err(error);
            }
        }
        Ok(client)
    }

    /// What the server said until the stream was established.
    pub fn heard(&self) -> String {
        String::from_utf8(self.heard.clone()).unwrap()
    }

    pub fn jid(&self) -> String {
        self.stream.jid().unwrap().to_string()
    }

    pub fn bare(&self) -> String {
        self.stream.jid().unwrap().bare().to_string()
    }

    pub async fn send(&mut self, stanzas: &str) {
        self.stream.send_bytes(stanzas.as_bytes()).unwrap();
        self.flush().await;
    }

    pub async fn flush(&mut self) {
        let mut out = Vec::new();
        if self.stream.poll_transmit(&mut out) {
            // The server may have hung up; reading will tell.
            let _ = self.io.write_all(&out).await;
            let _ = self.io.flush().await;
        }
    }

    /// Reads once and handles it.
    pub async fn turn(&mut self) {
        let mut bytes = [0; 8192];
        let read = tokio::time::timeout(Duration::from_secs(20), self.io.read(&mut bytes));
        let count = read.await.expect("the server says nothing").unwrap_or(0);
        if count == 0 {
            self.stream.handle_disconnected(now());
        }
        if !self.stream.is_established() {
            self.heard.extend_from_slice(&bytes[..count]);
        }
        let mut input = &bytes[..count];
        loop {
            if let Some(stanza) = self
                .stream
                .handle_bytes(&mut self.scratch, &mut input, now())
            {
                self.inbox.push_back(stanza.to_element());
            }
            while let Some(event) = self.stream.poll_event() {
                match event {
                    Event::Failed(error) => self.failed = Some(error),
                    Event::Closed { .. } => self.closed = true,
                    Event::Established { resumed, .. } => self.resumed = resumed,
                    Event::Token { token } => self.token = Some(*token),
                    Event::TokenRefused { .. } => self.refused = true,
                    _ => {}
                }
            }
            if input.is_empty() || self.stream.is_closed() {
                break;
            }
        }
        self.flush().await;
    }

    /// The next stanza.
    pub async fn next(&mut self) -> Element {
        loop {
            if let Some(stanza) = self.inbox.pop_front() {
                return stanza;
            }
            assert!(
                self.failed.is_none(),
                "the stream has failed: {:?}",
                self.failed
            );
            assert!(!self.closed, "the stream was closed");
            self.turn().await;
        }
    }

    /// What has come before the answer to a ping that is sent now: everything that the server had for this client.
    pub async fn sync(&mut self) -> Vec<Element> {
        self.syncs += 1;
        let id = format!("sync-{}", self.syncs);
        self.send(&format!(
            "<iq type='get' id='{id}' to='{DOMAIN}'><ping xmlns='urn:xmpp:ping'/></iq>"
        ))
        .await;
        let mut before = Vec::new();
        loop {
            let stanza = self.next().await;
            if stanza.root().attribute("id").as_deref() == Some(id.as_str()) {
                return before;
            }
            before.push(stanza);
        }
    }

    /// Sends an IQ without its envelope's id and waits for the answer, dropping what comes before.
    pub async fn ask(&mut self, kind: &str, to: Option<&str>, payload: &str) -> Element {
        self.syncs += 1;
        let id = format!("ask-{}", self.syncs);
        let to = to.map_or(String::new(), |to| format!(" to='{to}'"));
        self.send(&format!("<iq type='{kind}' id='{id}'{to}>{payload}</iq>"))
            .await;
        loop {
            let stanza = self.next().await;
            if stanza.root().attribute("id").as_deref() == Some(id.as_str()) {
                return stanza;
            }
        }
    }

    /// What has come and was not asked for yet.
    pub fn taken(&mut self) -> Vec<Element> {
        self.inbox.drain(..).collect()
    }

    /// The next stanza, or nothing if the connection has ended.
    pub async fn answer(&mut self) -> Option<Element> {
        while self.inbox.is_empty() && !self.stream.is_closed() {
            self.turn().await;
        }
        self.inbox.pop_front()
    }

    /// Reads until the stream has ended and gives the condition of the stream error, if there was one.
    pub async fn ended(&mut self) -> Option<String> {
        while !self.stream.is_closed() {
            self.turn().await;
        }
        match self.failed.take() {
            Some(Error::Refused(error)) => Some(error.condition.to_string()),
            _ => None,
        }
    }
}

/// The condition of an error stanza.
pub fn condition(stanza: &Element) -> String {
    let root = stanza.root();
    assert_eq!(root.attribute("type").as_deref(), Some("error"), "{stanza}");
    xmpp_core::error::StanzaError::of(root)
        .condition
        .to_string()
}

/// Prints stanzas, for comparing.
pub fn texts(stanzas: &[Element]) -> Vec<String> {
    stanzas.iter().map(ToString::to_string).collect()
}

pub fn attribute(stanza: &Element, name: &str) -> Option<String> {
    stanza
        .root()
        .attribute(name)
        .map(|value| value.into_owned())
}

/// Kind and type of each stanza, such as `presence:subscribe`.
pub fn kinds(stanzas: &[Element]) -> Vec<String> {
    stanzas
        .iter()
        .map(|stanza| {
            let root = stanza.root();
            match root.attribute("type") {
                Some(kind) => format!("{}:{kind}", root.name()),
                None => root.name().to_owned(),
            }
        })
        .collect()
}

/// Sends bytes and reads until the server hangs up or is silent for a while.
pub async fn converse(io: &mut TcpStream, bytes: &[u8]) -> String {
    // The server may hang up in the middle of it.
    let _ = io.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(count)) =
        tokio::time::timeout(Duration::from_secs(2), io.read(&mut buffer)).await
    {
        if count == 0 {
            break;
        }
        answer.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(answer).unwrap()
}

pub const HEADER: &str = "<stream:stream xmlns='jabber:client' \
    xmlns:stream='http://etherx.jabber.org/streams' to='example.com' version='1.0'>";
