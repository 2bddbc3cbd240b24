//! Sending, receiving, asking and being answered.

use std::time::Duration;

use crate::support::{Command, Server, Trust};
use xmpp_client::{Client, Config, DeliveryState, End, Incoming, RequestError, SendError};
use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::jid::Jid;
use xmpp_core::mux::Selector;
use xmpp_core::ping::Ping;
use xmpp_core::stanza::{MessageBuilder, MessageType, Stanza};
use xmpp_xml::{Element, WriteError};

async fn connected_with(change: impl FnOnce(Config) -> Config) -> (Server, Client, Incoming) {
    let trust = Trust::new();
    let server = Server::start(&trust, false).await;
    let (client, incoming) = Client::connect(change(server.config(&trust)))
        .await
        .unwrap();
    (server, client, incoming)
}

async fn connected() -> (Server, Client, Incoming) {
    connected_with(|config| config).await
}

fn romeo() -> Jid {
    "romeo@example.org/orchard".parse().unwrap()
}

#[tokio::test]
async fn stanzas_go_both_ways_in_order() {
    let (mut server, client, mut incoming) = connected().await;
    for body in ["one", "two <&>"] {
        let message = MessageBuilder::new(MessageType::Chat)
            .to(&romeo())
            .body(body)
            .to_owned_element();
        client.send(&message).await.unwrap().sent().await.unwrap();
        assert_eq!(server.next().await, message);
    }
    server.send("<message from='romeo@example.org/orchard'><body>1</body></message><message><body>2</body></message>");
    for body in ["1", "2"] {
        let element = incoming.next().await.unwrap();
        let Ok(Stanza::Message(message)) = Stanza::parse(element.root()) else {
            panic!()
        };
        assert_eq!(message.body().unwrap(), body);
    }
}

/// So that a test can compare what it sent.
trait ToOwnedElement {
    fn to_owned_element(&self) -> Element;
}

impl<T: xmpp_xml::ToXml> ToOwnedElement for T {
    fn to_owned_element(&self) -> Element {
        Element::build(|writer| self.to_xml(writer)).unwrap()
    }
}

#[tokio::test]
async fn a_request_gets_its_own_reply() {
    let (mut server, client, mut incoming) = connected().await;
    let asker = client.clone();
    let asked = tokio::spawn(async move { asker.get(Some(&romeo()), &Ping).await });
    let request = server.next().await;
    let id = request.root().attribute("id").unwrap().into_owned();
    assert!(request.root().child("ping", "urn:xmpp:ping").is_some());
    // Another peer, another id and another type do not answer it.
    server.send(&format!(
        "<iq type='result' id='{id}' from='mallory@example.org/x'/>"
    ));
    server.send(&format!("<iq type='result' id='{id}'/>"));
    server.send("<iq type='result' id='other' from='romeo@example.org/orchard'/>");
    server.send(&format!(
        "<iq type='get' id='{id}' from='romeo@example.org/orchard'><x xmlns='y'/></iq>"
    ));
    server.send(&format!(
        "<iq type='result' id='{id}' from='romeo@example.org/orchard'><x xmlns='y'/></iq>"
    ));
    let reply = asked.await.unwrap().unwrap();
    assert!(reply.payload().unwrap().is("x", "y"));
    // The stray replies are the application's to judge.
    for id in [&*id, &*id, "other"] {
        let stray = incoming.next().await.unwrap();
        assert_eq!(stray.root().attribute("type").unwrap(), "result");
        assert_eq!(stray.root().attribute("id").unwrap(), id);
    }
}

