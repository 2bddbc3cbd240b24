//! Addresses (RFC 7622): `local@domain/resource`.
//!
//! [`Jid`] owns its text behind a reference count, so a clone costs no allocation. [`JidRef`] borrows
//! text that is canonical already and never allocates. [`Address`] is what reading an attribute
//! gives: borrowed when the text was canonical, which it nearly always is, mapped and owned when not.
//!
//! Every value of these types is canonical: domain by IDNA2008 in its Unicode form and without the
//! final dot, localpart by the PRECIS profile UsernameCaseMapped, resourcepart by OpaqueString. So
//! comparison, order and hash work on the text as it stands.
//!
//! ```
//! use xmpp_core::jid::{Jid, JidRef};
//!
//! let jid: Jid = "Juliet@Example.COM./balcony".parse()?;
//! assert_eq!(jid.as_str(), "juliet@example.com/balcony");
//! assert_eq!(jid.local(), Some("juliet"));
//! assert_eq!(jid.to_bare_ref(), JidRef::parse("juliet@example.com")?);
//! # Ok::<(), xmpp_core::jid::JidError>(())
//! ```
//!
//! Two decisions where the standards leave room: a resourcepart may not begin with a space (RFC 7622
//! §3.5, example 18), although OpaqueString alone would allow it; the length limits of the DNS
//! (63 octets for a label, 253 for a name) are left to the DNS, only the 1023 octets of RFC 7622 are
//! enforced. Without the feature `std` there are no Unicode tables: addresses outside ASCII are then
//! refused with [`JidErrorKind::Unsupported`].
//!
//! Identifiers of foreign systems, which may have characters that a localpart may not, become localparts
//! by [`escape`] (XEP-0106).
//!
//! # The crate `jid`
//!
//! With the feature `jid` there are conversions to and from the addresses of the crate of that name, both
//! ways by `TryFrom`. That crate follows RFC 6122, which RFC 7622 supersedes. For ASCII the two agree but
//! for the last five lines of this table:
//!
//! | address | here | there |
//! |---|---|---|
//! | localpart with a symbol, such as U+265A | refused | taken |
//! | localpart or resourcepart with a compatibility character, such as U+2163 | localpart refused, resourcepart kept | mapped (NFKC) |
//! | localpart with U+00DF or U+03C2 | kept | folded to `ss` and U+03C3 |
//! | resourcepart with a character newer than Unicode 3.2, such as U+1F600 | taken | refused |
//! | domain outside ASCII in A-labels (`xn--…`) | turned into U-labels | kept |
//! | final dot of a domain with a resourcepart or localpart | stripped | kept |
//! | resourcepart with a space in front | refused | taken |
//! | label over 63 octets or name over 253 | left to the DNS | refused |
//! | domain with `_` or another character that is neither letter, digit nor hyphen | refused | taken |
//! | IPv6 address | written in its shortest form; may have a zone | kept; no zone |

use alloc::borrow::{Borrow, Cow};
use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use xmpp_xml::{FromXmlText, IntoOwned, ToXmlText, ValueError};

#[cfg(feature = "jid")]
mod convert;
mod escape;
mod prepare;

pub use escape::{escape, unescape};

/// The most octets that one part of an address may have (RFC 7622 §3.1).
pub const MAX_PART_BYTES: usize = 1023;

/// An address that owns its text. A clone shares it.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    layout: Layout,
}

impl Jid {
    /// Reads an address and brings it into its canonical form.
    ///
    /// # Errors
    /// [`JidError`] tells the part and what is wrong with it; to a peer that sent it the answer is
    /// `jid-malformed`.
    pub fn parse(text: &str) -> Result<Self, JidError> {
        Address::parse(Cow::Borrowed(text)).map(Address::into_jid)
    }

