//! Whom a client trusts, and what it says when it does not.

use std::time::Duration;

use crate::support::{Authority, DOMAIN, command, itself, soon, starttls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_net::{Blame, CertificateFault, ConfigError, NetError, Roots, TlsClient, TlsServer};

/// The fault that a client finds in the server's certificate; the server hears of it by an alert.
async fn fault(client: &TlsClient, server: &TlsServer, domain: &str) -> CertificateFault {
    let (client, server) = soon(starttls(client, server, domain)).await;
    let server = server.unwrap_err();
    assert!(matches!(server, NetError::Alert { .. }), "{server:?}");
    assert_eq!(server.blame(), Blame::Peer);
    let error = client.unwrap_err();
    assert_eq!(error.blame(), Blame::Peer);
    match error {
        NetError::Certificate {
            domain: checked,
            fault,
        } => {
            assert_eq!(checked, domain);
            fault
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_given_ca_is_trusted() {
    let authority = Authority::new();
    let server = authority.server(DOMAIN);
    let clients = [
        TlsClient::with_ca(authority.pem().as_bytes()).unwrap(),
        TlsClient::with_ca(&authority.der()).unwrap(),
    ];
    for client in clients {
        let (client, server) = soon(starttls(&client, &server, DOMAIN)).await;
        let (mut client, mut server) = (client.unwrap(), server.unwrap());
        client.write_all(b"<stream").await.unwrap();
        client.flush().await.unwrap();
        let mut got = [0; 7];
        soon(server.read_exact(&mut got)).await.unwrap();
        assert_eq!(&got, b"<stream");
    }
}

#[tokio::test]
async fn one_of_several_given_cas_is_enough() {
    let (one, other) = (Authority::new(), Authority::new());
    let both = TlsClient::with_ca((one.pem() + &other.pem()).as_bytes()).unwrap();
    for authority in [one, other] {
        let (client, _) = soon(starttls(&both, &authority.server(DOMAIN), DOMAIN)).await;
        client.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_untrusted() {
    let client = Authority::new().client();
    let server = Authority::new().server(DOMAIN);
    assert_eq!(
        fault(&client, &server, DOMAIN).await,
        CertificateFault::Untrusted
    );
}

#[tokio::test]
async fn a_client_without_any_root_trusts_nobody() {
    let client = TlsClient::new(Roots::empty()).unwrap();
    let server = Authority::new().server(DOMAIN);
    assert_eq!(
        fault(&client, &server, DOMAIN).await,
        CertificateFault::Untrusted
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_told_from_an_untrusted_one() {
    let authority = Authority::new();
    let fault = fault(
        &authority.client(),
        &authority.server("example.com"),
        DOMAIN,
    )
    .await;
    let CertificateFault::WrongName { presented } = &fault else {
        panic!("{fault:?}")
    };
    assert!(
        presented.iter().any(|name| name.contains("example.com")),
        "{presented:?}"
    );
    assert!(fault.to_string().contains("example.com"), "{fault}");
}

#[tokio::test]
async fn the_name_that_counts_is_the_domain_and_not_the_address() {
    // The connection goes to 127.0.0.1, and the certificate says so, but the domain is another.
    let authority = Authority::new();
    let fault = fault(&authority.client(), &authority.server("127.0.0.1"), DOMAIN).await;
    assert!(
        matches!(fault, CertificateFault::WrongName { .. }),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_wildcard_stands_for_one_label_only() {
    let authority = Authority::new();
    let (client, server) = (authority.client(), authority.server("*.example.org"));
    let (near, far) = soon(starttls(&client, &server, "xmpp.example.org")).await;
    near.unwrap();
    far.unwrap();
    for domain in ["example.org", "a.b.example.org"] {
        let fault = fault(&authority.client(), &server, domain).await;
        assert!(
            matches!(fault, CertificateFault::WrongName { .. }),
            "{domain}: {fault:?}"
        );
    }
}

#[tokio::test]
async fn the_common_name_of_the_subject_does_not_count() {
    let authority = Authority::new();
    for name in [None, Some("example.com")] {
        let server = authority.issue_with_common_name(DOMAIN, name).server();
        let fault = fault(&authority.client(), &server, DOMAIN).await;
        assert!(
            matches!(fault, CertificateFault::WrongName { .. }),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn an_internationalised_domain_matches_its_a_labels() {
    let authority = Authority::new();
    let server = authority.server("xn--bcher-kva.example");
    let (client, _) = soon(starttls(&authority.client(), &server, "bücher.example")).await;
    client.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_is_told_from_an_untrusted_one() {
    let authority = Authority::new();
    let server = authority.issue_expired(DOMAIN).server();
    let fault = fault(&authority.client(), &server, DOMAIN).await;
    let CertificateFault::Expired { since } = fault else {
        panic!("{fault:?}")
    };
    assert!(since > Duration::from_secs(86_400 * 365), "{since:?}");
}

#[tokio::test]
async fn a_certificate_of_the_future_is_told_from_an_expired_one() {
    let authority = Authority::new();
    let server = authority.issue_for_the_future(DOMAIN).server();
    let fault = fault(&authority.client(), &server, DOMAIN).await;
    assert!(
        matches!(fault, CertificateFault::NotYetValid { .. }),
        "{fault:?}"
    );
}

#[tokio::test]
async fn a_ca_given_in_a_file_is_trusted() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    std::fs::write(&path, authority.pem()).unwrap();
    let client = TlsClient::with_ca_file(&path).unwrap();
    let (client, _) = soon(starttls(&client, &authority.server(DOMAIN), DOMAIN)).await;
    client.unwrap();
}

#[test]
fn a_ca_that_is_none_is_refused_and_its_file_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let error = TlsClient::with_ca_file(&missing).unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
    assert!(error.to_string().contains("missing.pem"), "{error}");

    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").unwrap();
    let error = TlsClient::with_ca_file(&empty).unwrap_err();
    assert!(
        matches!(error, ConfigError::NoCertificate { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("empty.pem"), "{error}");

    let error = TlsClient::with_ca(b"\x30\x03garbage").unwrap_err();
    assert!(
        matches!(error, ConfigError::InvalidCertificate { .. }),
        "{error:?}"
    );
}

#[test]
fn the_roots_of_the_system_are_trusted_and_no_others() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let (roots, key) = (
        folder.path().join("roots.pem"),
        folder.path().join("key.pem"),
    );
    let chain = folder.path().join("chain.pem");
    let issued = authority.issue(DOMAIN);
    std::fs::write(&roots, authority.pem()).unwrap();
    std::fs::write(&chain, issued.chain).unwrap();
    std::fs::write(&key, issued.key).unwrap();
    let status = command(&itself("certificates::with_the_roots_of_the_environment"))
        .env("SSL_CERT_FILE", &roots)
        .env_remove("SSL_CERT_DIR")
        .env("TEST_CHAIN", &chain)
        .env("TEST_KEY", &key)
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "run by the_roots_of_the_system_are_trusted_and_no_others with its environment"]
async fn with_the_roots_of_the_environment() {
    let server = TlsServer::from_pem_files(
        std::env::var("TEST_CHAIN").unwrap(),
        std::env::var("TEST_KEY").unwrap(),
    )
    .unwrap();
    assert_eq!(Roots::system().unwrap().len(), 1);
    let client = TlsClient::system_roots().unwrap();
    let (near, _) = soon(starttls(&client, &server, DOMAIN)).await;
    near.unwrap();
    let stranger = Authority::new().server(DOMAIN);
    let client = TlsClient::system_roots().unwrap();
    assert_eq!(
        fault(&client, &stranger, DOMAIN).await,
        CertificateFault::Untrusted
    );
}

#[test]
fn a_system_without_roots_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let status = command(&itself("certificates::without_roots_in_the_environment"))
        .env("SSL_CERT_FILE", &empty)
        .env_remove("SSL_CERT_DIR")
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "run by a_system_without_roots_is_an_error_at_once with its environment"]
fn without_roots_in_the_environment() {
    let error = TlsClient::system_roots().unwrap_err();
    assert!(
        matches!(error, ConfigError::NoSystemRoots { .. }),
        "{error:?}"
    );
}
