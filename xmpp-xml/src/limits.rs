//! What a peer may make a parser hold.

/// The bounds within which a [`Parser`](crate::Parser) accepts input.
///
/// Whatever arrives, the memory of one parser stays within a small multiple of
/// [`stanza_bytes`](Limits::stanza_bytes): a tape entry takes 16 bytes and stands for at least three bytes of
/// input, so the tape of the densest legal stanza is about five times as large as its text.
///
/// Input beyond a limit is a [`Fault`](crate::Fault) with the stream error condition `policy-violation`
/// (RFC 6120 §4.9.3.14, §13.12).
///
/// ```
/// let limits = xmpp_xml::Limits::new().stanza_bytes(65_536).depth(32);
/// assert_eq!(limits.depth, 32);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one first-level element, from its `<` to its `>`. Default 262,144; RFC 6120 §13.12 asks
    /// servers for no less than 10,000. At most [`u32::MAX`].
    pub stanza_bytes: u32,
    /// Bytes of the XML declaration, and of the stream header, each. Default 8,192.
    pub header_bytes: u32,
    /// Nested elements, the first-level element being 1. Default 128.
    pub depth: u32,
    /// Attributes of one element, namespace declarations not counted. Default 256.
    pub attributes: u32,
    /// Namespace declarations in scope at any place, those of the stream header not counted. Default 64.
    pub namespaces: u32,
    /// Bytes of one name, its prefix included. Default 1,024; at most 65,535. A prefix takes at most 255.
    pub name_bytes: u16,
    /// Child elements of one element. Default 65,536.
    pub children: u32,
}

impl Limits {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            stanza_bytes: 262_144,
            header_bytes: 8_192,
            depth: 128,
            attributes: 256,
            namespaces: 64,
            name_bytes: 1_024,
            children: 65_536,
        }
    }

    /// Sets the bytes of one first-level element (default 262,144).
    pub const fn stanza_bytes(mut self, bytes: u32) -> Self {
        self.stanza_bytes = bytes;
        self
    }

    /// Sets the bytes of the XML declaration and of the stream header (default 8,192 each).
    pub const fn header_bytes(mut self, bytes: u32) -> Self {
        self.header_bytes = bytes;
        self
    }

    /// Sets how deep elements may nest (default 128). One level costs eight bytes while a stanza is read.
    pub const fn depth(mut self, levels: u32) -> Self {
        self.depth = levels;
        self
    }

    /// Sets the attributes of one element (default 256).
    pub const fn attributes(mut self, count: u32) -> Self {
        self.attributes = count;
        self
    }

    /// Sets the namespace declarations in scope (default 64). Each prefix is looked up among them one by one.
    pub const fn namespaces(mut self, count: u32) -> Self {
        self.namespaces = count;
        self
    }

    /// Sets the bytes of one name (default 1,024).
    pub const fn name_bytes(mut self, bytes: u16) -> Self {
        self.name_bytes = bytes;
        self
    }

    /// Sets the child elements of one element (default 65,536).
    pub const fn children(mut self, count: u32) -> Self {
        self.children = count;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
