//! How connections end: cleanly in one direction, and not cleanly at all.

use std::io;

use crate::support::{Authority, DOMAIN, pair, raw, soon, tls_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xmpp_net::{Blame, Connection, NetError};

async fn half_close((mut near, mut far): (Connection, Connection)) {
    near.write_all(b"</stream>").await.unwrap();
    near.shutdown().await.unwrap();
    let mut got = Vec::new();
    soon(far.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, b"</stream>");
    // The other direction is still open.
    far.write_all(b"<message/></stream>").await.unwrap();
    far.shutdown().await.unwrap();
    got.clear();
    soon(near.read_to_end(&mut got)).await.unwrap();
    assert_eq!(got, b"<message/></stream>");
}

#[tokio::test]
async fn one_direction_may_end_before_the_other() {
    half_close(pair().await).await;
}

#[tokio::test]
async fn one_direction_may_end_before_the_other_over_tls() {
    half_close(tls_pair().await).await;
}

/// Our client, and the bare TCP stream of a server that has just sent `bytes` over TLS.
async fn with_bare_server(bytes: &[u8]) -> (Connection, TcpStream) {
    let authority = Authority::new();
    let (listener, address) = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    };
    let client = authority.client();
    let server = raw::server(&authority.issue(DOMAIN), raw::ALL_VERSIONS);
    soon(async {
        tokio::join!(
            async {
                let near = xmpp_net::Connector::new()
                    .connect_to(&[address])
                    .await
                    .unwrap();
                near.start_tls_client(&client, DOMAIN).await.unwrap()
            },
            async {
                let (stream, _) = listener.accept().await.unwrap();
                let mut far = server.accept(stream).await.unwrap();
                far.write_all(bytes).await.unwrap();
                far.flush().await.unwrap();
                far.into_inner().0
            }
        )
    })
    .await
}

#[tokio::test]
async fn an_end_without_close_notify_is_a_truncation() {
    let (mut near, far) = with_bare_server(b"<message>").await;
    drop(far);
    let mut got = Vec::new();
    let error = soon(near.read_to_end(&mut got)).await.unwrap_err();
    assert_eq!(got, b"<message>");
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    let error = NetError::from(error);
    assert!(matches!(error, NetError::Truncated), "{error:?}");
    assert_eq!(error.blame(), Blame::Network);
}

#[tokio::test]
async fn bytes_put_into_the_tls_connection_by_another_are_an_error() {
    let (mut near, mut far) = with_bare_server(b"").await;
    // A record of application data that no key of this connection has sealed.
    let mut forged = vec![0x17, 3, 3, 0, 32];
    forged.extend([0; 32]);
    far.write_all(&forged).await.unwrap();
    let error = NetError::from(soon(near.read_to_end(&mut Vec::new())).await.unwrap_err());
    assert!(matches!(error, NetError::Tls { .. }), "{error:?}");
    assert_eq!(error.blame(), Blame::Peer);
}

#[tokio::test]
async fn a_short_read_after_a_clean_end_is_no_truncation() {
    let (mut near, mut far) = tls_pair().await;
    near.write_all(b"<s").await.unwrap();
    near.shutdown().await.unwrap();
    let error = NetError::from(soon(far.read_exact(&mut [0; 9])).await.unwrap_err());
    assert!(matches!(error, NetError::Io(_)), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_read_stops_the_writer() {
    for (mut near, far) in [pair().await, tls_pair().await] {
        let block = vec![b' '; 1 << 20];
        let writing = async {
            loop {
                near.write_all(&block).await.unwrap();
            }
        };
        let written = tokio::time::timeout(std::time::Duration::from_millis(500), writing).await;
        assert!(written.is_err());
        drop(far);
    }
}
