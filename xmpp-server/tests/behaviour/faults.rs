//! Clients that break the rules, stop in the middle, or never read: they lose their stream, the others nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Client, Running, attribute, condition, config, kinds, server, server_with};
use tokio::io::AsyncWriteExt;
use xmpp_server::ServerConfig;
use xmpp_server::storage::Memory;
use xmpp_xml::Limits;

async fn limited(config: ServerConfig) -> Running {
    server_with(
        config,
        Arc::new(Memory::new()),
        &["juliet", "romeo", "mercutio"],
    )
    .await
}

/// Two others still get their stanzas across.
async fn assert_serves(server: &Running) {
    let mut juliet = server.client("juliet/check").await;
    let mut romeo = server.client("romeo/check").await;
    let begin = Instant::now();
    romeo
        .send("<message to='juliet@example.com/check'><body>x</body></message>")
        .await;
    romeo.sync().await;
    assert_eq!(kinds(&juliet.sync().await), ["message"]);
    assert!(begin.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_stanza_over_the_limit_ends_the_stream_with_policy_violation() {
    let server = limited(config().limits(Limits::new().stanza_bytes(20_000))).await;
    let mut mercutio = server.client("mercutio/x").await;
    let text = |bytes| {
        format!(
            "<message to='mercutio@example.com/x'><body>{}</body></message>",
            "x".repeat(bytes)
        )
    };
    mercutio.send(&text(19_000)).await;
    assert_eq!(kinds(&mercutio.sync().await), ["message"]);
    // Far more than the server reads: it must not matter that the rest is never taken.
    // By hand, as the server has told its limit and an honest client keeps it.
    let _ = mercutio.io.write_all(text(1_000_000).as_bytes()).await;
    assert_eq!(mercutio.ended().await.as_deref(), Some("policy-violation"));
    assert_serves(&server).await;
}

#[tokio::test]
async fn xml_that_is_not_well_formed_ends_the_stream() {
    let server = server(&["juliet", "romeo", "mercutio"]).await;
    for (bytes, expected) in [
        ("<message><body></message></body>", "not-well-formed"),
        ("<!-- comment --><message/>", "restricted-xml"),
        ("<message>&nbsp;</message>", "restricted-xml"),
        ("<a:message/>", "not-well-formed"),
        ("<unknown xmlns='urn:x'/>", "unsupported-stanza-type"),
    ] {
        let mut mercutio = server.client("mercutio/x").await;
        mercutio.io.write_all(bytes.as_bytes()).await.unwrap();
        let told = mercutio.ended().await;
        assert!(told.is_some(), "{bytes}");
        if bytes != "<message>&nbsp;</message>" {
            assert_eq!(told.as_deref(), Some(expected), "{bytes}");
        }
    }
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_a_stanza_costs_the_others_nothing() {
    let server = server(&["juliet", "romeo", "mercutio"]).await;
    let mut mercutio = server.client("mercutio/x").await;
    mercutio
        .io
        .write_all(b"<message to='nobody@example.com'><body>and th")
        .await
        .unwrap();
    assert_serves(&server).await;
    // It may still get stanzas meanwhile.
    let mut romeo = server.client("romeo/y").await;
    romeo
        .send("<message to='mercutio@example.com/x'><body>go on</body></message>")
        .await;
    romeo.sync().await;
    assert_eq!(kinds(&[mercutio.next().await]), ["message"]);
    mercutio.io.write_all(b"en</body></message>").await.unwrap();
    assert_eq!(
        condition(&mercutio.next().await),
        "service-unavailable",
        "nobody is there"
    );
}

/// Floods a client that does not read until its sender is told of it; gives the conditions it was told.
async fn flood(server: &Running, sender: &mut Client) -> Vec<String> {
    let body = "x".repeat(10_000);
    let mut told = Vec::new();
    for number in 0..3_000 {
        sender
            .send(&format!(
                "<message to='mercutio@example.com/x' id='{number}'><body>{body}</body></message>"
            ))
            .await;
        if number % 50 == 49 {
            told.extend(sender.sync().await.iter().map(condition));
            if told
                .iter()
                .any(|condition| condition == "service-unavailable")
            {
                break;
            }
        }
    }
    assert_serves(server).await;
    told
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_stream_and_its_senders_are_told() {
    let server = limited(
        config()
            .send_queue_bytes(500_000)
            .close_timeout(Duration::from_millis(300)),
    )
    .await;
    // The client stays connected and reads nothing from here on.
    let _mercutio = server.client("mercutio/x").await;
    let mut romeo = server.client("romeo/y").await;
    let told = flood(&server, &mut romeo).await;
    assert!(
        told.iter()
            .any(|condition| condition == "resource-constraint"),
        "{told:?}"
    );
    assert!(
        told.iter()
            .any(|condition| condition == "service-unavailable"),
        "{told:?}"
    );
}

#[tokio::test]
async fn what_was_accepted_for_a_lost_client_comes_back_to_its_sender() {
    let server = limited(config().send_queue_bytes(100 << 20)).await;
    let mercutio = server.client("mercutio/x").await;
    let mut romeo = server.client("romeo/y").await;
    // More than the system's buffers take, and less than the queue does.
    let body = "x".repeat(10_000);
    let count = 1_500;
    for number in 0..count {
        romeo
            .send(&format!(
                "<message to='mercutio@example.com/x' id='{number}'><body>{body}</body></message>"
            ))
            .await;
    }
    let told = romeo.sync().await;
    assert!(told.is_empty(), "all were accepted");
    drop(mercutio);
    let first = romeo.next().await;
    assert_eq!(condition(&first), "service-unavailable");
    let mut back = vec![attribute(&first, "id").unwrap()];
    back.extend(
        romeo
            .sync()
            .await
            .iter()
            .filter_map(|stanza| attribute(stanza, "id")),
    );
    let expected: Vec<String> = (count - back.len()..count)
        .map(|number| number.to_string())
        .collect();
    assert_eq!(back, expected, "the last ones, in order, each once");
    assert_serves(&server).await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_too_long_is_cut() {
    let server = limited(
        config()
            .send_queue_bytes(100 << 20)
            .write_timeout(Duration::from_millis(500)),
    )
    .await;
    let _mercutio = server.client("mercutio/x").await;
    let mut romeo = server.client("romeo/y").await;
    let body = "x".repeat(10_000);
    for number in 0..1_500 {
        romeo
            .send(&format!(
                "<message to='mercutio@example.com/x' id='{number}'><body>{body}</body></message>"
            ))
            .await;
    }
    assert_eq!(condition(&romeo.next().await), "service-unavailable");
    assert_eq!(server.server.sessions(), 1);
}

#[tokio::test]
async fn a_closed_stream_is_closed_from_both_sides() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    juliet.stream.close(crate::support::now());
    juliet.flush().await;
    assert_eq!(juliet.ended().await, None);
    assert!(juliet.closed);
    while server.server.sessions() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_shutdown_tells_every_client_and_delivers_what_waits() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.client("juliet/balcony").await;
    let mut romeo = server.client("romeo/orchard").await;
    let mut unbound = server.raw().await;
    unbound
        .write_all(crate::support::HEADER.as_bytes())
        .await
        .unwrap();
    romeo
        .send("<message to='juliet@example.com/balcony'><body>last</body></message>")
        .await;
    romeo.sync().await;
    let begin = Instant::now();
    server.server.shutdown().await;
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert_eq!(kinds(&[juliet.next().await]), ["message"]);
    assert_eq!(juliet.ended().await.as_deref(), Some("system-shutdown"));
    assert_eq!(romeo.ended().await.as_deref(), Some("system-shutdown"));
    let answer = crate::support::converse(&mut unbound, b"").await;
    assert!(answer.contains("<system-shutdown"), "{answer}");
    assert!(
        tokio::net::TcpStream::connect(server.address)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn many_clients_come_and_go() {
    let server = server(&["juliet", "romeo"]).await;
    let mut juliet = server.available("juliet/balcony").await;
    for round in 0..10 {
        let mut clients = Vec::new();
        for number in 0..10 {
            clients.push(server.available(&format!("romeo/{round}-{number}")).await);
        }
        for client in &mut clients {
            client
                .send("<message to='juliet@example.com'><body>x</body></message>")
                .await;
            client.sync().await;
        }
        assert_eq!(juliet.sync().await.len(), 10);
        drop(clients);
    }
    while server.server.sessions() > 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
