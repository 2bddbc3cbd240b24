//! What a client logs in with.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::keys::DerivedKeys;
use crate::prepare::{Preparation, PrepareError, saslprep};
use crate::token::Token;

/// A user and its secret, on the client.
///
/// Only mechanisms that these credentials are for are chosen: a password serves SCRAM and PLAIN, keys serve SCRAM, a
/// certificate EXTERNAL, a token the one mechanism it was issued for, a bearer token OAUTHBEARER. Nobody becomes
/// anonymous who did not ask for it. Secrets are zeroed when dropped and not shown by `Debug`.
#[derive(Clone, Default)]
pub struct Credentials {
    pub(crate) user: String,
    pub(crate) authorization: Option<String>,
    pub(crate) password: Option<Zeroizing<String>>,
    pub(crate) keys: Vec<DerivedKeys>,
    pub(crate) has_certificate: bool,
    pub(crate) token: Option<Token>,
    pub(crate) bearer_token: Option<Zeroizing<String>>,
    pub(crate) is_anonymous: bool,
    pub(crate) trace: Option<String>,
    pub(crate) is_prepared: bool,
}

impl Credentials {
    /// A user name, in XMPP the localpart of the address (RFC 6120 §6.3.8), and a password.
    pub fn password(user: impl Into<String>, password: impl Into<String>) -> Credentials {
        Credentials {
            user: user.into(),
            password: Some(Zeroizing::new(password.into())),
            ..Credentials::default()
        }
    }

    /// A user name and keys derived before, without the password. They fit one hash function, salt and number of
    /// iterations; when the server's differ the exchange ends with
    /// [`Error::KeysDoNotFit`](crate::Error::KeysDoNotFit).
    pub fn keys(user: impl Into<String>, keys: DerivedKeys) -> Credentials {
        Credentials {
            user: user.into(),
            keys: alloc::vec![keys],
            ..Credentials::default()
        }
    }

    /// The certificate that was presented to TLS, for EXTERNAL. When it names several addresses, choose one by
    /// [`authorization`](Credentials::authorization) (XEP-0178 §2).
    pub fn certificate() -> Credentials {
        Credentials::default().with_certificate()
    }

    /// A user name and a token from an earlier login (XEP-0484). Choose among what the server offers for tokens
    /// (`<fast/>`), and when it fails log in anew by other means.
    pub fn token(user: impl Into<String>, token: Token) -> Credentials {
        Credentials {
            user: user.into(),
            token: Some(token),
            ..Credentials::default()
        }
    }

    /// A bearer token of OAuth 2.0 (RFC 6750), which whoever sees it can use. The user it is meant for may be added by
    /// [`authorization`](Credentials::authorization), the server by [`Channel::host`](crate::Channel::host) and
    /// [`Channel::port`](crate::Channel::port).
    pub fn bearer_token(token: impl Into<String>) -> Credentials {
        Credentials {
            bearer_token: Some(Zeroizing::new(token.into())),
            ..Credentials::default()
        }
    }

    /// Nobody in particular (XEP-0175).
    pub fn anonymous() -> Credentials {
        Credentials {
            is_anonymous: true,
            ..Credentials::default()
        }
    }

    /// For ANONYMOUS: tells the server's log an address or a word, 255 characters at the most (RFC 4505 §2). Default:
    /// nothing, as XEP-0175 §3 recommends.
    #[must_use]
    pub fn trace(mut self, trace: impl Into<String>) -> Credentials {
        self.trace = Some(trace.into());
        self
    }

    /// TLS presented a certificate too, so that EXTERNAL may be chosen where the server offers it.
    #[must_use]
    pub fn with_certificate(mut self) -> Credentials {
        self.has_certificate = true;
        self
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
        self.is_prepared = true;
        self
    }

    /// The user name as given; empty for a certificate, a bearer token and nobody.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether there is a password, and not only what was made from one.
    pub fn has_password(&self) -> bool {
        self.password.is_some()
    }

    pub(crate) fn prepare(
        &self,
        text: &str,
        preparation: Preparation,
    ) -> Result<Zeroizing<String>, PrepareError> {
        if self.is_prepared {
            return Ok(Zeroizing::new(String::from(text)));
        }
        saslprep(text, preparation).map(|prepared| Zeroizing::new(prepared.into_owned()))
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
            .field("certificate", &self.has_certificate)
            .field("token", &self.token)
            .field(
                "bearer_token",
                &self.bearer_token.as_ref().map(|_| "[redacted]"),
            )
            .field("anonymous", &self.is_anonymous)
            .finish_non_exhaustive()
    }
}
