//! Elements from and to the types of [serde], through quick-xml (feature `serde`).
//!
//! For types that have serde's derives already. Payloads of XMPP are better declared with
//! [`FromXml`](crate::FromXml) and [`ToXml`](crate::ToXml): those know namespaces, borrow instead of copying, and
//! write without a detour.
//!
//! [serde]: ::serde
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use xmpp_xml::Element;
//! use xmpp_xml::serde::{from_element, to_element};
//!
//! #[derive(Serialize, Deserialize, Debug, PartialEq)]
//! struct Reading {
//!     #[serde(rename = "@unit")]
//!     unit: String,
//!     #[serde(rename = "$text")]
//!     value: f64,
//! }
//!
//! let element = Element::parse("<reading xmlns='urn:example:meter' unit='kWh'>12.5</reading>")?;
//! assert!(element.root().is("reading", "urn:example:meter"));
//! let reading: Reading = from_element(element.root())?;
//! assert_eq!(reading, Reading { unit: "kWh".into(), value: 12.5 });
//! assert_eq!(to_element(&reading, "reading", "urn:example:meter")?, element);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How the two worlds meet
//!
//! The mapping is that of quick-xml:
//!
//! | in serde | in the element |
//! |---|---|
//! | a field `@name` | the attribute `name`; `@xml:lang` is the language |
//! | a field `$text` | the text |
//! | a field `$value` | the content: text, or one of several elements (an enum) |
//! | any other field | the child element of that name; a `Vec` for several |
//! | `Option` | what may be absent; an attribute or child that is `None` is written empty, unless the field has `skip_serializing_if = "Option::is_none"` |
//!
//! Serde has no namespaces. When reading, names are local names: the caller looks at the
//! [namespace](crate::ElementRef::namespace) of the element first, and children are taken whatever theirs is. Of
//! attributes with one local name, the one without a prefix counts, and else the first. Namespace declarations are
//! not seen as attributes. When writing, all elements are in the one namespace that is given; a field `@xmlns` puts
//! a child in another.
//!
//! White space around text is trimmed when reading, as quick-xml does.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use ::serde::Serialize;
use ::serde::de::DeserializeOwned;
use quick_xml::se::{QuoteLevel, Serializer};

use crate::element::{Element, ElementRef, NodeRef, parse_owned, unlimited};
use crate::writer::Writer;

/// Reads an element as a type of serde.
///
/// The name and the namespace of the element are for the caller to check.
///
/// # Errors
/// [`Error::Deserialize`] if the content is not as the type demands.
pub fn from_element<T: DeserializeOwned>(element: ElementRef<'_>) -> Result<T, Error> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    write_without_namespaces(element, &mut writer);
    writer
        .finish()
        .map_err(|error| Error::Deserialize(error.to_string()))?;
    let text =
        core::str::from_utf8(&bytes).map_err(|error| Error::Deserialize(error.to_string()))?;
    quick_xml::de::from_str(text).map_err(|error| Error::Deserialize(error.to_string()))
}

/// Writes a type of serde as an element of this name and namespace; an empty namespace is none.
///
/// # Errors
/// [`Error::Serialize`] if the value cannot be an element: a list by itself, a map whose keys are no names, a
/// character that XML cannot carry.
pub fn to_element<T: Serialize + ?Sized>(
    value: &T,
    name: &str,
    namespace: &str,
) -> Result<Element, Error> {
    let mut text = String::new();
    let mut serializer = Serializer::with_root(&mut text, Some(name)).map_err(refused)?;
    serializer.set_quote_level(QuoteLevel::Full);
    value.serialize(serializer).map_err(refused)?;
    // Strict, as everything that is sent: quick-xml writes what it is given.
    let element = parse_owned(text.as_bytes(), &unlimited()).map_err(refused)?;
    let element = element.root().rescoped("", namespace).map_err(refused)?;
    if !element.root().is(name, namespace) {
        let found = element.root();
        let (name, namespace) = (found.name(), found.namespace());
        return Err(Error::Serialize(alloc::format!(
            "it writes the element {name:?} of {namespace:?}"
        )));
    }
    Ok(element)
}

fn refused(error: impl fmt::Display) -> Error {
    Error::Serialize(error.to_string())
}

/// Why an element is not a value, or a value not an element.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The element is not as the type demands: the fault of the peer that sent it. Holds the words of quick-xml.
    Deserialize(String),
    /// The value cannot be an element: the caller's mistake. Holds the reason.
    Serialize(String),
}

impl Error {
    /// The stanza error condition to answer a request with (RFC 6120 §8.3.3): `bad-request` if it was the peer's
    /// fault, else `internal-server-error`.
    pub fn condition(&self) -> &'static str {
        match self {
            Self::Deserialize(_) => "bad-request",
            Self::Serialize(_) => "internal-server-error",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deserialize(reason) => write!(f, "the element is refused: {reason}"),
            Self::Serialize(reason) => write!(f, "the value is no element: {reason}"),
        }
    }
}

impl core::error::Error for Error {}

fn write_without_namespaces(element: ElementRef<'_>, writer: &mut Writer<'_>) {
    start_without_namespaces(element, writer);
    // An explicit stack: depth comes from the network.
    let mut open = Vec::from([element.nodes()]);
    while let Some(nodes) = open.last_mut() {
        match nodes.next() {
            None => {
                open.pop();
                writer.end();
            }
            Some(NodeRef::Text(text)) => {
                writer.text(&text);
            }
            Some(NodeRef::Element(child)) => {
                start_without_namespaces(child, writer);
                open.push(child.nodes());
            }
        }
    }
}

fn start_without_namespaces(element: ElementRef<'_>, writer: &mut Writer<'_>) {
    writer.start(element.name(), "");
    for attribute in element.attributes() {
        if attribute.namespace().is_empty() {
            writer.attribute(attribute.name(), &attribute.value());
        } else if attribute.namespace() == crate::XML_NAMESPACE {
            writer.attribute_ns(attribute.name(), crate::XML_NAMESPACE, &attribute.value());
        }
    }
    let mut foreign: Vec<&str> = Vec::new();
    for attribute in element.attributes() {
        let (name, namespace) = (attribute.name(), attribute.namespace());
        let foreigner = !namespace.is_empty() && namespace != crate::XML_NAMESPACE;
        if foreigner && element.attribute(name).is_none() && !foreign.contains(&name) {
            foreign.push(name);
            writer.attribute(name, &attribute.value());
        }
    }
}
