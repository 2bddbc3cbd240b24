//! How a stream is cut into pieces: bytes without end over TCP, or one element in each message over WebSocket
//! (RFC 7395).
//!
//! Inside, both are the same: elements in the context of a header that declares `jabber:client` and the prefix
//! `stream`. A message that comes in is read in that context, and one that goes out declares it by itself.

use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::{ElementRef, Event as XmlEvent, Limits, Parser, STREAM_END, Scratch, Writer};

use super::error::Error;
use super::negotiation::violation;
use super::outgoing::{Outgoing, elements};
use crate::error::StreamCondition;
use crate::ns;

/// How the elements of a stream are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Framing {
    /// One document over one connection, in any pieces (RFC 6120).
    #[default]
    Tcp,
    /// One element in each message of a WebSocket (RFC 7395). Every
    /// [`handle_bytes`](super::Stream::handle_bytes) takes one whole text message, and every
    /// [`poll_transmit`](super::Stream::poll_transmit) gives one. TLS is the WebSocket's:
    /// [`Encryption::Required`](super::Encryption::Required) means the same as
    /// [`Encryption::Direct`](super::Encryption::Direct).
    WebSocket,
}

/// How a stream looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Tcp,
    WebSocket,
    /// As over TCP, but the header declares another content (XEP-0114): what stands below it is read as that of
    /// clients.
    Component,
}

/// What came in.
pub(super) enum Arrival<'a> {
    Nothing,
    /// White space between elements.
    Space,
    Header(ElementRef<'a>),
    Element(ElementRef<'a>),
    /// The peer's closing tag, perhaps with where to go instead.
    End(Option<String>),
}

/// The context in which messages are read.
const CONTEXT: &[u8] =
    b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";

impl Wire {
    /// The next thing that stands in the input. Whether the header has been read, only a component's stream wants
    /// to know: its parser begins anew behind it.
    pub(super) fn read<'a, 'i: 'a>(
        self,
        is_open: bool,
        parser: &'a mut Parser,
        scratch: &'a mut Scratch,
        input: &mut &'i [u8],
    ) -> Result<Arrival<'a>, Error> {
        if self == Self::Component && is_open && parser.offset() == 0 {
            begin(parser, scratch)?;
        }
        match self {
            Self::Tcp | Self::Component => {
                Ok(match parser.next(scratch, input).map_err(Error::Xml)? {
                    Some(XmlEvent::Header(header)) => Arrival::Header(header),
                    Some(XmlEvent::Element(element)) => Arrival::Element(element),
                    Some(XmlEvent::End) => Arrival::End(None),
                    Some(XmlEvent::Whitespace) => Arrival::Space,
                    Some(_) | None => Arrival::Nothing,
                })
            }
            Self::WebSocket => read_message(parser, scratch, input),
        }
    }

    /// Closes our side of the stream.
    pub(super) fn write_end(self, redirection: Option<&str>, out: &mut Vec<u8>) {
        match self {
            Self::Tcp | Self::Component => out.extend_from_slice(STREAM_END.as_bytes()),
            Self::WebSocket => {
                // An address that XML cannot carry is left out.
                for redirection in [redirection, None] {
                    let mut writer = Writer::in_stream(out, ns::CLIENT);
                    writer
                        .start("close", ns::FRAMING)
                        .attribute_opt("see-other-uri", redirection)
                        .end();
                    if writer.finish().is_ok() {
                        return;
                    }
                }
            }
        }
    }
}

fn read_message<'a, 'i: 'a>(
    parser: &'a mut Parser,
    scratch: &'a mut Scratch,
    input: &mut &'i [u8],
) -> Result<Arrival<'a>, Error> {
    let Some(first) = input.first() else {
        return Ok(Arrival::Nothing);
    };
    let malformed = |text| violation(StreamCondition::BadFormat, text);
    if *first != b'<' {
        return Err(malformed("a message begins with its element"));
    }
    if parser.offset() == 0 {
        begin(parser, scratch)?;
    }
    let element = match parser.next(scratch, input).map_err(Error::Xml)? {
        Some(XmlEvent::Element(element)) => element,
        Some(XmlEvent::End) => return Err(malformed("that tag ends another kind of stream")),
        _ => return Err(malformed("the message ends within its element")),
    };
    if !input.trim_ascii().is_empty() {
        return Err(malformed("a message holds one element"));
    }
    *input = &[];
    Ok(match element.name() {
        "open" if element.namespace() == ns::FRAMING => Arrival::Header(element),
        "close" if element.namespace() == ns::FRAMING => {
            let uri = element.attribute("see-other-uri");
            Arrival::End(uri.map(|uri| uri.into_owned()))
        }
        _ => Arrival::Element(element),
    })
}

/// Gives a fresh parser the context of a stream, whatever the limits.
fn begin(parser: &mut Parser, scratch: &mut Scratch) -> Result<(), Error> {
    let limits = *parser.limits();
    parser.set_limits(Limits::new());
    let mut context = CONTEXT;
    parser.next(scratch, &mut context).map_err(Error::Xml)?;
    parser.set_limits(limits);
    Ok(())
}

/// Writes the first element of the output as a message of its own; gives how many bytes it took. The language is
/// that of the stream, for stanzas that name none.
pub(super) fn write_message(output: &[u8], lang: Option<&str>, message: &mut Vec<u8>) -> usize {
    let mut waiting = elements(output);
    if let Some(element) = waiting.next() {
        write_element(element, lang, message);
    }
    output.len().saturating_sub(waiting.rest().len())
}

fn write_element(element: Outgoing<'_>, lang: Option<&str>, message: &mut Vec<u8>) {
    let name = element.name().len().saturating_add(1);
    let (start, rest) = element.bytes.split_at(name.min(element.bytes.len()));
    message.extend_from_slice(start);
    if element.attribute(b"xmlns").is_none() {
        message.extend_from_slice(b" xmlns='jabber:client'");
    }
    let uses_prefix = element.bytes.windows(7).any(|window| window == b"stream:");
    if uses_prefix && element.attribute(b"xmlns:stream").is_none() {
        message.extend_from_slice(b" xmlns:stream='");
        message.extend_from_slice(ns::STREAMS.as_bytes());
        message.push(b'\'');
    }
    let is_tag = |lang: &&str| {
        lang.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if let Some(lang) = lang.filter(is_tag)
        && element.is_stanza()
        && element.attribute(b"xml:lang").is_none()
    {
        message.extend_from_slice(b" xml:lang='");
        message.extend_from_slice(lang.as_bytes());
        message.push(b'\'');
    }
    message.extend_from_slice(rest);
}

/// Whether a client that came by TLS may follow: not to where anybody listens (RFC 7395 §3.6.1).
pub(super) fn is_secure(uri: &str) -> bool {
    ["wss:", "https:"].iter().any(|scheme| {
        let start = uri.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}
