//! Elements: borrowed views over bytes and tape, and owned ones that share both.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::XML_NAMESPACE;
use crate::chars::is_language_tag;
use crate::escape::{self, Place};
use crate::fault::Fault;
use crate::limits::Limits;
use crate::parser::Scratch;
use crate::tape::{
    Context, ContextDeclaration, Kind, NO_CONTEXT, NamespaceId, Node, SharedContext, Source, index,
    number,
};
use crate::typed::{FromXml, FromXmlError, ToXml};
use crate::writer::{WriteError, Writer};

/// A view of one element within the bytes it arrived in. Copying it copies a few pointers; no text is copied before
/// it must be decoded.
///
/// Two elements are equal when they mean the same: names, namespaces, attributes in any order, and content, however
/// it was written. `Display` prints the element with every declaration that it needs.
#[derive(Clone, Copy)]
pub struct ElementRef<'a> {
    bytes: &'a str,
    tape: &'a [Node],
    decoded: &'a str,
    context: &'a SharedContext,
    entry: u32,
}

impl<'a> ElementRef<'a> {
    pub(crate) fn root(
        bytes: &'a str,
        tape: &'a [Node],
        decoded: &'a str,
        context: &'a SharedContext,
    ) -> Self {
        Self {
            bytes,
            tape,
            decoded,
            context,
            entry: 0,
        }
    }

