//! Clients whose user does not look (XEP-0352).

use crate::support::{Client, attribute, befriend, config, kinds, server, server_with};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use xmpp_server::storage::Memory;

const COMPOSING: &str = "<message to='juliet@example.com/balcony' type='chat'>\
    <composing xmlns='http://jabber.org/protocol/chatstates'/></message>";
const PAUSED: &str = "<message to='juliet@example.com/balcony' type='chat' id='paused'>\
    <paused xmlns='http://jabber.org/protocol/chatstates'/></message>";

async fn say(client: &mut Client, state: &str) {
    let nonza = format!("<{state} xmlns='urn:xmpp:csi:0'/>");
    client.io.write_all(nonza.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn an_inactive_client_hears_the_last_presence_before_what_is_important() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut juliet, &mut romeo).await;
    say(&mut juliet, "inactive").await;
    juliet.sync().await;
    for show in ["away", "xa", "dnd"] {
        romeo
            .send(&format!("<presence><show>{show}</show></presence>"))
            .await;
    }
    romeo.send(COMPOSING).await;
    romeo.send(PAUSED).await;
    romeo
        .send("<message to='juliet@example.com/balcony' id='m'><body>now</body></message>")
        .await;
    romeo.send(COMPOSING).await;
    romeo.sync().await;
    let mut got = Vec::new();
    while got.len() < 3 {
        got.push(juliet.next().await);
    }
    assert_eq!(kinds(&got), ["presence", "message:chat", "message"]);
    assert!(got[0].to_string().contains("dnd"));
    assert_eq!(attribute(&got[1], "id").as_deref(), Some("paused"));
    assert_eq!(attribute(&got[2], "id").as_deref(), Some("m"));

    // What came after waits until it is active again.
    say(&mut juliet, "active").await;
    assert_eq!(kinds(&[juliet.next().await]), ["message:chat"]);
    romeo.send("<presence/>").await;
    romeo.send("<presence><show>away</show></presence>").await;
    romeo.sync().await;
    assert_eq!(
        kinds(&[juliet.next().await, juliet.next().await]),
        ["presence", "presence"]
    );
}

#[tokio::test]
async fn what_an_inactive_client_waits_for_takes_no_more_room_however_often_it_changes() {
    let config = config().send_queue_bytes(5_000);
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    let mut romeo = server.available("romeo/orchard").await;
    befriend(&mut juliet, &mut romeo).await;
    say(&mut juliet, "inactive").await;
    juliet.sync().await;
    for number in 0..100 {
        let status = format!("{number} {}", "x".repeat(1_000));
        romeo
            .send(&format!("<presence><status>{status}</status></presence>"))
            .await;
        romeo.sync().await;
    }
    let got = juliet.sync().await;
    assert_eq!(kinds(&got), ["presence"]);
    assert!(got[0].to_string().contains("99 x"));
}