    /// Puts an address together from its parts, each brought into its canonical form. Unlike with
    /// [`Jid::parse`] a separator inside a part is an error, not the start of the next part.
    ///
    /// # Errors
    /// [`JidError`] tells the part and what is wrong with it.
    pub fn from_parts(
        local: Option<&str>,
        domain: &str,
        resource: Option<&str>,
    ) -> Result<Self, JidError> {
        if domain.contains(['@', '/']) {
            return Err(JidError::new(JidPart::Domain, JidErrorKind::Forbidden));
        }
        let local = local.map(prepare::local).transpose()?;
        let domain = prepare::domain(domain)?;
        let resource = resource.map(prepare::resource).transpose()?;
        Ok(Self::join(local.as_deref(), &domain, resource.as_deref()))
    }

    /// The part before the `@`: an account, a room, a node. `None` for a server or service.
    #[must_use]
    pub fn local(&self) -> Option<&str> {
        self.as_ref().local()
    }

    /// The domain in its Unicode form, without a final dot.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.as_ref().domain()
    }

    /// The part after the first `/`: one connection of an account, an occupant of a room.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.as_ref().resource()
    }

    /// The address without its resourcepart; shares the text when there is none.
    #[must_use]
    pub fn bare(&self) -> Self {
        if self.is_bare() {
            self.clone()
        } else {
            self.to_bare_ref().to_jid()
        }
    }

    /// The address without its resourcepart, borrowed from this one.
    #[must_use]
    pub fn to_bare_ref(&self) -> JidRef<'_> {
        self.as_ref().to_bare()
    }

    /// The bare address with another resourcepart.
    ///
    /// # Errors
    /// [`JidError`] when the resourcepart cannot be made canonical.
    pub fn with_resource(&self, resource: &str) -> Result<Self, JidError> {
        let resource = prepare::resource(resource)?;
        Ok(Self::join(self.local(), self.domain(), Some(&resource)))
    }

    /// Whether there is a resourcepart.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.resource().is_some()
    }

    /// Whether there is no resourcepart.
    #[must_use]
    pub fn is_bare(&self) -> bool {
        !self.is_full()
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// This address, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> JidRef<'_> {
        JidRef {
            text: &self.text,
            layout: self.layout,
        }
    }

    fn join(local: Option<&str>, domain: &str, resource: Option<&str>) -> Self {
        let (local, resource) = (local.unwrap_or(""), resource.unwrap_or(""));
        let mut text = String::with_capacity(local.len() + domain.len() + resource.len() + 2);
        text.push_str(local);
        if !local.is_empty() {
            text.push('@');
        }
        text.push_str(domain);
        let domain_end = text.len();
        if !resource.is_empty() {
            text.push('/');
            text.push_str(resource);
        }
        let layout = Layout::new(local.len(), domain_end);
        Self {
            text: Arc::from(text),
            layout,
        }
    }
}

/// An address that borrows its text, which is canonical already. Small and `Copy`.
#[derive(Clone, Copy)]
pub struct JidRef<'a> {
    text: &'a str,
    layout: Layout,
}

impl<'a> JidRef<'a> {
    /// Reads an address that is in its canonical form. Addresses in ASCII cost no allocation; others
    /// are run through the tables to see whether they come out the same.
    ///
    /// # Errors
    /// [`JidErrorKind::NotCanonical`] when the text is an address in another form (use
    /// [`Jid::parse`] or [`Address::parse`]); the other kinds when it is none.
    pub fn parse(text: &'a str) -> Result<Self, JidError> {
        let (local, domain, resource) = split(text);
        let local_bytes = local.map_or(0, str::len);
        if let Some(local) = local {
            prepare::same(JidPart::Local, local, prepare::local(local)?)?;
        }
        prepare::same(JidPart::Domain, domain, prepare::domain(domain)?)?;
        if let Some(resource) = resource {
            prepare::same(JidPart::Resource, resource, prepare::resource(resource)?)?;
        }
        let domain_end = text.len() - resource.map_or(0, |resource| resource.len() + 1);
        Ok(Self {
            text,
            layout: Layout::new(local_bytes, domain_end),
        })
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(self) -> Option<&'a str> {
        match self.layout.local_bytes() {
            0 => None,
            end => self.text.get(..end),
        }
    }

