use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::value::{DateTime, FromXmlText};
use xmpp_xml::{ElementRef, FromXml, FromXmlError, ToXml, Writer};

use super::flags::Flag;
use super::{NAMESPACE, Node, flags};
use crate::model::{Categories, NodeReference, ReadoutRequest, Tokens};

/// A readout request: the element `req` (XEP-0323 §3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number that the reader has given to the request; everything about it carries it.
    pub seqnr: i32,
    /// What is asked for.
    pub readout: ReadoutRequest,
}

/// All of the request but its categories, which are read and written by hand: they are many
/// attributes for one set, and `all` and `historical` stand for several of them.
#[derive(FromXml)]
#[xml(name = "req", namespace = NAMESPACE)]
struct Wire<'a> {
    #[xml(attribute)]
    seqnr: i32,
    #[xml(attribute)]
    from: Option<DateTime>,
    #[xml(attribute)]
    to: Option<DateTime>,
    #[xml(attribute)]
    when: Option<DateTime>,
    #[xml(attribute = "serviceToken")]
    service_token: Option<String>,
    #[xml(attribute = "deviceToken")]
    device_token: Option<String>,
    #[xml(attribute = "userToken")]
    user_token: Option<String>,
    #[xml(children)]
    nodes: Vec<Node<'a>>,
    #[xml(children)]
    fields: Vec<Name>,
}

#[derive(FromXml)]
#[xml(name = "field", namespace = NAMESPACE)]
struct Name {
    #[xml(attribute)]
    name: String,
}

impl<'a> FromXml<'a> for Request {
    fn matches(element: ElementRef<'_>) -> bool {
        element.is("req", NAMESPACE)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        let wire = Wire::from_xml(element)?;
        let mut readout = ReadoutRequest::new(categories(element)?);
        readout.from = wire.from;
        readout.to = wire.to;
        readout.when = wire.when;
        readout.nodes = wire
            .nodes
            .into_iter()
            .map(|node| NodeReference::from(node).into_owned())
            .collect();
        readout.fields = wire.fields.into_iter().map(|field| field.name).collect();
        let mut tokens = Tokens::new();
        tokens.service = wire.service_token;
        tokens.device = wire.device_token;
        tokens.user = wire.user_token;
        readout.tokens = tokens;
        Ok(Self {
            seqnr: wire.seqnr,
            readout,
        })
    }
}

fn categories(element: ElementRef<'_>) -> Result<Categories, FromXmlError> {
    let mut categories = Categories::NONE;
    for attribute in element
        .attributes()
        .filter(|attribute| attribute.namespace().is_empty())
    {
        let name = attribute.name();
        let flag = match name {
            "all" => Categories::ALL,
            "historical" => Categories::HISTORICAL,
            name => match Flag::of(name) {
                Some(Flag::Category(category)) => category,
                _ => continue,
            },
        };
        match bool::from_xml_text(attribute.value()) {
            Ok(true) => categories |= flag,
            Ok(false) => {}
            Err(error) => return Err(FromXmlError::attribute(element, name, error)),
        }
    }
    Ok(categories)
}

impl ToXml for Request {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        Self::write(self.seqnr, &self.readout, writer);
    }
}

impl Request {
    pub(crate) fn write(seqnr: i32, readout: &ReadoutRequest, writer: &mut Writer<'_>) {
        let ReadoutRequest {
            categories,
            from,
            to,
            when,
            nodes,
            fields,
            tokens,
        } = readout;
        writer
            .start("req", NAMESPACE)
            .attribute_value("seqnr", &seqnr);
        if *categories == Categories::ALL {
            writer.attribute("all", "true");
        } else if categories.contains(Categories::HISTORICAL) {
            flags::write_categories(*categories - Categories::HISTORICAL, writer);
            writer.attribute("historical", "true");
        } else {
            flags::write_categories(*categories, writer);
        }
        for (name, time) in [("from", from), ("to", to), ("when", when)] {
            if let Some(time) = time {
                writer.attribute_value(name, time);
            }
        }
        writer
            .attribute_opt("serviceToken", tokens.service.as_deref())
            .attribute_opt("deviceToken", tokens.device.as_deref())
            .attribute_opt("userToken", tokens.user.as_deref());
        for node in nodes {
            writer.payload(&Node::from(node));
        }
        for name in fields {
            writer
                .start("field", NAMESPACE)
                .attribute("name", name)
                .end();
        }
        writer.end();
    }
}
