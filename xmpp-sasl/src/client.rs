//! The client's side of an authentication.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::channel::{BindingKind, Channel};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::keys::{Derivation, DerivedKeys};
use crate::mechanism::Mechanism;
use crate::nonce::Nonce;
use crate::plain::PlainClient;
use crate::policy::Policy;
use crate::prepare::{Preparation, saslprep};
use crate::scram::{Binding, Login, ScramClient};

/// One authentication, seen from the client.
///
/// Send [`mechanism`](Client::mechanism) and [`initial_response`](Client::initial_response), answer each challenge
/// with [`handle_challenge`](Client::handle_challenge), and trust the server only when
/// [`handle_success`](Client::handle_success) returned `Ok`. After an error nothing more is answered.
pub struct Client {
    mechanism: Mechanism,
    exchange: Exchange,
}

enum Exchange {
    Scram(Box<ScramClient>),
    Plain(PlainClient),
    Failed,
}

impl Client {
    /// Chooses among the mechanisms that the server offers, and begins.
    ///
    /// The first mechanism of the policy's order is taken that the server offers, the channel carries (-PLUS needs a
    /// [binding](Channel::binding), PLAIN needs encryption) and the credentials serve (keys without a password serve
    /// their own hash function only). Names that are not known are passed over. There is no second try with another.
    ///
    /// # Errors
    /// [`Error::NoCommonMechanism`] and its two variations for PLAIN; [`Error::OfferTampered`]; [`Error::UserName`], [`Error::Password`] and
    /// [`Error::AuthorizationIdentity`] when the credentials cannot be used.
    pub fn select<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: &Credentials,
        channel: &Channel,
        policy: &Policy,
        nonce: Nonce,
    ) -> Result<Client, Error> {
        let offered: Vec<Mechanism> = offered
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        check_offer(&offered, channel, policy)?;
        let mechanism = choose(&offered, credentials, channel, policy)?;

        let user =
            prepare(&credentials.user, Preparation::Query, credentials).map_err(Error::UserName)?;
        let password = match &credentials.password {
            Some(password) => {
                Some(prepare(password, Preparation::Stored, credentials).map_err(Error::Password)?)
            }
            None => None,
        };
        let authorization = credentials.authorization.as_deref();
        if authorization.is_some_and(|identity| identity.contains('\0')) {
            return Err(Error::AuthorizationIdentity);
        }

        let exchange = match (mechanism.hash(), password) {
            (Some(hash), password) => Exchange::Scram(Box::new(ScramClient::new(
                hash,
                binding(mechanism, &offered, channel, policy),
                Login {
                    user: &user,
                    authorization,
                    password,
                    keys: credentials.keys.clone(),
                },
                policy,
                nonce,
            ))),
            (None, Some(password)) => {
                Exchange::Plain(PlainClient::new(authorization, &user, &password))
            }
            (None, None) => return Err(Error::NoCommonMechanism),
        };
        Ok(Client {
            mechanism,
            exchange,
        })
    }

    /// The mechanism that was chosen.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the server accepted us and, where the mechanism provides for it, proved itself.
    pub fn is_authenticated(&self) -> bool {
        match &self.exchange {
            Exchange::Scram(scram) => scram.is_done(),
            Exchange::Plain(plain) => plain.is_done(),
            Exchange::Failed => false,
        }
    }

    /// After SCRAM succeeded: the keys that were used, to [cache](Credentials::cached) for the next login.
    pub fn keys(&self) -> Option<&DerivedKeys> {
        match &self.exchange {
            Exchange::Scram(scram) => scram.keys(),
            Exchange::Plain(_) | Exchange::Failed => None,
        }
    }

    /// What [`handle_challenge`](Client::handle_challenge) would have to derive at length from this challenge, if
    /// anything: for programs that must not block. Run it elsewhere, give the result to
    /// [`handle_keys`](Client::handle_keys), then handle the challenge as ever.
    ///
    /// # Errors
    /// As `handle_challenge` for the same challenge; the exchange goes on only there.
    pub fn derivation(&self, challenge: &[u8]) -> Result<Option<Derivation>, Error> {
        match &self.exchange {
            Exchange::Scram(scram) => scram.derivation(challenge),
            Exchange::Plain(_) | Exchange::Failed => Ok(None),
        }
    }

    /// The message that may go with the mechanism's name. `None` when it was given before, or when the mechanism
    /// begins with a challenge. A protocol without room for it leaves this out and gets it from
    /// [`handle_challenge`](Client::handle_challenge) as the answer to an empty challenge (RFC 4422 §3).
    pub fn initial_response(&mut self) -> Option<Vec<u8>> {
        match &mut self.exchange {
            Exchange::Scram(scram) => scram.initial_response(),
            Exchange::Plain(plain) => plain.initial_response(),
            Exchange::Failed => None,
        }
    }

    /// Answers a challenge. For SCRAM's first one this costs the iterations that the server asks for, within the
    /// policy's bounds, unless keys that fit are there.
    ///
    /// # Errors
    /// Whatever makes the challenge unacceptable; nothing secret was sent then.
    pub fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        let result = match &mut self.exchange {
            Exchange::Scram(scram) => scram.handle_challenge(challenge),
            Exchange::Plain(plain) => plain.handle_challenge(challenge),
            Exchange::Failed => Err(Error::OutOfOrder),
        };
        self.end_on_error(result)
    }

    /// The server reports success, with the data that came along: `None` for no data, which is not the same as empty
    /// data (see [`wire`](crate::wire)).
    ///
    /// # Errors
    /// [`Error::WrongServerSignature`] and [`Error::NoServerSignature`] when the server did not prove itself: close
    /// the connection then, whatever the server says.
    pub fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        let result = match &mut self.exchange {
            Exchange::Scram(scram) => scram.handle_success(data),
            Exchange::Plain(plain) => plain.handle_success(data),
            Exchange::Failed => Err(Error::OutOfOrder),
        };
        self.end_on_error(result)
    }

    /// Keys that were derived elsewhere; they are used when they fit the challenge.
    pub fn handle_keys(&mut self, keys: DerivedKeys) {
        if let Exchange::Scram(scram) = &mut self.exchange {
            scram.handle_keys(keys);
        }
    }

    fn end_on_error<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err() {
            self.exchange = Exchange::Failed;
        }
        result
    }
}

