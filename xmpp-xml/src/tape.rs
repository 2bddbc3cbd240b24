//! The flat record of one element: 16 bytes for each tag, attribute, declaration and run of text.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;

/// What an entry stands for, and the meaning of its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A start tag. `start`/`name`/`prefix`: its name; `a`: its namespace; `b`: the entry behind its [`Kind::Close`].
    Open,
    /// The end of an element. `start`: where its end tag begins (or ends, for an empty-element tag); `a`: the byte
    /// behind the element.
    Close,
    /// An attribute. `start`/`name`/`prefix`: its name; `a`, `b`: start and length of its value.
    Attribute,
    /// The same, with a value that must be decoded.
    AttributeEscaped,
    /// Follows an attribute with a prefix. `a`: its namespace.
    AttributeNamespace,
    /// A namespace declaration. `start`/`name`: the prefix (empty for the default); `a`, `b`: start and length of
    /// the namespace.
    Declaration,
    /// The same, with the namespace in the decoded text.
    DeclarationDecoded,
    /// Text. `a`, `b`: start and length.
    Text,
    /// Text that must be decoded.
    TextEscaped,
    /// The inside of a CDATA section. `a`, `b`: start and length.
    Section,
    /// The same, with line ends to be normalised.
    SectionEscaped,
}

/// An entry. Offsets count from the first byte of the first-level element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Length of the prefix, without its colon.
    pub(crate) prefix: u8,
    /// Length of the whole name.
    pub(crate) name: u16,
    pub(crate) start: u32,
    pub(crate) a: u32,
    pub(crate) b: u32,
}

impl Node {
    #[inline]
    pub(crate) fn is_attribute(self) -> bool {
        matches!(self.kind, Kind::Attribute | Kind::AttributeEscaped)
    }

    pub(crate) fn is_declaration(self) -> bool {
        matches!(self.kind, Kind::Declaration | Kind::DeclarationDecoded)
    }

    /// This attribute as the declaration that it is, if its name says so.
    #[inline(always)]
    pub(crate) fn into_declaration(self, bytes: &[u8]) -> Option<Self> {
        let name = bytes.get(index(self.start)..)?;
        if !name.starts_with(b"xmlns") {
            return None;
        }
        let skipped: u16 = match name.get(5) {
            Some(b':') if self.name > 6 => 6,
            _ if self.name == 5 => 5,
            _ => return None,
        };
        Some(Self {
            kind: Kind::Declaration,
            prefix: 0,
            name: self.name.saturating_sub(skipped),
            start: self.start.saturating_add(u32::from(skipped)),
            ..self
        })
    }

    /// What follows an attribute with a prefix, until its tag has ended: declarations may stand behind their use.
    pub(crate) fn attribute_namespace() -> Self {
        Self {
            kind: Kind::AttributeNamespace,
            prefix: 0,
            name: 0,
            start: 0,
            a: NamespaceId::NONE.0,
            b: 0,
        }
    }

    /// The end of the element that `open` begins.
    #[inline(always)]
    pub(crate) fn close(tag: usize, end: usize, open: u32) -> Self {
        Self {
            kind: Kind::Close,
            prefix: 0,
            name: 0,
            start: number(tag),
            a: number(end),
            b: open,
        }
    }

    /// Belongs to the start tag before it.
    #[inline]
    pub(crate) fn is_head(self) -> bool {
        self.is_attribute() || self.is_declaration() || self.kind == Kind::AttributeNamespace
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(
            self.kind,
            Kind::Text | Kind::TextEscaped | Kind::Section | Kind::SectionEscaped
        )
    }

    #[inline]
    pub(crate) fn name_range(self) -> Range<usize> {
        let start = index(self.start);
        start..start.saturating_add(usize::from(self.name))
    }

    #[inline]
    pub(crate) fn value_range(self) -> Range<usize> {
        let start = index(self.a);
        start..start.saturating_add(index(self.b))
    }
}

/// Which declaration a name leans on, in 32 bits: [`Source`] is what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NamespaceId(pub(crate) u32);

/// Where a namespace is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// In no namespace.
    None,
    /// The one of the prefix `xml`.
    Xml,
    /// The declaration at this entry of the tape.
    Local(u32),
    /// This declaration of the stream header.
    Context(u32),
}

impl NamespaceId {
    pub(crate) const NONE: Self = Self(u32::MAX);
    pub(crate) const XML: Self = Self(u32::MAX - 1);
    const CONTEXT: u32 = 1 << 31;

    /// The declaration at this entry of the tape.
    pub(crate) fn local(entry: u32) -> Self {
        Self(entry)
    }

    /// This declaration of the stream header.
    pub(crate) fn context(entry: u32) -> Self {
        Self(entry | Self::CONTEXT)
    }

    /// What the declaration at this entry stands for; an empty one takes names out of every namespace.
    pub(crate) fn declared(declaration: Node, entry: u32) -> Self {
        if declaration.b == 0 {
            Self::NONE
        } else {
            Self::local(entry)
        }
    }

    pub(crate) fn source(self) -> Source {
        match self {
            Self::NONE => Source::None,
            Self::XML => Source::Xml,
            Self(entry) if entry & Self::CONTEXT != 0 => Source::Context(entry & !Self::CONTEXT),
            Self(entry) => Source::Local(entry),
        }
    }
}

/// What first-level elements inherit from the stream header.
#[derive(Debug, Default)]
pub(crate) struct Context {
    pub(crate) declarations: Vec<ContextDeclaration>,
    pub(crate) lang: Option<String>,
    /// The name of the root as it was written, which its end tag must repeat.
    pub(crate) root: String,
}

impl Context {
    /// What a prefix (empty for the default) stands for.
    pub(crate) fn namespace_of(&self, prefix: &[u8]) -> Option<NamespaceId> {
        self.declarations
            .iter()
            .position(|declaration| declaration.prefix.as_bytes() == prefix)
            .map(|entry| NamespaceId::context(number(entry)))
    }

    /// What a name without a prefix is in.
    pub(crate) fn default_namespace(&self) -> NamespaceId {
        self.namespace_of(b"").unwrap_or(NamespaceId::NONE)
    }
}

#[derive(Debug)]
pub(crate) struct ContextDeclaration {
    pub(crate) prefix: String,
    pub(crate) namespace: String,
}

/// A context that may be shared, or none.
pub(crate) type SharedContext = Option<Arc<Context>>;

/// No stream header above.
pub(crate) static NO_CONTEXT: SharedContext = None;

/// Widens a tape number.
#[inline(always)]
pub(crate) fn index(number: u32) -> usize {
    number as usize
}

/// Narrows an offset. The limits keep what is measured within 32 bits.
#[inline(always)]
pub(crate) fn number(index: usize) -> u32 {
    index as u32
}
