//! Hints for those who store and copy messages (XEP-0334).

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::ns;
use crate::stanza::{Message, MessageType};

/// What the sender of a message would like to happen to it. Nobody has to follow it.
///
/// ```
/// use xmpp_core::hint::{Hint, hints};
/// use xmpp_core::stanza::{MessageBuilder, MessageType, Stanza};
/// use xmpp_xml::{Element, ToXml};
///
/// let message = MessageBuilder::new(MessageType::Chat).payload(&Hint::NoStore);
/// let written = Element::build(|writer| message.to_xml(writer))?;
/// let Stanza::Message(message) = Stanza::parse(written.root())? else { unreachable!() };
/// assert!(hints(&message).eq([Hint::NoStore]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, FromXml, ToXml, IntoOwned)]
#[xml(namespace = ns::HINTS)]
pub enum Hint {
    /// It is not to be kept in archives and logs (XEP-0334 §4.1).
    #[xml(name = "no-permanent-store")]
    NoPermanentStore,
    /// It is not to be kept at all, not even until the recipient is there (XEP-0334 §4.2).
    #[xml(name = "no-store")]
    NoStore,
    /// It is for the recipient's address alone (XEP-0334 §4.3).
    #[xml(name = "no-copy")]
    NoCopy,
    /// It is to be kept, although it may not look like it (XEP-0334 §4.4).
    #[xml(name = "store")]
    Store,
}

/// The hints in a message. Those in an error are the ones of the message that went wrong, and do not count
/// (XEP-0334 §5).
pub fn hints<'a>(message: &Message<'a>) -> impl Iterator<Item = Hint> + use<'a> {
    let counts = message.kind() != MessageType::Error;
    let children = message.element().children().filter(move |_| counts);
    children.filter_map(|child| child.read().ok())
}
