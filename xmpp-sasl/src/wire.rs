//! The base64 that XMPP puts around SASL messages (RFC 6120 §6.4.2, §13.9.1).
//!
//! In `<auth/>`, `<response/>`, `<challenge/>` and `<success/>` no text means *no message* and a single `=` means *an
//! empty message*; both sides tell them apart, and so does `Option<&[u8]>`. SASL2 uses absent and empty elements
//! instead and needs only [`encode`] and [`decode`].
//!
//! ```
//! use xmpp_sasl::wire;
//!
//! assert_eq!(wire::encode_optional(None), "");
//! assert_eq!(wire::encode_optional(Some(b"")), "=");
//! assert_eq!(wire::encode_optional(Some(b"n,,")), "biws");
//! assert_eq!(wire::decode_optional("biws")?, Some(b"n,,".to_vec()));
//! assert!(wire::decode_optional("biw").is_err());
//! # Ok::<(), xmpp_sasl::wire::IncorrectEncoding>(())
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::Failure;

/// Base64 with padding.
pub fn encode(message: &[u8]) -> String {
    STANDARD.encode(message)
}

/// A message from canonical base64.
///
/// # Errors
/// White space, characters outside the alphabet, padding that is missing, misplaced or too much, and unused bits that
/// are not zero.
pub fn decode(text: &str) -> Result<Vec<u8>, IncorrectEncoding> {
    STANDARD.decode(text).map_err(|_| IncorrectEncoding)
}

/// No text for no message, `=` for an empty one, else base64.
pub fn encode_optional(message: Option<&[u8]>) -> String {
    match message {
        None => String::new(),
        Some([]) => String::from("="),
        Some(message) => encode(message),
    }
}

/// The reverse of [`encode_optional`].
///
/// # Errors
/// As [`decode`].
pub fn decode_optional(text: &str) -> Result<Option<Vec<u8>>, IncorrectEncoding> {
    match text {
        "" => Ok(None),
        "=" => Ok(Some(Vec::new())),
        text => decode(text).map(Some),
    }
}

/// The text is not canonical base64; a server answers with
/// [`Condition::IncorrectEncoding`](crate::Condition::IncorrectEncoding).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IncorrectEncoding;

impl fmt::Display for IncorrectEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text is not canonical base64")
    }
}

impl core::error::Error for IncorrectEncoding {}

impl From<IncorrectEncoding> for Failure {
    fn from(_: IncorrectEncoding) -> Failure {
        Failure::IncorrectEncoding
    }
}
