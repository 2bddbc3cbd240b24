//! Connecting and logging in, and every way in which that fails.

use std::time::Duration;

use crate::support::{PASSWORD, Server, Trust, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use xmpp_client::{Client, Config, ConnectError};
use xmpp_core::error::StreamCondition;
use xmpp_core::stream::{self, FeatureKind};
use xmpp_net::{CertificateFault, NetError};

async fn refused(config: Config) -> ConnectError {
    match tokio::time::timeout(Duration::from_secs(20), Client::connect(config)).await {
        Ok(Err(error)) => error,
        Ok(Ok(_)) => panic!("logged in"),
        Err(_) => panic!("neither refused nor accepted in time"),
    }
}

/// A server that answers the first bytes of each connection with a fixed text, and then stays silent.
async fn scripted(answer: &'static str, close: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = connection.read(&mut buffer).await;
                let _ = connection.write_all(answer.as_bytes()).await;
                while !close && matches!(connection.read(&mut buffer).await, Ok(1..)) {}
            });
        }
    });
    address
}

const HEADER: &str = "<stream:stream from='example.org' id='1' version='1.0' xmlns='jabber:client' \
                      xmlns:stream='http://etherx.jabber.org/streams'>";

#[tokio::test]
async fn a_client_logs_in_over_starttls_and_over_direct_tls() {
    let trust = Trust::new();
    for direct in [false, true] {
        let server = Server::start(&trust, direct).await;
        let (client, _incoming) = Client::connect(server.config(&trust).direct_tls(direct))
            .await
            .unwrap();
        assert_eq!(client.jid().as_str(), "juliet@example.org/balcony");
        assert_eq!(client.end(), None);
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_failure() {
    let trust = Trust::new();
    for (jid, password) in [
        ("juliet@example.org", "wrong"),
        ("nobody@example.org", PASSWORD),
    ] {
        let server = Server::start(&trust, false).await;
        let error = refused(
            config(jid, password)
                .server(&server.address)
                .tls(trust.client.clone()),
        )
        .await;
        assert!(error.is_authentication(), "{jid}: {error:?}");
    }
}

#[tokio::test]
async fn a_domain_that_the_server_does_not_serve_is_told_apart_from_a_wrong_password() {
    let trust = Trust::new();
    let server = Server::start(&trust, false).await;
    let error = refused(
        config("juliet@elsewhere.example", PASSWORD)
            .server(&server.address)
            .tls(trust.client.clone()),
    )
    .await;
    assert!(!error.is_authentication());
    match error {
        ConnectError::Stream(stream::Error::Refused(error)) => {
            assert_eq!(error.condition, StreamCondition::HostUnknown);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_told_apart_from_a_closed_port() {
    let trust = Trust::new();
    let unknown = config("juliet@does-not-exist.invalid", PASSWORD).tls(trust.client.clone());
    assert!(matches!(
        refused(unknown).await,
        ConnectError::Net(NetError::NameNotFound { .. })
    ));
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let closed = config("juliet@example.org", PASSWORD)
        .server(free.to_string())
        .tls(trust.client.clone());
    assert!(matches!(
        refused(closed).await,
        ConnectError::Net(NetError::Refused { .. })
    ));
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_ends_the_attempt() {
    let (trust, stranger) = (Trust::new(), Trust::new());
    let server = Server::start(&trust, false).await;
    let error = refused(server.config(&trust).tls(stranger.client.clone())).await;
    let ConnectError::Net(NetError::Certificate { fault, .. }) = error else {
        panic!("{error:?}")
    };
    assert!(matches!(fault, CertificateFault::Untrusted), "{fault:?}");

    let other = Trust::of("other.example");
    let server = Server::start(&other, false).await;
    let error = refused(server.config(&other)).await;
    assert!(
        matches!(error, ConnectError::Net(NetError::Certificate { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_gets_no_credentials() {
    const FEATURES: &str = "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
                            <mechanism>PLAIN</mechanism></mechanisms></stream:features>";
    let answer: &'static str = Box::leak(format!("{HEADER}{FEATURES}").into_boxed_str());
    let address = scripted(answer, false).await;
    let error = refused(
        config("juliet@example.org", PASSWORD)
            .server(address)
            .tls(Trust::new().client),
    )
    .await;
    let ConnectError::Stream(stream::Error::NotOffered(feature)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(feature, FeatureKind::StartTls);
}

#[tokio::test]
async fn a_server_that_is_none_ends_the_attempt() {
    let trust = Trust::new();
    for answer in [
        "HTTP/1.1 400 Bad Request\r\n\r\n",
        "<html/>",
        "<stream:stream>",
    ] {
        let address = scripted(answer, false).await;
        let error = refused(
            config("juliet@example.org", PASSWORD)
                .server(address)
                .tls(trust.client.clone()),
        )
        .await;
        let told = matches!(
            error,
            ConnectError::Stream(stream::Error::Xml(_) | stream::Error::Violation(_))
        );
        assert!(told, "{answer}: {error:?}");
    }
}

#[tokio::test]
async fn silence_and_hanging_up_end_the_attempt() {
    let trust = Trust::new();
    let limit = Duration::from_millis(300);
    let base = config("juliet@example.org", PASSWORD)
        .tls(trust.client.clone())
        .negotiation_timeout(limit);
    let error = refused(base.clone().server(scripted("", false).await)).await;
    assert!(
        matches!(error, ConnectError::Stream(stream::Error::Timeout(_))),
        "{error:?}"
    );
    let error = refused(base.server(scripted(HEADER, true).await)).await;
    assert!(
        matches!(error, ConnectError::Stream(stream::Error::Disconnected(_))),
        "{error:?}"
    );
}
