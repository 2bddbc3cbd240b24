//! How much of a peer's message is looked at.

use crate::error::MessageError;

/// Bounds on what a peer sends. What is over a limit is refused as a whole; nothing is cut.
///
/// A machine holds at most two messages and a few keys, so [`message_bytes`](Limits::message_bytes) bounds its memory
/// to about four times that value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub(crate) message_bytes: usize,
    pub(crate) name_bytes: usize,
    pub(crate) password_bytes: usize,
    pub(crate) nonce_bytes: usize,
    pub(crate) salt_bytes: usize,
    pub(crate) token_bytes: usize,
    pub(crate) extensions: usize,
}

impl Limits {
    /// Bytes of one message after base64 is undone. Default 16 384: the longest JID escaped, twice, and room.
    #[must_use]
    pub fn message_bytes(mut self, bytes: usize) -> Limits {
        self.message_bytes = bytes;
        self
    }

    /// Bytes of a user name or authorization identity. Default 3071, the longest JID; RFC 4616 wants 255 or more.
    #[must_use]
    pub fn name_bytes(mut self, bytes: usize) -> Limits {
        self.name_bytes = bytes;
        self
    }

    /// Server: bytes of a password in PLAIN. Default 1024; RFC 4616 wants 255 or more.
    #[must_use]
    pub fn password_bytes(mut self, bytes: usize) -> Limits {
        self.password_bytes = bytes;
        self
    }

    /// Bytes of a nonce: the client's on the server, both together on the client. Default 512.
    #[must_use]
    pub fn nonce_bytes(mut self, bytes: usize) -> Limits {
        self.nonce_bytes = bytes;
        self
    }

    /// Client: bytes of a salt. Default 512.
    #[must_use]
    pub fn salt_bytes(mut self, bytes: usize) -> Limits {
        self.salt_bytes = bytes;
        self
    }

    /// Server: bytes of a bearer token in OAUTHBEARER. Default 8192; signed tokens have a few thousand.
    #[must_use]
    pub fn token_bytes(mut self, bytes: usize) -> Limits {
        self.token_bytes = bytes;
        self
    }

    /// Optional attributes in one SCRAM message, pairs in one of OAUTHBEARER, members of its error report. Default 16.
    #[must_use]
    pub fn extensions(mut self, count: usize) -> Limits {
        self.extensions = count;
        self
    }

    /// A message within its limit, as text.
    pub(crate) fn text<'a>(&self, message: &'a [u8]) -> Result<&'a str, MessageError> {
        if message.len() > self.message_bytes {
            return Err(MessageError::TooLong("message"));
        }
        core::str::from_utf8(message).map_err(|_| MessageError::Malformed("not UTF-8"))
    }

    pub(crate) fn check_name(&self, name: &str, what: &'static str) -> Result<(), MessageError> {
        if name.len() > self.name_bytes {
            Err(MessageError::TooLong(what))
        } else {
            Ok(())
        }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_bytes: 16_384,
            name_bytes: 3071,
            password_bytes: 1024,
            nonce_bytes: 512,
            salt_bytes: 512,
            token_bytes: 8192,
            extensions: 16,
        }
    }
}
