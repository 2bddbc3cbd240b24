//! The character productions of XML 1.0 (fifth edition) and what they mean for single bytes.

/// `Char` (§2.2).
pub(crate) fn is_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// `S` (§2.3).
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `NameStartChar` without the colon (§2.3, Namespaces §3).
fn is_name_start(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` without the colon.
fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether this is an `NCName` (Namespaces §3).
pub(crate) fn is_ncname(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(is_name_start) && chars.all(is_name_char)
}

const NAME_START: u8 = 1;
const NAME_CHAR: u8 = 2;
const TEXT: u8 = 4;
const VALUE: u8 = 8;

/// What each byte may be without a closer look. Bytes above 0x7F look like names here; names that hold any
/// are checked as characters, and all input as UTF-8.
const CLASS: [u8; 256] = {
    let mut table = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let b = byte as u8;
        let mut class = 0;
        if b.is_ascii_alphabetic() || b == b'_' || b >= 0x80 {
            class |= NAME_START | NAME_CHAR;
        }
        if b.is_ascii_digit() || b == b'-' || b == b'.' || b == b':' {
            class |= NAME_CHAR;
        }
        let plain = (b >= 0x20 && b != b'<' && b != b'&' && b != 0xEF) || b == b'\t' || b == b'\n';
        if plain && b != b'>' {
            class |= TEXT;
        }
        if plain && b != b'\'' && b != b'"' && b >= 0x20 {
            class |= VALUE;
        }
        #[allow(clippy::indexing_slicing)] // evaluated by the compiler
        {
            table[byte] = class;
        }
        byte += 1;
    }
    table
};

fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// The first byte from `from` on that cannot belong to a name.
pub(crate) fn name_end(bytes: &[u8], from: usize) -> Option<usize> {
    skip(bytes, from, NAME_CHAR)
}

/// The first byte from `from` on that text has to look at: markup, references, carriage returns, controls,
/// `>`, and 0xEF, with which the characters U+FFFE and U+FFFF begin.
pub(crate) fn plain_text_end(bytes: &[u8], from: usize) -> Option<usize> {
    skip(bytes, from, TEXT)
}

/// The same for attribute values: also both quotes, tabs and line feeds.
pub(crate) fn plain_value_end(bytes: &[u8], from: usize) -> Option<usize> {
    skip(bytes, from, VALUE)
}

fn skip(bytes: &[u8], from: usize, mask: u8) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter()
        .position(|&b| class(b) & mask == 0)
        .map(|n| from.saturating_add(n))
}

/// The length of the prefix of a qualified name (0 without one), if both parts are `NCName`s.
///
/// `name` consists of bytes for which [`name_end`] went on; `Err(false)` says that it is no name, `Err(true)`
/// that it is not even UTF-8.
pub(crate) fn split_name(name: &[u8]) -> Result<usize, bool> {
    let colon = memchr::memchr(b':', name);
    let (prefix, local) = match colon {
        None => (None, name),
        Some(at) => {
            let (prefix, rest) = name.split_at(at);
            (Some(prefix), rest.get(1..).unwrap_or_default())
        }
    };
    check_ncname(local)?;
    if let Some(prefix) = prefix {
        check_ncname(prefix)?;
    }
    Ok(colon.unwrap_or(0))
}

fn check_ncname(name: &[u8]) -> Result<(), bool> {
    let Some(&first) = name.first() else {
        return Err(false);
    };
    if class(first) & NAME_START == 0 {
        return Err(false);
    }
    if name.is_ascii() {
        return if memchr::memchr(b':', name).is_some() {
            Err(false)
        } else {
            Ok(())
        };
    }
    match core::str::from_utf8(name) {
        Ok(name) if is_ncname(name) => Ok(()),
        Ok(_) => Err(false),
        Err(_) => Err(true),
    }
}

/// Whether this has the form of a language tag (`xs:language`: RFC 3066 §2.1, wider than RFC 5646 §2.1, which knows the
/// lengths of each part); the empty one is for no language.
pub(crate) fn is_language_tag(tag: &str) -> bool {
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let (primary, _) = tag.split_once('-').unwrap_or((tag, ""));
    let is_language = primary.bytes().all(|byte| byte.is_ascii_alphabetic());
    tag.is_empty() || is_language && tag.split('-').all(is_part)
}
