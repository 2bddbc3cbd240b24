//! The client's side of an authentication.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::bearer::{BearerClient, BearerError};
use crate::channel::{BindingKind, Channel, ChannelBinding};
use crate::credentials::Credentials;
#[cfg(feature = "digest-md5")]
use crate::digest_md5::DigestClient;
use crate::error::Error;
use crate::keys::{Derivation, DerivedKeys};
use crate::mechanism::{Family, Mechanism};
use crate::nonce::Nonce;
use crate::policy::Policy;
use crate::prepare::Preparation;
use crate::scram::{Binding, ExpectedOffer, Login, ScramClient, offer_hash};
use crate::single::SingleMessage;
use crate::token::TokenClient;
use crate::{anonymous, external, plain};

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
    Token(Box<TokenClient>),
    Bearer(Box<BearerClient>),
    #[cfg(feature = "digest-md5")]
    Digest(Box<DigestClient>),
    /// PLAIN, EXTERNAL and ANONYMOUS.
    Single(SingleMessage),
    /// With the error report of OAUTHBEARER if there was one.
    Failed(Option<BearerError>),
}

impl Client {
    /// Chooses among the mechanisms that the server offers, and begins.
    ///
    /// The first mechanism of the policy's order is taken that the server offers, the channel carries (-PLUS needs a
    /// [binding](Channel::binding), all but SCRAM and ANONYMOUS need encryption) and the [`Credentials`] are for (keys
    /// without a password serve their own hash function only). Names that are not known are passed over, but give all
    /// of them as the server sent them: it may confirm the list (XEP-0474). There is no second try with another.
    ///
    /// # Errors
    /// [`Error::NoCommonMechanism`] and its two variations for PLAIN; [`Error::OfferTampered`]; [`Error::UserName`],
    /// [`Error::Password`], [`Error::AuthorizationIdentity`], [`Error::BearerToken`] and [`Error::Trace`] when the
    /// credentials cannot be used.
    pub fn select<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        credentials: &Credentials,
        channel: &Channel,
        policy: &Policy,
        nonce: Nonce,
    ) -> Result<Client, Error> {
        let names: Vec<&str> = offered.into_iter().collect();
        let offered: Vec<Mechanism> = names.iter().filter_map(|name| name.parse().ok()).collect();
        let mechanism = choose(&offered, credentials, channel, policy)?;
        let authorization = credentials.authorization.as_deref();
        if authorization.is_some_and(|identity| identity.contains('\0')) {
            return Err(Error::AuthorizationIdentity);
        }

        let exchange = match mechanism.family() {
            Family::External => {
                Exchange::Single(SingleMessage::new(external::opening(authorization)))
            }
            Family::Token { binding, .. } => {
                let token = credentials.token.as_ref().ok_or(Error::NoCommonMechanism)?;
                if authorization.is_some() {
                    return Err(Error::AuthorizationIdentity);
                }
                let user = user_name(credentials)?;
                let binding = binding.and_then(|kind| channel.binding_of(kind));
                let data = binding.map(ChannelBinding::data).unwrap_or_default();
                Exchange::Token(Box::new(TokenClient::new(&user, token, data)))
            }
            Family::Scram { hash, .. } => {
                let is_required = !is_plausible(&offered, channel, policy)?;
                let announced = channel.announcement();
                let announced = announced.map(|kinds| kinds.iter().map(String::as_str));
                let offer = ExpectedOffer {
                    hash: offer_hash(hash, names, announced),
                    is_required,
                };
                let login = Login {
                    user: &user_name(credentials)?,
                    authorization,
                    password: password(credentials)?,
                    keys: credentials.keys.clone(),
                };
                let binding = binding(mechanism, &offered, channel, policy);
                Exchange::Scram(Box::new(ScramClient::new(
                    hash, binding, offer, login, policy, nonce,
                )))
            }
            #[cfg(feature = "digest-md5")]
            Family::DigestMd5 => {
                believe_unconfirmed(&offered, channel, policy)?;
                Exchange::Digest(Box::new(DigestClient::new(
                    user_name(credentials)?,
                    password(credentials)?.ok_or(Error::NoCommonMechanism)?,
                    authorization,
                    channel.host_name().ok_or(Error::NoCommonMechanism)?,
                    nonce,
                    policy.limits,
                )))
            }
            Family::OAuthBearer => {
                believe_unconfirmed(&offered, channel, policy)?;
                let token = credentials.bearer_token.as_ref();
                let token = token.ok_or(Error::NoCommonMechanism)?;
                Exchange::Bearer(Box::new(BearerClient::new(
                    authorization,
                    token,
                    channel,
                    policy.limits,
                )?))
            }
            Family::Plain => {
                believe_unconfirmed(&offered, channel, policy)?;
                let user = user_name(credentials)?;
                let password = password(credentials)?.ok_or(Error::NoCommonMechanism)?;
                let opening = plain::opening(authorization, &user, &password);
                Exchange::Single(SingleMessage::new(opening))
            }
            Family::Anonymous => {
                if authorization.is_some() {
                    return Err(Error::AuthorizationIdentity);
                }
                let trace = credentials.trace.as_deref();
                anonymous::check(trace.unwrap_or_default()).map_err(|_| Error::Trace)?;
                Exchange::Single(SingleMessage::new(anonymous::opening(trace)))
            }
        };
        Ok(Client {
            mechanism,
            exchange,
        })
    }

    /// The mechanism to ask a token for (XEP-0484 §3.2): the first of the policy's order that the server offers for
    /// tokens and the channel carries. Channel binding comes first (§6).
    pub fn token_mechanism<'a>(
        offered: impl IntoIterator<Item = &'a str>,
        channel: &Channel,
        policy: &Policy,
    ) -> Option<Mechanism> {
        let offered: Vec<Mechanism> = offered
            .into_iter()
            .filter_map(|name| name.parse().ok())
            .collect();
        let is_carried = |mechanism: &Mechanism| match mechanism.family() {
            Family::Token { binding, .. } => {
                channel.is_encrypted()
                    && binding.is_none_or(|kind| channel.binding_of(kind).is_some())
            }
            _ => false,
        };
        let mut mechanisms = policy.mechanisms.iter().copied();
        mechanisms.find(|mechanism| offered.contains(mechanism) && is_carried(mechanism))
    }

    /// The mechanism that was chosen.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether the server accepted us and, where the mechanism provides for it, proved itself.
    pub fn is_authenticated(&self) -> bool {
        match &self.exchange {
            Exchange::Scram(scram) => scram.is_done(),
            Exchange::Token(token) => token.is_done(),
            Exchange::Bearer(bearer) => bearer.is_done(),
            #[cfg(feature = "digest-md5")]
            Exchange::Digest(digest) => digest.is_done(),
            Exchange::Single(single) => single.is_done(),
            Exchange::Failed(_) => false,
        }
    }

    /// After SCRAM succeeded: the keys that were used, to [cache](Credentials::cached) for the next login.
    pub fn keys(&self) -> Option<&DerivedKeys> {
        match &self.exchange {
            Exchange::Scram(scram) => scram.keys(),
            _ => None,
        }
    }

    /// Why the server did not accept the bearer token, once it said so in a challenge; its failure follows after the
    /// answer to that (RFC 7628 §3.2.2).
    pub fn bearer_error(&self) -> Option<&BearerError> {
        match &self.exchange {
            Exchange::Bearer(bearer) => bearer.error(),
            Exchange::Failed(error) => error.as_ref(),
            _ => None,
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
            _ => Ok(None),
        }
    }

    /// The message that may go with the mechanism's name. `None` when it was given before, or when the mechanism
    /// begins with a challenge. A protocol without room for it leaves this out and gets it from
    /// [`handle_challenge`](Client::handle_challenge) as the answer to an empty challenge (RFC 4422 §3).
    pub fn initial_response(&mut self) -> Option<Vec<u8>> {
        match &mut self.exchange {
            Exchange::Scram(scram) => scram.initial_response(),
            Exchange::Token(token) => token.initial_response(),
            Exchange::Bearer(bearer) => bearer.initial_response(),
            // The server begins.
            #[cfg(feature = "digest-md5")]
            Exchange::Digest(_) => None,
            Exchange::Single(single) => single.initial_response(),
            Exchange::Failed(_) => None,
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
            Exchange::Token(token) => token.handle_challenge(challenge),
            Exchange::Bearer(bearer) => bearer.handle_challenge(challenge),
            #[cfg(feature = "digest-md5")]
            Exchange::Digest(digest) => digest.handle_challenge(challenge),
            Exchange::Single(single) => single.handle_challenge(challenge),
            Exchange::Failed(_) => Err(Error::OutOfOrder),
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
            Exchange::Token(token) => token.handle_success(data),
            Exchange::Bearer(bearer) => bearer.handle_success(data),
            #[cfg(feature = "digest-md5")]
            Exchange::Digest(digest) => digest.handle_success(data),
            Exchange::Single(single) => single.handle_success(data),
            Exchange::Failed(_) => Err(Error::OutOfOrder),
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
            self.exchange = Exchange::Failed(self.bearer_error().cloned());
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
    let is_usable = |mechanism: Mechanism| match mechanism.family() {
        Family::External => credentials.has_certificate,
        Family::Token { binding, .. } => {
            let token = credentials.token.as_ref();
            token.is_some_and(|token| token.mechanism() == mechanism)
                && binding.is_none_or(|kind| channel.binding_of(kind).is_some())
        }
        Family::Scram { hash, is_plus } => {
            (has_password || credentials.keys.iter().any(|keys| keys.hash() == hash))
                && (!is_plus || channel.mutual_binding().is_some())
        }
        #[cfg(feature = "digest-md5")]
        Family::DigestMd5 => {
            has_password && policy.allow_digest_md5 && channel.host_name().is_some()
        }
        Family::OAuthBearer => credentials.bearer_token.is_some(),
        Family::Plain => has_password && policy.allow_plain,
        Family::Anonymous => credentials.is_anonymous,
    };
    let chosen = policy.mechanisms.iter().copied().find(|mechanism| {
        offered.contains(mechanism)
            && is_usable(*mechanism)
            && (channel.is_encrypted() || !mechanism.needs_encryption())
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

/// XEP-0440 §3, rules 4 to 6: a server that can bind at all offers -PLUS mechanisms together with types, and
/// `tls-server-end-point` among these, so that what lacks was taken away on the way. Where only the last lacks the
/// server may still confirm it (XEP-0474 §7): then the offer is not plausible by itself.
fn is_plausible(offered: &[Mechanism], channel: &Channel, policy: &Policy) -> Result<bool, Error> {
    if !is_capable(channel, policy) {
        return Ok(true);
    }
    let plus_offered = offered.iter().any(|mechanism| mechanism.is_plus());
    let announced = channel.announced_kinds();
    match (plus_offered, announced.is_empty()) {
        (true, true) if channel.is_sasl2() => Err(Error::OfferTampered),
        (false, false) => Err(Error::OfferTampered),
        (_, true) => Ok(true),
        (true, false) => {
            let end_point = BindingKind::TlsServerEndPoint.name();
            Ok(
                channel.mutual_binding().is_some()
                    || announced.iter().any(|name| name == end_point),
            )
        }
    }
}

/// For mechanisms in which nothing confirms the offer.
fn believe_unconfirmed(
    offered: &[Mechanism],
    channel: &Channel,
    policy: &Policy,
) -> Result<(), Error> {
    if is_plausible(offered, channel, policy)? {
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
            .any(|mechanism| mechanism.is_plus())
}

/// RFC 5802 §6: `p` with a -PLUS mechanism; `y` when we could bind but the server does not offer it; `n` when we
/// cannot, be it for want of a type that the server announced (XEP-0440 §3) or by policy.
fn binding<'a>(
    mechanism: Mechanism,
    offered: &[Mechanism],
    channel: &'a Channel,
    policy: &Policy,
) -> Binding<'a> {
    let plus_offered = offered.iter().any(|mechanism| mechanism.is_plus());
    match channel.mutual_binding() {
        Some(binding) if mechanism.is_plus() => Binding::Bound(binding),
        _ if !is_capable(channel, policy) => Binding::Unsupported,
        None if plus_offered => Binding::Unsupported,
        _ => Binding::NotOffered,
    }
}

fn user_name(credentials: &Credentials) -> Result<Zeroizing<String>, Error> {
    credentials
        .prepare(&credentials.user, Preparation::Query)
        .map_err(Error::UserName)
}

fn password(credentials: &Credentials) -> Result<Option<Zeroizing<String>>, Error> {
    let password = credentials.password.as_ref();
    let prepared = password.map(|password| credentials.prepare(password, Preparation::Stored));
    prepared.transpose().map_err(Error::Password)
}
