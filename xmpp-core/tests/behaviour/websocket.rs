//! Streams over WebSocket: one element in each message.

use std::time::Duration;

use crate::support::{Side, client_config, jid, password_config, plain_policy, server_config};
use xmpp_core::error::{StreamCondition, StreamError};
use xmpp_core::stream::{
    Encryption, Error, Event, Framing, InitiatorConfig, ManagedSession, ManagementConfig,
    ReceiverConfig, State,
};
use xmpp_xml::Element;

const FRAMING: &str = "urn:ietf:params:xml:ns:xmpp-framing";
const OPEN: &str =
    "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='example.com' version='1.0'/>";
const CLOSE: &str = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

fn client() -> InitiatorConfig {
    client_config().framing(Framing::WebSocket)
}

fn server() -> ReceiverConfig {
    server_config().framing(Framing::WebSocket)
}

/// A client and a server that exchange messages.
struct Pair {
    client: Side,
    server: Side,
    seen: (usize, usize),
}

impl Pair {
    fn new(client: InitiatorConfig, server: ReceiverConfig) -> Self {
        let (client, server) = (Side::client(client), Side::server(server));
        Self {
            client,
            server,
            seen: (0, 0),
        }
    }

    fn run(&mut self) {
        if self.client.stream.state() == State::Handshake {
            self.client.secure();
            self.server.secure();
        }
        for _ in 0..64 {
            let (client, server) = (&mut self.client, &mut self.server);
            client.drain();
            for message in client.messages.clone().drain(self.seen.0..) {
                server.hear(&message);
            }
            self.seen.0 = client.messages.len();
            server.drain();
            for message in server.messages.clone().drain(self.seen.1..) {
                client.hear(&message);
            }
            self.seen.1 = server.messages.len();
        }
    }
}

fn established(client: InitiatorConfig, server: ReceiverConfig) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.stream.is_established(), "{:?}", side.events);
    }
    pair
}

fn secured_server() -> Side {
    let mut server = Side::server(server());
    server.secure();
    server
}

#[test]
fn a_stream_is_negotiated_in_messages_that_stand_alone() {
    let pair = established(client(), server());
    assert_eq!(
        pair.client.stream.jid(),
        Some(&jid("juliet@example.com/balcony"))
    );
    for message in pair.client.messages.iter().chain(&pair.server.messages) {
        assert!(
            message.starts_with('<') && !message.starts_with("<?"),
            "{message}"
        );
        let element = Element::parse(message).unwrap();
        assert!(!element.root().namespace().is_empty(), "{message}");
    }
    let count = |side: &Side, start: &str| {
        side.messages
            .iter()
            .filter(|message| message.starts_with(start))
            .count()
    };
    // The stream begins anew behind authentication, and nothing is closed for that.
    for side in [&pair.client, &pair.server] {
        assert!(side.messages[0].starts_with("<open "));
        assert_eq!((count(side, "<open "), count(side, "<close")), (2, 0));
    }
    let open = Element::parse(&pair.server.messages[0]).unwrap();
    let open = open.root();
    assert_eq!(open.namespace(), FRAMING);
    assert_eq!(open.attribute("from").as_deref(), Some("example.com"));
    assert_eq!(open.attribute("version").as_deref(), Some("1.0"));
    assert_eq!(open.lang().as_deref(), Some("en"));
    assert_eq!(open.attribute("id").map(|id| id.len()), Some(32));
    let open = Element::parse(&pair.client.messages[0]).unwrap();
    assert_eq!(open.root().attribute("to").as_deref(), Some("example.com"));
}

#[test]
fn tls_is_the_websockets_and_starttls_neither_offered_nor_taken() {
    let pair = established(client(), server());
    assert!(!pair.server.said.contains("starttls"));
    let open = Encryption::None;
    let pair = established(client().encryption(open), server().encryption(open));
    assert!(!pair.server.said.contains("starttls"));

    let mut client = Side::client(client());
    client.secure();
    client.hear(&OPEN.replace("to=", "id='1' from="));
    client.hear(
        "<features xmlns='http://etherx.jabber.org/streams'>\
         <starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
         <mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
         <mechanism>SCRAM-SHA-256</mechanism></mechanisms></features>",
    );
    assert!(
        client.messages.last().unwrap().starts_with("<auth "),
        "{}",
        client.said
    );
}

#[test]
fn features_and_errors_come_with_or_without_a_prefix() {
    let mechanisms = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                      <mechanism>PLAIN</mechanism></mechanisms>";
    for (open, close) in [
        (
            "features xmlns='http://etherx.jabber.org/streams'",
            "features",
        ),
        (
            "stream:features xmlns:stream='http://etherx.jabber.org/streams'",
            "stream:features",
        ),
        (
            "s:features xmlns:s='http://etherx.jabber.org/streams'",
            "s:features",
        ),
    ] {
        let config = password_config("juliet", "x").policy(plain_policy());
        let mut client = Side::client(config.framing(Framing::WebSocket));
        client.secure();
        client.hear(&OPEN.replace("to=", "id='1' from="));
        client.hear(&format!("<{open}>{mechanisms}</{close}>"));
        assert!(client.said.contains("<auth"), "{}", client.said);
        let error = open.replace("features", "error");
        let end = close.replace("features", "error");
        let conflict = "<conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>";
        client.hear(&format!("<{error}>{conflict}</{end}>"));
        let conflict = StreamError::new(StreamCondition::Conflict);
        assert_eq!(*client.failure(), Error::Refused(conflict));
    }
}

