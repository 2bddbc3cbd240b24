//! Stanza errors (RFC 6120 §8.3) and stream errors (RFC 6120 §4.9).

use core::fmt;

/// What is wrong with a stanza (RFC 6120 §8.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StanzaCondition {
    /// What was asked breaks the rules of its protocol. (RFC 6120 §8.3.3.1)
    BadRequest,
    /// A resource or session of that name exists already. (RFC 6120 §8.3.3.2)
    Conflict,
    /// The recipient knows the namespace but not what is asked. (RFC 6120 §8.3.3.3)
    FeatureNotImplemented,
    /// The sender may not do this. (RFC 6120 §8.3.3.4)
    Forbidden,
    /// The recipient has left this address for good; perhaps with its new one. (RFC 6120 §8.3.3.5)
    Gone,
    /// Something went wrong inside the recipient or a server. (RFC 6120 §8.3.3.6)
    InternalServerError,
    /// The address or item does not exist. (RFC 6120 §8.3.3.7)
    ItemNotFound,
    /// An address in the stanza is none. (RFC 6120 §8.3.3.8)
    JidMalformed,
    /// The request is understood but does not fulfil what the recipient demands. (RFC 6120 §8.3.3.9)
    NotAcceptable,
    /// Nobody may do this. (RFC 6120 §8.3.3.10)
    NotAllowed,
    /// The sender has to log in first. (RFC 6120 §8.3.3.11)
    NotAuthorized,
    /// The stanza breaks a policy of a server. (RFC 6120 §8.3.3.12)
    PolicyViolation,
    /// The recipient is away for a while. (RFC 6120 §8.3.3.13)
    RecipientUnavailable,
    /// The recipient is to be found at another address for now. (RFC 6120 §8.3.3.14)
    Redirect,
    /// The sender has to register first. (RFC 6120 §8.3.3.15)
    RegistrationRequired,
    /// The recipient's server does not exist. (RFC 6120 §8.3.3.16)
    RemoteServerNotFound,
    /// The recipient's server cannot be reached. (RFC 6120 §8.3.3.17)
    RemoteServerTimeout,
    /// Memory, time or another resource is short. (RFC 6120 §8.3.3.18)
    ResourceConstraint,
    /// The recipient does not offer this; also the answer that discloses nothing. (RFC 6120 §8.3.3.19)
    ServiceUnavailable,
    /// The sender has to be subscribed first. (RFC 6120 §8.3.3.20)
    SubscriptionRequired,
    /// Something that only an application-specific element tells. (RFC 6120 §8.3.3.21)
    UndefinedCondition,
    /// The request came out of order or at the wrong time. (RFC 6120 §8.3.3.22)
    UnexpectedRequest,
}

impl StanzaCondition {
    /// Every condition, in the order of the standard.
    pub const ALL: [Self; 22] = [
        Self::BadRequest,
        Self::Conflict,
        Self::FeatureNotImplemented,
        Self::Forbidden,
        Self::Gone,
        Self::InternalServerError,
        Self::ItemNotFound,
        Self::JidMalformed,
        Self::NotAcceptable,
        Self::NotAllowed,
        Self::NotAuthorized,
        Self::PolicyViolation,
        Self::RecipientUnavailable,
        Self::Redirect,
        Self::RegistrationRequired,
        Self::RemoteServerNotFound,
        Self::RemoteServerTimeout,
        Self::ResourceConstraint,
        Self::ServiceUnavailable,
        Self::SubscriptionRequired,
        Self::UndefinedCondition,
        Self::UnexpectedRequest,
    ];

