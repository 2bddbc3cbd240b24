//! Derive macros FromXml, ToXml and IntoOwned of xmpp-xml.