#[test]
fn a_message_that_is_not_one_element_ends_the_stream() {
    for (message, condition) in [
        (" <message/>", StreamCondition::BadFormat),
        ("\u{feff}<message/>", StreamCondition::BadFormat),
        ("x", StreamCondition::BadFormat),
        ("<message", StreamCondition::BadFormat),
        ("<message><body>", StreamCondition::BadFormat),
        ("<message/><message/>", StreamCondition::BadFormat),
        ("<message/>x", StreamCondition::BadFormat),
        ("</stream:stream>", StreamCondition::BadFormat),
        (
            "<?xml version='1.0'?><message/>",
            StreamCondition::RestrictedXml,
        ),
        (OPEN, StreamCondition::UnsupportedStanzaType),
    ] {
        let mut pair = established(client(), server());
        let server = &mut pair.server;
        server.hear(message);
        assert!(server.stanzas.is_empty(), "{message}");
        let told = server.failure().told().map(|told| told.condition);
        assert_eq!(told, Some(condition), "{message}");
        assert_eq!(server.messages.last().map(String::as_str), Some(CLOSE));
    }
    let mut pair = established(client(), server());
    pair.server.hear("<message/>\r\n");
    pair.server.hear("");
    assert_eq!(pair.server.stanzas, ["<message/>"]);
    // What a cut message began is not continued by the next one.
    let mut server = secured_server();
    server.hear(&OPEN[..20]);
    server.hear(&OPEN[20..]);
    assert!(server.is_over());
}

#[test]
fn the_first_message_opens_the_stream() {
    for (first, condition) in [
        (
            OPEN.replace("xmpp-framing", "xmpp-frames"),
            StreamCondition::InvalidNamespace,
        ),
        (
            OPEN.replace(" xmlns='urn:ietf:params:xml:ns:xmpp-framing'", ""),
            StreamCondition::InvalidNamespace,
        ),
        (
            String::from("<message/>"),
            StreamCondition::InvalidNamespace,
        ),
        (
            OPEN.replace("1.0", "0.9"),
            StreamCondition::UnsupportedVersion,
        ),
        (
            OPEN.replace("example.com", "example.net"),
            StreamCondition::HostUnknown,
        ),
    ] {
        let mut server = secured_server();
        server.hear(&first);
        let told = server.failure().told().map(|told| told.condition);
        assert_eq!(told, Some(condition), "{first}");
        // The error stands in a stream, in a message of its own.
        assert_eq!(server.messages.len(), 3, "{:?}", server.messages);
        assert!(server.messages[0].starts_with("<open "));
        let error = Element::parse(&server.messages[1]).unwrap();
        assert!(error.root().is("error", "http://etherx.jabber.org/streams"));
        assert_eq!(server.messages[2], CLOSE);
    }
}

#[test]
fn the_answer_to_open_may_be_close() {
    let mut client = Side::client(client());
    client.secure();
    client.hear(CLOSE);
    assert_eq!(*client.failure(), Error::Disconnected(State::Opening));
}

#[test]
fn stanzas_carry_their_namespace_and_language() {
    let mut pair = established(client().lang("de"), server());
    let client = &mut pair.client;
    client
        .stream
        .send_bytes(b"<message><body>x</body></message><iq id='1' xml:lang='en'/>")
        .unwrap();
    client
        .stream
        .send_bytes(b"<presence xmlns='jabber:client' to='a'/>")
        .unwrap();
    client.drain();
    let last = &client.messages[client.messages.len() - 3..];
    assert_eq!(
        last,
        [
            "<message xmlns='jabber:client' xml:lang='de'><body>x</body></message>",
            "<iq xmlns='jabber:client' id='1' xml:lang='en'/>",
            "<presence xml:lang='de' xmlns='jabber:client' to='a'/>",
        ]
    );
    assert_eq!(client.stream.buffered(), 0);
    // Those that come without are understood all the same.
    let mut scratch = xmpp_xml::Scratch::new();
    let mut input = &b"<message><body>x</body></message>"[..];
    let now = pair.server.now;
    let stanza = pair
        .server
        .stream
        .handle_bytes(&mut scratch, &mut input, now)
        .unwrap();
    assert!(stanza.is("message", "jabber:client"));
    assert!(stanza.child("body", "jabber:client").is_some());
}

