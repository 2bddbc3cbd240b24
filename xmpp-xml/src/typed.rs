//! Typed payloads: Rust types that are read from an element and written as one.
//!
//! Declare the type, derive [`FromXml`] and [`ToXml`], and it is as good as a built-in payload:
//!
//! ```
//! use std::borrow::Cow;
//! use xmpp_xml::{Element, FromXml, ToXml};
//!
//! #[derive(FromXml, ToXml, Debug, PartialEq)]
//! #[xml(name = "lamp", namespace = "urn:example:lamp")]
//! struct Lamp<'a> {
//!     #[xml(attribute)]
//!     id: Cow<'a, str>,
//!     #[xml(attribute, default)]
//!     brightness: u8,
//!     #[xml(child_text)]
//!     note: Option<Cow<'a, str>>,
//! }
//!
//! let element: Element =
//!     "<lamp xmlns='urn:example:lamp' id='hall' brightness='80'><note>dim</note></lamp>".parse()?;
//! let lamp = Lamp::from_xml(element.root())?;
//! assert_eq!(lamp, Lamp { id: "hall".into(), brightness: 80, note: Some("dim".into()) });
//!
//! let written = Element::build(|writer| lamp.to_xml(writer))?;
//! assert_eq!(written, element);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Reading goes once over the attributes and once over the children. A `Cow` borrows from the
//! element wherever nothing had to be unescaped; [`IntoOwned`] frees a value from it. Attributes
//! and children that the type does not know are ignored, unless it says `deny_unknown` or keeps
//! them in a field marked `rest`.
//!
//! # What a field may be
//!
//! | attribute of the field | type of the field | what it is in the element |
//! |---|---|---|
//! | `#[xml(attribute)]` | `T` or `Option<T>`, `T:` [`FromXmlText`](crate::value::FromXmlText) | the attribute with the field's name; `attribute = "name"` for another name, `namespace = …` if it has one |
//! | `#[xml(lang)]` | `Option<Cow<'a, str>>` | the element's own `xml:lang` (the inherited one: [`ElementRef::lang`]); `None` if it is no language tag |
//! | `#[xml(text)]` | `T` or `Option<T>` | the text of the element; `None` if it is empty |
//! | `#[xml(child)]` | `T` or `Option<T>`, `T:` [`FromXml`] | one child element; a second one is an error |
//! | `#[xml(children)]` | `Vec<T>`, `T:` [`FromXml`] | all children that `T` matches |
//! | `#[xml(child_text)]` | `T`, `Option<T>` or `Vec<T>`, `T:` [`FromXmlText`](crate::value::FromXmlText) | the text of child elements with the field's name; `child_text = "name"` for another name, `namespace = …` if it is not the element's |
//! | `#[xml(flag)]` | `bool` | whether there is an empty child with the field's name; `flag = "name"`, `namespace = …` as above |
//! | `#[xml(flatten)]` | a struct | its attributes and children are the element's |
//! | `#[xml(rest)]` | `Vec<Element>` or `Vec<ElementRef<'a>>` | all children that no other field takes |
//!
//! The fields that name a child (`child_text`, `flag`) are asked first whether it is theirs, then
//! `child` and `children` in the order of declaration, then flattened structs, and at last the
//! rest. Everything is written in the order of declaration, attributes before content. A type that
//! keeps the rest as `ElementRef` cannot be [`IntoOwned`]; keep `Element` there.
//!
//! Add `default` to `attribute`, `text`, `child` or `child_text`, and what is absent becomes
//! `Default::default()`, with `default = expression` the value of the expression; a value equal to
//! the default is not written.
//!
//! # What a type may be
//!
//! | attribute of the type | meaning |
//! |---|---|
//! | `#[xml(name = "…", namespace = …)]` | the element; the namespace is a string or the path of a constant, `""` for none |
//! | `#[xml(group)]` | a struct that is only flattened into others and is no element by itself; its `child_text` and `flag` fields are in the namespace of the element it is part of |
//! | `#[xml(deny_unknown)]` | attributes and children that no field takes are errors |
//! | `#[xml(crate = path)]` | where this crate is, if not `::xmpp_xml` |
//!
//! An **enum** is one of several elements. A variant with one field and no `name` stands for that
//! type; a variant with a `name` is an element with its own fields (or none), in the namespace of
//! the variant or else of the enum. As the last variant, `Other(Element)` takes what no other does.
//!
//! ```
//! use xmpp_xml::{Element, FromXml, ToXml};
//!
//! #[derive(FromXml, ToXml, Debug, PartialEq)]
//! #[xml(namespace = "urn:example:lamp")]
//! enum Command {
//!     #[xml(name = "off")]
//!     Off,
//!     #[xml(name = "fade")]
//!     Fade {
//!         #[xml(attribute)]
//!         seconds: u32,
//!     },
//!     Other(Element),
//! }
//!
//! let element: Element = "<fade xmlns='urn:example:lamp' seconds='3'/>".parse()?;
//! assert_eq!(Command::from_xml(element.root())?, Command::Fade { seconds: 3 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With `name`, `namespace` and `attribute = "type"` on the enum, one element is told apart by the
//! value of that attribute: `#[xml(value = "…")]` on each variant, and `#[xml(default)]` on the
//! variant that is meant when the attribute is absent.
//!
//! # Enumerations in attributes and text
//!
//! `FromXmlText` and `ToXmlText` are derived for enums of unit variants, with
//! `#[xml(value = "…")]` on each (a variant of one word is by default that word in lower case), and
//! `#[xml(other)]` on a variant with one field that keeps any other value; and for structs with
//! one unnamed field, which take the form of that field.
//!
//! ```
//! use std::borrow::Cow;
//! use xmpp_xml::{FromXmlText, ToXmlText};
//!
//! #[derive(FromXmlText, ToXmlText, Debug, PartialEq)]
//! enum Kind<'a> {
//!     Lamp,
//!     #[xml(value = "roller-shutter")]
//!     RollerShutter,
//!     #[xml(other)]
//!     Other(Cow<'a, str>),
//! }
//!
//! assert_eq!(Kind::from_xml_text("roller-shutter".into())?, Kind::RollerShutter);
//! assert_eq!(Kind::Lamp.to_xml_text(), "lamp");
//! assert_eq!(Kind::from_xml_text("oven".into())?, Kind::Other("oven".into()));
//! # Ok::<(), xmpp_xml::value::ValueError>(())
//! ```

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::value::{Base64, Civil, DateTime, Duration, ValueError};
use crate::{Element, ElementRef, Writer};

