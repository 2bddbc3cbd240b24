//! Elements as people read them: indented, and without secrets.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::element::{Element, ElementRef, NodeRef, Nodes};
use crate::writer::Writer;

/// What stands where a secret was.
const REDACTED: &str = "[redacted]";

impl<'a> ElementRef<'a> {
    /// Prints with each element on a line of its own, indented by its depth; for people, since it adds white space.
    /// Elements that hold text stay on one line.
    ///
    /// ```
    /// let ping = xmpp_xml::Element::parse("<iq xmlns='jabber:client' type='get'><ping xmlns='urn:xmpp:ping'/></iq>")?;
    /// assert_eq!(
    ///     ping.root().indented().to_string(),
    ///     "<iq xmlns='jabber:client' type='get'>\n  <ping xmlns='urn:xmpp:ping'/>\n</iq>",
    /// );
    /// # Ok::<(), xmpp_xml::Fault>(())
    /// ```
    pub fn indented(self) -> Printed<'a> {
        Printed {
            element: self,
            indented: true,
            redacted: false,
        }
    }

    /// Prints on one line with secrets left out, for logs: see [`Printed::redacted`].
    ///
    /// ```
    /// let auth = xmpp_xml::Element::parse(
    ///     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGp1bGlldAByMG0zMG15cjBtMzA=</auth>",
    /// )?;
    /// assert_eq!(
    ///     auth.root().redacted().to_string(),
    ///     "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>[redacted]</auth>",
    /// );
    /// # Ok::<(), xmpp_xml::Fault>(())
    /// ```
    pub fn redacted(self) -> Printed<'a> {
        Printed {
            element: self,
            indented: false,
            redacted: true,
        }
    }
}

impl Element {
    /// See [`ElementRef::indented`].
    pub fn indented(&self) -> Printed<'_> {
        self.root().indented()
    }

    /// See [`ElementRef::redacted`].
    pub fn redacted(&self) -> Printed<'_> {
        self.root().redacted()
    }
}

/// An element that prints (`Display`) for people: by [`ElementRef::indented`] and [`ElementRef::redacted`], which can
/// be combined.
///
/// Control characters, those that change the direction of text, and, unless it is indented, line ends are written as
/// references, so that an element can neither steer a terminal nor pretend to be a second line of a log. Prefixes are
/// not those that were received.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a> {
    element: ElementRef<'a>,
    indented: bool,
    redacted: bool,
}

impl Printed<'_> {
    /// Indents as well.
    pub fn indented(mut self) -> Self {
        self.indented = true;
        self
    }

    /// Leaves out secrets as well, and writes `[redacted]` in their place:
    ///
    /// - the text of SASL elements (RFC 6120 §6, XEP-0388), except names of mechanisms and explanations; of dialback
    ///   (XEP-0220) and of the component handshake (XEP-0114);
    /// - the text, and the values named `value`, of and within elements named after a secret: a name that has
    ///   `password`, `passwd`, `passphrase`, `secret`, `token`, `credential`, `digest`, `proof`, `cookie` or
    ///   `authorization` in it, or ends with `key` or `keys`, whatever the case; also where the attribute `var` or
    ///   `name` has such a value, as in data forms (XEP-0004), and in fields of the type `text-private`;
    /// - the values of attributes of such a name, and the ids that a session is resumed by (XEP-0124, XEP-0198).
    ///
    /// What a program keeps secret beyond these, it must not log.
    pub fn redacted(mut self) -> Self {
        self.redacted = true;
        self
    }

    fn write(&self, writer: &mut Writer<'_>) {
        // An explicit stack: depth comes from the network.
        let mut open: Vec<Open<'_>> = Vec::new();
        open.push(self.start(self.element, None, writer));
        while let Some(inner) = open.last_mut() {
            match inner.nodes.next() {
                None => {
                    if inner.broken {
                        let depth = open.len().saturating_sub(1);
                        line(writer, depth);
                    }
                    writer.end();
                    open.pop();
                }
                Some(NodeRef::Text(text)) => {
                    let space = text.chars().all(is_space);
                    if self.redacted && inner.secret_text && !space {
                        writer.text(REDACTED);
                    } else if !(inner.broken && space) {
                        writer.text(&text);
                    }
                }
                Some(NodeRef::Element(child)) => {
                    if inner.broken {
                        let depth = open.len();
                        line(writer, depth);
                    }
                    let next = self.start(child, open.last(), writer);
                    open.push(next);
                }
            }
        }
    }

    fn start<'e>(
        &self,
        element: ElementRef<'e>,
        around: Option<&Open<'_>>,
        writer: &mut Writer<'_>,
    ) -> Open<'e> {
        let secret = around.is_some_and(|around| around.secret) || is_secret(element);
        writer.start(element.name(), element.namespace());
        for attribute in element.attributes() {
            let (name, namespace) = (attribute.name(), attribute.namespace());
            let hidden = self.redacted
                && ((secret && name == "value")
                    || names_a_secret(name)
                    || resumes_a_session(element, name));
            let value = attribute.value();
            let value = if hidden { REDACTED } else { &*value };
            writer.attribute_ns(name, namespace, value);
        }
        let mut text = false;
        let mut children = false;
        for node in element.nodes() {
            match node {
                NodeRef::Text(run) => text |= !run.chars().all(is_space),
                NodeRef::Element(_) => children = true,
            }
        }
        let around_broken = around.is_none_or(|around| around.broken);
        Open {
            nodes: element.nodes(),
            broken: self.indented && around_broken && children && !text,
            secret,
            secret_text: secret || holds_a_secret(element),
        }
    }
}

