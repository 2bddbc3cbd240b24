//! What can go wrong, who is to blame, and what to tell the peer.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::prepare::PrepareError;

/// Why the client's side of an exchange ended without success.
///
/// When the blame is the peer's and the exchange has begun, send `<abort/>` (RFC 6120 §6.4.4) or close the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server offers nothing that the policy, the channel and the credentials allow.
    NoCommonMechanism,
    /// PLAIN is all that is left, and the policy does not allow it.
    PlainNotAllowed,
    /// PLAIN is all that is left, and the channel is not encrypted.
    PlainNeedsEncryption,
    /// Somebody on the way took from the offer: the server announces channel-binding types without a mechanism to use
    /// them, or over SASL2 the reverse; it lacks the type that every server has, and does not confirm that (XEP-0440
    /// §3); or its hash over the offer is of another one (XEP-0474 §6.2).
    OfferTampered,
    /// The user name cannot be sent.
    UserName(PrepareError),
    /// The password cannot be used.
    Password(PrepareError),
    /// The authorization identity holds a NUL character (RFC 4422 §3.4.1), or the mechanism has no room for one: that
    /// of a token, and ANONYMOUS.
    AuthorizationIdentity,
    /// The bearer token is not of the form of RFC 6750 §2.1, or the host it is meant for is not a name.
    BearerToken,
    /// The trace is over 255 characters or holds a character that RFC 4505 §3 prohibits.
    Trace,
    /// The server asks for a salt or a number of iterations that the given keys were not derived with, and there is
    /// no password to derive others from.
    KeysDoNotFit,
    /// The server asks for a number of iterations outside the policy's bounds; nothing was hashed.
    Iterations {
        /// What it asks for; `u64::MAX` stands for that and more.
        requested: u64,
        /// The policy's floor.
        min: u32,
        /// The policy's ceiling.
        max: u32,
    },
    /// The server's message cannot be accepted.
    Message(MessageError),
    /// The server's nonce does not extend ours.
    NonceMismatch,
    /// The server reported an error in its last SCRAM message.
    Server(ServerError),
    /// The server's signature is wrong: it does not know the account's keys.
    WrongServerSignature,
    /// The server claims success but never sent its signature.
    NoServerSignature,
    /// The message is not expected now, or the exchange is over.
    OutOfOrder,
}

impl Error {
    /// Who has to mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Error::PlainNotAllowed
            | Error::UserName(_)
            | Error::Password(_)
            | Error::AuthorizationIdentity
            | Error::BearerToken
            | Error::Trace
            | Error::KeysDoNotFit => Blame::Caller,
            Error::NoCommonMechanism
            | Error::PlainNeedsEncryption
            | Error::OfferTampered
            | Error::Iterations { .. }
            | Error::Message(_)
            | Error::NonceMismatch
            | Error::Server(_)
            | Error::WrongServerSignature
            | Error::NoServerSignature
            | Error::OutOfOrder => Blame::Peer,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoCommonMechanism => {
                f.write_str("the server offers no mechanism that the policy allows here")
            }
            Error::PlainNotAllowed => {
                f.write_str("the server leaves only PLAIN, which the policy does not allow")
            }
            Error::PlainNeedsEncryption => {
                f.write_str("the server leaves only PLAIN, and the channel is not encrypted")
            }
            Error::OfferTampered => f.write_str("the server's offer was tampered with"),
            Error::UserName(error) => write!(f, "the user name: {error}"),
            Error::Password(error) => write!(f, "the password: {error}"),
            Error::AuthorizationIdentity => {
                f.write_str("the authorization identity cannot be sent")
            }
            Error::BearerToken => f.write_str("the bearer token cannot be sent"),
            Error::Trace => f.write_str("the trace cannot be sent"),
            Error::KeysDoNotFit => {
                f.write_str("the given keys do not fit the server's salt and iterations")
            }
            Error::Iterations {
                requested,
                min,
                max,
            } => write!(
                f,
                "the server asks for {requested} iterations, allowed are {min} to {max}"
            ),
            Error::Message(error) => write!(f, "the server's message {error}"),
            Error::NonceMismatch => f.write_str("the server's nonce does not extend ours"),
            Error::Server(error) => write!(f, "the server reports {error}"),
            Error::WrongServerSignature => f.write_str("the server's signature is wrong"),
            Error::NoServerSignature => f.write_str("the server did not prove itself"),
            Error::OutOfOrder => f.write_str("the server's message is not expected now"),
        }
    }
}

impl core::error::Error for Error {}

impl From<MessageError> for Error {
    fn from(error: MessageError) -> Error {
        Error::Message(error)
    }
}

