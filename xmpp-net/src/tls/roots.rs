//! Whom a client trusts.

use core::fmt;
use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::read;
use crate::error::ConfigError;

/// The CAs that a client trusts.
///
/// ```no_run
/// # fn main() -> Result<(), xmpp_net::ConfigError> {
/// // The public CAs and one's own.
/// let roots = xmpp_net::Roots::system()?.and_file("/etc/xmpp/ca.pem")?;
/// let tls = xmpp_net::TlsClient::new(roots)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Roots {
    store: RootCertStore,
}

impl Roots {
    /// Trusts nobody yet.
    pub fn empty() -> Self {
        Self {
            store: RootCertStore::empty(),
        }
    }

    /// The CAs that this system trusts. The environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name other places for
    /// them, as in OpenSSL. Single certificates that cannot be read are skipped.
    ///
    /// Costs about 100 kB of memory and some milliseconds for the usual set of public CAs.
    ///
    /// # Errors
    /// [`ConfigError::NoSystemRoots`].
    pub fn system() -> Result<Self, ConfigError> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(found.certs);
        if store.is_empty() {
            let reasons: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            return Err(ConfigError::NoSystemRoots {
                reason: reasons.join("; "),
            });
        }
        Ok(Self { store })
    }

    /// Trusts more CAs: PEM text with any number of certificates, or one certificate in DER.
    ///
    /// # Errors
    /// [`ConfigError::NoCertificate`], [`ConfigError::InvalidCertificate`].
    pub fn and(self, certificates: &[u8]) -> Result<Self, ConfigError> {
        self.add(certificates, None)
    }

    /// Trusts the CAs of a file more, in PEM or DER.
    ///
    /// # Errors
    /// [`ConfigError::Unreadable`], and those of [`and`](Self::and).
    pub fn and_file(self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        self.add(&read(path)?, Some(path))
    }

    /// The number of CAs.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.store.is_empty()
    }

    pub(super) fn into_store(self) -> RootCertStore {
        self.store
    }

    fn add(mut self, bytes: &[u8], path: Option<&Path>) -> Result<Self, ConfigError> {
        for certificate in certificates(bytes, path)? {
            self.store
                .add(certificate)
                .map_err(|error| ConfigError::InvalidCertificate {
                    path: path.map(Path::to_owned),
                    reason: error.to_string(),
                })?;
        }
        Ok(self)
    }
}

/// The certificates of a PEM text, or of one in DER; at least one.
pub(super) fn certificates(
    bytes: &[u8],
    path: Option<&Path>,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    // DER of a certificate begins with the tag of a sequence.
    if bytes.first() == Some(&0x30) {
        return Ok(vec![CertificateDer::from(bytes.to_vec())]);
    }
    let certificates = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| ConfigError::InvalidCertificate {
            path: path.map(Path::to_owned),
            reason: error.to_string(),
        })?;
    if certificates.is_empty() {
        return Err(ConfigError::NoCertificate {
            path: path.map(Path::to_owned),
        });
    }
    Ok(certificates)
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("len", &self.len()).finish()
    }
}
