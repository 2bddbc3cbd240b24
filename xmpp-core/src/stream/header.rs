//! The stream header (RFC 6120 §4.7).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::{ElementRef, Writer};

use super::InitiatorConfig;
use super::error::Error;
use super::framing::Wire;
use super::negotiation::violation;
use crate::error::StreamCondition;
use crate::jid::{Jid, JidRef};
use crate::ns;

/// The namespaces that a header may declare: those of the stream and its content, and that of dialback.
const DECLARABLE: [&str; 6] = [
    ns::STREAMS,
    ns::CLIENT,
    ns::SERVER,
    ns::XML,
    "jabber:server:dialback",
    ns::FRAMING,
];

/// What both sides check: root, content namespace, version.
pub(super) fn check(header: ElementRef<'_>) -> Result<(), Error> {
    if header.namespace() == ns::FRAMING {
        return check_version(header);
    }
    if header.namespace() != ns::STREAMS {
        return Err(violation(
            StreamCondition::InvalidNamespace,
            "that is no stream",
        ));
    }
    if header.name() != "stream" {
        return Err(violation(StreamCondition::BadFormat, "that is no stream"));
    }
    let content = header.declarations().find(|(prefix, _)| prefix.is_empty());
    if content.is_some_and(|(_, content)| !matches!(content, ns::CLIENT | ns::STREAMS)) {
        let text = "the content is not that of client-to-server streams";
        return Err(violation(StreamCondition::InvalidNamespace, text));
    }
    check_version(header)
}

fn check_version(header: ElementRef<'_>) -> Result<(), Error> {
    let version = header
        .attribute("version")
        .and_then(|version| parse_version(&version));
    if version.is_none_or(|version| version < (1, 0)) {
        return Err(violation(
            StreamCondition::UnsupportedVersion,
            "version 1.0 is needed",
        ));
    }
    Ok(())
}

/// What both sides of a component's stream check: it has no version (XEP-0114 §3).
pub(super) fn check_component(header: ElementRef<'_>) -> Result<(), Error> {
    let content = header.declarations().find(|(prefix, _)| prefix.is_empty());
    let is_content = content.is_some_and(|(_, content)| content == ns::COMPONENT_ACCEPT);
    if header.is("stream", ns::STREAMS) && is_content {
        return Ok(());
    }
    let text = "that is no stream of a component";
    Err(violation(StreamCondition::InvalidNamespace, text))
}

/// What a receiver checks besides: extensions declare their namespaces where they use them
/// (RFC 6120 §4.8.5).
pub(super) fn check_declarations(header: ElementRef<'_>) -> Result<(), Error> {
    if header
        .declarations()
        .all(|(_, namespace)| DECLARABLE.contains(&namespace))
    {
        return Ok(());
    }
    let text = "the header declares the namespace of an extension";
    Err(violation(StreamCondition::InvalidNamespace, text))
}

/// Two numbers, each with leading zeros as it likes.
fn parse_version(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| digits)
    };
    Some((number(major)?, number(minor)?))
}

/// The language that fits best: the tag itself, or what is left when subtags are cut from its end
/// (RFC 4647 §3.4); else the first one.
pub(super) fn language<'l>(languages: &'l [String], wanted: Option<&str>) -> Option<&'l str> {
    let mut range = wanted.filter(|range| range.len() <= 64);
    while let Some(tag) = range {
        if let Some(found) = languages
            .iter()
            .find(|known| known.eq_ignore_ascii_case(tag))
        {
            return Some(found);
        }
        range = tag.rsplit_once('-').map(|(shorter, _)| shorter);
        // A single letter or digit introduces what was cut.
        range = range.map(|tag| match tag.rsplit_once('-') {
            Some((shorter, last)) if last.len() == 1 => shorter,
            _ => tag,
        });
    }
    languages.first().map(String::as_str)
}

/// Writes the initial header. Who we are is told only where nobody listens.
pub(super) fn write_initial(out: &mut Vec<u8>, config: &InitiatorConfig, secure: bool) {
    let from = config.jid.to_bare_ref();
    let from = (secure && from.local().is_some()).then_some(from);
    let lang = config.lang.as_deref();
    let to = Some(config.jid.domain());
    write(out, config.wire(), from, to, None, lang);
}

/// Writes the response to a component: it speaks for its own domain.
pub(super) fn write_component_response(out: &mut Vec<u8>, domain: &Jid, id: &str) {
    let from = JidRef::parse(domain.domain()).ok();
    write(out, Wire::Component, from, None, Some(id), None);
}

/// Writes the response header.
pub(super) fn write_response(
    out: &mut Vec<u8>,
    wire: Wire,
    host: &Jid,
    to: Option<&Jid>,
    id: &str,
    lang: Option<&str>,
) {
    let to = to.map(Jid::to_bare_ref).map(JidRef::as_str);
    let from = JidRef::parse(host.domain()).ok();
    write(out, wire, from, to, Some(id), lang);
}

fn write(
    out: &mut Vec<u8>,
    wire: Wire,
    from: Option<JidRef<'_>>,
    to: Option<&str>,
    id: Option<&str>,
    lang: Option<&str>,
) {
    // Only the language is free text of the configuration; without it nothing can be refused.
    for lang in [lang, None] {
        let mut writer = match wire {
            Wire::Tcp => Writer::stream_header(out, ns::CLIENT),
            Wire::Component => Writer::stream_header(out, ns::COMPONENT_ACCEPT),
            Wire::WebSocket => {
                let mut writer = Writer::in_stream(out, ns::CLIENT);
                writer.start("open", ns::FRAMING);
                writer
            }
        };
        writer
            .attribute_opt("from", from.map(JidRef::as_str))
            .attribute_opt("to", to);
        writer.attribute_opt("id", id);
        if wire != Wire::Component {
            writer.attribute("version", "1.0");
        }
        if let Some(lang) = lang {
            writer.lang(lang);
        }
        if wire == Wire::WebSocket {
            writer.end();
        }
        if writer.finish().is_ok() {
            return;
        }
    }
}

/// An address in the header.
pub(super) fn address(header: ElementRef<'_>, name: &str) -> Result<Option<Jid>, Error> {
    let parse = |text: Cow<'_, str>| Jid::parse(&text);
    header.attribute(name).map(parse).transpose().map_err(|_| {
        let condition = match name {
            "from" => StreamCondition::InvalidFrom,
            _ => StreamCondition::HostUnknown,
        };
        violation(condition, "that is no address")
    })
}
