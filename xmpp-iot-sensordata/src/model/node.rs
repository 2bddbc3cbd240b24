use alloc::borrow::Cow;
use core::fmt;

use super::value::owned;

/// Names a node behind an address: a sensor, a meter, a gateway (XEP-0323 §5.8 and §5.9).
///
/// Where the id alone is not unique, the data source and a partition of it narrow it down. A
/// device without nodes has an id of its own, which may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct NodeReference<'a> {
    /// The id of the node within its source.
    pub id: Cow<'a, str>,
    /// The data source that the node belongs to.
    pub source: Option<Cow<'a, str>>,
    /// The part of the source that the node is looked for in; XEP-0323 calls it the cache type.
    pub partition: Option<Cow<'a, str>>,
}

impl<'a> NodeReference<'a> {
    /// The node of the given id.
    pub fn new(id: impl Into<Cow<'a, str>>) -> Self {
        Self {
            id: id.into(),
            source: None,
            partition: None,
        }
    }

    /// The same node, in the given data source.
    #[must_use]
    pub fn source(self, source: impl Into<Cow<'a, str>>) -> Self {
        Self {
            source: Some(source.into()),
            ..self
        }
    }

    /// The same node, in the given partition of its source.
    #[must_use]
    pub fn partition(self, partition: impl Into<Cow<'a, str>>) -> Self {
        Self {
            partition: Some(partition.into()),
            ..self
        }
    }

    /// Whether this reference means the node `node`: the ids agree, and so do the source and the
    /// partition as far as this reference names them. One that gives the id alone therefore means
    /// every node of this id, in any source (XEP-0323 §5.9).
    pub fn means(&self, node: &NodeReference<'_>) -> bool {
        self.id == node.id
            && (self.source.is_none() || self.source == node.source)
            && (self.partition.is_none() || self.partition == node.partition)
    }

    /// The reference, freed from what it was read from.
    pub fn into_owned(self) -> NodeReference<'static> {
        NodeReference {
            id: owned(self.id),
            source: self.source.map(owned),
            partition: self.partition.map(owned),
        }
    }
}

impl fmt::Display for NodeReference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        match (&self.source, &self.partition) {
            (None, None) => Ok(()),
            (Some(source), None) => write!(f, " ({source})"),
            (None, Some(partition)) => write!(f, " (/{partition})"),
            (Some(source), Some(partition)) => write!(f, " ({source}/{partition})"),
        }
    }
}
