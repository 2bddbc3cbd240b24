//! Mechanism names and their order.

use core::fmt;
use core::str::FromStr;

use crate::error::UnknownName;
use crate::hash::Hash;

/// A SASL mechanism that this crate speaks (RFC 4422 §3.1 for the names).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// SCRAM with SHA-512, bound to the channel.
    ScramSha512Plus,
    /// SCRAM with SHA-256, bound to the channel (RFC 7677).
    ScramSha256Plus,
    /// SCRAM with SHA-1, bound to the channel (RFC 5802).
    ScramSha1Plus,
    /// SCRAM with SHA-512.
    ScramSha512,
    /// SCRAM with SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM with SHA-1 (RFC 5802).
    ScramSha1,
    /// The password itself (RFC 4616); only inside an encrypted channel.
    Plain,
}

impl Mechanism {
    /// Every mechanism, the strongest first: binding to the channel counts for more than the hash.
    pub const ALL: &'static [Mechanism] = &[
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::Plain,
    ];

    /// The registered name, such as `SCRAM-SHA-256-PLUS`.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::Plain => "PLAIN",
        }
    }

    /// The hash function of a SCRAM mechanism; `None` for the others.
    pub const fn hash(self) -> Option<Hash> {
        match self {
            Mechanism::ScramSha512Plus | Mechanism::ScramSha512 => Some(Hash::Sha512),
            Mechanism::ScramSha256Plus | Mechanism::ScramSha256 => Some(Hash::Sha256),
            Mechanism::ScramSha1Plus | Mechanism::ScramSha1 => Some(Hash::Sha1),
            Mechanism::Plain => None,
        }
    }

    /// Whether the exchange is bound to the channel below (a -PLUS mechanism, RFC 5802 §6).
    pub const fn is_channel_bound(self) -> bool {
        matches!(
            self,
            Mechanism::ScramSha512Plus | Mechanism::ScramSha256Plus | Mechanism::ScramSha1Plus
        )
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
