//! Stream management: who counts what, who asks for what, and streams that go on where others broke.

use std::time::Duration;

use crate::support::{Pair, Side, client_config, jid, plain_server, server_config};
use proptest::prelude::*;
use xmpp_core::entropy::Entropy;
use xmpp_core::error::{StanzaCondition, StreamCondition};
use xmpp_core::stream::{
    Encryption, Error, Event, InitiatorConfig, ManagedSession, ManagementConfig, Misuse,
    ReceiverConfig, Resumption, SessionError, Stream,
};
use xmpp_core::time::Instant;

const SM: &str = "urn:xmpp:sm:3";

fn client() -> InitiatorConfig {
    client_config().management(ManagementConfig::new())
}

fn server() -> ReceiverConfig {
    server_config().management(ManagementConfig::new())
}

fn pair(client: ManagementConfig, server: ManagementConfig) -> Pair {
    let mut pair = Pair::new(
        client_config().management(client),
        server_config().management(server),
    );
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.stream.is_established(), "{:?}", side.events);
    }
    pair
}

/// A client and a server that count.
fn managed() -> Pair {
    let pair = pair(ManagementConfig::new(), ManagementConfig::new());
    assert!(is_managed(&pair.client) && is_managed(&pair.server));
    pair
}

fn is_managed(side: &Side) -> bool {
    let mut events = side.events.iter();
    events.any(|event| matches!(event, Event::Managed { resumable: true }))
}

fn message(body: &str) -> String {
    format!("<message><body>{body}</body></message>")
}

fn send(side: &mut Side, body: &str) {
    side.stream.send_bytes(message(body).as_bytes()).unwrap();
}

/// What a managed server says to a text.
fn managed_server() -> Side {
    let mut server = Side::established_server(server());
    server.hear(&format!("<enable xmlns='{SM}' resume='true'/>"));
    server.said.clear();
    server.events.clear();
    server
}

fn managed_client(config: ManagementConfig) -> Side {
    let mut pair = pair(config, ManagementConfig::new());
    pair.client.said.clear();
    pair.client.events.clear();
    pair.client
}

/// The machine is told that its connection is gone; its session.
fn lose(side: &mut Side) -> ManagedSession {
    side.stream.handle_disconnected(side.now);
    side.drain();
    side.stream.take_session().unwrap()
}

fn sessions_of(mut pair: Pair) -> (ManagedSession, ManagedSession) {
    (lose(&mut pair.client), lose(&mut pair.server))
}

/// A new connection, on which the client asks for its session and the server has some.
fn reconnect(session: ManagedSession, known: Vec<ManagedSession>) -> Pair {
    let mut pair = Pair::new(client(), server());
    pair.client.stream.resume(session).unwrap();
    pair.server.sessions = known;
    pair
}

fn resumed(side: &Side) -> Option<bool> {
    side.events.iter().find_map(|event| match event {
        Event::Established { resumed, .. } => Some(*resumed),
        _ => None,
    })
}

#[test]
fn management_is_offered_once_the_peer_is_authenticated() {
    let pair = managed();
    let offer = format!("<sm xmlns='{SM}'/>");
    assert_eq!(pair.server.said.matches(&offer).count(), 1);
    assert!(pair.server.said.find(&offer) > pair.server.said.find("<success"));
    let mut without = Pair::new(client(), server_config());
    without.run();
    assert!(without.client.stream.is_established());
    assert!(!without.server.said.contains(SM) && !without.client.said.contains(SM));
    assert!(without.client.stream.session().is_none());
}

#[test]
fn it_is_enabled_behind_the_bound_resource() {
    let pair = managed();
    let enable = pair.client.said.find("<enable").unwrap();
    assert!(enable > pair.client.said.find("<iq").unwrap());
    assert!(
        pair.client
            .said
            .ends_with(&format!("<enable xmlns='{SM}' resume='true' max='600'/>"))
    );
    let id = pair.server.stream.session().unwrap().id().unwrap();
    assert!(pair.server.said.ends_with(&format!(
        "<enabled xmlns='{SM}' id='{id}' resume='true' max='600'/>"
    )));
    let session = pair.client.stream.session().unwrap();
    assert_eq!(session.id(), Some(id));
    assert_eq!(session.jid(), &jid("juliet@example.com/balcony"));
    assert_eq!((session.sent(), session.handled()), (0, 0));
}

#[test]
fn identifiers_cannot_be_guessed_and_never_come_twice() {
    let ids = [1, 2].map(|seed| {
        let mut pair = Pair::new(client(), server());
        let entropy = Entropy::from_seed([seed; 32]);
        pair.server.stream = Stream::receiver(server(), entropy, Instant::ORIGIN);
        pair.run();
        pair.client
            .stream
            .session()
            .unwrap()
            .id()
            .unwrap()
            .to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|id| id.len() == 32));
}

#[test]
fn a_session_has_a_name_only_where_it_can_be_resumed() {
    for (mine, yours) in [(true, false), (false, true), (false, false)] {
        let config = |resumption: bool| {
            let max = resumption.then_some(Duration::from_secs(5));
            ManagementConfig::new().resumption(max)
        };
        let pair = pair(config(mine), config(yours));
        assert!(
            pair.server
                .said
                .ends_with(&format!("<enabled xmlns='{SM}'/>"))
        );
        for side in [&pair.client, &pair.server] {
            let session = side.stream.session().unwrap();
            assert!(session.id().is_none() && !session.is_resumable());
        }
    }
    // Both spellings of yes are understood.
    let mut server = Side::established_server(server());
    assert!(
        server
            .hear(&format!("<enable xmlns='{SM}' resume='1'/>"))
            .contains("id='")
    );
    let mut server = Side::established_server(self::server());
    assert!(
        !server
            .hear(&format!("<enable xmlns='{SM}' resume='0'/>"))
            .contains("id='")
    );
}

