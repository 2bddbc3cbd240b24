//! SASLprep, the preparation of user names and passwords (RFC 4013).

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use stringprep::tables;
use unicode_normalization::UnicodeNormalization;

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
            if tables::non_ascii_space_character(c) {
                Some(' ')
            } else if tables::commonly_mapped_to_nothing(c) {
                None
            } else {
                Some(c)
            }
        })
        .nfkc()
        .collect();
    let result = if prepared.is_empty() {
        Err(PrepareError::Empty)
    } else if prepared.chars().any(is_prohibited) {
        Err(PrepareError::Prohibited)
    } else if !is_one_direction(&prepared) {
        Err(PrepareError::Bidirectional)
    } else if preparation == Preparation::Stored
        && prepared.chars().any(tables::unassigned_code_point)
    {
        Err(PrepareError::Unassigned)
    } else {
        return Ok(Cow::Owned(prepared));
    };
    drop(zeroize::Zeroizing::new(prepared));
    result
}

/// RFC 4013 §2.3.
fn is_prohibited(c: char) -> bool {
    tables::non_ascii_space_character(c)
        || tables::ascii_control_character(c)
        || tables::non_ascii_control_character(c)
        || tables::private_use(c)
        || tables::non_character_code_point(c)
        || tables::inappropriate_for_plain_text(c)
        || tables::inappropriate_for_canonical_representation(c)
        || tables::change_display_properties_or_deprecated(c)
        || tables::tagging_character(c)
}

/// RFC 3454 §6: with any right-to-left character there is no left-to-right one, and the first and last are
/// right-to-left.
fn is_one_direction(text: &str) -> bool {
    if !text.chars().any(tables::bidi_r_or_al) {
        return true;
    }
    !text.chars().any(tables::bidi_l)
        && text.chars().next().is_some_and(tables::bidi_r_or_al)
        && text.chars().next_back().is_some_and(tables::bidi_r_or_al)
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
