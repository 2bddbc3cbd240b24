//! What both sides know of the channel below: whether it is encrypted, and what an exchange can be bound to.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::end_point::{self, CertificateError};
use crate::error::UnknownName;

/// A channel as one side sees it, and the stream on it.
///
/// The default is a cleartext channel, on which nothing but SCRAM without -PLUS and ANONYMOUS is offered or chosen.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    encrypted: bool,
    sasl2: bool,
    bindings: Vec<ChannelBinding>,
    announced: Option<Vec<String>>,
    identities: Vec<String>,
    host: Option<String>,
    port: Option<u16>,
}

impl Channel {
    /// A channel that anybody on the way can read.
    pub fn cleartext() -> Channel {
        Channel::default()
    }

    /// A TLS channel; on the client one whose certificate was verified.
    pub fn tls() -> Channel {
        Channel {
            encrypted: true,
            ..Channel::default()
        }
    }

    /// Adds data to which an exchange can be bound. Without any there is no -PLUS mechanism.
    #[must_use]
    pub fn binding(mut self, binding: ChannelBinding) -> Channel {
        self.bindings.retain(|known| known.kind != binding.kind);
        self.bindings.push(binding);
        self.bindings.sort_by_key(|binding| binding.kind);
        self
    }

    /// The channel-binding types that the server announced on this stream (XEP-0440 §2): on the client as they came, on
    /// the server [`ServerConfig::binding_kinds`](crate::ServerConfig::binding_kinds) where it announces them. Both
    /// sides hash them (XEP-0474), so both have to tell. Without an announcement, or with an empty one, the client
    /// takes the server to support whatever it has itself.
    #[must_use]
    pub fn announced<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Channel {
        self.announced = Some(names.into_iter().map(ToString::to_string).collect());
        self
    }

    /// The exchange goes by SASL2 (XEP-0388): no PLAIN is offered (§2.1), and a client refuses -PLUS mechanisms without
    /// an announcement of types (XEP-0440 §3, rule 4). Default: RFC 6120.
    #[must_use]
    pub fn sasl2(mut self) -> Channel {
        self.sasl2 = true;
        self
    }

    /// Server: whom the certificate names that the client presented and TLS verified. In XMPP bare JIDs, from xmppAddr
    /// or by any mapping of the server's (XEP-0178 §2), or the domain between servers (§3). They are compared as they
    /// are, so give them in their normal form. EXTERNAL is offered where there is one.
    #[must_use]
    pub fn identities<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Channel {
        self.identities = names.into_iter().map(ToString::to_string).collect();
        self
    }

    /// The server's name, as the client wanted to reach it: OAUTHBEARER sends it from the client and compares it on the
    /// server (RFC 7628 §3.1), without regard to ASCII case; DIGEST-MD5 hashes it. Default: not sent, and not compared.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Channel {
        self.host = Some(name.into());
        self
    }

    /// The server's port, as [`host`](Channel::host).
    #[must_use]
    pub fn port(mut self, port: u16) -> Channel {
        self.port = Some(port);
        self
    }

    /// Whether the channel is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether the exchange goes by SASL2.
    pub fn is_sasl2(&self) -> bool {
        self.sasl2
    }

    /// The data to bind to, the strongest kind first.
    pub fn bindings(&self) -> &[ChannelBinding] {
        &self.bindings
    }

    /// `None` without an announcement, which is not the same as an empty one to a hash over it.
    pub(crate) fn announcement(&self) -> Option<&[String]> {
        self.announced.as_deref()
    }

    pub(crate) fn announced_kinds(&self) -> &[String] {
        self.announced.as_deref().unwrap_or_default()
    }

    /// The strongest binding that the server has too, as far as it told.
    pub(crate) fn mutual_binding(&self) -> Option<&ChannelBinding> {
        let announced = self.announced_kinds();
        self.bindings.iter().find(|binding| {
            announced.is_empty() || announced.iter().any(|name| name == binding.kind.name())
        })
    }

    pub(crate) fn binding_of(&self, kind: BindingKind) -> Option<&ChannelBinding> {
        self.bindings.iter().find(|binding| binding.kind == kind)
    }

    pub(crate) fn peer_identities(&self) -> &[String] {
        &self.identities
    }

    pub(crate) fn host_name(&self) -> Option<&str> {
        self.host.as_deref()
    }

    pub(crate) fn port_number(&self) -> Option<u16> {
        self.port
    }
}

