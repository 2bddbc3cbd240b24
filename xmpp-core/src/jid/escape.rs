//! Foreign identifiers as localparts, by escaping what a localpart may not have (XEP-0106).
//!
//! Escaping happens once, where a foreign identifier enters: at a gateway, or where somebody types an
//! address. The escaped form is what goes over the wire, is compared and is routed by; it is unescaped
//! only to be shown to people or handed to the foreign system.

use alloc::borrow::Cow;
use alloc::string::String;

use super::{Jid, JidError, JidErrorKind, JidPart, JidRef};

/// The characters that are escaped, with the digits that stand for each. The backslash comes last: it is
/// escaped only where it would otherwise look like the beginning of an escape.
const ESCAPES: [(char, &str); 10] = [
    (' ', "20"),
    ('"', "22"),
    ('&', "26"),
    ('\'', "27"),
    ('/', "2f"),
    (':', "3a"),
    ('<', "3c"),
    ('>', "3e"),
    ('@', "40"),
    ('\\', "5c"),
];

/// Escapes a foreign identifier, so that it can be a localpart (XEP-0106 §3.2, §4.2). A URI is to be
/// decoded and freed from its scheme first.
///
/// ```
/// use xmpp_core::jid::{Jid, escape, unescape};
///
/// let local = escape(r"c:\5commas")?;
/// assert_eq!(local, r"c\3a\5c5commas");
/// assert_eq!(unescape(&local), r"c:\5commas");
/// let jid = Jid::from_foreign("space cadet", "example.com")?;
/// assert_eq!(jid.as_str(), r"space\20cadet@example.com");
/// assert_eq!(jid.as_ref().unescaped_local().as_deref(), Some("space cadet"));
/// # Ok::<(), xmpp_core::jid::JidError>(())
/// ```
///
/// # Errors
/// When it begins or ends with a space, which has no escape there (XEP-0106 §3.2).
pub fn escape(identifier: &str) -> Result<Cow<'_, str>, JidError> {
    if identifier.starts_with(' ') || identifier.ends_with(' ') {
        return Err(JidError::new(JidPart::Local, JidErrorKind::Forbidden));
    }
    if !identifier.contains(|character| digits_of(character).is_some()) {
        return Ok(Cow::Borrowed(identifier));
    }
    let mut escaped = String::with_capacity(identifier.len().saturating_add(8));
    let mut rest = identifier.chars();
    while let Some(character) = rest.next() {
        let digits =
            digits_of(character).filter(|_| character != '\\' || looks_like_digits(rest.as_str()));
        match digits {
            Some(digits) => {
                escaped.push('\\');
                escaped.push_str(digits);
            }
            None => escaped.push(character),
        }
    }
    Ok(Cow::Owned(escaped))
}

/// Turns the escapes of a localpart back, for people and foreign systems (XEP-0106 §3.3). What is no
/// escape stays as it is, and so does that of a space at either end, where it must not be. The result must
/// not be sent in an address, nor compared with one.
#[must_use]
pub fn unescape(local: &str) -> Cow<'_, str> {
    if !local.contains('\\') {
        return Cow::Borrowed(local);
    }
    let mut unescaped = String::with_capacity(local.len());
    let mut rest = local;
    while let Some((before, after)) = rest.split_once('\\') {
        unescaped.push_str(before);
        let escape = after.split_at_checked(2).and_then(|(digits, after)| {
            let (character, _) = ESCAPES.iter().find(|(_, known)| *known == digits)?;
            let is_at_end = unescaped.is_empty() || after.is_empty();
            (*character != ' ' || !is_at_end).then_some((*character, after))
        });
        rest = match escape {
            Some((character, after)) => {
                unescaped.push(character);
                after
            }
            None => {
                unescaped.push('\\');
                after
            }
        };
    }
    unescaped.push_str(rest);
    Cow::Owned(unescaped)
}

fn digits_of(character: char) -> Option<&'static str> {
    let (_, digits) = ESCAPES.iter().find(|(known, _)| *known == character)?;
    Some(digits)
}

/// Whether the digits of an escape follow. In upper case too, since localparts are mapped to lower case:
/// otherwise two identifiers would get one address.
fn looks_like_digits(rest: &str) -> bool {
    let next = rest.get(..2).unwrap_or_default();
    ESCAPES
        .iter()
        .any(|(_, digits)| digits.eq_ignore_ascii_case(next))
}

impl Jid {
    /// The address of a foreign identifier at a gateway: the identifier is escaped as [`escape`] does it.
    ///
    /// # Errors
    /// [`JidError`] for an identifier that begins or ends with a space or is none for a localpart even
    /// when it is escaped, and for what is no domain.
    pub fn from_foreign(identifier: &str, domain: &str) -> Result<Self, JidError> {
        Self::from_parts(Some(&escape(identifier)?), domain, None)
    }
}

impl<'a> JidRef<'a> {
    /// The localpart with its escapes turned back, as [`unescape`] does it; for people only.
    #[must_use]
    pub fn unescaped_local(self) -> Option<Cow<'a, str>> {
        self.local().map(unescape)
    }
}
