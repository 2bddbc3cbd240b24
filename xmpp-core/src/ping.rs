//! Ping (XEP-0199): does the peer still answer?

use xmpp_xml::{ElementRef, FromXml, FromXmlError, IntoOwned, ToXml, Writer};

use crate::ns;

/// The payload of a ping; the answer is an empty result, and any error is an answer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ping;

impl<'a> FromXml<'a> for Ping {
    fn matches(element: ElementRef<'_>) -> bool {
        element.is("ping", ns::PING)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        if Self::matches(element) {
            Ok(Self)
        } else {
            Err(FromXmlError::unexpected(element))
        }
    }
}

impl ToXml for Ping {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.empty("ping", ns::PING);
    }
}

impl IntoOwned for Ping {
    type Owned = Self;

    fn into_owned(self) -> Self {
        self
    }
}
