//! Messages for those who are not there (XEP-0160).

use std::sync::Arc;

use xmpp_server::storage::{Memory, Redb, Store};

use crate::support::{Client, Running, attribute, condition, config, kinds, server, server_with};

fn message(id: &str) -> String {
    format!("<message to='juliet@example.com' type='chat' id='{id}'><body>{id}</body></message>")
}

fn ids(stanzas: &[xmpp_xml::Element]) -> Vec<String> {
    stanzas
        .iter()
        .filter(|stanza| stanza.root().name() == "message")
        .map(|stanza| attribute(stanza, "id").unwrap())
        .collect()
}

async fn come(server: &Running, address: &str, presence: &str) -> (Client, Vec<String>) {
    let mut client = server.client(address).await;
    client.send(presence).await;
    let got = ids(&client.sync().await);
    (client, got)
}

#[tokio::test]
async fn messages_wait_for_the_next_resource_that_wants_them() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(&format!(
            "{}{}<message to='juliet@example.com' id='3'><x xmlns='urn:example:alarm'/></message>",
            message("1"),
            message("2")
        ))
        .await;
    assert!(romeo.sync().await.is_empty(), "they are accepted");

    let negative = "<presence><priority>-1</priority></presence>";
    let (mut silent, got) = come(&server, "juliet/silent", negative).await;
    assert!(got.is_empty(), "a negative priority wants no messages");

    let mut juliet = server.client("juliet/balcony").await;
    assert!(juliet.sync().await.is_empty(), "not before its presence");
    juliet.send("<presence/>").await;
    let got = juliet.sync().await;
    assert_eq!(ids(&got), ["1", "2", "3"]);
    let first = got
        .iter()
        .find(|stanza| stanza.root().name() == "message")
        .unwrap();
    assert_eq!(
        attribute(first, "from").as_deref(),
        Some("romeo@example.com/orchard")
    );
    assert_eq!(
        attribute(first, "to").as_deref(),
        Some("juliet@example.com")
    );
    let delay = first.root().child("delay", "urn:xmpp:delay").unwrap();
    assert_eq!(delay.attribute("from").as_deref(), Some("example.com"));
    let stamp: xmpp_xml::value::DateTime = delay.attribute("stamp").unwrap().parse().unwrap();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    assert!(stamp.unix_seconds().abs_diff(now.as_secs() as i64) < 60);

    // Once delivered they are gone, and presence that changes nothing asks for nothing.
    juliet.send("<presence><show>away</show></presence>").await;
    assert!(ids(&juliet.sync().await).is_empty());
    drop(juliet);
    silent
        .send("<presence><priority>1</priority></presence>")
        .await;
    assert!(ids(&silent.sync().await).is_empty());
}

#[tokio::test]
async fn a_resource_that_raises_its_priority_gets_what_waits() {
    let server = server(&["juliet", "romeo"]).await;
    let negative = "<presence><priority>-1</priority></presence>";
    let (mut juliet, _) = come(&server, "juliet/balcony", negative).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo.send(&message("1")).await;
    romeo.sync().await;
    juliet.send("<presence/>").await;
    assert_eq!(ids(&juliet.sync().await), ["1"]);
}

#[tokio::test]
async fn what_is_not_for_keeping_is_refused_or_dropped() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com' id='a' type='chat'>\
             <composing xmlns='http://jabber.org/protocol/chatstates'/></message>\
             <message to='juliet@example.com' id='b'><body>x</body><no-store xmlns='urn:xmpp:hints'/></message>\
             <message to='juliet@example.com' id='c' type='groupchat'><body>x</body></message>\
             <message to='juliet@example.com' id='d' type='headline'><body>x</body></message>\
             <message to='juliet@example.com' id='e' type='error'><body>x</body></message>\
             <message to='juliet@example.com/balcony' id='f'><body>x</body></message>\
             <message to='nobody@example.com' id='g'><body>x</body></message>\
             <message to='juliet@example.com/balcony' id='h' type='chat'><body>kept</body></message>",
        )
        .await;
    let got = romeo.sync().await;
    assert_eq!(ids(&got), ["a", "b", "c", "f", "g"]);
    assert!(
        got.iter()
            .all(|stanza| condition(stanza) == "service-unavailable")
    );
    let (_, got) = come(&server, "juliet/chamber", "<presence/>").await;
    assert_eq!(got, ["h"]);
}

#[tokio::test]
async fn an_account_keeps_no_more_than_it_may_and_the_sender_is_told() {
    let config = config().offline_messages(2, 100_000);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(&[message("1"), message("2"), message("3")].concat())
        .await;
    let got = romeo.sync().await;
    assert_eq!(ids(&got), ["3"]);
    assert_eq!(condition(&got[0]), "service-unavailable");
    let (_, got) = come(&server, "juliet/balcony", "<presence/>").await;
    assert_eq!(got, ["1", "2"]);
}

