//! The server's side of an authentication.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::Choice;
use zeroize::Zeroizing;

use crate::bearer::{self, BearerError, BearerMessage};
use crate::channel::{BindingKind, Channel, ChannelBinding};
use crate::error::{Failure, MessageError};
use crate::hash::{Hash, Key};
use crate::keys::StoredCredentials;
use crate::limits::Limits;
use crate::mechanism::{Family, Mechanism};
use crate::nonce::Nonce;
use crate::plain::PlainMessage;
use crate::prepare::{Preparation, saslprep};
use crate::scram::{ScramServer, offer_hash};
use crate::token::{TokenServer, TokenSlots};
use crate::{anonymous, external};

/// What a server offers, and how it hides which users it knows.
#[derive(Clone)]
pub struct ServerConfig {
    secret: Zeroizing<[u8; 32]>,
    mechanisms: Vec<Mechanism>,
    unknown_hash: Hash,
    unknown_iterations: u32,
    unknown_salt_bytes: usize,
    confirms_offer: bool,
    limits: Limits,
}

impl ServerConfig {
    /// With 32 random bytes that are kept as long as the accounts and told nobody: from them unknown users get a salt
    /// that stays the same from one attempt to the next, like a known one's.
    pub fn new(secret: [u8; 32]) -> ServerConfig {
        ServerConfig {
            secret: Zeroizing::new(secret),
            mechanisms: alloc::vec![
                Mechanism::External,
                Mechanism::ScramSha256Plus,
                Mechanism::ScramSha1Plus,
                Mechanism::ScramSha256,
                Mechanism::ScramSha1,
            ],
            unknown_hash: Hash::Sha256,
            unknown_iterations: StoredCredentials::DEFAULT_ITERATIONS,
            unknown_salt_bytes: 16,
            confirms_offer: true,
            limits: Limits::default(),
        }
    }