    /// The name of the condition's element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::Conflict => "conflict",
            Self::FeatureNotImplemented => "feature-not-implemented",
            Self::Forbidden => "forbidden",
            Self::Gone => "gone",
            Self::InternalServerError => "internal-server-error",
            Self::ItemNotFound => "item-not-found",
            Self::JidMalformed => "jid-malformed",
            Self::NotAcceptable => "not-acceptable",
            Self::NotAllowed => "not-allowed",
            Self::NotAuthorized => "not-authorized",
            Self::PolicyViolation => "policy-violation",
            Self::RecipientUnavailable => "recipient-unavailable",
            Self::Redirect => "redirect",
            Self::RegistrationRequired => "registration-required",
            Self::RemoteServerNotFound => "remote-server-not-found",
            Self::RemoteServerTimeout => "remote-server-timeout",
            Self::ResourceConstraint => "resource-constraint",
            Self::ServiceUnavailable => "service-unavailable",
            Self::SubscriptionRequired => "subscription-required",
            Self::UndefinedCondition => "undefined-condition",
            Self::UnexpectedRequest => "unexpected-request",
        }
    }

    /// The condition of that name. Unknown names are `undefined-condition` (RFC 6120 §8.3.2).
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        let known = Self::ALL
            .into_iter()
            .find(|condition| condition.as_str() == name);
        known.unwrap_or(Self::UndefinedCondition)
    }

    /// What the sender is usually advised to do about it.
    #[must_use]
    pub fn default_type(self) -> ErrorType {
        match self {
            Self::Forbidden
            | Self::NotAuthorized
            | Self::RegistrationRequired
            | Self::SubscriptionRequired => ErrorType::Auth,
            Self::BadRequest
            | Self::JidMalformed
            | Self::NotAcceptable
            | Self::PolicyViolation
            | Self::Redirect => ErrorType::Modify,
            Self::RecipientUnavailable
            | Self::RemoteServerTimeout
            | Self::ResourceConstraint
            | Self::UnexpectedRequest => ErrorType::Wait,
            Self::Conflict
            | Self::FeatureNotImplemented
            | Self::Gone
            | Self::InternalServerError
            | Self::ItemNotFound
            | Self::NotAllowed
            | Self::RemoteServerNotFound
            | Self::ServiceUnavailable
            | Self::UndefinedCondition => ErrorType::Cancel,
        }
    }
}

impl fmt::Display for StanzaCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What the sender of a stanza is to do about its error (RFC 6120 §8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorType {
    /// Try again with credentials.
    Auth,
    /// Do not try again.
    Cancel,
    /// Go on: this was a warning.
    Continue,
    /// Change the data and try again.
    Modify,
    /// Try again later.
    Wait,
}

impl ErrorType {
    /// The value of the attribute `type`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Cancel => "cancel",
            Self::Continue => "continue",
            Self::Modify => "modify",
            Self::Wait => "wait",
        }
    }

    /// The type of that name; unknown names are `cancel`, which asks for nothing.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "auth" => Self::Auth,
            "continue" => Self::Continue,
            "modify" => Self::Modify,
            "wait" => Self::Wait,
            _ => Self::Cancel,
        }
    }
}

/// Why a stream ends (RFC 6120 §4.9.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamCondition {
    /// The XML cannot be processed. (RFC 6120 §4.9.3.1)
    BadFormat,
    /// A prefix is missing or is none that is supported. (RFC 6120 §4.9.3.2)
    BadNamespacePrefix,
    /// A newer stream replaces this one, or this one is refused for an older one. (RFC 6120 §4.9.3.3)
    Conflict,
    /// The peer does not answer any more. (RFC 6120 §4.9.3.4)
    ConnectionTimeout,
    /// The domain is not served any more. (RFC 6120 §4.9.3.5)
    HostGone,
    /// The domain is not served. (RFC 6120 §4.9.3.6)
    HostUnknown,
    /// A stanza between servers has no valid `to` or `from`. (RFC 6120 §4.9.3.7)
    ImproperAddressing,
    /// The server is not able to serve the stream. (RFC 6120 §4.9.3.8)
    InternalServerError,
    /// The sender may not speak for that address. (RFC 6120 §4.9.3.9)
    InvalidFrom,
    /// The stream or its content is in a namespace that is not supported. (RFC 6120 §4.9.3.10)
    InvalidNamespace,
    /// The XML does not fit its schema. (RFC 6120 §4.9.3.11)
    InvalidXml,
    /// Something was sent that only an authenticated peer may send. (RFC 6120 §4.9.3.12)
    NotAuthorized,
    /// The XML is not well-formed or not namespace-well-formed. (RFC 6120 §4.9.3.13)
    NotWellFormed,
    /// A policy of the service was broken. (RFC 6120 §4.9.3.14)
    PolicyViolation,
    /// A remote party that is needed cannot be reached. (RFC 6120 §4.9.3.15)
    RemoteConnectionFailed,
    /// The stream has to be negotiated anew. (RFC 6120 §4.9.3.16)
    Reset,
    /// The server lacks what it needs to serve the stream. (RFC 6120 §4.9.3.17)
    ResourceConstraint,
    /// A comment, processing instruction, DTD or entity that XMPP forbids was sent. (RFC 6120 §4.9.3.18)
    RestrictedXml,
    /// The service is to be found at another host. (RFC 6120 §4.9.3.19)
    SeeOtherHost,
    /// The server is going down. (RFC 6120 §4.9.3.20)
    SystemShutdown,
    /// Something that only an application-specific element tells. (RFC 6120 §4.9.3.21)
    UndefinedCondition,
    /// The encoding is not UTF-8. (RFC 6120 §4.9.3.22)
    UnsupportedEncoding,
    /// A feature that has to be negotiated is not supported. (RFC 6120 §4.9.3.23)
    UnsupportedFeature,
    /// A first-level element is none that is supported. (RFC 6120 §4.9.3.24)
    UnsupportedStanzaType,
    /// The version of XMPP is not supported. (RFC 6120 §4.9.3.25)
    UnsupportedVersion,
}