/// A type that can be read from an element. Usually derived; see the [module](self).
///
/// `'a` is the lifetime of the element, from which the value may borrow.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an element",
    label = "not an element",
    note = "derive or implement `FromXml` for it; text of a child is `#[xml(child_text)]`, and any element is `Element`"
)]
pub trait FromXml<'a>: Sized {
    /// Whether the element is one of these, judged by name and namespace only.
    fn matches(element: ElementRef<'_>) -> bool;

    /// Reads the value.
    ///
    /// # Errors
    /// If the element is another, or its content is not as the type demands.
    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError>;

    /// Reads the value if the element [matches](Self::matches), in one step; `None` if it does not.
    ///
    /// # Errors
    /// If the content of the element is not as the type demands.
    fn from_matching(element: ElementRef<'a>) -> Result<Option<Self>, FromXmlError> {
        if Self::matches(element) {
            Self::from_xml(element).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// A type that can be written as an element. Usually derived; see the [module](self).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written as an element",
    label = "not an element",
    note = "derive or implement `ToXml` for it; text of a child is `#[xml(child_text)]`, and any element is `Element`"
)]
pub trait ToXml {
    /// Writes the value, as one complete element.
    ///
    /// Errors are the writer's, which keeps the first one until it is finished.
    fn to_xml(&self, writer: &mut Writer<'_>);
}

/// Frees a value from the element it was read from, by copying what is still borrowed.
///
/// ```
/// use std::borrow::Cow;
/// use xmpp_xml::IntoOwned;
///
/// fn keep(note: Option<Cow<'_, str>>) -> Option<Cow<'static, str>> {
///     note.into_owned()
/// }
/// # assert_eq!(keep(Some("on".into())), Some("on".into()));
/// ```
pub trait IntoOwned {
    /// The same type without borrowed parts.
    type Owned: 'static;

    /// Copies what is borrowed and moves what is owned.
    fn into_owned(self) -> Self::Owned;
}

/// Why an element could not be read as the type that was asked for.
///
/// It is the fault of the peer that sent the element; [`condition`](Self::condition) is what to
/// answer.
#[derive(Clone, PartialEq, Eq)]
pub struct FromXmlError {
    // Boxed: results of reading are passed through many hands.
    inner: Box<Inner>,
}

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: FromXmlErrorKind,
    element: String,
    namespace: String,
    part: Option<String>,
    reason: Option<ValueError>,
}

/// What is wrong with an element that could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FromXmlErrorKind {
    /// The element is not of the type that was asked for.
    Unexpected,
    /// An attribute that must be there is not.
    MissingAttribute,
    /// The value of an attribute is refused.
    Attribute,
    /// There is an attribute that the type does not allow.
    UnknownAttribute,
    /// A child that must be there is not.
    MissingChild,
    /// The text of a child is refused.
    Child,
    /// A child that may stand once stands twice.
    RepeatedChild,
    /// There is a child that the type does not allow.
    UnknownChild,
    /// The text of the element is refused.
    Text,
    /// The parts are right by themselves but not together.
    Invalid,
}

