//! TLS of the client.

use core::fmt;
use core::time::Duration;
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use sha2::{Digest, Sha256};

use super::server::certified_key;
use super::{Roots, provider, refused};
use crate::error::ConfigError;

/// How a client does TLS: whom it trusts. Make one and clone it, it is shared.
///
/// The server's certificate is always verified: that a trusted CA issued it, that it is valid now, and that it is for the
/// domain of the JID (RFC 6120 §13.7.2, RFC 6125). There is no way to leave that out. To talk to a server of one's own,
/// give its CA with [`with_ca`](Self::with_ca), or its key with [`with_pinned_key`](Self::with_pinned_key).
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
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(roots.into_store())
            .with_no_client_auth();
        Ok(Self::with_config(config))
    }

    fn with_config(mut config: ClientConfig) -> Self {
        // Without it the channel binding of TLS 1.2 proves nothing (RFC 9266 §4.2); RFC 9325 §3.5 demands it anyway.
        config.require_ems = true;
        Self {
            config: Arc::new(config),
            timeout: Duration::from_secs(30),
        }
    }

    /// Trusts only the server that has that key: the SHA-256 hash of its certificate's public key
    /// (`SubjectPublicKeyInfo` in DER). Who has the key is the server, so neither issuer, names nor dates of the
    /// certificate count; it may be renewed with the same key. For servers of one's own without a CA.
    ///
    /// # Errors
    /// [`ConfigError::Tls`], which does not happen unless the TLS library is broken.
    pub fn with_pinned_key(sha256: [u8; 32]) -> Result<Self, ConfigError> {
        let provider = provider();
        let verifier = PinnedKey {
            sha256,
            algorithms: provider.signature_verification_algorithms,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self::with_config(config))
    }

    /// Presents a certificate to servers that ask for one, for SASL EXTERNAL (XEP-0178 §2): the chain, one's own first,
    /// and its private key, as [`TlsServer::from_pem`](crate::TlsServer::from_pem) takes them. Default: none.
    ///
    /// # Errors
    /// [`ConfigError`] tells what is missing or does not match.
    pub fn certificate(mut self, chain: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let certified = certified_key((chain, None), (key, None))?;
        let mut config = ClientConfig::clone(&self.config);
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        // Sessions of before have not shown it.
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        self.config = Arc::new(config);
        Ok(self)
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

/// How many servers the tickets of a client are kept for, as the TLS library has it by default.
const SESSIONS: usize = 256;

/// Takes one key for the server's, whatever the certificate says.
#[derive(Debug)]
struct PinnedKey {
    sha256: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for PinnedKey {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        if <[u8; 32]>::from(Sha256::digest(&key)) == self.sha256 {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::UnknownIssuer.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl fmt::Debug for TlsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsClient")
            .field("handshake_timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
