//! Certificates for a private network: an authority of one's own, and server certificates that it signs.
//!
//! Clients trust the authority's certificate and nothing else; its key is forgotten when [`Authority`] is dropped, so that
//! nobody can sign with it later.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

/// A day before now, because clocks differ.
const EARLIER: Duration = Duration::from_secs(24 * 60 * 60);
/// How long certificates are valid.
const VALID: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// A certificate authority that lives as long as this value.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate, followed by nothing: the authority is given to clients beforehand.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// Where a server finds its certificate and its clients the authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate, for clients.
    pub authority: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's private key, readable by its owner only.
    pub key: PathBuf,
}

impl Authority {
    /// Makes an authority with a fresh key.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn new(name: &str) -> Result<Self, CertificateError> {
        let mut params = params(Vec::new(), name)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// The authority's certificate, PEM.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// Makes a key and signs a server certificate for it. `names` are DNS names or IP addresses.
    ///
    /// # Errors
    /// When there is no name, or one that cannot stand in a certificate.
    pub fn issue(&self, names: &[&str]) -> Result<Certificate, CertificateError> {
        let Some(first) = names.first() else {
            return Err(CertificateError::NoName);
        };
        let mut params = params(names.iter().map(|name| (*name).to_owned()).collect(), first)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Certificate {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// Makes an authority and a server certificate for `names`, and writes `ca.pem`, `server.pem` and `server.key` into
/// `folder`. Files that are there already are not overwritten.
///
/// # Errors
/// See [`Authority::issue`]; and when a file cannot be written.
pub fn write_files(folder: &Path, names: &[&str]) -> Result<Files, CertificateError> {
    let authority = Authority::new("A private authority")?;
    let issued = authority.issue(names)?;
    let files = Files {
        authority: folder.join("ca.pem"),
        certificate: folder.join("server.pem"),
        key: folder.join("server.key"),
    };
    write_new(&files.authority, &authority.certificate(), 0o644)?;
    write_new(&files.certificate, &issued.certificate, 0o644)?;
    write_new(&files.key, &issued.key, 0o600)?;
    Ok(files)
}

/// Why there is no certificate.
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateError {
    /// No name was given to certify.
    NoName,
    /// A name or key is of no use.
    Make(rcgen::Error),
    /// A file could not be written.
    Write(PathBuf, io::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("a certificate needs at least one name"),
            Self::Make(cause) => write!(f, "the certificate cannot be made: {cause}"),
            Self::Write(path, cause) => write!(f, "{} cannot be written: {cause}", path.display()),
        }
    }
}

impl std::error::Error for CertificateError {}

impl From<rcgen::Error> for CertificateError {
    fn from(cause: rcgen::Error) -> Self {
        Self::Make(cause)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("certificate", &self.certificate)
            .finish_non_exhaustive()
    }
}

fn params(names: Vec<String>, common_name: &str) -> Result<CertificateParams, CertificateError> {
    let mut params = CertificateParams::new(names)?;
    let now = SystemTime::now();
    params.not_before = (now - EARLIER).into();
    params.not_after = (now + VALID).into();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    Ok(params)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|cause| CertificateError::Write(path.to_owned(), cause))
}
