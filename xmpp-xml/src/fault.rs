//! What is wrong with the input, where, and what the peer must be told.

use core::fmt;

/// Why input was refused: the kind of fault, and the byte of the stream at which it was seen.
///
/// A fault is always the peer's: [`condition`](Fault::condition) is the stream error to send (RFC 6120 §4.9.3).
/// A parser that has reported a fault reports the same one ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    offset: u64,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, offset: u64) -> Self {
        Self { kind, offset }
    }

    /// What is wrong.
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Where it was seen: bytes since the beginning of the stream or its last restart.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The stream error condition to send, such as `not-well-formed` (RFC 6120 §4.9.3).
    pub fn condition(&self) -> &'static str {
        self.kind.condition()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for Fault {}

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $name:ident, $condition:literal, $text:literal;)+) => {
        /// The kinds of faults that the parser tells apart.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultKind {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FaultKind {
            /// Every kind, in the order of this page.
            pub const ALL: &'static [FaultKind] = &[$(FaultKind::$name),+];

            /// The stream error condition to send (RFC 6120 §4.9.3).
            pub fn condition(self) -> &'static str {
                match self { $(FaultKind::$name => $condition,)+ }
            }
        }

        impl fmt::Display for FaultKind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(FaultKind::$name => $text,)+ })
            }
        }
    };
}

faults! {
    /// A byte that the grammar does not allow at its place.
    UnexpectedByte, "not-well-formed", "unexpected character";
    /// A name that does not follow the production, has an empty part, or more than one colon
    /// (XML 1.0 §2.3, Namespaces §4).
    InvalidName, "not-well-formed", "invalid name";
    /// A character outside the `Char` production, literal or as a reference (XML 1.0 §2.2).
    InvalidCharacter, "not-well-formed", "character not allowed in XML";
    /// `&` that does not begin a complete reference (XML 1.0 §4.1).
    InvalidReference, "not-well-formed", "malformed reference";
    /// `]]>` in text (XML 1.0 §2.4).
    SectionEndInText, "not-well-formed", "']]>' in text";
    /// `<` in an attribute value (XML 1.0 §2.3).
    LessThanInAttribute, "not-well-formed", "'<' in an attribute value";
    /// No white space before an attribute (XML 1.0 §3.1).
    MissingSpace, "not-well-formed", "no space before an attribute";
    /// Two attributes of one expanded name, or two declarations of one prefix (Namespaces §6.3).
    DuplicateAttribute, "not-well-formed", "repeated attribute";
    /// An end tag that does not match its start tag (XML 1.0 §3).
    MismatchedEndTag, "not-well-formed", "end tag does not match the start tag";
    /// A prefix that is not declared (Namespaces §5).
    UnboundPrefix, "not-well-formed", "prefix is not declared";
    /// A declaration that touches `xml` or `xmlns`, or unbinds a prefix (Namespaces §3, §5).
    ReservedDeclaration, "not-well-formed", "namespace declaration not allowed";
    /// Text directly below the stream header (RFC 6120 §11.7).
    TextBetweenStanzas, "bad-format", "text between first-level elements";
    /// Anything but white space after the end (XML 1.0 §2.1).
    ContentAfterEnd, "not-well-formed", "content after the end";
    /// Input that ends before its element does; only where all input was given at once.
    Truncated, "not-well-formed", "input ends within an element";
    /// An XML declaration that is malformed or of a version other than 1.0 (XML 1.0 §2.8).
    InvalidDeclaration, "not-well-formed", "malformed XML declaration";
    /// A declared encoding other than UTF-8 (RFC 6120 §11.6).
    UnsupportedEncoding, "unsupported-encoding", "encoding is not UTF-8";
    /// Bytes that are not UTF-8 (RFC 6120 §11.6).
    InvalidUtf8, "unsupported-encoding", "bytes are not UTF-8";
    /// A comment (RFC 6120 §11.1).
    Comment, "restricted-xml", "comment";
    /// A processing instruction, or an XML declaration that does not stand first (RFC 6120 §11.1).
    ProcessingInstruction, "restricted-xml", "processing instruction";
    /// A document type declaration (RFC 6120 §11.1).
    DocumentType, "restricted-xml", "document type declaration";
    /// A reference to an entity other than the five predefined ones (RFC 6120 §11.1).
    EntityReference, "restricted-xml", "reference to an entity that is not predefined";
    /// More bytes than [`Limits::stanza_bytes`](crate::Limits::stanza_bytes).
    StanzaTooLong, "policy-violation", "stanza is longer than allowed";
    /// More bytes than [`Limits::header_bytes`](crate::Limits::header_bytes).
    HeaderTooLong, "policy-violation", "stream header is longer than allowed";
    /// Elements nested deeper than [`Limits::depth`](crate::Limits::depth).
    TooDeep, "policy-violation", "elements are nested deeper than allowed";
    /// More attributes than [`Limits::attributes`](crate::Limits::attributes).
    TooManyAttributes, "policy-violation", "more attributes than allowed";
    /// More declarations than [`Limits::namespaces`](crate::Limits::namespaces).
    TooManyNamespaces, "policy-violation", "more namespace declarations than allowed";
    /// A name of more bytes than [`Limits::name_bytes`](crate::Limits::name_bytes), or a prefix over 255.
    NameTooLong, "policy-violation", "name is longer than allowed";
    /// More child elements than [`Limits::children`](crate::Limits::children).
    TooManyChildren, "policy-violation", "more child elements than allowed";
}
