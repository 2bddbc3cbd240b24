//! Adapters between this crate and the traits of the crate `sasl` 0.5, in both directions (feature `sasl`).
//!
//! | what there is | what is wanted | adapter |
//! |---|---|---|
//! | [`Client`] | `sasl::client::Mechanism` | [`ClientMechanism`] |
//! | [`Server`] | `sasl::server::Mechanism` | [`ServerMechanism`] |
//! | `sasl::client::Mechanism` | the methods of [`Client`] | [`ForeignClient`] |
//! | `sasl::server::Mechanism` | the methods of [`Server`] | [`ForeignServer`] |
//! | `sasl::server::Provider` | the look-up that [`Server`] asks for | [`provider_lookup`] |
//! | such a look-up | `sasl::server::Validator` of PLAIN | [`PlainValidator`] |
//!
//! ```
//! use sasl::client::Mechanism as _;
//! use sasl::common::Credentials;
//! use xmpp_sasl::Mechanism;
//! use xmpp_sasl::adapter::ClientMechanism;
//!
//! let credentials = Credentials::default().with_username("user").with_password("pencil");
//! let mut mechanism = ClientMechanism::new(Mechanism::ScramSha256, credentials)?;
//! assert_eq!(mechanism.name(), "SCRAM-SHA-256");
//! assert!(mechanism.initial().starts_with(b"y,,n=user,r="));
//! // The server's nonce has to extend ours, which that crate does not ask for.
//! assert!(mechanism.response(b"r=of-another,s=c2FsdA==,i=4096").is_err());
//! # Ok::<(), sasl::client::MechanismError>(())
//! ```
//!
//! Errors of either crate become the nearest ones of the other; [`ClientMechanism::error`] and
//! [`ServerMechanism::failure`] have ours unabridged.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ::sasl::client::{Mechanism as SaslClient, MechanismError as SaslClientError};
use ::sasl::common::scram::{DeriveError as SaslDeriveError, generate_nonce};
use ::sasl::common::{
    ChannelBinding as SaslBinding, Credentials as SaslCredentials, Identity, Password,
    Secret as SaslSecret,
};
use ::sasl::secret::{self, Pbkdf2Secret};
use ::sasl::server::{
    Mechanism as SaslServer, MechanismError as SaslServerError, Provider, Response, Validator,
    ValidatorError,
};

use crate::bearer::BearerError;
use crate::channel::{BindingKind, Channel, ChannelBinding};
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::{Error, Failure, MessageError};
use crate::hash::Hash;
use crate::keys::{DerivedKeys, StoredCredentials};
use crate::mechanism::Mechanism;
use crate::nonce::Nonce;
use crate::policy::Policy;
use crate::server::{Server, Step};

/// Our client behind the trait of the other crate.
#[derive(Debug)]
pub struct ClientMechanism {
    client: Client,
    error: Option<Error>,
}