    /// The domain in its Unicode form, without a final dot.
    #[must_use]
    pub fn domain(self) -> &'a str {
        let start = match self.layout.local_bytes() {
            0 => 0,
            end => end + 1,
        };
        self.text
            .get(start..self.layout.domain_end())
            .unwrap_or_default()
    }

    /// The part after the first `/`.
    #[must_use]
    pub fn resource(self) -> Option<&'a str> {
        self.text.get(self.layout.domain_end() + 1..)
    }

    /// The address without its resourcepart.
    #[must_use]
    pub fn to_bare(self) -> Self {
        let text = self
            .text
            .get(..self.layout.domain_end())
            .unwrap_or(self.text);
        Self {
            text,
            layout: self.layout,
        }
    }

    /// Whether there is a resourcepart.
    #[must_use]
    pub fn is_full(self) -> bool {
        self.resource().is_some()
    }

    /// Whether there is no resourcepart.
    #[must_use]
    pub fn is_bare(self) -> bool {
        !self.is_full()
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_jid(self) -> Jid {
        Jid {
            text: Arc::from(self.text),
            layout: self.layout,
        }
    }
}

/// An address as it was read: borrowed when its text was canonical, owned when it had to be mapped.
#[derive(Clone)]
pub enum Address<'a> {
    /// The text was canonical.
    Borrowed(JidRef<'a>),
    /// The text was unescaped or mapped.
    Owned(Jid),
}

impl<'a> Address<'a> {
    /// Reads an address; allocates only when the text is owned or has to be mapped.
    ///
    /// # Errors
    /// [`JidError`] tells the part and what is wrong with it.
    pub fn parse(text: Cow<'a, str>) -> Result<Self, JidError> {
        let (local, domain, resource) = split(&text);
        let local = local.map(prepare::local).transpose()?;
        let domain_text = domain;
        let domain = prepare::domain(domain_text)?;
        let resource = resource.map(prepare::resource).transpose()?;
        let mapped = domain.len() != domain_text.len()
            || matches!(local, Some(Cow::Owned(_)))
            || matches!(domain, Cow::Owned(_))
            || matches!(resource, Some(Cow::Owned(_)));
        if mapped {
            return Ok(Self::Owned(Jid::join(
                local.as_deref(),
                &domain,
                resource.as_deref(),
            )));
        }
        let domain_end = text.len() - resource.map_or(0, |resource| resource.len() + 1);
        let layout = Layout::new(local.map_or(0, |local| local.len()), domain_end);
        Ok(match text {
            Cow::Borrowed(text) => Self::Borrowed(JidRef { text, layout }),
            Cow::Owned(text) => Self::Owned(Jid {
                text: Arc::from(text),
                layout,
            }),
        })
    }

    /// This address, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> JidRef<'_> {
        match self {
            Self::Borrowed(jid) => *jid,
            Self::Owned(jid) => jid.as_ref(),
        }
    }

    /// This address with its own text.
    #[must_use]
    pub fn into_jid(self) -> Jid {
        match self {
            Self::Borrowed(jid) => jid.to_jid(),
            Self::Owned(jid) => jid,
        }
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.as_ref().text
    }
}

/// Why a text is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JidError {
    part: JidPart,
    kind: JidErrorKind,
}

impl JidError {
    /// The part at fault.
    #[must_use]
    pub fn part(&self) -> JidPart {
        self.part
    }

    /// What is wrong with it.
    #[must_use]
    pub fn kind(&self) -> JidErrorKind {
        self.kind
    }

    fn new(part: JidPart, kind: JidErrorKind) -> Self {
        Self { part, kind }
    }
}

impl fmt::Display for JidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = match self.part {
            JidPart::Local => "localpart",
            JidPart::Domain => "domainpart",
            JidPart::Resource => "resourcepart",
        };
        match self.kind {
            JidErrorKind::Empty => write!(f, "the {part} of the address is empty"),
            JidErrorKind::TooLong => {
                write!(
                    f,
                    "the {part} of the address is longer than {MAX_PART_BYTES} octets"
                )
            }
            JidErrorKind::Forbidden => {
                write!(
                    f,
                    "the {part} of the address has a character that is not allowed there"
                )
            }
            JidErrorKind::NotCanonical => {
                write!(f, "the {part} of the address is not in its canonical form")
            }
            JidErrorKind::Unsupported => {
                write!(
                    f,
                    "the {part} of the address is outside ASCII, which needs the feature `std`"
                )
            }
        }
    }
}