#[test]
fn an_identifier_that_is_too_long_is_none() {
    for (length, is_taken) in [(4_000, true), (4_001, false)] {
        let mut client = Side::established_client(client());
        let id = "x".repeat(length);
        // The answer of another server, to a client that has not had one.
        let mut fresh = enabling_client();
        let enabled = format!("<enabled xmlns='{SM}' id='{id}' resume='true'/>");
        fresh.hear(&enabled);
        let session = fresh.stream.session().unwrap();
        assert_eq!(session.is_resumable(), is_taken);
        // A second answer has no place.
        client.hear(&enabled);
        assert_eq!(client.violation(), StreamCondition::UnsupportedStanzaType);
    }
    let mut server = authenticated_server();
    let said = server.hear(&resume(&"x".repeat(4_001), 0));
    assert!(said.contains("<item-not-found"), "{said}");
    assert!(
        server
            .events
            .iter()
            .all(|event| !matches!(event, Event::Resume { .. }))
    );
}

#[test]
fn the_time_for_resumption_is_the_lesser_of_both_wishes() {
    for (wish, most, granted) in [(60, 600, 60), (600, 60, 60), (0, 60, 1)] {
        let config =
            |seconds| ManagementConfig::new().resumption(Some(Duration::from_secs(seconds)));
        let pair = pair(config(wish), config(most).location("[2001:db8::1]:9222"));
        for side in [&pair.client, &pair.server] {
            let session = side.stream.session().unwrap();
            assert_eq!(session.max(), Some(Duration::from_secs(granted)));
            assert_eq!(session.location(), Some("[2001:db8::1]:9222"));
        }
    }
}

#[test]
fn a_location_that_xml_cannot_carry_is_left_out() {
    let config = ManagementConfig::new().location("\u{1}");
    let pair = pair(ManagementConfig::new(), config);
    let session = pair.client.stream.session().unwrap();
    assert!(session.is_resumable() && session.location().is_none());
}

/// A server whose peer has authenticated and may bind or resume.
fn authenticated_server() -> Side {
    let config = plain_server().management(ManagementConfig::new());
    let mut server = Side::secured_server(config);
    let initial =
        xmpp_sasl::wire::encode(format!("\0juliet\0{}", crate::support::PASSWORD).as_bytes());
    server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
    ));
    let said = server.hear(crate::support::HEADER);
    assert!(said.contains("<sm "), "{said}");
    server
}

