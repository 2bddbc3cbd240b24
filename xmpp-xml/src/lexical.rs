//! The types of XML Schema that are text of a certain form: names, and addresses of resources.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use core::fmt;

use crate::chars::is_ncname;
use crate::element::ElementRef;
use crate::typed::IntoOwned;
use crate::value::{FromXmlText, ToXmlText, ValueError};

macro_rules! texts {
    ($($(#[doc = $doc:literal])+ $name:ident, $check:ident, $expected:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name<'a>(Cow<'a, str>);

        impl<'a> $name<'a> {
            /// The value of this text, which has no white space around it.
            ///
            /// # Errors
            /// If the text does not have the form.
            pub fn new(text: impl Into<Cow<'a, str>>) -> Result<Self, ValueError> {
                let text = text.into();
                if $check(&text) {
                    Ok(Self(text))
                } else {
                    Err(ValueError::new($expected))
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<'a> FromXmlText<'a> for $name<'a> {
            fn from_xml_text(text: Cow<'a, str>) -> Result<Self, ValueError> {
                Self::new(trimmed(text))
            }
        }

        impl ToXmlText for $name<'_> {
            fn write_text(&self, out: &mut dyn fmt::Write) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl IntoOwned for $name<'_> {
            type Owned = $name<'static>;

            fn into_owned(self) -> $name<'static> {
                $name(Cow::Owned(self.0.into_owned()))
            }
        }

        impl AsRef<str> for $name<'_> {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

texts! {
    /// A URI or a relative reference (XML Schema `anyURI`; RFC 3986 §4.1, with the characters of RFC 3987).
    ///
    /// The form is checked, not the rules of a scheme: which characters may stand, `%` before two hexadecimal digits,
    /// one fragment, a scheme before the first colon, brackets around an address in the authority alone. Spaces, which
    /// XML Schema discourages, are refused. The empty text is a reference to the document itself.
    ///
    /// ```
    /// use xmpp_xml::value::AnyUri;
    /// assert!(AnyUri::new("xmpp:romeo@montague.example?message").is_ok());
    /// assert!(AnyUri::new("http://example.org/100%").is_err());
    /// ```
    AnyUri, is_uri, "not a URI";
    /// A name with an optional prefix (XML Schema `QName`, Namespaces in XML §4).
    ///
    /// What the prefix means is told by the element around it: [`resolve`](QName::resolve).
    QName, is_qualified_name, "not a qualified name";
    /// A name token (XML Schema `NMTOKEN`, XML 1.0 §2.3): characters of names, the first of which may be any.
    NmToken, is_name_token, "not a name token";
    /// An identifier (XML Schema `ID` and `IDREF`): a name without a colon. That it stands once is for others to check.
    Id, is_ncname, "not an identifier";
}

impl<'a> QName<'a> {
    /// The prefix; empty for none.
    pub fn prefix(&self) -> &str {
        self.0.split_once(':').map_or("", |(prefix, _)| prefix)
    }

    /// The local name.
    pub fn local_name(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, name)| name)
    }

    /// The namespace that this name has within `element`, and the local name; `None` if the prefix is not declared
    /// there. Without a prefix it is in the default namespace, empty if there is none.
    ///
    /// ```
    /// use xmpp_xml::value::QName;
    /// let element = xmpp_xml::Element::parse("<a xmlns:xs='http://www.w3.org/2001/XMLSchema' type='xs:int'/>")?;
    /// let kind = QName::new(element.root().attribute("type").unwrap_or_default())?;
    /// assert_eq!(kind.resolve(element.root()), Some(("http://www.w3.org/2001/XMLSchema", "int")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resolve<'e>(&'e self, element: ElementRef<'e>) -> Option<(&'e str, &'e str)> {
        let namespace = match (self.prefix(), element.namespace_of_prefix(self.prefix())) {
            (_, Some(namespace)) => namespace,
            ("", None) => "",
            (_, None) => return None,
        };
        Some((namespace, self.local_name()))
    }
}

/// White space around these values does not count.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    let space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim_matches(space)),
        Cow::Owned(text) => {
            let inner = text.trim_matches(space);
            match inner.len() == text.len() {
                true => Cow::Owned(text),
                false => Cow::Owned(inner.to_owned()),
            }
        }
    }
}

fn is_qualified_name(text: &str) -> bool {
    match text.split_once(':') {
        Some((prefix, name)) => is_ncname(prefix) && is_ncname(name),
        None => is_ncname(text),
    }
}

fn is_name_token(text: &str) -> bool {
    let is_name_character = |character: char| {
        let mut name = String::from("_");
        name.push(character);
        character == ':' || is_ncname(&name)
    };
    let ascii = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !text.is_empty()
        && text.chars().all(|character| match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => ascii(byte),
            _ => is_name_character(character),
        })
}

fn is_uri(text: &str) -> bool {
    let (rest, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, path) = match rest.split_once(':') {
        Some((before, _)) if before.contains('/') => (None, rest),
        Some((scheme, path)) => (Some(scheme), path),
        None => (None, rest),
    };
    let (authority, path) = match path.strip_prefix("//") {
        Some(rest) => match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        },
        None => ("", path),
    };
    scheme.is_none_or(is_scheme)
        && is_authority(authority)
        && [path, query, fragment]
            .iter()
            .all(|part| has_uri_characters(part))
}

fn is_scheme(scheme: &str) -> bool {
    let mut bytes = scheme.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_authority(authority: &str) -> bool {
    let Some((before, rest)) = authority.split_once('[') else {
        return has_uri_characters(authority);
    };
    let Some((address, port)) = rest.split_once(']') else {
        return false;
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    (before.is_empty() || before.ends_with('@'))
        && [before, address]
            .iter()
            .all(|part| has_uri_characters(part))
        && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Those of RFC 3986 §2, and those beyond ASCII of RFC 3987 §2.2.
fn has_uri_characters(part: &str) -> bool {
    let mut rest = part.chars();
    while let Some(character) = rest.next() {
        let good = match character {
            '%' => {
                let mut hexadecimal = || rest.next().is_some_and(|c| c.is_ascii_hexdigit());
                hexadecimal() && hexadecimal()
            }
            '\0'..='\u{7F}' => {
                character.is_ascii_alphanumeric() || "-._~:/?@!$&'()*+,;=".contains(character)
            }
            _ => !character.is_control() && !character.is_whitespace(),
        };
        if !good {
            return false;
        }
    }
    true
}