/// Secrets are not shown.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("mechanism", &self.mechanism)
            .field("authenticated", &self.is_authenticated())
            .finish_non_exhaustive()
    }
}

fn choose(
    offered: &[Mechanism],
    credentials: &Credentials,
    channel: &Channel,
    policy: &Policy,
) -> Result<Mechanism, Error> {
    let has_password = credentials.password.is_some();
    let chosen = policy
        .mechanisms
        .iter()
        .copied()
        .filter(|mechanism| offered.contains(mechanism))
        .find(|mechanism| match mechanism.hash() {
            Some(hash) => {
                (has_password || credentials.keys.iter().any(|keys| keys.hash() == hash))
                    && (!mechanism.is_channel_bound() || channel.mutual_binding().is_some())
            }
            None => has_password && policy.allow_plain && channel.is_encrypted(),
        });
    match chosen {
        Some(mechanism) => Ok(mechanism),
        None if has_password
            && offered.contains(&Mechanism::Plain)
            && policy.mechanisms.contains(&Mechanism::Plain) =>
        {
            Err(if policy.allow_plain {
                Error::PlainNeedsEncryption
            } else {
                Error::PlainNotAllowed
            })
        }
        None => Err(Error::NoCommonMechanism),
    }
}

/// XEP-0440 §3, rules 5 and 6: a server that can bind at all offers -PLUS mechanisms together with types, and
/// `tls-server-end-point` among these, so that what lacks was taken away on the way.
fn check_offer(offered: &[Mechanism], channel: &Channel, policy: &Policy) -> Result<(), Error> {
    if !is_capable(channel, policy) || channel.announced_kinds().is_empty() {
        return Ok(());
    }
    let plus_offered = offered.iter().any(|mechanism| mechanism.is_channel_bound());
    let end_point = BindingKind::TlsServerEndPoint.name();
    let plausible = channel.mutual_binding().is_some()
        || channel
            .announced_kinds()
            .iter()
            .any(|name| name == end_point);
    if plus_offered && plausible {
        Ok(())
    } else {
        Err(Error::OfferTampered)
    }
}

/// Whether this client supports channel binding here.
fn is_capable(channel: &Channel, policy: &Policy) -> bool {
    !channel.bindings().is_empty()
        && policy
            .mechanisms
            .iter()
            .any(|mechanism| mechanism.is_channel_bound())
}

/// RFC 5802 §6: `p` with a -PLUS mechanism; `y` when we could bind but the server does not offer it; `n` when we
/// cannot, be it for want of a type that the server announced (XEP-0440 §3) or by policy.
fn binding<'a>(
    mechanism: Mechanism,
    offered: &[Mechanism],
    channel: &'a Channel,
    policy: &Policy,
) -> Binding<'a> {
    let plus_offered = offered.iter().any(|mechanism| mechanism.is_channel_bound());
    match channel.mutual_binding() {
        Some(binding) if mechanism.is_channel_bound() => Binding::Bound(binding),
        _ if !is_capable(channel, policy) => Binding::Unsupported,
        None if plus_offered => Binding::Unsupported,
        _ => Binding::NotOffered,
    }
}

fn prepare(
    text: &str,
    preparation: Preparation,
    credentials: &Credentials,
) -> Result<Zeroizing<String>, crate::prepare::PrepareError> {
    if credentials.prepared {
        return Ok(Zeroizing::new(String::from(text)));
    }
    saslprep(text, preparation).map(|prepared| Zeroizing::new(prepared.into_owned()))
}
