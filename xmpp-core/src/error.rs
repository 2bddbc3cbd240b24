//! Stanza errors (RFC 6120 §8.3) and stream errors (RFC 6120 §4.9).
//!
//! A [`StanzaError`] answers one stanza and leaves the stream as it is; a [`StreamError`] ends the stream.
//! Texts are for people and are never to be parsed (RFC 6120 §4.9.2).

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;

use xmpp_xml::{Element, ElementRef, FromXml, FromXmlError, IntoOwned, ToXml, Writer};

use crate::jid::{Address, Jid};
use crate::ns;

/// Why a stanza was refused: the content of its `<error/>` (RFC 6120 §8.3).
///
/// ```
/// use xmpp_core::error::{ErrorType, StanzaCondition, StanzaError};
///
/// let error = StanzaError::new(StanzaCondition::ItemNotFound).with_text("no such node");
/// assert_eq!(error.kind, ErrorType::Cancel);
/// assert_eq!(error.to_string(), "item-not-found (no such node)");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StanzaError {
    /// What the sender is to do about it.
    pub kind: ErrorType,
    /// What is wrong.
    pub condition: StanzaCondition,
    /// A text for people.
    pub text: Option<Box<str>>,
    /// The language of the text (RFC 5646).
    pub lang: Option<Box<str>>,
    /// Who found the error, where that is not the address that the error comes from.
    pub by: Option<Jid>,
    /// With `gone` and `redirect`: the new address, as a URI.
    pub uri: Option<Box<str>>,
    /// An application-specific condition beside the defined one (RFC 6120 §8.3.4).
    pub application: Option<Element>,
}

impl StanzaError {
    /// An error of that condition and its usual type.
    #[must_use]
    pub fn new(condition: StanzaCondition) -> Self {
        let kind = condition.default_type();
        Self {
            kind,
            condition,
            text: None,
            lang: None,
            by: None,
            uri: None,
            application: None,
        }
    }

    /// Sets the type. Default: [`StanzaCondition::default_type`].
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorType) -> Self {
        self.kind = kind;
        self
    }

    /// Adds a text for people. Default: none.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Box<str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Tells who found the error. Default: nobody but the sender of the error.
    #[must_use]
    pub fn with_by(mut self, by: Jid) -> Self {
        self.by = Some(by);
        self
    }

    /// Adds the new address to `gone` or `redirect`. Default: none.
    #[must_use]
    pub fn with_uri(mut self, uri: impl Into<Box<str>>) -> Self {
        self.uri = Some(uri.into());
        self
    }

    /// Adds an application-specific condition. Default: none.
    #[must_use]
    pub fn with_application(mut self, application: Element) -> Self {
        self.application = Some(application);
        self
    }

    /// The error in a stanza of type `error`; `undefined-condition` when it holds none.
    #[must_use]
    pub fn of(stanza: ElementRef<'_>) -> Self {
        let error = stanza.child("error", stanza.namespace());
        error.map_or_else(
            || Self::new(StanzaCondition::UndefinedCondition),
            Self::read,
        )
    }

    fn read(element: ElementRef<'_>) -> Self {
        let mut error = Self::new(StanzaCondition::UndefinedCondition);
        let content = Content::read(element, ns::STANZA_ERRORS);
        if let Some((name, text)) = content.condition {
            error = Self::new(StanzaCondition::from_name(name));
            let has_uri = matches!(
                error.condition,
                StanzaCondition::Gone | StanzaCondition::Redirect
            );
            error.uri = Some(text)
                .filter(|text| has_uri && !text.is_empty())
                .map(Box::from);
        }
        if let Some(kind) = element.attribute("type") {
            error.kind = ErrorType::from_name(&kind);
        }
        error.by = element
            .attribute("by")
            .and_then(|by| Address::parse(by).ok())
            .map(Address::into_jid);
        (error.text, error.lang, error.application) =
            (content.text, content.lang, content.application);
        error
    }
}

impl From<StanzaCondition> for StanzaError {
    fn from(condition: StanzaCondition) -> Self {
        Self::new(condition)
    }
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.condition.as_str(), self.text.as_deref())
    }
}

impl core::error::Error for StanzaError {}

impl<'a> FromXml<'a> for StanzaError {
    fn matches(element: ElementRef<'_>) -> bool {
        element.name() == "error" && matches!(element.namespace(), ns::CLIENT | ns::SERVER)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        if !Self::matches(element) {
            return Err(FromXmlError::unexpected(element));
        }
        Ok(Self::read(element))
    }
}

impl ToXml for StanzaError {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer
            .start("error", ns::CLIENT)
            .attribute("type", self.kind.as_str());
        writer.attribute_opt("by", self.by.as_ref().map(Jid::as_str));
        let content = (
            self.uri.as_deref(),
            self.text.as_deref(),
            self.lang.as_deref(),
        );
        write_content(writer, ns::STANZA_ERRORS, self.condition.as_str(), content);
        if let Some(application) = &self.application {
            writer.element(application.root());
        }
        writer.end();
    }
}

