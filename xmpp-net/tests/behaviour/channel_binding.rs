//! The `tls-exporter` channel binding (RFC 9266): both ends have it, and only where it proves something.

use crate::support::{Authority, DOMAIN, pair, raw, soon, starttls, tls_pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_net::{Connection, NetError, TlsVersion};

const LABEL: &[u8] = b"EXPORTER-Channel-Binding";

#[tokio::test]
async fn both_ends_of_a_connection_have_the_same_exporter() {
    let (near, far) = tls_pair().await;
    assert_eq!(near.tls().unwrap().version(), TlsVersion::Tls13);
    assert!(near.tls_exporter().is_some());
    assert_eq!(near.tls_exporter(), far.tls_exporter());
}

#[tokio::test]
async fn no_two_connections_have_the_same_exporter() {
    let authority = Authority::new();
    let (client, server) = (authority.client(), authority.server(DOMAIN));
    let mut seen = Vec::new();
    // The later ones resume the session of the first.
    for resumed in [false, true, true] {
        let (near, far) = soon(starttls(&client, &server, DOMAIN)).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        far.write_all(b"ticket").await.unwrap();
        far.flush().await.unwrap();
        soon(near.read_exact(&mut [0; 6])).await.unwrap();
        assert_eq!(near.tls_exporter(), far.tls_exporter());
        assert_eq!(near.tls().unwrap().is_resumed(), resumed);
        let exporter = near.tls_exporter().unwrap();
        assert!(!seen.contains(&exporter));
        seen.push(exporter);
    }
}

#[tokio::test]
async fn both_ends_know_the_certificate_that_was_served_whatever_happens_to_it_later() {
    let authority = Authority::new();
    let (client, server) = (authority.client(), authority.server(DOMAIN));
    let (near, _) = pair().await;
    assert_eq!(near.server_certificate(), None);
    let mut seen: Vec<Vec<u8>> = Vec::new();
    let mut standing: Vec<(Connection, Connection)> = Vec::new();
    // Twice the same, once resumed; then, after it was replaced, another, and that again resumed.
    for (renewed, resumed) in [(false, false), (false, true), (true, false), (false, true)] {
        if renewed {
            let other = authority.issue(DOMAIN);
            server
                .replace(other.chain.as_bytes(), other.key.as_bytes())
                .unwrap();
        }
        let (near, far) = soon(starttls(&client, &server, DOMAIN)).await;
        let (mut near, mut far) = (near.unwrap(), far.unwrap());
        far.write_all(b"ticket").await.unwrap();
        far.flush().await.unwrap();
        soon(near.read_exact(&mut [0; 6])).await.unwrap();
        assert_eq!(near.tls().unwrap().is_resumed(), resumed);
        let served = far.server_certificate().unwrap();
        assert_eq!(near.server_certificate(), Some(served));
        assert_eq!(near.tls().unwrap().peer_certificate(), Some(served));
        if !resumed {
            assert!(seen.iter().all(|before| before != served));
            seen.push(served.to_vec());
        }
        assert_eq!(seen.last().map(Vec::as_slice), Some(served));
        standing.push((near, far));
    }
    // The connections that stand know what they began with.
    for ((near, far), first) in standing.iter().zip([0, 0, 1, 1]) {
        assert_eq!(far.server_certificate(), Some(seen[first].as_slice()));
        assert_eq!(near.server_certificate(), far.server_certificate());
    }
}

/// Our client with a server on bare rustls, or the other way round, over TLS 1.2.
async fn over_tls12(ours_is_client: bool) -> (Connection, [u8; 32]) {
    let authority = Authority::new();
    let (near, far) = pair().await;
    if ours_is_client {
        let client = authority.client();
        let server = raw::server(&authority.issue(DOMAIN), raw::ONLY_TLS12);
        let (near, far) = soon(async {
            tokio::join!(near.start_tls_client(&client, DOMAIN), server.accept(far))
        })
        .await;
        let far = far.unwrap();
        let theirs = far
            .get_ref()
            .1
            .export_keying_material([0; 32], LABEL, Some(b""))
            .unwrap();
        (near.unwrap(), theirs)
    } else {
        let client = raw::client(&authority, raw::ONLY_TLS12, &[]);
        let server = authority.server(DOMAIN);
        let (near, far) = soon(async {
            tokio::join!(
                client.connect(raw::name(), near),
                far.start_tls_server(&server)
            )
        })
        .await;
        let near = near.unwrap();
        let theirs = near
            .get_ref()
            .1
            .export_keying_material([0; 32], LABEL, Some(b""))
            .unwrap();
        (far.unwrap(), theirs)
    }
}

#[tokio::test]
async fn tls_1_2_is_spoken_in_both_roles_and_has_the_exporter_as_well() {
    for ours_is_client in [true, false] {
        let (ours, theirs) = over_tls12(ours_is_client).await;
        assert_eq!(ours.tls().unwrap().version(), TlsVersion::Tls12);
        assert_eq!(ours.tls_exporter(), Some(theirs));
    }
}

#[tokio::test]
async fn a_client_of_tls_1_2_without_extended_master_secret_is_refused() {
    let server = Authority::new().server(DOMAIN);
    // The same hello with it is answered by a handshake record (0x16), without it by an alert (0x15).
    for (extended_master_secret, expected) in [(true, 0x16), (false, 0x15)] {
        let (mut near, far) = pair().await;
        let server = server.clone();
        let far = tokio::spawn(async move { far.start_tls_server(&server).await });
        near.write_all(&raw::client_hello([3, 3], extended_master_secret))
            .await
            .unwrap();
        let mut head = [0; 1];
        soon(near.read_exact(&mut head)).await.unwrap();
        assert_eq!(head, [expected]);
        if !extended_master_secret {
            let error = soon(far).await.unwrap().unwrap_err();
            assert!(matches!(error, NetError::Incompatible { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_server_of_tls_1_2_without_extended_master_secret_is_refused() {
    let (near, mut far) = pair().await;
    far.write_all(&raw::server_hello()).await.unwrap();
    let error = soon(near.start_tls_client(&Authority::new().client(), DOMAIN))
        .await
        .unwrap_err();
    let NetError::Incompatible { reason } = error else {
        panic!("{error:?}")
    };
    assert!(reason.contains("ExtendedMasterSecret"), "{reason}");
}
