//! The server's certificate and key: what is wrong with them, and how they are renewed.

use crate::support::{Authority, DOMAIN, Issued, soon, starttls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use xmpp_net::{CertificateFault, ConfigError, NetError, TlsServer};

struct Folder {
    folder: tempfile::TempDir,
}

impl Folder {
    fn with(issued: &Issued) -> Self {
        let this = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        this.write(issued);
        this
    }

    fn write(&self, issued: &Issued) {
        std::fs::write(self.folder.path().join("chain.pem"), &issued.chain).unwrap();
        std::fs::write(self.folder.path().join("key.pem"), &issued.key).unwrap();
    }

    fn load(&self) -> Result<TlsServer, ConfigError> {
        TlsServer::from_pem_files(
            self.folder.path().join("chain.pem"),
            self.folder.path().join("key.pem"),
        )
    }
}

#[test]
fn a_missing_file_is_named() {
    let issued = Authority::new().issue(DOMAIN);
    for missing in ["chain.pem", "key.pem"] {
        let folder = Folder::with(&issued);
        std::fs::remove_file(folder.folder.path().join(missing)).unwrap();
        let error = folder.load().unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }), "{error:?}");
        assert!(error.to_string().contains(missing), "{error}");
    }
}

#[test]
fn a_file_without_key_is_named() {
    let issued = Authority::new().issue(DOMAIN);
    let error = Folder::with(&Issued {
        key: issued.chain.clone(),
        chain: issued.chain,
    })
    .load()
    .unwrap_err();
    assert!(matches!(error, ConfigError::NoKey { .. }), "{error:?}");
    assert!(error.to_string().contains("key.pem"), "{error}");
}

#[test]
fn a_file_without_certificate_is_named() {
    let issued = Authority::new().issue(DOMAIN);
    let error = Folder::with(&Issued {
        chain: issued.key.clone(),
        key: issued.key,
    })
    .load()
    .unwrap_err();
    assert!(
        matches!(error, ConfigError::NoCertificate { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("chain.pem"), "{error}");
}

#[test]
fn a_key_of_another_certificate_does_not_match() {
    let authority = Authority::new();
    let (one, other) = (authority.issue(DOMAIN), authority.issue(DOMAIN));
    let error = TlsServer::from_pem(one.chain.as_bytes(), other.key.as_bytes()).unwrap_err();
    assert!(matches!(error, ConfigError::KeyMismatch), "{error:?}");
}

#[test]
fn an_encrypted_key_is_told_from_a_missing_one() {
    let issued = Authority::new().issue(DOMAIN);
    let texts = [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMAA=\n\
         -----END RSA PRIVATE KEY-----\n",
    ];
    for text in texts {
        let error = TlsServer::from_pem(issued.chain.as_bytes(), text.as_bytes()).unwrap_err();
        assert!(
            matches!(error, ConfigError::EncryptedKey { .. }),
            "{error:?}"
        );
    }
}

#[test]
fn garbage_in_the_place_of_certificate_or_key_is_told_apart() {
    let issued = Authority::new().issue(DOMAIN);
    let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    let error = TlsServer::from_pem(issued.chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(error, ConfigError::InvalidKey { .. }), "{error:?}");
    let chain = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let error = TlsServer::from_pem(chain.as_bytes(), issued.key.as_bytes()).unwrap_err();
    assert!(
        matches!(error, ConfigError::InvalidCertificate { .. }),
        "{error:?}"
    );
}

#[test]
fn neither_key_nor_certificate_show_in_debug_output() {
    let issued = Authority::new().issue(DOMAIN);
    let shown = format!("{:?}", issued.server());
    assert!(shown.len() < 200, "{shown}");
}

#[tokio::test]
async fn a_renewed_certificate_is_used_for_new_connections_while_the_old_go_on() {
    let (before, after) = (Authority::new(), Authority::new());
    let folder = Folder::with(&before.issue(DOMAIN));
    let server = folder.load().unwrap();
    let clone = server.clone();
    let (near, far) = soon(starttls(&before.client(), &clone, DOMAIN)).await;
    let (mut near, mut far) = (near.unwrap(), far.unwrap());

    folder.write(&after.issue(DOMAIN));
    server.reload().unwrap();

    far.write_all(b"still here").await.unwrap();
    far.flush().await.unwrap();
    soon(near.read_exact(&mut [0; 10])).await.unwrap();
    let (renewed, _) = soon(starttls(&after.client(), &clone, DOMAIN)).await;
    renewed.unwrap();
    let (old, _) = soon(starttls(&before.client(), &clone, DOMAIN)).await;
    let error = old.unwrap_err();
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
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_old_certificate_in_use() {
    let authority = Authority::new();
    let issued = authority.issue(DOMAIN);
    let folder = Folder::with(&issued);
    let server = folder.load().unwrap();
    folder.write(&Issued {
        chain: issued.chain,
        key: String::new(),
    });
    let error = server.reload().unwrap_err();
    assert!(matches!(error, ConfigError::NoKey { .. }), "{error:?}");
    let (near, _) = soon(starttls(&authority.client(), &server, DOMAIN)).await;
    near.unwrap();
}

#[tokio::test]
async fn a_certificate_is_replaced_by_one_in_memory() {
    let (before, after) = (Authority::new(), Authority::new());
    let server = before.server(DOMAIN);
    assert!(matches!(server.reload().unwrap_err(), ConfigError::NoFiles));
    let renewed = after.issue(DOMAIN);
    server
        .replace(renewed.chain.as_bytes(), renewed.key.as_bytes())
        .unwrap();
    let (near, _) = soon(starttls(&after.client(), &server, DOMAIN)).await;
    near.unwrap();
}
