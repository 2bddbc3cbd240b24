//! Tokens for the next login (FAST, XEP-0484): the server issues one to an installation of a client, which logs in with
//! it in one round trip and without its password.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use xmpp_sasl::{Condition, Failure, Mechanism, Step, Token, TokenSlots};
use xmpp_xml::{ElementRef, FromXml, ToXml, Writer};

use crate::datetime::DateTime;
use crate::ns;

/// How a receiver issues tokens. Which mechanisms it offers for them, and whether a token is bound to the TLS connection,
/// its [`ServerConfig`](xmpp_sasl::ServerConfig::mechanisms) says: list an HT mechanism with channel binding and one
/// without (XEP-0484 §3.1).
#[derive(Debug, Clone)]
pub struct FastConfig {
    lifetime: Duration,
    rotation: Duration,
    early_data: bool,
}

impl Default for FastConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl FastConfig {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            lifetime: Duration::from_secs(21 * 86_400),
            rotation: Duration::from_secs(86_400),
            early_data: false,
        }
    }

    /// How long a token can be used, in whole seconds. Default: 21 days. A client that stays away for longer logs in
    /// with its password.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// At which age a token that is used is followed by a new one (XEP-0484 §3.5). Default: 1 day.
    #[must_use]
    pub fn rotation(mut self, age: Duration) -> Self {
        self.rotation = age;
        self
    }

    /// Whether a client may log in with a token in the early data of TLS 1.3 (0-RTT), which saves another round trip.
    /// Whoever listens can repeat such data: tell the stream by [`TlsInfo::early_data`](super::TlsInfo::early_data), so
    /// that each count of a token is taken once. Default: not.
    #[must_use]
    pub fn early_data(mut self, allowed: bool) -> Self {
        self.early_data = allowed;
        self
    }

    pub(super) fn allows_early_data(&self) -> bool {
        self.early_data
    }

    /// Lists what is offered.
    pub(super) fn list(&self, mechanisms: &[Mechanism], writer: &mut Writer<'_>) {
        if mechanisms.is_empty() {
            return;
        }
        writer.start("fast", ns::FAST);
        if self.early_data {
            writer.attribute("tls-0rtt", "true");
        }
        for mechanism in mechanisms {
            writer.start("mechanism", ns::FAST);
            writer.text(mechanism.name()).end();
        }
        writer.end();
    }

    fn is_due(&self, token: &FastToken, time: DateTime) -> bool {
        let left = token
            .expiry
            .unix_seconds()
            .saturating_sub(time.unix_seconds());
        let age = seconds(self.lifetime).saturating_sub(left);
        age >= seconds(self.rotation)
    }

    fn expiry(&self, time: DateTime) -> Option<DateTime> {
        let expiry = time.unix_seconds().saturating_add(seconds(self.lifetime));
        DateTime::from_unix(expiry, 0).ok()
    }
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// A token that a server has issued, and what is kept beside it, on either side. For its account it is worth the
/// password: keep it as carefully, and out of backups.
///
/// ```
/// use xmpp_core::stream::FastToken;
/// use xmpp_sasl::{Mechanism, Token};
///
/// // What is to be kept of it, and back again.
/// let token = Token::new(Mechanism::HtSha256Exporter, "WXZzciBwYmFm").ok_or("no token")?;
/// let token = FastToken::new(token, "2026-12-24T18:00:00Z".parse()?).counted(3);
/// let kept = (token.token().mechanism().name(), token.token().secret(), token.expiry(), token.count());
/// # let _ = kept;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastToken {
    token: Token,
    expiry: DateTime,
    count: u32,
}

impl FastToken {
    /// A token that was not used yet.
    #[must_use]
    pub fn new(token: Token, expiry: DateTime) -> Self {
        Self {
            token,
            expiry,
            count: 0,
        }
    }

    /// How often it was used, as it was kept. Default: never.
    #[must_use]
    pub fn counted(mut self, count: u32) -> Self {
        self.count = count;
        self
    }

    /// The secret, and the one mechanism that it may be used with.
    #[must_use]
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// From when on it cannot be used any more.
    #[must_use]
    pub fn expiry(&self) -> DateTime {
        self.expiry
    }

    /// Client: how often it was used. Server: the highest count that it was used with.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Client: another attempt. Counts are `int` of XML Schema.
    pub(super) fn count_attempt(&mut self) {
        self.count = self.count.saturating_add(1).min(i32::MAX.unsigned_abs());
    }

    /// Client: from what the server has issued.
    pub(super) fn issued(mechanism: Mechanism, issued: IssuedToken<'_>) -> Option<Self> {
        let token = Token::new(mechanism, issued.token.into_owned())?;
        Some(Self::new(token, issued.expiry))
    }

    /// Server: what the client is told.
    pub(super) fn to_issued(&self) -> IssuedToken<'_> {
        IssuedToken {
            token: Cow::Borrowed(self.token.secret()),
            expiry: self.expiry,
        }
    }
}