    /// The local name.
    #[inline]
    pub fn name(self) -> &'a str {
        local_name(self.qualified_name(), self.node().prefix)
    }

    /// The namespace; empty for none.
    #[inline]
    pub fn namespace(self) -> &'a str {
        self.resolve(self.node().a)
    }

    /// The prefix as it was written; empty for none. Prefixes have no meaning of their own (RFC 6120 §8.4).
    pub fn prefix(self) -> &'a str {
        self.qualified_name()
            .get(..usize::from(self.node().prefix))
            .unwrap_or_default()
    }

    /// Whether this is the expanded name.
    #[inline]
    pub fn is(self, name: &str, namespace: &str) -> bool {
        self.name() == name && self.namespace() == namespace
    }

    /// Whether both are in the same namespace. For elements of one document this is mostly known without comparing
    /// texts, as children lean on the declaration that their parent leans on.
    #[inline]
    pub fn shares_namespace_with(self, other: ElementRef<'_>) -> bool {
        let is_same_document = core::ptr::eq(self.tape, other.tape);
        is_same_document && self.node().a == other.node().a || self.namespace() == other.namespace()
    }

    /// The value of the attribute of this name in no namespace.
    pub fn attribute(self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes()
            .find(|a| a.node.prefix == 0 && a.qualified_name() == name)
            .map(AttributeRef::value)
    }

    /// The value of the attribute of this expanded name.
    pub fn attribute_ns(self, name: &str, namespace: &str) -> Option<Cow<'a, str>> {
        self.attributes()
            .find(|a| a.name() == name && a.namespace() == namespace)
            .map(AttributeRef::value)
    }

    /// The attributes as they were written, without namespace declarations.
    #[inline]
    pub fn attributes(self) -> Attributes<'a> {
        Attributes {
            element: self,
            entry: self.entry.saturating_add(1),
        }
    }

    /// The child elements in document order.
    pub fn children(self) -> Children<'a> {
        Children {
            element: self,
            entry: self.content(),
            end: self.end(),
        }
    }

    /// The first child element of this expanded name.
    pub fn child(self, name: &str, namespace: &str) -> Option<ElementRef<'a>> {
        self.children().find(|child| child.is(name, namespace))
    }

    /// The content in document order: elements, and text with adjacent CDATA sections joined.
    pub fn nodes(self) -> Nodes<'a> {
        Nodes {
            element: self,
            entry: self.content(),
            end: self.end(),
        }
    }

    /// The text directly within this element, that of its children left out.
    pub fn text(self) -> Cow<'a, str> {
        let (mut entry, end) = (self.content(), self.end());
        let mut text = Cow::Borrowed("");
        while entry < end {
            let Some(&node) = self.tape.get(index(entry)) else {
                break;
            };
            if node.is_text() {
                append(&mut text, data(self.bytes, node));
                entry = entry.saturating_add(1);
            } else {
                entry = node.b.max(entry.saturating_add(1));
            }
        }
        text
    }

    /// The language in force: the nearest `xml:lang` of this element, those around it, and the stream header
    /// (RFC 6120 §8.1.5). `None` also where the nearest one is empty. What is no language tag counts as absent
    /// (RFC 6120 §4.7.4).
    pub fn lang(self) -> Option<Cow<'a, str>> {
        let mut lang = self
            .context
            .as_ref()
            .and_then(|context| context.lang.as_deref())
            .filter(|lang| is_language_tag(lang))
            .map(Cow::Borrowed);
        let mut around = Some(Self { entry: 0, ..self });
        while let Some(element) = around {
            lang = element
                .attribute_ns("lang", XML_NAMESPACE)
                .filter(|lang| is_language_tag(lang))
                .or(lang);
            if element.entry == self.entry {
                break;
            }
            around = element
                .children()
                .take_while(|c| c.entry <= self.entry)
                .last();
        }
        lang.filter(|lang| !lang.is_empty())
    }

    /// The bytes as they were received, from `<` to `>`. They may lean on declarations around them.
    pub fn bytes(self) -> &'a str {
        let start = index(self.node().start).saturating_sub(1);
        self.bytes
            .get(start..index(self.close().a))
            .unwrap_or_default()
    }

    /// Whether the bytes hold the end of the element, as those of a stream header do not.
    pub(crate) fn is_closed(self) -> bool {
        self.tail().is_some() || self.bytes().ends_with("/>")
    }

    /// Everything behind the start tag, the end tag included, as it was received; `None` if the element closed
    /// itself. For forwarding below a rewritten start tag: see [`Writer::forward`].
    pub(crate) fn tail(self) -> Option<&'a str> {
        let close = self.close();
        if close.start == close.a {
            return None;
        }
        self.bytes.get(self.start_tag_end()..index(close.a))
    }

    /// An owned copy, which keeps the language in force (see [`lang`](Self::lang)).
    ///
    /// It costs two allocations, one for the bytes and one for the tape; more only where a namespace is written with
    /// references, where names lean on declarations of an element around this one, or where the language does.
    pub fn to_element(self) -> Element {
        match self.copy_tape() {
            Some(copy) if self.entry == 0 => copy,
            Some(copy) => copy.with_lang_of(self),
            None => self.rewrite().with_lang_of(self),
        }
    }

    /// A copy in which the content namespace `from` is `to`: this element and those within it, as far as they are
    /// connected through elements of `from`. Elements of other namespaces, and whatever is within them, stay as they
    /// are.
    ///
    /// With it a stanza goes from one kind of stream to another (`jabber:client` to `jabber:server`, RFC 6120 §4.8.3),
    /// and a peer can be put up with whose stanzas take their namespace from a wrapper (that of BOSH, XEP-0206 §2)
    /// or declare none. [`Writer::rescope`] does the same on the way out.
    ///
    /// ```
    /// use xmpp_xml::Element;
    /// let frame = Element::parse("<message><body>hi</body><x xmlns='urn:x'/></message>")?;
    /// let message = frame.root().rescoped("", "jabber:client")?;
    /// assert_eq!(message.to_string(), "<message xmlns='jabber:client'><body>hi</body><x xmlns='urn:x'/></message>");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If `to` is no namespace that can be declared.
    pub fn rescoped(self, from: &str, to: &str) -> Result<Element, WriteError> {
        let copy = Element::build(|writer| {
            writer.rescope(self, from, to, &[]);
        })?;
        Ok(copy.with_lang_of(self))
    }

    /// Reads the element as a typed payload.
    ///
    /// The same as [`T::from_xml`](FromXml::from_xml).
    pub fn read<T: FromXml<'a>>(self) -> Result<T, FromXmlError> {
        T::from_xml(self)
    }

    /// The name with its prefix, as it was written.
    #[inline]
    pub(crate) fn qualified_name(self) -> &'a str {
        self.bytes.get(self.node().name_range()).unwrap_or_default()
    }

    /// The declarations of this element, prefix and namespace; that of `xml` goes without saying.
    pub fn declarations(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.head()
            .filter(|node| node.is_declaration())
            .filter_map(move |node| {
                let prefix = self.bytes.get(node.name_range()).unwrap_or_default();
                (prefix != "xml").then(|| (prefix, self.declared(node)))
            })
    }

    /// The namespace that a prefix is bound to here, the empty prefix being the default namespace; `None` if it is
    /// not bound. For qualified names in content, such as `xsi:type='xs:string'`.
    pub fn namespace_of_prefix(self, prefix: &str) -> Option<&'a str> {
        if prefix == "xml" {
            return Some(XML_NAMESPACE);
        }
        let mut around = self.ancestors();
        around.push(self);
        let mut nearest = around.into_iter().rev();
        let bound = nearest.find_map(|element| {
            let mut declarations = element.declarations();
            declarations.find(|(declared, _)| *declared == prefix)
        });
        let bound = bound.map(|(_, namespace)| namespace).or_else(|| {
            let mut inherited = self.context.as_ref()?.declarations.iter();
            let declaration = inherited.find(|declaration| declaration.prefix == prefix)?;
            Some(declaration.namespace.as_str())
        });
        bound.filter(|namespace| !namespace.is_empty())
    }

    /// The elements around this one, outermost first, this one excluded.
    fn ancestors(self) -> Vec<ElementRef<'a>> {
        let mut ancestors = Vec::new();
        let mut element = Self { entry: 0, ..self };
        while element.entry < self.entry {
            ancestors.push(element);
            match element
                .children()
                .take_while(|c| c.entry <= self.entry)
                .last()
            {
                Some(child) => element = child,
                None => break,
            }
        }
        ancestors
    }

    /// The prefixed declarations that are in force around this element.
    pub(crate) fn outer_declarations(self) -> Vec<(&'a str, &'a str)> {
        let mut scope: Vec<(&str, &str)> = Vec::new();
        let context = self
            .context
            .iter()
            .flat_map(|context| &context.declarations);
        let inherited = context.map(|d| (d.prefix.as_str(), d.namespace.as_str()));
        let around = self
            .ancestors()
            .into_iter()
            .flat_map(|element| element.declarations());
        for (prefix, namespace) in inherited
            .chain(around)
            .filter(|(prefix, _)| !prefix.is_empty())
        {
            scope.retain(|(earlier, _)| *earlier != prefix);
            scope.push((prefix, namespace));
        }
        scope
    }

    /// The bindings outside this element that names within it lean on: prefix and namespace, with repetitions.
    pub(crate) fn leans_on(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let first = self.entry;
        let range = index(first)..index(self.end());
        let nodes = self.tape.get(range).unwrap_or_default();
        let mut name = Node {
            kind: Kind::Open,
            prefix: 0,
            name: 0,
            start: 0,
            a: 0,
            b: 0,
        };
        nodes.iter().filter_map(move |&node| {
            let id = match node.kind {
                Kind::Open => {
                    name = node;
                    node.a
                }
                Kind::AttributeNamespace => node.a,
                Kind::Attribute | Kind::AttributeEscaped => {
                    name = node;
                    return None;
                }
                _ => return None,
            };
            let outside = match NamespaceId(id).source() {
                Source::None => name.kind == Kind::Open,
                Source::Xml => false,
                Source::Local(entry) => entry < first,
                Source::Context(_) => true,
            };
            outside.then(|| {
                let start = index(name.start);
                let end = start.saturating_add(usize::from(name.prefix));
                (
                    self.bytes.get(start..end).unwrap_or_default(),
                    self.resolve(id),
                )
            })
        })
    }

    /// This element and all within it, in document order.
    pub(crate) fn descendants(self) -> impl Iterator<Item = ElementRef<'a>> {
        let range = self.entry..self.end();
        range.filter_map(move |entry| {
            let node = self.tape.get(index(entry))?;
            (node.kind == Kind::Open).then_some(Self { entry, ..self })
        })
    }

    /// A copy of bytes and tape, if no name leans on an element around this one.
    fn copy_tape(self) -> Option<Element> {
        let nodes = self
            .tape
            .get(index(self.entry)..index(self.end().saturating_add(1)))?;
        let mut has_decoded = false;
        for node in nodes {
            match node.kind {
                Kind::Open | Kind::AttributeNamespace => {
                    self.rebase(node.a)?;
                }
                Kind::DeclarationDecoded => has_decoded = true,
                _ => {}
            }
        }
        let raw = self.bytes();
        let shift = self.node().start.saturating_sub(1);
        // Decoded namespaces stand behind the text; most elements have none.
        let mut decoded = String::new();
        // Of known length, so that the entries are written where they stay.
        let tape: Arc<[Node]> = nodes
            .iter()
            .map(|&node| {
                let mut node = Node {
                    start: node.start.saturating_sub(shift),
                    ..node
                };
                match node.kind {
                    Kind::Open => {
                        node.a = self.rebase(node.a).unwrap_or(node.a);
                        node.b = node.b.saturating_sub(self.entry);
                    }
                    Kind::AttributeNamespace => node.a = self.rebase(node.a).unwrap_or(node.a),
                    Kind::Close => {
                        node.a = node.a.saturating_sub(shift);
                        node.b = 0;
                    }
                    Kind::DeclarationDecoded => {
                        let namespace = self.declared(node);
                        node.a = number(raw.len().saturating_add(decoded.len()));
                        decoded.push_str(namespace);
                    }
                    _ => node.a = node.a.saturating_sub(shift),
                }
                node
            })
            .collect();
        let text: Arc<str> = match has_decoded {
            false => Arc::from(raw),
            true => Arc::from([raw, &decoded].concat()),
        };
        Some(Element {
            text,
            tape,
            context: self.context.clone(),
        })
    }

    /// The namespace reference of a copy whose tape begins at this element; `None` if it leans on one before.
    fn rebase(self, id: u32) -> Option<u32> {
        match NamespaceId(id).source() {
            Source::Local(entry) => Some(NamespaceId::local(entry.checked_sub(self.entry)?).0),
            _ => Some(id),
        }
    }

    /// A copy that is written anew, with all declarations that it leans on.
    fn rewrite(self) -> Element {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.element(self);
        // What was parsed can be written, and what was written can be parsed.
        let written = writer.finish().is_ok();
        debug_assert!(written, "a parsed element could not be written");
        parse_owned(&bytes, &unlimited()).unwrap_or_else(|_| Element::placeholder())
    }

    #[inline]
    pub(crate) fn node(self) -> Node {
        self.tape.get(index(self.entry)).copied().unwrap_or(NOTHING)
    }

    fn close(self) -> Node {
        self.tape.get(index(self.end())).copied().unwrap_or(NOTHING)
    }

    /// The entry of the end tag.
    fn end(self) -> u32 {
        self.node().b.saturating_sub(1)
    }

    /// The entries that belong to the start tag.
    fn head(self) -> impl Iterator<Item = Node> + 'a {
        let from = index(self.entry).saturating_add(1);
        self.tape
            .get(from..)
            .unwrap_or_default()
            .iter()
            .copied()
            .take_while(|node| node.is_head())
    }

    /// The first entry of the content.
    fn content(self) -> u32 {
        let head = number(self.head().count());
        self.entry.saturating_add(1).saturating_add(head)
    }

    /// The byte behind the start tag.
    fn start_tag_end(self) -> usize {
        let values = self.head().filter(|n| {
            matches!(
                n.kind,
                Kind::Attribute | Kind::AttributeEscaped | Kind::Declaration
            )
        });
        let mut from = values
            .map(|n| n.value_range().end)
            .last()
            .unwrap_or(self.node().name_range().end);
        // Behind the last value only its quote, spaces and `/` can stand before `>`; a decoded namespace that
        // stands last is passed over by its quotes.
        let rest = self.bytes.as_bytes();
        let mut quoted = None;
        let in_value = rest.get(from).is_some_and(|b| matches!(b, b'\'' | b'"'))
            && self.head().next().is_some();
        if in_value {
            from = from.saturating_add(1);
        }
        while let Some(&byte) = rest.get(from) {
            from = from.saturating_add(1);
            match (quoted, byte) {
                (None, b'>') => break,
                (None, b'\'' | b'"') => quoted = Some(byte),
                (Some(open), _) if open == byte => quoted = None,
                _ => {}
            }
        }
        from
    }

    fn declared(self, node: Node) -> &'a str {
        let source = if node.kind == Kind::DeclarationDecoded {
            self.decoded
        } else {
            self.bytes
        };
        source.get(node.value_range()).unwrap_or_default()
    }

    fn resolve(self, id: u32) -> &'a str {
        match NamespaceId(id).source() {
            Source::None => "",
            Source::Xml => XML_NAMESPACE,
            Source::Local(entry) => self
                .tape
                .get(index(entry))
                .map_or("", |&node| self.declared(node)),
            Source::Context(entry) => self
                .context
                .as_ref()
                .and_then(|context| context.declarations.get(index(entry)))
                .map_or("", |declaration| declaration.namespace.as_str()),
        }
    }
}