impl IntoOwned for StanzaError {
    type Owned = Self;

    fn into_owned(self) -> Self {
        self
    }
}

/// Why a stream ends: the content of `<stream:error/>` (RFC 6120 §4.9).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StreamError {
    /// Why.
    pub condition: StreamCondition,
    /// A text for people.
    pub text: Option<Box<str>>,
    /// The language of the text (RFC 5646).
    pub lang: Option<Box<str>>,
    /// With `see-other-host`: host or host:port, an IPv6 address in brackets (RFC 6120 §4.9.3.19).
    pub host: Option<Box<str>>,
    /// An application-specific condition beside the defined one (RFC 6120 §4.9.4).
    pub application: Option<Element>,
}

impl StreamError {
    /// An error of that condition.
    #[must_use]
    pub fn new(condition: StreamCondition) -> Self {
        Self {
            condition,
            text: None,
            lang: None,
            host: None,
            application: None,
        }
    }

    /// Adds a text for people. Default: none.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<Box<str>>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Adds the host to `see-other-host`. Default: none.
    #[must_use]
    pub fn with_host(mut self, host: impl Into<Box<str>>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Adds an application-specific condition. Default: none.
    #[must_use]
    pub fn with_application(mut self, application: Element) -> Self {
        self.application = Some(application);
        self
    }

    fn read(element: ElementRef<'_>) -> Self {
        let mut error = Self::new(StreamCondition::UndefinedCondition);
        let content = Content::read(element, ns::STREAM_ERRORS);
        if let Some((name, text)) = content.condition {
            error.condition = StreamCondition::from_name(name);
            let has_host = error.condition == StreamCondition::SeeOtherHost;
            error.host = Some(text)
                .filter(|text| has_host && !text.is_empty())
                .map(Box::from);
        }
        (error.text, error.lang, error.application) =
            (content.text, content.lang, content.application);
        error
    }
}

impl From<StreamCondition> for StreamError {
    fn from(condition: StreamCondition) -> Self {
        Self::new(condition)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        display(f, self.condition.as_str(), self.text.as_deref())
    }
}

impl core::error::Error for StreamError {}

impl<'a> FromXml<'a> for StreamError {
    fn matches(element: ElementRef<'_>) -> bool {
        element.is("error", ns::STREAMS)
    }

    fn from_xml(element: ElementRef<'a>) -> Result<Self, FromXmlError> {
        if !Self::matches(element) {
            return Err(FromXmlError::unexpected(element));
        }
        Ok(Self::read(element))
    }
}

impl ToXml for StreamError {
    fn to_xml(&self, writer: &mut Writer<'_>) {
        writer.start("error", ns::STREAMS);
        let content = (
            self.host.as_deref(),
            self.text.as_deref(),
            self.lang.as_deref(),
        );
        write_content(writer, ns::STREAM_ERRORS, self.condition.as_str(), content);
        if let Some(application) = &self.application {
            writer.element(application.root());
        }
        writer.end();
    }
}

impl IntoOwned for StreamError {
    type Owned = Self;

    fn into_owned(self) -> Self {
        self
    }
}

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

/// What stanza and stream errors have in common. Of several conditions the first counts.
#[derive(Default)]
struct Content<'a> {
    condition: Option<(&'a str, Cow<'a, str>)>,
    text: Option<Box<str>>,
    lang: Option<Box<str>>,
    application: Option<Element>,
}

impl<'a> Content<'a> {
    fn read(element: ElementRef<'a>, namespace: &str) -> Self {
        let mut content = Self::default();
        for child in element.children() {
            if child.namespace() != namespace {
                content
                    .application
                    .get_or_insert_with(|| child.to_element());
            } else if child.name() != "text" {
                content
                    .condition
                    .get_or_insert_with(|| (child.name(), child.text()));
            } else if content.text.is_none() {
                content.text = Some(Box::from(child.text()));
                content.lang = child.lang().map(Box::from);
            }
        }
        content
    }
}

fn write_content(
    writer: &mut Writer<'_>,
    namespace: &str,
    condition: &str,
    (content, text, lang): (Option<&str>, Option<&str>, Option<&str>),
) {
    writer.start(condition, namespace);
    if let Some(content) = content {
        writer.text(content);
    }
    writer.end();
    if let Some(text) = text {
        writer.start("text", namespace);
        if let Some(lang) = lang {
            writer.lang(lang);
        }
        writer.text(text).end();
    }
}

fn display(f: &mut fmt::Formatter<'_>, condition: &str, text: Option<&str>) -> fmt::Result {
    match text {
        Some(text) => write!(f, "{condition} ({text})"),
        None => f.write_str(condition),
    }
}
