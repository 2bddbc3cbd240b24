//! Writing XML straight into an output buffer, namespace-well-formed by construction.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::chars::{is_language_tag, is_ncname};
use crate::element::{ElementRef, NodeRef};
use crate::escape::{self, Place};
use crate::typed::ToXml;
use crate::value::ToXmlText;
use crate::{STREAM_NAMESPACE, XML_NAMESPACE, XMLNS_NAMESPACE};

/// What closes a stream that [`Writer::stream_header`] opened.
pub const STREAM_END: &str = "</stream:stream>";

/// Writes elements into a byte buffer.
///
/// Elements carry no prefix; each declares its namespace as the default where it differs from the one around it
/// (RFC 6120 §4.8.5). Attributes keep the order in which they are written. There is nothing here that could write a
/// comment, a processing instruction, a document type or raw markup.
///
/// Methods do not fail one by one: the first error is kept, and [`finish`](Writer::finish) reports it and cuts the
/// buffer back to where the writer began, so that nothing broken is ever sent. A warm writer allocates nothing.
///
/// ```
/// let mut out = Vec::new();
/// let mut writer = xmpp_xml::Writer::in_stream(&mut out, "jabber:client");
/// writer.start("message", "jabber:client").attribute("to", "a@example.org");
/// writer.start("body", "jabber:client").text("1 < 2").end();
/// writer.end();
/// writer.finish()?;
/// assert_eq!(out, b"<message to='a@example.org'><body>1 &lt; 2</body></message>");
/// # Ok::<(), xmpp_xml::WriteError>(())
/// ```
#[must_use = "a writer tells its errors in `finish`"]
pub struct Writer<'w> {
    out: &'w mut Vec<u8>,
    /// Where this writer began.
    begin: usize,
    /// The default namespace around the first element.
    outer: &'w str,
    /// Whether the prefix `stream` is declared around the first element.
    in_stream: bool,
    /// Whether the root is to stay open.
    header: bool,
    /// Whether the innermost start tag still takes attributes.
    tag_open: bool,
    stack: Stack,
    error: Option<WriteError>,
}

impl<'w> Writer<'w> {
    /// A writer of standalone elements: the outermost declares its namespace.
    pub fn new(out: &'w mut Vec<u8>) -> Self {
        Self::begin(out, "", false)
    }

    /// A writer within a stream whose header declares `content` as the default namespace and binds the prefix
    /// `stream`, as [`stream_header`](Writer::stream_header) does.
    pub fn in_stream(out: &'w mut Vec<u8>, content: &'w str) -> Self {
        Self::begin(out, content, true)
    }

    /// Writes the XML declaration and the start tag of a stream (RFC 6120 §4.2, §11.5), which takes attributes next;
    /// [`finish`](Writer::finish) leaves the root open. [`STREAM_END`] closes it.
    pub fn stream_header(out: &'w mut Vec<u8>, content: &'w str) -> Self {
        let mut writer = Self::begin(out, content, true);
        writer.header = true;
        writer
            .out
            .extend_from_slice(b"<?xml version='1.0'?><stream:stream xmlns='");
        let valid = escape::encode(writer.out, content, Place::Value);
        writer.out.extend_from_slice(b"' xmlns:stream='");
        writer.out.extend_from_slice(STREAM_NAMESPACE.as_bytes());
        writer.out.push(b'\'');
        if !valid {
            writer.refuse(WriteError::Character);
        }
        writer.tag_open = true;
        writer.stack.push(Open {
            name: 0..0,
            default: Default::Outer,
        });
        writer
    }

    fn begin(out: &'w mut Vec<u8>, outer: &'w str, in_stream: bool) -> Self {
        let begin = out.len();
        let stack = Stack::default();
        Self {
            out,
            begin,
            outer,
            in_stream,
            header: false,
            tag_open: false,
            stack,
            error: None,
        }
    }

