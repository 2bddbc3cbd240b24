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
    pub(crate) fn is_attribute(self) -> bool {
        matches!(self.kind, Kind::Attribute | Kind::AttributeEscaped)
    }

    pub(crate) fn is_declaration(self) -> bool {
        matches!(self.kind, Kind::Declaration | Kind::DeclarationDecoded)
    }

    /// Belongs to the start tag before it.
    pub(crate) fn is_head(self) -> bool {
        self.is_attribute() || self.is_declaration() || self.kind == Kind::AttributeNamespace
    }

    pub(crate) fn is_text(self) -> bool {
        matches!(
            self.kind,
            Kind::Text | Kind::TextEscaped | Kind::Section | Kind::SectionEscaped
        )
    }

    pub(crate) fn name_range(self) -> Range<usize> {
        let start = index(self.start);
        start..start.saturating_add(usize::from(self.name))
    }

    pub(crate) fn value_range(self) -> Range<usize> {
        let start = index(self.a);
        start..start.saturating_add(index(self.b))
    }
}

/// Which declaration a name leans on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NamespaceId {
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
    const NONE: u32 = u32::MAX;
    const XML: u32 = u32::MAX - 1;
    const CONTEXT: u32 = 1 << 31;

    pub(crate) fn pack(self) -> u32 {
        match self {
            Self::None => Self::NONE,
            Self::Xml => Self::XML,
            Self::Local(entry) => entry,
            Self::Context(entry) => entry | Self::CONTEXT,
        }
    }

    pub(crate) fn unpack(packed: u32) -> Self {
        match packed {
            Self::NONE => Self::None,
            Self::XML => Self::Xml,
            _ if packed & Self::CONTEXT != 0 => Self::Context(packed & !Self::CONTEXT),
            _ => Self::Local(packed),
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
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Narrows an offset. Limits keep what is measured below [`u32::MAX`].
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