/// The decoded text of a text or attribute entry.
#[inline]
fn data(bytes: &str, node: Node) -> Cow<'_, str> {
    let raw = bytes.get(node.value_range()).unwrap_or_default();
    match node.kind {
        Kind::Attribute | Kind::Text => Cow::Borrowed(raw),
        kind => decoded(kind, raw),
    }
}

/// Stands where a tape has no entry, which no tape of the parser lets happen.
const NOTHING: Node = Node {
    kind: Kind::Close,
    prefix: 0,
    name: 0,
    start: 0,
    a: 0,
    b: 0,
};

#[cold]
fn decoded(kind: Kind, raw: &str) -> Cow<'_, str> {
    match kind {
        Kind::TextEscaped => escape::decode(raw, Place::Text),
        Kind::SectionEscaped => escape::decode(raw, Place::Section),
        Kind::AttributeEscaped => escape::decode(raw, Place::Value),
        _ => Cow::Borrowed(raw),
    }
}

#[inline]
fn local_name(qualified: &str, prefix: u8) -> &str {
    if prefix == 0 {
        return qualified;
    }
    qualified
        .get(usize::from(prefix).saturating_add(1)..)
        .unwrap_or_default()
}

fn append<'a>(text: &mut Cow<'a, str>, more: Cow<'a, str>) {
    if text.is_empty() {
        *text = more;
    } else {
        text.to_mut().push_str(&more);
    }
}

