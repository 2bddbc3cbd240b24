//! What a receiver tells among its features: client state indication and the limits of the stream.

use std::time::Duration;

use crate::support::{Pair, Side, client_config, server_config};
use xmpp_core::error::StreamCondition;
use xmpp_core::stream::{
    Error, Event, InitiatorConfig, ManagementConfig, Misuse, ReceiverConfig, State,
};
use xmpp_xml::Limits;

fn pair(client: InitiatorConfig, server: ReceiverConfig) -> Pair {
    let mut pair = Pair::new(client, server);
    pair.run();
    assert!(
        pair.client.stream.is_established(),
        "{:?}",
        pair.client.events
    );
    pair
}

fn states(side: &Side) -> Vec<bool> {
    let states = side.events.iter().filter_map(|event| match event {
        Event::ClientState { active } => Some(*active),
        _ => None,
    });
    states.collect()
}

const CSI: &str = "<csi xmlns='urn:xmpp:csi:0'/>";

#[test]
fn client_state_is_offered_once_the_peer_is_authenticated() {
    let pair = pair(client_config(), server_config().client_state(true));
    assert_eq!(pair.server.said.matches(CSI).count(), 1);
    assert!(pair.server.said.find(CSI) > pair.server.said.find("<success"));
}

#[test]
fn a_client_that_begins_active_tells_when_that_changes() {
    let mut pair = pair(client_config(), server_config().client_state(true));
    let client = &mut pair.client;
    assert_eq!(
        client.stream.set_active(true),
        Ok(false),
        "the server knows"
    );
    assert_eq!(client.stream.set_active(false), Ok(true));
    assert_eq!(client.stream.set_active(false), Ok(false));
    client.stream.send_bytes(b"<message/>").unwrap();
    assert_eq!(client.stream.set_active(true), Ok(true));
    client.drain();
    assert!(
        client.said.ends_with(
            "<inactive xmlns='urn:xmpp:csi:0'/><message/><active xmlns='urn:xmpp:csi:0'/>"
        )
    );
    let before = pair.server.said.len();
    pair.run();
    assert_eq!(states(&pair.server), [false, true]);
    assert_eq!(pair.server.stanzas, ["<message/>"]);
    assert_eq!(pair.server.said.len(), before, "nothing is answered");
}

#[test]
fn a_server_that_did_not_ask_is_never_told() {
    let mut pair = pair(client_config(), server_config());
    assert_eq!(pair.client.stream.set_active(false), Ok(false));
    assert_eq!(pair.client.stream.buffered(), 0);
    pair.server.hear("<inactive xmlns='urn:xmpp:csi:0'/>");
    assert_eq!(
        pair.server.violation(),
        StreamCondition::UnsupportedStanzaType
    );
    let mut early = Side::client(client_config());
    assert_eq!(early.stream.set_active(false), Err(Misuse::NotEstablished));
}

#[test]
fn a_resumed_stream_begins_active_again() {
    let config = || {
        let client = client_config().management(ManagementConfig::new());
        let server = server_config().management(ManagementConfig::new());
        (client, server.client_state(true))
    };
    let (client, server) = config();
    let mut old = pair(client, server);
    old.client.stream.set_active(false).unwrap();
    old.run();
    assert_eq!(states(&old.server), [false]);
    let mut sessions = [&mut old.client, &mut old.server].map(|side| {
        side.stream.handle_disconnected(side.now);
        side.stream.take_session()
    });
    let (client, server) = config();
    let mut pair = Pair::new(client, server);
    pair.client
        .stream
        .resume(sessions[0].take().unwrap())
        .unwrap();
    pair.server.sessions.extend(sessions[1].take());
    pair.run();
    assert!(matches!(
        pair.client.events.last(),
        Some(Event::Established { resumed: true, .. })
    ));
    assert_eq!(pair.client.stream.set_active(true), Ok(false));
    assert_eq!(pair.client.stream.set_active(false), Ok(true));
}

fn limited(bytes: u32) -> ReceiverConfig {
    server_config()
        .limits(Limits::new().stanza_bytes(bytes))
        .announce_limits(true)
}

