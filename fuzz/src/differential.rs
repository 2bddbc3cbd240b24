//! The parser beside rxml and quick-xml: the same verdict, and the same tree.
//!
//! An input is read as one document, by [`Scratch::document`], and if it begins like a stream, as one by [`Parser`].
//!
//! - **rxml** is as strict as we are. Both accept or both refuse; what both accept is the same tree.
//! - **quick-xml** checks less. What we accept it accepts; what both accept is the same tree.
//!
//! # Differences that are explained
//!
//! An input that shows one of them is accepted as it is, and no other is:
//!
//! - **A carriage return alone** (without a line feed behind it): XML 1.0 §2.11 makes it a line feed, and §3.3.3 a space in an
//!   attribute value. rxml refuses it in attribute values and at the end of the input, or gives it a place of its own.
//!   Nor does it make a line feed of the two behind a `]` in a CDATA section. Such inputs are not compared with rxml.
//! - **White space before the root**, where no XML declaration stands: allowed by XML 1.0 §2.8 (`Misc`), refused by rxml.
//! - **`standalone`** is `yes` or `no` (XML 1.0 §2.9), both of which we take (RFC 6120 §11.5). rxml refuses `no`, and
//!   either where no encoding stands before it, and takes `yes` in any case of its letters.
//! - **The namespace of `xmlns`** bound to a prefix or as the default: forbidden by Namespaces in XML §3, accepted by rxml.
//! - **The default namespace undeclared and declared again** in one tag (`xmlns='' xmlns=''`): an attribute that stands
//!   twice (XML 1.0 §3.1), accepted by rxml.
//! - **U+FDF0 to U+FFFD in a name**: allowed by the production `NameStartChar` of XML 1.0 §2.3, refused by rxml.
//! - **Text between stanzas**: a document may have it below its root, a stream may not (RFC 6120 §11.7).
//! - **The end of a stream** is judged when its `>` has come, what is wrong in a document at once: an input that ends
//!   before that is refused as a document, and waits for its rest as a stream.

use std::collections::BTreeMap;

use rxml::Parse;
use xmpp_xml::{ElementRef, Event, Fault, FaultKind, Limits, NodeRef, Parser, Scratch};

/// Longer inputs say nothing new, and rxml has a limit of its own for each token.
const LONGEST: usize = 4_096;

/// As wide as they go: that limits hold is for others to test.
fn limits() -> Limits {
    Limits::new()
        .stanza_bytes(u32::MAX)
        .header_bytes(u32::MAX)
        .depth(u32::MAX)
        .attributes(u32::MAX)
        .namespaces(u32::MAX)
        .name_bytes(u16::MAX)
        .children(u32::MAX)
}

/// Panics where the parsers differ and it is not explained above.
pub fn differential(data: &[u8]) {
    if data.len() > LONGEST {
        return;
    }
    let own = own(data);
    if !has_a_line_end_of_its_own(data) {
        beside_rxml(data, own.as_ref());
    }
    if let (Ok(own), Ok(text)) = (&own, core::str::from_utf8(data)) {
        match by_quick_xml(text) {
            Ok(tree) => assert_eq!(*own, tree, "not the tree of quick-xml"),
            Err(error) => refused("quick-xml", &error),
        }
    }
    stream(data, own.as_ref());
}

/// Whether there is a line end that rxml does not read as one.
fn has_a_line_end_of_its_own(data: &[u8]) -> bool {
    let alone = data
        .split(|&byte| byte == b'\r')
        .skip(1)
        .any(|behind| !behind.starts_with(b"\n"));
    alone || data.windows(2).any(|pair| pair == b"]\r")
}

fn beside_rxml(data: &[u8], own: Result<&Tree, &Fault>) {
    match (own, by_rxml(data)) {
        (Ok(own), Ok(rxml)) => assert_eq!(*own, rxml, "not the tree of rxml"),
        (Err(_), Err(_)) => {}
        (Ok(_), Err(error)) => {
            let error = error.to_string();
            let space_first = data.first().is_some_and(u8::is_ascii_whitespace);
            // Told as `U+fdf0 not allowed in name`.
            let (_, told) = error.split_once("U+").unwrap_or_default();
            let digits = told.split(' ').next().unwrap_or_default();
            let character = u32::from_str_radix(digits, 16);
            let name = error.contains("name")
                && character.is_ok_and(|character| (0xFDF0..=0xFFFD).contains(&character));
            if !space_first && !name && !is_said_to_be_standalone(data) {
                refused("rxml", &error);
            }
        }
        (Err(fault), Ok(_)) => {
            let reserved = fault.kind() == FaultKind::ReservedDeclaration;
            let standalone =
                fault.kind() == FaultKind::InvalidDeclaration && is_said_to_be_standalone(data);
            let undeclared = fault.kind() == FaultKind::DuplicateAttribute
                && declares_default_again(data, fault.offset());
            assert!(
                reserved || standalone || undeclared,
                "rxml accepts it: {fault}"
            );
        }
    }
}