impl FromXmlError {
    /// The element is not of the type that was asked for.
    #[cold]
    pub fn unexpected(element: ElementRef<'_>) -> Self {
        Self::new(FromXmlErrorKind::Unexpected, element, None, None)
    }

    /// The attribute `name` must be there and is not.
    #[cold]
    pub fn missing_attribute(element: ElementRef<'_>, name: &str) -> Self {
        Self::new(
            FromXmlErrorKind::MissingAttribute,
            element,
            Some(name),
            None,
        )
    }

    /// The value of the attribute `name` is refused.
    #[cold]
    pub fn attribute(element: ElementRef<'_>, name: &str, reason: ValueError) -> Self {
        Self::new(
            FromXmlErrorKind::Attribute,
            element,
            Some(name),
            Some(reason),
        )
    }

    /// The attribute `name` is not allowed.
    #[cold]
    pub fn unknown_attribute(element: ElementRef<'_>, name: &str) -> Self {
        Self::new(
            FromXmlErrorKind::UnknownAttribute,
            element,
            Some(name),
            None,
        )
    }

    /// The child `name` must be there and is not.
    #[cold]
    pub fn missing_child(element: ElementRef<'_>, name: &str) -> Self {
        Self::new(FromXmlErrorKind::MissingChild, element, Some(name), None)
    }

    /// The text of the child `name` is refused.
    #[cold]
    pub fn child(element: ElementRef<'_>, name: &str, reason: ValueError) -> Self {
        Self::new(FromXmlErrorKind::Child, element, Some(name), Some(reason))
    }

    /// The child `name` may stand once and stands twice.
    #[cold]
    pub fn repeated_child(element: ElementRef<'_>, name: &str) -> Self {
        Self::new(FromXmlErrorKind::RepeatedChild, element, Some(name), None)
    }

    /// The child `name` is not allowed.
    #[cold]
    pub fn unknown_child(element: ElementRef<'_>, name: &str) -> Self {
        Self::new(FromXmlErrorKind::UnknownChild, element, Some(name), None)
    }

    /// The text of the element is refused.
    #[cold]
    pub fn text(element: ElementRef<'_>, reason: ValueError) -> Self {
        Self::new(FromXmlErrorKind::Text, element, None, Some(reason))
    }

