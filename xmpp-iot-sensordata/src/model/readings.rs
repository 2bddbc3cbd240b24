use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;

use xmpp_xml::value::DateTime;

use super::{Field, NodeReference};

/// A field with the node and the time that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reading<'a> {
    /// The node that was read.
    pub node: NodeReference<'a>,
    /// When the value was measured or stored.
    pub time: DateTime,
    /// The field.
    pub field: Field<'a>,
}

impl<'a> Reading<'a> {
    /// The field `field` of `node` at `time`.
    pub fn new(node: NodeReference<'a>, time: DateTime, field: Field<'a>) -> Self {
        Self { node, time, field }
    }

    /// The reading, freed from what it was read from.
    pub fn into_owned(self) -> Reading<'static> {
        Reading {
            node: self.node.into_owned(),
            time: self.time,
            field: self.field.into_owned(),
        }
    }
}

/// A line for people: time, node, name, value, categories and quality.
impl fmt::Display for Reading<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, node, field } = self;
        write!(f, "{time} {node} {}: {}", field.name, field.value)?;
        if !field.categories.is_empty() {
            write!(f, " [{}]", field.categories)?;
        }
        if !field.quality.is_empty() {
            write!(f, " [{}]", field.quality)?;
        }
        Ok(())
    }
}

/// Readings gathered over one or more readouts: one field per node, name and time.
///
/// Where a field comes again, the better quality stays, and of equals the later
/// (XEP-0323 §2 and §5.7). Whoever gathers without end has to bound it: see [`Readings::len`].
///
/// ```
/// use xmpp_iot_sensordata::model::{Field, NodeReference, Quality, Reading, Readings};
///
/// let time = "2026-01-31T12:00:00Z".parse()?;
/// let reading = |value, quality| {
///     Reading::new(NodeReference::new("1"), time, Field::int("Count", value).quality(quality))
/// };
/// let mut readings = Readings::new();
/// readings.insert(reading(1, Quality::AUTOMATIC_READOUT));
/// readings.insert(reading(2, Quality::AUTOMATIC_ESTIMATE));
/// readings.insert(reading(3, Quality::SIGNED));
/// let held = readings.iter().next().map(|(_, _, field)| field.quality);
/// assert_eq!(held, Some(Quality::SIGNED));
/// assert_eq!(readings.len(), 1);
/// # Ok::<(), xmpp_xml::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readings {
    nodes: BTreeMap<NodeReference<'static>, BTreeMap<(DateTime, String), Field<'static>>>,
}

impl Readings {
    /// Nothing gathered yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many fields are held.
    pub fn len(&self) -> usize {
        self.nodes.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// What is held, by node, time and name.
    pub fn iter(
        &self,
    ) -> impl Iterator<Item = (&NodeReference<'static>, &DateTime, &Field<'static>)> {
        self.nodes.iter().flat_map(|(node, fields)| {
            fields
                .iter()
                .map(move |((time, _), field)| (node, time, field))
        })
    }

    /// The field of this node, name and time, if it is held.
    pub fn field(
        &self,
        node: &NodeReference<'static>,
        name: &str,
        time: &DateTime,
    ) -> Option<&Field<'static>> {
        self.nodes.get(node)?.get(&(*time, name.into()))
    }

    /// Adds a reading. Returns whether it was taken: not when the same field is held in a
    /// better quality.
    pub fn insert(&mut self, reading: Reading<'_>) -> bool {
        let Reading { node, time, field } = reading.into_owned();
        let fields = self.nodes.entry(node).or_default();
        let key = (time, field.name.clone().into_owned());
        if fields
            .get(&key)
            .is_some_and(|held| !field.quality.may_replace(held.quality))
        {
            return false;
        }
        fields.insert(key, field);
        true
    }
}

impl<'a> Extend<Reading<'a>> for Readings {
    fn extend<I: IntoIterator<Item = Reading<'a>>>(&mut self, readings: I) {
        for reading in readings {
            self.insert(reading);
        }
    }
}