impl ClientMechanism {
    /// A client of one mechanism, with the credentials of the other crate and the default [`Policy`]. The nonce comes
    /// from that crate's random source.
    ///
    /// Credentials of that crate do not tell whether the channel is encrypted; it is taken to be, and asking for PLAIN
    /// by name is leave to send the password. Keys derived by PBKDF2 are the SaltedPassword of RFC 5802 §3.
    ///
    /// # Errors
    /// When identity and secret are not what the mechanism needs, or no nonce can be drawn.
    pub fn new(
        mechanism: Mechanism,
        credentials: SaslCredentials,
    ) -> Result<ClientMechanism, SaslClientError> {
        let nonce = generate_nonce().map_err(|_| SaslClientError::CannotGenerateNonce)?;
        let nonce = Nonce::from_text(nonce).map_err(|_| SaslClientError::CannotGenerateNonce)?;
        let channel = match credentials.channel_binding {
            SaslBinding::None => None,
            // To say that it would have bound, a client needs data; without -PLUS they go nowhere.
            SaslBinding::Unsupported => {
                (!mechanism.is_channel_bound()).then(|| ChannelBinding::tls_exporter([0; 32]))
            }
            SaslBinding::TlsUnique(finished) => ChannelBinding::tls_unique(&finished),
            SaslBinding::TlsExporter(data) => ChannelBinding::new(BindingKind::TlsExporter, data),
        }
        .into_iter()
        .fold(Channel::tls(), Channel::binding);
        let credentials = match (credentials.identity, credentials.secret) {
            (Identity::None, SaslSecret::None) => Credentials::anonymous(),
            (Identity::None, _) => return Err(SaslClientError::ScramRequiresUsername),
            (_, SaslSecret::None) => return Err(SaslClientError::ScramRequiresPassword),
            (Identity::Username(user), SaslSecret::Password(Password::Plain(password))) => {
                Credentials::password(user, password)
            }
            (
                Identity::Username(user),
                SaslSecret::Password(Password::Pbkdf2 {
                    method,
                    salt,
                    iterations,
                    data,
                }),
            ) => {
                let hash = Hash::ALL.iter().find(|hash| hash.name() == method).copied();
                let hash = hash.ok_or(SaslClientError::DeriveError(
                    SaslDeriveError::IncompatibleHashingMethod(
                        method,
                        String::from(mechanism.hash().map_or("", Hash::name)),
                    ),
                ))?;
                let keys = DerivedKeys::from_salted_password(hash, &data, &salt, iterations);
                let keys =
                    keys.ok_or(SaslClientError::DeriveError(SaslDeriveError::InvalidLength))?;
                Credentials::keys(user, keys)
            }
        };
        // The second is never offered; it stands there because this client can bind.
        let policy = Policy::default()
            .mechanisms([mechanism, Mechanism::ScramSha256Plus])
            .allow_plain(true);
        Client::select([mechanism.name()], &credentials, &channel, &policy, nonce)
            .map(ClientMechanism::from)
            .map_err(|error| client_error(&error))
    }

    /// Our client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// What went wrong, in our words.
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    fn keep<T>(&mut self, result: Result<T, Error>) -> Result<T, SaslClientError> {
        result.map_err(|error| {
            let theirs = client_error(&error);
            self.error = Some(error);
            theirs
        })
    }
}

impl From<Client> for ClientMechanism {
    fn from(client: Client) -> ClientMechanism {
        ClientMechanism {
            client,
            error: None,
        }
    }
}

impl SaslClient for ClientMechanism {
    fn name(&self) -> &str {
        self.client.mechanism().name()
    }

    /// SCRAM-SHA-256, with -PLUS when there are data to bind to.
    fn from_credentials(credentials: SaslCredentials) -> Result<Self, SaslClientError> {
        let mechanism = match credentials.channel_binding {
            SaslBinding::None | SaslBinding::Unsupported => Mechanism::ScramSha256,
            SaslBinding::TlsUnique(_) | SaslBinding::TlsExporter(_) => Mechanism::ScramSha256Plus,
        };
        ClientMechanism::new(mechanism, credentials)
    }

    fn initial(&mut self) -> Vec<u8> {
        self.client.initial_response().unwrap_or_default()
    }

    fn response(&mut self, challenge: &[u8]) -> Result<Vec<u8>, SaslClientError> {
        let result = self.client.handle_challenge(challenge);
        self.keep(result)
    }

    fn success(&mut self, data: &[u8]) -> Result<(), SaslClientError> {
        let result = self.client.handle_success(Some(data));
        self.keep(result)
    }
}

/// Our server behind the trait of the other crate, with a function that looks up credentials as
/// [`Step::Lookup`] asks for them.
///
/// That trait has no place for acting as somebody else, for tokens and for bearer tokens; they are refused.
pub struct ServerMechanism<F> {
    server: Server,
    lookup: F,
    has_begun: bool,
    failure: Option<Failure>,
}

