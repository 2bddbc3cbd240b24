//! What a stream tells its application, and what it asks.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use xmpp_sasl::{ChannelBinding, Condition, DerivedKeys, Hash, Mechanism, StoredCredentials};
use zeroize::Zeroizing;

use super::error::Error;
use super::fast::FastToken;
use super::management::ManagedSession;
use super::sasl2::UserAgent;
use super::task::TaskStep;
use crate::error::StanzaCondition;
use crate::jid::Jid;

/// Something for the application. Before acting on an event, write what
/// [`poll_transmit`](super::Stream::poll_transmit) gives.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Do the TLS handshake on the connection now, as a client if this side initiated the stream, then
    /// call [`handle_tls`](super::Stream::handle_tls). When it fails, close the connection and call
    /// [`handle_disconnected`](super::Stream::handle_disconnected).
    StartTls,
    /// Receiver: answer with [`handle_credentials`](super::Stream::handle_credentials). Until then no
    /// input is taken.
    Lookup {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that wants to log in; nothing is proven yet.
        account: Jid,
        /// By which mechanism.
        mechanism: Mechanism,
        /// For which hash function the credentials must be; `None` for any.
        hash: Option<Hash>,
    },
    /// Receiver with [FAST](super::FastConfig): look up the tokens of that installation of a client, answer with
    /// [`handle_tokens`](super::Stream::handle_tokens), and keep what has become of them. Until then no input is taken.
    Tokens {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that wants to log in with a token, nothing being proven yet; or that has logged in and
        /// wants one.
        account: Jid,
        /// The identifier of the installation (XEP-0388 §2.3). Tokens are kept by this and the account.
        client: Box<str>,
        /// By which mechanism the client logs in, or wants to the next time.
        mechanism: Mechanism,
    },
    /// Receiver of clients that may use OAUTHBEARER: answer with [`handle_bearer`](super::Stream::handle_bearer),
    /// whose token it is. Until then no input is taken.
    Bearer {
        /// Goes with the answer.
        ticket: Ticket,
        /// The token; `None` when the client only wants to know what it needs, which the error report says.
        token: Option<BearerToken>,
    },
    /// Receiver of clients that may use EXTERNAL: one has presented a [certificate](TlsInfo::identity) that names the
    /// account. Answer with [`handle_certificate`](super::Stream::handle_certificate) whether there is such an
    /// account. Until then no input is taken.
    Certificate {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that the certificate proves.
        account: Jid,
    },
    /// The account is authenticated. Stanzas do not flow yet.
    Authenticated {
        /// Its bare address. On the initiator the address that it was configured with, and with SASL2 the one that
        /// the server tells; with ANONYMOUS on the receiver a new one that nobody can guess.
        account: Jid,
        /// By which mechanism.
        mechanism: Mechanism,
        /// Initiator, after SCRAM: the keys, which a client may keep
        /// ([`Credentials::cached`](xmpp_sasl::Credentials::cached)) to save their derivation next time.
        keys: Option<DerivedKeys>,
        /// Receiver, with SASL2: the client's installation, if it says which. Nobody else may learn of its
        /// identifier (XEP-0388 §2.3).
        user_agent: Option<Box<UserAgent>>,
    },
    /// A login takes [tasks](super::ReceiverConfig::tasks): answer with [`handle_task`](super::Stream::handle_task).
    /// Until then no input is taken.
    Task {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that logs in; it has not done so yet.
        account: Jid,
        /// Where it stands.
        step: TaskStep,
    },
    /// Receiver with [upgrades](super::ReceiverConfig::upgrades): a client that has done its mechanism would give keys
    /// for that hash function. Answer with [`handle_upgrade`](super::Stream::handle_upgrade) whether the account lacks
    /// them. Until then no input is taken.
    Upgrade {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that logs in.
        account: Jid,
        /// The hash function.
        hash: Hash,
    },
    /// Receiver: the client has given these keys. Keep them beside those for other hash functions, by which clients
    /// still log in (XEP-0480 §4).
    Upgraded {
        /// The bare address that they are of.
        account: Jid,
        /// The keys.
        credentials: StoredCredentials,
    },
    /// Initiator: the server has issued a token for the next login. Keep it, in place of another from before.
    Token {
        /// The token.
        token: Box<FastToken>,
    },
    /// Initiator: the server has not taken the token. Throw it away; the stream goes on with the credentials that it
    /// was configured with (XEP-0484 §4.1).
    TokenRefused {
        /// Why: `credentials-expired` when it has expired.
        condition: Condition,
    },
    /// Receiver: answer with [`handle_bind`](super::Stream::handle_bind). Until then no input is taken.
    Bind {
        /// Goes with the answer.
        ticket: Ticket,
        /// The full address to bind: with the resource that the client asks for, or else with one that
        /// nobody can guess.
        jid: Jid,
        /// Whether the client asked for the resource. With Bind 2 (XEP-0386) it never does: the address
        /// begins with its tag, if it has one.
        requested: bool,
    },
    /// Receiver of components: one wants to serve a domain. Answer with
    /// [`handle_component`](super::Stream::handle_component). Until then no input is taken.
    Component {
        /// Goes with the answer.
        ticket: Ticket,
        /// The domain; nothing is proven yet.
        domain: Jid,
    },
    /// Receiver: the peer asks for the session of a stream before. Answer with
    /// [`handle_resume`](super::Stream::handle_resume). Until then no input is taken.
    Resume {
        /// Goes with the answer.
        ticket: Ticket,
        /// The bare address that is authenticated. A session of another account is not told of.
        account: Jid,
        /// Which session: its [identifier](ManagedSession::id).
        id: Box<str>,
    },
    /// Initiator: the session that was to be resumed is lost, and a new one begins. Receiver: the session
    /// that was given is not the one that was asked for, or is over; nothing was done with it.
    NotResumed {
        /// The session. What is unacknowledged in it may be sent again (XEP-0198 §4).
        session: ManagedSession,
        /// Why; `None` when the server does not offer resumption any more.
        condition: Option<StanzaCondition>,
    },
    /// Stanzas may flow.
    Established {
        /// Initiator: one's own full address, as the server has it. Receiver: that of the peer. Of a
        /// component, its domain.
        jid: Jid,
        /// Whether the session of a stream before goes on: what was unacknowledged is on its way again,
        /// and neither roster nor presence are asked for or sent anew (XEP-0198 §5).
        resumed: bool,
    },
    /// Both sides count stanzas from now on ([`Stream::session`](super::Stream::session)).
    Managed {
        /// Whether the session can be resumed after the connection was lost.
        resumable: bool,
    },
    /// Initiator: the server does not manage the stream, which goes on without.
    Unmanaged {
        /// Why.
        condition: StanzaCondition,
    },
    /// The peer has handled stanzas that were sent, from the oldest unacknowledged one on.
    Acknowledged {
        /// How many.
        stanzas: u64,
    },
    /// Receiver: the client has become active or inactive (XEP-0352). Every stream begins active, also one
    /// that was resumed. What this leads to comes before what the client sends next is answered.
    ClientState {
        /// Whether it is active.
        active: bool,
    },
    /// The stream was closed. Write what is left, then close the connection. No event follows.
    Closed {
        /// Whether the peer closed its side too.
        clean: bool,
    },
    /// The stream has failed. Write what is left, then close the connection. No event follows.
    Failed(Error),
}