/// Whether the name before this offset is `xmlns`, and one of no namespace stands somewhere in the input.
fn declares_default_again(data: &[u8], offset: u64) -> bool {
    let before = usize::try_from(offset).ok().and_then(|at| data.get(..at));
    let is_default = before
        .and_then(|before| before.strip_suffix(b"xmlns"))
        .is_some_and(|before| before.last().is_some_and(u8::is_ascii_whitespace));
    let is_empty = data.windows(5).enumerate().any(|(at, name)| {
        let rest = data.get(at.saturating_add(5)..).unwrap_or_default();
        let value = rest.trim_ascii_start().strip_prefix(b"=");
        let value = value.unwrap_or_default().trim_ascii_start();
        name == b"xmlns" && (value.starts_with(b"''") || value.starts_with(b"\"\""))
    });
    is_default && is_empty
}

fn is_said_to_be_standalone(data: &[u8]) -> bool {
    let mut declaration = data.split(|&byte| byte == b'>').take(1);
    data.starts_with(b"<?xml")
        && declaration.any(|words| words.windows(10).any(|word| word == b"standalone"))
}

#[allow(clippy::panic)] // a finding
fn refused(by: &str, error: &str) {
    panic!("{by} refuses it: {error}");
}

/// A document is a stream whose children are its stanzas; only text between them is allowed in the one and not in the
/// other.
fn stream(data: &[u8], document: Result<&Tree, &Fault>) {
    let mut parser = Parser::new(limits());
    let mut scratch = Scratch::new();
    let mut input = data;
    let mut root: Option<Tree> = None;
    let mut ended = false;
    let fault = loop {
        match parser.next(&mut scratch, &mut input) {
            Ok(None) => break None,
            Ok(Some(Event::Header(header))) => root = Some(tree(header)),
            Ok(Some(Event::Element(element))) => {
                if let Some(root) = &mut root {
                    root.content.push(Content::Tree(tree(element)));
                }
            }
            Ok(Some(Event::End)) => ended = true,
            Ok(Some(_)) => {}
            Err(fault) => break Some(fault),
        }
    };
    match (document, fault) {
        (Ok(document), None) => {
            let mut expected = document.clone();
            let is_space =
                |text: &String| text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            expected
                .content
                .retain(|content| !matches!(content, Content::Text(text) if is_space(text)));
            assert!(ended, "a whole document is a stream that ended");
            assert_eq!(root, Some(expected), "not the tree of the stream");
        }
        (Ok(_), Some(fault)) => {
            // A CDATA section between stanzas is no markup that may stand there.
            let between = matches!(
                fault.kind(),
                FaultKind::TextBetweenStanzas | FaultKind::UnexpectedByte
            );
            assert!(between, "refused as a stream alone: {fault}");
        }
        (Err(_), Some(_)) => {}
        (Err(fault), None) => assert!(!ended, "refused as a document alone: {fault}"),
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tree {
    namespace: String,
    name: String,
    /// By namespace and name.
    attributes: BTreeMap<(String, String), String>,
    content: Vec<Content>,
}

#[derive(Clone, Debug, PartialEq)]
enum Content {
    Text(String),
    Tree(Tree),
}

/// Puts a tree together from what comes one after the other. Adjacent text is one.
#[derive(Default)]
struct Builder {
    open: Vec<Tree>,
    root: Option<Tree>,
}

impl Builder {
    fn start(&mut self, tree: Tree) {
        self.open.push(tree);
    }

    fn text(&mut self, text: &str) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        match open.content.last_mut() {
            _ if text.is_empty() => {}
            Some(Content::Text(before)) => before.push_str(text),
            _ => open.content.push(Content::Text(text.to_owned())),
        }
    }

    fn end(&mut self) {
        let Some(tree) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(outer) => outer.content.push(Content::Tree(tree)),
            None => self.root = Some(tree),
        }
    }
}

