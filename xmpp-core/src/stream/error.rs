//! How a stream can fail, and who is to blame.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xmpp_sasl::{BearerError, Condition};
use xmpp_xml::{Fault, WriteError};

use super::State;
use crate::error::{StanzaError, StreamCondition, StreamError};

/// Why a stream ended other than by being closed.
///
/// [`Error::blame`] says who has to mend it. After an error whose blame is the network a client tries
/// again later; after others it tells its user.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The peer sent XML that is not accepted. It was told the fault's condition.
    Xml(Fault),
    /// The peer broke the protocol. It was told this.
    Violation(StreamError),
    /// The peer ended the stream with this error: `host-unknown`, `conflict`, `policy-violation`, ….
    Refused(StreamError),
    /// The server does not offer a feature without which there is no stream: with
    /// [`FeatureKind::StartTls`] it has no TLS to offer. The stream was closed.
    NotOffered(FeatureKind),
    /// The server demands a feature that is not known here. It was told `unsupported-feature`.
    UnknownFeature {
        /// The name of its element.
        name: String,
        /// The namespace of its element.
        namespace: String,
    },
    /// The server refused to begin TLS. The stream was closed.
    TlsRefused,
    /// The server offers no SASL mechanism that the policy allows. The stream was closed.
    NoCommonMechanism {
        /// What is missing.
        reason: xmpp_sasl::Error,
        /// The mechanisms that the server offers.
        offered: Vec<String>,
    },
    /// The credentials cannot be used, or the server did not prove that it knows them: with
    /// [`xmpp_sasl::Error::WrongServerSignature`] it may be an impostor. The stream was closed.
    Sasl(xmpp_sasl::Error),
    /// The server refused the credentials: wrong password, unknown or disabled account. The stream was
    /// closed.
    Authentication(SaslFailure),
    /// The server demands more than a mechanism, and none of it is known here (XEP-0388 §2.6.3): a second
    /// factor, for instance. The stream was closed.
    UnknownTasks(Vec<String>),
    /// The server refused to bind a resource, `conflict` for one that is in use. The stream was closed.
    Bind(Box<StanzaError>),
    /// The peer stayed silent too long in that state.
    Timeout(State),
    /// The peer did not acknowledge in time what it was sent. It was told nothing, so that the session can be
    /// resumed.
    Unacknowledged,
    /// The connection ended in that state without the stream being closed.
    Disconnected(State),
    /// The server has sent the client to another WebSocket or BOSH endpoint, which is no less secure
    /// (RFC 7395 §3.6.1).
    Redirected {
        /// Where to connect.
        uri: String,
    },
    /// The application did not answer a ticket within the time for negotiation.
    Unanswered(State),
    /// The application ended the stream with this error.
    Failed(StreamError),
}

impl Error {
    /// Who has to mend it.
    #[must_use]
    pub fn blame(&self) -> Blame {
        match self {
            Self::Xml(_)
            | Self::Violation(_)
            | Self::Refused(_)
            | Self::NotOffered(_)
            | Self::UnknownFeature { .. }
            | Self::TlsRefused
            | Self::UnknownTasks(_)
            | Self::Bind(_) => Blame::Peer,
            Self::NoCommonMechanism { reason, .. } | Self::Sasl(reason) => match reason.blame() {
                xmpp_sasl::Blame::Peer => Blame::Peer,
                xmpp_sasl::Blame::Caller => Blame::Caller,
            },
            Self::Authentication(_) | Self::Unanswered(_) | Self::Failed(_) => Blame::Caller,
            Self::Timeout(_)
            | Self::Unacknowledged
            | Self::Redirected { .. }
            | Self::Disconnected(_) => Blame::Network,
        }
    }

