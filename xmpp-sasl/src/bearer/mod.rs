//! OAUTHBEARER (RFC 7628): a bearer token of OAuth 2.0 (RFC 6750).

mod json;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::channel::Channel;
use crate::error::{Error, Failure, MessageError};
use crate::limits::Limits;
use crate::scram::{BindingFlag, Gs2Header, escape};
use crate::single::Opening;

/// Separates the pairs, and is by itself the client's answer to an error report (RFC 7628 §3.1).
const SEPARATOR: &str = "\x01";

/// Why a server does not accept a bearer token, in words that the client can act on (RFC 7628 §3.2.2). It says nothing
/// about the user.
///
/// ```
/// use xmpp_sasl::BearerError;
///
/// let error = BearerError::invalid_token()
///     .scope("example_scope")
///     .openid_configuration("https://example.com/.well-known/openid-config");
/// assert_eq!(error.status(), "invalid_token");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerError {
    status: String,
    scope: Option<String>,
    openid_configuration: Option<String>,
}

impl BearerError {
    /// With a code from the registry of OAuth extensions errors, such as `insufficient_scope`.
    pub fn new(status: impl Into<String>) -> BearerError {
        BearerError {
            status: status.into(),
            scope: None,
            openid_configuration: None,
        }
    }

    /// `invalid_token`: it expired, was revoked, is malformed or is missing (RFC 6750 §3.1).
    pub fn invalid_token() -> BearerError {
        BearerError::new("invalid_token")
    }

    /// Adds the scope that a token needs; without it, tokens without scope are needed.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> BearerError {
        self.scope = Some(scope.into());
        self
    }

    /// Adds the https URL of the document that tells where tokens are to be had.
    #[must_use]
    pub fn openid_configuration(mut self, url: impl Into<String>) -> BearerError {
        self.openid_configuration = Some(url.into());
        self
    }

    /// The error code.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// The scope that a token needs.
    pub fn needed_scope(&self) -> Option<&str> {
        self.scope.as_deref()
    }

    /// The URL where a client finds out how to get a token. It comes from the server and is not checked.
    pub fn openid_configuration_url(&self) -> Option<&str> {
        self.openid_configuration.as_deref()
    }

    fn parse(challenge: &[u8], limits: &Limits) -> Result<BearerError, MessageError> {
        let text = limits.text(challenge)?;
        let (mut status, mut scope, mut configuration) = (None, None, None);
        json::read_object(text, limits.extensions, |name, value| {
            let member = match name {
                "status" => &mut status,
                "scope" => &mut scope,
                "openid-configuration" => &mut configuration,
                _ => return Ok(()),
            };
            match member.replace(value) {
                None => Ok(()),
                Some(_) => Err(MessageError::Malformed("repeated member")),
            }
        })?;
        Ok(BearerError {
            status: status.ok_or(MessageError::Malformed("no status"))?,
            scope,
            openid_configuration: configuration,
        })
    }

    pub(crate) fn to_challenge(&self) -> Vec<u8> {
        let mut text = String::from("{");
        let members = [
            ("status", Some(&self.status)),
            ("scope", self.scope.as_ref()),
            ("openid-configuration", self.openid_configuration.as_ref()),
        ];
        for (name, value) in members {
            let Some(value) = value else { continue };
            if text.len() > 1 {
                text.push(',');
            }
            json::write_string(&mut text, name);
            text.push(':');
            json::write_string(&mut text, value);
        }
        text.push('}');
        text.into_bytes()
    }
}

impl fmt::Display for BearerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.status)
    }
}

impl core::error::Error for BearerError {}

/// The client's side: one message, and perhaps the answer to an error report.
pub(crate) struct BearerClient {
    opening: Opening,
    error: Option<BearerError>,
    limits: Limits,
    done: bool,
}