/// An element that is being printed.
struct Open<'a> {
    nodes: Nodes<'a>,
    /// Whether its children stand on lines of their own.
    broken: bool,
    /// Whether it and all within it is secret.
    secret: bool,
    /// Whether the text directly within it is secret.
    secret_text: bool,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        self.write(&mut writer);
        writer.finish().map_err(|_| fmt::Error)?;
        let text = String::from_utf8(bytes).map_err(|_| fmt::Error)?;
        for character in text.chars() {
            match character {
                '\n' if self.indented => f.write_char('\n')?,
                '\t' => f.write_char('\t')?,
                _ if character.is_control() || turns_text(character) => {
                    write!(f, "&#x{:X};", u32::from(character))?;
                }
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

fn line(writer: &mut Writer<'_>, depth: usize) {
    writer.text("\n");
    for _ in 0..depth {
        writer.text("  ");
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// Whether this changes the direction of the text behind it (Unicode UAX #9 §2), or ends a line.
fn turns_text(character: char) -> bool {
    matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Whether everything within this element is secret.
fn is_secret(element: ElementRef<'_>) -> bool {
    let named = |attribute| {
        element
            .attribute(attribute)
            .is_some_and(|value| names_a_secret(&value))
    };
    names_a_secret(element.name())
        || named("var")
        || named("name")
        || element
            .attribute("type")
            .is_some_and(|kind| kind == "text-private")
}

/// Whether the text of this element is a secret of its protocol.
fn holds_a_secret(element: ElementRef<'_>) -> bool {
    match element.namespace() {
        "urn:ietf:params:xml:ns:xmpp-sasl" | "urn:xmpp:sasl:1" | "urn:xmpp:sasl:2" => !matches!(
            element.name(),
            "mechanism" | "text" | "authorization-identifier" | "software" | "device"
        ),
        "jabber:server:dialback" => true,
        "jabber:component:accept" | "jabber:component:connect" => element.name() == "handshake",
        _ => false,
    }
}

/// Whether who knows the value of this attribute can take a session over.
fn resumes_a_session(element: ElementRef<'_>, attribute: &str) -> bool {
    match element.namespace() {
        "http://jabber.org/protocol/httpbind" => attribute == "sid",
        "urn:xmpp:sm:2" | "urn:xmpp:sm:3" => matches!(attribute, "id" | "previd"),
        _ => false,
    }
}

fn names_a_secret(name: &str) -> bool {
    const WITHIN: [&str; 10] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "digest",
        "proof",
        "cookie",
        "authorization",
    ];
    let name = name.to_ascii_lowercase();
    name != "authorization-identifier"
        && (WITHIN.iter().any(|word| name.contains(word))
            || name.ends_with("key")
            || name.ends_with("keys"))
}
