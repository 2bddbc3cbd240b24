//! What a stream is told before it begins.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use xmpp_sasl::{Credentials, Hash, Policy, ServerConfig, StoredCredentials};
use xmpp_xml::Limits;

use super::component::{Audience, ComponentSecret, Login};
use super::fast::FastConfig;
use super::framing::{Framing, Wire};
use super::management::ManagementConfig;
use super::sasl2::{ResourceSecret, Sasl2};
use crate::jid::Jid;

/// How the side that connects negotiates a stream.
///
/// ```
/// use xmpp_core::stream::InitiatorConfig;
/// use xmpp_sasl::Credentials;
///
/// let config = InitiatorConfig::new(
///     "juliet@example.com/balcony".parse()?,
///     Credentials::password("juliet", "r0m30myr0m30"),
/// );
/// # let _ = config;
/// # Ok::<(), xmpp_core::jid::JidError>(())
/// ```
#[derive(Debug, Clone)]
pub struct InitiatorConfig {
    pub(super) jid: Jid,
    pub(super) login: Login,
    pub(super) framing: Framing,
    pub(super) encryption: Encryption,
    pub(super) policy: Policy,
    pub(super) lang: Option<String>,
    pub(super) limits: Limits,
    pub(super) negotiation_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) keepalive: Option<Duration>,
    pub(super) management: Option<ManagementConfig>,
    pub(super) sasl2: Option<Sasl2>,
}

impl InitiatorConfig {
    /// Logs in as that account. A resourcepart is asked for when binding; without one the server makes
    /// one up. The user name in the credentials usually is the localpart.
    #[must_use]
    pub fn new(jid: Jid, credentials: Credentials) -> Self {
        Self::login(jid, Login::Account(credentials))
    }

    /// Serves that domain as a component of the server that is connected to (XEP-0114). There is nothing to
    /// negotiate but the handshake, and the stream is not encrypted unless [`Encryption::Direct`] says so: run it
    /// within one machine or below TLS. What is sent has a `from` at the domain and a `to`.
    #[must_use]
    pub fn component(domain: Jid, secret: ComponentSecret) -> Self {
        Self::login(domain, Login::Component(secret)).encryption(Encryption::None)
    }

    fn login(jid: Jid, login: Login) -> Self {
        Self {
            jid,
            login,
            framing: Framing::Tcp,
            encryption: Encryption::Required,
            policy: Policy::default(),
            lang: None,
            limits: Limits::new(),
            negotiation_timeout: NEGOTIATION_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
            keepalive: Some(KEEPALIVE),
            management: None,
            sasl2: None,
        }
    }

    pub(super) fn wire(&self) -> Wire {
        match (&self.login, self.framing) {
            (Login::Component(_), _) => Wire::Component,
            (_, Framing::Tcp) => Wire::Tcp,
            (_, Framing::WebSocket) => Wire::WebSocket,
        }
    }

    /// The address to log in as.
    #[must_use]
    pub fn jid(&self) -> &Jid {
        &self.jid
    }

    /// How the stream is cut into pieces. Default: [`Framing::Tcp`].
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// How the stream is encrypted. Default: [`Encryption::Required`].
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// Which SASL mechanisms are used and how much work the server may ask for. Default:
    /// [`Policy::default`], which never sends the password itself.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The preferred language (RFC 5646), told to the server. Default: none.
    #[must_use]
    pub fn lang(mut self, lang: impl Into<String>) -> Self {
        self.lang = Some(lang.into());
        self
    }

    /// The limits of what the server sends. Default: [`Limits::new`]; a stanza that is under way costs
    /// up to six times its bytes.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long it may take from the start to the bound resource, TLS handshake and all. Default: 60 s.
    #[must_use]
    pub fn negotiation_timeout(mut self, timeout: Duration) -> Self {
        self.negotiation_timeout = timeout;
        self
    }

    /// How long to wait for the peer's closing tag after our own. Default: 5 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sends a space when nothing was sent for this long, twice that at the most, so that the network
    /// keeps the connection (RFC 6120 §4.6.1); `None` sends none. Default: 5 minutes. Costs one wake-up
    /// per interval.
    #[must_use]
    pub fn keepalive(mut self, interval: Option<Duration>) -> Self {
        self.keepalive = interval;
        self
    }

    /// Authenticates by the second profile (XEP-0388) where the server offers it under TLS, which saves several
    /// round trips: resource, stream management and resumption come with it. Default: not.
    #[must_use]
    pub fn sasl2(mut self, sasl2: Sasl2) -> Self {
        self.sasl2 = Some(sasl2);
        self
    }

    /// Asks for stream management (XEP-0198) where the server offers it. Default: not.
    #[must_use]
    pub fn management(mut self, management: ManagementConfig) -> Self {
        self.management = Some(management);
        self
    }
}