impl BearerClient {
    pub(crate) fn new(
        authorization: Option<&str>,
        token: &str,
        channel: &Channel,
        limits: Limits,
    ) -> Result<BearerClient, Error> {
        let is_host_value = channel
            .host_name()
            .unwrap_or_default()
            .chars()
            .all(is_value);
        if !is_token(token) || !is_host_value {
            return Err(Error::BearerToken);
        }
        let mut head = match authorization {
            Some(identity) => format!("n,a={},{SEPARATOR}", escape(identity)),
            None => format!("n,,{SEPARATOR}"),
        };
        if let Some(host) = channel.host_name() {
            head.push_str(&format!("host={host}{SEPARATOR}"));
        }
        if let Some(port) = channel.port_number() {
            head.push_str(&format!("port={port}{SEPARATOR}"));
        }
        let end = [SEPARATOR, SEPARATOR].concat();
        Ok(BearerClient {
            opening: Opening::new(&[
                head.as_bytes(),
                b"auth=Bearer ",
                token.as_bytes(),
                end.as_bytes(),
            ]),
            error: None,
            limits,
            done: false,
        })
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    pub(crate) fn error(&self) -> Option<&BearerError> {
        self.error.as_ref()
    }

    pub(crate) fn initial_response(&mut self) -> Option<Vec<u8>> {
        self.opening.take()
    }

    pub(crate) fn handle_challenge(&mut self, challenge: &[u8]) -> Result<Vec<u8>, Error> {
        if !self.opening.is_sent() {
            return self.opening.answer(challenge);
        }
        if self.done || self.error.is_some() {
            return Err(Error::OutOfOrder);
        }
        self.error = Some(BearerError::parse(challenge, &self.limits)?);
        Ok(SEPARATOR.into())
    }

    pub(crate) fn handle_success(&mut self, data: Option<&[u8]>) -> Result<(), Error> {
        let unexpected = !self.opening.is_sent() || self.done || self.error.is_some();
        if unexpected || data.is_some_and(|data| !data.is_empty()) {
            return Err(Error::OutOfOrder);
        }
        self.done = true;
        Ok(())
    }
}

/// `gs2-header ^A key=value ^A … ^A`
pub(crate) struct BearerMessage {
    pub(crate) authorization: Option<String>,
    /// `None` when the client only asks what is needed.
    pub(crate) token: Option<Zeroizing<String>>,
}

impl BearerMessage {
    pub(crate) fn parse(
        message: &[u8],
        channel: &Channel,
        limits: &Limits,
    ) -> Result<BearerMessage, Failure> {
        let (header, rest) = Gs2Header::parse(limits.text(message)?, limits)?;
        if matches!(header.flag, BindingFlag::Bound(_)) {
            return Err(Failure::BindingFlag);
        }
        let pairs = rest
            .strip_prefix(SEPARATOR)
            .and_then(|rest| rest.strip_suffix(SEPARATOR))
            .ok_or(PAIRS)?;
        // Each pair ends with a separator of its own, besides the last one of all.
        if !pairs.is_empty() && !pairs.ends_with(SEPARATOR) {
            return Err(PAIRS.into());
        }
        let (mut authentication, mut host, mut port) = (None, None, None);
        for (number, pair) in pairs.split_terminator(SEPARATOR).enumerate() {
            if number >= limits.extensions {
                return Err(MessageError::TooLong("number of pairs").into());
            }
            let (key, value) = pair.split_once('=').ok_or(PAIRS)?;
            if !is_key(key) || !value.chars().all(is_value) {
                return Err(PAIRS.into());
            }
            let known = match key {
                "auth" => &mut authentication,
                "host" => &mut host,
                "port" => &mut port,
                _ => continue,
            };
            if known.replace(value).is_some() {
                return Err(MessageError::Malformed("repeated key").into());
            }
        }
        check_service(host, port, channel)?;
        let authentication = authentication.ok_or(MessageError::Malformed("no authentication"))?;
        Ok(BearerMessage {
            authorization: header.authorization,
            token: bearer_token(authentication, limits)?,
        })
    }
}

/// Whether the client's answer to an error report is the one there is.
pub(crate) fn is_acknowledgement(response: &[u8]) -> bool {
    response == SEPARATOR.as_bytes()
}

const PAIRS: MessageError = MessageError::Malformed("key/value pairs");

fn check_service(host: Option<&str>, port: Option<&str>, channel: &Channel) -> Result<(), Failure> {
    let other_host = match (host, channel.host_name()) {
        (Some(theirs), Some(ours)) => !theirs.eq_ignore_ascii_case(ours),
        _ => false,
    };
    let other_port = match (port, channel.port_number()) {
        (Some(theirs), Some(ours)) => theirs != ours.to_string(),
        _ => false,
    };
    if other_host || other_port {
        Err(Failure::OtherService)
    } else {
        Ok(())
    }
}

/// `Bearer token`, as in an Authorization header (RFC 6750 §2.1); empty for none.
fn bearer_token(value: &str, limits: &Limits) -> Result<Option<Zeroizing<String>>, MessageError> {
    if value.is_empty() {
        return Ok(None);
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            if token.len() > limits.token_bytes {
                Err(MessageError::TooLong("token"))
            } else if is_token(token) {
                Ok(Some(Zeroizing::new(String::from(token))))
            } else {
                Err(MessageError::Malformed("token"))
            }
        }
        _ => Err(MessageError::Malformed("authentication scheme")),
    }
}

/// `b64token` of RFC 6750 §2.1.
fn is_token(text: &str) -> bool {
    let token = text.trim_end_matches('=');
    !token.is_empty()
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `VCHAR / SP / HTAB / CR / LF` of RFC 7628 §3.1.
fn is_value(c: char) -> bool {
    matches!(c, ' '..='~' | '\t' | '\r' | '\n')
}
