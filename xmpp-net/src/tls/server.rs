//! TLS of the server.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, ServerConfig};
use zeroize::Zeroize;

use super::{ALPN_CLIENT, provider, read, refused, roots};
use crate::error::ConfigError;

/// How a server does TLS: its certificate and key. Make one and clone it, it is shared.
///
/// Clones share the certificate too, so that [`reload`](Self::reload) or [`replace`](Self::replace) on any of them changes
/// it for all new connections, whose handshakes are full ones the first time. Those that stand go on undisturbed.
///
/// Serves STARTTLS and direct TLS alike. A client that names application protocols (ALPN) must name `xmpp-client` among
/// them. Sessions may be resumed for 12 hours with tickets whose keys never leave the process.
#[derive(Clone)]
pub struct TlsServer {
    current: Arc<RwLock<Identity>>,
    files: Option<Arc<Files>>,
    timeout: Duration,
}

struct Files {
    chain: PathBuf,
    key: PathBuf,
}

impl TlsServer {
    /// Takes the certificate chain, the server's own first, and its private key from PEM texts. The chain may also be one
    /// certificate in DER.
    ///
    /// The key may be PKCS#8, PKCS#1 (RSA) or SEC1 (elliptic curve), not encrypted.
    ///
    /// # Errors
    /// [`ConfigError`] tells what is missing or does not match.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        Self::new(certified_key((chain, None), (key, None))?, None)
    }

    /// The same from two PEM files, which may be one and the same.
    ///
    /// # Errors
    /// [`ConfigError`] tells what is missing or does not match, and in which file.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, ConfigError> {
        let files = Files {
            chain: chain.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
        };
        Self::new(files.load()?, Some(Arc::new(files)))
    }

    fn new(certificate: CertifiedKey, files: Option<Arc<Files>>) -> Result<Self, ConfigError> {
        Ok(Self {
            current: Arc::new(RwLock::new(Identity::new(certificate)?)),
            files,
            timeout: Duration::from_secs(30),
        })
    }

    /// Limits the handshake. Default: 30 s, for devices on slow links. A peer that sends nothing costs a socket and a few
    /// kilobytes until then.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    /// Reads the files again, as after a renewal, for all clones.
    ///
    /// # Errors
    /// As [`from_pem_files`](Self::from_pem_files); the certificate that was in use stays in use. [`ConfigError::NoFiles`]
    /// if this was made from texts.
    pub fn reload(&self) -> Result<(), ConfigError> {
        let files = self.files.as_ref().ok_or(ConfigError::NoFiles)?;
        self.set(files.load()?)
    }

    /// Uses another certificate chain and key from now on, for all clones.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); the certificate that was in use stays in use.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), ConfigError> {
        self.set(certified_key((chain, None), (key, None))?)
    }

    fn set(&self, certificate: CertifiedKey) -> Result<(), ConfigError> {
        let identity = Identity::new(certificate)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = identity;
        Ok(())
    }

    /// What the next connection is served with.
    pub(crate) fn identity(&self) -> Identity {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Debug for TlsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsServer")
            .field("chain", &self.files.as_ref().map(|files| &files.chain))
            .field("handshake_timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl Files {
    fn load(&self) -> Result<CertifiedKey, ConfigError> {
        let chain = read(&self.chain)?;
        let key = read(&self.key)?;
        certified_key((&chain, Some(&self.chain)), (&key, Some(&self.key)))
    }
}

/// A certificate, and the configuration that serves it. Tickets belong to it, so that no session outlives the
/// certificate that it began with: both ends of a resumed one know the same.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificate: Arc<CertifiedKey>,
}

impl Identity {
    fn new(certificate: CertifiedKey) -> Result<Self, ConfigError> {
        let certificate = Arc::new(certificate);
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate.clone())));
        // Without it the channel binding of TLS 1.2 proves nothing (RFC 9266 §4.2); RFC 9325 §3.5 demands it anyway.
        config.require_ems = true;
        config.alpn_protocols = vec![ALPN_CLIENT.to_vec()];
        // Tickets cost the server no memory, and a stream that lasts needs but one for its next login.
        config.ticketer = ring::Ticketer::new().map_err(refused)?;
        config.send_tls13_tickets = 1;
        Ok(Self {
            config: Arc::new(config),
            certificate,
        })
    }
}

pub(super) type Text<'a> = (&'a [u8], Option<&'a Path>);

pub(super) fn certified_key(
    (chain, chain_path): Text<'_>,
    (key, key_path): Text<'_>,
) -> Result<CertifiedKey, ConfigError> {
    let chain = roots::certificates(chain, chain_path)?;
    let mut key = private_key(key, key_path)?;
    let signer = ring::sign::any_supported_type(&key);
    key.zeroize();
    let signer = signer.map_err(|error| ConfigError::InvalidKey {
        path: key_path.map(Path::to_owned),
        reason: error.to_string(),
    })?;
    let certified = CertifiedKey::new(chain, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(Error::InconsistentKeys(_)) => Err(ConfigError::KeyMismatch),
        Err(error) => Err(ConfigError::InvalidCertificate {
            path: chain_path.map(Path::to_owned),
            reason: error.to_string(),
        }),
    }
}

fn private_key(text: &[u8], path: Option<&Path>) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let path = || path.map(Path::to_owned);
    match PrivateKeyDer::from_pem_slice(text) {
        Ok(key) => Ok(key),
        Err(_) if is_encrypted(text) => Err(ConfigError::EncryptedKey { path: path() }),
        Err(pem::Error::NoItemsFound) => Err(ConfigError::NoKey { path: path() }),
        Err(error) => Err(ConfigError::InvalidKey {
            path: path(),
            reason: error.to_string(),
        }),
    }
}

fn is_encrypted(text: &[u8]) -> bool {
    // PKCS#8 has it in its first line, the older forms in a header.
    const LABEL: &[u8] = b"ENCRYPTED";
    text.windows(LABEL.len()).any(|window| window == LABEL)
}