/// For what the program itself has written.
pub(crate) fn unlimited() -> Limits {
    Limits::new()
        .stanza_bytes(u32::MAX)
        .depth(u32::MAX)
        .attributes(u32::MAX)
        .namespaces(u32::MAX)
        .name_bytes(u16::MAX)
        .children(u32::MAX)
}

pub(crate) fn parse_owned(bytes: &[u8], limits: &Limits) -> Result<Element, Fault> {
    let mut scratch = Scratch::new();
    scratch.document(bytes, limits).map(ElementRef::to_element)
}

/// An attribute of an element.
#[derive(Clone, Copy)]
pub struct AttributeRef<'a> {
    bytes: &'a str,
    node: Node,
    namespace: &'a str,
}

impl<'a> AttributeRef<'a> {
    /// The local name.
    #[inline]
    pub fn name(self) -> &'a str {
        local_name(self.qualified_name(), self.node.prefix)
    }

    /// The namespace; empty for none, as for every attribute without a prefix.
    #[inline]
    pub fn namespace(self) -> &'a str {
        self.namespace
    }

    /// The normalised value (XML 1.0 §3.3.3).
    #[inline]
    pub fn value(self) -> Cow<'a, str> {
        data(self.bytes, self.node)
    }

    #[inline]
    fn qualified_name(self) -> &'a str {
        self.bytes.get(self.node.name_range()).unwrap_or_default()
    }
}