impl<F> ServerMechanism<F>
where
    F: FnMut(&str, Option<Hash>) -> Option<StoredCredentials>,
{
    /// A server that was [started](Server::start), before its first message.
    pub fn new(server: Server, lookup: F) -> ServerMechanism<F> {
        ServerMechanism {
            server,
            lookup,
            has_begun: false,
            failure: None,
        }
    }

    /// Our server.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// What went wrong, in our words, with the condition to send.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    fn advance(&mut self, payload: &[u8]) -> Result<Response, Failure> {
        let mut step = if self.has_begun {
            self.server.handle_response(payload)?
        } else {
            self.has_begun = true;
            self.server.handle_initial(Some(payload))?
        };
        loop {
            step = match step {
                Step::Lookup { user, hash } => {
                    let credentials = (self.lookup)(&user, hash);
                    self.server.handle_lookup(credentials.as_ref())?
                }
                Step::Tokens { .. } => self.server.handle_tokens(None)?,
                Step::Bearer { .. } => {
                    let error = BearerError::invalid_token();
                    self.server.handle_bearer(Err(&error))?
                }
                Step::Authorize {
                    user,
                    authorization,
                } => self.server.handle_authorization(user == authorization)?,
                Step::Challenge(challenge) => return Ok(Response::Proceed(challenge)),
                Step::Success { user, data, .. } => {
                    let identity = Identity::Username(user);
                    return Ok(Response::Success(identity, data.unwrap_or_default()));
                }
            };
        }
    }
}

impl<F> SaslServer for ServerMechanism<F>
where
    F: FnMut(&str, Option<Hash>) -> Option<StoredCredentials>,
{
    fn name(&self) -> &str {
        self.server.mechanism().name()
    }

    fn respond(&mut self, payload: &[u8]) -> Result<Response, SaslServerError> {
        self.advance(payload).map_err(|failure| {
            let theirs = server_error(&failure);
            self.failure = Some(failure);
            theirs
        })
    }
}

impl<F> fmt::Debug for ServerMechanism<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerMechanism")
            .field("server", &self.server)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// A client mechanism of the other crate with the methods of [`Client`], and with their order kept: one first message,
/// and nothing after an error or the end.
///
/// What that mechanism verifies is its own affair.
pub struct ForeignClient<M> {
    mechanism: M,
    state: ForeignState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ForeignState {
    Start,
    Begun,
    Done,
    Failed,
}

impl<M: SaslClient> ForeignClient<M> {
    /// A mechanism before its first message.
    pub fn new(mechanism: M) -> ForeignClient<M> {
        ForeignClient {
            mechanism,
            state: ForeignState::Start,
        }
    }

    /// The mechanism's name.
    pub fn name(&self) -> &str {
        self.mechanism.name()
    }

    /// Whether the mechanism accepted the server's success.
    pub fn is_authenticated(&self) -> bool {
        self.state == ForeignState::Done
    }

    /// As [`Client::initial_response`].
    pub fn initial_response(&mut self) -> Option<Vec<u8>> {
        if self.state != ForeignState::Start {
            return None;
        }
        self.state = ForeignState::Begun;
        Some(self.mechanism.initial())
    }

    /// As [`Client::handle_challenge`].
    ///
    /// # Errors
    /// Those of the mechanism, as the nearest of ours, and [`Error::OutOfOrder`].
    pub fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        match self.state {
            ForeignState::Start if challenge.is_empty() => {
                self.initial_response().ok_or(Error::OutOfOrder)
            }
            ForeignState::Begun => self.mechanism.response(challenge).map_err(|error| {
                self.state = ForeignState::Failed;
                our_error(&error)
            }),
            _ => {
                self.state = ForeignState::Failed;
                Err(Error::OutOfOrder)
            }
        }
    }

    /// As [`Client::handle_success`].
    ///
    /// # Errors
    /// As [`handle_challenge`](ForeignClient::handle_challenge).
    pub fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        let result = if self.state == ForeignState::Begun {
            let accepted = self.mechanism.success(data.unwrap_or_default());
            accepted.map_err(|error| our_error(&error))
        } else {
            Err(Error::OutOfOrder)
        };
        self.state = match result {
            Ok(()) => ForeignState::Done,
            Err(_) => ForeignState::Failed,
        };
        result
    }
}

impl<M: SaslClient> fmt::Debug for ForeignClient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignClient")
            .field("name", &self.name())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// A server mechanism of the other crate with the methods of [`Server`], and with their order kept. It looks up users
/// itself, so that its only steps are [`Step::Challenge`] and [`Step::Success`].
pub struct ForeignServer<M> {
    mechanism: M,
    state: ForeignState,
}

impl<M: SaslServer> ForeignServer<M> {
    /// A mechanism before its first message.
    pub fn new(mechanism: M) -> ForeignServer<M> {
        ForeignServer {
            mechanism,
            state: ForeignState::Start,
        }
    }

    /// The mechanism's name.
    pub fn name(&self) -> &str {
        self.mechanism.name()
    }