impl core::error::Error for JidError {}

/// A part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JidPart {
    /// Before the `@`.
    Local,
    /// The server or service.
    Domain,
    /// After the first `/`.
    Resource,
}

/// What is wrong with a part of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JidErrorKind {
    /// It has no characters.
    Empty,
    /// It has more than [`MAX_PART_BYTES`] octets.
    TooLong,
    /// It has characters, or characters in a place, that the standard does not allow.
    Forbidden,
    /// It would have to be mapped, which [`JidRef::parse`] does not do.
    NotCanonical,
    /// It is outside ASCII, and this build has no tables for that (feature `std`).
    Unsupported,
}

/// Where the parts lie in the text. Addresses have at most 3 × 1023 + 2 octets.
#[derive(Clone, Copy)]
struct Layout {
    local_bytes: u16,
    domain_end: u16,
}

impl Layout {
    fn new(local_bytes: usize, domain_end: usize) -> Self {
        let narrow = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        Self {
            local_bytes: narrow(local_bytes),
            domain_end: narrow(domain_end),
        }
    }

    fn local_bytes(self) -> usize {
        usize::from(self.local_bytes)
    }

    fn domain_end(self) -> usize {
        usize::from(self.domain_end)
    }
}

/// Splits as RFC 7622 §3.2 says: the first `/` first, then the first `@` before it.
fn split(text: &str) -> (Option<&str>, &str, Option<&str>) {
    let (bare, resource) = match text.split_once('/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (text, None),
    };
    match bare.split_once('@') {
        Some((local, domain)) => (Some(local), domain, resource),
        None => (None, bare, resource),
    }
}

macro_rules! by_text {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }
        impl<$($generics)*> Eq for $type {}
        impl<$($generics)*> PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }
        impl<$($generics)*> Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                self.as_str().cmp(other.as_str())
            }
        }
        impl<$($generics)*> Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }
        impl<$($generics)*> fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
        impl<$($generics)*> fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "Jid({})", self.as_str())
            }
        }
        impl<$($generics)*> ToXmlText for $type {
            fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

by_text!([] Jid);
by_text!(['a] JidRef<'a>);
by_text!(['a] Address<'a>);

impl PartialEq<JidRef<'_>> for Jid {
    fn eq(&self, other: &JidRef<'_>) -> bool {
        self.as_ref() == *other
    }
}

impl PartialEq<Jid> for JidRef<'_> {
    fn eq(&self, other: &Jid) -> bool {
        *self == other.as_ref()
    }
}

/// So a map keyed by [`Jid`] is asked with the text of a [`JidRef`].
impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl FromStr for Jid {
    type Err = JidError;

    fn from_str(text: &str) -> Result<Self, JidError> {
        Self::parse(text)
    }
}

impl From<JidRef<'_>> for Jid {
    fn from(jid: JidRef<'_>) -> Self {
        jid.to_jid()
    }
}

impl<'a> From<&'a Jid> for JidRef<'a> {
    fn from(jid: &'a Jid) -> Self {
        jid.as_ref()
    }
}
impl<'a> FromXmlText<'a> for Jid {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
        Address::from_xml_text(text).map(Address::into_jid)
    }
}

impl<'a> FromXmlText<'a> for Address<'a> {
    fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
        Self::parse(text).map_err(|error| ValueError::new(alloc::format!("{error}")))
    }
}

impl IntoOwned for Jid {
    type Owned = Self;

    fn into_owned(self) -> Self {
        self
    }
}

impl IntoOwned for Address<'_> {
    type Owned = Jid;

    fn into_owned(self) -> Jid {
        self.into_jid()
    }
}