#[test]
fn both_sides_close_with_a_message() {
    let mut pair = established(client(), server());
    pair.client.stream.close(pair.client.now);
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert_eq!(side.messages.last().map(String::as_str), Some(CLOSE));
        assert!(matches!(
            side.events.last(),
            Some(Event::Closed { clean: true })
        ));
    }
    let mut alone = established(client().close_timeout(Duration::from_secs(3)), server());
    alone.client.stream.close(alone.client.now);
    alone.client.wait(Duration::from_secs(3));
    assert!(matches!(
        alone.client.events.last(),
        Some(Event::Closed { clean: false })
    ));
}

#[test]
fn a_client_follows_to_another_endpoint_but_not_to_a_less_secure_one() {
    let follow = |uri: &str, encryption| {
        let mut pair = established(
            client().encryption(encryption),
            server().encryption(encryption),
        );
        pair.server.stream.redirect(uri, pair.server.now);
        pair.run();
        assert_eq!(pair.client.messages.last().map(String::as_str), Some(CLOSE));
        match pair.client.events.pop() {
            Some(Event::Failed(Error::Redirected { uri })) => Some(uri),
            Some(Event::Closed { clean: true }) => None,
            other => panic!("{other:?}"),
        }
    };
    for uri in [
        "wss://other.example/xmpp?a&b",
        "https://other.example/bosh",
        "WSS://x",
    ] {
        assert_eq!(follow(uri, Encryption::Direct).as_deref(), Some(uri));
    }
    for uri in [
        "ws://other.example/",
        "http://other.example/",
        "other",
        "",
        "\u{1}",
    ] {
        assert_eq!(follow(uri, Encryption::Direct), None, "{uri}");
    }
    assert_eq!(
        follow("ws://x", Encryption::None).as_deref(),
        Some("ws://x")
    );
    // Also while the stream is being opened.
    let mut early = Side::client(client());
    early.secure();
    early.hear(&CLOSE.replace("/>", " see-other-uri='wss://x'/>"));
    assert_eq!(
        *early.failure(),
        Error::Redirected {
            uri: String::from("wss://x")
        }
    );
    // Nobody tells a server where to go.
    let mut pair = established(client(), server());
    pair.server
        .hear(&CLOSE.replace("/>", " see-other-uri='wss://x'/>"));
    assert!(matches!(
        pair.server.events.last(),
        Some(Event::Closed { clean: true })
    ));
}

#[test]
fn spaces_keep_nothing_alive_here() {
    let interval = Some(Duration::from_secs(60));
    let mut pair = established(client().keepalive(interval), server().keepalive(interval));
    for side in [&mut pair.client, &mut pair.server] {
        assert_eq!(side.stream.poll_timeout(), None);
        assert_eq!(side.wait(Duration::from_secs(3_600)), "");
    }
}

#[test]
fn a_socket_that_is_lost_leaves_the_session_to_any_kind_of_stream() {
    let management = ManagementConfig::new;
    let mut pair = established(
        client().management(management()),
        server().management(management()),
    );
    pair.client.stream.send_bytes(b"<message id='1'/>").unwrap();
    pair.server.stream.send_bytes(b"<message id='2'/>").unwrap();
    let lose = |side: &mut Side| -> ManagedSession {
        side.stream.handle_disconnected(side.now);
        side.drain();
        assert_eq!(*side.failure(), Error::Disconnected(State::Established));
        side.stream.take_session().unwrap()
    };
    let (client, server) = (lose(&mut pair.client), lose(&mut pair.server));
    // The next one comes over TCP, and the one after it over WebSocket again.
    let mut tcp = crate::support::Pair::new(
        client_config().management(management()),
        server_config().management(management()),
    );
    tcp.client.stream.resume(client).unwrap();
    tcp.server.sessions.push(server);
    tcp.run();
    assert_eq!(tcp.server.stanzas, ["<message id='1'/>"]);
    assert_eq!(tcp.client.stanzas, ["<message id='2'/>"]);
    tcp.client.stream.send_bytes(b"<message id='3'/>").unwrap();
    let (client, server) = (lose(&mut tcp.client), lose(&mut tcp.server));
    let mut pair = Pair::new(
        self::client().management(management()),
        self::server().management(management()),
    );
    pair.client.stream.resume(client).unwrap();
    pair.server.sessions.push(server);
    pair.run();
    assert_eq!(
        pair.server.stanzas,
        ["<message xmlns='jabber:client' id='3'/>"]
    );
}

#[test]
fn limits_hold_for_messages_too() {
    let mut server = secured_server();
    server.hear(OPEN);
    server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</auth>",
        "x".repeat(70_000)
    ));
    let told = server.failure().told().map(|told| told.condition);
    assert_eq!(told, Some(StreamCondition::PolicyViolation));
    // A limit on headers that is smaller than the context of messages is no obstacle.
    let limits = xmpp_xml::Limits::new().header_bytes(16);
    established(client().limits(limits), self::server().limits(limits));
}