    /// The parts are right by themselves but not together; for codecs written by hand.
    #[cold]
    pub fn invalid(element: ElementRef<'_>, reason: ValueError) -> Self {
        Self::new(FromXmlErrorKind::Invalid, element, None, Some(reason))
    }

    fn new(
        kind: FromXmlErrorKind,
        element: ElementRef<'_>,
        part: Option<&str>,
        reason: Option<ValueError>,
    ) -> Self {
        let (name, namespace) = (element.name().to_owned(), element.namespace().to_owned());
        let part = part.map(str::to_owned);
        Self {
            inner: Box::new(Inner {
                kind,
                element: name,
                namespace,
                part,
                reason,
            }),
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> FromXmlErrorKind {
        self.inner.kind
    }

    /// The local name of the element in which it is wrong.
    pub fn element(&self) -> &str {
        &self.inner.element
    }

    /// The namespace of that element.
    pub fn namespace(&self) -> &str {
        &self.inner.namespace
    }

    /// The attribute or child concerned. A missing child is named after the field that would hold
    /// it.
    pub fn part(&self) -> Option<&str> {
        self.inner.part.as_deref()
    }

    /// Why a value is refused.
    pub fn reason(&self) -> Option<&ValueError> {
        self.inner.reason.as_ref()
    }

    /// The stanza error condition of RFC 6120 §8.3.3 to answer a request with: `bad-request`.
    pub fn condition(&self) -> &'static str {
        "bad-request"
    }
}

impl fmt::Display for FromXmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names come from the network: quoted and escaped, they cannot break a log line.
        let Inner {
            kind,
            element,
            namespace,
            part,
            reason,
        } = &*self.inner;
        write!(f, "element {element:?} of {namespace:?}")?;
        let part = part.as_deref().unwrap_or_default();
        match kind {
            FromXmlErrorKind::Unexpected => write!(f, " is not the one expected")?,
            FromXmlErrorKind::MissingAttribute => write!(f, ": attribute {part:?} is missing")?,
            FromXmlErrorKind::Attribute => write!(f, ": attribute {part:?} is refused")?,
            FromXmlErrorKind::UnknownAttribute => write!(f, ": attribute {part:?} is unknown")?,
            FromXmlErrorKind::MissingChild => write!(f, ": child {part:?} is missing")?,
            FromXmlErrorKind::Child => write!(f, ": child {part:?} is refused")?,
            FromXmlErrorKind::RepeatedChild => write!(f, ": child {part:?} stands twice")?,
            FromXmlErrorKind::UnknownChild => write!(f, ": child {part:?} is unknown")?,
            FromXmlErrorKind::Text => write!(f, ": text is refused")?,
            FromXmlErrorKind::Invalid => write!(f, " is refused")?,
        }
        match reason {
            Some(reason) => write!(f, ": {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for FromXmlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FromXmlError({self})")
    }
}

impl core::error::Error for FromXmlError {}

/// Any element, borrowed.
impl<'a> FromXml<'a> for ElementRef<'a> {
    fn matches(_: ElementRef<'_>) -> bool {
        true
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        Ok(element)
    }
}

impl IntoOwned for ElementRef<'_> {
    type Owned = Element;

    fn into_owned(self) -> Element {
        self.to_element()
    }
}

/// Any element, owned.
impl FromXml<'_> for Element {
    fn matches(_: ElementRef<'_>) -> bool {
        true
    }

    fn from_xml(element: ElementRef<'_>) -> Result<Self, FromXmlError> {
        Ok(element.to_element())
    }
}

impl<'a, T: FromXml<'a>> FromXml<'a> for Box<T> {
    fn matches(element: ElementRef<'_>) -> bool {
        T::matches(element)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        T::from_xml(element).map(Box::new)
    }

    fn from_matching(element: ElementRef<'a>) -> Result<Option<Self>, FromXmlError> {
        Ok(T::from_matching(element)?.map(Box::new))
    }
}

