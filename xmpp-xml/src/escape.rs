//! From markup to text and back: references, line ends, white space of attribute values.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::chars::is_char;
use crate::fault::FaultKind;

/// The longest reference that can mean anything: `&#x0010FFFF;` and a few more leading zeros.
const REFERENCE_BYTES: usize = 16;

/// Checks every reference in `bytes`. On a fault: its kind and where its `&` stands.
pub(crate) fn check_references(bytes: &[u8]) -> Result<(), (FaultKind, usize)> {
    for at in memchr::memchr_iter(b'&', bytes) {
        let rest = bytes.get(at.saturating_add(1)..).unwrap_or_default();
        reference(rest).map_err(|kind| (kind, at))?;
    }
    Ok(())
}

/// Reads the reference behind a `&`: its character, and its length including the semicolon.
pub(crate) fn reference(rest: &[u8]) -> Result<(char, usize), FaultKind> {
    match rest {
        [b'a', b'm', b'p', b';', ..] => return Ok(('&', 4)),
        [b'l', b't', b';', ..] => return Ok(('<', 3)),
        [b'g', b't', b';', ..] => return Ok(('>', 3)),
        [b'q', b'u', b'o', b't', b';', ..] => return Ok(('"', 5)),
        [b'a', b'p', b'o', b's', b';', ..] => return Ok(('\'', 5)),
        _ => {}
    }
    let window = rest.get(..REFERENCE_BYTES).unwrap_or(rest);
    let Some(semicolon) = memchr::memchr(b';', window) else {
        // `&averylongentityname;` is an entity reference all the same.
        let name = crate::chars::name_end(rest, 0);
        let entity = name.is_some_and(|end| rest.get(end) == Some(&b';'))
            && rest
                .get(..name.unwrap_or(0))
                .is_some_and(|name| crate::chars::split_name(name).is_ok());
        return Err(if entity {
            FaultKind::EntityReference
        } else {
            FaultKind::InvalidReference
        });
    };
    let (body, _) = window.split_at(semicolon);
    let c = match body {
        [b'#', b'x', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        name if crate::chars::split_name(name).is_ok() => return Err(FaultKind::EntityReference),
        _ => return Err(FaultKind::InvalidReference),
    };
    Ok((c, semicolon.saturating_add(1)))
}

fn number(digits: &[u8], radix: u32) -> Result<char, FaultKind> {
    if digits.is_empty() {
        return Err(FaultKind::InvalidReference);
    }
    let mut value = 0u32;
    for &digit in digits {
        let digit = char::from(digit)
            .to_digit(radix)
            .ok_or(FaultKind::InvalidReference)?;
        value = value.saturating_mul(radix).saturating_add(digit);
    }
    char::from_u32(value)
        .filter(|&c| is_char(c))
        .ok_or(FaultKind::InvalidCharacter)
}

/// The two places where character data stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Text: line ends become line feeds (XML 1.0 §2.11).
    Text,
    /// An attribute value: white space becomes spaces (§3.3.3).
    Value,
    /// A CDATA section: line ends as in text, `&` means itself.
    Section,
}

/// Decodes checked character data.
pub(crate) fn decode(raw: &str, place: Place) -> Cow<'_, str> {
    let special = |byte: u8| match byte {
        b'\r' => true,
        b'&' => place != Place::Section,
        b'\n' | b'\t' => place == Place::Value,
        _ => false,
    };
    let mut rest = raw;
    let mut out = String::new();
    while let Some(at) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at(at);
        if out.is_empty() {
            out.reserve(raw.len());
        }
        out.push_str(plain);
        let mut bytes = tail.bytes();
        let used = match (bytes.next(), bytes.next()) {
            (Some(b'&'), _) => {
                let body = tail.as_bytes().get(1..).unwrap_or_default();
                // Checked when it was parsed; were it not, the ampersand would stand for itself.
                let (c, length) = reference(body).unwrap_or(('&', 0));
                out.push(c);
                length.saturating_add(1)
            }
            (first, second) => {
                out.push(if place == Place::Value { ' ' } else { '\n' });
                if first == Some(b'\r') && second == Some(b'\n') {
                    2
                } else {
                    1
                }
            }
        };
        rest = tail.get(used..).unwrap_or_default();
    }
    if out.is_empty() && rest.len() == raw.len() {
        return Cow::Borrowed(raw);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Appends `text` escaped for its place. `false` if it holds a character that XML cannot carry.
pub(crate) fn encode(out: &mut Vec<u8>, text: &str, place: Place) -> bool {
    let value = place == Place::Value;
    let mut plain = 0usize;
    let bytes = text.as_bytes();
    for (at, &byte) in bytes.iter().enumerate() {
        let replacement: &[u8] = match byte {
            b'&' => b"&amp;",
            b'<' => b"&lt;",
            b'>' if !value => b"&gt;",
            b'\'' if value => b"&apos;",
            b'\r' => b"&#xD;",
            b'\n' if value => b"&#xA;",
            b'\t' if value => b"&#x9;",
            b'\t' | b'\n' => continue,
            0..0x20 => return false,
            0xEF if bytes.get(at..).is_some_and(is_noncharacter) => return false,
            _ => continue,
        };
        out.extend_from_slice(bytes.get(plain..at).unwrap_or_default());
        out.extend_from_slice(replacement);
        plain = at.saturating_add(1);
    }
    out.extend_from_slice(bytes.get(plain..).unwrap_or_default());
    true
}

/// Whether these bytes begin with U+FFFE or U+FFFF.
pub(crate) fn is_noncharacter(bytes: &[u8]) -> bool {
    matches!(bytes, [0xEF, 0xBF, 0xBE | 0xBF, ..])
}
