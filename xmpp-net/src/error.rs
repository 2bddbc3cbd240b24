//! What can go wrong, and whose fault it is.

use core::fmt;
use core::time::Duration;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use rustls::{CertificateError, InvalidMessage};

/// A connection could not be made, or ended badly.
#[derive(Debug)]
#[non_exhaustive]
pub enum NetError {
    /// The address is not of the form `host:port`.
    InvalidAddress {
        /// The address as it was given.
        address: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The domain can stand in no certificate.
    InvalidDomain {
        /// The domain as it was given.
        domain: String,
    },
    /// TLS was started on a connection that is over TLS already.
    AlreadyTls,
    /// The name could not be resolved: it does not exist, has no address, or no name server answered. The system's
    /// resolver does not tell them apart reliably; `source` carries its words.
    NameNotFound {
        /// The name that was looked up.
        name: String,
        /// The system's error.
        source: io::Error,
    },
    /// The machine answered that nothing listens at this port.
    Refused {
        /// The address that was tried.
        address: SocketAddr,
    },
    /// No connection to this address can be made, for another reason than [`Refused`](Self::Refused): mostly no route.
    Unreachable {
        /// The address that was tried.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// Something took longer than its limit.
    Timeout {
        /// What took too long.
        phase: Phase,
        /// The limit.
        limit: Duration,
    },
    /// The server's certificate does not prove that it is the domain.
    Certificate {
        /// The domain that it was checked for.
        domain: String,
        /// What is wrong with it.
        fault: CertificateFault,
    },
    /// The peer speaks no TLS: other bytes came where its handshake should stand.
    NotTls,
    /// The peer speaks TLS, but no version, cipher, extension or application protocol that is acceptable here.
    Incompatible {
        /// What is missing, in the words of the TLS library.
        reason: String,
    },
    /// The peer ended TLS with an alert. A server that gets one in the handshake has mostly met a client that does not
    /// trust its certificate.
    Alert {
        /// The number of the alert (RFC 8446 §6).
        code: u8,
        /// Its name; empty if it is not known.
        name: &'static str,
    },
    /// The peer broke the TLS protocol.
    Tls {
        /// The error of the TLS library.
        source: Box<dyn core::error::Error + Send + Sync>,
    },
    /// The peer closed the connection in the middle of the handshake.
    HandshakeClosed,
    /// The connection was cut: it ended without `close_notify`, so bytes may be missing.
    Truncated,
    /// Any other error of the system.
    Io(io::Error),
}

/// Who is to blame for a [`NetError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Blame {
    /// The caller: the same call fails the same way again.
    Caller,
    /// The network, or a peer that is not there: it may work later.
    Network,
    /// The peer: it may work when its operator has changed something, or an attacker is gone.
    Peer,
}

/// What was going on when a limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Looking up the name.
    Lookup,
    /// Opening the TCP connection.
    Connect,
    /// The TLS handshake.
    Handshake,
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateFault {
    /// No trusted CA has issued it. Also when it names a trusted CA as its issuer, but the signature is not that CA's, as
    /// after a private CA was made anew.
    Untrusted,
    /// It belongs to other names.
    WrongName {
        /// The names that stand in it.
        presented: Vec<String>,
    },
    /// Its time, or that of a CA in its chain, is over.
    Expired {
        /// For how long already.
        since: Duration,
    },
    /// Its time has not begun. Often the clock of this machine is wrong.
    NotYetValid {
        /// How long it takes until then.
        wait: Duration,
    },
    /// Its issuer has revoked it.
    Revoked,
    /// Anything else.
    Invalid {
        /// The words of the TLS library.
        reason: String,
    },
}

/// Certificates, keys or roots cannot be used. This is always for the caller, or the operator, to mend.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// There is no certificate where one is needed.
    NoCertificate {
        /// The file; `None` if the text did not come from one.
        path: Option<PathBuf>,
    },
    /// A certificate cannot be parsed.
    InvalidCertificate {
        /// The file; `None` if the text did not come from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no private key where one is needed.
    NoKey {
        /// The file; `None` if the text did not come from one.
        path: Option<PathBuf>,
    },
    /// The private key is encrypted. Keys are read unencrypted only, protected by the permissions of the file.
    EncryptedKey {
        /// The file; `None` if the text did not come from one.
        path: Option<PathBuf>,
    },
    /// The private key cannot be parsed, or is of a kind that is not supported.
    InvalidKey {
        /// The file; `None` if the text did not come from one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        reason: String,
    },
    /// The private key is not the one of the first certificate of the chain.
    KeyMismatch,
    /// The system has no root certificates, or they cannot be read.
    NoSystemRoots {
        /// What went wrong; empty if nothing did, and there just are none.
        reason: String,
    },
    /// A server that was made from texts in memory has no files to reload.
    NoFiles,
    /// The TLS library refused the configuration, or has no random numbers.
    Tls {
        /// Its words.
        reason: String,
    },
}

impl NetError {
    /// Who is to blame, and so whether it makes sense to try again.
    pub fn blame(&self) -> Blame {
        match self {
            Self::InvalidAddress { .. } | Self::InvalidDomain { .. } | Self::AlreadyTls => {
                Blame::Caller
            }
            Self::NameNotFound { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::HandshakeClosed
            | Self::Truncated
            | Self::Io(_) => Blame::Network,
            Self::Certificate { .. }
            | Self::NotTls
            | Self::Incompatible { .. }
            | Self::Alert { .. }
            | Self::Tls { .. } => Blame::Peer,
        }
    }

    pub(crate) fn of_connect(error: io::Error, address: SocketAddr) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused { address },
            // The system gave up before we did.
            _ => Self::Unreachable {
                address,
                source: error,
            },
        }
    }