    /// Whether [`Step::Success`] was reached.
    pub fn is_authenticated(&self) -> bool {
        self.state == ForeignState::Done
    }

    /// As [`Server::handle_initial`].
    ///
    /// # Errors
    /// Those of the mechanism, as the nearest of ours, and [`Failure::OutOfOrder`].
    pub fn handle_initial(&mut self, response: Option<&[u8]>) -> Result<Step, Failure> {
        match (self.state, response) {
            (ForeignState::Start, None) => {
                self.state = ForeignState::Begun;
                Ok(Step::Challenge(Vec::new()))
            }
            (ForeignState::Start, Some(response)) => self.advance(response),
            _ => {
                self.state = ForeignState::Failed;
                Err(Failure::OutOfOrder)
            }
        }
    }

    /// As [`Server::handle_response`].
    ///
    /// # Errors
    /// As [`handle_initial`](ForeignServer::handle_initial).
    pub fn handle_response(&mut self, response: &[u8]) -> Result<Step, Failure> {
        if self.state == ForeignState::Begun {
            self.advance(response)
        } else {
            self.state = ForeignState::Failed;
            Err(Failure::OutOfOrder)
        }
    }

    fn advance(&mut self, response: &[u8]) -> Result<Step, Failure> {
        self.state = ForeignState::Failed;
        match self.mechanism.respond(response) {
            Ok(Response::Proceed(challenge)) => {
                self.state = ForeignState::Begun;
                Ok(Step::Challenge(challenge))
            }
            Ok(Response::Success(Identity::Username(user), data)) => {
                self.state = ForeignState::Done;
                Ok(Step::Success {
                    user,
                    authorization: None,
                    data: Some(data).filter(|data| !data.is_empty()),
                })
            }
            // Nobody has authenticated then.
            Ok(Response::Success(Identity::None, _)) => Err(Failure::WrongCredentials),
            Err(error) => Err(our_failure(&error)),
        }
    }
}

impl<M: SaslServer> fmt::Debug for ForeignServer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignServer")
            .field("name", &self.name())
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The look-up of [`ServerMechanism`] and of [`Step::Lookup`] over a provider of the other crate, which gives salted
/// passwords of SHA-1 and SHA-256. Without a hash function, as PLAIN asks, it is SHA-256.
pub fn provider_lookup<P>(
    provider: P,
) -> impl FnMut(&str, Option<Hash>) -> Option<StoredCredentials>
where
    P: Provider<secret::Pbkdf2Sha1> + Provider<secret::Pbkdf2Sha256>,
{
    move |user, hash| {
        let identity = Identity::from(user);
        match hash {
            Some(Hash::Sha1) => {
                let secret: secret::Pbkdf2Sha1 = provider.provide(&identity).ok()?;
                stored(Hash::Sha1, &secret)
            }
            Some(Hash::Sha256) | None => {
                let secret: secret::Pbkdf2Sha256 = provider.provide(&identity).ok()?;
                stored(Hash::Sha256, &secret)
            }
            Some(_) => None,
        }
    }
}

fn stored(hash: Hash, secret: &impl Pbkdf2Secret) -> Option<StoredCredentials> {
    let (salt, iterations) = (secret.salt(), secret.iterations());
    StoredCredentials::from_salted_password(hash, secret.digest(), salt, iterations)
}

/// Stored keys as what that crate's server of PLAIN checks passwords with.
pub struct PlainValidator<F>(F);

impl<F> PlainValidator<F>
where
    F: Fn(&str) -> Option<StoredCredentials>,
{
    /// With a function that looks up a user's credentials.
    pub fn new(lookup: F) -> PlainValidator<F> {
        PlainValidator(lookup)
    }
}

impl<F> Validator<secret::Plain> for PlainValidator<F>
where
    F: Fn(&str) -> Option<StoredCredentials>,
{
    fn validate(&self, identity: &Identity, value: &secret::Plain) -> Result<(), ValidatorError> {
        let stored = match identity {
            Identity::Username(user) => (self.0)(user),
            Identity::None => None,
        };
        match stored {
            Some(stored) if stored.verify(&value.0) => Ok(()),
            _ => Err(ValidatorError::AuthenticationFailed),
        }
    }
}

