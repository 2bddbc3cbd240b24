//! Mechanism names and their order.

use core::fmt;
use core::str::FromStr;

use crate::channel::BindingKind;
use crate::error::UnknownName;
use crate::hash::Hash;

/// A SASL mechanism that this crate speaks (RFC 4422 §3.1 for the names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// The certificate that the client presented to TLS (RFC 4422 appendix A, XEP-0178).
    External,
    /// A token with SHA-512, bound by `tls-exporter` (draft-schmaus-kitten-sasl-ht-09, XEP-0484).
    HtSha512Exporter,
    /// A token with SHA-256, bound by `tls-exporter`.
    HtSha256Exporter,
    /// A token with SHA-512, bound by `tls-unique`.
    HtSha512Unique,
    /// A token with SHA-256, bound by `tls-unique`.
    HtSha256Unique,
    /// A token with SHA-512, bound by `tls-server-end-point`.
    HtSha512EndPoint,
    /// A token with SHA-256, bound by `tls-server-end-point`.
    HtSha256EndPoint,
    /// SCRAM with SHA3-512, bound to the channel; with the feature `sha3`.
    #[cfg(feature = "sha3")]
    ScramSha3_512Plus,
    /// SCRAM with SHA-512, bound to the channel.
    ScramSha512Plus,
    /// SCRAM with SHA-256, bound to the channel (RFC 7677).
    ScramSha256Plus,
    /// SCRAM with SHA-1, bound to the channel (RFC 5802).
    ScramSha1Plus,
    /// SCRAM with SHA3-512; with the feature `sha3`.
    #[cfg(feature = "sha3")]
    ScramSha3_512,
    /// SCRAM with SHA-512.
    ScramSha512,
    /// SCRAM with SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM with SHA-1 (RFC 5802).
    ScramSha1,
    /// A token with SHA-512, not bound to the channel.
    HtSha512Unbound,
    /// A token with SHA-256, not bound to the channel.
    HtSha256Unbound,
    /// A password that is hashed once, for old servers (RFC 2831, RFC 6331); the client's side alone, with the feature
    /// `digest-md5`.
    #[cfg(feature = "digest-md5")]
    DigestMd5,
    /// An OAuth 2.0 bearer token (RFC 7628).
    OAuthBearer,
    /// The password itself (RFC 4616); only inside an encrypted channel.
    Plain,
    /// Nobody in particular (RFC 4505, XEP-0175).
    Anonymous,
}

/// What the mechanisms of one kind have in common.
#[derive(Clone, Copy)]
pub(crate) enum Family {
    External,
    Token {
        hash: Hash,
        binding: Option<BindingKind>,
    },
    Scram {
        hash: Hash,
        is_plus: bool,
    },
    #[cfg(feature = "digest-md5")]
    DigestMd5,
    OAuthBearer,
    Plain,
    Anonymous,
}

