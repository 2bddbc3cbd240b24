use alloc::vec::Vec;

use xmpp_xml::value::DateTime;
use xmpp_xml::{ElementRef, FromXml, FromXmlError, ToXml, Writer};

use super::{FieldsRef, NAMESPACE, NodeFieldsRef, flags};
use crate::model::{Field, NodeReference, StringIds, Value};

/// A part of the data of a readout, collected: the element `fields` (XEP-0323 §3).
///
/// What could not be read of it is left out; [`FieldsRef`] tells what that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields<'a> {
    /// The number of the request.
    pub seqnr: i32,
    /// Whether the readout ends with this.
    pub done: bool,
    /// The nodes that have been read.
    pub nodes: Vec<NodeFields<'a>>,
}

/// A node with its fields, inside of [`Fields`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeFields<'a> {
    /// The node.
    pub node: NodeReference<'a>,
    /// Its fields, time by time.
    pub samples: Vec<Sample<'a>>,
}

/// The fields of one time, inside of [`NodeFields`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// When they were measured or stored.
    pub time: DateTime,
    /// The fields.
    pub fields: Vec<Field<'a>>,
}

impl<'a> FromXml<'a> for Fields<'a> {
    fn matches(element: ElementRef<'_>) -> bool {
        FieldsRef::matches(element)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        let fields = FieldsRef::from_xml(element)?;
        let samples = |node: &NodeFieldsRef<'a>| {
            let samples = node.samples().flatten();
            samples
                .map(|sample| {
                    // Fields are large: counting them costs less than moving them when the vector grows.
                    let mut fields = Vec::with_capacity(sample.count());
                    fields.extend(sample.fields().flatten());
                    Sample {
                        time: sample.time(),
                        fields,
                    }
                })
                .collect()
        };
        let nodes = fields
            .nodes()
            .flatten()
            .map(|node| NodeFields {
                samples: samples(&node),
                node: node.into_reference(),
            })
            .collect();
        Ok(Self {
            seqnr: fields.seqnr(),
            done: fields.is_done(),
            nodes,
        })
    }
}

impl ToXml for Fields<'_> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        write_fields_start(self.seqnr, self.done, writer);
        for NodeFields { node, samples } in &self.nodes {
            write_node_start(node, writer);
            for Sample { time, fields } in samples {
                write_sample_start(time, writer);
                for field in fields {
                    write_field(field, writer);
                }
                writer.end();
            }
            writer.end();
        }
        writer.end();
    }
}

pub(crate) fn write_fields_start(seqnr: i32, done: bool, writer: &mut Writer<'_>) {
    writer
        .start("fields", NAMESPACE)
        .attribute_value("seqnr", &seqnr);
    if done {
        writer.attribute("done", "true");
    }
}

pub(crate) fn write_node_start(node: &NodeReference<'_>, writer: &mut Writer<'_>) {
    writer
        .start("node", NAMESPACE)
        .attribute("nodeId", &node.id)
        .attribute_opt("sourceId", node.source.as_deref())
        .attribute_opt("cacheType", node.partition.as_deref());
}

pub(crate) fn write_sample_start(time: &DateTime, writer: &mut Writer<'_>) {
    writer
        .start("timestamp", NAMESPACE)
        .attribute_value("value", time);
}

pub(crate) fn write_field(field: &Field<'_>, writer: &mut Writer<'_>) {
    let Field {
        name,
        value,
        categories,
        quality,
        writable,
        module,
        string_ids,
    } = field;
    writer
        .start(element_name(value), NAMESPACE)
        .attribute("name", name);
    flags::write_categories(*categories, writer);
    flags::write_quality(*quality, writer);
    match value {
        Value::Numeric { number, unit } => writer
            .attribute("value", number.as_str())
            .attribute("unit", unit),
        Value::String(text) => writer.attribute("value", text),
        Value::Enumeration { value, data_type } => writer
            .attribute("value", value)
            .attribute("dataType", data_type),
        Value::Boolean(value) => writer.attribute_value("value", value),
        Value::Int(value) => writer.attribute_value("value", value),
        Value::Long(value) => writer.attribute_value("value", value),
        Value::Date(value) => writer.attribute_value("value", value),
        Value::Time(value) => writer.attribute_value("value", value),
        Value::DateTime(value) => writer.attribute_value("value", value),
        Value::Duration(value) => writer.attribute_value("value", value),
    };
    writer
        .attribute_opt("module", module.as_deref())
        .attribute_opt("stringIds", string_ids.as_ref().map(StringIds::as_str));
    if let Some(writable) = writable {
        writer.attribute_value("writable", writable);
    }
    writer.end();
}

fn element_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Numeric { .. } => "numeric",
        Value::String(_) => "string",
        Value::Boolean(_) => "boolean",
        Value::Enumeration { .. } => "enum",
        Value::Int(_) => "int",
        Value::Long(_) => "long",
        Value::Date(_) => "date",
        Value::Time(_) => "time",
        Value::DateTime(_) => "dateTime",
        Value::Duration(_) => "duration",
    }
}