/// A question to the application that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket(pub(super) u32);

/// The answer to [`Event::Lookup`].
#[derive(Debug)]
#[non_exhaustive]
pub enum CredentialsAnswer {
    /// The credentials of the account.
    Found(StoredCredentials),
    /// There is no such account, or it may not log in. To the peer this looks like a wrong password,
    /// later.
    Unknown,
    /// Says so at once, with this condition: `temporary-auth-failure` when the store is out of order,
    /// `account-disabled` or `credentials-expired` where that may be known.
    Refused(Condition),
}

/// A token of OAuth 2.0 (RFC 6750), which whoever sees it can use. It is zeroed when dropped and not shown by `Debug`.
#[derive(Clone)]
pub struct BearerToken(Zeroizing<String>);

impl BearerToken {
    pub(super) fn new(token: Zeroizing<String>) -> Self {
        Self(token)
    }

    /// The token itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken(..)")
    }
}

/// What the transport knows of the TLS connection.
#[derive(Clone, Default)]
pub struct TlsInfo {
    pub(super) bindings: Vec<ChannelBinding>,
    pub(super) identities: Vec<Jid>,
    pub(super) is_early: bool,
}

impl TlsInfo {
    /// A connection without data to bind to: no -PLUS mechanism is used.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the `tls-exporter` data: 32 bytes under the label `EXPORTER-Channel-Binding` with an empty
    /// context (RFC 9266). `None` adds nothing.
    #[must_use]
    pub fn exporter(mut self, data: Option<[u8; 32]>) -> Self {
        self.bindings.extend(data.map(ChannelBinding::tls_exporter));
        self
    }

    /// Adds other data to bind to.
    #[must_use]
    pub fn binding(mut self, binding: ChannelBinding) -> Self {
        self.bindings.push(binding);
        self
    }

    /// Receiver: the stream begins in the early data of TLS 1.3 (0-RTT), which whoever has listened can repeat. Until
    /// the receiver has answered an attempt to authenticate, only a token is taken, and each of its counts once, where
    /// [that is allowed](super::FastConfig::early_data) (XEP-0388 §6, XEP-0484 §3.4).
    #[must_use]
    pub fn early_data(mut self) -> Self {
        self.is_early = true;
        self
    }

    /// Receiver: adds an account that the client's certificate names, which TLS has verified: by its `xmppAddr` or
    /// by any mapping of the application's (XEP-0178 §2). Of several those count that the stream is for, and the one
    /// that its header comes `from`. EXTERNAL is offered where there is one.
    #[must_use]
    pub fn identity(mut self, account: &Jid) -> Self {
        self.identities.push(account.bare());
        self
    }
}

impl fmt::Debug for TlsInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsInfo")
            .field("bindings", &self.bindings)
            .field("identities", &self.identities)
            .field("early", &self.is_early)
            .finish()
    }
}
