//! The certificates are good for TLS, and only for the names that they were made for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_examples::certificates::{Authority, CertificateError, write_files};
use xmpp_net::{Connector, Listener, TlsClient, TlsServer};

/// Whether a client that trusts `authority` gets a byte from a server with this certificate, under `domain`.
async fn trusted(authority: &str, certificate: &str, key: &str, domain: &str) -> bool {
    let listener = Listener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_address().unwrap();
    let tls = TlsServer::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let server = tokio::spawn(async move {
        if let Ok(mut connection) = listener
            .accept()
            .await
            .unwrap()
            .start_tls_server(&tls)
            .await
        {
            connection.write_all(b"!").await.unwrap();
            connection.shutdown().await.unwrap();
        }
    });
    let tls = TlsClient::with_ca(authority.as_bytes()).unwrap();
    let connection = Connector::new()
        .connect(&address.to_string())
        .await
        .unwrap();
    let answer = match connection.start_tls_client(&tls, domain).await {
        Ok(mut connection) => connection.read_u8().await.is_ok_and(|byte| byte == b'!'),
        Err(_) => false,
    };
    server.await.unwrap();
    answer
}

#[tokio::test]
async fn a_server_is_trusted_for_its_names_and_no_other() {
    let authority = Authority::new("Test authority").unwrap();
    let issued = authority.issue(&["example.org", "127.0.0.1"]).unwrap();
    let ca = authority.certificate();
    assert!(trusted(&ca, &issued.certificate, &issued.key, "example.org").await);
    assert!(trusted(&ca, &issued.certificate, &issued.key, "127.0.0.1").await);
    assert!(!trusted(&ca, &issued.certificate, &issued.key, "example.com").await);
}

#[tokio::test]
async fn another_authority_of_the_same_name_is_not_trusted() {
    let authority = Authority::new("Test authority").unwrap();
    let issued = authority.issue(&["example.org"]).unwrap();
    let other = Authority::new("Test authority").unwrap().certificate();
    assert!(!trusted(&other, &issued.certificate, &issued.key, "example.org").await);
}

#[tokio::test]
async fn files_serve_a_server_and_its_clients() {
    let folder = tempfile::tempdir().unwrap();
    let files = write_files(folder.path(), &["example.org"]).unwrap();
    let read = |path| std::fs::read_to_string(path).unwrap();
    let (ca, certificate, key) = (
        read(&files.authority),
        read(&files.certificate),
        read(&files.key),
    );
    assert!(trusted(&ca, &certificate, &key, "example.org").await);
    assert!(!ca.contains("PRIVATE KEY"));
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_the_key() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let files = write_files(folder.path(), &["example.org"]).unwrap();
    assert_eq!(
        std::fs::metadata(files.key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn files_that_are_there_already_stay() {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), &["example.org"]).unwrap();
    let before = std::fs::read(folder.path().join("ca.pem")).unwrap();
    assert!(matches!(
        write_files(folder.path(), &["example.org"]),
        Err(CertificateError::Write(..))
    ));
    assert_eq!(std::fs::read(folder.path().join("ca.pem")).unwrap(), before);
}

#[test]
fn a_certificate_needs_names_that_can_stand_in_it() {
    let authority = Authority::new("Test authority").unwrap();
    assert!(matches!(
        authority.issue(&[]),
        Err(CertificateError::NoName)
    ));
    assert!(matches!(
        authority.issue(&["dömäin"]),
        Err(CertificateError::Make(_))
    ));
}

#[test]
fn a_key_does_not_show_in_debug_output() {
    let authority = Authority::new("Test authority").unwrap();
    let issued = authority.issue(&["example.org"]).unwrap();
    assert!(!format!("{authority:?} {issued:?}").contains("PRIVATE"));
}
