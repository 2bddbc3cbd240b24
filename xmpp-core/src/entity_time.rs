//! Entity time (XEP-0202): what time is it there?

use xmpp_xml::value::{Civil, DateTime};
use xmpp_xml::{FromXml, IntoOwned, ToXml, ValueError};

use crate::datetime::Offset;
use crate::ns;

/// Asks what time it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "time", namespace = ns::TIME)]
pub struct Request;

/// What time it is there, and how far its clocks are ahead of UTC.
///
/// ```
/// use xmpp_core::entity_time::EntityTime;
/// use xmpp_xml::{Element, FromXml};
///
/// let element: Element = "<time xmlns='urn:xmpp:time'><tzo>-06:00</tzo>\
///                         <utc>2006-12-19T17:58:35Z</utc></time>".parse()?;
/// let time = EntityTime::from_xml(element.root())?;
/// assert_eq!(time.local()?.to_string(), "2006-12-19T11:58:35-06:00");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "time", namespace = ns::TIME)]
pub struct EntityTime {
    /// How far its clocks are ahead of UTC. [`Offset::UTC`] tells nothing about where it is.
    #[xml(child_text)]
    pub tzo: Offset,
    /// The time.
    #[xml(child_text)]
    pub utc: DateTime,
}

impl EntityTime {
    /// That time, on clocks so far ahead of UTC. It is written in UTC, as the standard demands.
    #[must_use]
    pub fn new(time: DateTime, tzo: Offset) -> Self {
        Self {
            tzo,
            utc: time.to_utc(),
        }
    }

    /// What the clocks show there.
    ///
    /// # Errors
    /// At the ends of the calendar, where the zone lies in another year than -9999 to 9999.
    pub fn local(&self) -> Result<DateTime, ValueError> {
        let minutes = i64::from(self.tzo.minutes());
        let shown = self
            .utc
            .unix_seconds()
            .saturating_add(minutes.saturating_mul(60));
        let shown = DateTime::from_unix(shown, self.utc.nanoseconds())?;
        DateTime::from_civil(Civil {
            offset: Some(self.tzo.minutes()),
            ..shown.civil()
        })
    }
}
