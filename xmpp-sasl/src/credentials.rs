//! What a client logs in with.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::keys::DerivedKeys;

/// A user and its secret, on the client.
///
/// The secret is zeroed when dropped and not shown by `Debug`.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) user: String,
    pub(crate) authorization: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) keys: Vec<DerivedKeys>,
    pub(crate) prepared: bool,
}

impl Credentials {
    /// A user name, in XMPP the localpart of the address (RFC 6120 §6.3.8), and a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials {
            user: user.into(),
            authorization: None,
            password: Some(Zeroizing::new(password.into())),
            keys: Vec::new(),
            prepared: false,
        }
    }

    /// A user name and keys derived before, without the password. They fit one hash function, salt and number of
    /// iterations; when the server's differ the exchange ends with
    /// [`Error::KeysDoNotFit`](crate::Error::KeysDoNotFit).
    pub fn keys(user: impl Into<String>, keys: DerivedKeys) -> Credentials {
        Credentials {
            user: user.into(),
            authorization: None,
            password: None,
            keys: alloc::vec![keys],
            prepared: false,
        }
    }

    /// Adds keys from an earlier exchange ([`Client::keys`](crate::Client::keys)): while the server's salt and
    /// iterations stay the same, logging in costs no key derivation (RFC 5802 §5.1).
    #[must_use]
    pub fn cached(mut self, keys: DerivedKeys) -> Credentials {
        self.keys.push(keys);
        self
    }

    /// The identity to act as, in XMPP a bare JID, when it is not the user's own. Empty counts as none.
    #[must_use]
    pub fn authorization(mut self, identity: impl ToString) -> Credentials {
        self.authorization = Some(identity.to_string()).filter(|identity| !identity.is_empty());
        self
    }

    /// Takes user name and password as they are, without SASLprep, for accounts whose server does not prepare either.
    #[must_use]
    pub fn without_preparation(mut self) -> Credentials {
        self.prepared = true;
        self
    }

    /// The user name as given.
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// The secrets are not shown.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .field("authorization", &self.authorization)
            .field("password", &self.password.as_ref().map(|_| "[redacted]"))
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}