    /// Opens an element; `namespace` is empty for none.
    pub fn start(&mut self, name: &str, namespace: &str) -> &mut Self {
        if !is_ncname(name) {
            self.refuse(WriteError::Name);
        }
        if matches!(namespace, XML_NAMESPACE | XMLNS_NAMESPACE) {
            self.refuse(WriteError::Namespace);
        }
        self.close_tag();
        self.out.push(b'<');
        let from = self.out.len();
        let prefixed = self.in_stream && namespace == STREAM_NAMESPACE;
        if prefixed {
            self.out.extend_from_slice(b"stream:");
        }
        self.out.extend_from_slice(name.as_bytes());
        let name = from..self.out.len();
        let around = self.default_namespace();
        let mut default = self
            .stack
            .last()
            .map_or(Default::Outer, |open| open.default.clone());
        if !prefixed && around != namespace.as_bytes() {
            self.out.extend_from_slice(b" xmlns='");
            let from = self.out.len();
            self.value(namespace);
            default = Default::Written(from..self.out.len());
            self.out.push(b'\'');
        }
        self.tag_open = true;
        self.stack.push(Open { name, default });
        self
    }

    /// Adds an attribute in no namespace to the element just opened.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        self.attribute_name(name);
        self.value(value);
        self.out.push(b'\'');
        self
    }

    /// Adds an attribute if there is a value.
    pub fn attribute_opt(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.attribute(name, value),
            None => self,
        }
    }

    /// Adds an attribute from a typed value, without an intermediate string.
    pub fn attribute_value(&mut self, name: &str, value: &dyn ToXmlText) -> &mut Self {
        self.attribute_name(name);
        self.typed(value, Place::Value);
        self.out.push(b'\'');
        self
    }

    /// Adds an attribute in a namespace, under a prefix of the writer's choice (`xml` for its own).
    pub fn attribute_ns(&mut self, name: &str, namespace: &str, value: &str) -> &mut Self {
        if namespace.is_empty() {
            return self.attribute(name, value);
        }
        self.attribute_name_ns(name, namespace);
        self.value(value);
        self.out.push(b'\'');
        self
    }

    /// Adds an attribute in a namespace from a typed value, without an intermediate string.
    pub fn attribute_value_ns(
        &mut self,
        name: &str,
        namespace: &str,
        value: &dyn ToXmlText,
    ) -> &mut Self {
        if namespace.is_empty() {
            return self.attribute_value(name, value);
        }
        self.attribute_name_ns(name, namespace);
        self.typed(value, Place::Value);
        self.out.push(b'\'');
        self
    }

    /// Adds `xml:lang`. The tag is refused if it does not look like one (RFC 5646 §2.1).
    pub fn lang(&mut self, tag: &str) -> &mut Self {
        if !is_language_tag(tag) {
            self.refuse(WriteError::LanguageTag);
        }
        self.attribute_ns("lang", XML_NAMESPACE, tag)
    }

    /// Declares a prefix on the element just opened, for qualified names in content (`xsi:type='xs:string'`).
    pub fn declare(&mut self, prefix: &str, namespace: &str) -> &mut Self {
        let reserved = matches!(prefix, "xml" | "xmlns")
            || matches!(namespace, XML_NAMESPACE | XMLNS_NAMESPACE);
        if !is_ncname(prefix) || namespace.is_empty() || reserved {
            self.refuse(WriteError::Namespace);
        }
        self.expect_tag();
        self.out.extend_from_slice(b" xmlns:");
        self.out.extend_from_slice(prefix.as_bytes());
        self.out.extend_from_slice(b"='");
        self.value(namespace);
        self.out.push(b'\'');
        self
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.expect_element();
        self.close_tag();
        if !escape::encode(self.out, text, Place::Text) {
            self.refuse(WriteError::Character);
        }
        self
    }

    /// Adds text from a typed value, without an intermediate string.
    pub fn text_value(&mut self, value: &dyn ToXmlText) -> &mut Self {
        self.expect_element();
        self.close_tag();
        self.typed(value, Place::Text);
        self
    }

    /// Closes the innermost element.
    pub fn end(&mut self) -> &mut Self {
        let floor = usize::from(self.header);
        if self.stack.len() <= floor {
            self.refuse(WriteError::Unbalanced);
            return self;
        }
        let Some(open) = self.stack.pop() else {
            return self;
        };
        if self.tag_open {
            self.tag_open = false;
            self.out.extend_from_slice(b"/>");
        } else {
            self.out.extend_from_slice(b"</");
            self.out.extend_from_within(open.name);
            self.out.push(b'>');
        }
        self
    }

    /// Writes an element without attributes or content.
    pub fn empty(&mut self, name: &str, namespace: &str) -> &mut Self {
        self.start(name, namespace).end()
    }

    /// Writes a typed payload.
    pub fn payload(&mut self, payload: &dyn ToXml) -> &mut Self {
        payload.to_xml(self);
        self
    }

    /// Writes an element that was read: as the bytes that came in where their names mean the same here, and else
    /// anew with the declarations it needs.
    pub fn element(&mut self, element: ElementRef<'_>) -> &mut Self {
        if element.is_closed() && self.binds_all_of(element) {
            self.close_tag();
            self.out.extend_from_slice(element.bytes().as_bytes());
            return self;
        }
        self.rewrite(element, &[], None)
    }

    /// Forwards an element with some attributes of its start tag replaced (`Some`) or removed (`None`); all that
    /// follows the start tag is copied as it came in, where its names mean the same here.
    ///
    /// ```
    /// use xmpp_xml::{Element, Writer};
    /// let received = Element::parse("<message xmlns='jabber:client' from='forged' to='b'><body>hi</body></message>")?;
    /// let mut out = Vec::new();
    /// let mut writer = Writer::in_stream(&mut out, "jabber:client");
    /// writer.forward(received.root(), &[("from", Some("a@example.org/x"))]);
    /// writer.finish()?;
    /// assert_eq!(out, b"<message to='b' from='a@example.org/x'><body>hi</body></message>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forward(
        &mut self,
        element: ElementRef<'_>,
        attributes: &[(&str, Option<&str>)],
    ) -> &mut Self {
        if let Some(tail) = self.forwarded(element, attributes, None) {
            self.out.extend_from_slice(tail.as_bytes());
        }
        self
    }

    /// Forwards an element as [`forward`](Self::forward) does, but writes only its start tag, and gives back what has
    /// to be sent behind it, for the caller to send from where it stands: one copy serves all receivers. Nothing is
    /// left to send if the element had to be written anew, or has no content.
    ///
    /// It ends the writing, since nothing can be written before what is left.
    ///
    /// ```
    /// use xmpp_xml::{Element, Writer};
    /// let received = Element::parse("<message xmlns='jabber:client' to='room'><body>hi</body></message>")?;
    /// for to in ["a@example.org", "b@example.org"] {
    ///     let mut tag = Vec::new();
    ///     let rest = Writer::in_stream(&mut tag, "jabber:client").forward_tag(received.root(), &[("to", Some(to))])?;
    ///     assert_eq!(tag, format!("<message to='{to}'>").as_bytes());
    ///     assert_eq!(rest, "<body>hi</body></message>");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`finish`](Self::finish).
    pub fn forward_tag<'e>(
        mut self,
        element: ElementRef<'e>,
        attributes: &[(&str, Option<&str>)],
    ) -> Result<&'e str, WriteError> {
        let tail = self.forwarded(element, attributes, None);
        self.finish()?;
        Ok(tail.unwrap_or_default())
    }

    /// Forwards an element as [`forward`](Self::forward) does, into a stream of another content namespace: `from`
    /// becomes `to` in the element and those within it, as far as they are connected through elements of `from`.
    /// Elements of other namespaces, and whatever is within them, stay as they are (RFC 6120 §4.8.3).
    ///
    /// ```
    /// use xmpp_xml::{Element, Writer};
    /// let received = Element::parse("<message xmlns='jabber:client' to='b'><body>hi</body></message>")?;
    /// let mut out = Vec::new();
    /// let mut writer = Writer::in_stream(&mut out, "jabber:server");
    /// writer.rescope(received.root(), "jabber:client", "jabber:server", &[]);
    /// writer.finish()?;
    /// assert_eq!(out, b"<message to='b'><body>hi</body></message>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn rescope(
        &mut self,
        element: ElementRef<'_>,
        from: &str,
        to: &str,
        attributes: &[(&str, Option<&str>)],
    ) -> &mut Self {
        if let Some(tail) = self.forwarded(element, attributes, Some((from, to))) {
            self.out.extend_from_slice(tail.as_bytes());
        }
        self
    }

    /// Whether everything so far could be written.
    pub fn is_ok(&self) -> bool {
        self.error.is_none()
    }

    /// Ends the writing.
    ///
    /// # Errors
    /// The first error, or [`WriteError::Unbalanced`] if an element is still open (below the root, for a stream
    /// header). The buffer is then as long as it was when the writer began.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if self.header {
            self.close_tag();
        }
        if self.stack.len() != usize::from(self.header) {
            self.refuse(WriteError::Unbalanced);
        }
        match self.error {
            None => Ok(()),
            Some(error) => {
                self.out.truncate(self.begin);
                Err(error)
            }
        }
    }

    /// Keeps the first error. Later output no longer matters.
    pub(crate) fn refuse(&mut self, error: WriteError) {
        self.error.get_or_insert(error);
    }

    fn attribute_name(&mut self, name: &str) {
        if !is_ncname(name) || name == "xmlns" {
            self.refuse(WriteError::Name);
        }
        self.expect_tag();
        self.out.push(b' ');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"='");
    }

    /// The name of an attribute in a namespace, behind the declaration of its prefix.
    fn attribute_name_ns(&mut self, name: &str, namespace: &str) {
        if !is_ncname(name) || namespace == XMLNS_NAMESPACE {
            self.refuse(WriteError::Name);
        }
        self.expect_tag();
        if namespace == XML_NAMESPACE {
            self.out.extend_from_slice(b" xml:");
        } else {
            let number = self.unused_prefix();
            self.out.extend_from_slice(b" xmlns:n");
            push_number(self.out, number);
            self.out.extend_from_slice(b"='");
            self.value(namespace);
            self.out.extend_from_slice(b"' n");
            push_number(self.out, number);
            self.out.push(b':');
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"='");
    }

    fn value(&mut self, value: &str) {
        if !escape::encode(self.out, value, Place::Value) {
            self.refuse(WriteError::Character);
        }
    }

    fn typed(&mut self, value: &dyn ToXmlText, place: Place) {
        let mut escaping = Escaping {
            out: self.out,
            place,
            valid: true,
        };
        let written = value.write_text(&mut escaping);
        if !escaping.valid {
            self.refuse(WriteError::Character);
        } else if written.is_err() {
            self.refuse(WriteError::Value);
        }
    }

    fn expect_tag(&mut self) {
        if !self.tag_open {
            self.refuse(WriteError::AttributeAfterContent);
        }
    }

    fn expect_element(&mut self) {
        if self.stack.len() <= usize::from(self.header) {
            self.refuse(WriteError::TextOutside);
        }
    }

    fn close_tag(&mut self) {
        if self.tag_open {
            self.tag_open = false;
            self.out.push(b'>');
        }
    }

    /// The default namespace in force, as it is written in attributes.
    fn default_namespace(&self) -> &[u8] {
        match self.stack.last().map(|open| &open.default) {
            Some(Default::Written(range)) => self.out.get(range.clone()).unwrap_or_default(),
            Some(Default::Outer) | None => self.outer.as_bytes(),
        }
    }

    /// Writes the start tag of a forwarded element, and gives back the bytes that have to follow; where its names
    /// would not mean the same here, writes all of it anew.
    fn forwarded<'e>(
        &mut self,
        element: ElementRef<'e>,
        attributes: &[(&str, Option<&str>)],
        rescoped: Rescoped<'_>,
    ) -> Option<&'e str> {
        let own = element.namespace();
        // Names without a prefix that lean on the outside are in the namespace of the start tag.
        let same = element.prefix().is_empty()
            && element.leans_on().all(|(prefix, namespace)| {
                (prefix.is_empty() && namespace == own) || self.binds_prefix(prefix, namespace)
            })
            && rescoped.is_none_or(|(from, _)| {
                own == from
                    && element.descendants().skip(1).all(|inner| {
                        let mut declared = inner.declarations();
                        inner.prefix().is_empty()
                            && declared.all(|(prefix, name)| !prefix.is_empty() || name != from)
                    })
            });
        if !same {
            self.rewrite(element, attributes, rescoped);
            return None;
        }
        self.start(element.name(), new_namespace(own, rescoped));
        for (prefix, namespace) in element
            .declarations()
            .filter(|(prefix, _)| !prefix.is_empty())
        {
            self.declare(prefix, namespace);
        }
        self.copy_attributes(element, attributes);
        let Some(tail) = element.tail() else {
            self.end();
            return None;
        };
        self.close_tag();
        self.stack.pop();
        Some(tail)
    }

    /// Whether every name of `element` that leans on declarations around it means the same here.
    fn binds_all_of(&self, element: ElementRef<'_>) -> bool {
        element.leans_on().all(|(prefix, namespace)| match prefix {
            "" => self.default_namespace() == namespace.as_bytes(),
            _ => self.binds_prefix(prefix, namespace),
        })
    }

    /// Whether the prefix means this namespace here.
    fn binds_prefix(&self, prefix: &str, namespace: &str) -> bool {
        prefix == "stream"
            && self.in_stream
            && namespace == STREAM_NAMESPACE
            && !self.redeclares_stream()
    }

    /// Whether an open element binds the prefix `stream` again; only [`declare`](Writer::declare) can.
    fn redeclares_stream(&self) -> bool {
        let written = self.out.get(self.begin..).unwrap_or_default();
        !self.header && memchr::memmem::find(written, b" xmlns:stream=").is_some()
    }

    /// A number whose prefix `n0`, `n1`, … the open start tag does not declare yet.
    fn unused_prefix(&self) -> usize {
        // Larger numbers come from elsewhere, and are not counted on from.
        const LARGE: usize = 1_000_000;
        let from = self.stack.last().map_or(0, |open| open.name.start);
        let tag = self.out.get(from..).unwrap_or_default();
        let declared = || {
            memchr::memmem::find_iter(tag, DECLARATION).filter_map(|at| {
                let rest = tag.get(at.saturating_add(DECLARATION.len())..)?;
                let digits = rest.split(|&byte| byte == b'=').next()?;
                core::str::from_utf8(digits).ok()?.parse::<usize>().ok()
            })
        };
        let highest = declared().filter(|&number| number < LARGE).max();
        let mut number = highest.map_or(0, |number| number.saturating_add(1));
        while declared().any(|other| other == number) {
            number = number.saturating_add(1);
        }
        number
    }

    fn copy_attributes(&mut self, element: ElementRef<'_>, replaced: &[(&str, Option<&str>)]) {
        for attribute in element.attributes() {
            let (name, namespace) = (attribute.name(), attribute.namespace());
            if !(namespace.is_empty() && replaced.iter().any(|(other, _)| *other == name)) {
                self.attribute_ns(name, namespace, &attribute.value());
            }
        }
        for (name, value) in replaced {
            self.attribute_opt(name, *value);
        }
    }

    /// Writes an element anew, its prefixes declared for the sake of qualified names in content.
    fn rewrite(
        &mut self,
        element: ElementRef<'_>,
        replaced: &[(&str, Option<&str>)],
        rescoped: Rescoped<'_>,
    ) -> &mut Self {
        self.start(element.name(), new_namespace(element.namespace(), rescoped));
        let own: Vec<_> = element
            .declarations()
            .filter(|(prefix, _)| !prefix.is_empty())
            .collect();
        for (prefix, namespace) in element.outer_declarations() {
            let standard = prefix == "stream" && namespace == STREAM_NAMESPACE;
            if !standard && own.iter().all(|(other, _)| *other != prefix) {
                self.declare(prefix, namespace);
            }
        }
        for (prefix, namespace) in own {
            self.declare(prefix, namespace);
        }
        self.copy_attributes(element, replaced);
        // An explicit stack: depth comes from the network. What is within another namespace is not rescoped.
        let within = |inner: ElementRef<'_>, rescoped: Rescoped<'_>| {
            rescoped.is_some_and(|(from, _)| inner.namespace() == from)
        };
        let mut open = Vec::from([(element.nodes(), within(element, rescoped))]);
        while let Some((nodes, content)) = open.last_mut() {
            let rescoped = rescoped.filter(|_| *content);
            match nodes.next() {
                None => {
                    open.pop();
                    self.end();
                }
                Some(NodeRef::Text(text)) => {
                    self.text(&text);
                }
                Some(NodeRef::Element(child)) => {
                    self.start(child.name(), new_namespace(child.namespace(), rescoped));
                    for (prefix, namespace) in child
                        .declarations()
                        .filter(|(prefix, _)| !prefix.is_empty())
                    {
                        self.declare(prefix, namespace);
                    }
                    self.copy_attributes(child, &[]);
                    open.push((child.nodes(), within(child, rescoped)));
                }
            }
        }
        self
    }
}

