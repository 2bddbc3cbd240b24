//! TLS of the client.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use super::{Roots, provider, refused};
use crate::error::ConfigError;

/// How a client does TLS: whom it trusts. Make one and clone it, it is shared.
///
/// The server's certificate is always verified: that a trusted CA issued it, that it is valid now, and that it is for the
/// domain of the JID (RFC 6120 §13.7.2, RFC 6125). There is no way to leave that out. To talk to a server of one's own,
/// give its CA with [`with_ca`](Self::with_ca).
///
/// Sessions are resumed when the same server is met again (RFC 7590 §3.3); the tickets live in this object.
#[derive(Clone)]
pub struct TlsClient {
    config: Arc<ClientConfig>,
    timeout: Duration,
}

impl TlsClient {
    /// Trusts the CAs that the system trusts ([`Roots::system`]).
    ///
    /// # Errors
    /// [`ConfigError::NoSystemRoots`].
    pub fn system_roots() -> Result<Self, ConfigError> {
        Self::new(Roots::system()?)
    }

    /// Trusts only the given CAs: PEM text with any number of certificates, or one certificate in DER.
    ///
    /// # Errors
    /// [`ConfigError::NoCertificate`], [`ConfigError::InvalidCertificate`].
    pub fn with_ca(certificates: &[u8]) -> Result<Self, ConfigError> {
        Self::new(Roots::empty().and(certificates)?)
    }

    /// Trusts only the CAs of a file, in PEM or DER.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], and those of [`with_ca`](Self::with_ca).
    pub fn with_ca_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::new(Roots::empty().and_file(path)?)
    }

    /// Trusts the given roots.
    ///
    /// # Errors
    /// [`ConfigError::Tls`], which does not happen unless the TLS library is broken.
    pub fn new(roots: Roots) -> Result<Self, ConfigError> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots.into_store())
            .with_no_client_auth();
        // Without it the channel binding of TLS 1.2 proves nothing (RFC 9266 §4.2); RFC 9325 §3.5 demands it anyway.
        config.require_ems = true;
        Ok(Self {
            config: Arc::new(config),
            timeout: Duration::from_secs(30),
        })
    }

    /// Limits the handshake. Default: 30 s, for devices on slow links.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }

    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        self.config.clone()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("handshake_timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