/// How the side that is connected to negotiates a stream. One configuration serves all streams.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    pub(super) domains: Vec<Jid>,
    pub(super) audience: Audience,
    pub(super) framing: Framing,
    pub(super) encryption: Encryption,
    pub(super) languages: Vec<String>,
    pub(super) announced: Vec<(String, String)>,
    pub(super) legacy_session: bool,
    pub(super) limits: Limits,
    pub(super) unauthenticated_bytes: u32,
    pub(super) authentication_attempts: u8,
    pub(super) bind_attempts: u8,
    pub(super) negotiation_timeout: Duration,
    pub(super) close_timeout: Duration,
    pub(super) keepalive: Option<Duration>,
    pub(super) management: Option<ManagementConfig>,
    pub(super) sasl2: bool,
    pub(super) fast: Option<FastConfig>,
    pub(super) tasks: bool,
    /// With the iterations.
    pub(super) upgrades: (Vec<Hash>, u32),
    pub(super) resource_secret: Option<ResourceSecret>,
    pub(super) client_state: bool,
    pub(super) announce_limits: bool,
    pub(super) idle_timeout: Option<Duration>,
}

impl ReceiverConfig {
    /// Serves that domain and authenticates like that.
    #[must_use]
    pub fn new(domain: Jid, sasl: ServerConfig) -> Self {
        Self::audience(domain, Audience::Clients(Box::new(sasl)))
    }

    /// Accepts components (XEP-0114). Which domains they may serve, and by which secrets, each
    /// [`Event::Component`](super::Event::Component) asks; the domain here is who speaks until that is
    /// settled. There is nothing to negotiate but the handshake, and streams are not encrypted unless
    /// [`Encryption::Direct`] says so.
    #[must_use]
    pub fn components(domain: Jid) -> Self {
        Self::audience(domain, Audience::Components).encryption(Encryption::None)
    }

    fn audience(domain: Jid, audience: Audience) -> Self {
        Self {
            domains: alloc::vec![domain],
            audience,
            framing: Framing::Tcp,
            encryption: Encryption::Required,
            languages: alloc::vec![String::from("en")],
            announced: Vec::new(),
            legacy_session: true,
            limits: Limits::new(),
            unauthenticated_bytes: 65_536,
            authentication_attempts: 3,
            bind_attempts: 5,
            negotiation_timeout: NEGOTIATION_TIMEOUT,
            close_timeout: CLOSE_TIMEOUT,
            keepalive: None,
            management: None,
            sasl2: false,
            fast: None,
            tasks: false,
            upgrades: (Vec::new(), StoredCredentials::DEFAULT_ITERATIONS),
            resource_secret: None,
            client_state: false,
            announce_limits: false,
            idle_timeout: None,
        }
    }

    pub(super) fn wire(&self) -> Wire {
        match (&self.audience, self.framing) {
            (Audience::Components, _) => Wire::Component,
            (_, Framing::Tcp) => Wire::Tcp,
            (_, Framing::WebSocket) => Wire::WebSocket,
        }
    }

    /// Serves another domain too. The first one is who speaks where the peer names none that is served.
    #[must_use]
    pub fn domain(mut self, domain: Jid) -> Self {
        self.domains.push(domain);
        self
    }

    /// How streams are cut into pieces. Default: [`Framing::Tcp`].
    #[must_use]
    pub fn framing(mut self, framing: Framing) -> Self {
        self.framing = framing;
        self
    }

    /// How streams are encrypted. Default: [`Encryption::Required`].
    #[must_use]
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// The languages in which texts are given, the default first (RFC 6120 §4.7.4). Default: `en`.
    #[must_use]
    pub fn languages<L: Into<String>>(mut self, languages: impl IntoIterator<Item = L>) -> Self {
        self.languages = languages.into_iter().map(Into::into).collect();
        self
    }

    /// Lists an empty element among the features after authentication, for what needs no negotiation:
    /// roster versions, for instance. Default: nothing.
    #[must_use]
    pub fn announce(mut self, name: impl Into<String>, namespace: impl Into<String>) -> Self {
        self.announced.push((name.into(), namespace.into()));
        self
    }

    /// Whether the session of RFC 3921 is offered as optional, and its request answered, for old
    /// clients. Default: yes.
    #[must_use]
    pub fn legacy_session(mut self, offered: bool) -> Self {
        self.legacy_session = offered;
        self
    }

    /// The limits of what an authenticated peer sends. Default: [`Limits::new`]; a stanza that is under
    /// way costs up to six times its bytes.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many bytes a peer may send before it is authenticated, all attempts together; what it sends
    /// beyond ends the stream with `policy-violation`. Default: 65,536, which is also the most that one
    /// element may take in memory until then.
    #[must_use]
    pub fn unauthenticated_bytes(mut self, bytes: u32) -> Self {
        self.unauthenticated_bytes = bytes;
        self
    }