/// Data that identifies one channel to both of its ends (RFC 5056), and its type.
#[derive(Clone)]
pub struct ChannelBinding {
    kind: BindingKind,
    data: Zeroizing<Vec<u8>>,
}

impl ChannelBinding {
    /// The TLS exporter's 32 bytes under the label `EXPORTER-Channel-Binding` with an empty context (RFC 9266 §2).
    pub fn tls_exporter(data: [u8; 32]) -> ChannelBinding {
        ChannelBinding {
            kind: BindingKind::TlsExporter,
            data: Zeroizing::new(data.to_vec()),
        }
    }

    /// The first Finished message of the latest TLS handshake, whoever sent it (RFC 5929 §3); `None` when it is empty.
    /// Up to TLS 1.2 only, and only with the extended master secret or without resumption (RFC 7627); TLS 1.3 has no
    /// such data (RFC 9266 §3).
    pub fn tls_unique(finished: &[u8]) -> Option<ChannelBinding> {
        ChannelBinding::new(BindingKind::TlsUnique, finished)
    }

    /// The hash of the server's certificate, given in DER as it stood first in the server's Certificate message
    /// (RFC 5929 §4). The hash function is that of the certificate's signature; SHA-256 in place of MD5 and SHA-1.
    ///
    /// # Errors
    /// [`CertificateError`]: the bytes are no certificate, or its signature has no hash function of its own (Ed25519),
    /// several, or an unknown one. Then this type is undefined; do not offer it.
    pub fn tls_server_end_point(certificate: &[u8]) -> Result<ChannelBinding, CertificateError> {
        Ok(ChannelBinding {
            kind: BindingKind::TlsServerEndPoint,
            data: Zeroizing::new(end_point::hash(certificate)?),
        })
    }

    /// Data of any kind; `None` when it is empty, which no kind allows (RFC 5802 §7, `cbind-data`).
    pub fn new(kind: BindingKind, data: impl Into<Vec<u8>>) -> Option<ChannelBinding> {
        let data = Zeroizing::new(data.into());
        (!data.is_empty()).then_some(ChannelBinding { kind, data })
    }

    /// The type of the data.
    pub fn kind(&self) -> BindingKind {
        self.kind
    }

    pub(crate) fn data(&self) -> &[u8] {
        &self.data
    }
}

/// The data is not shown.
impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelBinding({}, [redacted])", self.kind)
    }
}

/// A registered channel-binding type; ordered from the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BindingKind {
    /// `tls-exporter` (RFC 9266): TLS 1.3, or 1.2 with the extended master secret.
    TlsExporter,
    /// `tls-unique` (RFC 5929 §3): TLS 1.2 and older only.
    TlsUnique,
    /// `tls-server-end-point` (RFC 5929 §4): the hash of the server's certificate.
    TlsServerEndPoint,
}

impl BindingKind {
    /// Every kind, the strongest first.
    pub const ALL: &'static [BindingKind] = &[
        BindingKind::TlsExporter,
        BindingKind::TlsUnique,
        BindingKind::TlsServerEndPoint,
    ];

    /// The registered name, such as `tls-exporter`.
    pub const fn name(self) -> &'static str {
        match self {
            BindingKind::TlsExporter => "tls-exporter",
            BindingKind::TlsUnique => "tls-unique",
            BindingKind::TlsServerEndPoint => "tls-server-end-point",
        }
    }
}

impl FromStr for BindingKind {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<BindingKind, UnknownName> {
        BindingKind::ALL
            .iter()
            .find(|kind| kind.name() == name)
            .copied()
            .ok_or(UnknownName)
    }
}

impl fmt::Display for BindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
