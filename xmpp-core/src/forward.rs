//! Forwarded stanzas (XEP-0297): a stanza of somebody else, as the payload of another protocol.
//!
//! What is inside is worth as much as who forwards it: never act on it as if it had come from the address
//! that it names (XEP-0297 §7).
//!
//! ```
//! use xmpp_core::forward::Forwarded;
//! use xmpp_core::stanza::Stanza;
//! use xmpp_xml::{Element, FromXml};
//!
//! let element: Element = "<forwarded xmlns='urn:xmpp:forward:0'>\
//!     <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>\
//!     <message xmlns='jabber:client' from='romeo@montague.example/orchard'><body>Yet I should kill thee</body>\
//!     </message></forwarded>".parse()?;
//! let forwarded = Forwarded::from_xml(element.root())?;
//! assert!(forwarded.delay.is_some());
//! let Stanza::Message(message) = forwarded.parse()? else { unreachable!() };
//! assert_eq!(message.body().as_deref(), Some("Yet I should kill thee"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use xmpp_xml::{ElementRef, FromXml, ToXml};

use crate::delay::Delay;
use crate::ns;
use crate::stanza::{Stanza, StanzaFault};

/// A stanza of somebody else. It is forwarded as the bytes that came in.
#[derive(Debug, Clone, FromXml, ToXml)]
#[xml(name = "forwarded", namespace = ns::FORWARD)]
pub struct Forwarded<'a> {
    /// When it was sent.
    #[xml(child)]
    pub delay: Option<Delay<'a>>,
    /// The stanza, exactly one.
    #[xml(child)]
    pub stanza: ElementRef<'a>,
}

impl<'a> Forwarded<'a> {
    /// That stanza, sent now.
    #[must_use]
    pub fn new(stanza: ElementRef<'a>) -> Self {
        Self {
            delay: None,
            stanza,
        }
    }

    /// Tells when it was sent.
    #[must_use]
    pub fn with_delay(mut self, delay: Delay<'a>) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The stanza, with its header checked.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(&self) -> Result<Stanza<'a>, StanzaFault> {
        Stanza::parse(self.stanza)
    }
}
