//! Headers of stanzas (XEP-0131), as they are known from mail and the web.
//!
//! In a message or presence [`Headers`] stand beside the other payloads, in a request or answer inside the
//! payload (XEP-0131 §4). Which headers an entity understands it tells at the node [`ns::HEADERS`] with
//! one [`feature`] each (§3.2).
//!
//! ```
//! use xmpp_core::header::Headers;
//!
//! let headers = Headers::new()
//!     .with("Urgency", "high")
//!     .with("TTL", "3600");
//! assert_eq!(headers.value("Urgency"), Some("high"));
//! assert_eq!(headers.parse::<u32>("TTL")?, Some(3600));
//! // Without the header nothing is said about it.
//! assert_eq!(headers.may_store(), None);
//! # Ok::<(), xmpp_xml::ValueError>(())
//! ```

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use xmpp_xml::{FromXml, FromXmlText, IntoOwned, ToXml, ValueError};

use crate::ns;

/// The headers of a stanza.
#[derive(Debug, Clone, PartialEq, Eq, Default, FromXml, ToXml, IntoOwned)]
#[xml(name = "headers", namespace = ns::HEADERS)]
pub struct Headers<'a> {
    /// The headers, in this order.
    #[xml(children)]
    pub headers: Vec<Header<'a>>,
}

/// One header.
#[derive(Debug, Clone, PartialEq, Eq, FromXml, ToXml, IntoOwned)]
#[xml(name = "header", namespace = ns::HEADERS)]
pub struct Header<'a> {
    /// Its name, such as `Keywords`.
    #[xml(attribute)]
    pub name: Cow<'a, str>,
    /// Its value.
    #[xml(text)]
    pub value: Cow<'a, str>,
}

impl<'a> Headers<'a> {
    /// No headers yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'a, str>>, value: impl Into<Cow<'a, str>>) -> Self {
        self.headers.push(Header {
            name: name.into(),
            value: value.into(),
        });
        self
    }

    /// The value of the first header of that name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|header| header.name == name)
            .map(|header| &*header.value)
    }

    /// The value of the first header of that name as one of that type: `Created` is a
    /// [`DateTime`](xmpp_xml::value::DateTime), `TTL` a number of seconds.
    ///
    /// # Errors
    /// When the value is not one of that type.
    pub fn parse<'s, T: FromXmlText<'s>>(&'s self, name: &str) -> Result<Option<T>, ValueError> {
        let value = self.value(name);
        value
            .map(|value| T::from_xml_text(Cow::Borrowed(value)))
            .transpose()
    }

    /// Whether the stanza may be given to others: the header `Distribute`, of which every other value than
    /// `true` means no (XEP-0131 §5.3). `None` without the header.
    #[must_use]
    pub fn may_distribute(&self) -> Option<bool> {
        self.value("Distribute").map(|value| value == "true")
    }

    /// Whether the stanza may be kept: the header `Store`, of which every other value than `true` means no
    /// (XEP-0131 §5.4). `None` without the header.
    #[must_use]
    pub fn may_store(&self) -> Option<bool> {
        self.value("Store").map(|value| value == "true")
    }
}

/// The feature by which an entity tells that it understands that header (XEP-0131 §3.2).
#[must_use]
pub fn feature(name: &str) -> String {
    format!("{}#{name}", ns::HEADERS)
}
