//! Stanzas on their way out: forwarded from clients, or the server's own answers.

use xmpp_core::error::{StanzaCondition, StanzaError};
use xmpp_core::ns;
use xmpp_core::stanza::{Iq, IqBuilder};
use xmpp_xml::{Element, ElementRef, NodeRef, ToXml, Writer, XML_NAMESPACE};

use crate::outbox::{Refused, Turn};
use crate::registry::Handle;
use crate::storage::StoreError;

/// Writes a stanza of a client as its server passes it on: with other addresses than it claims (RFC 6120
/// §8.1.2.1), and with the language of the sender's stream where it has none (RFC 6120 §4.7.4).
pub(crate) fn forward(
    buffer: &mut Vec<u8>,
    element: ElementRef<'_>,
    addresses: &[(&str, Option<&str>)],
) {
    let begin = buffer.len();
    let mut writer = Writer::in_stream(buffer, ns::CLIENT);
    writer.forward(element, addresses);
    if writer.finish().is_err() || element.attribute_ns("lang", XML_NAMESPACE).is_some() {
        return;
    }
    let is_tag = |lang: &str| {
        lang.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(lang) = element.lang().filter(|lang| is_tag(lang)) {
        let name_end = begin.saturating_add(1).saturating_add(element.name().len());
        let attribute = [b" xml:lang='", lang.as_bytes(), b"'"].concat();
        if name_end <= buffer.len() {
            buffer.splice(name_end..name_end, attribute);
        }
    }
}

/// The stanza as [`forward`] writes it, to be kept.
pub(crate) fn stamped(
    element: ElementRef<'_>,
    addresses: &[(&str, Option<&str>)],
) -> Result<Element, StanzaError> {
    let mut bytes = Vec::new();
    forward(&mut bytes, element, addresses);
    // In the stream the namespace goes without saying.
    let name_end = element.name().len().saturating_add(1).min(bytes.len());
    let namespace = format!(" xmlns='{}'", ns::CLIENT);
    bytes.splice(name_end..name_end, namespace.into_bytes());
    let text = String::from_utf8(bytes).unwrap_or_default();
    Element::parse(&text).map_err(|_| StanzaError::new(StanzaCondition::NotAcceptable))
}

/// The element without some of its children, and with another one at its end.
pub(crate) fn with_payload(
    element: ElementRef<'_>,
    without: impl Fn(ElementRef<'_>) -> bool,
    payload: &dyn ToXml,
) -> Result<Element, StanzaError> {
    let built = Element::build(|writer| {
        writer.start(element.name(), element.namespace());
        for attribute in element.attributes() {
            writer.attribute_ns(attribute.name(), attribute.namespace(), &attribute.value());
        }
        for node in element.nodes() {
            match node {
                NodeRef::Element(child) if without(child) => {}
                NodeRef::Element(child) => {
                    writer.element(child);
                }
                NodeRef::Text(text) => {
                    writer.text(&text);
                }
            }
        }
        writer.payload(payload).end();
    });
    built.map_err(|_| StanzaError::new(StanzaCondition::NotAcceptable))
}

/// Turns what became of a stanza into what its sender is told.
pub(crate) fn accepted(delivered: Option<Result<(), Refused>>) -> Result<(), StanzaError> {
    match delivered {
        Some(Ok(())) => Ok(()),
        Some(Err(Refused::Full)) => Err(StanzaError::new(StanzaCondition::ResourceConstraint)),
        Some(Err(Refused::Gone)) | None => {
            Err(StanzaError::new(StanzaCondition::ServiceUnavailable))
        }
    }
}

pub(crate) fn store_refusal(error: &StoreError) -> StanzaError {
    tracing::error!(%error, "the store failed");
    StanzaError::new(StanzaCondition::InternalServerError)
        .with_kind(xmpp_core::error::ErrorType::Wait)
}

pub(crate) fn push(handle: &Handle, turn: &mut Turn, write: impl FnOnce(&mut Writer<'_>)) {
    // The receiver's own trouble: a full outbox ends its connection.
    let _: Result<(), Refused> = handle.outbox.push(turn, |buffer| {
        let mut writer = Writer::in_stream(buffer, ns::CLIENT);
        write(&mut writer);
        if let Err(error) = writer.finish() {
            tracing::error!(%error, "a stanza of the server could not be written");
        }
    });
}

pub(crate) fn reply(handle: &Handle, iq: &Iq<'_>, payload: &dyn ToXml, turn: &mut Turn) {
    let mut result = IqBuilder::result(iq.id()).to(&handle.jid);
    if let Some(asked) = iq.to() {
        result = result.from(asked);
    }
    push(handle, turn, |writer| {
        result.payload(payload).to_xml(writer)
    });
}

/// Answers a request with a result that says no more.
pub(crate) fn acknowledge(handle: &Handle, iq: &Iq<'_>, turn: &mut Turn) {
    let mut result = IqBuilder::result(iq.id()).to(&handle.jid);
    if let Some(asked) = iq.to() {
        result = result.from(asked);
    }
    push(handle, turn, |writer| result.to_xml(writer));
}

/// Answers a stanza with an error, unless it is one that is never answered (RFC 6120 §8.3.1).
pub(crate) fn refuse(
    handle: &Handle,
    element: ElementRef<'_>,
    error: &StanzaError,
    turn: &mut Turn,
) {
    push(handle, turn, |writer| {
        xmpp_core::stanza::error_reply(element, error, writer);
    });
}