/// What a server keeps of the tokens of one installation of an account's client: the one in use, and a newer one that
/// the client may or may not have received (XEP-0484 §5.1). It is empty for who has none.
///
/// [`Stream::handle_tokens`](super::Stream::handle_tokens) checks them, counts, rotates and issues. When the account's
/// password is changed, keep nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FastTokens {
    newest: Option<FastToken>,
    current: Option<FastToken>,
}

impl FastTokens {
    /// From what was kept.
    #[must_use]
    pub fn new(newest: Option<FastToken>, current: Option<FastToken>) -> Self {
        Self { newest, current }
    }

    /// The token that was issued last and not used yet.
    #[must_use]
    pub fn newest(&self) -> Option<&FastToken> {
        self.newest.as_ref()
    }

    /// The token that was used last.
    #[must_use]
    pub fn current(&self) -> Option<&FastToken> {
        self.current.as_ref()
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.newest.is_none() && self.current.is_none()
    }

    /// Issues one. It replaces one that was never used; the one in use stays good until the client uses this one.
    pub(super) fn issue(
        &mut self,
        mechanism: Mechanism,
        random: [u8; 32],
        config: &FastConfig,
        time: DateTime,
    ) -> Option<FastToken> {
        let token = Token::issue(mechanism, random)?;
        let token = FastToken::new(token, config.expiry(time)?);
        self.newest = Some(token.clone());
        Some(token)
    }

    /// Whether the one in use is old enough to be followed by another.
    pub(super) fn is_due(&self, config: &FastConfig, time: DateTime) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|token| config.is_due(token, time))
    }

    /// Checks a proof, and what is kept beside the token that it was made with. They stay as they are unless all of it
    /// is right.
    pub(super) fn check(
        &mut self,
        attempt: &Attempt,
        time: DateTime,
        verify: impl FnOnce(&mut TokenSlots) -> Result<Step, Failure>,
    ) -> Result<Step, Condition> {
        let [newest, current] = [&self.newest, &self.current]
            .map(|token| token.as_ref().map(|token| token.token.clone()));
        let mut slots = TokenSlots::new(newest, current);
        let step = verify(&mut slots).map_err(|failure| failure.condition())?;
        let is_newest = self.newest.is_some() && slots.newest().is_none();
        let used = if is_newest {
            &self.newest
        } else {
            &self.current
        };
        let mut used = used.clone().ok_or(Condition::NotAuthorized)?;
        if used.expiry <= time {
            return Err(Condition::CredentialsExpired);
        }
        let count = attempt.of_token.count;
        if attempt.is_early && count.is_none_or(|count| count <= used.count) {
            return Err(Condition::NotAuthorized);
        }
        used.count = used.count.max(count.unwrap_or(0));
        self.current = Some(used);
        if is_newest {
            self.newest = None;
        }
        if attempt.of_token.invalidate {
            *self = Self::default();
        }
        Ok(step)
    }
}

/// What a client uses its token for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenUse {
    /// To log in, and again the next time.
    Login,
    /// To log in a last time and make it void, as who logs out on a shared machine does (XEP-0484 §3.6): throw it away
    /// with [`Event::Authenticated`](super::Event::Authenticated).
    Logout,
}

/// Server: an attempt to log in with a token.
pub(super) struct Attempt {
    pub(super) of_token: UsedToken,
    /// Whether it came where it can be repeated.
    pub(super) is_early: bool,
}

/// What a client says of the token that it uses.
#[derive(Debug, Clone, Copy, Default, FromXml, ToXml)]
#[xml(name = "fast", namespace = ns::FAST)]
pub(super) struct UsedToken {
    #[xml(attribute)]
    pub(super) count: Option<u32>,
    #[xml(attribute, default)]
    pub(super) invalidate: bool,
}

/// Asks for a token.
#[derive(FromXml, ToXml)]
#[xml(name = "request-token", namespace = ns::FAST)]
pub(super) struct TokenRequest<'a> {
    #[xml(attribute)]
    pub(super) mechanism: Cow<'a, str>,
}

/// A token on its way to the client.
#[derive(FromXml, ToXml)]
#[xml(name = "token", namespace = ns::FAST)]
pub(super) struct IssuedToken<'a> {
    #[xml(attribute)]
    token: Cow<'a, str>,
    #[xml(attribute)]
    expiry: DateTime,
}

/// Client: the mechanisms of the server's offer.
pub(super) fn offered(inline: Option<ElementRef<'_>>) -> Vec<String> {
    let fast = inline.and_then(|inline| inline.child("fast", ns::FAST));
    let children = fast.into_iter().flat_map(ElementRef::children);
    let mechanisms = children.filter(|child| child.is("mechanism", ns::FAST));
    mechanisms
        .map(|mechanism| mechanism.text().into_owned())
        .collect()
}
