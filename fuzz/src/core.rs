//! Addresses, and the stream machine on both sides.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use xmpp_core::datetime::DateTime;
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaCondition, StreamCondition};
use xmpp_core::jid::{Address, Jid, JidErrorKind, JidRef, MAX_PART_BYTES};
use xmpp_core::ns;
use xmpp_core::stream::{
    CredentialsAnswer, Encryption, Error, Event, FastConfig, FastToken, FastTokens,
    InitiatorConfig, Misuse, ReceiverConfig, Sasl2, Stream, TaskAnswer, TaskStep, Ticket, TlsInfo,
    TokenUse, UserAgent,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{
    Condition, Credentials, DerivedKeys, Hash, Mechanism, ServerConfig, StoredCredentials,
};
use xmpp_xml::Scratch;

/// An address is canonical once it was read, whichever way it was read.
///
/// # Panics
/// When it is not.
pub fn jid(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = Jid::parse(text);
    match (&parsed, JidRef::parse(text)) {
        (Ok(jid), Ok(borrowed)) => assert!(jid.as_ref() == borrowed && jid.as_str() == text),
        (Ok(jid), Err(error)) => {
            assert!(error.kind() == JidErrorKind::NotCanonical && jid.as_str() != text);
        }
        (Err(_), Ok(borrowed)) => unreachable!("only a reference: {borrowed}"),
        (Err(_), Err(_)) => {}
    }
    let Ok(jid) = parsed else {
        return;
    };
    let borrowed = JidRef::parse(jid.as_str());
    assert!(borrowed == Ok(jid.as_ref()), "{jid} is not canonical");
    let address = Address::parse(Cow::Borrowed(jid.as_str()));
    assert!(matches!(address, Ok(Address::Borrowed(address)) if address == jid.as_ref()));
    let again = Jid::from_parts(jid.local(), jid.domain(), jid.resource());
    assert!(again.as_ref() == Ok(&jid));
    let parts = [jid.local(), Some(jid.domain()), jid.resource()];
    for part in parts.into_iter().flatten() {
        assert!((1..=MAX_PART_BYTES).contains(&part.len()));
    }
    assert!(jid.bare().is_bare() && jid.bare().as_ref() == jid.to_bare_ref());
}

/// The stream machine, attacked in one of seven ways that the first byte chooses: as a receiver and as an
/// initiator, fresh or established, and as a pair between which the network does what the bytes say: by the first
/// profile of SASL, and by the second with tasks and tokens, where the client has a token or a key.
///
/// For a single machine the rest are segments that end with a zero byte. A segment of one capital letter
/// is something that happens (see `Lone::segment`), any other arrives as bytes. For a pair each byte is
/// an operation.
///
/// # Panics
/// When a machine breaks its word.
pub fn stream(data: &[u8]) {
    let Some((way, data)) = data.split_first() else {
        return;
    };
    match way % 7 {
        0 => Lone::new(Side::receiver(Encryption::Required), false).run(data),
        1 => Lone::new(Side::second_initiator(), true).run(data),
        2 => Lone::new(Pair::established().server, true).run(data),
        3 => Lone::new(Pair::established().client, true).run(data),
        4 => drop(Pair::new(Encryption::Required).run(data)),
        5 => fast(ISSUED.clone(), data),
        _ => fast(None, data),
    }
}

/// A client that may have a token logs in by the second profile, disturbed as the bytes say. If nothing was changed on
/// the way, what token it has then is good for the next login.
fn fast(issued: Option<Issued>, data: &[u8]) {
    let Pair {
        client,
        server,
        tampered,
        ..
    } = Pair::fast(issued, 2).run(data);
    if let (Some(token), false) = (client.token, tampered) {
        let mut next = Pair::fast(Some((token, server.tokens)), 3);
        next.negotiate();
        assert!(
            next.client.established && !next.client.refused,
            "a token is void"
        );
    }
}

/// A token, and what the server keeps of it.
type Issued = (FastToken, FastTokens);

static ISSUED: LazyLock<Option<Issued>> = LazyLock::new(|| {
    let mut pair = Pair::fast(None, 1);
    pair.negotiate();
    pair.client.token.map(|token| (token, pair.server.tokens))
});

static KEYS: LazyLock<Option<DerivedKeys>> =
    LazyLock::new(|| DerivedKeys::derive(Hash::Sha256, "pencil", b"sixteen byte salt", 4096).ok());

fn stored() -> Option<StoredCredentials> {
    KEYS.as_ref().map(DerivedKeys::to_stored)
}

/// A machine and what it has done.
struct Side {
    stream: Stream,
    scratch: Scratch,
    now: Instant,
    /// What it sent that was not carried yet.
    sent: Vec<u8>,
    stanzas: Vec<String>,
    tickets: Vec<(Ticket, Question)>,
    /// What the client has, and what the server keeps.
    token: Option<FastToken>,
    tokens: FastTokens,
    /// Whether a token was not taken.
    refused: bool,
    /// Whether a task has to be done before anybody is authenticated with a password.
    demands: bool,
    wants_tls: bool,
    established: bool,
    authenticated: bool,
    end: Option<Event>,
}

impl Side {
    fn initiator(encryption: Encryption) -> Self {
        let config = Self::client().encryption(encryption);
        let entropy = Entropy::from_seed([1; 32]);
        Self::new(Stream::initiator(config, entropy, Instant::ORIGIN))
    }

    /// One that uses the second profile with all that it may do.
    fn second_initiator() -> Self {
        let agent = UserAgent::generate(&mut Entropy::from_seed([8; 32]));
        let sasl2 = Sasl2::new().user_agent(agent).request_token(true);
        let config = Self::client().sasl2(sasl2.task("T").upgrade(true));
        let entropy = Entropy::from_seed([1; 32]);
        Self::new(Stream::initiator(config, entropy, Instant::ORIGIN))
    }

    fn client() -> InitiatorConfig {
        let credentials = match KEYS.clone() {
            Some(keys) => Credentials::keys("juliet", keys),
            None => Credentials::password("juliet", "pencil"),
        };
        let Ok(jid) = Jid::parse("juliet@example.com/balcony") else {
            unreachable!("a valid address");
        };
        InitiatorConfig::new(jid, credentials)
    }

    fn receiver(encryption: Encryption) -> Self {
        Self::receiver_with(encryption, false, 2)
    }

    fn receiver_with(encryption: Encryption, tasks: bool, seed: u8) -> Self {
        let mechanisms = [
            Mechanism::ScramSha256Plus,
            Mechanism::ScramSha256,
            Mechanism::HtSha256Exporter,
            Mechanism::HtSha256Unbound,
        ];
        let sasl = ServerConfig::new([3; 32]).mechanisms(mechanisms);
        let Ok(domain) = Jid::parse("example.com") else {
            unreachable!("a valid address");
        };
        let config = ReceiverConfig::new(domain, sasl)
            .encryption(encryption)
            .sasl2(true)
            .fast(FastConfig::new().rotation(Duration::ZERO))
            .upgrades([Hash::Sha512], 4096)
            .tasks(tasks)
            .client_state(true);
        let entropy = Entropy::from_seed([seed; 32]);
        let mut side = Self::new(Stream::receiver(config, entropy, Instant::ORIGIN));
        side.demands = tasks;
        side
    }

    fn new(stream: Stream) -> Self {
        Self {
            stream,
            scratch: Scratch::new(),
            now: Instant::ORIGIN,
            sent: Vec::new(),
            stanzas: Vec::new(),
            tickets: Vec::new(),
            token: None,
            tokens: FastTokens::default(),
            refused: false,
            demands: false,
            wants_tls: false,
            established: false,
            authenticated: false,
            end: None,
        }
    }

    /// Gives what was not taken because the application has to answer first.
    fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut input = bytes;
        let mut steps = 0;
        loop {
            let stanza = self
                .stream
                .handle_bytes(&mut self.scratch, &mut input, self.now);
            if let Some(stanza) = stanza {
                assert!(
                    self.established,
                    "a stanza before the stream was established"
                );
                self.stanzas.push(stanza.bytes().to_owned());
            }
            self.drain();
            if input.is_empty() || self.stream.is_waiting() {
                return input.to_vec();
            }
            steps += 1;
            assert!(steps <= 2 * bytes.len() + 8, "no step consumes anything");
        }
    }

    fn drain(&mut self) {
        while let Some(event) = self.stream.poll_event() {
            assert!(self.end.is_none(), "{event:?} after the end");
            match event {
                Event::StartTls => self.wants_tls = true,
                Event::Lookup { ticket, .. } => self.ask(ticket, Question::Credentials),
                Event::Tokens { ticket, .. } => self.ask(ticket, Question::Tokens),
                Event::Upgrade { ticket, .. } => self.ask(ticket, Question::Upgrade),
                Event::Task { ticket, step, .. } => self.ask(ticket, Question::Task(step)),
                Event::Token { token } => {
                    assert!(self.authenticated, "a token for nobody");
                    self.token = Some(*token);
                }
                Event::TokenRefused { .. } => (self.refused, self.token) = (true, None),
                Event::Upgraded { credentials, .. } => {
                    assert!(!self.authenticated && credentials.hash() == Hash::Sha512);
                }
                Event::Bind { ticket, jid, .. } => {
                    assert!(self.authenticated, "a resource for nobody");
                    self.ask(ticket, Question::Bind(jid));
                }
                Event::Authenticated { mechanism, .. } => {
                    assert!(!self.demands || mechanism.is_token(), "without its task");
                    self.authenticated = true;
                }
                Event::Established { jid, .. } => {
                    assert!(self.authenticated && jid.is_full());
                    self.established = true;
                }
                Event::ClientState { .. } => {}
                event => self.end = Some(event),
            }
        }
        let before = self.sent.len();
        let mut out = std::mem::take(&mut self.sent);
        self.stream.poll_transmit(&mut out);
        self.sent = out;
        assert!(self.stream.buffered() == 0);
        let fresh = self.sent.get(before..).unwrap_or_default();
        assert!(std::str::from_utf8(fresh).is_ok());
        assert!(self.end.is_some() == self.stream.is_closed());
        if self.stream.is_closed() {
            assert!(self.stream.poll_timeout().is_none());
        }
    }

    fn ask(&mut self, ticket: Ticket, question: Question) {
        self.tickets.push((ticket, question));
    }

    /// Answers the oldest ticket.
    fn answer(&mut self, well: bool) {
        if self.tickets.is_empty() {
            return;
        }
        let (ticket, question) = self.tickets.remove(0);
        let now = self.now;
        let answered = match question {
            Question::Tokens => {
                let Ok(time) = DateTime::from_unix(1_800_000_000, 0) else {
                    unreachable!("a time");
                };
                let answer = match well {
                    true => Ok(&mut self.tokens),
                    false => Err(Condition::TemporaryAuthFailure),
                };
                let changed = self.stream.handle_tokens(ticket, answer, time, now);
                changed.map(|_| ())
            }
            Question::Upgrade => self.stream.handle_upgrade(ticket, well, now),
            Question::Task(step) => {
                let answer = match step {
                    _ if !well => TaskAnswer::Refused(Condition::NotAuthorized),
                    TaskStep::Authenticated => TaskAnswer::Demand {
                        tasks: vec![String::from("T")],
                        text: None,
                    },
                    TaskStep::Demanded { .. } => TaskAnswer::Begin {
                        task: String::from("T"),
                        data: None,
                    },
                    _ if self.demands => {
                        self.demands = false;
                        TaskAnswer::Done
                    }
                    _ => TaskAnswer::Refused(Condition::Aborted),
                };
                self.stream.handle_task(ticket, answer, now)
            }
            Question::Credentials => {
                let answer = match stored().filter(|_| well) {
                    Some(stored) => CredentialsAnswer::Found(stored),
                    None => CredentialsAnswer::Unknown,
                };
                self.stream.handle_credentials(ticket, answer, self.now)
            }
            Question::Bind(jid) if well => self.stream.handle_bind(ticket, Ok(jid), self.now),
            Question::Bind(_) => {
                let error = StanzaCondition::Conflict.into();
                self.stream.handle_bind(ticket, Err(error), self.now)
            }
        };
        assert!(matches!(answered, Ok(()) | Err(Misuse::UnknownTicket)));
        self.drain();
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

    fn secure(&mut self) {
        let info = TlsInfo::new().exporter(Some([5; 32]));
        let done = self.stream.handle_tls(info, self.now);
        assert!(done.is_ok() == std::mem::take(&mut self.wants_tls) || self.end.is_some());
        self.drain();
    }

    fn send(&mut self, body: &str) -> bool {
        let sent = self.stream.send(|writer| {
            writer.start("message", ns::CLIENT);
            writer.start("body", ns::CLIENT).text(body).end().end();
        });
        self.drain();
        sent.is_ok()
    }
}

/// What a ticket asks.
enum Question {
    Credentials,
    Tokens,
    Upgrade,
    Task(TaskStep),
    Bind(Jid),
}

/// One machine whose peer is the fuzzer.
struct Lone {
    side: Side,
    /// Whether the peer may turn out to be genuine: it has a key, or has used one.
    trusted: bool,
    rest: Vec<u8>,
}

impl Lone {
    fn new(side: Side, trusted: bool) -> Self {
        Self {
            side,
            trusted,
            rest: Vec::new(),
        }
    }

    fn run(mut self, data: &[u8]) {
        self.side.drain();
        for segment in data.split(|byte| *byte == 0) {
            self.segment(segment);
            assert!(
                self.trusted || !self.side.authenticated,
                "authenticated without a key"
            );
            if let Some(Event::Failed(error)) = &self.side.end {
                assert!(!error.to_string().is_empty());
            }
        }
        self.side.wait(Duration::from_secs(3600));
        assert!(
            self.side.established || self.side.end.is_some(),
            "negotiated for an hour"
        );
    }

    fn segment(&mut self, segment: &[u8]) {
        let side = &mut self.side;
        match segment {
            b"T" => side.secure(),
            b"A" => side.answer(true),
            b"R" => side.answer(false),
            b"W" => side.wait(Duration::from_secs(7)),
            b"S" => drop(side.send("from us")),
            b"C" => side.stream.close(side.now),
            b"F" => side.stream.fail(StreamCondition::SystemShutdown.into()),
            b"D" => side.stream.handle_disconnected(side.now),
            bytes => {
                self.rest.extend_from_slice(bytes);
                let input = std::mem::take(&mut self.rest);
                self.rest = side.receive(&input);
            }
        }
        side.drain();
    }
}

/// Two machines that speak to each other.
struct Pair {
    client: Side,
    server: Side,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    /// Whether bytes were changed on the way.
    tampered: bool,
    /// Whether the client gave up a stream that was still negotiated. Its closing tag may stand where TLS was
    /// to begin, or cross with the server's success and meet a parser that has begun anew.
    crossed: bool,
    from_client: Vec<String>,
    from_server: Vec<String>,
}

impl Pair {
    fn new(encryption: Encryption) -> Self {
        Self {
            client: Side::initiator(encryption),
            server: Side::receiver(encryption),
            to_client: Vec::new(),
            to_server: Vec::new(),
            tampered: false,
            crossed: false,
            from_client: Vec::new(),
            from_server: Vec::new(),
        }
    }

    fn established() -> Self {
        let mut pair = Self::new(Encryption::None);
        for _ in 0..32 {
            pair.operate(0xf0);
            pair.operate(0xf1);
            pair.operate(2);
        }
        assert!(pair.client.established && pair.server.established);
        pair
    }

    /// By the second profile, with tasks and tokens.
    fn fast(issued: Option<Issued>, seed: u8) -> Self {
        let mut pair = Self::new(Encryption::Required);
        pair.client = Side::second_initiator();
        pair.server = Side::receiver_with(Encryption::Required, true, seed);
        if let Some((mut token, tokens)) = issued {
            let used = pair.client.stream.use_token(&mut token, TokenUse::Login);
            assert!(used.is_ok(), "a client that may use tokens");
            (pair.client.token, pair.server.tokens) = (Some(token), tokens);
        }
        pair
    }

    /// Without anything in the way.
    fn negotiate(&mut self) {
        for _ in 0..16 {
            for operation in [0xf0, 0xf1, 2, 4, 15] {
                self.operate(operation);
            }
        }
    }

    fn run(mut self, data: &[u8]) -> Self {
        for operation in data {
            self.operate(*operation);
            for (sent, side) in [
                (&self.from_client, &self.server),
                (&self.from_server, &self.client),
            ] {
                let expected = sent.get(..side.stanzas.len());
                assert!(
                    self.tampered || expected == Some(&side.stanzas[..]),
                    "lost or twice"
                );
                let blamed = matches!(
                    side.end,
                    Some(Event::Failed(Error::Xml(_) | Error::Violation(_)))
                );
                assert!(self.tampered || self.crossed || !blamed, "{:?}", side.end);
            }
        }
        self
    }

    /// The low four bits say what, the others how much.
    fn operate(&mut self, operation: u8) {
        let amount = usize::from(operation >> 4);
        let count = if amount == 15 {
            usize::MAX
        } else {
            amount * amount + 1
        };
        self.client.drain();
        self.server.drain();
        self.to_server.append(&mut self.client.sent);
        self.to_client.append(&mut self.server.sent);
        // A guard that sends would hide what the operation does.
        #[allow(clippy::collapsible_match)]
        match operation & 15 {
            0 => carry(&mut self.to_server, &mut self.server, count),
            1 => carry(&mut self.to_client, &mut self.client, count),
            2 => {
                self.server.answer(true);
                self.client.drain();
            }
            3 => self.server.answer(amount % 2 == 0),
            4 if self.to_client.is_empty() && self.to_server.is_empty() => {
                if self.client.wants_tls && self.server.wants_tls {
                    self.client.secure();
                    self.server.secure();
                }
            }
            5 => {
                if self.client.send(&format!("client {amount}")) {
                    let body = format!("<message><body>client {amount}</body></message>");
                    self.from_client.push(body);
                }
            }
            6 => {
                if self.server.send(&format!("server {amount}")) {
                    let body = format!("<message><body>server {amount}</body></message>");
                    self.from_server.push(body);
                }
            }
            7 => self.client.wait(Duration::from_secs(amount as u64)),
            8 => self.server.wait(Duration::from_secs(amount as u64)),
            9 => {
                self.crossed |= !self.client.established;
                self.client.stream.close(self.client.now);
            }
            10 => self.server.stream.close(self.server.now),
            11 => {
                for side in [&mut self.client, &mut self.server] {
                    side.stream.handle_disconnected(side.now);
                }
            }
            12 => self.tampered |= change(&mut self.to_client, amount),
            13 => self.tampered |= change(&mut self.to_server, amount),
            14 => self.server.stream.fail(StreamCondition::Conflict.into()),
            _ => self.client.answer(true),
        }
        self.client.drain();
        self.server.drain();
        self.crossed |= self.client.end.is_some() && !self.client.established;
    }
}

fn carry(wire: &mut Vec<u8>, to: &mut Side, count: usize) {
    let rest = wire.split_off(count.min(wire.len()));
    let mut left = to.receive(wire);
    left.extend(rest);
    *wire = left;
}

fn change(wire: &mut [u8], place: usize) -> bool {
    let Some(byte) = wire.iter_mut().rev().nth(place * place) else {
        return false;
    };
    *byte = byte.wrapping_add(1);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One round of a login that nothing disturbs.
    const ROUND: [u8; 5] = [0xf0, 0xf1, 2, 4, 15];

    #[test]
    fn a_login_left_alone_succeeds_with_a_task_and_with_a_token() {
        let issued = ISSUED.clone();
        assert!(issued.is_some(), "with a task, and a token comes along");
        let mut pair = Pair::fast(issued, 2);
        pair.negotiate();
        assert!(pair.client.established && pair.server.established);
        assert!(
            !pair.client.refused && pair.server.demands,
            "without its task"
        );
        assert!(
            pair.server.tokens.newest().is_some(),
            "and the next is there"
        );
    }

    #[test]
    fn an_operation_more_breaks_no_promise() {
        let rounds = ROUND.repeat(9);
        for place in (0..=rounds.len()).step_by(2) {
            let (before, after) = rounds.split_at(place);
            for operation in (0..16).map(|what| what | 0x30) {
                for way in [5, 6] {
                    stream(&[&[way], before, &[operation], after].concat());
                }
            }
        }
    }
}
