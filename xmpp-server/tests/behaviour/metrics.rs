//! What the server tells of itself.

use std::sync::Arc;

use crate::support::{Client, config, server, server_with};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xmpp_server::storage::Memory;

#[tokio::test]
async fn what_happens_is_counted() {
    let config = config().connections_per_address(Some(3));
    let server = server_with(config, Arc::new(Memory::new()), &["juliet", "romeo"]).await;
    let mut romeo = server.client("romeo/orchard").await;
    let juliet = Client::managed(Box::new(server.raw().await), "juliet/balcony", None).await;
    let session = juliet.unwrap().lose();
    while server.server.hibernating() == 0 {
        romeo.sync().await;
    }
    let waiting = server.server.metrics();
    assert_eq!((waiting.sessions, waiting.hibernating), (2, 1));
    let again = Client::managed(
        Box::new(server.raw().await),
        "juliet/balcony",
        Some(session),
    )
    .await;
    let _again = again.unwrap();
    assert!(
        Client::login_as(server.address, "romeo/x", "wrong")
            .await
            .is_err()
    );
    let before = server.server.metrics();
    romeo.sync().await;
    let after = server.server.metrics();

    assert_eq!((after.sessions, after.hibernating), (2, 0));
    assert_eq!(after.connections, 4);
    assert_eq!((after.login_attempts, after.logins), (4, 3));
    assert_eq!(after.resumptions, 1);
    assert_eq!(after.received_stanzas, before.received_stanzas + 1);
    assert!(after.received_bytes > before.received_bytes);
    assert!(after.sent_bytes > before.sent_bytes);
    let _fillers = [server.raw().await, server.raw().await, server.raw().await];
    while server.server.metrics().refused_connections == 0 {
        romeo.sync().await;
    }
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut io = TcpStream::connect(address).await.unwrap();
    io.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    io.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_and_health_are_told_over_http() {
    let server = server(&["romeo"]).await;
    let address = server.server.listen_metrics("127.0.0.1:0").await.unwrap();
    let _romeo = server.client("romeo/orchard").await;
    let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(
        answer.contains("# TYPE xmpp_sessions gauge\nxmpp_sessions 1\n"),
        "{answer}"
    );
    assert!(answer.contains("\nxmpp_logins_total 1\n"), "{answer}");
    for (request, status) in [
        ("GET /health HTTP/1.1\r\n\r\n", "200"),
        ("GET /other HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("\r\n\r\n", "400"),
        (
            &format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(8_166)),
            "431",
        ),
    ] {
        let answer = ask(address, request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
    }
    // One that never finishes keeps nobody else from being answered.
    let _slow = TcpStream::connect(address).await.unwrap();
    assert!(
        ask(address, "GET /health HTTP/1.1\r\n\r\n")
            .await
            .ends_with("ok\n")
    );
}