/// A namespace, and the one to write in its place.
type Rescoped<'r> = Option<(&'r str, &'r str)>;

fn new_namespace<'n>(namespace: &'n str, rescoped: Rescoped<'n>) -> &'n str {
    match rescoped {
        Some((from, to)) if namespace == from => to,
        _ => namespace,
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("written", &self.out.len().saturating_sub(self.begin))
            .field("open", &self.stack.len())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// How the declaration of a prefix of the writer's choice begins.
const DECLARATION: &[u8] = b" xmlns:n";

fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut plain = Escaping {
        out,
        place: Place::Value,
        valid: true,
    };
    // Writing to a vector does not fail.
    let _ = fmt::Write::write_fmt(&mut plain, format_args!("{number}"));
}

/// Escapes what a typed value formats.
struct Escaping<'e> {
    out: &'e mut Vec<u8>,
    place: Place,
    valid: bool,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.valid &= escape::encode(self.out, text, self.place);
        Ok(())
    }
}

/// An element that is being written. Ranges are places in the output.
#[derive(Clone, Debug)]
struct Open {
    name: Range<usize>,
    default: Default,
}

/// The default namespace within an element.
#[derive(Clone, Debug)]
enum Default {
    Outer,
    Written(Range<usize>),
}

/// The open elements: the first few without an allocation.
#[derive(core::default::Default)]
struct Stack {
    near: [Option<Open>; 8],
    used: usize,
    far: Vec<Open>,
}