impl Mechanism {
    /// Every mechanism, the strongest first: binding to the channel counts for more than the hash.
    pub const ALL: &'static [Mechanism] = &[
        Mechanism::External,
        Mechanism::HtSha512Exporter,
        Mechanism::HtSha256Exporter,
        Mechanism::HtSha512Unique,
        Mechanism::HtSha256Unique,
        Mechanism::HtSha512EndPoint,
        Mechanism::HtSha256EndPoint,
        #[cfg(feature = "sha3")]
        Mechanism::ScramSha3_512Plus,
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        #[cfg(feature = "sha3")]
        Mechanism::ScramSha3_512,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::HtSha512Unbound,
        Mechanism::HtSha256Unbound,
        #[cfg(feature = "digest-md5")]
        Mechanism::DigestMd5,
        Mechanism::OAuthBearer,
        Mechanism::Plain,
        Mechanism::Anonymous,
    ];

    /// The registered name, such as `SCRAM-SHA-256-PLUS`.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::External => "EXTERNAL",
            Mechanism::HtSha512Exporter => "HT-SHA-512-EXPR",
            Mechanism::HtSha256Exporter => "HT-SHA-256-EXPR",
            Mechanism::HtSha512Unique => "HT-SHA-512-UNIQ",
            Mechanism::HtSha256Unique => "HT-SHA-256-UNIQ",
            Mechanism::HtSha512EndPoint => "HT-SHA-512-ENDP",
            Mechanism::HtSha256EndPoint => "HT-SHA-256-ENDP",
            #[cfg(feature = "sha3")]
            Mechanism::ScramSha3_512Plus => "SCRAM-SHA3-512-PLUS",
            Mechanism::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            #[cfg(feature = "sha3")]
            Mechanism::ScramSha3_512 => "SCRAM-SHA3-512",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::HtSha512Unbound => "HT-SHA-512-NONE",
            Mechanism::HtSha256Unbound => "HT-SHA-256-NONE",
            #[cfg(feature = "digest-md5")]
            Mechanism::DigestMd5 => "DIGEST-MD5",
            Mechanism::OAuthBearer => "OAUTHBEARER",
            Mechanism::Plain => "PLAIN",
            Mechanism::Anonymous => "ANONYMOUS",
        }
    }

    /// The hash function of a SCRAM mechanism; `None` for the others.
    pub const fn hash(self) -> Option<Hash> {
        match self.family() {
            Family::Scram { hash, .. } => Some(hash),
            _ => None,
        }
    }

    /// Whether the exchange is bound to the channel below: a -PLUS mechanism (RFC 5802 §6), or that of a token whose
    /// name ends in a channel-binding type.
    pub const fn is_channel_bound(self) -> bool {
        self.is_plus() || self.token_binding().is_some()
    }

    /// Whether the secret is a token that the server issued (XEP-0484). In XMPP these mechanisms are offered in
    /// `<fast/>` and not in the list of the others.
    pub const fn is_token(self) -> bool {
        matches!(self.family(), Family::Token { .. })
    }

    /// The type of channel binding that is part of the name of a token's mechanism; `None` for the unbound ones and
    /// for all other mechanisms.
    pub const fn token_binding(self) -> Option<BindingKind> {
        match self.family() {
            Family::Token { binding, .. } => binding,
            _ => None,
        }
    }

    /// Whether the mechanism gives away too much, or proves too little, outside an encrypted channel; it is neither
    /// offered nor chosen there.
    pub const fn needs_encryption(self) -> bool {
        !matches!(self.family(), Family::Scram { .. } | Family::Anonymous)
    }

    pub(crate) const fn is_plus(self) -> bool {
        matches!(self.family(), Family::Scram { is_plus: true, .. })
    }

    pub(crate) const fn family(self) -> Family {
        const fn token(hash: Hash, binding: Option<BindingKind>) -> Family {
            Family::Token { hash, binding }
        }
        const fn scram(hash: Hash, is_plus: bool) -> Family {
            Family::Scram { hash, is_plus }
        }
        match self {
            Mechanism::External => Family::External,
            Mechanism::HtSha512Exporter => token(Hash::Sha512, Some(BindingKind::TlsExporter)),
            Mechanism::HtSha256Exporter => token(Hash::Sha256, Some(BindingKind::TlsExporter)),
            Mechanism::HtSha512Unique => token(Hash::Sha512, Some(BindingKind::TlsUnique)),
            Mechanism::HtSha256Unique => token(Hash::Sha256, Some(BindingKind::TlsUnique)),
            Mechanism::HtSha512EndPoint => {
                token(Hash::Sha512, Some(BindingKind::TlsServerEndPoint))
            }
            Mechanism::HtSha256EndPoint => {
                token(Hash::Sha256, Some(BindingKind::TlsServerEndPoint))
            }
            Mechanism::HtSha512Unbound => token(Hash::Sha512, None),
            Mechanism::HtSha256Unbound => token(Hash::Sha256, None),
            #[cfg(feature = "sha3")]
            Mechanism::ScramSha3_512Plus => scram(Hash::Sha3_512, true),
            Mechanism::ScramSha512Plus => scram(Hash::Sha512, true),
            Mechanism::ScramSha256Plus => scram(Hash::Sha256, true),
            Mechanism::ScramSha1Plus => scram(Hash::Sha1, true),
            #[cfg(feature = "sha3")]
            Mechanism::ScramSha3_512 => scram(Hash::Sha3_512, false),
            Mechanism::ScramSha512 => scram(Hash::Sha512, false),
            Mechanism::ScramSha256 => scram(Hash::Sha256, false),
            Mechanism::ScramSha1 => scram(Hash::Sha1, false),
            #[cfg(feature = "digest-md5")]
            Mechanism::DigestMd5 => Family::DigestMd5,
            Mechanism::OAuthBearer => Family::OAuthBearer,
            Mechanism::Plain => Family::Plain,
            Mechanism::Anonymous => Family::Anonymous,
        }
    }
}

/// Names are compared exactly: they are upper case (RFC 4422 §3.1).
impl FromStr for Mechanism {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Mechanism, UnknownName> {
        Mechanism::ALL
            .iter()
            .find(|mechanism| mechanism.name() == name)
            .copied()
            .ok_or(UnknownName)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
