//! One part of an address brought into its canonical form, with a fast path for ASCII.

use alloc::borrow::Cow;
use core::fmt::Write;
use core::net::Ipv6Addr;

use super::{JidError, JidErrorKind, JidPart, MAX_PART_BYTES};

/// Longer text than this is not even looked at: no mapping makes it four times shorter.
const MAX_RAW_BYTES: usize = 4 * MAX_PART_BYTES;

/// The localpart: PRECIS UsernameCaseMapped without the characters of RFC 7622 §3.3.1.
pub(super) fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
    let part = JidPart::Local;
    raw_length(part, text)?;
    if !text.is_ascii() {
        let mapped = tables::local(text)?;
        if mapped
            .bytes()
            .any(|byte| byte.is_ascii() && !is_local(byte))
        {
            return Err(JidError::new(part, JidErrorKind::Forbidden));
        }
        return length(part, mapped);
    }
    if !text.bytes().all(is_local) {
        return Err(JidError::new(part, JidErrorKind::Forbidden));
    }
    length(part, lower_case(text))
}

/// The domain: U-labels and NR-LDH labels in lower case, an IPv4 address, or an IPv6 address in
/// brackets, perhaps with a zone (RFC 6874).
pub(super) fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
    let part = JidPart::Domain;
    // The dot and what UTS #46 takes for one.
    let text = text
        .strip_suffix(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}'])
        .unwrap_or(text);
    raw_length(part, text)?;
    if let Some(literal) = text.strip_prefix('[') {
        return ip_literal(text, literal);
    }
    if is_plain_domain(text) {
        return length(part, lower_case(text));
    }
    length(part, tables::domain(text)?)
}

/// The resourcepart: PRECIS OpaqueString without a space in front.
pub(super) fn resource(text: &str) -> Result<Cow<'_, str>, JidError> {
    let part = JidPart::Resource;
    raw_length(part, text)?;
    let mapped = if text.is_ascii() {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(JidError::new(part, JidErrorKind::Forbidden));
        }
        Cow::Borrowed(text)
    } else {
        tables::resource(text)?
    };
    if mapped.starts_with(' ') {
        return Err(JidError::new(part, JidErrorKind::Forbidden));
    }
    length(part, mapped)
}

/// Refuses a part that is not what it was mapped to.
pub(super) fn same(part: JidPart, text: &str, mapped: Cow<'_, str>) -> Result<(), JidError> {
    if *mapped == *text {
        return Ok(());
    }
    Err(JidError::new(part, JidErrorKind::NotCanonical))
}

fn raw_length(part: JidPart, text: &str) -> Result<(), JidError> {
    if text.is_empty() {
        return Err(JidError::new(part, JidErrorKind::Empty));
    }
    if text.len() > MAX_RAW_BYTES {
        return Err(JidError::new(part, JidErrorKind::TooLong));
    }
    Ok(())
}

fn length(part: JidPart, text: Cow<'_, str>) -> Result<Cow<'_, str>, JidError> {
    if text.is_empty() {
        return Err(JidError::new(part, JidErrorKind::Empty));
    }
    if text.len() > MAX_PART_BYTES {
        return Err(JidError::new(part, JidErrorKind::TooLong));
    }
    Ok(text)
}

fn lower_case(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// The visible ASCII characters but those of RFC 7622 §3.3.1.
fn is_local(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'"' | b'&' | b'\'' | b'/' | b':' | b'<' | b'>' | b'@')
}

/// Whether every label is of letters, digits and inner hyphens and none is reserved (`??--…`, which
/// A-labels are): such a domain needs no tables.
fn is_plain_domain(text: &str) -> bool {
    text.split('.').all(|label| {
        let bytes = label.as_bytes();
        let inner = bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        let edges = !matches!(bytes.first(), None | Some(b'-')) && bytes.last() != Some(&b'-');
        inner && edges && bytes.get(2..4) != Some(b"--")
    })
}

fn ip_literal<'a>(text: &'a str, literal: &str) -> Result<Cow<'a, str>, JidError> {
    let forbidden = JidError::new(JidPart::Domain, JidErrorKind::Forbidden);
    let inside = literal.strip_suffix(']').ok_or(forbidden)?;
    let (address, zone) = match inside.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (inside, None),
    };
    let address: Ipv6Addr = address.parse().map_err(|_| forbidden)?;
    let zone_is_good = zone.is_none_or(|zone| {
        !zone.is_empty()
            && zone
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
    });
    if !zone_is_good {
        return Err(forbidden);
    }
    // Compared without allocation first: canonical text is the rule.
    let mut rest = Rest(text);
    let written = match zone {
        Some(zone) => write!(rest, "[{address}%25{zone}]"),
        None => write!(rest, "[{address}]"),
    };
    if written.is_ok() && rest.0.is_empty() {
        return length(JidPart::Domain, Cow::Borrowed(text));
    }
    length(
        JidPart::Domain,
        Cow::Owned(match zone {
            Some(zone) => alloc::format!("[{address}%25{zone}]"),
            None => alloc::format!("[{address}]"),
        }),
    )
}