fn own(data: &[u8]) -> Result<Tree, Fault> {
    Scratch::new().document(data, &limits()).map(tree)
}

fn tree(element: ElementRef<'_>) -> Tree {
    let attributes = element.attributes().map(|attribute| {
        let name = (
            attribute.namespace().to_owned(),
            attribute.name().to_owned(),
        );
        (name, attribute.value().into_owned())
    });
    let content = element.nodes().map(|node| match node {
        NodeRef::Text(text) => Content::Text(text.into_owned()),
        NodeRef::Element(child) => Content::Tree(tree(child)),
    });
    Tree {
        namespace: element.namespace().to_owned(),
        name: element.name().to_owned(),
        attributes: attributes.collect(),
        content: content.collect(),
    }
}

fn by_rxml(data: &[u8]) -> Result<Tree, rxml::Error> {
    let mut parser = rxml::Parser::new();
    let mut input = data;
    let mut builder = Builder::default();
    loop {
        match parser.parse(&mut input, true) {
            Ok(Some(rxml::Event::XmlDeclaration(..))) => {}
            Ok(Some(rxml::Event::StartElement(_, (namespace, name), attributes))) => {
                let attributes = attributes.into_iter().map(|((namespace, name), value)| {
                    ((namespace.to_string(), name.to_string()), value)
                });
                builder.start(Tree {
                    namespace: namespace.to_string(),
                    name: name.to_string(),
                    attributes: attributes.collect(),
                    content: Vec::new(),
                });
            }
            Ok(Some(rxml::Event::Text(_, text))) => builder.text(&text),
            Ok(Some(rxml::Event::EndElement(_))) => builder.end(),
            Ok(None) => return Ok(builder.root.unwrap_or_default()),
            Err(rxml::error::EndOrError::Error(error)) => return Err(error),
            Err(rxml::error::EndOrError::NeedMoreData) => {
                return Err(rxml::Error::InvalidEof(None));
            }
        }
    }
}

fn by_quick_xml(text: &str) -> Result<Tree, String> {
    use quick_xml::events::{BytesStart, Event};
    use quick_xml::name::{NamespaceResolver, ResolveResult};

    fn namespace(resolved: ResolveResult<'_>) -> Result<String, String> {
        match resolved {
            ResolveResult::Unbound => Ok(String::new()),
            ResolveResult::Bound(namespace) => {
                // The resolver gives what is written.
                let written = quick_xml::events::attributes::Attribute {
                    key: quick_xml::name::QName("xmlns"),
                    value: namespace.into_inner().into(),
                };
                let value = written.normalized_value(quick_xml::XmlVersion::Implicit1_0);
                Ok(value.map_err(|error| error.to_string())?.into_owned())
            }
            ResolveResult::Unknown(prefix) => Err(format!("unknown prefix {prefix}")),
        }
    }

    fn start(tag: &BytesStart<'_>, resolver: &NamespaceResolver) -> Result<Tree, String> {
        let (resolved, name) = resolver.resolve_element(tag.name());
        let mut tree = Tree {
            namespace: namespace(resolved)?,
            name: name.into_inner().to_owned(),
            ..Tree::default()
        };
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|error| error.to_string())?;
            if attribute.key.as_namespace_binding().is_some() {
                continue;
            }
            let (resolved, name) = resolver.resolve_attribute(attribute.key);
            let value = attribute
                .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            let name = (namespace(resolved)?, name.into_inner().to_owned());
            tree.attributes.insert(name, value.into_owned());
        }
        Ok(tree)
    }

    let mut reader = quick_xml::NsReader::from_str(text);
    let mut builder = Builder::default();
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        match event {
            Event::Start(tag) => builder.start(start(&tag, reader.resolver())?),
            Event::Empty(tag) => {
                builder.start(start(&tag, reader.resolver())?);
                builder.end();
            }
            Event::End(_) => builder.end(),
            Event::Text(text) => builder.text(&text.xml10_content()),
            Event::CData(text) => builder.text(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref();
                match character.map_err(|error| error.to_string())? {
                    Some(character) => builder.text(character.encode_utf8(&mut [0; 4])),
                    None => {
                        let name = reference.into_inner();
                        let text = quick_xml::escape::resolve_predefined_entity(&name);
                        builder.text(text.ok_or_else(|| format!("unknown entity {name}"))?);
                    }
                }
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
            Event::Eof => return Ok(builder.root.unwrap_or_default()),
        }
    }
}
