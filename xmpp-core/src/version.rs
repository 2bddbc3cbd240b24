//! Software version (XEP-0092): which program is it?

use alloc::borrow::Cow;

use xmpp_xml::{FromXml, IntoOwned, ToXml};

use crate::ns;

/// Asks which program it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "query", namespace = ns::VERSION)]
pub struct Request;

/// Which program it is.
///
/// ```
/// use xmpp_core::version::Software;
/// use xmpp_xml::{Element, FromXml, ToXml};
///
/// let written = Element::build(|writer| Software::new("Thermometer", "1.2").to_xml(writer))?;
/// assert_eq!(Software::from_xml(written.root())?.name, "Thermometer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "query", namespace = ns::VERSION)]
pub struct Software<'a> {
    /// Its name.
    #[xml(child_text)]
    pub name: Cow<'a, str>,
    /// Its version.
    #[xml(child_text)]
    pub version: Cow<'a, str>,
    /// The operating system. It helps attackers more than anybody else, and is left out unless an
    /// administrator says otherwise (XEP-0092 §5).
    #[xml(child_text)]
    pub os: Option<Cow<'a, str>>,
}

impl<'a> Software<'a> {
    /// A program that does not tell its operating system.
    #[must_use]
    pub fn new(name: impl Into<Cow<'a, str>>, version: impl Into<Cow<'a, str>>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            os: None,
        }
    }

    /// Tells the operating system too.
    #[must_use]
    pub fn with_os(mut self, os: impl Into<Cow<'a, str>>) -> Self {
        self.os = Some(os.into());
        self
    }
}