    /// How often authentication may fail until the stream is closed (RFC 6120 §6.4.5 suggests 2 to 5).
    /// Default: 3.
    #[must_use]
    pub fn authentication_attempts(mut self, attempts: u8) -> Self {
        self.authentication_attempts = attempts;
        self
    }

    /// How often binding may be refused until the stream is closed (RFC 6120 §7.7.3 suggests 5 to 10).
    /// Default: 5.
    #[must_use]
    pub fn bind_attempts(mut self, attempts: u8) -> Self {
        self.bind_attempts = attempts;
        self
    }

    /// How long it may take from the start to the bound resource, TLS handshake and the application's
    /// answers and all. Default: 60 s.
    #[must_use]
    pub fn negotiation_timeout(mut self, timeout: Duration) -> Self {
        self.negotiation_timeout = timeout;
        self
    }

    /// How long to wait for the peer's closing tag after our own. Default: 5 s.
    #[must_use]
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// Sends a space when nothing was sent for this long, twice that at the most (RFC 6120 §4.6.1);
    /// `None` sends none. Default: none, clients do it.
    #[must_use]
    pub fn keepalive(mut self, interval: Option<Duration>) -> Self {
        self.keepalive = interval;
        self
    }

    /// Offers the second profile of SASL (XEP-0388) under TLS, with Bind 2 (XEP-0386) and what may be enabled or
    /// resumed with it, and tells the channel-binding types (XEP-0440). Default: not.
    #[must_use]
    pub fn sasl2(mut self, offered: bool) -> Self {
        self.sasl2 = offered;
        self
    }

    /// With SASL2, issues tokens for the next login, and takes them (XEP-0484):
    /// [`Event::Tokens`](super::Event::Tokens) asks for those of a client. Default: not.
    #[must_use]
    pub fn fast(mut self, fast: FastConfig) -> Self {
        self.fast = Some(fast);
        self
    }

    /// With SASL2, asks the application what a login takes besides the mechanism (XEP-0388 §2.6.3), a second factor for
    /// instance: [`Event::Task`](super::Event::Task). Who comes with a token is not asked for more. The first profile,
    /// which has no tasks, is not offered then. Default: not.
    #[must_use]
    pub fn tasks(mut self, asked: bool) -> Self {
        self.tasks = asked;
        self
    }

    /// With SASL2, offers to take keys for these hash functions from clients that log in by others (XEP-0480), made
    /// with so many iterations: [`Event::Upgrade`](super::Event::Upgrade) asks whether the account lacks them.
    /// Default: none.
    #[must_use]
    pub fn upgrades(mut self, hashes: impl IntoIterator<Item = Hash>, iterations: u32) -> Self {
        self.upgrades = (hashes.into_iter().collect(), iterations.max(1));
        self
    }

    /// With Bind 2, proposes the same resource to an installation each time that it comes with the same tag
    /// (XEP-0386 §3.2.1), so that a new stream of it takes the place of an old one. Resources are derived from the
    /// secret, which nobody may guess and which is kept as long as they are to last; the installation's identifier
    /// cannot be told from them. Default: a new resource each time.
    #[must_use]
    pub fn stable_resources(mut self, secret: [u8; 32]) -> Self {
        self.resource_secret = Some(ResourceSecret::new(secret));
        self
    }

    /// Offers client state indication (XEP-0352): [`Event::ClientState`](super::Event::ClientState) tells.
    /// Default: not.
    #[must_use]
    pub fn client_state(mut self, offered: bool) -> Self {
        self.client_state = offered;
        self
    }

    /// Tells the peer how large what it sends may be, and how long it may be silent (XEP-0478). Default: not,
    /// it finds out.
    #[must_use]
    pub fn announce_limits(mut self, announced: bool) -> Self {
        self.announce_limits = announced;
        self
    }

    /// Ends an established stream on which nothing has come in for so long, twice that at the most. `None`
    /// waits for ever. Default: none. Costs one wake-up per interval.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Offers stream management (XEP-0198). Default: not.
    #[must_use]
    pub fn management(mut self, management: ManagementConfig) -> Self {
        self.management = Some(management);
        self
    }
}

/// How a stream is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Encryption {
    /// STARTTLS comes first, or there is no stream (RFC 6120 §5).
    #[default]
    Required,
    /// The transport runs TLS from the first byte (XEP-0368): the stream begins with
    /// [`handle_tls`](super::Stream::handle_tls).
    Direct,
    /// None, and STARTTLS is neither offered nor taken. Only for transports that are safe by
    /// themselves, such as a socket within one machine, and for tests.
    None,
}

const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(300);