impl fmt::Debug for AttributeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributeRef")
            .field("name", &self.name())
            .field("namespace", &self.namespace())
            .field("value", &self.value())
            .finish()
    }
}

/// See [`ElementRef::attributes`].
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    element: ElementRef<'a>,
    entry: u32,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = AttributeRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<AttributeRef<'a>> {
        loop {
            let &node = self.element.tape.get(index(self.entry))?;
            if !node.is_head() {
                return None;
            }
            self.entry = self.entry.saturating_add(1);
            if node.is_attribute() {
                let mut namespace = "";
                if node.prefix > 0 {
                    let next = self.element.tape.get(index(self.entry));
                    namespace = next.map_or("", |next| self.element.resolve(next.a));
                }
                return Some(AttributeRef {
                    bytes: self.element.bytes,
                    node,
                    namespace,
                });
            }
        }
    }
}

/// See [`ElementRef::children`].
#[derive(Clone, Debug)]
pub struct Children<'a> {
    element: ElementRef<'a>,
    entry: u32,
    end: u32,
}

impl<'a> Iterator for Children<'a> {
    type Item = ElementRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ElementRef<'a>> {
        while self.entry < self.end {
            let &node = self.element.tape.get(index(self.entry))?;
            let entry = self.entry;
            if node.kind == Kind::Open {
                self.entry = node.b.max(entry.saturating_add(1));
                return Some(ElementRef {
                    entry,
                    ..self.element
                });
            }
            self.entry = entry.saturating_add(1);
        }
        None
    }
}

