use alloc::borrow::Cow;

use xmpp_xml::value::{DateTime, FromXmlText, ValueError};
use xmpp_xml::{ElementRef, FromXml, FromXmlError};

use super::flags::Flag;
use super::{NAMESPACE, Node};
use crate::model::{
    Categories, Date, Decimal, Field, NodeReference, Quality, Reading, StringIds, Time, Value,
};

/// A part of the data of a readout, walked where it lies: the element `fields` (XEP-0323 §3).
///
/// Nothing is copied and nothing is allocated for a field, unless one of its texts has to be
/// unescaped. What cannot be read (a date that is none, a field without a name) comes out as an
/// error in its place, and the walk goes on behind it. Elements that are not known are skipped.
///
/// ```
/// use xmpp_iot_sensordata::payload::FieldsRef;
/// use xmpp_xml::Element;
///
/// let element: Element = "<fields xmlns='urn:xmpp:iot:sensordata' seqnr='1' done='true'>\
///     <node nodeId='Device01'><timestamp value='2013-03-07T16:24:30'>\
///     <numeric name='Temperature' momentary='true' value='23.40' unit='°C'/>\
///     </timestamp></node></fields>".parse()?;
/// let fields: FieldsRef<'_> = element.root().read()?;
/// for node in fields.nodes() {
///     let node = node?;
///     for sample in node.samples() {
///         let sample = sample?;
///         for field in sample.fields() {
///             let field = field?;
///             println!("{} {} {}: {}", node.reference(), sample.time(), field.name, field.value);
///         }
///     }
/// }
/// # assert_eq!(fields.readings().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FieldsRef<'a> {
    element: ElementRef<'a>,
    seqnr: i32,
    done: bool,
}

impl<'a> FieldsRef<'a> {
    /// The number of the request.
    pub fn seqnr(&self) -> i32 {
        self.seqnr
    }

    /// Whether the readout ends with this.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The nodes that have been read.
    pub fn nodes(&self) -> impl Iterator<Item = Result<NodeFieldsRef<'a>, FromXmlError>> + use<'a> {
        children(self.element, "node").map(|element| {
            let reference = Node::from_xml(element)?.into();
            Ok(NodeFieldsRef { element, reference })
        })
    }

    /// All fields with their nodes and times. A node id that has to be unescaped is copied for
    /// each of them; [`FieldsRef::nodes`] spares that.
    pub fn readings(&self) -> impl Iterator<Item = Result<Reading<'a>, FromXmlError>> + use<'a> {
        self.nodes().flat_map(|node| {
            let (node, fault) = split(node);
            let samples = node.into_iter().flat_map(|node| {
                node.samples().flat_map(move |sample| {
                    let (sample, fault) = split(sample);
                    let reference = node.reference.clone();
                    let fields = sample.into_iter().flat_map(move |sample| {
                        let reference = reference.clone();
                        sample.fields().map(move |field| {
                            Ok(Reading::new(reference.clone(), sample.time, field?))
                        })
                    });
                    fault.into_iter().map(Err).chain(fields)
                })
            });
            fault.into_iter().map(Err).chain(samples)
        })
    }

    /// How many elements stand where fields do, readable or not: what a limit counts.
    pub fn count(&self) -> usize {
        let samples = children(self.element, "node").flat_map(|node| children(node, "timestamp"));
        samples.map(|sample| sample.children().count()).sum()
    }
}

fn split<T>(result: Result<T, FromXmlError>) -> (Option<T>, Option<FromXmlError>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    }
}

fn children<'a>(
    element: ElementRef<'a>,
    name: &'static str,
) -> impl Iterator<Item = ElementRef<'a>> {
    element
        .children()
        .filter(move |child| child.is(name, NAMESPACE))
}

impl<'a> FromXml<'a> for FieldsRef<'a> {
    fn matches(element: ElementRef<'_>) -> bool {
        element.is("fields", NAMESPACE)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        let Head { seqnr, done } = Head::from_xml(element)?;
        Ok(Self {
            element,
            seqnr,
            done,
        })
    }
}

#[derive(FromXml)]
#[xml(name = "fields", namespace = NAMESPACE)]
struct Head {
    #[xml(attribute)]
    seqnr: i32,
    #[xml(attribute, default)]
    done: bool,
}

/// A node with its fields, inside of [`FieldsRef`].
#[derive(Clone, Debug)]
pub struct NodeFieldsRef<'a> {
    element: ElementRef<'a>,
    reference: NodeReference<'a>,
}

impl<'a> NodeFieldsRef<'a> {
    /// The node.
    pub fn reference(&self) -> &NodeReference<'a> {
        &self.reference
    }

    /// The node, without its fields.
    pub fn into_reference(self) -> NodeReference<'a> {
        self.reference
    }

    /// The times that there are fields of.
    pub fn samples(&self) -> impl Iterator<Item = Result<SampleRef<'a>, FromXmlError>> + use<'a> {
        children(self.element, "timestamp").map(|element| {
            let value = element
                .attribute("value")
                .ok_or_else(|| FromXmlError::missing_attribute(element, "value"))?;
            let time = DateTime::from_xml_text(value)
                .map_err(|error| FromXmlError::attribute(element, "value", error))?;
            Ok(SampleRef { element, time })
        })
    }
}

