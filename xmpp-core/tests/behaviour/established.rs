//! A stream that is established: stanzas both ways, keepalive, closing, size.

use std::time::Duration;

use crate::support::{Pair, Side, client_config, jid, server_config};
use xmpp_core::error::{StreamCondition, StreamError};
use xmpp_core::ns;
use xmpp_core::stanza::{MessageBuilder, MessageType};
use xmpp_core::stream::{Error, Event, Misuse, State, Stream};
use xmpp_xml::Scratch;

fn established() -> Pair {
    let mut pair = Pair::new(client_config(), server_config());
    pair.run();
    assert!(pair.client.stream.is_established() && pair.server.stream.is_established());
    pair
}

#[test]
fn stanzas_flow_both_ways_in_order() {
    let mut pair = established();
    let to = jid("romeo@example.com");
    for body in ["one", "two"] {
        let message = MessageBuilder::new(MessageType::Chat).to(&to).body(body);
        pair.client
            .stream
            .send(|writer| {
                writer.payload(&message);
            })
            .unwrap();
    }
    pair.server
        .stream
        .send_bytes(b"<presence from='romeo@example.com'/>")
        .unwrap();
    pair.run();
    let sent = ["one", "two"].map(|body| {
        format!("<message type='chat' to='romeo@example.com'><body>{body}</body></message>")
    });
    assert_eq!(pair.server.stanzas, sent);
    assert_eq!(
        pair.client.stanzas,
        ["<presence from='romeo@example.com'/>"]
    );
}

#[test]
fn a_stanza_is_borrowed_from_where_it_stands() {
    let mut pair = established();
    let bytes = b"<message><body>hi</body></message>".to_vec();
    let mut input = &bytes[..];
    let mut scratch = Scratch::new();
    let stanza = pair
        .server
        .stream
        .handle_bytes(&mut scratch, &mut input, pair.server.now);
    let range = bytes.as_ptr_range();
    assert!(range.contains(&stanza.unwrap().bytes().as_ptr()));
    assert!(input.is_empty());
}

#[test]
fn what_cannot_be_written_is_not_sent() {
    let mut pair = established();
    let wrong = pair.client.stream.send(|writer| {
        writer.start("message", ns::CLIENT).text("\u{0}").end();
    });
    assert!(matches!(wrong, Err(Misuse::Write(_))));
    let open = pair.client.stream.send(|writer| {
        writer.start("message", ns::CLIENT);
    });
    assert!(matches!(open, Err(Misuse::Write(_))));
    assert_eq!(pair.client.stream.send(|_| {}), Err(Misuse::NoStanza));
    assert_eq!(pair.client.stream.send_bytes(b""), Err(Misuse::NoStanza));
    assert_eq!(pair.client.stream.buffered(), 0);
}

#[test]
fn sending_needs_no_allocation_once_the_buffer_is_warm() {
    let mut pair = established();
    let message = MessageBuilder::new(MessageType::Chat).body("hi");
    let mut out = Vec::new();
    let mut buffers = std::collections::HashSet::new();
    for _ in 0..8 {
        out.clear();
        pair.client
            .stream
            .send(|writer| {
                writer.payload(&message);
            })
            .unwrap();
        assert!(pair.client.stream.poll_transmit(&mut out));
        buffers.insert(out.as_ptr());
    }
    // The two buffers change places and never grow.
    assert!(buffers.len() <= 2, "{buffers:?}");
}

#[test]
fn output_is_appended_where_the_caller_has_some_already() {
    let mut pair = established();
    pair.client.stream.send_bytes(b"<presence/>").unwrap();
    let mut out = b"before".to_vec();
    assert!(pair.client.stream.poll_transmit(&mut out));
    assert_eq!(out, b"before<presence/>");
    assert!(!pair.client.stream.poll_transmit(&mut out));
}

#[test]
fn a_stream_is_closed_by_one_side_and_then_by_the_other() {
    let mut pair = established();
    pair.client.stream.close(pair.client.now);
    assert_eq!(pair.client.stream.state(), State::Closing);
    assert!(!pair.client.stream.is_established());
    assert_eq!(pair.client.stream.send(|_| {}), Err(Misuse::Closed));
    pair.run();
    for side in [&pair.client, &pair.server] {
        assert!(side.said.ends_with("</stream:stream>"));
        assert_eq!(side.said.matches("</stream:stream>").count(), 1);
        assert!(matches!(
            side.events.last(),
            Some(Event::Closed { clean: true })
        ));
        assert_eq!(side.stream.poll_timeout(), None);
    }
}

#[test]
fn what_comes_after_our_closing_tag_is_still_delivered() {
    let mut client = Side::established_client(client_config());
    client.stream.close(client.now);
    client.hear("<message/><message/>");
    assert_eq!(client.stanzas.len(), 2);
    client.hear("</stream:stream>");
    assert!(matches!(
        client.events.last(),
        Some(Event::Closed { clean: true })
    ));
}