    /// The mechanisms to offer, in this order, where the channel allows them: -PLUS where it has a
    /// [binding](Channel::binding), EXTERNAL where it has [identities](Channel::identities), those of tokens where it
    /// has the binding in their name, all but SCRAM and ANONYMOUS where it is encrypted, PLAIN not in SASL2 (XEP-0388
    /// §2.1).
    ///
    /// Default: EXTERNAL, and SCRAM-SHA-256 and SCRAM-SHA-1 with and without -PLUS; every account then needs
    /// credentials for both hash functions. The others are off: with PLAIN every login costs the server the derivation
    /// and shows it the password, with OAUTHBEARER whoever reads along has the token, ANONYMOUS lets in everybody, and
    /// tokens need a store of their own.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: impl IntoIterator<Item = Mechanism>) -> ServerConfig {
        self.mechanisms = mechanisms.into_iter().collect();
        self
    }

    /// What unknown users seem to have: iterations and bytes of salt (1 to 64). Default 10 000 and 16, as new accounts
    /// have. Set them to what most accounts have, or an unknown user can be told from a known one.
    #[must_use]
    pub fn unknown_users(mut self, iterations: u32, salt_bytes: usize) -> ServerConfig {
        self.unknown_iterations = iterations.max(1);
        self.unknown_salt_bytes = salt_bytes.clamp(1, 64);
        self
    }

    /// The hash function that PLAIN spends on unknown users: the one of the credentials that
    /// [`Step::Lookup`] without a hash function is answered with. Default SHA-256.
    #[must_use]
    pub fn unknown_users_hash(mut self, hash: Hash) -> ServerConfig {
        self.unknown_hash = hash;
        self
    }

    /// Whether SCRAM confirms to the client what was offered (XEP-0474), as a hash over [`offer`](ServerConfig::offer)
    /// and over the types that the channel says were [announced](Channel::announced). Default: yes. It must be off when
    /// the client is offered anything else, or no client that checks the hash can log in.
    #[must_use]
    pub fn confirm_offer(mut self, confirm: bool) -> ServerConfig {
        self.confirms_offer = confirm;
        self
    }

    /// Bounds on the client's messages.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> ServerConfig {
        self.limits = limits;
        self
    }

    /// The mechanisms to list on this channel (RFC 6120 §6.3.3).
    pub fn offer(&self, channel: &Channel) -> Vec<Mechanism> {
        self.carried(channel)
            .filter(|mechanism| !mechanism.is_token())
            .collect()
    }

    /// The mechanisms of tokens to list on this channel, in XMPP in SASL2's `<fast/>` (XEP-0484 §3.1).
    pub fn token_offer(&self, channel: &Channel) -> Vec<Mechanism> {
        self.carried(channel)
            .filter(|mechanism| mechanism.is_token())
            .collect()
    }

    /// The channel-binding types to announce on this channel (XEP-0440 §2), the strongest first; none without a -PLUS
    /// mechanism in the offer, since clients take that for an attack. A server's certificate should be one that
    /// [`ChannelBinding::tls_server_end_point`] can hash, since clients expect this type of every server (§3, rule 1).
    pub fn binding_kinds(&self, channel: &Channel) -> Vec<BindingKind> {
        if self.carried(channel).any(Mechanism::is_plus) {
            channel
                .bindings()
                .iter()
                .map(ChannelBinding::kind)
                .collect()
        } else {
            Vec::new()
        }
    }

    fn carried(&self, channel: &Channel) -> impl Iterator<Item = Mechanism> {
        let is_carried = move |mechanism: &Mechanism| match mechanism.family() {
            Family::External => !channel.peer_identities().is_empty(),
            Family::Token { binding, .. } => {
                binding.is_none_or(|kind| channel.binding_of(kind).is_some())
            }
            Family::Scram { is_plus, .. } => !is_plus || !channel.bindings().is_empty(),
            Family::Plain => !channel.is_sasl2(),
            Family::OAuthBearer | Family::Anonymous => true,
            #[cfg(feature = "digest-md5")]
            Family::DigestMd5 => false,
        };
        self.mechanisms
            .iter()
            .copied()
            .filter(|mechanism| channel.is_encrypted() || !mechanism.needs_encryption())
            .filter(is_carried)
    }

    fn offer_hash(&self, hash: Hash, channel: &Channel) -> Option<Key> {
        let offer = self.offer(channel);
        let announced = channel.announcement();
        let announced = announced.map(|kinds| kinds.iter().map(String::as_str));
        let names = offer.iter().map(|mechanism| mechanism.name());
        self.confirms_offer
            .then(|| offer_hash(hash, names, announced))
    }

    /// Credentials that nobody has, the same for the same name.
    fn unknown_user(&self, hash: Hash, user: &str) -> StoredCredentials {
        let of = |what: &[u8]| {
            // Each part ends with a byte that UTF-8 has not, so no two inputs run together.
            let name = hash.name().as_bytes();
            hash.hmac(
                &*self.secret,
                &[what, b"\xff", name, b"\xff", user.as_bytes()],
            )
        };
        let salt = Hash::Sha512.hmac(
            &*self.secret,
            &[
                b"salt\xff",
                hash.name().as_bytes(),
                b"\xff",
                user.as_bytes(),
            ],
        );
        let salt = salt
            .as_slice()
            .get(..self.unknown_salt_bytes)
            .unwrap_or_default();
        StoredCredentials::of_keys(
            hash,
            salt.to_vec(),
            self.unknown_iterations,
            of(b"stored"),
            of(b"server"),
        )
    }
}

/// The secret is not shown.
impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("mechanisms", &self.mechanisms)
            .field("unknown_iterations", &self.unknown_iterations)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a server has to do next.
#[must_use]
#[non_exhaustive]
pub enum Step {
    /// Look up the user's credentials and answer with [`Server::handle_lookup`]. For the rest of the exchange not to
    /// tell who is known, look-ups should take alike for known and unknown users too.
    Lookup {
        /// The user name, after SASLprep; in XMPP the localpart.
        user: String,
        /// Which hash function the credentials must be for; `None` for any (PLAIN).
        hash: Option<Hash>,
    },
    /// Look up the tokens of the user's client, and answer with [`Server::handle_tokens`]; the note on time at `Lookup`
    /// holds here too.
    Tokens {
        /// The user name, after SASLprep; in XMPP the localpart.
        user: String,
    },
    /// Have the bearer token checked, and answer with [`Server::handle_bearer`].
    Bearer {
        /// The token, of the form of RFC 6750 §2.1; `None` when the client only asks what it needs, which has to end in
        /// an error report.
        token: Option<Zeroizing<String>>,
        /// The identity that the client asks for. [`Step::Authorize`] follows for it once the token is accepted.
        authorization: Option<String>,
    },
    /// Send this challenge; the client's answer goes to [`Server::handle_response`].
    Challenge(Vec<u8>),
    /// The client is who it says and wants to act as another identity: say with [`Server::handle_authorization`]
    /// whether it may. In XMPP only its own bare JID is usual (RFC 6120 §6.3.8).
    ///
    /// EXTERNAL always asks, even when the client wants to be no other than its certificate says: only the application
    /// knows whether there is such an account, or whether the stream comes from that domain (XEP-0178 §2 and §3).
    Authorize {
        /// The user that authenticated; for EXTERNAL one of the [identities](Channel::identities).
        user: String,
        /// The identity it asks for.
        authorization: String,
    },
    /// Report success. The exchange is over.
    Success {
        /// The user that authenticated: after SASLprep as a rule, for EXTERNAL and OAUTHBEARER as the application named
        /// it, for ANONYMOUS 32 random hexadecimal digits.
        user: String,
        /// The identity that it asked for and may act as.
        authorization: Option<String>,
        /// What goes along with success: `None` for no data.
        data: Option<Vec<u8>>,
    },
}

