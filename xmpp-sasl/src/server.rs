//! The server's side of an authentication.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::Choice;
use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::error::Failure;
use crate::hash::Hash;
use crate::keys::StoredCredentials;
use crate::limits::Limits;
use crate::mechanism::Mechanism;
use crate::nonce::Nonce;
use crate::plain::PlainMessage;
use crate::prepare::{Preparation, saslprep};
use crate::scram::ScramServer;

/// What a server offers, and how it hides which users it knows.
#[derive(Clone)]
pub struct ServerConfig {
    secret: Zeroizing<[u8; 32]>,
    mechanisms: Vec<Mechanism>,
    unknown_hash: Hash,
    unknown_iterations: u32,
    unknown_salt_bytes: usize,
    limits: Limits,
}

impl ServerConfig {
    /// With 32 random bytes that are kept as long as the accounts and told nobody: from them unknown users get a salt
    /// that stays the same from one attempt to the next, like a known one's.
    pub fn new(secret: [u8; 32]) -> ServerConfig {
        ServerConfig {
            secret: Zeroizing::new(secret),
            mechanisms: alloc::vec![
                Mechanism::ScramSha256Plus,
                Mechanism::ScramSha1Plus,
                Mechanism::ScramSha256,
                Mechanism::ScramSha1,
            ],
            unknown_hash: Hash::Sha256,
            unknown_iterations: StoredCredentials::DEFAULT_ITERATIONS,
            unknown_salt_bytes: 16,
            limits: Limits::default(),
        }
    }

    /// The mechanisms to offer, in this order, where the channel allows them: -PLUS where it has a
    /// [binding](Channel::binding), PLAIN where it is encrypted.
    ///
    /// Default: SCRAM-SHA-256 and SCRAM-SHA-1 with and without -PLUS; every account then needs credentials for both
    /// hash functions. PLAIN is off, since with it every login costs the server the derivation and shows it the
    /// password.
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

    /// Bounds on the client's messages.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> ServerConfig {
        self.limits = limits;
        self
    }

    /// The mechanisms to list on this channel (RFC 6120 §6.3.3).
    pub fn offer(&self, channel: &Channel) -> Vec<Mechanism> {
        let offered = self
            .mechanisms
            .iter()
            .copied()
            .filter(|mechanism| match mechanism {
                Mechanism::Plain => channel.is_encrypted(),
                mechanism => !mechanism.is_channel_bound() || !channel.bindings().is_empty(),
            });
        offered.collect()
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
    /// Send this challenge; the client's answer goes to [`Server::handle_response`].
    Challenge(Vec<u8>),
    /// The client is who it says and wants to act as another identity: say with [`Server::handle_authorization`]
    /// whether it may. In XMPP only its own bare JID is usual (RFC 6120 §6.3.8).
    Authorize {
        /// The user that authenticated.
        user: String,
        /// The identity it asks for.
        authorization: String,
    },
    /// Report success. The exchange is over.
    Success {
        /// The user that authenticated, after SASLprep.
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
pub struct Server {
    mechanism: Mechanism,
    config: ServerConfig,
    user: String,
    authorization: Option<String>,
    state: State,
}

enum State {
    /// Nothing came yet.
    Start(Exchange),
    /// An empty challenge asked for the first message.
    FirstAsked(Exchange),
    Lookup(Exchange),
    /// SCRAM's challenge is out.
    Challenged(Box<ScramServer>),
    /// Authenticated; the data to go with success.
    Authorize(Option<Vec<u8>>),
    Done,
    Failed,
}

enum Exchange {
    Scram(Box<ScramServer>),
    /// With the password once it came.
    Plain(Zeroizing<String>),
}

impl Server {
    /// Begins with the mechanism that the client chose.
    ///
    /// # Errors
    /// [`Failure::InvalidMechanism`] when it is not in the [offer](ServerConfig::offer) for this channel, or
    /// [`Failure::EncryptionRequired`] when encryption is all that lacks.
    pub fn start(
        config: &ServerConfig,
        mechanism: &str,
        channel: &Channel,
        nonce: Nonce,
    ) -> Result<Server, Failure> {
        let mechanism: Mechanism = mechanism.parse().map_err(|_| Failure::InvalidMechanism)?;
        let offer = config.offer(channel);
        if !offer.contains(&mechanism) {
            return Err(match mechanism {
                Mechanism::Plain if config.mechanisms.contains(&mechanism) => {
                    Failure::EncryptionRequired
                }
                _ => Failure::InvalidMechanism,
            });
        }
        let exchange = match mechanism.hash() {
            Some(hash) => Exchange::Scram(Box::new(ScramServer::new(
                hash,
                mechanism.is_channel_bound(),
                offer.iter().any(|mechanism| mechanism.is_channel_bound()),
                channel,
                config.limits,
                nonce,
            ))),
            None => Exchange::Plain(Zeroizing::default()),
        };
        Ok(Server {
            mechanism,
            config: config.clone(),
            user: String::new(),
            authorization: None,
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

    fn handle_first(&mut self, exchange: Exchange, response: &[u8]) -> Result<Step, Failure> {
        let (user, authorization, exchange, hash) = match exchange {
            Exchange::Scram(mut scram) => {
                let (user, authorization) = scram.handle_first(response)?;
                let hash = scram.hash();
                (user, authorization, Exchange::Scram(scram), Some(hash))
            }
            Exchange::Plain(_) => {
                let message = PlainMessage::parse(response, &self.config.limits)?;
                // A password that cannot be prepared is nobody's.
                let password = saslprep(&message.password, Preparation::Query)
                    .map_err(|_| Failure::WrongCredentials)?;
                let password = Zeroizing::new(password.into_owned());
                (
                    message.user,
                    message.authorization,
                    Exchange::Plain(password),
                    None,
                )
            }
        };
        self.user = saslprep(&user, Preparation::Query)
            .map_err(Failure::UserName)?
            .into_owned();
        self.authorization = authorization;
        self.state = State::Lookup(exchange);
        Ok(Step::Lookup {
            user: self.user.clone(),
            hash,
        })
    }

    fn authenticated(&mut self, data: Option<Vec<u8>>) -> Step {
        match &self.authorization {
            Some(authorization) => {
                self.state = State::Authorize(data);
                Step::Authorize {
                    user: self.user.clone(),
                    authorization: authorization.clone(),
                }
            }
            None => self.success(data),
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
