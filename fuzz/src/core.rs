//! Addresses, and the stream machine on both sides.

use std::borrow::Cow;
use std::sync::LazyLock;
use std::time::Duration;

use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaCondition, StreamCondition};
use xmpp_core::jid::{Address, Jid, JidErrorKind, JidRef, MAX_PART_BYTES};
use xmpp_core::ns;
use xmpp_core::stream::{
    CredentialsAnswer, Encryption, Error, Event, InitiatorConfig, Misuse, ReceiverConfig, Stream,
    Ticket, TlsInfo,
};
use xmpp_core::time::Instant;
use xmpp_sasl::{Credentials, DerivedKeys, Hash, Mechanism, ServerConfig, StoredCredentials};
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

/// The stream machine, attacked in one of five ways that the first byte chooses: as a receiver and as an
/// initiator, fresh or established, and as a pair between which the network does what the bytes say.
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
    match way % 5 {
        0 => Lone::new(Side::receiver(Encryption::Required), false).run(data),
        1 => Lone::new(Side::initiator(Encryption::Required), true).run(data),
        2 => Lone::new(Pair::established().server, true).run(data),
        3 => Lone::new(Pair::established().client, true).run(data),
        _ => Pair::new(Encryption::Required).run(data),
    }
}

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
    tickets: Vec<(Ticket, Option<Jid>)>,
    wants_tls: bool,
    established: bool,
    authenticated: bool,
    end: Option<Event>,
}

impl Side {
    fn initiator(encryption: Encryption) -> Self {
        let credentials = match KEYS.clone() {
            Some(keys) => Credentials::keys("juliet", keys),
            None => Credentials::password("juliet", "pencil"),
        };
        let Ok(jid) = Jid::parse("juliet@example.com/balcony") else {
            unreachable!("a valid address");
        };
        let config = InitiatorConfig::new(jid, credentials).encryption(encryption);
        let entropy = Entropy::from_seed([1; 32]);
        Self::new(Stream::initiator(config, entropy, Instant::ORIGIN))
    }

    fn receiver(encryption: Encryption) -> Self {
        let mechanisms = [Mechanism::ScramSha256Plus, Mechanism::ScramSha256];
        let sasl = ServerConfig::new([3; 32]).mechanisms(mechanisms);
        let Ok(domain) = Jid::parse("example.com") else {
            unreachable!("a valid address");
        };
        let config = ReceiverConfig::new(domain, sasl)
            .encryption(encryption)
            .sasl2(true)
            .client_state(true);
        let entropy = Entropy::from_seed([2; 32]);
        Self::new(Stream::receiver(config, entropy, Instant::ORIGIN))
    }

    fn new(stream: Stream) -> Self {
        Self {
            stream,
            scratch: Scratch::new(),
            now: Instant::ORIGIN,
            sent: Vec::new(),
            stanzas: Vec::new(),
            tickets: Vec::new(),
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
                Event::Lookup { ticket, .. } => self.tickets.push((ticket, None)),
                Event::Bind { ticket, jid, .. } => {
                    assert!(self.authenticated, "a resource for nobody");
                    self.tickets.push((ticket, Some(jid)));
                }
                Event::Authenticated { .. } => self.authenticated = true,
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

    /// Answers the oldest ticket.
    fn answer(&mut self, well: bool) {
        if self.tickets.is_empty() {
            return;
        }
        let (ticket, jid) = self.tickets.remove(0);
        let answered = match jid {
            None => {
                let answer = match stored().filter(|_| well) {
                    Some(stored) => CredentialsAnswer::Found(stored),
                    None => CredentialsAnswer::Unknown,
                };
                self.stream.handle_credentials(ticket, answer, self.now)
            }
            Some(jid) if well => self.stream.handle_bind(ticket, Ok(jid), self.now),
            Some(_) => {
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

    fn run(mut self, data: &[u8]) {
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
            _ => {}
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