#[tokio::test]
async fn requests_come_through_where_they_were_taken_on_and_are_refused_elsewhere() {
    let (mut server, client, mut incoming) =
        connected_with(|config| config.handle(Selector::iq_get("ping", "urn:xmpp:ping"))).await;
    server.send("<iq type='get' id='1' from='romeo@example.org/o'><x xmlns='y'/></iq>");
    server.send(
        "<iq type='get' id='2' from='romeo@example.org/o'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    let refusal = server.next().await;
    assert_eq!(refusal.root().attribute("id").unwrap(), "1");
    assert_eq!(
        StanzaError::of(refusal.root()).condition,
        StanzaCondition::ServiceUnavailable
    );
    let request = incoming.next().await.unwrap();
    let Ok(Stanza::Iq(iq)) = Stanza::parse(request.root()) else {
        panic!()
    };
    client.reply(&iq, None).await.unwrap().sent().await.unwrap();
    let answer = server.next().await;
    assert_eq!(answer.root().attribute("type").unwrap(), "result");
    assert_eq!(answer.root().attribute("id").unwrap(), "2");
    assert_eq!(
        answer.root().attribute("to").unwrap(),
        "romeo@example.org/o"
    );
    let error = StanzaError::new(StanzaCondition::Forbidden);
    client
        .refuse(request.root(), &error)
        .await
        .unwrap()
        .sent()
        .await
        .unwrap();
    assert_eq!(
        StanzaError::of(server.next().await.root()).condition,
        StanzaCondition::Forbidden
    );
}

#[tokio::test]
async fn ones_own_account_answers_with_and_without_its_address() {
    let (mut server, client, _incoming) = connected().await;
    for from in ["", "from='juliet@example.org'", "from='example.org'"] {
        let asker = client.clone();
        let asked = tokio::spawn(async move { asker.set(None, &Ping).await });
        let id = server
            .next()
            .await
            .root()
            .attribute("id")
            .unwrap()
            .into_owned();
        server.send(&format!("<iq type='result' id='{id}' {from}/>"));
        let reply = asked.await.unwrap().unwrap();
        assert!(matches!(reply.read::<Ping>(), Err(RequestError::Empty)));
    }
}

#[tokio::test]
async fn an_error_reply_is_a_refusal() {
    let (mut server, client, _incoming) = connected().await;
    let asked = tokio::spawn(async move { client.get(Some(&romeo()), &Ping).await });
    let id = server
        .next()
        .await
        .root()
        .attribute("id")
        .unwrap()
        .into_owned();
    server.send(&format!(
        "<iq type='error' id='{id}' from='romeo@example.org/orchard'><error type='auth'>\
         <forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    ));
    match asked.await.unwrap() {
        Err(RequestError::Refused(error)) => {
            assert_eq!(error.condition, StanzaCondition::Forbidden)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_without_reply_times_out_and_is_forgotten() {
    let limit = Duration::from_millis(50);
    let (_server, client, _incoming) =
        connected_with(|config| config.request_timeout(limit).requests(1)).await;
    for _ in 0..2 {
        assert!(
            matches!(client.get(None, &Ping).await, Err(RequestError::TimedOut(l)) if l == limit)
        );
    }
}

#[tokio::test]
async fn requests_are_limited_and_a_dropped_one_makes_room() {
    let limit = Duration::from_millis(50);
    let (_server, client, _incoming) =
        connected_with(|config| config.requests(1).request_timeout(limit)).await;
    let waiting = client.get(None, &Ping);
    assert!(matches!(
        client.get(None, &Ping).await,
        Err(RequestError::TooMany)
    ));
    drop(waiting);
    assert!(matches!(
        client.get(None, &Ping).await,
        Err(RequestError::TimedOut(_))
    ));
}

#[tokio::test]
async fn a_stanza_that_cannot_be_understood_is_answered_and_not_delivered() {
    let (mut server, client, mut incoming) = connected().await;
    server.send("<iq type='get' id='1' from='romeo@example.org/o'/>");
    server.send("<iq type='nonsense' id='2' from='romeo@example.org/o'><x xmlns='y'/></iq>");
    server.send("<message id='3'><body>after</body></message>");
    for id in ["1", "2"] {
        let refusal = server.next().await;
        assert_eq!(refusal.root().attribute("id").unwrap(), id);
        assert_eq!(refusal.root().attribute("type").unwrap(), "error");
        assert!(refusal.to_string().contains("bad-request"));
    }
    assert_eq!(
        incoming
            .next()
            .await
            .unwrap()
            .root()
            .attribute("id")
            .unwrap(),
        "3"
    );
    assert_eq!(client.end(), None);
}

#[tokio::test]
async fn what_cannot_be_written_is_not_sent() {
    let (mut server, client, _incoming) = connected().await;
    let bad = MessageBuilder::new(MessageType::Chat).body("\u{0}");
    assert_eq!(
        client.send(&bad).await.unwrap_err(),
        SendError::Write(WriteError::Character)
    );
    let good = MessageBuilder::new(MessageType::Chat)
        .body("good")
        .to_owned_element();
    client.send(&good).await.unwrap().sent().await.unwrap();
    assert_eq!(server.next().await, good);
}

#[tokio::test]
async fn closing_sends_what_was_queued_and_ends_both_halves() {
    let (mut server, client, mut incoming) = connected().await;
    let last = MessageBuilder::new(MessageType::Chat)
        .body("last")
        .to_owned_element();
    let delivery = client.send(&last).await.unwrap();
    assert_eq!(client.close().await, End::Closed);
    assert_eq!(delivery.state(), DeliveryState::Sent);
    assert_eq!(server.next().await, last);
    assert_eq!(incoming.next().await, Err(End::Closed));
    assert_eq!(
        client.send(&last).await.unwrap_err(),
        SendError::Ended(End::Closed)
    );
    assert!(matches!(
        client.get(None, &Ping).await,
        Err(RequestError::Ended(End::Closed))
    ));
}

#[tokio::test]
async fn dropping_every_handle_closes_the_stream() {
    let (mut server, client, incoming) = connected().await;
    drop(client);
    drop(incoming);
    let ended = tokio::time::timeout(Duration::from_secs(10), server.received.recv()).await;
    assert_eq!(ended.unwrap(), None);
}

#[tokio::test]
async fn the_server_may_close_and_the_network_may_fail() {
    let (server, client, mut incoming) = connected().await;
    server.commands.send(Command::Close).ok().unwrap();
    assert_eq!(incoming.next().await, Err(End::Closed));
    assert_eq!(client.end(), Some(End::Closed));

    let (server, client, mut incoming) = connected().await;
    let asker = client.clone();
    let waiting = tokio::spawn(async move { asker.get(None, &Ping).await });
    server.send("<message><body>before</body></message>");
    assert!(incoming.next().await.is_ok());
    server.commands.send(Command::Cut).ok().unwrap();
    assert!(matches!(incoming.next().await, Err(End::Failed(_))));
    assert!(matches!(
        waiting.await.unwrap(),
        Err(RequestError::Ended(End::Failed(_)))
    ));
}

#[tokio::test]
async fn xml_that_is_not_well_formed_ends_the_stream() {
    let (server, _client, mut incoming) = connected().await;
    server.send("<message><body></message>");
    match incoming.next().await {
        Err(End::Failed(xmpp_core::stream::Error::Xml(fault))) => {
            assert_eq!(fault.condition(), "not-well-formed")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_never_reads_makes_the_sender_wait() {
    let (server, client, _incoming) = connected_with(|config| config.send_buffer(10_000)).await;
    server.commands.send(Command::StopReading).ok().unwrap();
    let body = "x".repeat(60_000);
    let message = MessageBuilder::new(MessageType::Chat)
        .body(&body)
        .to_owned_element();
    // The system takes some megabytes on its own account, and then it is over.
    let mut queued = 0;
    let last = loop {
        match tokio::time::timeout(Duration::from_millis(500), client.send(&message)).await {
            Ok(delivery) => {
                queued += 1;
                assert!(queued < 1_000, "nothing ever waits");
                drop(delivery.unwrap());
            }
            Err(waits) => break waits,
        }
    };
    let _ = last;
    // A stanza that was waiting to be sent says so when the stream ends.
    server.commands.send(Command::Cut).ok().unwrap();
    assert!(matches!(
        client.send(&message).await,
        Err(SendError::Ended(End::Failed(_)))
    ));
}

#[tokio::test]
async fn an_application_that_never_takes_its_stanzas_makes_the_server_wait() {
    let (server, client, mut incoming) = connected_with(|config| config.inbox(2)).await;
    for number in 0..50 {
        server.send(&format!("<message id='{number}'/>"));
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Requests still go out, and all stanzas are there in order.
    drop(
        client
            .send(&MessageBuilder::new(MessageType::Chat).body("still"))
            .await
            .unwrap(),
    );
    for number in 0..50 {
        assert_eq!(
            incoming
                .next()
                .await
                .unwrap()
                .root()
                .attribute("id")
                .unwrap(),
            number.to_string()
        );
    }
}
