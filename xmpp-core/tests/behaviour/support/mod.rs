//! Streams without sockets: one machine that is spoken to by hand, and two that speak to each other, in
//! virtual time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use xmpp_core::datetime::DateTime;
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaError, StreamCondition};
use xmpp_core::jid::Jid;
use xmpp_core::stream::{
    BearerToken, ComponentSecret, CredentialsAnswer, Encryption, Error, Event, FastTokens,
    InitiatorConfig, ManagedSession, ReceiverConfig, Resumption, Stream, TaskAnswer, TlsInfo,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{
    BearerError, Credentials, DerivedKeys, Hash, Mechanism, Policy, ServerConfig, StoredCredentials,
};
use xmpp_xml::Scratch;

pub const PASSWORD: &str = "r0m30myr0m30";
pub const HEADER: &str = "<stream:stream to='example.com' version='1.0' xmlns='jabber:client' \
                          xmlns:stream='http://etherx.jabber.org/streams'>";
/// The response of a server, with an id.
pub const RESPONSE: &str = "<?xml version='1.0'?><stream:stream from='example.com' id='s1' version='1.0' \
     xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

static KEYS: LazyLock<DerivedKeys> = LazyLock::new(|| {
    DerivedKeys::derive(Hash::Sha256, PASSWORD, b"sixteen byte salt", 4096).unwrap()
});
static STORED: LazyLock<StoredCredentials> = LazyLock::new(|| KEYS.to_stored());

/// What the server has for the account `juliet`.
pub fn stored() -> StoredCredentials {
    STORED.clone()
}

pub fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// A client that has its keys already: no derivation in every test.
pub fn client_config() -> InitiatorConfig {
    let credentials = Credentials::keys("juliet", KEYS.clone());
    InitiatorConfig::new(jid("juliet@example.com/balcony"), credentials)
}

pub fn password_config(user: &str, password: &str) -> InitiatorConfig {
    InitiatorConfig::new(
        jid("juliet@example.com/balcony"),
        Credentials::password(user, password),
    )
}

pub fn server_config() -> ReceiverConfig {
    let mechanisms = [Mechanism::ScramSha256Plus, Mechanism::ScramSha256];
    let sasl = ServerConfig::new([9; 32])
        .mechanisms(mechanisms)
        .unknown_users(4096, 17);
    ReceiverConfig::new(jid("example.com"), sasl)
}

pub fn plain_policy() -> Policy {
    Policy::default()
        .mechanisms([Mechanism::Plain])
        .allow_plain(true)
}

pub fn plain_server() -> ReceiverConfig {
    let sasl = ServerConfig::new([9; 32]).mechanisms([Mechanism::Plain]);
    ReceiverConfig::new(jid("example.com"), sasl)
}

/// A server that takes bearer tokens: [`PASSWORD`] is that of `juliet`.
pub fn bearer_server() -> ReceiverConfig {
    let sasl = ServerConfig::new([9; 32]).mechanisms([Mechanism::OAuthBearer]);
    ReceiverConfig::new(jid("example.com"), sasl)
}

pub fn seconds(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

/// What an application keeps for those who log in with tokens.
pub type Tokens = HashMap<(String, String), FastTokens>;

/// What the application answers when a resource is to be bound.
pub type Binder = fn(Jid) -> Result<Jid, StanzaError>;

/// One machine and an application around it.
pub struct Side {
    pub stream: Stream,
    pub scratch: Scratch,
    pub now: Instant,
    pub events: Vec<Event>,
    /// What was handed out, as it came.
    pub stanzas: Vec<String>,
    /// Everything that it sent.
    pub said: String,
    /// The same, as it was given away: over WebSocket one message each.
    pub messages: Vec<String>,
    pub wants_tls: bool,
    /// Whether tickets are answered at once.
    pub answers: bool,
    pub binder: Binder,
    /// The sessions that the application keeps, to be resumed.
    pub sessions: Vec<ManagedSession>,
    /// The tokens that it keeps, by account and client.
    pub tokens: Tokens,
    /// What it answers when a login takes a task, one after the other.
    pub tasks: VecDeque<TaskAnswer>,
    /// What the clock on its wall shows.
    pub time: DateTime,
    /// Input that was not taken while a ticket was open.
    rest: Vec<u8>,
}

impl Side {
    pub fn new(stream: Stream) -> Self {
        Self {
            stream,
            scratch: Scratch::new(),
            now: Instant::ORIGIN,
            events: Vec::new(),
            stanzas: Vec::new(),
            said: String::new(),
            messages: Vec::new(),
            wants_tls: false,
            answers: true,
            binder: Ok,
            sessions: Vec::new(),
            tokens: Tokens::new(),
            tasks: VecDeque::new(),
            time: DateTime::from_unix(1_800_000_000, 0).unwrap(),
            rest: Vec::new(),
        }
    }

    pub fn client(config: InitiatorConfig) -> Self {
        Self::new(Stream::initiator(
            config,
            Entropy::from_seed([1; 32]),
            Instant::ORIGIN,
        ))
    }

    pub fn server(config: ReceiverConfig) -> Self {
        Self::new(Stream::receiver(
            config,
            Entropy::from_seed([2; 32]),
            Instant::ORIGIN,
        ))
    }

    /// A server that has done TLS and got the header after it.
    pub fn secured_server(config: ReceiverConfig) -> Self {
        let mut side = Self::server(config.encryption(Encryption::Direct));
        side.secure();
        side.hear(HEADER);
        side
    }

    /// A client that has done TLS and got that list of features.
    pub fn secured_client(config: InitiatorConfig, features: &str) -> Self {
        let mut side = Self::client(config.encryption(Encryption::Direct));
        side.secure();
        side.hear(RESPONSE);
        side.hear(&format!("<stream:features>{features}</stream:features>"));
        side
    }

    /// A server whose peer is established as `juliet@example.com/balcony`.
    pub fn established_server(config: ReceiverConfig) -> Self {
        let mut pair = Pair::new(client_config(), config);
        pair.run();
        assert!(
            pair.server.stream.is_established(),
            "{:?}",
            pair.server.events
        );
        pair.server.events.clear();
        pair.server.said.clear();
        pair.server
    }

    /// A client that is established as `juliet@example.com/balcony`.
    pub fn established_client(config: InitiatorConfig) -> Self {
        let mut pair = Pair::new(config, server_config());
        pair.run();
        assert!(
            pair.client.stream.is_established(),
            "{:?}",
            pair.client.events
        );
        pair.client.events.clear();
        pair.client.said.clear();
        pair.client
    }

    /// The transport has done its handshake.
    pub fn secure(&mut self) {
        self.wants_tls = false;
        self.stream
            .handle_tls(TlsInfo::new().exporter(Some([5; 32])), self.now)
            .unwrap();
        self.drain();
    }

    /// Text arrives; gives what the machine says to it.
    pub fn hear(&mut self, text: &str) -> String {
        self.hear_bytes(text.as_bytes())
    }

    pub fn hear_bytes(&mut self, bytes: &[u8]) -> String {
        let before = self.said.len();
        let mut bytes = [std::mem::take(&mut self.rest), bytes.to_vec()].concat();
        let mut input = &bytes[..];
        loop {
            let stanza = self
                .stream
                .handle_bytes(&mut self.scratch, &mut input, self.now);
            if let Some(stanza) = stanza {
                self.stanzas.push(stanza.bytes().to_owned());
            }
            self.drain();
            if input.is_empty() || (self.stream.is_waiting() && !self.answers) {
                break;
            }
        }
        let left = bytes.len() - input.len();
        self.rest = bytes.split_off(left);
        self.said[before..].to_owned()
    }

    /// Events and output, until there is nothing more.
    pub fn drain(&mut self) {
        loop {
            let mut out = Vec::new();
            let sent = self.stream.poll_transmit(&mut out);
            assert_eq!(sent, !out.is_empty());
            let text = String::from_utf8(out).unwrap();
            self.said.push_str(&text);
            self.messages.extend(Some(text).filter(|_| sent));
            let Some(event) = self.stream.poll_event() else {
                if sent {
                    continue;
                }
                return;
            };
            match event {
                Event::StartTls => self.wants_tls = true,
                Event::Lookup {
                    ticket,
                    ref account,
                    ..
                } if self.answers => {
                    let answer = if account.as_str() == "juliet@example.com" {
                        CredentialsAnswer::Found(stored())
                    } else {
                        CredentialsAnswer::Unknown
                    };
                    self.stream
                        .handle_credentials(ticket, answer, self.now)
                        .unwrap();
                }
                Event::Task { ticket, .. } if !self.tasks.is_empty() => {
                    let answer = self.tasks.pop_front().unwrap();
                    self.stream.handle_task(ticket, answer, self.now).unwrap();
                }
                Event::Upgrade { ticket, hash, .. } if self.answers => {
                    let is_wanted = hash != Hash::Sha256;
                    self.stream
                        .handle_upgrade(ticket, is_wanted, self.now)
                        .unwrap();
                }
                Event::Tokens {
                    ticket,
                    ref account,
                    ref client,
                    ..
                } if self.answers => {
                    let key = (account.to_string(), client.to_string());
                    let mut tokens = self.tokens.get(&key).cloned().unwrap_or_default();
                    let answer = Ok(&mut tokens);
                    let has_changed = self
                        .stream
                        .handle_tokens(ticket, answer, self.time, self.now);
                    if has_changed.unwrap() {
                        self.tokens.insert(key, tokens);
                    }
                }
                Event::Certificate {
                    ticket,
                    ref account,
                } if self.answers => {
                    let is_known = account.as_str() == "juliet@example.com";
                    self.stream
                        .handle_certificate(ticket, is_known, self.now)
                        .unwrap();
                }
                Event::Bearer {
                    ticket, ref token, ..
                } if self.answers => {
                    let token = token.as_ref().map(BearerToken::as_str);
                    let answer = match token {
                        Some(PASSWORD) => Ok(jid("juliet@example.com")),
                        _ => Err(BearerError::invalid_token()),
                    };
                    self.stream.handle_bearer(ticket, answer, self.now).unwrap();
                }
                Event::Bind {
                    ticket, ref jid, ..
                } if self.answers => {
                    let answer = (self.binder)(jid.clone());
                    self.events.push(event);
                    self.stream.handle_bind(ticket, answer, self.now).unwrap();
                    continue;
                }
                Event::Component { ticket, ref domain } if self.answers => {
                    let answer = match domain.as_str() {
                        "plays.example.com" => Ok(ComponentSecret::new(PASSWORD)),
                        "taken.example.com" => Err(StreamCondition::Conflict),
                        _ => Err(StreamCondition::HostUnknown),
                    };
                    self.events.push(event);
                    self.stream
                        .handle_component(ticket, answer, self.now)
                        .unwrap();
                    continue;
                }
                Event::Resume { ticket, ref id, .. } if self.answers => {
                    let known = self.sessions.iter();
                    let mut known = known.map(|session| session.id() == Some(&**id));
                    let answer = match known.position(|is_known| is_known) {
                        Some(index) => Resumption::Found(self.sessions.remove(index)),
                        None => Resumption::Unknown,
                    };
                    self.events.push(event);
                    self.stream.handle_resume(ticket, answer, self.now).unwrap();
                    continue;
                }
                _ => {}
            }
            self.events.push(event);
        }
    }

    /// Time passes, with every timeout on the way.
    pub fn wait(&mut self, duration: Duration) -> String {
        let before = self.said.len();
        let until = self.now + duration;
        while let Some(timeout) = self
            .stream
            .poll_timeout()
            .filter(|timeout| *timeout <= until)
        {
            self.now = self.now.max(timeout);
            self.stream.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
        self.said[before..].to_owned()
    }

    /// Why it failed.
    #[track_caller]
    pub fn failure(&self) -> &Error {
        match self.events.last() {
            Some(Event::Failed(error)) => error,
            other => panic!("it did not fail: {other:?}"),
        }
    }

    /// The stream error that ended it, told to the peer.
    #[track_caller]
    pub fn violation(&self) -> StreamCondition {
        let told = self
            .failure()
            .told()
            .unwrap_or_else(|| panic!("{:?}", self.failure()));
        let element = format!(
            "<{} xmlns='urn:ietf:params:xml:ns:xmpp-streams'",
            told.condition
        );
        assert!(self.said.contains(&element), "{}", self.said);
        assert!(self.said.ends_with("</stream:stream>"), "{}", self.said);
        told.condition
    }

    pub fn is_over(&self) -> bool {
        matches!(
            self.events.last(),
            Some(Event::Failed(_) | Event::Closed { .. })
        )
    }
}

/// A client and a server with a network between them.
pub struct Pair {
    pub client: Side,
    pub server: Side,
    /// How many bytes the network delivers at once.
    pub chunk: usize,
    /// After how many bytes, both ways, the network is cut.
    pub cut: Option<usize>,
    pub carried: usize,
    seen: (usize, usize),
}

impl Pair {
    pub fn new(client: InitiatorConfig, server: ReceiverConfig) -> Self {
        let (client, server) = (Side::client(client), Side::server(server));
        Self {
            client,
            server,
            chunk: usize::MAX,
            cut: None,
            carried: 0,
            seen: (0, 0),
        }
    }

    /// Until nobody has anything to say.
    pub fn run(&mut self) {
        self.client.drain();
        self.server.drain();
        loop {
            let mut moved = false;
            for to_server in [true, false] {
                moved |= self.carry(to_server);
                if self.cut.is_some_and(|cut| self.carried >= cut) {
                    for side in [&mut self.client, &mut self.server] {
                        side.stream.handle_disconnected(side.now);
                        side.drain();
                    }
                    return;
                }
            }
            let caught_up = self.seen == (self.client.said.len(), self.server.said.len());
            if self.client.wants_tls && self.server.wants_tls && caught_up {
                self.client.secure();
                self.server.secure();
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    /// One piece each way, and TLS if it is due.
    pub fn step(&mut self) {
        self.carry(true);
        self.carry(false);
        let caught_up = self.seen == (self.client.said.len(), self.server.said.len());
        if self.client.wants_tls && self.server.wants_tls && caught_up {
            self.client.secure();
            self.server.secure();
        }
    }

    fn carry(&mut self, to_server: bool) -> bool {
        let (from, to, seen) = if to_server {
            (&mut self.client, &mut self.server, &mut self.seen.0)
        } else {
            (&mut self.server, &mut self.client, &mut self.seen.1)
        };
        from.drain();
        let room = self.cut.map_or(usize::MAX, |cut| cut - self.carried);
        let fresh = &from.said.as_bytes()[*seen..];
        let count = fresh.len().min(self.chunk).min(room);
        if count == 0 {
            return false;
        }
        let bytes = fresh[..count].to_vec();
        *seen += count;
        self.carried += count;
        to.hear_bytes(&bytes);
        true
    }
}

pub fn arc(config: ReceiverConfig) -> Arc<ReceiverConfig> {
    Arc::new(config)
}