impl<T: ToXml + ?Sized> ToXml for Box<T> {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        (**self).to_xml(writer);
    }
}

impl<T: ToXml + ?Sized> ToXml for &T {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        (**self).to_xml(writer);
    }
}

impl<T: ToOwned + ?Sized + 'static> IntoOwned for Cow<'_, T>
where
    T::Owned: 'static,
{
    type Owned = Cow<'static, T>;

    fn into_owned(self) -> Cow<'static, T> {
        Cow::Owned(Cow::into_owned(self))
    }
}

impl<T: IntoOwned> IntoOwned for Option<T> {
    type Owned = Option<T::Owned>;

    fn into_owned(self) -> Self::Owned {
        self.map(T::into_owned)
    }
}

impl<T: IntoOwned> IntoOwned for Vec<T> {
    type Owned = Vec<T::Owned>;

    fn into_owned(self) -> Self::Owned {
        self.into_iter().map(T::into_owned).collect()
    }
}

impl<T: IntoOwned> IntoOwned for Box<T> {
    type Owned = Box<T::Owned>;

    fn into_owned(self) -> Self::Owned {
        Box::new(T::into_owned(*self))
    }
}

macro_rules! owned {
    ($($owned:ty),*) => {$(
        impl IntoOwned for $owned {
            type Owned = Self;

            fn into_owned(self) -> Self {
                self
            }
        }
    )*};
}

owned!(
    bool, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64
);
owned!(String, Element, Base64, DateTime, Civil, Duration);
owned!(core::time::Duration);

/// What the code that the derives generate is made of; no part of the interface.
#[doc(hidden)]
pub mod derive_support {
    pub use alloc::borrow::Cow;
    pub use alloc::vec::Vec;
    pub use core::default::Default;
    pub use core::fmt;
    pub use core::marker::PhantomData;
    pub use core::option::Option::{self, None, Some};
    pub use core::result::Result::{self, Err, Ok};

    pub use super::{FromXml, FromXmlError, IntoOwned, ToXml};
    pub use crate::value::{FromXmlText, ToXmlText, ValueError};
    pub use crate::{AttributeRef, ElementRef, Writer};

    /// The namespace of `xml:lang`.
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";

    /// What has been found of a value while its element is gone through.
    pub trait Parts<'a>: Default {
        /// The value.
        type Output;
        /// Whether there is anything to look for in attributes and in children.
        const ATTRIBUTES: bool;
        const CHILDREN: bool;
        const DENY_UNKNOWN: bool;

        /// Takes an attribute, or tells that it is unknown.
        fn attribute(
            &mut self,
            element: ElementRef<'a>,
            attribute: AttributeRef<'a>,
        ) -> Result<bool, FromXmlError>;

        /// Takes a child, or tells that it is unknown.
        fn child(
            &mut self,
            element: ElementRef<'a>,
            child: ElementRef<'a>,
        ) -> Result<bool, FromXmlError>;

        /// Takes a child that is unknown, or tells that unknown ones are not kept.
        fn rest(&mut self, child: ElementRef<'a>) -> Result<bool, FromXmlError>;

        /// Makes the value.
        fn finish(self, element: ElementRef<'a>) -> Result<Self::Output, FromXmlError>;
    }

    /// A struct whose parts can be gathered from the element of another.
    pub trait FromGroup<'a>: Sized {
        type Parts: Parts<'a, Output = Self>;
    }

