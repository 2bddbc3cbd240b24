//! PLAIN (RFC 4616): the password in one message.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::{Error, MessageError};
use crate::limits::Limits;

/// The client's side: one message, sent once.
pub(crate) struct PlainClient {
    message: Option<Zeroizing<Vec<u8>>>,
    done: bool,
}

impl PlainClient {
    pub(crate) fn new(authorization: Option<&str>, user: &str, password: &str) -> PlainClient {
        let identity = authorization.unwrap_or_default();
        // In one piece, so that no copy of the password stays behind when a buffer grows.
        let bytes = [identity.len(), user.len(), password.len(), 2];
        let mut message = Zeroizing::new(Vec::with_capacity(
            bytes
                .iter()
                .fold(0, |sum: usize, bytes| sum.saturating_add(*bytes)),
        ));
        message.extend_from_slice(identity.as_bytes());
        message.push(0);
        message.extend_from_slice(user.as_bytes());
        message.push(0);
        message.extend_from_slice(password.as_bytes());
        PlainClient {
            message: Some(message),
            done: false,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.message
            .take()
            .map(|mut message| core::mem::take(&mut *message))
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        if challenge.is_empty() {
            self.initial_response().ok_or(Error::OutOfOrder)
        } else {
            Err(Error::OutOfOrder)
        }
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        if self.message.is_some() || self.done || data.is_some_and(|data| !data.is_empty()) {
            return Err(Error::OutOfOrder);
        }
        self.done = true;
        Ok(())
    }
}

/// `[authzid] NUL authcid NUL passwd`
pub(crate) struct PlainMessage {
    pub(crate) authorization: Option<String>,
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
}

impl PlainMessage {
    pub(crate) fn parse(message: &[u8], limits: &Limits) -> Result<PlainMessage, MessageError> {
        if message.len() > limits.message_bytes {
            return Err(MessageError::TooLong("message"));
        }
        let text =
            core::str::from_utf8(message).map_err(|_| MessageError::Malformed("not UTF-8"))?;
        let mut parts = text.split('\0');
        let (Some(identity), Some(user), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(MessageError::Malformed("number of NUL characters"));
        };
        if user.is_empty() || password.is_empty() {
            return Err(MessageError::Malformed("empty user name or password"));
        }
        if identity.len() > limits.name_bytes {
            return Err(MessageError::TooLong("authorization identity"));
        }
        if user.len() > limits.name_bytes {
            return Err(MessageError::TooLong("user name"));
        }
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
