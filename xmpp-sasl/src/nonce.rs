//! The random part of an exchange.

use alloc::string::String;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// One side's share of the nonce (RFC 5802 §5.1, attribute `r`): printable ASCII without a comma.
///
/// It belongs to one exchange and must never be used twice, so it cannot be cloned.
#[derive(Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// From 18 fresh bytes of a cryptographic random source: 144 bits, 24 characters.
    pub fn new(random: [u8; 18]) -> Nonce {
        Nonce(STANDARD.encode(random))
    }

    /// From text, for replaying a known exchange.
    ///
    /// # Errors
    /// When it is empty or holds anything but printable ASCII without comma.
    pub fn from_text(text: impl Into<String>) -> Result<Nonce, InvalidNonce> {
        let text = text.into();
        if is_nonce(&text) {
            Ok(Nonce(text))
        } else {
            Err(InvalidNonce)
        }
    }

    pub(crate) fn as_text(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// `printable` of RFC 5802 §7, at least one.
pub(crate) fn is_nonce(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// The text cannot be a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidNonce;

impl fmt::Display for InvalidNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a nonce is printable ASCII without comma, at least one character")
    }
}

impl core::error::Error for InvalidNonce {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_144_bits_of_printable_text() {
        for byte in [0x00, 0x41, 0xff] {
            let text = Nonce::new([byte; 18]).into_text();
            assert_eq!(STANDARD.decode(&text).unwrap(), [byte; 18]);
            assert!(is_nonce(&text));
        }
        for text in ["", ",", "a,b", "a b", "a\n", "\u{e4}", "\u{7f}"] {
            assert_eq!(Nonce::from_text(text), Err(InvalidNonce), "{text:?}");
        }
        assert!(Nonce::from_text("a=b+/~!").is_ok());
    }
}
