//! From clear text to TLS, and what a peer may do wrong on the way.

use std::time::Duration;

use crate::support::{Authority, DOMAIN, listen, pair, soon, starttls, tls_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_net::{Blame, CertificateFault, Connector, NetError, Phase, TlsVersion};

#[tokio::test]
async fn starttls_follows_an_exchange_in_clear() {
    let authority = Authority::new();
    let (mut near, mut far) = pair().await;
    assert!(!near.is_tls() && near.tls().is_none() && near.tls_exporter().is_none());
    near.write_all(b"<starttls/>").await.unwrap();
    let mut got = [0; 11];
    soon(far.read_exact(&mut got)).await.unwrap();
    far.write_all(b"<proceed/>").await.unwrap();
    soon(near.read_exact(&mut got[..10])).await.unwrap();

    let (client, server) = (authority.client(), authority.server(DOMAIN));
    let peer = near.peer_address();
    let (near, far) = soon(async {
        tokio::join!(
            near.start_tls_client(&client, DOMAIN),
            far.start_tls_server(&server)
        )
    })
    .await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());
    assert!(near.is_tls() && far.is_tls());
    assert_eq!(near.peer_address(), peer);
    near.write_all(b"<stream/>").await.unwrap();
    near.flush().await.unwrap();
    soon(far.read_exact(&mut got[..9])).await.unwrap();
    assert_eq!(&got[..9], b"<stream/>");
}

#[tokio::test]
async fn the_handshake_tells_what_was_agreed_on() {
    let (near, far) = tls_pair().await;
    let (near, far) = (near.tls().unwrap(), far.tls().unwrap());
    assert_eq!(near.version(), TlsVersion::Tls13);
    assert_eq!(near.version(), far.version());
    assert!(
        near.cipher_suite().starts_with("TLS13_"),
        "{}",
        near.cipher_suite()
    );
    assert_eq!(near.cipher_suite(), far.cipher_suite());
    assert_eq!(far.requested_domain(), Some(DOMAIN));
    assert_eq!(near.application_protocol(), None);
    assert!(near.peer_certificate().is_some() && far.peer_certificate().is_none());
    assert!(!near.is_resumed() && !far.is_resumed());
}

#[tokio::test]
async fn direct_tls_names_the_domain_and_the_protocol() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let (client, server) = (authority.client(), authority.server(DOMAIN));
    let connector = Connector::new();
    let address = address.to_string();
    let (near, far) = soon(async {
        tokio::join!(
            connector.connect_direct_tls(&address, &client, DOMAIN),
            async { listener.accept().await?.start_tls_server(&server).await }
        )
    })
    .await;
    let (near, far) = (near.unwrap(), far.unwrap());
    assert_eq!(
        near.tls().unwrap().application_protocol(),
        Some(&b"xmpp-client"[..])
    );
    assert_eq!(
        far.tls().unwrap().application_protocol(),
        Some(&b"xmpp-client"[..])
    );
    assert_eq!(far.tls().unwrap().requested_domain(), Some(DOMAIN));
    assert_eq!(near.tls_exporter(), far.tls_exporter());
}

#[tokio::test]
async fn direct_tls_checks_the_certificate_as_well() {
    let (near, far) = pair().await;
    let (client, server) = (Authority::new().client(), Authority::new().server(DOMAIN));
    let (near, far) = soon(async {
        tokio::join!(
            near.direct_tls_client(&client, DOMAIN),
            far.start_tls_server(&server)
        )
    })
    .await;
    let error = near.unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Certificate {
                fault: CertificateFault::Untrusted,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(matches!(far.unwrap_err(), NetError::Alert { .. }));
}

#[tokio::test]
async fn direct_tls_works_with_a_server_that_knows_no_alpn() {
    let authority = Authority::new();
    let (near, far) = pair().await;
    let server =
        crate::support::raw::server(&authority.issue(DOMAIN), crate::support::raw::ALL_VERSIONS);
    let client = authority.client();
    let (near, far) =
        soon(async { tokio::join!(near.direct_tls_client(&client, DOMAIN), server.accept(far)) })
            .await;
    assert_eq!(near.unwrap().tls().unwrap().application_protocol(), None);
    far.unwrap();
}

#[tokio::test]
async fn a_client_for_another_protocol_is_turned_away() {
    let authority = Authority::new();
    let (near, far) = pair().await;
    let raw = crate::support::raw::client(&authority, crate::support::raw::ALL_VERSIONS, &[b"h2"]);
    let server = authority.server(DOMAIN);
    let (near, far) = soon(async {
        tokio::join!(
            raw.connect(crate::support::raw::name(), near),
            far.start_tls_server(&server)
        )
    })
    .await;
    assert!(near.is_err());
    assert!(matches!(far.unwrap_err(), NetError::Incompatible { .. }));
}

#[tokio::test]
async fn cleartext_before_the_handshake_is_never_taken_for_the_stream() {
    let authority = Authority::new();
    let (mut near, mut far) = pair().await;
    near.write_all(b"<starttls/><iq type='set'/>")
        .await
        .unwrap();
    let mut got = [0; 11];
    soon(far.read_exact(&mut got)).await.unwrap();
    let (client, server) = (authority.client(), authority.server(DOMAIN));
    let (near, far) = soon(async {
        tokio::join!(
            near.start_tls_client(&client, DOMAIN),
            far.start_tls_server(&server)
        )
    })
    .await;
    assert!(matches!(far.unwrap_err(), NetError::NotTls));
    near.unwrap_err();
}

#[tokio::test]
async fn a_server_that_answers_in_clear_speaks_no_tls() {
    let (near, mut far) = pair().await;
    far.write_all(b"<?xml version='1.0'?><stream:stream>")
        .await
        .unwrap();
    let error = soon(near.direct_tls_client(&Authority::new().client(), DOMAIN))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::NotTls), "{error:?}");
    assert_eq!(error.blame(), Blame::Peer);
}