/// What of a text has not been written yet; writing something else is an error.
struct Rest<'a>(&'a str);

impl Write for Rest<'_> {
    fn write_str(&mut self, written: &str) -> core::fmt::Result {
        self.0 = self.0.strip_prefix(written).ok_or(core::fmt::Error)?;
        Ok(())
    }
}

#[cfg(feature = "std")]
mod tables {
    use alloc::borrow::Cow;

    use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
    use precis_core::profile::PrecisFastInvocation;
    use precis_core::{IdentifierClass, StringClass};
    use precis_profiles::{OpaqueString, UsernameCaseMapped};

    use super::super::{JidError, JidErrorKind, JidPart};

    pub(super) fn local(text: &str) -> Result<Cow<'_, str>, JidError> {
        stable(JidPart::Local, text, |text| {
            UsernameCaseMapped::enforce(text).ok()
        })
    }

    pub(super) fn resource(text: &str) -> Result<Cow<'_, str>, JidError> {
        stable(JidPart::Resource, text, |text| {
            OpaqueString::enforce(text).ok()
        })
    }

    pub(super) fn domain(text: &str) -> Result<Cow<'_, str>, JidError> {
        let forbidden = JidError::new(JidPart::Domain, JidErrorKind::Forbidden);
        let uts46 = Uts46::new();
        let (mapped, outcome) =
            uts46.to_unicode(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
        outcome.map_err(|_| forbidden)?;
        // What comes out must go in again: this refuses labels whose ASCII form cannot be made.
        let (bytes, deny) = (mapped.as_bytes(), AsciiDenyList::STD3);
        uts46
            .to_ascii(bytes, deny, Hyphens::Check, DnsLength::Ignore)
            .map_err(|_| forbidden)?;
        // UTS #46 lets symbols through that IDNA2008 does not: every label must be of the letters and
        // digits that the PRECIS IdentifierClass shares with it.
        let allowed =
            |label: &str| !label.is_empty() && IdentifierClass::default().allows(label).is_ok();
        if !mapped.split('.').all(allowed) {
            return Err(forbidden);
        }
        // Unchanged text stays borrowed.
        Ok(if *mapped == *text {
            Cow::Borrowed(text)
        } else {
            mapped
        })
    }

    /// The rules are applied until nothing changes any more (RFC 8264 §7), so that what comes out is
    /// what the same rules keep.
    fn stable<'a>(
        part: JidPart,
        text: &'a str,
        rules: impl Fn(Cow<'a, str>) -> Option<Cow<'a, str>>,
    ) -> Result<Cow<'a, str>, JidError> {
        let forbidden = JidError::new(part, JidErrorKind::Forbidden);
        let mut before = Cow::Borrowed(text);
        for _ in 0..4 {
            let after = rules(before.clone()).ok_or(forbidden)?;
            if after == before {
                // Unchanged text stays borrowed.
                return Ok(if *after == *text {
                    Cow::Borrowed(text)
                } else {
                    after
                });
            }
            before = after;
        }
        Err(forbidden)
    }
}

#[cfg(not(feature = "std"))]
mod tables {
    use alloc::borrow::Cow;

    use super::super::{JidError, JidErrorKind, JidPart};

    pub(super) fn local(_: &str) -> Result<Cow<'_, str>, JidError> {
        Err(JidError::new(JidPart::Local, JidErrorKind::Unsupported))
    }

    pub(super) fn resource(_: &str) -> Result<Cow<'_, str>, JidError> {
        Err(JidError::new(JidPart::Resource, JidErrorKind::Unsupported))
    }

    pub(super) fn domain(_: &str) -> Result<Cow<'_, str>, JidError> {
        Err(JidError::new(JidPart::Domain, JidErrorKind::Unsupported))
    }
}
