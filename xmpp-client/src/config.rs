//! What a client needs to know before it connects.

use std::sync::Arc;
use std::time::Duration;

use xmpp_core::jid::Jid;
use xmpp_core::mux::Selector;
use xmpp_core::stream::{Encryption, InitiatorConfig, ManagementConfig, Sasl2, UserAgent};
use xmpp_net::{Connector, TlsClient};
use xmpp_sasl::{Credentials, Policy};
use xmpp_xml::Limits;

use crate::backoff::Backoff;
use crate::dial::Dial;
use crate::store::{Keeper, Store};

/// How to reach a server and log in.
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) stream: InitiatorConfig,
    pub(crate) server: Option<String>,
    pub(crate) tls: Option<TlsClient>,
    pub(crate) direct_tls: bool,
    pub(crate) connector: Connector,
    pub(crate) dial: Option<Arc<dyn Dial>>,
    pub(crate) management: Option<ManagementConfig>,
    sasl2: Option<bool>,
    software: Option<String>,
    pub(crate) reconnect: Option<Backoff>,
    pub(crate) ping: Option<Duration>,
    pub(crate) ping_timeout: Duration,
    pub(crate) store: Keeper,
    pub(crate) seed: Option<[u8; 32]>,
    pub(crate) inbox: usize,
    pub(crate) send_buffer: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) requests: usize,
    pub(crate) handles: Vec<Selector>,
}

impl Config {
    /// Logs in to the account of `jid` with a password. With a full address its resource is asked for; with a bare
    /// one the server chooses.
    pub fn new(jid: Jid, password: impl Into<String>) -> Self {
        let user = jid.local().unwrap_or_default().to_owned();
        Self::with_credentials(jid, Credentials::password(user, password))
    }

    /// Logs in with other credentials, for example with keys derived before.
    pub fn with_credentials(jid: Jid, credentials: Credentials) -> Self {
        Self {
            stream: InitiatorConfig::new(jid, credentials),
            server: None,
            tls: None,
            direct_tls: false,
            connector: Connector::new(),
            dial: None,
            management: Some(ManagementConfig::new()),
            sasl2: None,
            software: None,
            reconnect: Some(Backoff::new()),
            ping: Some(Duration::from_secs(300)),
            ping_timeout: Duration::from_secs(30),
            store: Keeper::default(),
            seed: None,
            inbox: 256,
            send_buffer: 262_144,
            request_timeout: Duration::from_secs(30),
            requests: 1_024,
            handles: Vec::new(),
        }
    }

