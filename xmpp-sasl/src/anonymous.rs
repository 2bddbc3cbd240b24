//! ANONYMOUS (RFC 4505): nobody in particular, perhaps with a trace for the log.

use alloc::format;
use alloc::string::String;

use crate::error::MessageError;
use crate::hash::Hash;
use crate::limits::Limits;
use crate::prepare::check_trace;
use crate::single::Opening;

/// Characters that a trace may have (RFC 4505 §2, `token`).
const MAX_TRACE_CHARACTERS: usize = 255;

/// `[email / token]`
pub(crate) fn opening(trace: Option<&str>) -> Opening {
    Opening::new(&[trace.unwrap_or_default().as_bytes()])
}

/// The same message, read.
pub(crate) fn parse(message: &[u8], limits: &Limits) -> Result<Option<String>, MessageError> {
    let trace = limits.text(message)?;
    check(trace)?;
    Ok((!trace.is_empty()).then(|| String::from(trace)))
}

/// RFC 4505 §2 and §3. The length holds for addresses too, which the grammar leaves open.
pub(crate) fn check(trace: &str) -> Result<(), MessageError> {
    if trace.chars().count() > MAX_TRACE_CHARACTERS {
        return Err(MessageError::TooLong("trace"));
    }
    check_trace(trace).map_err(|_| MessageError::Malformed("trace"))
}

/// A user name that nobody can foretell and nobody has twice, in characters that every localpart may have.
pub(crate) fn user_name(secret: &[u8; 32], nonce: &str) -> String {
    let name = Hash::Sha256.hmac(secret, &[b"anonymous\xff", nonce.as_bytes()]);
    name.as_slice()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