/// What goes over the wire may be seen, the rest not.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Lookup { user, hash } => f
                .debug_struct("Lookup")
                .field("user", user)
                .field("hash", hash)
                .finish(),
            Step::Tokens { user } => f.debug_struct("Tokens").field("user", user).finish(),
            Step::Bearer {
                token,
                authorization,
            } => f
                .debug_struct("Bearer")
                .field("token", &token.as_ref().map(|_| "[redacted]"))
                .field("authorization", authorization)
                .finish(),
            Step::Challenge(_) => f.write_str("Challenge(..)"),
            Step::Authorize {
                user,
                authorization,
            } => f
                .debug_struct("Authorize")
                .field("user", user)
                .field("authorization", authorization)
                .finish(),
            Step::Success {
                user,
                authorization,
                ..
            } => f
                .debug_struct("Success")
                .field("user", user)
                .field("authorization", authorization)
                .finish_non_exhaustive(),
        }
    }
}

/// One authentication, seen from the server.
///
/// Each `handle_*` gives the next [`Step`], or the [`Failure`] that ends the exchange; after it, or after success,
/// nothing more is answered. It holds at most one message of the client and a few keys.
///
/// An attempt after a failure is a new machine on the same channel. RFC 9266 §4.1 wants one channel binding used for
/// one attempt, so a strict server closes the connection after a failed -PLUS exchange; one that allows a few more, as
/// RFC 6120 §6.4.5 does, relies on its nonces being fresh, which keeps one attempt's messages out of the next.
pub struct Server {
    mechanism: Mechanism,
    config: ServerConfig,
    user: String,
    authorization: Option<String>,
    trace: Option<String>,
    state: State,
}

enum State {
    /// Nothing came yet.
    Start(Exchange),
    /// An empty challenge asked for the first message.
    FirstAsked(Exchange),
    /// The application looks up what the exchange goes on with.
    Lookup(Exchange),
    /// SCRAM's challenge is out.
    Challenged(Box<ScramServer>),
    /// OAUTHBEARER's error report is out.
    Reported,
    /// Authenticated; the data to go with success.
    Authorize(Option<Vec<u8>>),
    Done,
    Failed,
}

enum Exchange {
    Scram(Box<ScramServer>),
    Token(Box<TokenServer>),
    /// With what the message is compared with, then whether a token came.
    Bearer(Box<Channel>, bool),
    /// With the password once it came.
    Plain(Zeroizing<String>),
    /// With the identities of the certificate.
    External(Vec<String>),
    /// With the user name to give.
    Anonymous(String),
}

