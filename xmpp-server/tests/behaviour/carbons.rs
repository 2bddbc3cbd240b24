//! Message carbons (XEP-0280).

use crate::support::{Client, attribute, condition, kinds, server};

const ENABLE: &str = "<enable xmlns='urn:xmpp:carbons:2'/>";
const DISABLE: &str = "<disable xmlns='urn:xmpp:carbons:2'/>";

/// Which copy it is, with the message inside.
fn copy(stanza: &xmpp_xml::Element) -> (String, xmpp_xml::Element) {
    let root = stanza.root();
    let copy = root.children().next().unwrap();
    assert_eq!(copy.namespace(), "urn:xmpp:carbons:2", "{stanza}");
    let forwarded = copy.child("forwarded", "urn:xmpp:forward:0").unwrap();
    let message = forwarded.child("message", "jabber:client").unwrap();
    (copy.name().to_owned(), message.to_element())
}

async fn enabled(server: &crate::support::Running, address: &str) -> Client {
    let mut client = server.available(address).await;
    let answer = client.ask("set", None, ENABLE).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    client
}

#[tokio::test]
async fn both_sides_of_a_conversation_are_copied_to_the_other_resources() {
    let server = server(&["juliet", "romeo"]).await;
    let mut balcony = enabled(&server, "juliet/balcony").await;
    let mut chamber = enabled(&server, "juliet/chamber").await;
    let mut plain = server.available("juliet/plain").await;
    let mut orchard = enabled(&server, "romeo/orchard").await;
    let mut home = enabled(&server, "romeo/home").await;
    for client in [
        &mut balcony,
        &mut chamber,
        &mut plain,
        &mut orchard,
        &mut home,
    ] {
        client.sync().await;
    }

    orchard
        .send("<message to='juliet@example.com/balcony' type='chat' id='m1'><body>hi</body></message>")
        .await;
    assert!(orchard.sync().await.is_empty(), "the sender gets no copy");
    let original = balcony.sync().await;
    assert_eq!(kinds(&original), ["message:chat"]);
    assert!(original[0].root().child("body", "jabber:client").is_some());
    assert!(plain.sync().await.is_empty(), "who did not ask gets none");

    let got = chamber.sync().await;
    assert_eq!(got.len(), 1);
    assert_eq!(
        attribute(&got[0], "from").as_deref(),
        Some("juliet@example.com")
    );
    assert_eq!(
        attribute(&got[0], "to").as_deref(),
        Some("juliet@example.com/chamber")
    );
    assert_eq!(attribute(&got[0], "type").as_deref(), Some("chat"));
    let (side, message) = copy(&got[0]);
    assert_eq!(side, "received");
    assert_eq!(
        attribute(&message, "from").as_deref(),
        Some("romeo@example.com/orchard")
    );
    assert_eq!(
        attribute(&message, "to").as_deref(),
        Some("juliet@example.com/balcony")
    );
    assert_eq!(attribute(&message, "id").as_deref(), Some("m1"));

    let got = home.sync().await;
    let (side, message) = copy(&got[0]);
    assert_eq!((got.len(), side.as_str()), (1, "sent"));
    assert_eq!(
        attribute(&message, "from").as_deref(),
        Some("romeo@example.com/orchard")
    );
    assert_eq!(
        attribute(&got[0], "from").as_deref(),
        Some("romeo@example.com")
    );
}

#[tokio::test]
async fn private_messages_and_what_is_no_conversation_are_not_copied() {
    let server = server(&["juliet", "romeo"]).await;
    let mut balcony = server.available("juliet/balcony").await;
    let mut chamber = enabled(&server, "juliet/chamber").await;
    let mut orchard = server.available("romeo/orchard").await;
    let mut home = enabled(&server, "romeo/home").await;
    let to = "to='juliet@example.com/balcony'";
    orchard
        .send(&format!(
            "<message {to} type='chat'><body>1</body><private xmlns='urn:xmpp:carbons:2'/></message>\
             <message {to} type='chat'><body>2</body><no-copy xmlns='urn:xmpp:hints'/></message>\
             <message {to} type='headline'><body>3</body></message>\
             <message {to} type='groupchat'><body>4</body></message>\
             <message {to} type='error'><body>5</body></message>\
             <message {to}><data xmlns='urn:example:data'/></message>\
             <message {to} type='chat'><received xmlns='urn:xmpp:carbons:2'/></message>"
        ))
        .await;
    orchard.sync().await;
    let arrived = balcony.sync().await;
    let messages = arrived
        .iter()
        .filter(|s| s.root().name() == "message")
        .count();
    assert_eq!(messages, 7);
    for client in [&mut chamber, &mut home] {
        let got = client.sync().await;
        assert!(
            got.iter().all(|stanza| stanza.root().name() != "message"),
            "{got:?}"
        );
    }
}

#[tokio::test]
async fn carbons_are_switched_per_connection() {
    let server = server(&["juliet", "romeo"]).await;
    let mut balcony = server.available("juliet/balcony").await;
    let mut chamber = enabled(&server, "juliet/chamber").await;
    let mut romeo = server.client("romeo/orchard").await;
    let message = "<message to='juliet@example.com/balcony' type='chat'><body>hi</body></message>";
    // Asking twice is no error.
    chamber.ask("set", Some("juliet@example.com"), ENABLE).await;
    romeo.send(message).await;
    romeo.sync().await;
    assert_eq!(kinds(&chamber.sync().await), ["message:chat"]);
    let answer = chamber.ask("set", None, DISABLE).await;
    assert_eq!(attribute(&answer, "type").as_deref(), Some("result"));
    romeo.send(message).await;
    romeo.sync().await;
    assert!(chamber.sync().await.is_empty());
    balcony.sync().await;

    let answer = romeo.ask("set", Some("juliet@example.com"), ENABLE).await;
    assert_eq!(condition(&answer), "service-unavailable");
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    for to in [None, Some("example.com")] {
        let answer = romeo.ask("get", to, info).await.to_string();
        assert!(answer.contains("var='urn:xmpp:carbons:2'"), "{answer}");
    }
}

#[tokio::test]
async fn a_message_to_oneself_is_copied_once() {
    let server = server(&["juliet"]).await;
    let mut balcony = enabled(&server, "juliet/balcony").await;
    let mut chamber = enabled(&server, "juliet/chamber").await;
    let mut garden = enabled(&server, "juliet/garden").await;
    for client in [&mut balcony, &mut chamber, &mut garden] {
        client.sync().await;
    }
    balcony
        .send("<message to='juliet@example.com/chamber' type='chat'><body>note</body></message>")
        .await;
    assert!(balcony.sync().await.is_empty());
    let got = chamber.sync().await;
    assert_eq!(got.len(), 1);
    assert!(got[0].root().child("body", "jabber:client").is_some());
    let got = garden.sync().await;
    assert_eq!(got.len(), 1);
    assert_eq!(copy(&got[0]).0, "received");
}

#[tokio::test]
async fn what_is_kept_for_later_is_copied_to_the_senders_resources() {
    let server = server(&["juliet", "romeo"]).await;
    let mut orchard = server.available("romeo/orchard").await;
    let mut home = enabled(&server, "romeo/home").await;
    orchard
        .send("<message to='juliet@example.com' type='chat'><body>hi</body></message>")
        .await;
    orchard.sync().await;
    let got = home.sync().await;
    assert_eq!(copy(got.last().unwrap()).0, "sent");
}