/// A piece of content.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeRef<'a> {
    /// A child element.
    Element(ElementRef<'a>),
    /// Text.
    Text(Cow<'a, str>),
}

/// See [`ElementRef::nodes`].
#[derive(Clone, Debug)]
pub struct Nodes<'a> {
    element: ElementRef<'a>,
    entry: u32,
    end: u32,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = NodeRef<'a>;

    fn next(&mut self) -> Option<NodeRef<'a>> {
        let mut text = Cow::Borrowed("");
        while self.entry < self.end {
            let &node = self.element.tape.get(index(self.entry))?;
            if node.is_text() {
                append(&mut text, data(self.element.bytes, node));
                self.entry = self.entry.saturating_add(1);
                continue;
            }
            if !text.is_empty() {
                break;
            }
            let entry = self.entry;
            self.entry = node.b.max(entry.saturating_add(1));
            return Some(NodeRef::Element(ElementRef {
                entry,
                ..self.element
            }));
        }
        if text.is_empty() {
            None
        } else {
            Some(NodeRef::Text(text))
        }
    }
}

impl PartialEq for ElementRef<'_> {
    fn eq(&self, other: &ElementRef<'_>) -> bool {
        // A walk with an explicit stack: depth comes from the network.
        let mut pairs = Vec::from([(*self, *other)]);
        while let Some((a, b)) = pairs.pop() {
            if a.name() != b.name() || a.namespace() != b.namespace() || !same_attributes(a, b) {
                return false;
            }
            let (mut left, mut right) = (a.nodes(), b.nodes());
            loop {
                match (left.next(), right.next()) {
                    (None, None) => break,
                    (Some(NodeRef::Text(a)), Some(NodeRef::Text(b))) if a == b => {}
                    (Some(NodeRef::Element(a)), Some(NodeRef::Element(b))) => pairs.push((a, b)),
                    _ => return false,
                }
            }
        }
        true
    }
}

fn same_attributes(a: ElementRef<'_>, b: ElementRef<'_>) -> bool {
    let sorted = |element: ElementRef<'_>| {
        let mut all: Vec<_> = element
            .attributes()
            .map(|a| {
                (
                    String::from(a.name()),
                    String::from(a.namespace()),
                    a.value().into_owned(),
                )
            })
            .collect();
        all.sort_unstable();
        all
    };
    match (a.attributes().count(), b.attributes().count()) {
        (0, 0) => true,
        (n, m) => n == m && sorted(a) == sorted(b),
    }
}

impl fmt::Display for ElementRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.element(*self);
        writer.finish().map_err(|_| fmt::Error)?;
        f.write_str(core::str::from_utf8(&bytes).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for ElementRef<'_> {
    /// The tree: `{namespace}name [attributes] (content …)`; nesting below 16 levels is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug(*self, f, 16)
    }
}