/// A client that has asked a server for management and waits for the answer.
fn enabling_client() -> Side {
    let config = crate::support::password_config("juliet", "secret")
        .policy(crate::support::plain_policy())
        .management(ManagementConfig::new());
    let features = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                    <mechanism>PLAIN</mechanism></mechanisms>";
    let mut client = Side::secured_client(config, features);
    client.hear("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    client.hear(crate::support::RESPONSE);
    let said = client.hear(&format!(
        "<stream:features><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>\
         <sm xmlns='{SM}'/></stream:features>"
    ));
    let id = said
        .split("id='")
        .nth(1)
        .unwrap()
        .split('\'')
        .next()
        .unwrap();
    client.hear(&format!(
        "<iq type='result' id='{id}'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <jid>juliet@example.com/balcony</jid></bind></iq>"
    ));
    assert!(client.stream.is_established() && client.said.contains("<enable"));
    client
}

fn resume(id: &str, h: u32) -> String {
    format!("<resume xmlns='{SM}' h='{h}' previd='{id}'/>")
}

const BIND: &str = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";

fn failed(condition: &str) -> String {
    format!(
        "<failed xmlns='{SM}'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></failed>"
    )
}

#[test]
fn enabling_before_a_resource_is_bound_fails_and_the_stream_goes_on() {
    let mut server = authenticated_server();
    let enable = format!("<enable xmlns='{SM}'/>");
    assert_eq!(server.hear(&enable), failed("unexpected-request"));
    server.hear(BIND);
    assert!(server.stream.is_established());
    assert!(server.hear(&enable).starts_with("<enabled"));
}

#[test]
fn resuming_behind_a_bound_resource_fails_and_the_stream_goes_on() {
    let mut server = authenticated_server();
    server.hear(BIND);
    assert_eq!(server.hear(&resume("x", 0)), failed("unexpected-request"));
    assert!(server.stream.is_established());
    let mut server = managed_server();
    assert_eq!(server.hear(&resume("x", 0)), failed("unexpected-request"));
}

#[test]
fn resuming_before_authentication_tells_nothing() {
    let mut server = Side::secured_server(plain_server().management(ManagementConfig::new()));
    assert_eq!(server.hear(&resume("x", 0)), failed("unexpected-request"));
    assert!(server.events.is_empty() && !server.is_over());
}

#[test]
fn a_request_to_resume_needs_a_name_and_a_count() {
    for wrong in [
        "h='1'",
        "previd='x'",
        "previd='x' h='-1'",
        "previd='x' h='4294967296'",
    ] {
        let mut server = authenticated_server();
        let said = server.hear(&format!("<resume xmlns='{SM}' {wrong}/>"));
        assert_eq!(said, failed("bad-request"));
        server.hear(BIND);
        assert!(server.stream.is_established());
    }
    let mut server = authenticated_server();
    server.hear(&format!("<r xmlns='{SM}'/>"));
    assert_eq!(server.violation(), StreamCondition::UnsupportedStanzaType);
}

#[test]
fn enabling_twice_ends_the_stream() {
    let mut server = managed_server();
    server.hear(&format!("<enable xmlns='{SM}'/>"));
    assert_eq!(server.violation(), StreamCondition::PolicyViolation);
}

#[test]
fn without_management_its_elements_have_no_place() {
    for element in ["enable", "r", "resume"] {
        let mut server = Side::established_server(server_config());
        server.hear(&format!("<{element} xmlns='{SM}'/>"));
        assert_eq!(server.violation(), StreamCondition::UnsupportedStanzaType);
    }
    let mut offered = Side::established_server(server());
    offered.hear(&format!("<a xmlns='{SM}' h='0'/>"));
    assert_eq!(offered.violation(), StreamCondition::UnsupportedStanzaType);
}

#[test]
fn a_client_goes_on_without_when_enabling_fails() {
    let mut client = enabling_client();
    assert!(client.stream.session().is_some());
    send(&mut client, "counted in vain");
    client.hear(&failed("internal-server-error"));
    assert!(client.stream.is_established() && client.stream.session().is_none());
    assert!(matches!(
        client.events.last(),
        Some(Event::Unmanaged {
            condition: StanzaCondition::InternalServerError
        })
    ));
    send(&mut client, "not counted");
    client.drain();
    assert!(client.said.ends_with(&message("not counted")));
}

#[test]
fn what_is_sent_counts_from_our_own_enabling_and_what_comes_from_the_peers() {
    let mut pair = Pair::new(client(), server());
    while !pair.client.stream.is_established() {
        pair.chunk = 1;
        // The server speaks between being established and being asked to count.
        if pair.server.stream.is_established() && pair.server.stanzas.is_empty() {
            pair.server.stanzas.push(String::from("spoken"));
            send(&mut pair.server, "not counted");
        }
        pair.step();
    }
    assert!(!is_managed(&pair.client));
    send(&mut pair.client, "counted");
    pair.run();
    assert_eq!(pair.client.stanzas, [message("not counted")]);
    let (client, server) = (&pair.client.stream, &pair.server.stream);
    assert_eq!(client.session().unwrap().sent(), 1);
    assert_eq!(client.session().unwrap().handled(), 0);
    assert_eq!(server.session().unwrap().sent(), 0);
    assert_eq!(server.session().unwrap().handled(), 1);
}

#[test]
fn requests_are_answered_at_once_and_only_stanzas_count() {
    let mut server = managed_server();
    let request = format!("<r xmlns='{SM}'/>");
    let answer = |h| format!("<a xmlns='{SM}' h='{h}'/>");
    assert_eq!(server.hear(&request), answer(0));
    let heard =
        format!("<message/> <iq type='get' id='1'><x/></iq><a xmlns='{SM}' h='0'/><presence/>");
    assert_eq!(
        server.hear(&format!("{heard}{request}{request}")),
        [answer(3), answer(3)].concat()
    );
    // What the stream answers by itself counts too, both ways.
    let session =
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    assert!(
        server
            .hear(&format!("{session}{request}"))
            .ends_with(&answer(4))
    );
    assert_eq!(server.stream.session().unwrap().sent(), 1);
}

#[test]
fn an_acknowledgement_without_a_count_is_bad_format() {
    for h in ["", "h=''", "h='-1'", "h='x'", "h='4294967296'"] {
        let mut server = managed_server();
        server.hear(&format!("<a xmlns='{SM}' {h}/>"));
        assert_eq!(server.violation(), StreamCondition::BadFormat, "{h}");
    }
}

#[test]
fn acknowledged_stanzas_are_let_go_and_the_application_hears_of_it() {
    let mut client = managed_client(ManagementConfig::new());
    for body in ["1", "2", "3"] {
        send(&mut client, body);
    }
    let left = |client: &Side| {
        let session = client.stream.session().unwrap();
        let left = session
            .unacknowledged()
            .map(|stanza| String::from_utf8(stanza.into_owned()));
        (
            session.acknowledged(),
            left.map(Result::unwrap).collect::<Vec<_>>(),
        )
    };
    assert_eq!(left(&client).1.len(), 3);
    // Nobody asked for it; it is welcome all the same.
    client.hear(&format!("<a xmlns='{SM}' h='2'/>"));
    assert_eq!(left(&client), (2, vec![message("3")]));
    for old in [2, 1, 0] {
        client.hear(&format!("<a xmlns='{SM}' h='{old}'/>"));
        assert_eq!(left(&client), (2, vec![message("3")]));
    }
    client.hear(&format!("<a xmlns='{SM}' h='3'/>"));
    assert_eq!(left(&client), (3, vec![]));
    let news = client.events.iter().map(|event| match event {
        Event::Acknowledged { stanzas } => *stanzas,
        other => panic!("{other:?}"),
    });
    assert_eq!(news.collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn more_acknowledged_than_was_sent_ends_the_stream() {
    let mut client = managed_client(ManagementConfig::new());
    send(&mut client, "one");
    client.hear(&format!("<a xmlns='{SM}' h='2'/>"));
    assert_eq!(client.violation(), StreamCondition::UndefinedCondition);
    let detail = format!("<handled-count-too-high xmlns='{SM}' h='2' send-count='1'/>");
    assert!(client.said.contains(&detail), "{}", client.said);
    // Its counts cannot be trusted any more.
    assert!(!client.stream.take_session().unwrap().is_resumable());
}

#[test]
fn the_queue_is_bounded_in_stanzas_and_bytes() {
    let stanza = message("x");
    let by_count = ManagementConfig::new().queue_stanzas(4);
    let by_bytes = ManagementConfig::new().queue_bytes(u32::try_from(stanza.len() * 4).unwrap());
    for config in [by_count, by_bytes] {
        let mut client = managed_client(config.request_after(1_000));
        for _ in 0..4 {
            send(&mut client, "x");
        }
        let refused = client.stream.send_bytes(stanza.as_bytes());
        assert_eq!(refused, Err(Misuse::QueueFull));
        let refused = client.stream.send(|writer| {
            writer
                .start("message", "jabber:client")
                .start("body", "jabber:client");
            writer.text("x").end().end();
        });
        assert_eq!(refused, Err(Misuse::QueueFull));
        assert!(client.stream.session().unwrap().is_full());
        client.drain();
        assert_eq!(client.said.matches("<message>").count(), 4);
        // When it was half full an acknowledgement was asked for, and once it comes there is room again.
        assert_eq!(client.said.matches("<r ").count(), 1);
        client.hear(&format!("<a xmlns='{SM}' h='3'/>"));
        send(&mut client, "x");
    }
}

#[test]
fn a_peer_that_never_acknowledges_is_not_answered_for_ever() {
    let config = ManagementConfig::new().queue_stanzas(2);
    let mut server = Side::established_server(server_config().management(config));
    server.hear(&format!("<enable xmlns='{SM}'/>"));
    let session =
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    for _ in 0..5 {
        server.hear(session);
    }
    assert_eq!(server.stream.session().unwrap().sent(), 2);
    assert_eq!(
        server.stanzas.len(),
        3,
        "the application decides about the others"
    );
}

#[test]
fn acknowledgements_are_asked_for_behind_so_many_stanzas() {
    let mut client = managed_client(ManagementConfig::new().request_after(3));
    for _ in 0..7 {
        send(&mut client, "x");
    }
    client.drain();
    let three = message("x").repeat(3);
    let request = format!("<r xmlns='{SM}'/>");
    assert_eq!(
        client.said,
        format!("{three}{request}{three}{request}{}", message("x"))
    );
    // Several at once are one burst.
    let mut client = managed_client(ManagementConfig::new().request_after(3));
    client
        .stream
        .send_bytes(message("x").repeat(4).as_bytes())
        .unwrap();
    client.drain();
    assert!(client.said.ends_with(&request));
    assert_eq!(client.stream.session().unwrap().sent(), 4);
}

#[test]
fn acknowledgements_are_asked_for_when_stanzas_have_waited() {
    let delay = Duration::from_secs(4);
    let mut client = managed_client(ManagementConfig::new().request_delay(delay));
    assert_eq!(
        client.wait(delay * 10),
        "",
        "nothing was sent, and nothing is due"
    );
    send(&mut client, "x");
    client.drain();
    assert_eq!(client.wait(delay - Duration::from_millis(1)), "");
    assert_eq!(
        client.wait(Duration::from_millis(1)),
        format!("<r xmlns='{SM}'/>")
    );
    client.hear(&format!("<a xmlns='{SM}' h='0'/>"));
    assert_eq!(
        client.wait(delay),
        format!("<r xmlns='{SM}'/>"),
        "it still waits"
    );
    client.hear(&format!("<a xmlns='{SM}' h='1'/>"));
    assert_eq!(client.wait(delay * 10), "");
}

#[test]
fn a_connection_without_acknowledgements_is_given_up_in_silence() {
    let timeout = Duration::from_secs(20);
    let config = ManagementConfig::new()
        .request_after(1)
        .acknowledgement_timeout(Some(timeout));
    let mut client = managed_client(config.clone());
    send(&mut client, "x");
    client.drain();
    client.said.clear();
    assert_eq!(client.wait(timeout - Duration::from_millis(1)), "");
    assert!(!client.is_over());
    // A closing tag would end the session, if it came through.
    assert_eq!(client.wait(Duration::from_millis(1)), "");
    assert_eq!(*client.failure(), Error::Unacknowledged);
    assert_eq!(client.failure().told(), None);
    assert!(client.stream.take_session().unwrap().is_resumable());

    let mut patient = managed_client(config.acknowledgement_timeout(None));
    send(&mut patient, "x");
    patient.wait(timeout * 1_000);
    assert!(!patient.is_over());
}

#[test]
fn a_side_that_closes_acknowledges_first_and_the_session_is_over() {
    let mut pair = managed();
    send(&mut pair.server, "hello");
    send(&mut pair.client, "hello");
    pair.run();
    pair.client.stream.close(pair.client.now);
    pair.run();
    for side in [&mut pair.client, &mut pair.server] {
        let last = format!("<a xmlns='{SM}' h='1'/></stream:stream>");
        assert!(side.said.ends_with(&last), "{}", side.said);
        assert!(side.stream.session().is_none());
        let session = side.stream.take_session().unwrap();
        assert!(!session.is_resumable());
        assert!(side.stream.take_session().is_none());
    }
}

#[test]
fn a_connection_that_is_lost_leaves_the_session() {
    let mut pair = managed();
    send(&mut pair.client, "lost");
    assert!(pair.client.stream.take_session().is_none(), "it is in use");
    let (client, server) = sessions_of(pair);
    assert!(client.is_resumable() && server.is_resumable());
    assert_eq!((client.sent(), server.handled()), (1, 0));
    assert!(
        !format!("{client:?}").contains("lost"),
        "what was sent is nobody's business"
    );
}

#[test]
fn a_stream_goes_on_where_the_last_one_broke() {
    let mut pair = managed();
    send(&mut pair.client, "c1");
    send(&mut pair.server, "s1");
    pair.run();
    for body in ["2", "3"] {
        send(&mut pair.client, &format!("c{body}"));
        send(&mut pair.server, &format!("s{body}"));
    }
    let (client, server) = sessions_of(pair);
    let id = client.id().unwrap().to_owned();
    let mut pair = reconnect(client, vec![server]);
    pair.run();
    let Pair { client, server, .. } = &pair;
    assert_eq!((resumed(client), resumed(server)), (Some(true), Some(true)));
    assert_eq!(
        client.stream.jid(),
        Some(&jid("juliet@example.com/balcony"))
    );
    assert_eq!(server.stream.jid(), client.stream.jid());
    // Before a resource would be bound, and instead of it; and nothing is enabled again.
    assert!(client.said.contains(&resume(&id, 1)));
    assert!(!client.said.contains("<iq") && !client.said.contains("<enable"));
    assert!(
        server
            .said
            .contains(&format!("<resumed xmlns='{SM}' h='1' previd='{id}'/>"))
    );
    // What the other side had handled is not sent again, and the rest in order.
    assert_eq!(server.stanzas, [message("c2"), message("c3")]);
    assert_eq!(client.stanzas, [message("s2"), message("s3")]);
    for side in [client, server] {
        let session = side.stream.session().unwrap();
        assert_eq!(
            (session.handled(), session.sent(), session.acknowledged()),
            (3, 3, 1)
        );
    }
    // Counts go on, and so may the session a second time.
    send(&mut pair.client, "c4");
    pair.run();
    let (client, server) = sessions_of(pair);
    assert_eq!((client.sent(), server.handled()), (4, 4));
    let mut pair = reconnect(client, vec![server]);
    pair.run();
    assert_eq!(resumed(&pair.client), Some(true));
    assert!(pair.client.said.contains(&resume(&id, 3)));
    assert!(pair.server.stanzas.is_empty());
}

#[test]
fn a_session_is_not_asked_for_twice_by_a_session_that_is_not_optional() {
    let (client, server) = sessions_of(managed());
    let mut pair = reconnect(client, vec![server]);
    pair.server.stream = Stream::receiver(
        self::server()
            .legacy_session(false)
            .announce("session", "urn:ietf:params:xml:ns:xmpp-session"),
        Entropy::from_seed([2; 32]),
        Instant::ORIGIN,
    );
    pair.run();
    assert_eq!(resumed(&pair.client), Some(true));
    assert!(!pair.client.said.contains("<iq"));
}

#[test]
fn the_stream_that_still_has_the_session_ends_with_conflict() {
    let mut old = managed();
    send(&mut old.server, "in flight");
    let client = lose(&mut old.client);
    let mut new = reconnect(client, Vec::new());
    new.server.answers = true;
    // The application finds the session in a stream that still runs.
    old.server.stream.fail(StreamCondition::Conflict.into());
    old.server.drain();
    assert!(old.server.said.ends_with(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
         </stream:stream>"
    ));
    new.server
        .sessions
        .push(old.server.stream.take_session().unwrap());
    // What still comes in over the old connection is nobody's.
    assert_eq!(old.server.hear(&message("late")), "");
    assert!(old.server.stanzas.is_empty());
    new.run();
    assert_eq!(resumed(&new.client), Some(true));
    assert_eq!(new.client.stanzas, [message("in flight")]);
}

#[test]
fn an_unknown_session_fails_and_a_resource_is_bound_instead() {
    let mut pair = managed();
    send(&mut pair.client, "lost");
    let (client, _) = sessions_of(pair);
    let mut pair = reconnect(client, Vec::new());
    pair.run();
    assert!(pair.server.said.contains(&failed("item-not-found")));
    assert_eq!(
        (resumed(&pair.client), resumed(&pair.server)),
        (Some(false), Some(false))
    );
    assert!(pair.client.said.contains("<bind") && is_managed(&pair.client));
    let session = not_resumed(&mut pair.client, Some(StanzaCondition::ItemNotFound));
    assert!(!session.is_resumable());
    assert_eq!(session.unacknowledged().count(), 1);
    assert_eq!(
        pair.client.stream.session().unwrap().sent(),
        0,
        "a new session"
    );
}

fn not_resumed(side: &mut Side, why: Option<StanzaCondition>) -> ManagedSession {
    let index = side.events.iter();
    let mut index = index.map(|event| matches!(event, Event::NotResumed { .. }));
    match side.events.remove(index.position(|found| found).unwrap()) {
        Event::NotResumed { session, condition } => {
            assert_eq!(condition, why);
            session
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_an_expired_session_had_handled_is_acknowledged() {
    let mut pair = managed();
    for body in ["1", "2", "3"] {
        send(&mut pair.client, body);
    }
    let client = lose(&mut pair.client);
    let mut pair = reconnect(client, Vec::new());
    pair.server.answers = false;
    pair.run();
    answer_lookup(&mut pair.server);
    pair.run();
    let Some(Event::Resume {
        ticket, account, ..
    }) = pair.server.events.pop()
    else {
        panic!("{:?}", pair.server.events)
    };
    assert_eq!(account, jid("juliet@example.com"));
    let answer = Resumption::Expired {
        handled: (1 << 32) + 2,
    };
    pair.server
        .stream
        .handle_resume(ticket, answer, pair.server.now)
        .unwrap();
    let again = pair
        .server
        .stream
        .handle_resume(ticket, Resumption::Unknown, pair.server.now);
    assert_eq!(again.unwrap_err().0, Misuse::UnknownTicket);
    pair.server.answers = true;
    pair.run();
    assert!(
        pair.server
            .said
            .contains(&format!("<failed xmlns='{SM}' h='2'>"))
    );
    let session = not_resumed(&mut pair.client, Some(StanzaCondition::ItemNotFound));
    assert_eq!(
        session.unacknowledged().collect::<Vec<_>>(),
        [message("3").as_bytes()]
    );
    assert!(pair.client.stream.is_established());
}

fn answer_lookup(server: &mut Side) {
    let Some(Event::Lookup { ticket, .. }) = server.events.pop() else {
        panic!("{:?}", server.events)
    };
    let answer = xmpp_core::stream::CredentialsAnswer::Found(crate::support::stored());
    server
        .stream
        .handle_credentials(ticket, answer, server.now)
        .unwrap();
    server.hear("");
}

#[test]
fn a_server_without_resumption_says_so() {
    let config = plain_server().management(ManagementConfig::new().resumption(None));
    let mut server = Side::secured_server(config);
    let initial =
        xmpp_sasl::wire::encode(format!("\0juliet\0{}", crate::support::PASSWORD).as_bytes());
    server.hear(&format!(
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{initial}</auth>"
    ));
    server.hear(crate::support::HEADER);
    assert_eq!(
        server.hear(&resume("x", 0)),
        failed("feature-not-implemented")
    );
    assert!(server.hear(BIND).contains("<jid>"));
}

#[test]
fn a_server_that_offers_no_management_any_more_gets_a_new_session() {
    let (client, _) = sessions_of(managed());
    let mut pair = Pair::new(self::client(), server_config());
    pair.client.stream.resume(client).unwrap();
    pair.run();
    assert_eq!(resumed(&pair.client), Some(false));
    not_resumed(&mut pair.client, None);
}

#[test]
fn a_session_of_another_account_is_unknown_and_comes_back() {
    let (client, server) = sessions_of(managed());
    let id = server.id().unwrap().to_owned();
    let mut bytes = server.to_bytes();
    let name = bytes
        .windows(7)
        .position(|window| window == b"juliet@")
        .unwrap();
    bytes[name..name + 7].copy_from_slice(b"romeo.@");
    let other = ManagedSession::from_bytes(&bytes, &ManagementConfig::new());
    let mut pair = reconnect(client, vec![other.unwrap()]);
    pair.run();
    assert_eq!(resumed(&pair.server), Some(false));
    // To the peer it looks like one that does not exist.
    assert!(pair.server.said.contains(&failed("item-not-found")));
    let session = not_resumed(&mut pair.server, Some(StanzaCondition::ItemNotFound));
    assert_eq!(
        (session.jid(), session.id()),
        (&jid("romeo.@example.com/balcony"), Some(&*id))
    );
    assert!(session.is_resumable(), "its owner may still come");
}

#[test]
fn a_resumption_with_impossible_counts_ends_the_stream() {
    let (mut client, mut server) = sessions_of(managed());
    client.send(b"<message/>").unwrap();
    server.send(b"<message/>").unwrap();
    let id = server.id().unwrap().to_owned();
    let mut side = authenticated_server();
    side.sessions.push(server);
    side.hear(&resume(&id, 2));
    assert_eq!(side.violation(), StreamCondition::UndefinedCondition);
    assert!(!side.stream.take_session().unwrap().is_resumable());

    for (answer, condition) in [
        (
            format!("<resumed xmlns='{SM}' h='2' previd='{id}'/>"),
            StreamCondition::UndefinedCondition,
        ),
        (
            format!("<resumed xmlns='{SM}' h='0' previd='other'/>"),
            StreamCondition::BadFormat,
        ),
        (
            format!("<resumed xmlns='{SM}' previd='{id}'/>"),
            StreamCondition::BadFormat,
        ),
        (
            format!("<enabled xmlns='{SM}'/>"),
            StreamCondition::BadFormat,
        ),
    ] {
        let saved = client.to_bytes();
        let session = ManagedSession::from_bytes(&saved, &ManagementConfig::new()).unwrap();
        let mut pair = reconnect(session, Vec::new());
        pair.server.answers = false;
        pair.run();
        answer_lookup(&mut pair.server);
        pair.run();
        pair.client.hear(&answer);
        assert_eq!(pair.client.violation(), condition);
        assert!(
            pair.client.stream.take_session().is_some(),
            "it is not lost"
        );
    }
}

#[test]
fn only_an_early_initiator_with_management_resumes_and_only_its_own_session() {
    let (client, server) = sessions_of(managed());
    let refusal = |stream: &mut Stream, session| {
        stream.resume(session).map_err(|(why, back)| {
            assert!(back.is_resumable());
            (why, back)
        })
    };
    let mut late = managed();
    let (why, client) = refusal(&mut late.client.stream, client).unwrap_err();
    assert_eq!(why, Misuse::NotResumable);
    let (why, client) = refusal(&mut late.server.stream, client).unwrap_err();
    assert_eq!(why, Misuse::NotResumable);
    let mut unmanaged = Side::client(client_config());
    let (why, client) = refusal(&mut unmanaged.stream, client).unwrap_err();
    assert_eq!(why, Misuse::NotResumable);
    let credentials = xmpp_sasl::Credentials::password("romeo", "x");
    let config = InitiatorConfig::new(jid("romeo@example.com"), credentials);
    let mut other = Side::client(config.management(ManagementConfig::new()));
    let (why, client) = refusal(&mut other.stream, client).unwrap_err();
    assert_eq!(why, Misuse::WrongAddress);
    let mut fresh = Side::client(self::client());
    fresh.stream.resume(client).unwrap();
    let (why, _) = refusal(&mut fresh.stream, server).unwrap_err();
    assert_eq!(why, Misuse::NotResumable, "one is enough");
    assert!(fresh.stream.session().is_none());
    assert!(lose(&mut fresh).is_resumable(), "it is given back");
}

#[test]
fn a_session_takes_stanzas_while_nobody_is_connected() {
    let config = ManagementConfig::new().queue_stanzas(2);
    let mut pair = pair(ManagementConfig::new(), config);
    let client = lose(&mut pair.client);
    let mut server = lose(&mut pair.server);
    server.send(message("one").as_bytes()).unwrap();
    assert_eq!(server.send(b""), Err(Misuse::NoStanza));
    assert_eq!(
        server.send(b"<r xmlns='urn:xmpp:sm:3'/>"),
        Err(Misuse::NoStanza)
    );
    assert_eq!(
        server.send(message("x").repeat(2).as_bytes()),
        Err(Misuse::QueueFull)
    );
    server.send(message("two").as_bytes()).unwrap();
    assert!(server.is_full());
    let mut pair = reconnect(client, vec![server]);
    pair.run();
    assert_eq!(pair.client.stanzas, [message("one"), message("two")]);
}

#[test]
fn a_session_outlives_the_program() {
    let mut pair = managed();
    send(&mut pair.client, "c1");
    pair.run();
    send(&mut pair.client, "c2");
    send(&mut pair.client, "c3");
    let (client, server) = sessions_of(pair);
    let restore = |session: &ManagedSession| {
        let bytes = session.to_bytes();
        let config = ManagementConfig::new();
        let restored = ManagedSession::from_bytes(&bytes, &config).unwrap();
        assert_eq!(restored.to_bytes(), bytes);
        for cut in 0..bytes.len() {
            let error = ManagedSession::from_bytes(&bytes[..cut], &config);
            assert_eq!(error.unwrap_err(), SessionError, "cut at {cut}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(ManagedSession::from_bytes(&longer, &config).is_err());
        restored
    };
    let mut pair = reconnect(restore(&client), vec![restore(&server)]);
    pair.run();
    assert_eq!(resumed(&pair.client), Some(true));
    assert_eq!(pair.server.stanzas, [message("c2"), message("c3")]);
}

#[test]
fn counts_go_round_behind_4294967295() {
    /// Sets both counts of a session that has nothing in its queue.
    fn set(session: &ManagedSession, count: u64) -> ManagedSession {
        let mut bytes = session.to_bytes();
        let end = bytes.len();
        for at in [end - 21, end - 13] {
            bytes[at..at + 8].copy_from_slice(&count.to_be_bytes());
        }
        ManagedSession::from_bytes(&bytes, &ManagementConfig::new()).unwrap()
    }
    let (client, server) = sessions_of(managed());
    let last = u64::from(u32::MAX);
    let mut pair = reconnect(set(&client, last), vec![set(&server, last)]);
    pair.run();
    assert_eq!(resumed(&pair.client), Some(true));
    assert!(pair.client.said.contains("h='4294967295'"));
    for body in ["1", "2"] {
        send(&mut pair.client, body);
    }
    pair.run();
    assert_eq!(
        pair.server.hear(&format!("<r xmlns='{SM}'/>")),
        format!("<a xmlns='{SM}' h='1'/>")
    );
    pair.run();
    let session = pair.client.stream.session().unwrap();
    assert_eq!(
        (session.sent(), session.acknowledged()),
        (last + 2, last + 2)
    );
}

#[test]
fn a_resumption_that_is_cut_at_any_byte_loses_nothing_and_repeats_nothing() {
    let start = || {
        let mut pair = managed();
        send(&mut pair.client, "c1");
        send(&mut pair.server, "s1");
        pair.run();
        for body in ["2", "3"] {
            send(&mut pair.client, &format!("c{body}"));
            send(&mut pair.server, &format!("s{body}"));
        }
        sessions_of(pair)
    };
    let (client, server) = start();
    let mut whole = reconnect(client, vec![server]);
    whole.run();
    let length = whole.carried;
    assert!(length > 1_000);
    // Every byte of the resumption itself, and some of what comes before.
    for cut in (0..length).step_by(83).chain(length - 700..length) {
        let (client, server) = start();
        let mut pair = reconnect(client, vec![server]);
        pair.cut = Some(cut);
        pair.run();
        let (heard, said) = (pair.server.stanzas.clone(), pair.client.stanzas.clone());
        let client = pair.client.stream.take_session().unwrap();
        let known = pair
            .server
            .sessions
            .pop()
            .or_else(|| pair.server.stream.take_session());
        let mut pair = reconnect(client, vec![known.unwrap()]);
        pair.run();
        assert_eq!(resumed(&pair.client), Some(true), "cut at {cut}");
        let heard = [heard, pair.server.stanzas].concat();
        let said = [said, pair.client.stanzas].concat();
        assert_eq!(heard, [message("c2"), message("c3")], "cut at {cut}");
        assert_eq!(said, [message("s2"), message("s3")], "cut at {cut}");
    }
}

/// What happens to two endpoints and the network between them.
#[derive(Debug, Clone, Copy)]
enum Operation {
    ClientSends(u8),
    ServerSends(u8),
    /// So many bytes arrive.
    ToServer(u16),
    ToClient(u16),
    /// Time passes for both.
    Wait(u8),
    /// Both sides lose the connection, or only the client notices; perhaps both programs restart.
    Lose {
        both: bool,
        restart: bool,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (1..4_u8).prop_map(Operation::ClientSends),
        4 => (1..4_u8).prop_map(Operation::ServerSends),
        6 => (1..600_u16).prop_map(Operation::ToServer),
        6 => (1..600_u16).prop_map(Operation::ToClient),
        1 => (1..9_u8).prop_map(Operation::Wait),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(both, restart)| Operation::Lose { both, restart }),
    ]
}

/// Two endpoints, and every stanza that one of them has sent.
struct Model {
    client: Side,
    server: Side,
    /// The stream that the server has not noticed to be dead.
    old: Option<Side>,
    to_client: Vec<u8>,
    to_server: Vec<u8>,
    carried: (usize, usize),
    from_client: Vec<String>,
    from_server: Vec<String>,
    at_client: Vec<String>,
    at_server: Vec<String>,
}

impl Model {
    fn config() -> ManagementConfig {
        ManagementConfig::new().request_after(3).queue_stanzas(40)
    }

    fn new() -> Self {
        let mut pair = Pair::new(Self::client_config(), Self::server_config());
        pair.run();
        assert!(is_managed(&pair.client) && is_managed(&pair.server));
        let carried = (pair.client.said.len(), pair.server.said.len());
        Self {
            client: pair.client,
            server: pair.server,
            old: None,
            to_client: Vec::new(),
            to_server: Vec::new(),
            carried,
            from_client: Vec::new(),
            from_server: Vec::new(),
            at_client: Vec::new(),
            at_server: Vec::new(),
        }
    }

    fn client_config() -> InitiatorConfig {
        client_config()
            .encryption(Encryption::None)
            .management(Self::config())
    }

    fn server_config() -> ReceiverConfig {
        server_config()
            .encryption(Encryption::None)
            .management(Self::config())
    }

    fn apply(&mut self, operation: Operation) {
        match operation {
            Operation::ClientSends(count) => {
                for _ in 0..count {
                    let stanza = message(&format!("c{}", self.from_client.len()));
                    if self.client.stream.send_bytes(stanza.as_bytes()).is_ok() {
                        self.from_client.push(stanza);
                    }
                }
            }
            Operation::ServerSends(count) => {
                for _ in 0..count {
                    let stanza = message(&format!("s{}", self.from_server.len()));
                    let sent = match (&mut self.old, self.server.sessions.first_mut()) {
                        // Into the connection that is dead, or to nobody yet.
                        (Some(old), _) => old.stream.send_bytes(stanza.as_bytes()),
                        (None, Some(session)) => session.send(stanza.as_bytes()),
                        (None, None) => self.server.stream.send_bytes(stanza.as_bytes()),
                    };
                    if sent.is_ok() {
                        self.from_server.push(stanza);
                    }
                }
            }
            Operation::ToServer(count) => self.carry(true, count.into()),
            Operation::ToClient(count) => self.carry(false, count.into()),
            Operation::Wait(seconds) => {
                for side in [&mut self.client, &mut self.server] {
                    side.wait(Duration::from_secs(seconds.into()));
                }
                if self.client.is_over() || self.server.is_over() {
                    self.lose(true, false);
                }
            }
            Operation::Lose { both, restart } => self.lose(both, restart),
        }
        self.gather();
        for (sent, got) in [
            (&self.from_client, &self.at_server),
            (&self.from_server, &self.at_client),
        ] {
            assert_eq!(
                sent.get(..got.len()),
                Some(&got[..]),
                "lost, repeated or reordered"
            );
        }
    }

    /// What was said goes onto the wires, and what was handed out to the books.
    fn gather(&mut self) {
        self.client.drain();
        self.server.drain();
        self.to_server
            .extend(&self.client.said.as_bytes()[self.carried.0..]);
        self.to_client
            .extend(&self.server.said.as_bytes()[self.carried.1..]);
        self.carried = (self.client.said.len(), self.server.said.len());
        self.at_client.append(&mut self.client.stanzas);
        self.at_server.append(&mut self.server.stanzas);
    }

    fn carry(&mut self, to_server: bool, count: usize) {
        self.gather();
        let (wire, side) = if to_server {
            (&mut self.to_server, &mut self.server)
        } else {
            (&mut self.to_client, &mut self.client)
        };
        let bytes: Vec<u8> = wire.drain(..count.min(wire.len())).collect();
        side.answers = false;
        side.hear_bytes(&bytes);
        while side.stream.is_waiting() {
            Self::answer(side, &mut self.old);
            side.hear_bytes(b"");
        }
    }

    fn answer(side: &mut Side, old: &mut Option<Side>) {
        match side.events.pop() {
            Some(Event::Lookup { ticket, .. }) => {
                let answer = xmpp_core::stream::CredentialsAnswer::Found(crate::support::stored());
                side.stream
                    .handle_credentials(ticket, answer, side.now)
                    .unwrap();
            }
            Some(Event::Resume { ticket, .. }) => {
                if let Some(mut old) = old.take() {
                    old.stream.fail(StreamCondition::Conflict.into());
                    side.sessions.extend(old.stream.take_session());
                }
                let session = side.sessions.pop().unwrap();
                side.stream
                    .handle_resume(ticket, Resumption::Found(session), side.now)
                    .unwrap();
            }
            other => panic!("{other:?}"),
        }
    }

    fn lose(&mut self, both: bool, restart: bool) {
        self.gather();
        let mut client = lose(&mut self.client);
        let mut next = Pair::new(Self::client_config(), Self::server_config());
        next.client.now = self.client.now;
        next.server.now = self.server.now;
        let mut known = std::mem::take(&mut self.server.sessions);
        if self.old.is_none() && known.is_empty() {
            if both || !self.server.stream.is_established() {
                known.push(lose(&mut self.server));
            } else {
                self.old = Some(std::mem::replace(
                    &mut self.server,
                    Side::server(Self::server_config()),
                ));
            }
        }
        if restart {
            client = restarted(&client);
            known = known.iter().map(restarted).collect();
        }
        assert!(client.is_resumable());
        next.client.stream.resume(client).unwrap();
        next.server.sessions = known;
        (self.client, self.server) = (next.client, next.server);
        (self.to_client, self.to_server, self.carried) = (Vec::new(), Vec::new(), (0, 0));
    }

    /// Lets everything arrive.
    fn settle(&mut self) {
        for _ in 0..64 {
            self.apply(Operation::ToServer(u16::MAX));
            self.apply(Operation::ToClient(u16::MAX));
        }
    }
}

fn restarted(session: &ManagedSession) -> ManagedSession {
    ManagedSession::from_bytes(&session.to_bytes(), &Model::config()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_stanza_is_lost_or_repeated_whatever_the_network_does(
        operations in prop::collection::vec(operation(), 1..80),
    ) {
        let mut model = Model::new();
        for operation in operations {
            model.apply(operation);
        }
        model.settle();
        prop_assert!(model.client.stream.is_established(), "{:?}", model.client.events);
        prop_assert_eq!(&model.at_server, &model.from_client);
        prop_assert_eq!(&model.at_client, &model.from_server);
    }
}
