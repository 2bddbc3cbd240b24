//! Conversions to and from the addresses of the crate `jid` (feature `jid`).
//!
//! Both ways read the address anew by the rules of the receiving side, since the crate follows RFC 6122
//! and this one RFC 7622, which supersedes it: what differs stands in the [module](super).

use super::{Jid, JidError, JidRef};

impl TryFrom<&jid::Jid> for Jid {
    type Error = JidError;

    fn try_from(other: &jid::Jid) -> Result<Self, JidError> {
        Self::parse(other.as_str())
    }
}

impl TryFrom<jid::Jid> for Jid {
    type Error = JidError;

    fn try_from(other: jid::Jid) -> Result<Self, JidError> {
        Self::parse(other.as_str())
    }
}

impl TryFrom<JidRef<'_>> for jid::Jid {
    type Error = jid::Error;

    fn try_from(other: JidRef<'_>) -> Result<Self, jid::Error> {
        Self::new(other.as_str())
    }
}

impl TryFrom<&Jid> for jid::Jid {
    type Error = jid::Error;

    fn try_from(other: &Jid) -> Result<Self, jid::Error> {
        Self::new(other.as_str())
    }
}

macro_rules! by_kind {
    ($type:ty) => {
        impl TryFrom<&$type> for Jid {
            type Error = JidError;

            fn try_from(other: &$type) -> Result<Self, JidError> {
                Self::parse(other.as_str())
            }
        }

        /// An error too where the address has a resourcepart and must not, or has none and must.
        impl TryFrom<JidRef<'_>> for $type {
            type Error = jid::Error;

            fn try_from(other: JidRef<'_>) -> Result<Self, jid::Error> {
                Self::new(other.as_str())
            }
        }
    };
}

by_kind!(jid::BareJid);
by_kind!(jid::FullJid);
