//! Strict, zero-copy XML for XMPP streams.
//!
//! - [`Parser`] takes bytes as they arrive, in any chunks, and gives out the stream header, each complete first-level
//!   element, and the end. It accepts exactly what RFC 6120 §11 allows, within [`Limits`]; there is no lenient mode.
//! - [`ElementRef`] reads an element where it arrived, without copying; [`Element`] owns one and is cheap to clone.
//! - [`Writer`] writes elements straight into an output buffer.
//! - [`FromXml`] and [`ToXml`] are typed payloads, usually derived.
//!
//! Nothing here does I/O, and nothing panics whatever the input.
//!
//! # A first program
//!
//! A payload of one's own, read and written:
//!
//! ```
//! use std::borrow::Cow;
//! use xmpp_xml::{Element, FromXml, ToXml};
//!
//! #[derive(FromXml, ToXml, Debug, PartialEq)]
//! #[xml(name = "reading", namespace = "urn:example:meter")]
//! struct Reading<'a> {
//!     #[xml(attribute)]
//!     unit: Cow<'a, str>,
//!     #[xml(text)]
//!     value: f64,
//! }
//!
//! let element = Element::parse("<reading xmlns='urn:example:meter' unit='kWh'>12.5</reading>")?;
//! let reading: Reading<'_> = element.root().read()?;
//! assert_eq!(reading, Reading { unit: "kWh".into(), value: 12.5 });
//! assert_eq!(Element::build(|w| reading.to_xml(w))?, element);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//! - `std` (default): searches with run-time detected instructions. Without it the crate needs only `alloc`.
//! - `derive` (default): the derive macros.
//! - `serde`: the module `serde`, with which elements are read and written as types of serde.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod chars;
mod element;
mod escape;
mod fault;
mod lexical;
mod limits;
mod marks;
mod parser;
mod print;
#[cfg(feature = "serde")]
pub mod serde;
mod tape;
mod tokenizer;
pub mod typed;
pub mod value;
mod whole;
mod writer;

pub use element::{AttributeRef, Attributes, Children, Element, ElementRef, NodeRef, Nodes};
pub use fault::{Fault, FaultKind};
pub use limits::Limits;
pub use parser::{Event, Parser, Scratch};
pub use print::Printed;
pub use typed::{FromXml, FromXmlError, IntoOwned, ToXml};
pub use value::{FromXmlText, ToXmlText, ValueError};
pub use writer::{STREAM_END, WriteError, Writer};
#[cfg(feature = "derive")]
pub use xmpp_xml_derive::{FromXml, FromXmlText, IntoOwned, ToXml, ToXmlText};

/// The namespace of the prefix `xml` (Namespaces in XML §3).
pub const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";
/// The namespace of the prefix `xmlns`, which nothing may declare (Namespaces in XML §3).
pub const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";
/// The namespace of the stream header, features and errors (RFC 6120 §4.8.1).
pub const STREAM_NAMESPACE: &str = "http://etherx.jabber.org/streams";
