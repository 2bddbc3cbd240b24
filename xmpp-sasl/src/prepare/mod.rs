//! SASLprep, the preparation of user names and passwords (RFC 4013).

use alloc::borrow::Cow;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt;

use unicode_normalization::UnicodeNormalization;

mod tables;

/// What the prepared string is for (RFC 3454 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// To be kept or hashed: code points that Unicode 3.2 did not assign are refused.
    Stored,
    /// To be compared with what is kept: unassigned code points pass.
    Query,
}

/// Prepares a user name or a password.
///
/// ASCII without control characters comes back as it is, without allocation. Case is kept.
///
/// # Errors
/// When the text, once prepared, is empty, holds a character that RFC 4013 prohibits, or mixes writing directions
/// against RFC 3454 §6.
pub fn saslprep(text: &str, preparation: Preparation) -> Result<Cow<'_, str>, PrepareError> {
    if text.is_empty() {
        return Err(PrepareError::Empty);
    }
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Ok(Cow::Borrowed(text));
    }
    let prepared: String = text
        .chars()
        .filter_map(|c| {
            if is_in(tables::SPACE, c) {
                Some(' ')
            } else if is_in(tables::NOTHING, c) {
                None
            } else {
                Some(c)
            }
        })
        .nfkc()
        .collect();
    let result = if prepared.is_empty() {
        Err(PrepareError::Empty)
    } else if prepared.chars().any(|c| is_in(tables::PROHIBITED, c)) {
        Err(PrepareError::Prohibited)
    } else if !is_one_direction(&prepared) {
        Err(PrepareError::Bidirectional)
    } else if preparation == Preparation::Stored
        && prepared.chars().any(|c| is_in(tables::UNASSIGNED, c))
    {
        Err(PrepareError::Unassigned)
    } else {
        return Ok(Cow::Owned(prepared));
    };
    drop(zeroize::Zeroizing::new(prepared));
    result
}

/// The profile `trace` of RFC 4505 §3: nothing is mapped, and fewer characters are prohibited than in SASLprep, namely
/// neither spaces (table C.1.2) nor ideographic descriptions (C.7).
pub(crate) fn check_trace(text: &str) -> Result<(), PrepareError> {
    let allowed = |c| is_in(tables::SPACE, c) || matches!(c, '\u{2ff0}'..='\u{2ffb}');
    if text
        .chars()
        .any(|c| is_in(tables::PROHIBITED, c) && !allowed(c))
    {
        Err(PrepareError::Prohibited)
    } else if !is_one_direction(text) {
        Err(PrepareError::Bidirectional)
    } else {
        Ok(())
    }
}

/// RFC 3454 §6: with any right-to-left character there is no left-to-right one, and the first and last are
/// right-to-left.
fn is_one_direction(text: &str) -> bool {
    let right_to_left = |c| is_in(tables::RIGHT_TO_LEFT, c);
    if !text.chars().any(right_to_left) {
        return true;
    }
    !text.chars().any(|c| is_in(tables::LEFT_TO_RIGHT, c))
        && text.chars().next().is_some_and(right_to_left)
        && text.chars().next_back().is_some_and(right_to_left)
}

fn is_in(table: &[(char, char)], c: char) -> bool {
    let order = |&(first, last): &(char, char)| match (first > c, last < c) {
        (true, _) => Ordering::Greater,
        (_, true) => Ordering::Less,
        _ => Ordering::Equal,
    };
    table.binary_search_by(order).is_ok()
}

/// Why a string cannot be a user name or a password. It does not tell which character, since that may be a secret's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrepareError {
    /// Nothing is left of it.
    Empty,
    /// It holds a control character or another that RFC 4013 §2.3 prohibits.
    Prohibited,
    /// It mixes writing directions (RFC 4013 §2.4).
    Bidirectional,
    /// It holds a code point that is not assigned in Unicode 3.2 (RFC 4013 §2.5).
    Unassigned,
}

impl fmt::Display for PrepareError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PrepareError::Empty => "nothing is left after preparation",
            PrepareError::Prohibited => "holds a prohibited character",
            PrepareError::Bidirectional => "mixes writing directions",
            PrepareError::Unassigned => "holds an unassigned code point",
        })
    }
}

impl core::error::Error for PrepareError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_agree_with_the_stringprep_crate() {
        use stringprep::tables as other;
        let prohibited = |c| {
            other::non_ascii_space_character(c)
                || other::ascii_control_character(c)
                || other::non_ascii_control_character(c)
                || other::private_use(c)
                || other::non_character_code_point(c)
                || other::inappropriate_for_plain_text(c)
                || other::inappropriate_for_canonical_representation(c)
                || other::change_display_properties_or_deprecated(c)
                || other::tagging_character(c)
        };
        let mut changed = alloc::vec::Vec::new();
        for c in '\0'..=char::MAX {
            assert_eq!(
                is_in(tables::NOTHING, c),
                other::commonly_mapped_to_nothing(c),
                "{c:?}"
            );
            assert_eq!(
                is_in(tables::SPACE, c),
                other::non_ascii_space_character(c),
                "{c:?}"
            );
            assert_eq!(
                is_in(tables::UNASSIGNED, c),
                other::unassigned_code_point(c),
                "{c:?}"
            );
            assert_eq!(is_in(tables::PROHIBITED, c), prohibited(c), "{c:?}");
            // The crate takes directions from today's Unicode, which has changed 276 since 3.2.
            let unchanged = !is_in(tables::UNASSIGNED, c) && !is_in(tables::PROHIBITED, c);
            if unchanged && is_in(tables::RIGHT_TO_LEFT, c) != other::bidi_r_or_al(c) {
                changed.push(c);
            }
            if unchanged && is_in(tables::LEFT_TO_RIGHT, c) != other::bidi_l(c) {
                changed.push(c);
            }
        }
        assert_eq!(changed.len(), 276, "{changed:?}");
    }
}
