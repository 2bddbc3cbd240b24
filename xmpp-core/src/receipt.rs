//! Message receipts (XEP-0184): has a message arrived at the recipient's client?
//!
//! ```
//! use xmpp_core::receipt::{self, Received};
//! use xmpp_core::stanza::Stanza;
//! use xmpp_xml::Element;
//!
//! let element: Element = "<message xmlns='jabber:client' id='m1' type='chat' from='romeo@example.net/o'>\
//!     <body>Hi</body><request xmlns='urn:xmpp:receipts'/></message>".parse()?;
//! let Stanza::Message(message) = Stanza::parse(element.root())? else { unreachable!() };
//! assert_eq!(receipt::due(&message), Some(Received { id: "m1".into() }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::borrow::Cow;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::ns;
use crate::stanza::{Message, MessageType};

/// Asks for a receipt, in a message that has an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "request", namespace = ns::RECEIPTS)]
pub struct Request;

/// The receipt for a message, in a message of the same type that asks for none itself.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "received", namespace = ns::RECEIPTS)]
pub struct Received<'a> {
    /// The id of the message.
    #[xml(attribute)]
    pub id: Cow<'a, str>,
}

/// The receipt that a message asks for; none for one without id, for errors, for rooms, and for what is a
/// receipt itself (XEP-0184 §5). Whether the sender may know that somebody is there is for the
/// application to decide.
#[must_use]
pub fn due<'m>(message: &'m Message<'_>) -> Option<Received<'m>> {
    let asks = message.child("request", ns::RECEIPTS).is_some()
        && message.child("received", ns::RECEIPTS).is_none()
        && !matches!(message.kind(), MessageType::Error | MessageType::Groupchat);
    let id = message.id().filter(|id| asks && !id.is_empty())?;
    Some(Received {
        id: Cow::Borrowed(id),
    })
}