fn debug(element: ElementRef<'_>, f: &mut fmt::Formatter<'_>, levels: u32) -> fmt::Result {
    struct Content<'a>(ElementRef<'a>, u32);
    impl fmt::Debug for Content<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            debug(self.0, f, self.1)
        }
    }
    let namespace = element.namespace();
    if !namespace.is_empty() {
        write!(f, "{{{namespace}}}")?;
    }
    f.write_str(element.name())?;
    if element.attributes().next().is_some() {
        f.write_str(" ")?;
        f.debug_map()
            .entries(element.attributes().map(|a| (a.name(), a.value())))
            .finish()?;
    }
    if element.nodes().next().is_none() {
        return Ok(());
    }
    f.write_str(" ")?;
    let Some(levels) = levels.checked_sub(1) else {
        return f.write_str("[…]");
    };
    let mut list = f.debug_list();
    for node in element.nodes() {
        match node {
            NodeRef::Text(text) => list.entry(&text),
            NodeRef::Element(child) => list.entry(&Content(child, levels)),
        };
    }
    list.finish()
}

/// An element that owns its bytes and tape. Cloning shares them; it can be sent between threads.
#[derive(Clone)]
pub struct Element {
    text: Arc<str>,
    tape: Arc<[Node]>,
    context: SharedContext,
}

impl Element {
    /// Parses one whole document with the default [`Limits`].
    pub fn parse(xml: &str) -> Result<Self, Fault> {
        parse_owned(xml.as_bytes(), &Limits::new())
    }

    /// Builds an element by writing it.
    ///
    /// ```
    /// let ping = xmpp_xml::Element::build(|w| {
    ///     w.empty("ping", "urn:xmpp:ping");
    /// })?;
    /// assert_eq!(ping.to_string(), "<ping xmlns='urn:xmpp:ping'/>");
    /// # Ok::<(), xmpp_xml::WriteError>(())
    /// ```
    ///
    /// # Errors
    /// Whatever [`Writer::finish`] finds, and [`WriteError::Unbalanced`] if not exactly one element was written.
    pub fn build(write: impl FnOnce(&mut Writer<'_>)) -> Result<Self, WriteError> {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        write(&mut writer);
        writer.finish()?;
        parse_owned(&bytes, &unlimited()).map_err(|_| WriteError::Unbalanced)
    }

    /// The borrowed view, through which everything is read.
    pub fn root(&self) -> ElementRef<'_> {
        ElementRef::root(&self.text, &self.tape, &self.text, &self.context)
    }

    /// This copy of `original`, with the language that is in force there.
    fn with_lang_of(mut self, original: ElementRef<'_>) -> Self {
        let lang = original.lang();
        if self.root().lang() != lang {
            let declarations = self.context.iter().flat_map(|outer| &outer.declarations);
            let declarations = declarations
                .map(|declaration| ContextDeclaration {
                    prefix: declaration.prefix.clone(),
                    namespace: declaration.namespace.clone(),
                })
                .collect();
            self.context = Some(Arc::new(Context {
                declarations,
                lang: lang.map(Cow::into_owned),
                root: String::new(),
            }));
        }
        self
    }

    /// Answers where the impossible happened, so that nothing has to panic.
    fn placeholder() -> Self {
        Self {
            text: Arc::from(""),
            tape: Arc::from([]),
            context: NO_CONTEXT.clone(),
        }
    }
}

impl From<ElementRef<'_>> for Element {
    fn from(element: ElementRef<'_>) -> Self {
        element.to_element()
    }
}

impl FromStr for Element {
    type Err = Fault;

    fn from_str(xml: &str) -> Result<Self, Fault> {
        Self::parse(xml)
    }
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

impl PartialEq<Element> for ElementRef<'_> {
    fn eq(&self, other: &Element) -> bool {
        *self == other.root()
    }
}

impl PartialEq<ElementRef<'_>> for Element {
    fn eq(&self, other: &ElementRef<'_>) -> bool {
        self.root() == *other
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root().fmt(f)
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.root(), f)
    }
}

impl ToXml for Element {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.element(self.root());
    }
}

impl ToXml for ElementRef<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.element(*self);
    }
}
