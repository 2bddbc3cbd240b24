//! Pictures, films and sounds in forms (XEP-0221).
//!
//! What stands behind an address comes from a stranger: it is for the application to decide whether to
//! fetch it, and from where (XEP-0221 §3).

use alloc::borrow::Cow;
use alloc::vec::Vec;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::ns;

/// What a field shows or plays, in one or more encodings.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "media", namespace = ns::MEDIA)]
pub struct Media<'a> {
    /// The height at which to show it, in pixels.
    #[xml(attribute)]
    pub height: Option<u16>,
    /// The width at which to show it, in pixels.
    #[xml(attribute)]
    pub width: Option<u16>,
    /// Where it is, in one encoding each.
    #[xml(children)]
    pub uris: Vec<MediaUri<'a>>,
}

impl<'a> Media<'a> {
    /// No media yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the size at which to show it, in pixels.
    #[must_use]
    pub fn with_size(mut self, width: u16, height: u16) -> Self {
        (self.width, self.height) = (Some(width), Some(height));
        self
    }

    /// Adds where it is, and its media type.
    #[must_use]
    pub fn with_uri(mut self, kind: impl Into<Cow<'a, str>>, uri: impl Into<Cow<'a, str>>) -> Self {
        self.uris.push(MediaUri {
            kind: kind.into(),
            uri: uri.into(),
        });
        self
    }
}

/// Where a piece of media is.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "uri", namespace = ns::MEDIA)]
pub struct MediaUri<'a> {
    /// Its media type, perhaps with parameters (RFC 2045 §5.1).
    #[xml(attribute = "type")]
    pub kind: Cow<'a, str>,
    /// The address as it was written, perhaps with white space around it.
    #[xml(text)]
    pub uri: Cow<'a, str>,
}

impl MediaUri<'_> {
    /// The address without the white space around it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.uri.trim()
    }
}