/// Why the server's side of an exchange ended without success.
///
/// Unknown user and wrong password are one and the same, here and on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The mechanism is unknown or was not offered on this channel.
    InvalidMechanism,
    /// The mechanism is offered on encrypted channels only.
    EncryptionRequired,
    /// The text around the message is not canonical base64 (RFC 6120 §13.9.1).
    IncorrectEncoding,
    /// The client's message cannot be accepted.
    Message(MessageError),
    /// The user name cannot be that of an account.
    UserName(PrepareError),
    /// The client's channel-binding flag does not go with the mechanism (RFC 5802 §6).
    BindingFlag,
    /// The client saw no channel binding where it was offered: the list of mechanisms was tampered with
    /// (RFC 5802 §6).
    Downgrade,
    /// The client binds to a type that this channel has no data of.
    UnsupportedBinding,
    /// The client is bound to another channel, or its header changed between its messages.
    BindingMismatch,
    /// The client does not return the nonce of this exchange.
    NonceMismatch,
    /// Unknown user, or proof, password or token wrong.
    WrongCredentials,
    /// The client's bearer token is meant for another host or port (RFC 7628 §3.2).
    OtherService,
    /// The user may not act as the identity it asked for.
    InvalidAuthorization,
    /// The client gave up.
    Aborted,
    /// The credentials handed to [`handle_lookup`](crate::Server::handle_lookup) belong to another hash function.
    WrongHash,
    /// The accounts cannot be looked up at present; say so with this when the store fails.
    TemporarilyUnavailable,
    /// The message is not expected now, or the exchange is over.
    OutOfOrder,
}

impl Failure {
    /// What to put into `<failure/>`.
    pub fn condition(&self) -> Condition {
        match self {
            Failure::InvalidMechanism => Condition::InvalidMechanism,
            Failure::EncryptionRequired => Condition::EncryptionRequired,
            Failure::IncorrectEncoding => Condition::IncorrectEncoding,
            Failure::Message(_) | Failure::BindingFlag | Failure::OutOfOrder => {
                Condition::MalformedRequest
            }
            Failure::UserName(_)
            | Failure::Downgrade
            | Failure::UnsupportedBinding
            | Failure::BindingMismatch
            | Failure::NonceMismatch
            | Failure::OtherService
            | Failure::WrongCredentials => Condition::NotAuthorized,
            Failure::InvalidAuthorization => Condition::InvalidAuthzid,
            Failure::Aborted => Condition::Aborted,
            Failure::WrongHash | Failure::TemporarilyUnavailable => Condition::TemporaryAuthFailure,
        }
    }

    /// Who has to mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Failure::WrongHash | Failure::TemporarilyUnavailable => Blame::Caller,
            _ => Blame::Peer,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::InvalidMechanism => f.write_str("the mechanism is not offered"),
            Failure::EncryptionRequired => f.write_str("the mechanism needs encryption"),
            Failure::IncorrectEncoding => f.write_str("the base64 is not canonical"),
            Failure::Message(error) => write!(f, "the client's message {error}"),
            Failure::UserName(error) => write!(f, "the user name: {error}"),
            Failure::BindingFlag => {
                f.write_str("the channel-binding flag does not go with the mechanism")
            }
            Failure::Downgrade => {
                f.write_str("the client did not see the channel binding that was offered")
            }
            Failure::UnsupportedBinding => {
                f.write_str("the channel has no data of the client's binding type")
            }
            Failure::BindingMismatch => f.write_str("the client is bound to another channel"),
            Failure::NonceMismatch => f.write_str("the client returns another nonce"),
            Failure::WrongCredentials => f.write_str("unknown user or wrong credentials"),
            Failure::OtherService => f.write_str("the token is meant for another host or port"),
            Failure::InvalidAuthorization => {
                f.write_str("the user may not act as the identity it asks for")
            }
            Failure::Aborted => f.write_str("the client gave up"),
            Failure::WrongHash => f.write_str("the credentials belong to another hash function"),
            Failure::TemporarilyUnavailable => f.write_str("accounts cannot be looked up now"),
            Failure::OutOfOrder => f.write_str("the client's message is not expected now"),
        }
    }
}

impl core::error::Error for Failure {}

impl From<MessageError> for Failure {
    fn from(error: MessageError) -> Failure {
        Failure::Message(error)
    }
}

/// What is wrong with a message, whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageError {
    /// Longer than a limit; which one.
    TooLong(&'static str),
    /// Not UTF-8, or not of the mechanism's grammar; what was found.
    Malformed(&'static str),
    /// Base64 inside the message is not canonical; of which attribute.
    Base64(&'static str),
    /// It holds the attribute `m`, an extension that must be understood (RFC 5802 §5.1).
    MandatoryExtension,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::TooLong(what) => write!(f, "is over the limit of its {what}"),
            MessageError::Malformed(what) => write!(f, "is malformed: {what}"),
            MessageError::Base64(what) => write!(f, "is malformed: base64 of the {what}"),
            MessageError::MandatoryExtension => {
                f.write_str("holds an extension that must be understood and is not")
            }
        }
    }
}

impl core::error::Error for MessageError {}

/// Who has to mend an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The other side of the exchange.
    Peer,
    /// The program that uses this crate, or its user: configuration or credentials.
    Caller,
}