    /// Sets the `host:port` to connect to. Default: the domain of the address, port 5222 (5223 with direct TLS). The
    /// certificate is checked for the domain of the address all the same (RFC 6120 §3.2.3, §13.7.2).
    #[must_use]
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.server = Some(address.into());
        self
    }

    /// Sets whose certificates are trusted. Default: the roots of the system.
    #[must_use]
    pub fn tls(mut self, tls: TlsClient) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Speaks TLS from the first byte (XEP-0368) instead of STARTTLS. Default: STARTTLS, without which there is no
    /// login.
    #[must_use]
    pub fn direct_tls(mut self, direct: bool) -> Self {
        self.direct_tls = direct;
        let encryption = if direct {
            Encryption::Direct
        } else {
            Encryption::Required
        };
        self.stream = self.stream.encryption(encryption);
        self
    }

    /// Sets how connections are made, with their time limits.
    #[must_use]
    pub fn connector(mut self, connector: Connector) -> Self {
        self.connector = connector;
        self
    }

    /// Reaches the server in another way than by TCP and TLS from here, over a tunnel for instance. The way has to be
    /// secret and lead to the right server by itself: the stream begins as on direct TLS. [`server`](Self::server),
    /// [`tls`](Self::tls) and [`connector`](Self::connector) mean nothing then. Default: TCP and TLS.
    #[must_use]
    pub fn dial(mut self, dial: Arc<dyn Dial>) -> Self {
        self.dial = Some(dial);
        self.direct_tls(true)
    }

    /// Sets how a lost connection is made again. `None`: not at all, the client ends with its first stream. Default:
    /// [`Backoff::new`]. A failed login is never tried again, and nobody comes back whom the server has sent away
    /// because another took the resource (`conflict`).
    #[must_use]
    pub fn reconnect(mut self, backoff: Option<Backoff>) -> Self {
        self.reconnect = backoff;
        self
    }

    /// Sets how streams are managed (XEP-0198), where the server does so: acknowledged stanzas, and sessions that
    /// outlive their connections. `None` does without. Default: [`ManagementConfig::new`]; costs the memory of what is
    /// unacknowledged.
    #[must_use]
    pub fn management(mut self, management: Option<ManagementConfig>) -> Self {
        self.management = management;
        self
    }

    /// Sets whether the client logs in by the second profile of SASL (XEP-0388), where the server offers it: in fewer
    /// round trips, and by a token from the second time on (XEP-0484). The server then chooses the resource. Default:
    /// where the address has no resource.
    #[must_use]
    pub fn sasl2(mut self, sasl2: bool) -> Self {
        self.sasl2 = Some(sasl2);
        self
    }

    /// Tells the server the name of the software, with SASL2: it shows the user which programs are logged in
    /// (XEP-0388 §2.3), and begins the resource with it (XEP-0386 §3.2.1). Default: none.
    #[must_use]
    pub fn software(mut self, name: impl Into<String>) -> Self {
        self.software = Some(name.into());
        self
    }

    /// Sets after how long a silence of the server it is pinged (XEP-0199), to notice a dead connection. `None` pings
    /// only after [`reconnect_now`](crate::Client::reconnect_now). Default: 5 minutes (RFC 6120 §4.6.4); costs a stanza
    /// each way per interval while nothing else happens.
    #[must_use]
    pub fn ping(mut self, silence: Option<Duration>) -> Self {
        self.ping = silence;
        self
    }

    /// Sets how long a ping waits for any sign of life before the connection is given up. Default: 30 seconds.
    #[must_use]
    pub fn ping_timeout(mut self, limit: Duration) -> Self {
        self.ping_timeout = limit;
        self
    }

    /// Keeps what was sent and not acknowledged, the session and the login token across a restart of the program.
    /// Default: nothing is kept. Costs a write of all that is unacknowledged for every turn in which stanzas come or
    /// go.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Keeper(Some(store));
        self
    }

    /// For tests and simulations alone: takes all randomness from a seed, so that a run can be repeated. Default: the
    /// system's random source.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets which mechanisms and iteration counts are acceptable. Default: [`Policy::default`].
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.stream = self.stream.policy(policy);
        self
    }

    /// Sets the language of the stream, such as `en`. Default: none is told.
    #[must_use]
    pub fn lang(mut self, lang: impl Into<String>) -> Self {
        self.stream = self.stream.lang(lang);
        self
    }

    /// Sets what the server may send at once. Default: [`Limits::new`]; the largest stanza is held in memory once.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.stream = self.stream.limits(limits);
        self
    }

    /// Sets how long the negotiation may take, TLS included. Default: see [`InitiatorConfig::negotiation_timeout`].
    #[must_use]
    pub fn negotiation_timeout(mut self, limit: Duration) -> Self {
        self.stream = self.stream.negotiation_timeout(limit);
        self
    }

    /// Sets after how long a silence a space is sent to keep the connection (RFC 6120 §4.6.1). Default: see
    /// [`InitiatorConfig::keepalive`].
    #[must_use]
    pub fn keepalive(mut self, interval: Option<Duration>) -> Self {
        self.stream = self.stream.keepalive(interval);
        self
    }

    /// Sets how many received stanzas may wait to be taken before reading stops. Default 256, each up to the size of
    /// a stanza. At least 1.
    #[must_use]
    pub fn inbox(mut self, stanzas: usize) -> Self {
        self.inbox = stanzas.max(1);
        self
    }

    /// Sets how many bytes may wait to be sent before [`Client::send`](crate::Client::send) waits. Default 256 KiB; a
    /// single stanza may exceed it.
    #[must_use]
    pub fn send_buffer(mut self, bytes: usize) -> Self {
        self.send_buffer = bytes;
        self
    }

    /// Sets how long a request waits for its reply. Default 30 seconds.
    #[must_use]
    pub fn request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// Sets how many requests may wait for replies at once. Default 1,024.
    #[must_use]
    pub fn requests(mut self, count: usize) -> Self {
        self.requests = count;
        self
    }

    /// Takes on the requests that this selector describes: they come through
    /// [`Incoming`](crate::Incoming) and are the application's to answer. All others are refused with
    /// `service-unavailable` (RFC 6120 §8.4) without its knowledge. Default: none. Messages and presence come through
    /// in any case.
    #[must_use]
    pub fn handle(mut self, selector: Selector) -> Self {
        self.handles.push(selector);
        self
    }

    /// What streams are told, for an installation of that identifier.
    pub(crate) fn initiator(&self, installation: UserAgent) -> InitiatorConfig {
        let mut config = self.stream.clone();
        if let Some(management) = &self.management {
            config = config.management(management.clone());
        }
        if self.sasl2.unwrap_or(self.stream.jid().is_bare()) {
            let mut sasl2 = Sasl2::new().request_token(true);
            let mut agent = installation;
            if let Some(software) = &self.software {
                sasl2 = sasl2.tag(software.as_str());
                agent = agent.software(software.as_str());
            }
            config = config.sasl2(sasl2.user_agent(agent));
        }
        config
    }

    /// Where to connect.
    pub(crate) fn address(&self) -> String {
        let port = if self.direct_tls { 5223 } else { 5222 };
        let domain = self.stream.jid().domain();
        self.server
            .clone()
            .unwrap_or_else(|| format!("{domain}:{port}"))
    }
}
