//! PLAIN (RFC 4616): the password in one message.

use alloc::string::String;

use zeroize::Zeroizing;

use crate::error::MessageError;
use crate::limits::Limits;
use crate::single::Opening;

/// `[authzid] NUL authcid NUL passwd`
pub(crate) fn opening(authorization: Option<&str>, user: &str, password: &str) -> Opening {
    let identity = authorization.unwrap_or_default();
    Opening::new(&[
        identity.as_bytes(),
        b"\0",
        user.as_bytes(),
        b"\0",
        password.as_bytes(),
    ])
}

/// The same message, read.
pub(crate) struct PlainMessage {
    pub(crate) authorization: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl PlainMessage {
    pub(crate) fn parse(message: &[u8], limits: &Limits) -> Result<PlainMessage, MessageError> {
        let text = limits.text(message)?;
        let mut parts = text.split('\0');
        let (Some(identity), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MessageError::Malformed("number of NUL characters"));
        };
        if user.is_empty() || password.is_empty() {
            return Err(MessageError::Malformed("empty user name or password"));
        }
        limits.check_name(identity, "authorization identity")?;
        limits.check_name(user, "user name")?;
        if password.len() > limits.password_bytes {
            return Err(MessageError::TooLong("password"));
        }
        Ok(PlainMessage {
            authorization: (!identity.is_empty()).then(|| String::from(identity)),
            user: String::from(user),
            password: Zeroizing::new(String::from(password)),
        })
    }
}