    /// The stream error that the peer was told, if it was told one.
    #[must_use]
    pub fn told(&self) -> Option<StreamError> {
        match self {
            Self::Xml(fault) => {
                let condition = StreamCondition::from_name(fault.condition());
                Some(StreamError::new(condition))
            }
            Self::Violation(error) | Self::Failed(error) => Some(error.clone()),
            Self::UnknownFeature { .. } => Some(StreamCondition::UnsupportedFeature.into()),
            Self::Timeout(state) if *state != State::Closing => {
                Some(StreamCondition::ConnectionTimeout.into())
            }
            Self::Unanswered(_) => Some(StreamCondition::InternalServerError.into()),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xml(fault) => write!(f, "the peer's XML was refused: {fault}"),
            Self::Violation(error) => write!(f, "the peer broke the protocol: {error}"),
            Self::Refused(error) => write!(f, "the peer ended the stream: {error}"),
            Self::NotOffered(feature) => write!(f, "the server does not offer {feature}"),
            Self::UnknownFeature { name, namespace } => {
                write!(
                    f,
                    "the server demands the unknown feature {{{namespace}}}{name}"
                )
            }
            Self::TlsRefused => f.write_str("the server refused to begin TLS"),
            Self::NoCommonMechanism { reason, offered } => {
                write!(f, "{reason} (it offers {})", offered.join(", "))
            }
            Self::Sasl(error) => write!(f, "authentication was broken off: {error}"),
            Self::Authentication(failure) => {
                write!(f, "the server refused the credentials: {failure}")
            }
            Self::UnknownTasks(tasks) => {
                write!(f, "the server demands unknown tasks: {}", tasks.join(", "))
            }
            Self::Bind(error) => write!(f, "the server refused to bind a resource: {error}"),
            Self::Timeout(state) => write!(f, "the peer did not answer in time {state}"),
            Self::Redirected { uri } => write!(f, "the server is to be found at {uri}"),
            Self::Unacknowledged => f.write_str("the peer did not acknowledge in time"),
            Self::Disconnected(state) => write!(f, "the connection ended {state}"),
            Self::Unanswered(state) => {
                write!(f, "the application did not answer in time {state}")
            }
            Self::Failed(error) => write!(f, "the application ended the stream: {error}"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Xml(fault) => Some(fault),
            Self::Violation(error) | Self::Refused(error) | Self::Failed(error) => Some(error),
            Self::NoCommonMechanism { reason, .. } | Self::Sasl(reason) => Some(reason),
            Self::Bind(error) => Some(&**error),
            _ => None,
        }
    }
}

/// Who has to mend an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The other side of the stream.
    Peer,
    /// The program that uses this crate, or its user: configuration, credentials, answers.
    Caller,
    /// What lies between. Trying again later may help.
    Network,
}

/// A feature that is negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeatureKind {
    /// Encryption (RFC 6120 §5).
    StartTls,
    /// Authentication (RFC 6120 §6).
    Sasl,
    /// Resource binding (RFC 6120 §7).
    Bind,
    /// The session of RFC 3921.
    Session,
    /// Stream management (XEP-0198).
    Management,
    /// The handshake of a component (XEP-0114).
    Component,
}

impl fmt::Display for FeatureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartTls => "TLS",
            Self::Sasl => "authentication",
            Self::Bind => "resource binding",
            Self::Session => "sessions",
            Self::Management => "stream management",
            Self::Component => "the handshake",
        })
    }
}

/// What a server says in SASL's `<failure/>` (RFC 6120 §6.5).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SaslFailure {
    /// Why. Conditions that are not known are `not-authorized`.
    pub condition: Condition,
    /// A text for people.
    pub text: Option<String>,
    /// What the server said of a bearer token (RFC 7628 §3.2.2): the scope that it needs, for instance.
    pub bearer: Option<Box<BearerError>>,
}

impl fmt::Display for SaslFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(f, "{} ({text})", self.condition),
            None => write!(f, "{}", self.condition),
        }
    }
}

/// What the caller did that the stream cannot do now. The stream is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// Stanzas are sent from [`Event::Established`](super::Event::Established) on.
    NotEstablished,
    /// The stream was closed or has failed.
    Closed,
    /// The stanza cannot be written.
    Write(WriteError),
    /// What was written is more or less than one or several complete stanzas of the stream.
    NoStanza,
    /// Nothing waits for TLS now.
    NoHandshake,
    /// The ticket was answered already, or the stream has moved on.
    UnknownTicket,
    /// What is bound must be a full address of the account that authenticated.
    WrongAddress,
    /// As much as may wait for acknowledgement does so. Wait for
    /// [`Event::Acknowledged`](super::Event::Acknowledged), or end the stream.
    QueueFull,
    /// The peer takes no element of more than that many bytes (XEP-0478). Whoever sent it is told
    /// `policy-violation`.
    TooLong(u32),
    /// The session cannot be resumed, or this stream cannot resume one: it is no initiator with stream
    /// management, or is authenticated already.
    NotResumable,
    /// That is no answer for this side of the stream.
    WrongAnswer,
    /// This stream logs in without a token: it is no initiator with SASL2 and an installation that has an identifier,
    /// or is authenticated already.
    NoTokens,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEstablished => f.write_str("the stream is not established yet"),
            Self::Closed => f.write_str("the stream is closed"),
            Self::Write(error) => write!(f, "the stanza cannot be written: {error}"),
            Self::NoStanza => f.write_str("what was written is no stanza"),
            Self::NoHandshake => f.write_str("the stream does not wait for TLS"),
            Self::UnknownTicket => f.write_str("the ticket is not open"),
            Self::WrongAddress => f.write_str("that is no full address of the account"),
            Self::QueueFull => f.write_str("too much waits for acknowledgement"),
            Self::TooLong(limit) => write!(f, "the peer takes no more than {limit} bytes"),
            Self::NotResumable => f.write_str("the session cannot be resumed here"),
            Self::WrongAnswer => f.write_str("the other side may answer that"),
            Self::NoTokens => f.write_str("no token can be used here"),
        }
    }
}

impl core::error::Error for Misuse {}