impl Stack {
    fn len(&self) -> usize {
        self.used.saturating_add(self.far.len())
    }

    fn push(&mut self, open: Open) {
        match self.near.get_mut(self.used) {
            Some(place) => {
                *place = Some(open);
                self.used = self.used.saturating_add(1);
            }
            None => self.far.push(open),
        }
    }

    fn pop(&mut self) -> Option<Open> {
        if let Some(open) = self.far.pop() {
            return Some(open);
        }
        self.used = self.used.checked_sub(1)?;
        self.near.get_mut(self.used)?.take()
    }

    fn last(&self) -> Option<&Open> {
        match self.far.last() {
            Some(open) => Some(open),
            None => self.near.get(self.used.checked_sub(1)?)?.as_ref(),
        }
    }
}

/// Why something could not be written. Always the caller's mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// A name is not an `NCName` (Namespaces in XML §3).
    Name,
    /// Text or a value holds a character that XML cannot carry (XML 1.0 §2.2).
    Character,
    /// A namespace that cannot be declared, such as that of `xmlns`.
    Namespace,
    /// A malformed language tag.
    LanguageTag,
    /// An attribute was added after the content of its element had begun.
    AttributeAfterContent,
    /// Text was added outside any element.
    TextOutside,
    /// Elements were opened and closed unequally often.
    Unbalanced,
    /// A typed value has no lexical form, as it said itself.
    Value,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "not a name that XML allows",
            Self::Character => "a character that XML cannot carry",
            Self::Namespace => "a namespace that cannot be declared",
            Self::LanguageTag => "a malformed language tag",
            Self::AttributeAfterContent => "an attribute after the content of its element",
            Self::TextOutside => "text outside any element",
            Self::Unbalanced => "elements opened and closed unequally often",
            Self::Value => "a value without a lexical form",
        })
    }
}

impl core::error::Error for WriteError {}