#[tokio::test]
async fn the_bytes_that_wait_are_limited_too() {
    let config = config().offline_messages(100, 1_000);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    let long = message("1").replace("</body>", &format!("{}</body>", "x".repeat(1_000)));
    romeo.send(&(long + &message("2"))).await;
    assert_eq!(ids(&romeo.sync().await), ["1"]);
    let (_, got) = come(&server, "juliet/balcony", "<presence/>").await;
    assert_eq!(got, ["2"]);
}

#[tokio::test]
async fn a_server_that_keeps_nothing_says_so() {
    let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    let none = config().offline_messages(0, 0);
    let none = server_with(none, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut romeo = none.client("romeo/orchard").await;
    romeo.send(&message("1")).await;
    assert_eq!(condition(&romeo.sync().await[0]), "service-unavailable");
    let answer = romeo
        .ask("get", Some("example.com"), info)
        .await
        .to_string();
    assert!(!answer.contains("msgoffline"), "{answer}");

    let server = server(&["romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    let answer = romeo
        .ask("get", Some("example.com"), info)
        .await
        .to_string();
    assert!(answer.contains("var='msgoffline'"), "{answer}");
}

#[tokio::test]
async fn messages_that_were_accepted_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let open = || -> Arc<dyn Store> { Arc::new(Redb::open(folder.path().join("store")).unwrap()) };
    let running = server_with(config(), open(), &["juliet", "romeo"]).await;
    let mut romeo = running.client("romeo/orchard").await;
    romeo.send(&message("1")).await;
    romeo.sync().await;
    drop(romeo);
    running.server.shutdown().await;

    let running = server_with(config(), open(), &[]).await;
    let (juliet, got) = come(&running, "juliet/balcony", "<presence/>").await;
    assert_eq!(got, ["1"]);
    drop(juliet);
    running.server.shutdown().await;
    let running = server_with(config(), open(), &[]).await;
    let (_, got) = come(&running, "juliet/balcony", "<presence/>").await;
    assert!(got.is_empty(), "they are delivered once");
}

#[tokio::test]
async fn a_removed_account_takes_its_messages_with_it() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo.send(&message("1")).await;
    romeo.sync().await;
    server.server.accounts().remove("juliet").await.unwrap();
    server
        .server
        .accounts()
        .create("juliet", "juliet")
        .await
        .unwrap();
    let (_, got) = come(&server, "juliet/balcony", "<presence/>").await;
    assert!(got.is_empty());
}

#[tokio::test]
async fn a_forged_stamp_of_the_server_is_taken_out() {
    let server = server(&["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    romeo
        .send(
            "<message to='juliet@example.com' id='1'><body>x</body>\
             <delay xmlns='urn:xmpp:delay' from='example.com' stamp='2002-09-10T23:08:25Z'/></message>",
        )
        .await;
    romeo.sync().await;
    let mut juliet = server.client("juliet/balcony").await;
    juliet.send("<presence/>").await;
    let got = juliet.sync().await;
    let text = got.last().unwrap().to_string();
    assert_eq!(text.matches("<delay").count(), 1, "{text}");
    assert!(!text.contains("2002"), "{text}");
    assert_eq!(kinds(&got).last().unwrap(), "message");
}

#[tokio::test]
async fn what_a_lost_connection_did_not_get_waits_for_the_next() {
    let config = config()
        .send_queue_bytes(100 << 20)
        .offline_messages(10_000, 50 << 20);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    // More than the system's buffers take: she does not read.
    let body = "x".repeat(10_000);
    let count = 1_500;
    for number in 0..count {
        romeo
            .send(&format!(
                "<message to='juliet@example.com/balcony' id='{number}'><body>{body}</body></message>"
            ))
            .await;
    }
    assert!(romeo.sync().await.is_empty(), "all were accepted");
    drop(juliet);
    while server.server.sessions() > 1 {
        romeo.sync().await;
    }
    let (_, got) = come(&server, "juliet/chamber", "<presence/>").await;
    assert!(!got.is_empty(), "some were not written");
    let expected: Vec<_> = (count - got.len()..count).map(|n| n.to_string()).collect();
    assert_eq!(got, expected, "the last ones, in order, each once");
    assert!(romeo.sync().await.is_empty(), "nothing came back");
}

#[tokio::test]
async fn what_a_lost_connection_did_not_get_goes_to_a_resource_that_is_there() {
    let config = config().send_queue_bytes(100 << 20);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let juliet = server.client("juliet/balcony").await;
    let mut chamber = server.available("juliet/chamber").await;
    let mut romeo = server.client("romeo/orchard").await;
    let body = "x".repeat(10_000);
    let count = 1_500;
    for number in 0..count {
        romeo
            .send(&format!(
                "<message to='juliet@example.com/balcony' id='{number}'><body>{body}</body></message>"
            ))
            .await;
    }
    assert!(romeo.sync().await.is_empty(), "all were accepted");
    chamber.sync().await;
    drop(juliet);
    while server.server.sessions() > 2 {
        romeo.sync().await;
    }
    let got = ids(&chamber.sync().await);
    assert!(!got.is_empty(), "some were not written");
    let expected: Vec<_> = (count - got.len()..count).map(|n| n.to_string()).collect();
    assert_eq!(got, expected);
}