    /// The error of a handshake; `domain` is empty for a server.
    pub(crate) fn of_handshake(error: io::Error, domain: &str) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => return Self::HandshakeClosed,
            _ => {}
        }
        match error.downcast::<rustls::Error>() {
            Ok(error) => Self::of_tls(error, domain),
            Err(error) => Self::Io(error),
        }
    }

    /// Puts the typed error into an error of reading from TLS, where `From<io::Error>` finds it.
    pub(crate) fn typed_read_error(error: io::Error) -> io::Error {
        let kind = error.kind();
        if kind == io::ErrorKind::UnexpectedEof {
            return io::Error::new(kind, Self::Truncated);
        }
        match error.downcast::<rustls::Error>() {
            Ok(error) => io::Error::new(kind, Self::of_tls(error, "")),
            Err(error) => error,
        }
    }

    fn of_tls(error: rustls::Error, domain: &str) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate {
                domain: domain.to_owned(),
                fault: CertificateFault::of(error),
            },
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Self::NotTls,
            rustls::Error::PeerIncompatible(reason) => Self::Incompatible {
                reason: format!("{reason:?}"),
            },
            rustls::Error::NoApplicationProtocol => Self::Incompatible {
                reason: "NoApplicationProtocol".to_owned(),
            },
            rustls::Error::AlertReceived(alert) => Self::Alert {
                code: alert.into(),
                name: alert.as_str().unwrap_or_default(),
            },
            error => Self::Tls {
                source: Box::new(error),
            },
        }
    }
}

impl From<io::Error> for NetError {
    /// Gets the typed error out of an error of a [`Connection`](crate::Connection), or keeps it as [`NetError::Io`].
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => error,
            Err(error) => match error.downcast::<rustls::Error>() {
                Ok(error) => Self::of_tls(error, ""),
                Err(error) => Self::Io(error),
            },
        }
    }
}