impl Server {
    /// Begins with the mechanism that the client chose.
    ///
    /// # Errors
    /// [`Failure::InvalidMechanism`] when it is not in the [offer](ServerConfig::offer) for this channel, nor in that
    /// of [tokens](ServerConfig::token_offer), or [`Failure::EncryptionRequired`] when encryption lacks.
    pub fn start(
        config: &ServerConfig,
        mechanism: &str,
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Server, Failure> {
        let mechanism: Mechanism = mechanism.parse().map_err(|_| Failure::InvalidMechanism)?;
        if !config.carried(channel).any(|carried| carried == mechanism) {
            let lacks_encryption = mechanism.needs_encryption() && !channel.is_encrypted();
            return Err(
                if lacks_encryption && config.mechanisms.contains(&mechanism) {
                    Failure::EncryptionRequired
                } else {
                    Failure::InvalidMechanism
                },
            );
        }
        let exchange = match mechanism.family() {
            Family::Scram { hash, is_plus } => Exchange::Scram(Box::new(ScramServer::new(
                hash,
                is_plus,
                config.carried(channel).any(Mechanism::is_plus),
                channel,
                config.offer_hash(hash, channel),
                config.limits,
                nonce,
            ))),
            Family::Token { hash, binding } => {
                let binding = binding.and_then(|kind| channel.binding_of(kind));
                let data = binding.map(ChannelBinding::data).unwrap_or_default();
                Exchange::Token(Box::new(TokenServer::new(mechanism, hash, data)))
            }
            Family::OAuthBearer => Exchange::Bearer(Box::new(channel.clone()), false),
            Family::Plain => Exchange::Plain(Zeroizing::default()),
            #[cfg(feature = "digest-md5")]
            Family::DigestMd5 => return Err(Failure::InvalidMechanism),
            Family::External => Exchange::External(channel.peer_identities().to_vec()),
            Family::Anonymous => {
                Exchange::Anonymous(anonymous::user_name(&config.secret, nonce.as_text()))
            }
        };
        Ok(Server {
            mechanism,
            config: config.clone(),
            user: String::new(),
            authorization: None,
            trace: None,
            state: State::Start(exchange),
        })
    }

    /// The mechanism of this exchange.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether [`Step::Success`] was reached.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// With ANONYMOUS, what the client wants to have in the log (RFC 4505 §2): 255 characters at the most, without
    /// control characters. Anybody can say anything here.
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// What came with the mechanism's name: `None` when there was no message, and the client is asked for it with an
    /// empty challenge; `Some` and empty is a message (see [`wire`](crate::wire)).
    ///
    /// # Errors
    /// As [`handle_response`](Server::handle_response).
    pub fn handle_initial(&mut self, response: Option<&[u8]>) -> Result<Step, Failure> {
        match (core::mem::replace(&mut self.state, State::Failed), response) {
            (State::Start(exchange), Some(response)) => self.handle_first(exchange, response),
            (State::Start(exchange), None) => {
                self.state = State::FirstAsked(exchange);
                Ok(Step::Challenge(Vec::new()))
            }
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The client's answer to a challenge.
    ///
    /// # Errors
    /// Whatever ends the exchange; [`Failure::condition`] is what to send.
    pub fn handle_response(&mut self, response: &[u8]) -> Result<Step, Failure> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::FirstAsked(exchange) => self.handle_first(exchange, response),
            State::Challenged(mut scram) => {
                let data = scram.handle_final(response)?;
                Ok(self.authenticated(Some(data)))
            }
            State::Reported if bearer::is_acknowledgement(response) => {
                Err(Failure::WrongCredentials)
            }
            State::Reported => Err(MessageError::Malformed("answer to an error report").into()),
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The application's answer to [`Step::Lookup`]: the credentials, or `None` for a user that does not exist or may
    /// not log in. The exchange then goes on as for any other and fails at its end.
    ///
    /// For PLAIN this derives keys from the password, which takes the iterations of the credentials: call it where it
    /// may take its time. When the store cannot answer, drop the machine and send
    /// [`Failure::TemporarilyUnavailable`].
    ///
    /// # Errors
    /// [`Failure::WrongHash`] for credentials of another hash function than was asked for; for PLAIN
    /// [`Failure::WrongCredentials`].
    pub fn handle_lookup(
        &mut self,
        credentials: Option<&StoredCredentials>,
    ) -> Result<Step, Failure> {
        let State::Lookup(exchange) = core::mem::replace(&mut self.state, State::Failed) else {
            return Err(Failure::OutOfOrder);
        };
        let hash = match &exchange {
            Exchange::Scram(scram) => scram.hash(),
            Exchange::Plain(_) => self.config.unknown_hash,
            _ => return Err(Failure::OutOfOrder),
        };
        // Made up for known users too, so that it takes the same time.
        let unknown = self.config.unknown_user(hash, &self.user);
        let known = Choice::from(u8::from(credentials.is_some()));
        let credentials = credentials.unwrap_or(&unknown);
        match exchange {
            Exchange::Scram(_) if credentials.hash() != hash => Err(Failure::WrongHash),
            Exchange::Scram(mut scram) => {
                let challenge = scram.handle_lookup(credentials, known)?;
                self.state = State::Challenged(scram);
                Ok(Step::Challenge(challenge))
            }
            Exchange::Plain(password) => {
                let verified = credentials.verify_prepared(&password);
                if bool::from(verified & known) {
                    Ok(self.authenticated(None))
                } else {
                    Err(Failure::WrongCredentials)
                }
            }
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The application's answer to [`Step::Tokens`]: those of this user's client, without the expired ones, or `None`
    /// for a user or client that has none. After success keep what has become of them: a token that was used for the
    /// first time has taken the other's place. Where the attempt came in early data of TLS, check and keep its count
    /// too, or it can be repeated (XEP-0484 §3.4).
    ///
    /// # Errors
    /// [`Failure::WrongCredentials`], the same for an unknown user, a wrong token and one of another mechanism.
    pub fn handle_tokens(&mut self, tokens: Option<&mut TokenSlots>) -> Result<Step, Failure> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Lookup(Exchange::Token(server)) => {
                let mut none = TokenSlots::default();
                let data = server.handle_tokens(tokens.unwrap_or(&mut none))?;
                Ok(self.authenticated(Some(data)))
            }
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The application's answer to [`Step::Bearer`]: the user that the token was issued for, or why it is not accepted.
    ///
    /// # Errors
    /// [`Failure::WrongCredentials`] when a user is named although no token came.
    pub fn handle_bearer(&mut self, verdict: Result<&str, &BearerError>) -> Result<Step, Failure> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Lookup(Exchange::Bearer(_, has_token)) => match verdict {
                Ok(_) if !has_token => Err(Failure::WrongCredentials),
                Ok(user) => {
                    self.user = String::from(user);
                    Ok(self.authenticated(None))
                }
                Err(error) => {
                    self.state = State::Reported;
                    Ok(Step::Challenge(error.to_challenge()))
                }
            },
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The application's answer to [`Step::Authorize`].
    ///
    /// # Errors
    /// [`Failure::InvalidAuthorization`] when it is not permitted.
    pub fn handle_authorization(&mut self, permitted: bool) -> Result<Step, Failure> {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Authorize(data) if permitted => Ok(self.success(data)),
            State::Authorize(_) => Err(Failure::InvalidAuthorization),
            _ => Err(Failure::OutOfOrder),
        }
    }

    /// The client gave up (`<abort/>`, RFC 6120 §6.4.4): the exchange is over, and this is what to answer.
    pub fn handle_abort(&mut self) -> Failure {
        match core::mem::replace(&mut self.state, State::Failed) {
            State::Done => {
                self.state = State::Done;
                Failure::OutOfOrder
            }
            _ => Failure::Aborted,
        }
    }

    fn handle_first(&mut self, mut exchange: Exchange, response: &[u8]) -> Result<Step, Failure> {
        let limits = &self.config.limits;
        let step = match &mut exchange {
            Exchange::Scram(scram) => {
                let (user, authorization) = scram.handle_first(response)?;
                (self.user, self.authorization) = (prepared(&user)?, authorization);
                Step::Lookup {
                    user: self.user.clone(),
                    hash: Some(scram.hash()),
                }
            }
            Exchange::Plain(password) => {
                let message = PlainMessage::parse(response, limits)?;
                // A password that cannot be prepared is nobody's.
                let text = saslprep(&message.password, Preparation::Query)
                    .map_err(|_| Failure::WrongCredentials)?;
                *password = Zeroizing::new(text.into_owned());
                (self.user, self.authorization) = (prepared(&message.user)?, message.authorization);
                Step::Lookup {
                    user: self.user.clone(),
                    hash: None,
                }
            }
            Exchange::Token(server) => {
                self.user = prepared(&server.handle_first(response, limits)?)?;
                Step::Tokens {
                    user: self.user.clone(),
                }
            }
            Exchange::Bearer(channel, has_token) => {
                let message = BearerMessage::parse(response, channel, limits)?;
                *has_token = message.token.is_some();
                self.authorization = message.authorization;
                Step::Bearer {
                    token: message.token,
                    authorization: self.authorization.clone(),
                }
            }
            Exchange::External(identities) => {
                let asked = external::parse(response, limits)?;
                (self.user, self.authorization) = external::identify(identities, asked)?;
                self.state = State::Authorize(None);
                return Ok(self.authorize());
            }
            Exchange::Anonymous(name) => {
                self.trace = anonymous::parse(response, limits)?;
                self.user = core::mem::take(name);
                return Ok(self.success(None));
            }
        };
        self.state = State::Lookup(exchange);
        Ok(step)
    }

    fn authenticated(&mut self, data: Option<Vec<u8>>) -> Step {
        if self.authorization.is_none() {
            return self.success(data);
        }
        self.state = State::Authorize(data);
        self.authorize()
    }

    fn authorize(&self) -> Step {
        Step::Authorize {
            user: self.user.clone(),
            authorization: self.authorization.as_ref().unwrap_or(&self.user).clone(),
        }
    }

    fn success(&mut self, data: Option<Vec<u8>>) -> Step {
        self.state = State::Done;
        Step::Success {
            user: self.user.clone(),
            authorization: self.authorization.clone(),
            data,
        }
    }
}

fn prepared(user: &str) -> Result<String, Failure> {
    saslprep(user, Preparation::Query)
        .map(alloc::borrow::Cow::into_owned)
        .map_err(Failure::UserName)
}

/// Secrets are not shown.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .field("authorization", &self.authorization)
            .field("authenticated", &self.is_authenticated())
            .finish_non_exhaustive()
    }
}
