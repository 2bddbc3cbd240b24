//! Servers known by their key, and clients that show a certificate.

use std::sync::Arc;

use rcgen::PublicKeyData;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use xmpp_net::{CertificateFault, ConfigError, NetError, TlsClient};

use crate::support::{Authority, DOMAIN, Issued, pair, raw, soon, starttls};

fn hash_of_key(issued: &Issued) -> [u8; 32] {
    let key = rcgen::KeyPair::from_pem(&issued.key).unwrap();
    Sha256::digest(key.subject_public_key_info()).into()
}

#[tokio::test]
async fn a_server_is_known_by_its_key_alone() {
    // Neither issuer, name nor dates would do.
    let issued = Authority::new().issue_expired("elsewhere.example");
    let client = TlsClient::with_pinned_key(hash_of_key(&issued)).unwrap();
    let (near, _) = soon(starttls(&client, &issued.server(), DOMAIN)).await;
    near.unwrap();
    let authority = Authority::new();
    let (near, _) = soon(starttls(&client, &authority.server(DOMAIN), DOMAIN)).await;
    let error = near.unwrap_err();
    let NetError::Certificate { fault, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(fault, CertificateFault::Untrusted);
}

#[tokio::test]
async fn a_client_shows_its_certificate_to_a_server_that_asks_for_one() {
    let authority = Authority::new();
    let own = authority.issue("juliet.example.org");
    let with = |client: TlsClient| client.certificate(own.chain.as_bytes(), own.key.as_bytes());
    let client = with(authority.client()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority.der())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
    let server = authority.issue(DOMAIN);
    let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let chain = CertificateDer::from_pem_slice(server.chain.as_bytes()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(raw::ALL_VERSIONS)
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(vec![chain], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (near, far) = pair().await;
    let (near, far) =
        soon(async { tokio::join!(near.start_tls_client(&client, DOMAIN), acceptor.accept(far)) })
            .await;
    near.unwrap();
    let far = far.unwrap();
    let shown = far.get_ref().1.peer_certificates().unwrap();
    let expected = CertificateDer::from_pem_slice(own.chain.as_bytes()).unwrap();
    assert_eq!(shown.first(), Some(&expected));
    // One that shows none is turned away.
    let (near, far) = pair().await;
    let without = authority.client();
    let (_, far) = soon(async {
        tokio::join!(
            near.start_tls_client(&without, DOMAIN),
            acceptor.accept(far)
        )
    })
    .await;
    assert!(far.is_err());
    let other = authority.issue(DOMAIN);
    let wrong = without.certificate(own.chain.as_bytes(), other.key.as_bytes());
    assert!(matches!(wrong.unwrap_err(), ConfigError::KeyMismatch));
}
