//! Delayed delivery (XEP-0203): when a stanza was sent that arrives late.
//!
//! Who adds the stamp is told by `from`, which anybody can write: believe only the stamps of one's own
//! server and of the services that one trusts (XEP-0203 §5).

use alloc::borrow::Cow;

use xmpp_xml::value::DateTime;
use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::jid::Jid;
use crate::ns;

/// When a stanza was sent, in a stanza that was kept since.
///
/// ```
/// use xmpp_core::delay::Delay;
/// use xmpp_xml::{Element, FromXml};
///
/// let element: Element = "<delay xmlns='urn:xmpp:delay' from='juliet@capulet.com/balcony' \
///                         stamp='2002-09-10T23:41:07Z'>Offline Storage</delay>".parse()?;
/// let delay = Delay::from_xml(element.root())?;
/// assert_eq!(delay.stamp.unix_seconds(), 1_031_701_267);
/// assert_eq!(delay.reason.as_deref(), Some("Offline Storage"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "delay", namespace = ns::DELAY)]
pub struct Delay<'a> {
    /// Who kept it.
    #[xml(attribute)]
    pub from: Option<Jid>,
    /// When it was sent.
    #[xml(attribute)]
    pub stamp: DateTime,
    /// Why it was kept, for people.
    #[xml(text)]
    pub reason: Option<Cow<'a, str>>,
}

impl<'a> Delay<'a> {
    /// Sent at that time; it is written in UTC, as the standard demands.
    #[must_use]
    pub fn new(stamp: DateTime) -> Self {
        Self {
            from: None,
            stamp: stamp.to_utc(),
            reason: None,
        }
    }

    /// Tells who kept it.
    #[must_use]
    pub fn with_from(mut self, from: Jid) -> Self {
        self.from = Some(from);
        self
    }

    /// Tells why it was kept.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<Cow<'a, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }
}