impl CertificateFault {
    fn of(error: CertificateError) -> Self {
        match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::Untrusted,
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongName { presented }
            }
            CertificateError::NotValidForName => Self::WrongName {
                presented: Vec::new(),
            },
            CertificateError::ExpiredContext { time, not_after } => Self::Expired {
                since: Duration::from_secs(time.as_secs().saturating_sub(not_after.as_secs())),
            },
            CertificateError::Expired => Self::Expired {
                since: Duration::ZERO,
            },
            CertificateError::NotValidYetContext { time, not_before } => Self::NotYetValid {
                wait: Duration::from_secs(not_before.as_secs().saturating_sub(time.as_secs())),
            },
            CertificateError::NotValidYet => Self::NotYetValid {
                wait: Duration::ZERO,
            },
            CertificateError::Revoked => Self::Revoked,
            error => Self::Invalid {
                reason: error.to_string(),
            },
        }
    }
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidAddress { address, reason } => {
                write!(f, "{address:?} is not an address: {reason}")
            }
            Self::InvalidDomain { domain } => {
                write!(f, "{domain:?} is not a domain that a certificate can name")
            }
            Self::AlreadyTls => f.write_str("the connection is over TLS already"),
            Self::NameNotFound { name, source } => write!(f, "{name} could not be found: {source}"),
            Self::Refused { address } => {
                write!(f, "{address} refused the connection: nothing listens there")
            }
            Self::Unreachable { address, source } => {
                write!(f, "{address} could not be reached: {source}")
            }
            Self::Timeout { phase, limit } => write!(f, "{phase} took longer than {limit:?}"),
            Self::Certificate { domain, fault } if domain.is_empty() => {
                write!(f, "the peer's certificate was refused: {fault}")
            }
            Self::Certificate { domain, fault } => {
                write!(f, "the certificate for {domain} was refused: {fault}")
            }
            Self::NotTls => f.write_str("the peer speaks no TLS"),
            Self::Incompatible { reason } => {
                write!(f, "the peer's TLS is not compatible: {reason}")
            }
            Self::Alert { code, name } => write!(f, "the peer ended TLS with alert {code} {name}"),
            Self::Tls { source } => write!(f, "the peer broke the TLS protocol: {source}"),
            Self::HandshakeClosed => {
                f.write_str("the peer closed the connection in the TLS handshake")
            }
            Self::Truncated => f.write_str("the connection was cut: it ended without close_notify"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for NetError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NameNotFound { source, .. } | Self::Unreachable { source, .. } => Some(source),
            Self::Tls { source } => Some(source.as_ref()),
            Self::Io(error) => error.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lookup => "looking up the name",
            Self::Connect => "connecting",
            Self::Handshake => "the TLS handshake",
        })
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untrusted => f.write_str("it was issued by no trusted CA"),
            Self::WrongName { presented } if presented.is_empty() => {
                f.write_str("it names no host")
            }
            Self::WrongName { presented } => write!(f, "it is for {}", presented.join(", ")),
            Self::Expired { since } => write!(f, "it expired {} ago", Coarse(*since)),
            Self::NotYetValid { wait } => {
                write!(
                    f,
                    "it becomes valid in {}; is the clock of this machine right?",
                    Coarse(*wait)
                )
            }
            Self::Revoked => f.write_str("it was revoked"),
            Self::Invalid { reason } => f.write_str(reason),
        }
    }
}

/// A duration in its largest fitting unit.
struct Coarse(Duration);

impl fmt::Display for Coarse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs() {
            seconds @ 0..120 => write!(f, "{seconds} s"),
            seconds @ 120..7_200 => write!(f, "{} minutes", seconds / 60),
            seconds @ 7_200..172_800 => write!(f, "{} hours", seconds / 3_600),
            seconds => write!(f, "{} days", seconds / 86_400),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, source } => write!(f, "{}: {source}", path.display()),
            Self::NoCertificate { path } => write!(f, "{}no certificate in it", Place(path)),
            Self::InvalidCertificate { path, reason } => {
                write!(f, "{}a certificate cannot be read: {reason}", Place(path))
            }
            Self::NoKey { path } => write!(f, "{}no private key in it", Place(path)),
            Self::EncryptedKey { path } => {
                write!(
                    f,
                    "{}the private key is encrypted; it must be stored unencrypted",
                    Place(path)
                )
            }
            Self::InvalidKey { path, reason } => {
                write!(f, "{}the private key cannot be used: {reason}", Place(path))
            }
            Self::KeyMismatch => {
                f.write_str("the private key does not belong to the first certificate of the chain")
            }
            Self::NoSystemRoots { reason } if reason.is_empty() => f.write_str(
                "the system has no root certificates; install them (ca-certificates) or name a CA",
            ),
            Self::NoSystemRoots { reason } => {
                write!(
                    f,
                    "the root certificates of the system cannot be read: {reason}"
                )
            }
            Self::NoFiles => f.write_str(
                "certificate and key did not come from files, so they cannot be reloaded",
            ),
            Self::Tls { reason } => write!(f, "TLS cannot be configured: {reason}"),
        }
    }
}

/// A file's name and a colon, or nothing for a text in memory.
struct Place<'a>(&'a Option<PathBuf>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, "{}: ", path.display()),
            None => f.write_str("given PEM or DER: "),
        }
    }
}

impl core::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Unreadable { source, .. } => Some(source),
            _ => None,
        }
    }
}
