//! Stream management: two endpoints whose stanzas are counted, one endpoint against a hostile peer, and saved
//! sessions.

use std::sync::LazyLock;
use std::time::Duration;

use xmpp_core::entropy::Entropy;
use xmpp_core::error::StreamCondition;
use xmpp_core::jid::Jid;
use xmpp_core::stream::{
    CredentialsAnswer, Encryption, Event, InitiatorConfig, ManagedSession, ManagementConfig,
    ReceiverConfig, Resumption, Stream, Ticket,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{Credentials, DerivedKeys, Hash, Mechanism, ServerConfig};
use xmpp_xml::Scratch;

/// Stream management, attacked in one of four ways that the first byte chooses: a client and a server between
/// which the network does what the other bytes say (see `Model::operate`), an established client and an
/// established server that the bytes are given to, and the bytes as a saved session.
///
/// # Panics
/// When a stanza is lost, repeated or reordered, or a machine breaks its word.
pub fn management(data: &[u8]) {
    let Some((way, data)) = data.split_first() else {
        return;
    };
    match way % 4 {
        0 => Model::new().run(data),
        1 => lone(Model::new().client, data),
        2 => lone(Model::new().server, data),
        _ => saved(data),
    }
}

/// A session is saved as it was restored.
fn saved(data: &[u8]) {
    let Ok(mut session) = ManagedSession::from_bytes(data, &config()) else {
        return;
    };
    assert!(session.to_bytes() == data);
    let waiting: usize = session.unacknowledged().map(|stanza| stanza.len()).sum();
    assert!(waiting <= data.len());
    assert!(session.sent() >= session.acknowledged());
    if session.send(b"<message/>").is_ok() {
        assert!(
            session
                .unacknowledged()
                .last()
                .is_some_and(|stanza| *stanza == *b"<message/>")
        );
    }
}

/// A peer says anything; what counts are its own stanzas, and what waits keeps to its limits.
fn lone(mut side: Side, data: &[u8]) {
    let before = side.stream.session().map_or(0, ManagedSession::handled);
    for segment in data.split(|byte| *byte == 0) {
        let _ = side.stream.send_bytes(b"<message/>");
        side.receive(segment);
        if let Some(session) = side.stream.session() {
            assert!(session.unacknowledged().count() <= QUEUE as usize);
            assert!(session.handled() - before >= side.stanzas.len() as u64);
        }
    }
    side.wait(Duration::from_secs(3_600));
    let session = side.stream.take_session();
    assert!(side.is_over == session.is_some());
}

/// How many stanzas may wait.
const QUEUE: u32 = 24;

fn config() -> ManagementConfig {
    ManagementConfig::new()
        .request_after(3)
        .queue_stanzas(QUEUE)
}

static KEYS: LazyLock<Option<DerivedKeys>> =
    LazyLock::new(|| DerivedKeys::derive(Hash::Sha256, "pencil", b"sixteen byte salt", 4096).ok());

/// A machine and the application around it.
struct Side {
    stream: Stream,
    scratch: Scratch,
    now: Instant,
    /// What it has said that is not on a wire yet.
    said: Vec<u8>,
    stanzas: Vec<Vec<u8>>,
    /// Sessions that can be asked for.
    sessions: Vec<ManagedSession>,
    wanted: Option<Ticket>,
    is_managed: bool,
    is_over: bool,
}

impl Side {
    fn client() -> Self {
        let (Some(keys), Ok(jid)) = (KEYS.clone(), Jid::parse("juliet@example.com/balcony")) else {
            unreachable!("a valid address and keys");
        };
        let config = InitiatorConfig::new(jid, Credentials::keys("juliet", keys))
            .encryption(Encryption::None)
            .management(config());
        Self::new(Stream::initiator(
            config,
            Entropy::from_seed([1; 32]),
            Instant::ORIGIN,
        ))
    }

    fn server() -> Self {
        let Ok(domain) = Jid::parse("example.com") else {
            unreachable!("a valid address");
        };
        let sasl = ServerConfig::new([3; 32]).mechanisms([Mechanism::ScramSha256]);
        let config = ReceiverConfig::new(domain, sasl)
            .encryption(Encryption::None)
            .management(config());
        Self::new(Stream::receiver(
            config,
            Entropy::from_seed([2; 32]),
            Instant::ORIGIN,
        ))
    }

    fn new(stream: Stream) -> Self {
        Self {
            stream,
            scratch: Scratch::new(),
            now: Instant::ORIGIN,
            said: Vec::new(),
            stanzas: Vec::new(),
            sessions: Vec::new(),
            wanted: None,
            is_managed: false,
            is_over: false,
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut input = bytes;
        loop {
            let stanza = self
                .stream
                .handle_bytes(&mut self.scratch, &mut input, self.now);
            if let Some(stanza) = stanza {
                self.stanzas.push(stanza.bytes().as_bytes().to_vec());
            }
            self.drain();
            if input.is_empty() {
                return;
            }
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.stream.poll_event() {
            assert!(!self.is_over, "{event:?} after the end");
            match event {
                Event::Lookup { ticket, .. } => {
                    let stored = KEYS.as_ref().map(DerivedKeys::to_stored);
                    let answer =
                        stored.map_or(CredentialsAnswer::Unknown, CredentialsAnswer::Found);
                    let answered = self.stream.handle_credentials(ticket, answer, self.now);
                    assert!(answered.is_ok());
                }
                Event::Bind { ticket, jid, .. } => {
                    assert!(self.stream.handle_bind(ticket, Ok(jid), self.now).is_ok());
                }
                Event::Resume { ticket, .. } => self.wanted = Some(ticket),
                Event::Managed { .. } => self.is_managed = true,
                Event::Established { resumed, .. } => self.is_managed |= resumed,
                Event::Closed { .. } | Event::Failed(_) => self.is_over = true,
                _ => {}
            }
        }
        if let Some(ticket) = self.wanted.take_if(|_| !self.sessions.is_empty()) {
            let answer = Resumption::Found(self.sessions.remove(0));
            assert!(self.stream.handle_resume(ticket, answer, self.now).is_ok());
            return self.drain();
        }
        let mut out = std::mem::take(&mut self.said);
        self.stream.poll_transmit(&mut out);
        self.said = out;
    }

    fn wait(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(timeout) = self
            .stream
            .poll_timeout()
            .filter(|timeout| *timeout <= until)
        {
            self.now = self.now.max(timeout);
            self.stream.handle_timeout(self.now);
            self.drain();
            let next = self.stream.poll_timeout();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a timeout that does not pass"
            );
        }
        self.now = until;
    }

    fn lose(&mut self) -> Option<ManagedSession> {
        self.stream.handle_disconnected(self.now);
        self.drain();
        self.stream.take_session()
    }
}

/// Two endpoints, and every stanza that one of them has sent.
struct Model {
    client: Side,
    server: Side,
    /// A stream of the server's whose connection is dead, which it does not know.
    stale: Option<Side>,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    from_client: Vec<Vec<u8>>,
    from_server: Vec<Vec<u8>>,
    at_client: usize,
    at_server: usize,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            client: Side::client(),
            server: Side::server(),
            stale: None,
            to_client: Vec::new(),
            to_server: Vec::new(),
            from_client: Vec::new(),
            from_server: Vec::new(),
            at_client: 0,
            at_server: 0,
        };
        model.settle();
        assert!(model.client.is_managed && model.server.is_managed);
        model
    }

    fn run(mut self, data: &[u8]) {
        for operation in data.iter().take(512) {
            self.operate(*operation);
        }
        if self.client.is_over || self.server.is_over {
            self.lose(true, false);
        }
        self.settle();
        assert!(self.client.stream.is_established() && self.server.stream.is_established());
        assert!(
            self.at_server == self.from_client.len(),
            "lost on the way to the server"
        );
        assert!(
            self.at_client == self.from_server.len(),
            "lost on the way to the client"
        );
    }

    /// The low three bits say what, the others how much.
    fn operate(&mut self, operation: u8) {
        let amount = usize::from(operation >> 3);
        match operation & 7 {
            0 => self.carry(true, amount * amount + 1),
            1 => self.carry(false, amount * amount + 1),
            2 => {
                let stanza = format!("<message id='c{}'/>", self.from_client.len()).into_bytes();
                if self.client.stream.send_bytes(&stanza).is_ok() {
                    self.from_client.push(stanza);
                }
            }
            3 => {
                let stanza = format!("<message id='s{}'/>", self.from_server.len()).into_bytes();
                let sent = match (&mut self.stale, self.server.sessions.first_mut()) {
                    (Some(stale), _) => stale.stream.send_bytes(&stanza),
                    (None, Some(session)) => session.send(&stanza),
                    (None, None) => self.server.stream.send_bytes(&stanza),
                };
                if sent.is_ok() {
                    self.from_server.push(stanza);
                }
            }
            4 => self.lose(true, amount % 2 == 0),
            5 => self.lose(false, amount % 2 == 0),
            6 => self.client.wait(Duration::from_secs(amount as u64)),
            _ => self.server.wait(Duration::from_secs(amount as u64)),
        }
        if self.client.is_over || self.server.is_over {
            self.lose(true, false);
        }
        self.gather();
    }

    /// Puts on the wires what was said, and checks off what was handed out.
    fn gather(&mut self) {
        for (side, wire, sent, at) in [
            (
                &mut self.client,
                &mut self.to_server,
                &self.from_server,
                &mut self.at_client,
            ),
            (
                &mut self.server,
                &mut self.to_client,
                &self.from_client,
                &mut self.at_server,
            ),
        ] {
            side.drain();
            wire.append(&mut side.said);
            for stanza in side.stanzas.drain(..) {
                assert!(
                    sent.get(*at) == Some(&stanza),
                    "lost, repeated or reordered"
                );
                *at += 1;
            }
        }
    }

    fn carry(&mut self, to_server: bool, count: usize) {
        self.gather();
        let (wire, side) = if to_server {
            (&mut self.to_server, &mut self.server)
        } else {
            (&mut self.to_client, &mut self.client)
        };
        let bytes: Vec<u8> = wire.drain(..count.min(wire.len())).collect();
        side.receive(&bytes);
        if side.wanted.is_some()
            && let Some(mut stale) = self.stale.take()
        {
            stale.stream.fail(StreamCondition::Conflict.into());
            side.sessions.extend(stale.stream.take_session());
            side.drain();
        }
    }

    /// The connection is gone, and a new one begins. Unless both sides notice, the server does so only when
    /// it is asked for the session.
    fn lose(&mut self, both: bool, restart: bool) {
        self.gather();
        let Some(mut session) = self.client.lose() else {
            unreachable!("the client has lost its session");
        };
        let mut known = std::mem::take(&mut self.server.sessions);
        if self.stale.is_none() && known.is_empty() {
            if both || !self.server.stream.is_established() {
                known.extend(self.server.lose());
            } else {
                self.stale = Some(std::mem::replace(&mut self.server, Side::server()));
            }
        }
        if restart {
            for session in known.iter_mut().chain([&mut session]) {
                match ManagedSession::from_bytes(&session.to_bytes(), &config()) {
                    Ok(restored) => *session = restored,
                    Err(error) => unreachable!("{error}"),
                }
            }
        }
        let (client_now, server_now) = (self.client.now, self.server.now);
        (self.client, self.server) = (Side::client(), Side::server());
        self.client.wait(client_now - Instant::ORIGIN);
        self.server.wait(server_now - Instant::ORIGIN);
        if self.client.is_over || self.server.is_over {
            (self.client, self.server) = (Side::client(), Side::server());
        }
        assert!(
            self.client.stream.resume(session).is_ok(),
            "it cannot be resumed"
        );
        self.server.sessions = known;
        (self.to_client, self.to_server) = (Vec::new(), Vec::new());
    }

    /// Lets everything arrive.
    fn settle(&mut self) {
        for _ in 0..32 {
            self.gather();
            self.carry(true, usize::MAX);
            self.carry(false, usize::MAX);
        }
    }
}
