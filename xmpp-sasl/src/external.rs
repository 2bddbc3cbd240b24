//! EXTERNAL (RFC 4422 appendix A): what TLS knows already, with the identity to act as.

use alloc::string::String;

use crate::error::{Failure, MessageError};
use crate::limits::Limits;
use crate::single::Opening;

/// `[authzid]`
pub(crate) fn opening(authorization: Option<&str>) -> Opening {
    Opening::new(&[authorization.unwrap_or_default().as_bytes()])
}

/// The same message, read.
pub(crate) fn parse(message: &[u8], limits: &Limits) -> Result<Option<String>, MessageError> {
    let identity = limits.text(message)?;
    if identity.contains('\0') {
        return Err(MessageError::Malformed("NUL character"));
    }
    limits.check_name(identity, "authorization identity")?;
    Ok((!identity.is_empty()).then(|| String::from(identity)))
}

/// Who authenticated, and whom they ask to act as if that is somebody else (XEP-0178 §2, step 11).
pub(crate) fn identify(
    identities: &[String],
    asked: Option<String>,
) -> Result<(String, Option<String>), Failure> {
    match (identities, asked) {
        (_, Some(asked)) if identities.contains(&asked) => Ok((asked, None)),
        ([only], asked) => Ok((only.clone(), asked)),
        // Of several the client has to choose one.
        _ => Err(Failure::InvalidAuthorization),
    }
}