    /// A struct whose parts can be written into the element of another.
    pub trait ToGroup {
        fn write_attributes(&self, writer: &mut Writer<'_>);
        fn write_children(&self, writer: &mut Writer<'_>, namespace: &str);
    }

    /// Goes once over the attributes and once over the children.
    #[inline]
    pub fn gather<'a, P: Parts<'a>>(element: ElementRef<'a>) -> Result<P::Output, FromXmlError> {
        let mut parts = P::default();
        if P::ATTRIBUTES || P::DENY_UNKNOWN {
            for attribute in element.attributes() {
                if !parts.attribute(element, attribute)? && P::DENY_UNKNOWN {
                    return Err(FromXmlError::unknown_attribute(element, attribute.name()));
                }
            }
        }
        if P::CHILDREN || P::DENY_UNKNOWN {
            for child in element.children() {
                if !parts.child(element, child)? && !parts.rest(child)? && P::DENY_UNKNOWN {
                    return Err(FromXmlError::unknown_child(element, child.name()));
                }
            }
        }
        parts.finish(element)
    }

    /// The value of an attribute.
    #[inline]
    pub fn attribute<'a, T: FromXmlText<'a>>(
        element: ElementRef<'a>,
        attribute: AttributeRef<'a>,
    ) -> Result<Option<T>, FromXmlError> {
        match T::from_xml_text(attribute.value()) {
            Ok(value) => Ok(Some(value)),
            Err(reason) => Err(FromXmlError::attribute(element, attribute.name(), reason)),
        }
    }

    /// The value of `xml:lang`; one that is no language tag is as good as none (RFC 6120 §4.7.4).
    pub fn lang<'a, T: FromXmlText<'a>>(
        element: ElementRef<'a>,
        found: AttributeRef<'a>,
    ) -> Result<Option<T>, FromXmlError> {
        if crate::chars::is_language_tag(&found.value()) {
            attribute(element, found)
        } else {
            Ok(None)
        }
    }

    /// The value of the text of the element; `None` if there is no text.
    #[inline]
    pub fn text_if_any<'a, T: FromXmlText<'a>>(
        element: ElementRef<'a>,
    ) -> Result<Option<T>, FromXmlError> {
        let text = element.text();
        if text.is_empty() {
            return Ok(None);
        }
        value(element, text).map(Some)
    }

    /// The value of the text of the element.
    #[inline]
    pub fn text<'a, T: FromXmlText<'a>>(element: ElementRef<'a>) -> Result<T, FromXmlError> {
        value(element, element.text())
    }

    #[inline]
    fn value<'a, T: FromXmlText<'a>>(
        element: ElementRef<'a>,
        text: Cow<'a, str>,
    ) -> Result<T, FromXmlError> {
        T::from_xml_text(text).map_err(|reason| FromXmlError::text(element, reason))
    }

    /// The value of the text of a child.
    #[inline]
    pub fn child_text<'a, T: FromXmlText<'a>>(
        element: ElementRef<'a>,
        child: ElementRef<'a>,
    ) -> Result<T, FromXmlError> {
        T::from_xml_text(child.text())
            .map_err(|reason| FromXmlError::child(element, child.name(), reason))
    }

    /// Keeps the value of a child that may stand once.
    #[inline]
    pub fn once<'a, T>(
        place: &mut Option<T>,
        value: T,
        element: ElementRef<'a>,
        child: ElementRef<'a>,
    ) -> Result<bool, FromXmlError> {
        match place.replace(value) {
            None => Ok(true),
            Some(_) => Err(FromXmlError::repeated_child(element, child.name())),
        }
    }

    /// Notes an empty child that may stand once.
    #[inline]
    pub fn flag<'a>(
        place: &mut bool,
        element: ElementRef<'a>,
        child: ElementRef<'a>,
    ) -> Result<bool, FromXmlError> {
        if core::mem::replace(place, true) {
            return Err(FromXmlError::repeated_child(element, child.name()));
        }
        Ok(true)
    }

    /// Writes a child that holds nothing but text.
    #[inline]
    pub fn write_child_text(
        writer: &mut Writer<'_>,
        name: &str,
        namespace: &str,
        value: &dyn ToXmlText,
    ) {
        writer.start(name, namespace);
        writer.text_value(value);
        writer.end();
    }

    /// Writes an attribute that has a namespace.
    pub fn write_attribute_ns(
        writer: &mut Writer<'_>,
        name: &str,
        namespace: &str,
        value: &dyn ToXmlText,
    ) {
        writer.attribute_value_ns(name, namespace, value);
    }
}
