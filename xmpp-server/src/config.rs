//! How a server is set up.

use std::time::Duration;

use xmpp_core::jid::{Jid, JidError};
use xmpp_core::stream::{FastConfig, ManagementConfig};
use xmpp_net::TlsServer;
use xmpp_xml::Limits;

use crate::gate::{GateRules, Rate, Traffic};
use crate::roster::RosterLimits;
use crate::router::{Conflict, Rules};
use crate::services::ContactAddress;
use crate::services::archive::ArchiveRules;
use crate::storage::{Overflow, Quota};

const MINUTE: Duration = Duration::from_secs(60);

/// What a [`Server`](crate::Server) serves and what it allows. Every setter tells its default and its cost.
#[derive(Clone, Debug)]
#[must_use = "a configuration does nothing until a server is started with it"]
pub struct ServerConfig {
    pub(crate) domain: Jid,
    pub(crate) tls: Option<TlsServer>,
    pub(crate) plain_text: bool,
    pub(crate) limits: Limits,
    pub(crate) unauthenticated_bytes: u32,
    pub(crate) authentication_attempts: u8,
    pub(crate) negotiation_timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) send_queue_bytes: usize,
    pub(crate) resources: usize,
    pub(crate) directed_presences: usize,
    pub(crate) contacts: usize,
    pub(crate) groups: usize,
    pub(crate) name_bytes: usize,
    pub(crate) waiting_requests: usize,
    pub(crate) request_bytes: usize,
    pub(crate) requests_need_presence: bool,
    pub(crate) conflict: Conflict,
    pub(crate) contact_addresses: Vec<(ContactAddress, String)>,
    pub(crate) offline_messages: (u64, u64),
    pub(crate) blocked_addresses: usize,
    pub(crate) private_xml_bytes: u64,
    pub(crate) archive: Option<ArchiveRules>,
    pub(crate) vcard_bytes: usize,
    pub(crate) account_changes: bool,
    pub(crate) administrators: Vec<Jid>,
    pub(crate) iterations: u32,
    pub(crate) resumption: Option<Duration>,
    pub(crate) acknowledgement_timeout: Duration,
    pub(crate) tokens: Option<FastConfig>,
    pub(crate) gate: GateRules,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) ping_timeout: Duration,
}

impl ServerConfig {
    /// Serves this domain, such as `example.com`. TLS is demanded, so [`ServerConfig::tls`] has to follow, unless
    /// [`ServerConfig::plain_text_without_tls`] does.
    ///
    /// # Errors
    /// When the text is no domain.
    pub fn new(domain: &str) -> Result<Self, JidError> {
        Ok(Self {
            domain: Jid::from_parts(None, domain, None)?,
            tls: None,
            plain_text: false,
            limits: Limits::new(),
            unauthenticated_bytes: 65_536,
            authentication_attempts: 3,
            negotiation_timeout: Duration::from_secs(60),
            close_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            send_queue_bytes: 4 << 20,
            resources: 32,
            directed_presences: 1_000,
            contacts: 10_000,
            groups: 100,
            name_bytes: 1_023,
            waiting_requests: 200,
            request_bytes: 8_192,
            requests_need_presence: true,
            conflict: Conflict::default(),
            contact_addresses: Vec::new(),
            offline_messages: (1_000, 1 << 20),
            blocked_addresses: 1_000,
            private_xml_bytes: 1 << 18,
            archive: None,
            vcard_bytes: 1 << 16,
            account_changes: true,
            administrators: Vec::new(),
            iterations: xmpp_sasl::StoredCredentials::DEFAULT_ITERATIONS,
            resumption: Some(Duration::from_secs(600)),
            acknowledgement_timeout: Duration::from_secs(60),
            tokens: Some(FastConfig::new()),
            gate: GateRules {
                per_address: Some(1_000),
                unauthenticated: Some(20_000),
                failures_per_address: Some(Rate::new(60, MINUTE)),
                failures_per_account: Some(Rate::new(30, MINUTE)),
                per_connection: Traffic::default(),
                per_account: Traffic::default(),
            },
            idle_timeout: Some(15 * MINUTE),
            ping_timeout: MINUTE,
        })
    }