#[test]
fn a_peer_that_never_closes_is_waited_for_a_while_only() {
    let timeout = Duration::from_secs(3);
    let mut client = Side::established_client(client_config().close_timeout(timeout));
    client.stream.close(client.now);
    client.drain();
    client.wait(timeout - Duration::from_millis(1));
    assert!(!client.is_over());
    client.wait(Duration::from_millis(1));
    assert!(matches!(
        client.events.last(),
        Some(Event::Closed { clean: false })
    ));
}

#[test]
fn a_connection_that_ends_behind_our_closing_tag_is_not_clean() {
    for bytes in ["", "<mess", "</stream:stream", "<a></b>"] {
        let mut client = Side::established_client(client_config());
        client.stream.close(client.now);
        client.hear(bytes);
        client.stream.handle_disconnected(client.now);
        client.drain();
        assert!(
            matches!(client.events[..], [Event::Closed { clean: false }]),
            "{bytes}"
        );
        assert!(client.said.ends_with("</stream:stream>"));
    }
}

#[test]
fn a_stream_error_closes_our_side_too() {
    let mut client = Side::established_client(client_config());
    let said = client.hear(
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>\
         </stream:stream>",
    );
    assert_eq!(said, "</stream:stream>");
    let error = StreamError::new(StreamCondition::Conflict);
    assert_eq!(*client.failure(), Error::Refused(error));
}

#[test]
fn an_error_is_sent_and_then_the_closing_tag_and_then_nothing() {
    let mut server = Side::established_server(server_config());
    let error = StreamError::new(StreamCondition::SystemShutdown).with_text("back in \u{1}");
    server.stream.fail(error);
    server.drain();
    // A text that XML cannot carry does not keep the condition back.
    assert_eq!(
        server.said,
        "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>\
         </stream:error></stream:stream>"
    );
    assert_eq!(server.stream.send_bytes(b"<message/>"), Err(Misuse::Closed));
    server.stream.fail(StreamCondition::Reset.into());
    server.stream.close(server.now);
    server.stream.handle_disconnected(server.now);
    server.drain();
    assert_eq!(server.events.len(), 1);
}

#[test]
fn a_silent_stream_is_kept_alive_with_a_space() {
    let interval = Duration::from_secs(60);
    let mut client = Side::established_client(client_config().keepalive(Some(interval)));
    assert_eq!(client.wait(interval * 3), "   ");
    client.stream.send_bytes(b"<presence/>").unwrap();
    assert_eq!(client.wait(interval * 2), "<presence/> ");
    let mut quiet = Side::established_client(client_config().keepalive(None));
    assert_eq!(quiet.wait(interval * 100), "");
    assert_eq!(quiet.stream.poll_timeout(), None);
}

#[test]
fn a_client_keeps_its_stream_alive_every_five_minutes_unless_told_otherwise() {
    let client = Side::established_client(client_config());
    assert_eq!(
        client.stream.poll_timeout(),
        Some(client.now + Duration::from_secs(300))
    );
    let server = Side::established_server(server_config());
    assert_eq!(server.stream.poll_timeout(), None);
}

#[test]
fn spaces_from_the_peer_are_not_stanzas() {
    let mut server = Side::established_server(server_config());
    assert_eq!(server.hear(" \n <message/> "), "");
    assert_eq!(server.stanzas, ["<message/>"]);
}

#[test]
fn a_late_session_is_answered_and_a_second_bind_refused() {
    let mut server = Side::established_server(server_config());
    let session =
        "<iq type='set' id='s'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
    assert_eq!(server.hear(session), "<iq type='result' id='s'/>");
    let to = session.replace("id='s'", "id='s' to='example.com'");
    assert_eq!(server.hear(&to), "<iq type='result' id='s'/>");
    let bind = "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
    let said = server.hear(bind);
    assert!(said.contains("<error type='cancel'><not-allowed"), "{said}");
    assert!(server.stanzas.is_empty() && server.stream.is_established());
    // What is for somebody else is handed out like any stanza.
    server.hear(&session.replace("id='s'", "id='s' to='romeo@example.com'"));
    assert_eq!(server.stanzas.len(), 1);
    let mut strict = Side::established_server(server_config().legacy_session(false));
    strict.hear(session);
    assert_eq!(strict.stanzas.len(), 1);
}

#[test]
fn new_features_on_an_established_stream_are_passed_over() {
    let mut client = Side::established_client(client_config());
    client.hear("<stream:features><x xmlns='urn:x'/></stream:features><message/>");
    assert_eq!(client.stanzas, ["<message/>"]);
}

#[test]
fn an_established_stream_is_small() {
    assert!(size_of::<Stream>() <= 400, "{}", size_of::<Stream>());
    let mut pair = established();
    let mut out = Vec::new();
    pair.server.stream.poll_transmit(&mut out);
    assert_eq!(pair.server.stream.buffered(), 0);
}

#[test]
fn a_stream_can_move_between_threads() {
    fn assert_send<T: Send + Sync>() {}
    assert_send::<Stream>();
    assert_send::<Event>();
}