/// The fields of one time, inside of [`NodeFieldsRef`].
#[derive(Clone, Copy, Debug)]
pub struct SampleRef<'a> {
    element: ElementRef<'a>,
    time: DateTime,
}

impl<'a> SampleRef<'a> {
    /// The time that the fields were measured or stored at.
    pub fn time(&self) -> DateTime {
        self.time
    }

    /// How many fields there are, readable or not.
    pub(super) fn count(&self) -> usize {
        let children = self.element.children();
        children.filter_map(|child| self.kind_of(child)).count()
    }

    /// The fields.
    pub fn fields(&self) -> impl Iterator<Item = Result<Field<'a>, FromXmlError>> + use<'a> {
        let sample = *self;
        let children = self.element.children();
        children.filter_map(move |child| Some(read_field(child, sample.kind_of(child)?)))
    }

    fn kind_of(&self, child: ElementRef<'_>) -> Option<Kind> {
        let kind = Kind::of(child.name())?;
        child.shares_namespace_with(self.element).then_some(kind)
    }
}

/// The element of a field, which says the type of its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numeric,
    String,
    Boolean,
    Enumeration,
    Int,
    Long,
    Date,
    Time,
    DateTime,
    Duration,
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        // Patterns of bytes are told apart by length and letter, those of texts one after the other.
        Some(match name.as_bytes() {
            b"numeric" => Self::Numeric,
            b"string" => Self::String,
            b"boolean" => Self::Boolean,
            b"enum" => Self::Enumeration,
            b"int" => Self::Int,
            b"long" => Self::Long,
            b"date" => Self::Date,
            b"time" => Self::Time,
            b"dateTime" => Self::DateTime,
            // The name in early drafts, which slixmpp writes.
            b"duration" | b"timeSpan" => Self::Duration,
            _ => return None,
        })
    }
}

/// An attribute of a field that is kept as the text it is.
#[derive(Clone, Copy)]
enum Text {
    Name,
    Value,
    Unit,
    DataType,
    Module,
}

impl Text {
    const COUNT: usize = 5;
}

fn read_field<'a>(element: ElementRef<'a>, kind: Kind) -> Result<Field<'a>, FromXmlError> {
    // In one place in memory: as variables they would all be moved about at every attribute.
    let mut texts = [const { None::<Cow<'a, str>> }; Text::COUNT];
    let (mut string_ids, mut writable) = (None, None);
    let (mut categories, mut quality) = (Categories::NONE, Quality::NONE);
    for attribute in element.attributes() {
        if !attribute.namespace().is_empty() {
            continue;
        }
        let (name, text) = (attribute.name(), attribute.value());
        let place = match name.as_bytes() {
            b"name" => Text::Name,
            b"value" => Text::Value,
            b"unit" => Text::Unit,
            b"dataType" => Text::DataType,
            b"module" => Text::Module,
            b"stringIds" => {
                // For people only: what makes no sense is dropped, and the field stays.
                string_ids = StringIds::parse(text).ok();
                continue;
            }
            b"writable" => {
                writable = Some(read_flag(element, name, text)?);
                continue;
            }
            _ => {
                match Flag::of(name) {
                    Some(_) if !read_flag(element, name, text)? => {}
                    Some(Flag::Category(category)) => categories |= category,
                    Some(Flag::Quality(sign)) => quality |= sign,
                    None => {}
                }
                continue;
            }
        };
        if let Some(place) = texts.get_mut(place as usize) {
            *place = Some(text);
        }
    }
    let [name, value, unit, data_type, module] = texts;
    let name = name.ok_or_else(|| FromXmlError::missing_attribute(element, "name"))?;
    let value = value.ok_or_else(|| FromXmlError::missing_attribute(element, "value"))?;
    let value = read_value(kind, value, unit, data_type)
        .map_err(|error| FromXmlError::attribute(element, "value", error))?;
    Ok(Field {
        name,
        value,
        categories,
        quality,
        writable,
        module,
        string_ids,
    })
}

#[inline]
fn read_flag(
    element: ElementRef<'_>,
    name: &str,
    text: Cow<'_, str>,
) -> Result<bool, FromXmlError> {
    bool::from_xml_text(text).map_err(|error| FromXmlError::attribute(element, name, error))
}

fn read_value<'a>(
    kind: Kind,
    text: Cow<'a, str>,
    unit: Option<Cow<'a, str>>,
    data_type: Option<Cow<'a, str>>,
) -> Result<Value<'a>, ValueError> {
    Ok(match kind {
        Kind::Numeric => Value::Numeric {
            number: Decimal::parse(text)?,
            unit: unit.unwrap_or_default(),
        },
        Kind::String => Value::String(text),
        Kind::Boolean => Value::Boolean(bool::from_xml_text(text)?),
        Kind::Enumeration => Value::Enumeration {
            value: text,
            data_type: data_type.unwrap_or_default(),
        },
        Kind::Int => Value::Int(i32::from_xml_text(text)?),
        Kind::Long => Value::Long(i64::from_xml_text(text)?),
        Kind::Date => Value::Date(Date::from_xml_text(text)?),
        Kind::Time => Value::Time(Time::from_xml_text(text)?),
        Kind::DateTime => Value::DateTime(DateTime::from_xml_text(text)?),
        Kind::Duration => Value::Duration(FromXmlText::from_xml_text(text)?),
    })
}