    /// The certificate and key for STARTTLS and direct TLS, valid for the domain. Default: none.
    pub fn tls(mut self, tls: TlsServer) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets clients log in and talk in clear text, for anyone on the way to read and change. For tests, and for
    /// transports that are safe by themselves. STARTTLS is not offered then. Default: off.
    pub fn plain_text_without_tls(mut self) -> Self {
        self.plain_text = true;
        self
    }

    /// Limits of what a client may send: a stanza above them ends its stream. Default: [`Limits::new`], that is
    /// stanzas of 262,144 bytes. A stanza that is under way costs up to six times its bytes.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How many bytes a connection may send before it is authenticated, all attempts together; then it is ended
    /// with `policy-violation`. Default: 65,536, which is also what one such connection may cost in memory.
    pub fn unauthenticated_bytes(mut self, bytes: u32) -> Self {
        self.unauthenticated_bytes = bytes;
        self
    }

    /// How often a connection may fail to authenticate until it is closed. Default: 3.
    pub fn authentication_attempts(mut self, attempts: u8) -> Self {
        self.authentication_attempts = attempts;
        self
    }

    /// How long a connection may take until its resource is bound, TLS handshake and all. Default: 60 s.
    pub fn negotiation_timeout(mut self, timeout: Duration) -> Self {
        self.negotiation_timeout = timeout;
        self
    }

