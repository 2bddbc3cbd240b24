//! What both sides know of the channel below: whether it is encrypted, and what an exchange can be bound to.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use zeroize::Zeroizing;

use crate::error::UnknownName;

/// A channel as one side sees it.
///
/// The default is a cleartext channel, on which PLAIN and the -PLUS mechanisms are neither offered nor chosen.
#[derive(Clone, Debug, Default)]
pub struct Channel {
    encrypted: bool,
    bindings: Vec<ChannelBinding>,
    announced: Option<Vec<String>>,
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

    /// Client: the channel-binding types that the server announced (XEP-0440). Without an announcement, or
    /// with an empty one, the server is taken to support whatever we have.
    #[must_use]
    pub fn announced<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Channel {
        let names: Vec<String> = names.into_iter().map(ToString::to_string).collect();
        self.announced = Some(names).filter(|names| !names.is_empty());
        self
    }

    /// Whether the channel is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// The data to bind to, the strongest kind first.
    pub fn bindings(&self) -> &[ChannelBinding] {
        &self.bindings
    }

    pub(crate) fn announced_kinds(&self) -> &[String] {
        self.announced.as_deref().unwrap_or_default()
    }

    /// The strongest binding that the server has too, as far as it told.
    pub(crate) fn mutual_binding(&self) -> Option<&ChannelBinding> {
        self.bindings.iter().find(|binding| match &self.announced {
            Some(names) => names.iter().any(|name| name == binding.kind.name()),
            None => true,
        })
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
