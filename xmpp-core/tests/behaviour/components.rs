//! Components and their servers.

use crate::support::{PASSWORD, Pair, Side, jid};
use xmpp_core::error::{StreamCondition, StreamError};
use xmpp_core::stream::{
    ComponentSecret, Encryption, Error, Event, InitiatorConfig, ReceiverConfig,
};
use xmpp_xml::Scratch;

const HEADER: &str = "<stream:stream xmlns='jabber:component:accept' \
                      xmlns:stream='http://etherx.jabber.org/streams' to='plays.example.com'>";

fn component(secret: &str) -> InitiatorConfig {
    InitiatorConfig::component(jid("plays.example.com"), ComponentSecret::new(secret))
}

fn server() -> ReceiverConfig {
    ReceiverConfig::components(jid("example.com"))
}

fn established() -> Pair {
    let mut pair = Pair::new(component(PASSWORD), server());
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.stream.is_established(), "{:?}", side.events);
        assert_eq!(side.stream.jid(), Some(&jid("plays.example.com")));
        assert!(matches!(
            side.events.last(),
            Some(Event::Established { resumed: false, .. })
        ));
    }
    pair
}

/// What a component says to a server with that identifier.
fn handshake(id: &str, secret: &str) -> String {
    let mut side = Side::client(component(secret));
    side.drain();
    side.hear(&HEADER.replace("to=", &format!("id='{id}' from=")))
}

#[test]
fn a_component_is_let_in_by_its_handshake() {
    let pair = established();
    let (component, server) = (&pair.client, &pair.server);
    assert!(component.said.starts_with(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='plays.example.com'>"
    ));
    let id = server.stream.id().unwrap();
    assert_eq!(component.stream.id(), Some(id));
    assert_eq!(id.len(), 32);
    assert_eq!(
        server.said,
        format!(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' \
             xmlns:stream='http://etherx.jabber.org/streams' from='plays.example.com' id='{id}'>\
             <handshake/>"
        )
    );
    assert!(component.said.ends_with(&handshake(id, PASSWORD)));
}

#[test]
fn the_handshake_hashes_the_identifier_as_it_is_meant() {
    // SHA-1 of "abc".
    let expected = "<handshake>a9993e364706816aba3e25717850c26c9cd0d89d</handshake>";
    assert_eq!(handshake("ab", "c"), expected);
    assert_eq!(handshake("&#97;b", "c"), expected);
    assert_eq!(handshake("", "abc"), expected);
    assert_ne!(handshake("ab", "d"), expected);
}

#[test]
fn any_chunking_lets_a_component_in() {
    for chunk in [1, 2, 7] {
        let mut pair = Pair::new(component(PASSWORD), server());
        pair.chunk = chunk;
        pair.run();
        assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
    }
    let direct = Encryption::Direct;
    let mut pair = Pair::new(
        component(PASSWORD).encryption(direct),
        server().encryption(direct),
    );
    pair.client.secure();
    pair.server.secure();
    pair.run();
    assert!(pair.server.stream.is_established());
}

#[test]
fn a_wrong_handshake_is_not_authorized() {
    let mut pair = Pair::new(component("another"), server());
    pair.run();
    assert_eq!(pair.server.violation(), StreamCondition::NotAuthorized);
    let refused = match pair.client.failure() {
        Error::Refused(StreamError { condition, .. }) => *condition,
        other => panic!("{other}"),
    };
    assert_eq!(refused, StreamCondition::NotAuthorized);
    for wrong in [
        "<handshake/>",
        "<handshake>a9993e364706816aba3e25717850c26c9cd0d89d</handshake>",
    ] {
        let mut server = Side::server(server());
        server.hear(HEADER);
        server.hear(wrong);
        assert_eq!(server.violation(), StreamCondition::NotAuthorized);
    }
}

#[test]
fn headers_that_cannot_be_served_are_answered_inside_a_header() {
    let client = HEADER.replace("jabber:component:accept", "jabber:client");
    for (header, condition) in [
        (
            HEADER.replace("plays", "unknown"),
            StreamCondition::HostUnknown,
        ),
        (HEADER.replace("plays", "taken"), StreamCondition::Conflict),
        (
            HEADER.replace(" to='plays.example.com'", ""),
            StreamCondition::HostUnknown,
        ),
        (
            HEADER.replace("plays", "a@plays"),
            StreamCondition::HostUnknown,
        ),
        (
            HEADER.replace("plays.example.com", "@"),
            StreamCondition::HostUnknown,
        ),
        (client, StreamCondition::InvalidNamespace),
        (
            HEADER.replace("component:accept", "component:connect"),
            StreamCondition::InvalidNamespace,
        ),
    ] {
        let mut server = Side::server(server());
        server.hear(&header);
        assert_eq!(server.violation(), condition, "{header}");
        assert_eq!(
            server.said.matches("<stream:stream ").count(),
            1,
            "{}",
            server.said
        );
        assert!(
            server
                .said
                .starts_with("<?xml version='1.0'?><stream:stream ")
        );
    }
}

