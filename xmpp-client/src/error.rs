//! What can go wrong, and who has to mend it.

use std::fmt;
use std::time::Duration;

use xmpp_core::error::{StanzaError, StreamCondition};
use xmpp_core::stream;
use xmpp_net::{ConfigError, NetError};
use xmpp_sasl::Condition;
use xmpp_xml::{FromXmlError, WriteError};

/// Why there is no stream.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// No connection, or no TLS: the host is unknown, nothing listens, the certificate is not trusted.
    Net(NetError),
    /// The server was reached, but refused or broke off: wrong password, wrong domain, no TLS, no mechanism.
    Stream(stream::Error),
    /// The roots of the system cannot be read.
    Roots(ConfigError),
    /// The system gave no random bytes.
    Random(getrandom::Error),
}

impl ConnectError {
    /// Whether the server refused the credentials. Trying again with the same ones is of no use.
    pub fn is_authentication(&self) -> bool {
        matches!(
            self,
            Self::Stream(stream::Error::Authentication(_) | stream::Error::Sasl(_))
        )
    }

    /// How the client ends for it, if trying again is of no use: the credentials were refused for good, or cannot be
    /// used; or another has taken the resource.
    pub(crate) fn end(&self) -> Option<End> {
        let Self::Stream(error) = self else {
            return None;
        };
        let is_final = match error {
            stream::Error::Authentication(failure) => {
                failure.condition != Condition::TemporaryAuthFailure
            }
            stream::Error::Sasl(_)
            | stream::Error::NoCommonMechanism { .. }
            | stream::Error::UnknownTasks(_) => true,
            error => is_conflict(error),
        };
        is_final.then(|| End::Failed(error.clone()))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(error) => error.fmt(f),
            Self::Stream(error) => error.fmt(f),
            Self::Roots(error) => error.fmt(f),
            Self::Random(error) => write!(f, "no random bytes from the system: {error}"),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Net(error) => error.source(),
            Self::Roots(error) => error.source(),
            Self::Stream(_) | Self::Random(_) => None,
        }
    }
}

impl From<NetError> for ConnectError {
    fn from(error: NetError) -> Self {
        Self::Net(error)
    }
}

/// How a stream ended, or a client for good.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum End {
    /// It was closed, by either side.
    Closed,
    /// It failed: the server ended it with an error, broke the protocol, or the connection was lost.
    Failed(stream::Error),
}

impl End {
    /// Whether the same would happen again and again: another has taken the resource (RFC 6120 §4.9.3.3).
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Failed(error) if is_conflict(error))
    }
}

fn is_conflict(error: &stream::Error) -> bool {
    matches!(error, stream::Error::Refused(error) if error.condition == StreamCondition::Conflict)
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the stream was closed"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for End {}

/// Why a stanza was not sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SendError {
    /// The client has ended.
    Ended(End),
    /// The stanza cannot be written; nothing of it was sent.
    Write(WriteError),
    /// Nothing was written where a stanza should have been.
    NoStanza,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(end) => end.fmt(f),
            Self::Write(error) => write!(f, "the stanza cannot be written: {error}"),
            Self::NoStanza => f.write_str("no stanza was written"),
        }
    }
}

impl std::error::Error for SendError {}

/// Why a request has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not sent.
    Send(SendError),
    /// The peer answered with an error.
    Refused(StanzaError),
    /// No reply came in time.
    TimedOut(Duration),
    /// The client ended before the reply came.
    Ended(End),
    /// The server has the request, but the session that the reply was for is gone.
    Lost,
    /// More requests are waiting than [`Config::requests`](crate::Config::requests) allows.
    TooMany,
    /// The reply does not hold what was asked for.
    Reply(FromXmlError),
    /// The reply holds nothing where something was asked for.
    Empty,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "no reply within {limit:?}"),
            Self::Ended(end) => end.fmt(f),
            Self::Lost => f.write_str("the session was lost before the reply came"),
            Self::TooMany => f.write_str("too many requests wait for replies"),
            Self::Reply(error) => write!(f, "unexpected reply: {error}"),
            Self::Empty => f.write_str("the reply is empty"),
        }
    }
}

impl std::error::Error for RequestError {}

impl From<SendError> for RequestError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Ended(end) => Self::Ended(end),
            error => Self::Send(error),
        }
    }
}