#[test]
fn limits_are_told_and_change_with_authentication() {
    let server = limited(100_000).unauthenticated_bytes(20_000);
    let timeout = Some(Duration::from_secs(1_800));
    let pair = pair(client_config(), server.idle_timeout(timeout));
    let limits = |bytes: u32| {
        format!(
            "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>{bytes}</max-bytes>\
             <idle-seconds>1800</idle-seconds></limits>"
        )
    };
    let lists: Vec<&str> = pair.server.said.split("<stream:features>").collect();
    assert!(
        !lists[1].contains("<limits"),
        "nothing stands beside STARTTLS"
    );
    assert!(lists[2].contains(&limits(20_000)), "{}", lists[2]);
    assert!(lists[3].contains(&limits(100_000)), "{}", lists[3]);
    let quiet = self::pair(client_config(), server_config());
    assert!(!quiet.server.said.contains("<limits"));
}

#[test]
fn what_the_peer_does_not_take_is_not_sent() {
    let mut pair = pair(client_config(), limited(10_000));
    let stanza = |bytes: usize| format!("<message>{}</message>", "x".repeat(bytes - 19));
    let client = &mut pair.client.stream;
    let too_long = Err(Misuse::TooLong(10_000));
    assert_eq!(client.send_bytes(stanza(10_001).as_bytes()), too_long);
    let written = client.send(|writer| {
        writer
            .start("message", "jabber:client")
            .text(&"x".repeat(10_000))
            .end();
    });
    assert_eq!(written, too_long);
    // Each stanza counts for itself, and one that is too long keeps the others back.
    assert_eq!(
        client.send_bytes([stanza(99), stanza(10_001)].concat().as_bytes()),
        too_long
    );
    assert_eq!(client.buffered(), 0);
    client
        .send_bytes(stanza(10_000).repeat(2).as_bytes())
        .unwrap();
    pair.run();
    assert_eq!(pair.server.stanzas.len(), 2);
    // Limits may change on the way.
    let features = "<stream:features><limits xmlns='urn:xmpp:stream-limits:0'>\
                    <max-bytes>20000</max-bytes></limits></stream:features>";
    pair.client.hear(features);
    assert_eq!(
        pair.client.stream.send_bytes(stanza(10_001).as_bytes()),
        Ok(())
    );
    pair.client.hear("<stream:features/>");
    assert_eq!(
        pair.client.stream.send_bytes(stanza(30_000).as_bytes()),
        Ok(())
    );
}

#[test]
fn limits_that_make_no_sense_are_none() {
    let mut pair = pair(client_config(), server_config());
    for limits in [
        "<max-bytes>0</max-bytes>",
        "<max-bytes>x</max-bytes>",
        "<idle-seconds/>",
        "",
    ] {
        pair.client.hear(&format!(
            "<stream:features><limits xmlns='urn:xmpp:stream-limits:0'>{limits}</limits></stream:features>"
        ));
        assert_eq!(pair.client.stream.send_bytes(b"<message/>"), Ok(()));
    }
}

#[test]
fn a_client_speaks_before_it_is_taken_for_idle() {
    let idle = Duration::from_secs(40);
    let server = limited(10_000).idle_timeout(Some(idle));
    let mut pair = pair(client_config().keepalive(Some(idle * 10)), server);
    for _ in 0..10 {
        pair.client.wait(idle / 2);
        pair.server.wait(idle / 2);
        pair.run();
    }
    assert!(pair.server.stream.is_established());
    assert!(pair.client.said.ends_with(' '));
}

#[test]
fn a_silent_stream_is_ended_within_twice_the_time() {
    let idle = Duration::from_secs(40);
    let mut server = Side::established_server(server_config().idle_timeout(Some(idle)));
    server.hear("<message/>");
    server.wait(idle);
    server.hear(" ");
    server.wait(idle);
    assert!(!server.is_over());
    server.wait(idle);
    assert_eq!(*server.failure(), Error::Timeout(State::Established));
    assert_eq!(server.violation(), StreamCondition::ConnectionTimeout);
    assert_eq!(server.stream.poll_timeout(), None);
}
