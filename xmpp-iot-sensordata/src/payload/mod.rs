//! The elements of XEP-0323 on the wire, in `urn:xmpp:iot:sensordata`.
//!
//! Each type is read with `element.read::<T>()` and written with `writer.payload(&value)`. The
//! engines use them; whoever needs only the codec takes them alone.
//!
//! The heavy one is `fields`. [`FieldsRef`] walks it where it lies, node by node, time by time,
//! field by field, without allocating for a field; [`Fields`] is the same thing collected.
//!
//! # What is tolerated
//! Some deviations from the schema are in use and do no harm; they are read, and never written:
//! - `timeSpan` instead of `duration`, the name in early drafts (slixmpp writes it);
//! - `identification` instead of `identity` (example 6 of the standard);
//! - a `numeric` without `unit`, an `enum` without `dataType`;
//! - a `rejected` element in an IQ error that has no `error` ([`Rejected`]; slixmpp writes it);
//! - empty language modules in `stringIds` (the examples of the standard), and `stringIds` that
//!   make no sense, which are dropped without the field;
//! - the timestamp of an error that is no time;
//! - elements and attributes that are not known.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use xmpp_xml::{FromXml, ToXml};

use crate::model::{NodeFailure, NodeReference};

mod collected;
mod fields;
mod flags;
mod request;
mod size;

pub use self::collected::{Fields, NodeFields, Sample};
pub(crate) use self::collected::{
    write_field, write_fields_start, write_node_start, write_sample_start,
};
pub use self::fields::{FieldsRef, NodeFieldsRef, SampleRef};
pub use self::request::Request;
pub(crate) use self::size::{SAMPLE_SIZE, failure_size, field_size, node_size, text_size};

/// The namespace of XEP-0323, which is also its disco feature (XEP-0323 §4).
pub const NAMESPACE: &str = "urn:xmpp:iot:sensordata";

/// The device has taken the request (XEP-0323 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "accepted", namespace = NAMESPACE)]
pub struct Accepted {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
    /// Whether it will be carried out later; then a [`Started`] tells when.
    #[xml(attribute, default)]
    pub queued: bool,
}

/// A queued readout begins now (XEP-0323 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "started", namespace = NAMESPACE)]
pub struct Started {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
}

/// The readout is complete (XEP-0323 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "done", namespace = NAMESPACE)]
pub struct Done {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
}

/// The reader wants the readout no more (XEP-0323 §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "cancel", namespace = NAMESPACE)]
pub struct Cancel {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
}

/// The readout has been cancelled (XEP-0323 §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "cancelled", namespace = NAMESPACE)]
pub struct Cancelled {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
}

/// The refusal of an early draft, which slixmpp still sends instead of a stanza error.
#[derive(Clone, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "rejected", namespace = NAMESPACE)]
pub struct Rejected<'a> {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
    /// Why, for people.
    #[xml(child_text = "error")]
    pub error: Option<Cow<'a, str>>,
}

/// Something could not be read (XEP-0323 §3.2).
#[derive(Clone, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "failure", namespace = NAMESPACE)]
pub struct Failure<'a> {
    /// The number of the request.
    #[xml(attribute)]
    pub seqnr: i32,
    /// Whether the readout ends with this.
    #[xml(attribute, default)]
    pub done: bool,
    /// What went wrong, node by node.
    #[xml(children)]
    pub errors: Vec<NodeError<'a>>,
}

/// What went wrong with one node, inside of a [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "error", namespace = NAMESPACE)]
pub struct NodeError<'a> {
    /// The id of the node.
    #[xml(attribute = "nodeId")]
    pub node: Cow<'a, str>,
    /// The data source of the node.
    #[xml(attribute = "sourceId")]
    pub source: Option<Cow<'a, str>>,
    /// The cache type of the node.
    #[xml(attribute = "cacheType")]
    pub cache_type: Option<Cow<'a, str>>,
    /// When it went wrong. The schema has a string here where a time is meant.
    #[xml(attribute, default)]
    pub timestamp: Cow<'a, str>,
    /// What went wrong, for people.
    #[xml(text)]
    pub text: Cow<'a, str>,
}

impl<'a> From<NodeError<'a>> for NodeFailure<'a> {
    fn from(error: NodeError<'a>) -> Self {
        let NodeError {
            node,
            source,
            cache_type,
            timestamp,
            text,
        } = error;
        let mut reference = NodeReference::new(node);
        reference.source = source;
        reference.partition = cache_type;
        NodeFailure::new(reference, timestamp.parse().ok(), text)
    }
}

impl<'a> From<NodeFailure<'a>> for NodeError<'a> {
    fn from(failure: NodeFailure<'a>) -> Self {
        use xmpp_xml::value::ToXmlText;

        let NodeFailure { node, time, text } = failure;
        Self {
            node: node.id,
            source: node.source,
            cache_type: node.partition,
            timestamp: time.map_or_else(Cow::default, |time| time.to_xml_text().into()),
            text,
        }
    }
}

/// A node of a request or a readout: its id, and what narrows it down.
#[derive(Clone, Debug, PartialEq, Eq, FromXml, ToXml)]
#[xml(name = "node", namespace = NAMESPACE)]
pub(crate) struct Node<'a> {
    #[xml(attribute = "nodeId")]
    id: Cow<'a, str>,
    #[xml(attribute = "sourceId")]
    source: Option<Cow<'a, str>>,
    #[xml(attribute = "cacheType")]
    cache_type: Option<Cow<'a, str>>,
}

impl<'a> From<Node<'a>> for NodeReference<'a> {
    fn from(node: Node<'a>) -> Self {
        let mut reference = NodeReference::new(node.id);
        reference.source = node.source;
        reference.partition = node.cache_type;
        reference
    }
}

impl<'a> From<&'a NodeReference<'_>> for Node<'a> {
    fn from(reference: &'a NodeReference<'_>) -> Self {
        Self {
            id: Cow::Borrowed(&reference.id),
            source: reference.source.as_deref().map(Cow::Borrowed),
            cache_type: reference.partition.as_deref().map(Cow::Borrowed),
        }
    }
}