#[test]
fn a_component_refuses_a_server_that_is_none() {
    let mut side = Side::client(component(PASSWORD));
    side.hear(crate::support::RESPONSE);
    assert_eq!(side.violation(), StreamCondition::InvalidNamespace);
    let mut side = Side::client(component(PASSWORD));
    side.hear(&HEADER.replace("to=", "from="));
    assert_eq!(
        side.violation(),
        StreamCondition::BadFormat,
        "without an id there is no handshake"
    );
    let mut side = Side::client(component(PASSWORD));
    side.hear(&HEADER.replace("to=", "id='1' from="));
    side.hear("<message/>");
    assert_eq!(side.violation(), StreamCondition::BadFormat);
}

#[test]
fn nothing_flows_before_the_handshake() {
    let mut server = Side::server(server());
    server.hear(HEADER);
    server.hear("<message from='plays.example.com' to='a@example.com'/>");
    assert_eq!(server.violation(), StreamCondition::NotAuthorized);
    assert!(server.stanzas.is_empty());
}

#[test]
fn stanzas_are_those_of_clients_on_either_side() {
    let mut pair = established();
    let stanza =
        "<message from='juliet@plays.example.com' to='romeo@example.com'><body>hi</body></message>";
    pair.client.stream.send_bytes(stanza.as_bytes()).unwrap();
    pair.client.drain();
    assert!(pair.client.said.ends_with(stanza));
    let mut scratch = Scratch::new();
    let mut input = stanza.as_bytes();
    let now = pair.server.now;
    let message = pair
        .server
        .stream
        .handle_bytes(&mut scratch, &mut input, now)
        .unwrap();
    assert!(message.is("message", "jabber:client"));
    assert!(message.child("body", "jabber:client").is_some());
    // The component takes what its server says, whoever it is from.
    pair.client
        .hear("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    assert_eq!(pair.client.stanzas.len(), 1);
}

#[test]
fn a_component_speaks_for_its_domain_and_to_somebody() {
    for (stanza, condition) in [
        (
            "<message to='a@example.com'/>",
            StreamCondition::InvalidFrom,
        ),
        (
            "<message from='example.com' to='a@example.com'/>",
            StreamCondition::InvalidFrom,
        ),
        (
            "<message from='a@other.plays.example.com' to='a@example.com'/>",
            StreamCondition::InvalidFrom,
        ),
        (
            "<message from='@' to='a@example.com'/>",
            StreamCondition::InvalidFrom,
        ),
        (
            "<message from='a@plays.example.com'/>",
            StreamCondition::ImproperAddressing,
        ),
    ] {
        let mut pair = established();
        pair.server.hear(stanza);
        assert_eq!(pair.server.violation(), condition, "{stanza}");
        assert!(pair.server.stanzas.is_empty());
    }
    let mut pair = established();
    pair.server
        .hear("<presence from='anybody@PLAYS.example.com/x' to='a@example.com'/>");
    // What looks like the end of a client's negotiation is a stanza like others.
    pair.server.hear(
        "<iq from='plays.example.com' to='example.com' type='set' id='s'>\
         <session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>",
    );
    assert_eq!(pair.server.stanzas.len(), 2);
}

#[test]
fn what_a_component_may_send_grows_with_its_handshake() {
    let mut pair = established();
    let stanza = format!(
        "<message from='plays.example.com' to='a@example.com'><body>{}</body></message>",
        "x".repeat(100_000)
    );
    pair.server.hear(&stanza);
    assert_eq!(pair.server.stanzas.len(), 1);
    let mut early = Side::server(server());
    early.hear(HEADER);
    early.hear(&format!("<handshake>{}</handshake>", "x".repeat(100_000)));
    assert_eq!(early.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn streams_of_components_are_closed_like_others() {
    let mut pair = established();
    pair.client.stream.close(pair.client.now);
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.said.ends_with("</stream:stream>"));
        assert!(matches!(
            side.events.last(),
            Some(Event::Closed { clean: true })
        ));
    }
}