#[tokio::test]
async fn a_client_that_speaks_in_clear_is_noticed() {
    for greeting in [
        &b"<?xml version='1.0'?><stream:stream>"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0; 64],
    ] {
        let (mut near, far) = pair().await;
        near.write_all(greeting).await.unwrap();
        let error = soon(far.start_tls_server(&Authority::new().server(DOMAIN)))
            .await
            .unwrap_err();
        assert!(matches!(error, NetError::NotTls), "{error:?}");
    }
}

#[tokio::test]
async fn a_silent_client_is_dropped_after_the_handshake_timeout() {
    let (_near, far) = pair().await;
    let limit = Duration::from_millis(100);
    let server = Authority::new().server(DOMAIN).handshake_timeout(limit);
    let error = soon(far.start_tls_server(&server)).await.unwrap_err();
    match error {
        NetError::Timeout {
            phase: Phase::Handshake,
            limit: reached,
        } => assert_eq!(reached, limit),
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_of_its_hello_is_dropped_as_well() {
    let (mut near, far) = pair().await;
    // The head of a handshake record of 512 bytes, of which few follow.
    near.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1]).await.unwrap();
    let server = Authority::new()
        .server(DOMAIN)
        .handshake_timeout(Duration::from_millis(100));
    let error = soon(far.start_tls_server(&server)).await.unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                phase: Phase::Handshake,
                ..
            }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_handshake_timeout() {
    let (near, _far) = pair().await;
    let client = Authority::new()
        .client()
        .handshake_timeout(Duration::from_millis(100));
    let error = soon(near.start_tls_client(&client, DOMAIN))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            NetError::Timeout {
                phase: Phase::Handshake,
                ..
            }
        ),
        "{error:?}"
    );
    assert_eq!(error.blame(), Blame::Network);
}

#[tokio::test]
async fn a_peer_that_closes_in_the_handshake_is_told_from_one_that_speaks_no_tls() {
    let (near, far) = pair().await;
    drop(far);
    let error = soon(near.start_tls_client(&Authority::new().client(), DOMAIN))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::HandshakeClosed), "{error:?}");

    let (near, far) = pair().await;
    drop(near);
    let error = soon(far.start_tls_server(&Authority::new().server(DOMAIN)))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::HandshakeClosed), "{error:?}");
}

#[tokio::test]
async fn versions_before_tls_1_2_are_refused() {
    let server = Authority::new().server(DOMAIN);
    // TLS 1.1, 1.0 and SSL 3.0, then 1.2 for comparison.
    for (minor, accepted) in [(2, false), (1, false), (0, false), (3, true)] {
        let (mut near, far) = pair().await;
        near.write_all(&crate::support::raw::client_hello([3, minor], true))
            .await
            .unwrap();
        let server = server.clone();
        let far = tokio::spawn(async move { far.start_tls_server(&server).await });
        let mut head = [0; 1];
        soon(near.read_exact(&mut head)).await.unwrap();
        assert_eq!(head, [if accepted { 0x16 } else { 0x15 }], "3.{minor}");
        drop(near);
        let error = soon(far).await.unwrap().unwrap_err();
        assert_eq!(
            matches!(error, NetError::Incompatible { .. }),
            !accepted,
            "3.{minor}: {error:?}"
        );
    }
}

#[tokio::test]
async fn tls_is_started_once() {
    let authority = Authority::new();
    let (near, far) = soon(starttls(
        &authority.client(),
        &authority.server(DOMAIN),
        DOMAIN,
    ))
    .await;
    let error = soon(near.unwrap().start_tls_client(&authority.client(), DOMAIN))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::AlreadyTls), "{error:?}");
    assert_eq!(error.blame(), Blame::Caller);
    let error = soon(far.unwrap().start_tls_server(&authority.server(DOMAIN)))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::AlreadyTls), "{error:?}");
}

#[tokio::test]
async fn a_domain_that_is_none_is_the_callers_mistake() {
    let (near, _far) = pair().await;
    let error = soon(near.start_tls_client(&Authority::new().client(), "not a domain"))
        .await
        .unwrap_err();
    assert!(matches!(error, NetError::InvalidDomain { .. }), "{error:?}");
    assert_eq!(error.blame(), Blame::Caller);
}
