//! Unique and stable ids of messages (XEP-0359).
//!
//! The account of the recipient, or a room, gives each message an id that stays the same wherever the
//! message turns up. Such an id is worth only as much as who assigned it: believe those `by` one's own
//! account or by a room that announces the feature [`ns::STANZA_IDS`], and no others (XEP-0359 §6).
//!
//! ```
//! use xmpp_core::jid::Jid;
//! use xmpp_core::stanza_id::{StanzaId, assign};
//! use xmpp_xml::Element;
//!
//! let account: Jid = "juliet@example.com".parse()?;
//! let forged: Element = "<message xmlns='jabber:client'><body>Hi</body>\
//!     <stanza-id xmlns='urn:xmpp:sid:0' id='forged' by='juliet@example.com'/></message>".parse()?;
//! let stored = Element::build(|writer| {
//!     assign(forged.root(), &StanzaId::new("7f3a", account.clone()), writer);
//! })?;
//! assert_eq!(StanzaId::find(stored.root(), &account).unwrap().id, "7f3a");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;

use xmpp_xml::{ElementRef, FromXml, IntoOwned, NodeRef, ToXml, Writer};

use crate::jid::{Address, Jid};
use crate::ns;

/// The id that an account or a room has given a message.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "stanza-id", namespace = ns::STANZA_IDS)]
pub struct StanzaId<'a> {
    /// The id, unique among those by the same address.
    #[xml(attribute)]
    pub id: Cow<'a, str>,
    /// Who assigned it.
    #[xml(attribute)]
    pub by: Jid,
}

impl<'a> StanzaId<'a> {
    /// That id, assigned by that account or room.
    #[must_use]
    pub fn new(id: impl Into<Cow<'a, str>>, by: Jid) -> Self {
        Self { id: id.into(), by }
    }

    /// The id that that account or room has given the message; none when there are several, which nobody
    /// who follows the rules lets through (XEP-0359 §3).
    #[must_use]
    pub fn find(message: ElementRef<'a>, by: &Jid) -> Option<Self> {
        let mut found = message.children().filter(|child| is_by(*child, by));
        let id = found.next()?;
        found.next().is_none().then(|| id.read().ok())?
    }
}

/// The id that the sender has given a message, which anybody can write: to know one's own message again,
/// and for nothing else (XEP-0359 §2.2, §6).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "origin-id", namespace = ns::STANZA_IDS)]
pub struct OriginId<'a> {
    /// The id.
    #[xml(attribute)]
    pub id: Cow<'a, str>,
}

/// Points to a message by its id (XEP-0359 §4).
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "referenced-stanza", namespace = ns::STANZA_IDS)]
pub struct ReferencedStanza<'a> {
    /// The id of the message.
    #[xml(attribute)]
    pub id: Cow<'a, str>,
    /// Who assigned it.
    #[xml(attribute)]
    pub by: Option<Jid>,
}

/// Writes a message with an id, and without any that pretends to be from the same address
/// (XEP-0359 §3, rule 2).
pub fn assign(message: ElementRef<'_>, id: &StanzaId<'_>, writer: &mut Writer<'_>) {
    writer.start(message.name(), message.namespace());
    for attribute in message.attributes() {
        writer.attribute_ns(attribute.name(), attribute.namespace(), &attribute.value());
    }
    for node in message.nodes() {
        match node {
            NodeRef::Element(child) if is_by(child, &id.by) => {}
            NodeRef::Element(child) => {
                writer.element(child);
            }
            NodeRef::Text(text) => {
                writer.text(&text);
            }
        }
    }
    writer.payload(id).end();
}

/// Whether it is an id by that address, however the address is written.
fn is_by(child: ElementRef<'_>, by: &Jid) -> bool {
    let address = child
        .attribute("by")
        .filter(|_| child.is("stanza-id", ns::STANZA_IDS))
        .and_then(|text| Address::parse(text).ok());
    address.is_some_and(|address| address.as_ref() == by.as_ref())
}
