//! TLS configuration of both roles.

mod client;
mod roots;
mod server;

use core::fmt;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use zeroize::Zeroizing;

pub use client::TlsClient;
pub use roots::Roots;
pub(crate) use server::Identity;
pub use server::TlsServer;

use crate::error::{ConfigError, NetError};

/// The ALPN name of a client's stream (XEP-0368 §8).
pub(crate) const ALPN_CLIENT: &[u8] = b"xmpp-client";

/// What the TLS handshake of a [`Connection`](crate::Connection) agreed on (RFC 7590 §3.6).
#[derive(Clone, Copy)]
pub struct TlsDetails<'a> {
    version: TlsVersion,
    stream: &'a TlsStream<TcpStream>,
}

/// A version of TLS. Older ones are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246), always with the extended master secret (RFC 7627).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl<'a> TlsDetails<'a> {
    pub(crate) fn of(stream: &'a TlsStream<TcpStream>) -> Option<Self> {
        let version = match stream.get_ref().1.protocol_version()? {
            ProtocolVersion::TLSv1_2 => TlsVersion::Tls12,
            ProtocolVersion::TLSv1_3 => TlsVersion::Tls13,
            _ => return None,
        };
        Some(Self { version, stream })
    }

    /// The version of TLS.
    pub fn version(&self) -> TlsVersion {
        self.version
    }

    /// The name of the cipher suite, as IANA has it.
    pub fn cipher_suite(&self) -> &'static str {
        let suite = self.stream.get_ref().1.negotiated_cipher_suite();
        suite
            .and_then(|suite| suite.suite().as_str())
            .unwrap_or("unknown")
    }

    /// The application protocol that ALPN agreed on, such as `xmpp-client`.
    pub fn application_protocol(&self) -> Option<&'a [u8]> {
        self.stream.get_ref().1.alpn_protocol()
    }

    /// Whether an earlier session with the same peer was resumed, so that certificates were not sent and checked again.
    pub fn is_resumed(&self) -> bool {
        self.stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// On a server: the domain that the client asked for (SNI).
    pub fn requested_domain(&self) -> Option<&'a str> {
        match self.stream {
            TlsStream::Client(_) => None,
            TlsStream::Server(stream) => stream.get_ref().1.server_name(),
        }
    }

    /// The peer's certificate in DER, to show it or to notice that it changed. It has been verified. On a resumed session, the one
    /// that the earlier handshake verified.
    pub fn peer_certificate(&self) -> Option<&'a [u8]> {
        Some(
            self.stream
                .get_ref()
                .1
                .peer_certificates()?
                .first()?
                .as_ref(),
        )
    }
}

impl fmt::Debug for TlsDetails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsDetails")
            .field("version", &self.version)
            .field("cipher_suite", &self.cipher_suite())
            .field(
                "application_protocol",
                &self.application_protocol().map(String::from_utf8_lossy),
            )
            .field("is_resumed", &self.is_resumed())
            .field("requested_domain", &self.requested_domain())
            .finish()
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

/// The `tls-exporter` channel binding (RFC 9266 §2).
pub(crate) fn exporter(stream: &TlsStream<TcpStream>) -> Option<[u8; 32]> {
    // Both roles demand the extended master secret for TLS 1.2, without which the binding is not defined.
    const LABEL: &[u8] = b"EXPORTER-Channel-Binding";
    let context = Some(&b""[..]);
    match stream {
        TlsStream::Client(stream) => stream
            .get_ref()
            .1
            .export_keying_material([0; 32], LABEL, context),
        TlsStream::Server(stream) => stream
            .get_ref()
            .1
            .export_keying_material([0; 32], LABEL, context),
    }
    .ok()
}

/// The domain of a JID as the certificate names it: A-labels, or an address without brackets.
pub(crate) fn server_name(domain: &str) -> Result<ServerName<'static>, NetError> {
    let invalid = || NetError::InvalidDomain {
        domain: domain.to_owned(),
    };
    if let Some(address) = domain
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: Ipv6Addr = address.parse().map_err(|_| invalid())?;
        return Ok(ServerName::from(IpAddr::from(address)));
    }
    ServerName::try_from(ascii_domain(domain).ok_or_else(invalid)?).map_err(|_| invalid())
}

/// A domain in A-labels.
pub(crate) fn ascii_domain(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        Some(domain.to_owned())
    } else {
        idna::domain_to_ascii(domain).ok()
    }
}

/// The cryptography of all configurations. No process-wide default is set or used.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
        .clone()
}

fn refused(error: rustls::Error) -> ConfigError {
    ConfigError::Tls {
        reason: error.to_string(),
    }
}

/// Bundles of all public CAs are about 250 kB; whatever is larger than this is no PEM file, and may be endless.
const LARGEST_FILE: usize = 16 * 1024 * 1024;

/// Reads a file that may hold a key: no copy of it stays in memory.
fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    // Room for all of it and one more byte, so that the buffer never moves.
    let room = usize::try_from(length)
        .unwrap_or(0)
        .saturating_add(1)
        .min(LARGEST_FILE);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.by_ref()
        .take(LARGEST_FILE as u64)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_internationalised_domain_is_compared_as_a_labels() {
        assert_eq!(
            server_name("bücher.example").unwrap().to_str(),
            "xn--bcher-kva.example"
        );
    }

    #[test]
    fn a_bracketed_ipv6_domain_is_compared_as_an_address() {
        assert!(matches!(
            server_name("[2001:db8::1]").unwrap(),
            ServerName::IpAddress(_)
        ));
        assert!(matches!(
            server_name("192.0.2.1").unwrap(),
            ServerName::IpAddress(_)
        ));
    }

    #[test]
    fn a_domain_that_no_certificate_can_name_is_the_callers_mistake() {
        for domain in ["", "exa mple.org", "[2001:db8::1", "[192.0.2.1]", "a..b"] {
            assert!(
                matches!(server_name(domain), Err(NetError::InvalidDomain { .. })),
                "{domain:?}"
            );
        }
    }
}