impl StreamCondition {
    /// Every condition, in the order of the standard.
    pub const ALL: [Self; 25] = [
        Self::BadFormat,
        Self::BadNamespacePrefix,
        Self::Conflict,
        Self::ConnectionTimeout,
        Self::HostGone,
        Self::HostUnknown,
        Self::ImproperAddressing,
        Self::InternalServerError,
        Self::InvalidFrom,
        Self::InvalidNamespace,
        Self::InvalidXml,
        Self::NotAuthorized,
        Self::NotWellFormed,
        Self::PolicyViolation,
        Self::RemoteConnectionFailed,
        Self::Reset,
        Self::ResourceConstraint,
        Self::RestrictedXml,
        Self::SeeOtherHost,
        Self::SystemShutdown,
        Self::UndefinedCondition,
        Self::UnsupportedEncoding,
        Self::UnsupportedFeature,
        Self::UnsupportedStanzaType,
        Self::UnsupportedVersion,
    ];

    /// The name of the condition's element.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadFormat => "bad-format",
            Self::BadNamespacePrefix => "bad-namespace-prefix",
            Self::Conflict => "conflict",
            Self::ConnectionTimeout => "connection-timeout",
            Self::HostGone => "host-gone",
            Self::HostUnknown => "host-unknown",
            Self::ImproperAddressing => "improper-addressing",
            Self::InternalServerError => "internal-server-error",
            Self::InvalidFrom => "invalid-from",
            Self::InvalidNamespace => "invalid-namespace",
            Self::InvalidXml => "invalid-xml",
            Self::NotAuthorized => "not-authorized",
            Self::NotWellFormed => "not-well-formed",
            Self::PolicyViolation => "policy-violation",
            Self::RemoteConnectionFailed => "remote-connection-failed",
            Self::Reset => "reset",
            Self::ResourceConstraint => "resource-constraint",
            Self::RestrictedXml => "restricted-xml",
            Self::SeeOtherHost => "see-other-host",
            Self::SystemShutdown => "system-shutdown",
            Self::UndefinedCondition => "undefined-condition",
            Self::UnsupportedEncoding => "unsupported-encoding",
            Self::UnsupportedFeature => "unsupported-feature",
            Self::UnsupportedStanzaType => "unsupported-stanza-type",
            Self::UnsupportedVersion => "unsupported-version",
        }
    }

    /// The condition of that name. Unknown names are `undefined-condition` (RFC 6120 §4.9.2); the
    /// `xml-not-well-formed` of RFC 3920 is `not-well-formed`.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if name == "xml-not-well-formed" {
            return Self::NotWellFormed;
        }
        let known = Self::ALL
            .into_iter()
            .find(|condition| condition.as_str() == name);
        known.unwrap_or(Self::UndefinedCondition)
    }
}

impl fmt::Display for StreamCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