/// A SASL error condition of XMPP (RFC 6120 §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Condition {
    /// The client gave up (§6.5.1).
    Aborted,
    /// The account is disabled (§6.5.2).
    AccountDisabled,
    /// The credentials are no longer valid (§6.5.3).
    CredentialsExpired,
    /// The mechanism needs encryption (§6.5.4).
    EncryptionRequired,
    /// The base64 is wrong (§6.5.5).
    IncorrectEncoding,
    /// The authorization identity is wrong or not permitted (§6.5.6).
    InvalidAuthzid,
    /// The mechanism was not offered (§6.5.7).
    InvalidMechanism,
    /// The message breaks the mechanism's rules (§6.5.8).
    MalformedRequest,
    /// The mechanism is weaker than the server's policy permits for this user (§6.5.9).
    MechanismTooWeak,
    /// Wrong or unknown credentials (§6.5.10).
    NotAuthorized,
    /// An error on the server's side; try again later (§6.5.11).
    TemporaryAuthFailure,
}

impl Condition {
    /// Every condition.
    pub const ALL: &'static [Condition] = &[
        Condition::Aborted,
        Condition::AccountDisabled,
        Condition::CredentialsExpired,
        Condition::EncryptionRequired,
        Condition::IncorrectEncoding,
        Condition::InvalidAuthzid,
        Condition::InvalidMechanism,
        Condition::MalformedRequest,
        Condition::MechanismTooWeak,
        Condition::NotAuthorized,
        Condition::TemporaryAuthFailure,
    ];

    /// The element's name, such as `not-authorized`.
    pub const fn name(self) -> &'static str {
        match self {
            Condition::Aborted => "aborted",
            Condition::AccountDisabled => "account-disabled",
            Condition::CredentialsExpired => "credentials-expired",
            Condition::EncryptionRequired => "encryption-required",
            Condition::IncorrectEncoding => "incorrect-encoding",
            Condition::InvalidAuthzid => "invalid-authzid",
            Condition::InvalidMechanism => "invalid-mechanism",
            Condition::MalformedRequest => "malformed-request",
            Condition::MechanismTooWeak => "mechanism-too-weak",
            Condition::NotAuthorized => "not-authorized",
            Condition::TemporaryAuthFailure => "temporary-auth-failure",
        }
    }
}

impl FromStr for Condition {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Condition, UnknownName> {
        Condition::ALL
            .iter()
            .find(|known| known.name() == name)
            .copied()
            .ok_or(UnknownName)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error that the server reports in its last SCRAM message, attribute `e` (RFC 5802 §7).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerError {
    /// `invalid-encoding`
    InvalidEncoding,
    /// `extensions-not-supported`
    ExtensionsNotSupported,
    /// `invalid-proof`
    InvalidProof,
    /// `channel-bindings-dont-match`
    ChannelBindingsDontMatch,
    /// `server-does-support-channel-binding`
    ServerDoesSupportChannelBinding,
    /// `channel-binding-not-supported`
    ChannelBindingNotSupported,
    /// `unsupported-channel-binding-type`
    UnsupportedChannelBindingType,
    /// `unknown-user`
    UnknownUser,
    /// `invalid-username-encoding`
    InvalidUsernameEncoding,
    /// `no-resources`
    NoResources,
    /// `other-error`, and every value that is not known; the value as sent.
    Other(String),
}

impl ServerError {
    /// The error of an attribute's value; unknown ones count as `other-error`.
    pub fn from_value(value: &str) -> ServerError {
        match value {
            "invalid-encoding" => ServerError::InvalidEncoding,
            "extensions-not-supported" => ServerError::ExtensionsNotSupported,
            "invalid-proof" => ServerError::InvalidProof,
            "channel-bindings-dont-match" => ServerError::ChannelBindingsDontMatch,
            "server-does-support-channel-binding" => ServerError::ServerDoesSupportChannelBinding,
            "channel-binding-not-supported" => ServerError::ChannelBindingNotSupported,
            "unsupported-channel-binding-type" => ServerError::UnsupportedChannelBindingType,
            "unknown-user" => ServerError::UnknownUser,
            "invalid-username-encoding" => ServerError::InvalidUsernameEncoding,
            "no-resources" => ServerError::NoResources,
            other => ServerError::Other(String::from(other)),
        }
    }

    /// The attribute's value.
    pub fn value(&self) -> &str {
        match self {
            ServerError::InvalidEncoding => "invalid-encoding",
            ServerError::ExtensionsNotSupported => "extensions-not-supported",
            ServerError::InvalidProof => "invalid-proof",
            ServerError::ChannelBindingsDontMatch => "channel-bindings-dont-match",
            ServerError::ServerDoesSupportChannelBinding => "server-does-support-channel-binding",
            ServerError::ChannelBindingNotSupported => "channel-binding-not-supported",
            ServerError::UnsupportedChannelBindingType => "unsupported-channel-binding-type",
            ServerError::UnknownUser => "unknown-user",
            ServerError::InvalidUsernameEncoding => "invalid-username-encoding",
            ServerError::NoResources => "no-resources",
            ServerError::Other(value) => value,
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.value())
    }
}

/// The name belongs to none of the known values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownName;

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name is not known")
    }
}

impl core::error::Error for UnknownName {}