    /// How long a connection that is being closed may take for it. Default: 5 s.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self
    }

    /// How long a client may take no bytes at all while some wait for it; then its connection is cut. Default: 30 s.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How many bytes may wait for one client: until they are written, or, with stream management, until the client has
    /// acknowledged them or come back for them. When there are more its stream or its waiting session ends with
    /// `policy-violation`, and those whose stanzas do not reach it any more are told so. Default: 4 MiB, of which an
    /// idle connection costs nothing.
    pub fn send_queue_bytes(mut self, bytes: usize) -> Self {
        self.send_queue_bytes = bytes;
        self
    }

    /// How many sessions one account may have, also those that wait for their client to come back; of these the oldest
    /// gives way. Default: 32.
    pub fn resources(mut self, count: usize) -> Self {
        self.resources = count;
        self
    }

    /// To how many addresses one connection may send directed presence: each is remembered. Default: 1,000.
    pub fn directed_presences(mut self, count: usize) -> Self {
        self.directed_presences = count;
        self
    }

    /// How many contacts a roster may have. Rosters of connected accounts are kept in memory. Default: 10,000.
    pub fn contacts(mut self, count: usize) -> Self {
        self.contacts = count;
        self
    }

    /// How many groups a contact may be in. Default: 100.
    pub fn groups(mut self, count: usize) -> Self {
        self.groups = count;
        self
    }

    /// How long the name of a contact or a group may be, in bytes. Default: 1,023.
    pub fn name_bytes(mut self, bytes: usize) -> Self {
        self.name_bytes = bytes;
        self
    }

    /// How many subscription requests may wait for the answer of one account. Default: 200.
    pub fn waiting_requests(mut self, count: usize) -> Self {
        self.waiting_requests = count;
        self
    }

    /// How long a subscription request may be in bytes: it is kept as it is until it is answered. Default: 8,192.
    pub fn request_bytes(mut self, bytes: usize) -> Self {
        self.request_bytes = bytes;
        self
    }

    /// Whether IQ requests to a client are only delivered from those who may see its presence, as RFC 6121 §8.5.3.1
    /// recommends: the answer shows that the client is there. Default: yes.
    pub fn requests_need_presence(mut self, needed: bool) -> Self {
        self.requests_need_presence = needed;
        self
    }

    /// What happens when a client wants a resource that is in use. Default: [`Conflict::Replace`].
    pub fn conflict(mut self, conflict: Conflict) -> Self {
        self.conflict = conflict;
        self
    }

    /// Adds an address at which people reach those who run the server, as a URI such as `mailto:abuse@example.com`
    /// (XEP-0157). It stands in the server's description. Default: none.
    pub fn contact_address(mut self, purpose: ContactAddress, uri: impl Into<String>) -> Self {
        self.contact_addresses.push((purpose, uri.into()));
        self
    }

    /// How many messages, and how many bytes of them, may wait for an account of which no resource wants messages
    /// (XEP-0160); when there would be more the sender is told `service-unavailable`. With 0 messages nothing is kept.
    /// Never more than half of [`send_queue_bytes`](Self::send_queue_bytes). Default: 1,000 messages and 1 MiB, on
    /// disk; each costs a commit before it is accepted.
    pub fn offline_messages(mut self, count: u64, bytes: u64) -> Self {
        self.offline_messages = (count, bytes);
        self
    }

    /// How many addresses an account may block (XEP-0191). The lists of connected accounts are kept in memory.
    /// Default: 1,000.
    pub fn blocked_addresses(mut self, count: usize) -> Self {
        self.blocked_addresses = count;
        self
    }

    /// How many bytes of private XML (XEP-0049) an account may keep, in 1,000 elements at most. Default: 256 KiB, on
    /// disk.
    pub fn private_xml_bytes(mut self, bytes: u64) -> Self {
        self.private_xml_bytes = bytes;
        self
    }

    /// Archives messages with a body for both sides (XEP-0313): of each account the latest `messages`, and no more than
    /// `bytes` of them, none older than `age`. Each account may choose whose messages are archived. Default: nothing is
    /// archived. With it, each such message costs a commit before it is delivered.
    pub fn archive(mut self, messages: u64, bytes: u64, age: Option<Duration>) -> Self {
        let micros = |age: Duration| u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        self.archive = (messages > 0).then_some(ArchiveRules {
            quota: Quota {
                records: messages,
                bytes,
                overflow: Overflow::DropOldest,
            },
            age: age.map(micros),
        });
        self
    }

    /// How large the vCard of an account (XEP-0054) may be in bytes. Default: 64 KiB, on disk.
    pub fn vcard_bytes(mut self, bytes: usize) -> Self {
        self.vcard_bytes = bytes;
        self
    }

    /// Whether the owner of an account may change its password and give the account up (XEP-0077). Default: yes.
    pub fn account_changes(mut self, allowed: bool) -> Self {
        self.account_changes = allowed;
        self
    }

    /// Lets the owner of this account administer the server by ad-hoc commands (XEP-0133): add and delete users, change
    /// their passwords, end their sessions, list who is there, and announce. Without any, there are no such commands.
    /// Default: nobody.
    pub fn administrator(mut self, account: &Jid) -> Self {
        self.administrators.push(account.bare());
        self
    }

    /// How many rounds of SCRAM's hash new passwords get; a client spends as many at each login. Default: 10,000.
    pub fn iterations(mut self, rounds: u32) -> Self {
        self.iterations = rounds.max(1);
        self
    }

    /// For how long a session whose connection was lost waits for its client to come back (XEP-0198 §5), in whole
    /// seconds; a client may ask for less. Meanwhile it counts as available, and what comes for it waits. `None` keeps
    /// no sessions, stanzas are still acknowledged. Default: 10 minutes. Costs a few kilobytes for each session that
    /// waits, and [`ServerConfig::send_queue_bytes`] at most.
    pub fn resumption(mut self, limit: Option<Duration>) -> Self {
        self.resumption = limit;
        self
    }

    /// How long a client with stream management may take to acknowledge what it is asked for; then its connection is
    /// given up, and its session waits. Default: 60 s.
    pub fn acknowledgement_timeout(mut self, timeout: Duration) -> Self {
        self.acknowledgement_timeout = timeout;
        self
    }

    /// The tokens by which clients log in again in one round trip and without their password (FAST, XEP-0484), under
    /// TLS: how long they last and how soon they are replaced; `None` issues and takes none. They are kept in the store,
    /// of at most 32 installations of clients for one account, until the password is changed. Default:
    /// [`FastConfig::new`], that is 21 days.
    pub fn tokens(mut self, tokens: Option<FastConfig>) -> Self {
        self.tokens = tokens;
        self
    }

    /// How many connections one address may have; of IPv6 one network of 64 bits. More are closed at once. `None` for any
    /// number, for load tests and behind a proxy. Default: 1,000, as many devices may share an address.
    pub fn connections_per_address(mut self, count: Option<usize>) -> Self {
        self.gate.per_address = count;
        self
    }

    /// How many connections may stand that are not authenticated; more are closed at once. Each costs
    /// [`ServerConfig::unauthenticated_bytes`] at most, for [`ServerConfig::negotiation_timeout`] at most. `None` for any
    /// number. Default: 20,000.
    pub fn unauthenticated_connections(mut self, count: Option<usize>) -> Self {
        self.gate.unauthenticated = count;
        self
    }

    /// How often logins from one address may fail; then each is refused with `temporary-auth-failure`, right or wrong,
    /// until time has passed. `None` for any number. Default: 60 a minute.
    pub fn failed_logins_per_address(mut self, rate: Option<Rate>) -> Self {
        self.gate.failures_per_address = rate;
        self
    }

    /// The same for one account, whether there is one or not. Whoever guesses at it locks its owner out meanwhile, except
    /// where that one is connected already. `None` for any number. Default: 30 a minute.
    pub fn failed_logins_per_account(mut self, rate: Option<Rate>) -> Self {
        self.gate.failures_per_account = rate;
        self
    }

    /// How many stanzas one connection may send: beyond that it is read from more slowly. Default: `None`, as many as it
    /// likes.
    pub fn stanza_rate(mut self, rate: Option<Rate>) -> Self {
        self.gate.per_connection.stanzas = rate;
        self
    }

    /// The same in bytes, on the wire but without TLS. Default: `None`.
    pub fn byte_rate(mut self, rate: Option<Rate>) -> Self {
        self.gate.per_connection.bytes = rate;
        self
    }

    /// How many stanzas all connections of one account may send together. Default: `None`.
    pub fn account_stanza_rate(mut self, rate: Option<Rate>) -> Self {
        self.gate.per_account.stanzas = rate;
        self
    }

    /// The same in bytes. Default: `None`.
    pub fn account_byte_rate(mut self, rate: Option<Rate>) -> Self {
        self.gate.per_account.bytes = rate;
        self
    }

    /// How long a client may be silent until it is asked for a sign of life (XEP-0199). `None` never asks. Default: 15
    /// minutes. Costs a timer for each connection.
    pub fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long that sign may take; then the connection is given up. Not longer than the idle timeout. Default: 1 minute.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.ping_timeout = timeout;
        self
    }

    pub(crate) fn management(&self) -> ManagementConfig {
        // What waits for one client is limited in its outbox, which knows of both kinds of stream.
        ManagementConfig::new()
            .resumption(self.resumption)
            .acknowledgement_timeout(Some(self.acknowledgement_timeout))
            .queue_stanzas(u32::MAX)
            .queue_bytes(u32::MAX)
    }

    fn offline(&self) -> Option<Quota> {
        let (records, bytes) = self.offline_messages;
        // What waits has to fit into the queue of the client that comes for it.
        let half = u64::try_from(self.send_queue_bytes / 2).unwrap_or(u64::MAX);
        (records > 0).then_some(Quota {
            records,
            bytes: bytes.min(half),
            overflow: Overflow::Refuse,
        })
    }

    pub(crate) fn rules(&self) -> Rules {
        Rules {
            domain: self.domain.clone(),
            outbox_bytes: self.send_queue_bytes,
            sessions_per_account: self.resources,
            directed: self.directed_presences,
            waiting_requests: self.waiting_requests,
            request_bytes: self.request_bytes,
            roster: RosterLimits {
                contacts: self.contacts,
                groups: self.groups,
                text_bytes: self.name_bytes,
            },
            requests_need_presence: self.requests_need_presence,
            conflict: self.conflict,
            contact_addresses: self.contact_addresses.clone(),
            offline: self.offline(),
            blocked: self.blocked_addresses,
            private_bytes: self.private_xml_bytes,
            archive: self.archive,
            vcard_bytes: self.vcard_bytes,
            account_changes: self.account_changes,
            administrators: self.administrators.clone(),
            iterations: self.iterations,
        }
    }
}
