//! How long things get on the wire, to keep messages below a limit without writing them twice.

use super::flags;
use crate::model::{Field, NodeFailure, NodeReference, StringIds, Value};

/// The most bytes that a field takes; `None` when one of its texts cannot
/// stand in XML at all.
pub(crate) fn field_size(field: &Field<'_>) -> Option<usize> {
    let value = match &field.value {
        Value::Numeric { number, unit } => {
            attribute_size("value", number.as_str())? + attribute_size("unit", unit)?
        }
        Value::String(text) => attribute_size("value", text)?,
        Value::Enumeration { value, data_type } => {
            attribute_size("value", value)? + attribute_size("dataType", data_type)?
        }
        // No number, time or boolean takes more.
        _ => " value=''".len() + 64,
    };
    let flags: usize = flags::category_names(field.categories)
        .chain(flags::quality_names(field.quality))
        .map(|name| " ='true'".len() + name.len())
        .sum();
    let string_ids = field.string_ids.as_ref().map(StringIds::as_str);
    Some(
        "<dateTime/>".len()
            + attribute_size("name", &field.name)?
            + value
            + flags
            + optional_size("module", field.module.as_deref())?
            + optional_size("stringIds", string_ids)?
            + field.writable.map_or(0, |_| " writable='false'".len()),
    )
}

/// The most bytes that a node takes around its samples.
pub(crate) fn node_size(node: &NodeReference<'_>) -> Option<usize> {
    Some(
        "<node></node>".len()
            + attribute_size("nodeId", &node.id)?
            + optional_size("sourceId", node.source.as_deref())?
            + optional_size("cacheType", node.partition.as_deref())?,
    )
}

/// The most bytes that any timestamp takes around its fields.
pub(crate) const SAMPLE_SIZE: usize = "<timestamp value=''></timestamp>".len() + 40;

/// The most bytes that an error takes inside of a failure.
pub(crate) fn failure_size(failure: &NodeFailure<'_>) -> Option<usize> {
    let text = text_size(&failure.text)?;
    Some(node_size(&failure.node)? + " timestamp=''".len() + 40 + text)
}

fn optional_size(name: &str, value: Option<&str>) -> Option<usize> {
    value.map_or(Some(0), |value| attribute_size(name, value))
}

fn attribute_size(name: &str, value: &str) -> Option<usize> {
    Some(" =''".len() + name.len() + text_size(value)?)
}

/// The most bytes that a text takes; `None` when it cannot stand in XML.
pub(crate) fn text_size(text: &str) -> Option<usize> {
    text.chars().try_fold(0, |size, each| {
        Some(
            size + match each {
                // The longest escape, `&quot;`, is six bytes.
                '&' | '<' | '>' | '"' | '\'' | '\t' | '\n' | '\r' => 6,
                '\0'..'\u{20}' | '\u{FFFE}' | '\u{FFFF}' => return None,
                each => each.len_utf8(),
            },
        )
    })
}
