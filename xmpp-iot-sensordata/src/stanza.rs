//! What both engines know of stanzas: reading the envelope and writing it.

use alloc::borrow::Cow;

use xmpp_core::jid::{Address, Jid};
use xmpp_core::ns;
use xmpp_xml::{ElementRef, Writer};

use crate::payload::{NAMESPACE, text_size};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Iq,
    Message,
    Presence,
}

/// The envelope of a stanza.
pub(crate) struct Envelope<'a> {
    pub(crate) kind: Kind,
    /// The type; empty when the stanza has none.
    pub(crate) r#type: Cow<'a, str>,
    pub(crate) id: Option<Cow<'a, str>>,
    /// The sender; `None` when there is none, or it is no address.
    pub(crate) from: Option<Jid>,
    element: ElementRef<'a>,
}

impl<'a> Envelope<'a> {
    /// Opens a stanza; `None` when the element is none.
    pub(crate) fn open(element: ElementRef<'a>) -> Option<Self> {
        if !matches!(element.namespace(), ns::CLIENT | ns::SERVER | COMPONENT) {
            return None;
        }
        let kind = match element.name() {
            "iq" => Kind::Iq,
            "message" => Kind::Message,
            "presence" => Kind::Presence,
            _ => return None,
        };
        Some(Self {
            kind,
            r#type: element.attribute("type").unwrap_or_default(),
            id: element.attribute("id"),
            from: element
                .attribute("from")
                .and_then(|from| Address::parse(from).ok())
                .map(Address::into_jid),
            element,
        })
    }

    /// The first child of our namespace.
    pub(crate) fn payload(&self) -> Option<ElementRef<'a>> {
        self.element
            .children()
            .find(|child| child.namespace() == NAMESPACE)
    }

    /// The child `error` of a stanza of the type `error`.
    pub(crate) fn error(&self) -> Option<ElementRef<'a>> {
        self.element.child("error", self.element.namespace())
    }
}

/// The namespace of stanzas between a component and its server (XEP-0114).
const COMPONENT: &str = "jabber:component:accept";

/// Begins an IQ; `end` ends it.
pub(crate) fn start_iq(
    r#type: &str,
    id: Option<&str>,
    from: Option<&Jid>,
    to: Option<&Jid>,
    writer: &mut Writer<'_>,
) {
    writer
        .start("iq", ns::CLIENT)
        .attribute("type", r#type)
        .attribute_opt("id", id)
        .attribute_opt("from", from.map(Jid::as_str))
        .attribute_opt("to", to.map(Jid::as_str));
}

/// Begins a message; `end` ends it. It has no type: the data is for no conversation.
pub(crate) fn start_message(from: Option<&Jid>, to: &Jid, writer: &mut Writer<'_>) {
    writer
        .start("message", ns::CLIENT)
        .attribute_opt("from", from.map(Jid::as_str))
        .attribute("to", to.as_str());
}

/// The most bytes that a message of [`start_message`] takes around its payload, and that payload
/// around its content.
pub(crate) fn message_size(from: Option<&Jid>, to: &Jid) -> usize {
    // Resources may have to be escaped.
    let address = |jid: &Jid| text_size(jid.as_str()).unwrap_or(usize::MAX / 4);
    "<message from='' to='' xmlns='jabber:client'></message>".len()
        + "<failure xmlns='urn:xmpp:iot:sensordata' seqnr='-2147483648' done='true'></failure>"
            .len()
        + from.map_or(0, address)
        + address(to)
}
