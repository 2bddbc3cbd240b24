//! Entity capabilities: what an entity can do, told by a hash in its presence (XEP-0115, XEP-0390).
//!
//! [`Disco::announce`](crate::disco::Disco::announce) makes the hashes of one's own entity. Those of
//! others are looked up in a [`CapsCache`], which asks each kind of entity once and believes an answer only
//! for the entities whose hash it has: an answer that does not fit its hash is not kept for anybody but the
//! one who gave it. So nobody can poison what is known about others.
//!
//! ```
//! use xmpp_core::caps::CapsCache;
//! use xmpp_core::disco::{Disco, Entity, info};
//! use xmpp_core::stanza::{PresenceBuilder, PresenceType, Stanza};
//! use xmpp_xml::{Element, ToXml};
//!
//! // A sensor comes online …
//! let sensor = Entity::new(info::Identity::new("device", "sensor")).with_feature("urn:xmpp:ping");
//! let mut disco = Disco::new(sensor);
//! let announcement = disco.announce("https://example.com/sensor")?;
//! let presence = PresenceBuilder::new(PresenceType::Available)
//!     .from(xmpp_core::jid::JidRef::parse("sensor@example.com/1")?)
//!     .payload(&announcement);
//! let presence = Element::build(|writer| presence.to_xml(writer))?;
//!
//! // … and a reader that has not met its like before asks it.
//! let mut cache = CapsCache::new();
//! let Stanza::Presence(presence) = Stanza::parse(presence.root())? else { unreachable!() };
//! cache.handle_presence(&presence);
//! let question = cache.poll_query().unwrap();
//! let answer = Element::build(|writer| disco.root().info().to_xml(writer))?;
//! cache.handle_info(question.to.as_ref(), answer.root());
//! assert!(cache.info(question.to.as_ref()).unwrap().has_feature("urn:xmpp:ping"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use xmpp_xml::{FromXml, IntoOwned, ToXml, Writer};

use crate::disco::info;
use crate::ns;

mod cache;
mod input;

pub use cache::{CapsCache, Query};
pub use input::{IllFormed, hash_input, verification_input};

/// The element of XEP-0115 in a presence or in the features of a stream.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "c", namespace = ns::CAPS)]
pub struct Caps<'a> {
    /// The name of the hash function. Without it `ver` is a version number, as it was before version 1.4
    /// of the standard, and proves nothing.
    #[xml(attribute)]
    pub hash: Option<Cow<'a, str>>,
    /// A URI that tells which program it is.
    #[xml(attribute)]
    pub node: Cow<'a, str>,
    /// The hash, in base64.
    #[xml(attribute)]
    pub ver: Cow<'a, str>,
}

impl Caps<'_> {
    /// The node to ask for what the entity can do (XEP-0115 §6.2).
    #[must_use]
    pub fn query_node(&self) -> alloc::string::String {
        alloc::format!("{}#{}", self.node, self.ver)
    }
}

/// The element of XEP-0390 in a presence: the hashes of the same description by several functions.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "c", namespace = ns::CAPS_2)]
pub struct HashSet<'a> {
    /// The hashes.
    #[xml(children)]
    pub hashes: Vec<CapabilityHash<'a>>,
}

/// A hash with the name of its function (XEP-0300).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "hash", namespace = ns::HASHES)]
pub struct CapabilityHash<'a> {
    /// The name of the function, such as `sha-256`.
    #[xml(attribute = "algo")]
    pub function: Cow<'a, str>,
    /// The hash, in base64.
    #[xml(text)]
    pub value: Cow<'a, str>,
}

impl<'a> CapabilityHash<'a> {
    /// The node to ask for what the entity can do (XEP-0390 §4.3).
    #[must_use]
    pub fn query_node(&self) -> alloc::string::String {
        alloc::format!("{}#{}.{}", ns::CAPS_2, self.function, self.value.trim())
    }

    /// The hash that such a node stands for. The name of a function may have dots.
    #[must_use]
    pub fn from_query_node(node: &'a str) -> Option<Self> {
        let rest = node.strip_prefix(ns::CAPS_2)?.strip_prefix('#')?;
        let (function, value) = rest.rsplit_once('.')?;
        Some(Self {
            function: function.into(),
            value: value.into(),
        })
    }
}

/// The hash functions that are understood here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum HashFunction {
    /// SHA-1, which XEP-0115 is used with. Too weak for anything new.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    /// The name in the IANA registry of hash functions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "sha-1",
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        }
    }

    /// The function of that name, if it is understood.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let known = [Self::Sha1, Self::Sha256, Self::Sha512];
        known.into_iter().find(|function| function.as_str() == name)
    }

    /// The hash of something, in base64.
    #[must_use]
    pub fn hash(self, input: &[u8]) -> alloc::string::String {
        match self {
            Self::Sha1 => STANDARD.encode(Sha1::digest(input)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(input)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(input)),
        }
    }
}

/// The capabilities of one's own entity, to be sent with every presence: a payload that writes the
/// elements of both standards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// By XEP-0115, with SHA-1, which everybody understands.
    pub caps: Caps<'static>,
    /// By XEP-0390, with SHA-256.
    pub hashes: HashSet<'static>,
}

impl Announcement {
    /// The capabilities of an entity, for a program with that URI.
    ///
    /// # Errors
    /// [`IllFormed`], when the description cannot be hashed.
    pub fn new(uri: &str, info: &info::Query<'_>) -> Result<Self, IllFormed> {
        let verification = verification_input(info)?;
        let function = HashFunction::Sha1;
        let caps = Caps {
            hash: Some(Cow::Borrowed(function.as_str())),
            node: Cow::Owned(uri.into()),
            ver: Cow::Owned(function.hash(verification.as_bytes())),
        };
        let function = HashFunction::Sha256;
        let hash = CapabilityHash {
            function: Cow::Borrowed(function.as_str()),
            value: Cow::Owned(function.hash(&hash_input(info, None)?)),
        };
        let hashes = HashSet {
            hashes: alloc::vec![hash],
        };
        Ok(Self { caps, hashes })
    }

    /// The nodes at which the description is asked for.
    pub fn query_nodes(&self) -> impl Iterator<Item = alloc::string::String> {
        let hashes = self.hashes.hashes.iter();
        core::iter::once(self.caps.query_node()).chain(hashes.map(CapabilityHash::query_node))
    }
}

impl ToXml for Announcement {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.payload(&self.caps).payload(&self.hashes);
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