impl<F> fmt::Debug for PlainValidator<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainValidator(..)")
    }
}

fn client_error(error: &Error) -> SaslClientError {
    match error {
        Error::UserName(_) => SaslClientError::ScramRequiresUsername,
        Error::NoCommonMechanism
        | Error::PlainNotAllowed
        | Error::PlainNeedsEncryption
        | Error::AuthorizationIdentity
        | Error::BearerToken
        | Error::Trace
        | Error::Password(_)
        | Error::KeysDoNotFit => SaslClientError::ScramRequiresPassword,
        Error::Iterations { .. } => SaslClientError::NoServerIterations,
        Error::NonceMismatch => SaslClientError::NoServerNonce,
        Error::OfferTampered | Error::Message(_) => SaslClientError::CannotDecodeChallenge,
        Error::Server(_) | Error::NoServerSignature => {
            SaslClientError::NoSignatureInSuccessResponse
        }
        Error::WrongServerSignature => SaslClientError::InvalidSignatureInSuccessResponse,
        Error::OutOfOrder => SaslClientError::InvalidState,
    }
}

fn our_error(error: &SaslClientError) -> Error {
    match error {
        SaslClientError::InvalidSignatureInSuccessResponse => Error::WrongServerSignature,
        SaslClientError::NoSignatureInSuccessResponse => Error::NoServerSignature,
        SaslClientError::NoServerNonce => Error::NonceMismatch,
        SaslClientError::NoServerSalt
        | SaslClientError::NoServerIterations
        | SaslClientError::CannotDecodeChallenge
        | SaslClientError::CannotDecodeSuccessResponse => {
            Error::Message(MessageError::Malformed("not what the mechanism expects"))
        }
        SaslClientError::DeriveError(_) => Error::KeysDoNotFit,
        _ => Error::OutOfOrder,
    }
}

fn server_error(failure: &Failure) -> SaslServerError {
    match failure {
        Failure::Message(_) | Failure::IncorrectEncoding | Failure::InvalidMechanism => {
            SaslServerError::FailedToDecodeMessage
        }
        Failure::UserName(_) => SaslServerError::ErrorDecodingUsername,
        Failure::BindingFlag => SaslServerError::ChannelBindingNotSupported,
        Failure::Downgrade => SaslServerError::ChannelBindingIsSupported,
        Failure::UnsupportedBinding => SaslServerError::ChannelBindingMechanismIncorrect,
        Failure::OutOfOrder => SaslServerError::SaslSessionAlreadyOver,
        Failure::EncryptionRequired
        | Failure::BindingMismatch
        | Failure::NonceMismatch
        | Failure::WrongCredentials
        | Failure::OtherService
        | Failure::InvalidAuthorization
        | Failure::Aborted
        | Failure::WrongHash
        | Failure::TemporarilyUnavailable => SaslServerError::AuthenticationFailed,
    }
}

fn our_failure(error: &SaslServerError) -> Failure {
    match error {
        SaslServerError::ChannelBindingNotSupported => Failure::BindingFlag,
        SaslServerError::ChannelBindingIsSupported => Failure::Downgrade,
        SaslServerError::ChannelBindingMechanismIncorrect => Failure::UnsupportedBinding,
        SaslServerError::ValidatorError(_)
        | SaslServerError::ProviderError(_)
        | SaslServerError::AuthenticationFailed => Failure::WrongCredentials,
        SaslServerError::FailedToGenerateNonce
        | SaslServerError::InvalidKeyLength(_)
        | SaslServerError::RandomFailure(_) => Failure::TemporarilyUnavailable,
        SaslServerError::SaslSessionAlreadyOver => Failure::OutOfOrder,
        SaslServerError::NoUsernameSpecified
        | SaslServerError::ErrorDecodingUsername
        | SaslServerError::NoPasswordSpecified
        | SaslServerError::ErrorDecodingPassword
        | SaslServerError::FailedToDecodeMessage
        | SaslServerError::CannotDecodeInitialMessage
        | SaslServerError::NoUsername
        | SaslServerError::NoNonce
        | SaslServerError::CannotDecodeResponse
        | SaslServerError::NoProof
        | SaslServerError::CannotDecodeProof => {
            Failure::Message(MessageError::Malformed("not what the mechanism expects"))
        }
    }
}
