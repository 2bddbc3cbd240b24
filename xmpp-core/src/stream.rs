//! Streams (RFC 6120 §4 to §7): one machine for both sides of a client-to-server stream, without I/O.
//!
//! A [`Stream`] negotiates by itself: header, STARTTLS, SASL, resource binding, each as often as it is
//! due; or by [SASL2](Sasl2) in one round trip, the next time by a [token](FastToken). It runs over TCP or [WebSocket](Framing), between client and
//! server or [component](InitiatorConfig::component) and server. Once it is [established](Event::Established) it hands out each stanza that arrives, borrowed
//! where it stands, and writes those that are sent straight into its output.
//!
//! # Driving a stream
//!
//! **After any `handle_*` or mutator, call [`poll_event`](Stream::poll_event) and
//! [`poll_transmit`](Stream::poll_transmit) until they give nothing, and then ask
//! [`poll_timeout`](Stream::poll_timeout) when to call [`handle_timeout`](Stream::handle_timeout).**
//! Write what `poll_transmit` gave before acting on [`Event::StartTls`], [`Event::Closed`] or
//! [`Event::Failed`]. One read from the connection is handled like this:
//!
//! ```
//! use xmpp_core::stream::Stream;
//! use xmpp_core::time::Instant;
//! use xmpp_xml::Scratch;
//!
//! fn received(stream: &mut Stream, scratch: &mut Scratch, bytes: &[u8], now: Instant, out: &mut Vec<u8>) {
//!     let mut input = bytes;
//!     loop {
//!         if let Some(stanza) = stream.handle_bytes(scratch, &mut input, now) {
//!             println!("{stanza}");
//!         }
//!         while let Some(event) = stream.poll_event() {
//!             println!("{event:?}"); // answer tickets here, or later
//!         }
//!         stream.poll_transmit(out);
//!         if input.is_empty() || stream.is_waiting() {
//!             break; // keep what is left of the input until the ticket is answered
//!         }
//!     }
//! }
//! ```
//!
//! A stanza borrows the stream until it is dropped. What is to be sent in answer to it is written
//! elsewhere meanwhile, for instance with [`Writer::in_stream`] into a buffer of the caller's, and given
//! to [`Stream::send_bytes`].
//!
//! # When the connection is lost
//!
//! A stream with [management](ManagementConfig) (XEP-0198) keeps what the peer has not acknowledged. Once it has
//! ended, [`Stream::take_session`] gives its session; an initiator gives that to its next stream, and a receiver
//! keeps it until it is asked for:
//!
//! ```
//! use xmpp_core::stream::{Event, ManagedSession, Resumption, Stream};
//! use xmpp_core::time::Instant;
//!
//! /// The initiator connects again.
//! fn connect_again(lost: &mut Stream, next: &mut Stream) {
//!     if let Some(session) = lost.take_session().filter(|session| session.is_resumable()) {
//!         // Whether it goes on, `Event::Established` tells.
//!         let _ = next.resume(session);
//!     }
//! }
//!
//! /// The receiver is asked for a session that it keeps.
//! fn answer(stream: &mut Stream, event: Event, kept: &mut Vec<ManagedSession>, now: Instant) {
//!     let Event::Resume { ticket, id, .. } = event else {
//!         return;
//!     };
//!     let found = kept.iter().position(|session| session.id() == Some(&*id));
//!     let answer = match found {
//!         Some(index) => Resumption::Found(kept.remove(index)),
//!         None => Resumption::Unknown,
//!     };
//!     if let Err((_, Resumption::Found(session))) = stream.handle_resume(ticket, answer, now) {
//!         kept.push(session); // the stream has ended meanwhile
//!     }
//! }
//! ```
//!
//! # Logging in again by a token
//!
//! With SASL2 a server may issue tokens (XEP-0484), by which a client comes back in one round trip and without its
//! password. Here both sides negotiate below TLS, from header to bound resource, and do so again:
//!
//! ```
//! use xmpp_core::entropy::Entropy;
//! use xmpp_core::jid::Jid;
//! use xmpp_core::stream::{
//!     CredentialsAnswer, Encryption, Event, FastConfig, FastToken, FastTokens, InitiatorConfig,
//!     ReceiverConfig, Sasl2, Stream, TlsInfo, TokenUse, UserAgent,
//! };
//! use xmpp_core::time::Instant;
//! use xmpp_sasl::{Credentials, Hash, Mechanism, ServerConfig, StoredCredentials};
//! use xmpp_xml::Scratch;
//!
//! /// What the server keeps of an account.
//! struct Account {
//!     credentials: StoredCredentials,
//!     /// Of one installation of the client; in earnest by account and installation.
//!     tokens: FastTokens,
//! }
//!
//! /// One read from the socket. What is left of it waits for the answer to a ticket.
//! fn receive(stream: &mut Stream, socket: &mut Vec<u8>, now: Instant) {
//!     let received = std::mem::take(socket);
//!     let (mut input, mut scratch) = (&received[..], Scratch::new());
//!     while !input.is_empty() && !stream.is_waiting() {
//!         stream.handle_bytes(&mut scratch, &mut input, now);
//!     }
//!     *socket = input.to_vec();
//! }
//!
//! /// The application of the server.
//! fn serve(stream: &mut Stream, account: &mut Account, now: Instant) {
//!     while let Some(event) = stream.poll_event() {
//!         match event {
//!             Event::Lookup { ticket, .. } => {
//!                 let answer = CredentialsAnswer::Found(account.credentials.clone());
//!                 stream.handle_credentials(ticket, answer, now).unwrap();
//!             }
//!             Event::Tokens { ticket, .. } => {
//!                 let time = "2026-12-01T12:00:00Z".parse().unwrap(); // from the clock on the wall
//!                 let tokens = &mut account.tokens;
//!                 let changed = stream.handle_tokens(ticket, Ok(tokens), time, now).unwrap();
//!                 assert!(changed); // in earnest they go to the store here
//!             }
//!             Event::Bind { ticket, jid, .. } => stream.handle_bind(ticket, Ok(jid), now).unwrap(),
//!             Event::Failed(error) => panic!("{error}"),
//!             _ => {}
//!         }
//!     }
//! }
//!
//! /// From the TLS handshake on. Gives the token for the next time, if there is a new one.
//! fn negotiate(client: &mut Stream, server: &mut Stream, account: &mut Account) -> Option<FastToken> {
//!     let now = Instant::ORIGIN; // from a monotonic clock
//!     for side in [&mut *client, &mut *server] {
//!         side.handle_tls(TlsInfo::new().exporter(Some([5; 32])), now).unwrap();
//!     }
//!     let (mut to_server, mut to_client, mut issued) = (Vec::new(), Vec::new(), None);
//!     while !(client.is_established() && server.is_established()) {
//!         client.poll_transmit(&mut to_server);
//!         receive(server, &mut to_server, now);
//!         serve(server, account, now);
//!         server.poll_transmit(&mut to_client);
//!         receive(client, &mut to_client, now);
//!         while let Some(event) = client.poll_event() {
//!             match event {
//!                 Event::Token { token } => issued = Some(*token),
//!                 Event::TokenRefused { .. } => issued = None,
//!                 Event::Failed(error) => panic!("{error}"),
//!                 _ => {}
//!             }
//!         }
//!     }
//!     issued
//! }
//!
//! let sasl = ServerConfig::new([7; 32]).mechanisms([
//!     Mechanism::ScramSha256Plus,
//!     Mechanism::ScramSha256,
//!     Mechanism::HtSha256Exporter, // for tokens, bound to the connection
//! ]);
//! let server = ReceiverConfig::new("example.com".parse()?, sasl)
//!     .encryption(Encryption::Direct)
//!     .sasl2(true)
//!     .fast(FastConfig::new());
//! // Made once for an installation and kept.
//! let agent = UserAgent::generate(&mut Entropy::from_seed([1; 32]));
//! let jid: Jid = "juliet@example.com".parse()?;
//! let client = InitiatorConfig::new(jid.clone(), Credentials::password("juliet", "r0m30myr0m30"))
//!     .encryption(Encryption::Direct)
//!     .sasl2(Sasl2::new().user_agent(agent).request_token(true));
//! let credentials = StoredCredentials::derive(Hash::Sha256, "r0m30myr0m30", b"sixteen byte salt", 4096)?;
//! let mut account = Account { credentials, tokens: FastTokens::default() };
//!
//! // In earnest each seed comes from the system's random source.
//! let streams = |seed: u8| {
//!     let entropy = [seed, seed + 1].map(|seed| Entropy::from_seed([seed; 32]));
//!     let [ours, theirs] = entropy;
//!     let now = Instant::ORIGIN;
//!     (
//!         Stream::initiator(client.clone(), ours, now),
//!         Stream::receiver(server.clone(), theirs, now),
//!     )
//! };
//!
//! // The first time the password is needed, and a token comes along.
//! let (mut ours, mut theirs) = streams(2);
//! let mut token = negotiate(&mut ours, &mut theirs, &mut account).ok_or("no token")?;
//!
//! // The next time the token is enough.
//! let (mut ours, mut theirs) = streams(4);
//! ours.use_token(&mut token, TokenUse::Login)?; // and keep it again, since it counts
//! negotiate(&mut ours, &mut theirs, &mut account);
//! assert_eq!(theirs.jid().map(Jid::bare), Some(jid));
//! assert_eq!(account.tokens.current(), Some(&token));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The [front page](crate) has two machines that talk to each other from header to closing tag.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use xmpp_sasl::{BearerError, Channel, Condition};
use xmpp_xml::{ElementRef, Limits, Parser, Scratch, Writer};

use crate::datetime::DateTime;
use crate::entropy::Entropy;
use crate::error::{StanzaCondition, StanzaError, StreamCondition, StreamError};
use crate::jid::Jid;
use crate::ns;
use crate::stanza::{IqBuilder, StanzaKind, error_reply};
use crate::time::Instant;

mod bind;
mod component;
mod config;
mod error;
mod event;
mod fast;
mod framing;
mod header;
mod management;
mod negotiation;
mod offers;
mod outgoing;
mod sasl;
mod sasl2;
mod session;
mod starttls;
mod task;

pub use component::ComponentSecret;
pub use config::{Encryption, InitiatorConfig, ReceiverConfig};
pub use error::{Blame, Error, FeatureKind, Misuse, SaslFailure};
pub use event::{BearerToken, CredentialsAnswer, Event, Ticket, TlsInfo};
pub use fast::{FastConfig, FastToken, FastTokens, TokenUse};
pub use framing::Framing;
pub use management::{ManagedSession, ManagementConfig, Resumption, SessionError};
pub use sasl2::{Sasl2, UserAgent};
pub use task::{TaskAnswer, TaskStep};

use component::check_addresses;
use framing::{Arrival, Wire, is_secure, write_message};
use management::{Management, Outcome, not_resumed};
use offers::Offers;
use outgoing::elements;

use negotiation::{
    Answer, Choice, Config, Context, Facts, Negotiation, Phase, Progress, Question, violation,
};

/// One stream, seen from one side. See the [module](self) for how to drive it.
///
/// The state of the negotiation is dropped when the stream is established. What is left is small, and
/// between stanzas no buffer is held but the output, if it was not given away.
pub struct Stream {
    parser: Parser,
    inner: Inner,
}

/// Everything but the parser, from which a stanza is borrowed while this goes on.
struct Inner {
    config: Config,
    stage: Stage,
    negotiation: Option<Box<Negotiation>>,
    management: Option<Box<Management>>,
    /// What is left of the management when the stream is over.
    session: Option<ManagedSession>,
    offers: Offers,
    /// Initiator: whether the peer takes it for active.
    is_active: bool,
    /// When to see whether something came in.
    idle: Option<Instant>,
    /// Whether something came in since.
    has_heard: bool,
    output: Vec<u8>,
    /// How much of the output was given away in messages.
    transmitted: usize,
    events: VecDeque<Event>,
    jid: Option<Jid>,
    id: Option<Box<str>>,
    /// When the negotiation or the closing has lasted too long.
    deadline: Option<Instant>,
    /// When to see whether something was sent.
    keepalive: Option<Instant>,
    /// Whether something was sent since.
    has_sent: bool,
    /// Whether our header is out, so that errors and the closing tag have something to stand in.
    is_open: bool,
    /// Whether bytes have to come through TLS that has not begun.
    is_silent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Negotiating,
    Established,
    /// Our closing tag is out, the peer's is due.
    Closing,
    Closed,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// Headers and features are exchanged.
    Opening,
    /// The transport does its TLS handshake.
    Handshake,
    /// SASL is under way.
    Authenticating,
    /// A resource is being bound.
    Binding,
    /// Stanzas flow.
    Established,
    /// The closing tag was sent, the peer's is due.
    Closing,
    /// It is over.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening => "while the stream was opened",
            Self::Handshake => "during the TLS handshake",
            Self::Authenticating => "during authentication",
            Self::Binding => "while a resource was bound",
            Self::Established => "while the stream was established",
            Self::Closing => "while the stream was closed",
            Self::Closed => "after the stream was closed",
        })
    }
}

impl Stream {
    /// The side that connects. Its header is ready to be sent, unless the transport begins with TLS
    /// ([`Encryption::Direct`]): then [`handle_tls`](Self::handle_tls) comes first.
    ///
    /// One configuration behind an `Arc` serves any number of streams.
    #[must_use]
    pub fn initiator(
        config: impl Into<Arc<InitiatorConfig>>,
        entropy: Entropy,
        now: Instant,
    ) -> Self {
        let config = config.into();
        let (limits, timeout) = (config.limits, config.negotiation_timeout);
        let mut stream = Self::new(Config::Initiator(config), entropy, limits, now + timeout);
        stream.inner.begin();
        stream
    }

    /// The side that is connected to. It waits for the peer's header, or for
    /// [`handle_tls`](Self::handle_tls) with [`Encryption::Direct`].
    ///
    /// One configuration behind an `Arc` serves any number of streams.
    #[must_use]
    pub fn receiver(
        config: impl Into<Arc<ReceiverConfig>>,
        entropy: Entropy,
        now: Instant,
    ) -> Self {
        let config = config.into();
        let bytes = config.unauthenticated_bytes.min(config.limits.stanza_bytes);
        let limits = config.limits.stanza_bytes(bytes);
        let timeout = config.negotiation_timeout;
        Self::new(Config::Receiver(config), entropy, limits, now + timeout)
    }

    fn new(config: Config, entropy: Entropy, limits: Limits, deadline: Instant) -> Self {
        let negotiation = Negotiation::new(config.clone(), entropy);
        let is_silent = negotiation.phase == Phase::Handshake;
        Self {
            parser: Parser::new(limits),
            inner: Inner {
                config,
                stage: Stage::Negotiating,
                negotiation: Some(Box::new(negotiation)),
                management: None,
                session: None,
                offers: Offers::default(),
                is_active: true,
                idle: None,
                has_heard: false,
                output: Vec::new(),
                transmitted: 0,
                events: VecDeque::new(),
                jid: None,
                id: None,
                deadline: Some(deadline),
                keepalive: None,
                has_sent: false,
                is_open: false,
                is_silent,
            },
        }
    }

    /// Whether stanzas flow: after [`Event::Established`], until the stream is closed by either side.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.inner.stage == Stage::Established
    }

    /// Whether it is over. Nothing is taken or sent any more; what was written before may still wait in
    /// [`poll_transmit`](Self::poll_transmit).
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.inner.stage == Stage::Closed
    }

    /// Whether a ticket is open, or the TLS handshake is due: until it is answered no input is taken.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        let phase = self
            .inner
            .negotiation
            .as_ref()
            .map(|negotiation| negotiation.phase);
        matches!(phase, Some(Phase::Answer(..) | Phase::Handshake))
    }

    /// How far the stream has come.
    #[must_use]
    pub fn state(&self) -> State {
        self.inner.state()
    }

    /// The full address that was bound: one's own on the initiator, the peer's on the receiver. `None`
    /// until then.
    #[must_use]
    pub fn jid(&self) -> Option<&Jid> {
        self.inner.jid.as_ref()
    }

    /// The identifier that the receiver gave the current stream (RFC 6120 §4.7.3).
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.inner.id.as_deref()
    }

    /// The session of a managed stream (XEP-0198): from [`Event::Managed`] on, on an initiator from
    /// [`Event::Established`] on if the server offers management. `None` before, without management, and after
    /// the stream's end.
    #[must_use]
    pub fn session(&self) -> Option<&ManagedSession> {
        self.inner.management.as_ref()?.session()
    }

    /// How many bytes wait for [`poll_transmit`](Self::poll_transmit). A peer that never reads makes
    /// this grow: whoever sends decides how much is too much.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.inner
            .output
            .len()
            .saturating_sub(self.inner.transmitted)
    }

    /// Bytes have arrived. Takes one step: gives the next stanza, or nothing after anything else. Then
    /// poll, and call again while there is input and the stream is not [waiting](Self::is_waiting).
    ///
    /// Stanzas are given only from [`Event::Established`] on, also after this side has closed, until the
    /// peer has closed too. All other elements are seen to here.
    pub fn handle_bytes<'a, 'i: 'a>(
        &'a mut self,
        scratch: &'a mut Scratch,
        input: &mut &'i [u8],
        now: Instant,
    ) -> Option<ElementRef<'a>> {
        match self.inner.stage {
            Stage::Negotiating => {
                self.negotiate(scratch, input, now);
                return None;
            }
            Stage::Closed => {
                *input = &[];
                return None;
            }
            Stage::Established | Stage::Closing => {}
        }
        self.inner.has_heard |= !input.is_empty();
        let wire = self.inner.config.wire();
        match wire.read(true, &mut self.parser, scratch, input) {
            Ok(Arrival::Element(element)) => {
                return self.inner.accept(element, now).then_some(element);
            }
            Ok(Arrival::End(redirection)) => self.inner.handle_end(redirection),
            Ok(Arrival::Header(header)) => self.inner.end_with(unexpected(header)),
            Ok(Arrival::Nothing | Arrival::Space) => {}
            Err(error) => self.inner.end_with(error),
        }
        if self.inner.stage == Stage::Closed {
            *input = &[];
        }
        None
    }

    /// The TLS handshake is done: after [`Event::StartTls`], or at the beginning with
    /// [`Encryption::Direct`]. The stream begins anew, and nothing that was learned before counts.
    ///
    /// # Errors
    /// [`Misuse::NoHandshake`] at any other time.
    pub fn handle_tls(&mut self, info: TlsInfo, _now: Instant) -> Result<(), Misuse> {
        let Some(negotiation) = &mut self.inner.negotiation else {
            return Err(Misuse::NoHandshake);
        };
        if negotiation.phase != Phase::Handshake {
            return Err(Misuse::NoHandshake);
        }
        negotiation.shared.forget();
        negotiation.shared.facts = Facts::SECURE;
        negotiation.shared.channel = info
            .bindings
            .into_iter()
            .fold(Channel::tls(), Channel::binding);
        negotiation.shared.identities = info.identities;
        negotiation.shared.is_early = info.is_early;
        negotiation.phase = Phase::Header;
        self.inner.is_silent = false;
        self.restart();
        Ok(())
    }

    /// The application answers [`Event::Lookup`]. With PLAIN this derives keys from the password, which
    /// takes its time.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open.
    pub fn handle_credentials(
        &mut self,
        ticket: Ticket,
        answer: CredentialsAnswer,
        now: Instant,
    ) -> Result<(), Misuse> {
        let answer = Answer::Credentials(answer);
        self.handle_answer(ticket, answer, Question::Credentials, now)
    }

    /// The application answers [`Event::Tokens`]: with what it keeps for that installation of the account's client,
    /// empty where it keeps nothing or knows no such account; or with why nobody logs in with a token and none is
    /// issued now. Says whether they have changed: then keep them in place of the old ones, before anything else, and
    /// let nobody else look them up meanwhile. `time` is the time of day.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open; the tokens are as they were.
    pub fn handle_tokens(
        &mut self,
        ticket: Ticket,
        answer: Result<&mut FastTokens, Condition>,
        time: DateTime,
        now: Instant,
    ) -> Result<bool, Misuse> {
        match answer {
            Ok(tokens) => {
                let before = tokens.clone();
                let answer = Answer::Tokens(Ok(tokens), time);
                self.handle_answer(ticket, answer, Question::Tokens, now)?;
                Ok(*tokens != before)
            }
            Err(condition) => {
                let answer = Answer::Tokens(Err(condition), time);
                self.handle_answer(ticket, answer, Question::Tokens, now)?;
                Ok(false)
            }
        }
    }

    /// The application answers [`Event::Task`].
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open; [`Misuse::WrongAnswer`] for one of the other side, and
    /// the ticket stays open.
    pub fn handle_task(
        &mut self,
        ticket: Ticket,
        answer: TaskAnswer,
        now: Instant,
    ) -> Result<(), Misuse> {
        if !task::fits(&answer, &self.inner.config) {
            return Err(Misuse::WrongAnswer);
        }
        self.handle_answer(ticket, Answer::Task(answer), Question::Task, now)
    }

    /// The application answers [`Event::Upgrade`]: whether the account lacks such keys.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open.
    pub fn handle_upgrade(
        &mut self,
        ticket: Ticket,
        is_wanted: bool,
        now: Instant,
    ) -> Result<(), Misuse> {
        let answer = Answer::Upgrade(is_wanted);
        self.handle_answer(ticket, answer, Question::Upgrade, now)
    }

    /// The application answers [`Event::Bearer`]: with the account that the token was issued for, or with what the
    /// client is told (RFC 7628 §3.2.2) before its failure.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open; [`Misuse::WrongAddress`] for an address that is no
    /// account of the domain that the stream is for, and the ticket stays open.
    pub fn handle_bearer(
        &mut self,
        ticket: Ticket,
        answer: Result<Jid, BearerError>,
        now: Instant,
    ) -> Result<(), Misuse> {
        if let (Ok(account), Some(negotiation)) = (&answer, &self.inner.negotiation) {
            let host = negotiation.shared.host.as_ref().map(Jid::domain);
            let is_account = account.is_bare() && account.local().is_some();
            if !is_account || host != Some(account.domain()) {
                return Err(Misuse::WrongAddress);
            }
        }
        self.handle_answer(ticket, Answer::Bearer(answer), Question::Bearer, now)
    }

    /// The application answers [`Event::Certificate`]: whether there is such an account and it may log in.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open.
    pub fn handle_certificate(
        &mut self,
        ticket: Ticket,
        is_known: bool,
        now: Instant,
    ) -> Result<(), Misuse> {
        let answer = Answer::Certificate(is_known);
        self.handle_answer(ticket, answer, Question::Certificate, now)
    }

    /// The application answers [`Event::Bind`]: with the address of the event, with another full address
    /// of the same account, or with the error to tell the peer (`conflict`, `resource-constraint`,
    /// `not-allowed`), which may then ask again.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open; [`Misuse::WrongAddress`] for an address
    /// that is not a full one of the account, and the ticket stays open.
    pub fn handle_bind(
        &mut self,
        ticket: Ticket,
        answer: Result<Jid, StanzaError>,
        now: Instant,
    ) -> Result<(), Misuse> {
        if let (Ok(jid), Some(negotiation)) = (&answer, &self.inner.negotiation)
            && let Some(account) = &negotiation.shared.account
            && (jid.is_bare() || jid.to_bare_ref() != *account)
        {
            return Err(Misuse::WrongAddress);
        }
        self.handle_answer(ticket, Answer::Bind(answer), Question::Bind, now)
    }

    /// The application answers [`Event::Resume`].
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open; the answer comes back.
    pub fn handle_resume(
        &mut self,
        ticket: Ticket,
        answer: Resumption,
        now: Instant,
    ) -> Result<(), (Misuse, Resumption)> {
        let Some(index) = self.inner.waiting_for(ticket, Question::Resume) else {
            return Err((Misuse::UnknownTicket, answer));
        };
        self.answer(index, Answer::Resume(answer), now);
        Ok(())
    }

    /// The application answers [`Event::Component`]: with the secret of that domain, or with why it is not
    /// served: `host-unknown`, or `conflict` when it is served already.
    ///
    /// # Errors
    /// [`Misuse::UnknownTicket`] when the ticket is not open.
    pub fn handle_component(
        &mut self,
        ticket: Ticket,
        answer: Result<ComponentSecret, StreamCondition>,
        now: Instant,
    ) -> Result<(), Misuse> {
        let answer = Answer::Component(answer);
        self.handle_answer(ticket, answer, Question::Component, now)?;
        let negotiation = self.inner.negotiation.as_ref();
        self.inner.id = negotiation.and_then(|negotiation| negotiation.shared.id.clone());
        Ok(())
    }

    /// Time has passed: call this when [`poll_timeout`](Self::poll_timeout) says so. Earlier calls do
    /// nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.inner.handle_timeout(now);
    }

    /// The connection is gone, or was closed by the peer without TLS or stream being closed.
    pub fn handle_disconnected(&mut self, _now: Instant) {
        let state = self.state();
        match self.inner.stage {
            Stage::Negotiating | Stage::Established => {
                self.inner.is_silent = true;
                self.inner.end_with(Error::Disconnected(state));
            }
            Stage::Closing => self.inner.closed(false),
            Stage::Closed => {}
        }
        self.inner.output.clear();
        self.inner.transmitted = 0;
    }

    /// Sends one or several stanzas, written straight into the output.
    ///
    /// # Errors
    /// [`Misuse`], and nothing was written: before the stream is established, after it was closed, or
    /// when the writer refused.
    pub fn send(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> Result<(), Misuse> {
        self.inner.may_send()?;
        let before = self.inner.output.len();
        let mut writer = Writer::in_stream(&mut self.inner.output, ns::CLIENT);
        write(&mut writer);
        writer.finish().map_err(Misuse::Write)?;
        self.inner.sent(before)
    }

    /// Sends complete stanzas that were written before with [`Writer::in_stream`] for `jabber:client`:
    /// once for several receivers, or while a received stanza was still borrowed.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`], [`Misuse::Closed`], or [`Misuse::NoStanza`] for no bytes.
    pub fn send_bytes(&mut self, stanzas: &[u8]) -> Result<(), Misuse> {
        self.inner.may_send()?;
        let before = self.inner.output.len();
        self.inner.output.extend_from_slice(stanzas);
        self.inner.sent(before)
    }

    /// Initiator: goes on with the session of a stream before, if the server still has it. The stream is told
    /// before it is authenticated, best at once; its configuration has
    /// [management](InitiatorConfig::management). When it is established the event says whether it was
    /// resumed; when it fails before, [`take_session`](Self::take_session) gives the session back.
    ///
    /// # Errors
    /// [`Misuse::NotResumable`], or [`Misuse::WrongAddress`] for the session of another account. The session comes
    /// back.
    pub fn resume(&mut self, session: ManagedSession) -> Result<(), (Misuse, ManagedSession)> {
        let (Config::Initiator(config), Some(negotiation)) =
            (&self.inner.config, &mut self.inner.negotiation)
        else {
            return Err((Misuse::NotResumable, session));
        };
        let shared = &mut negotiation.shared;
        let is_late = shared.facts.contains(Facts::AUTHENTICATED) || shared.resuming.is_some();
        if config.management.is_none() || is_late || !session.is_resumable() {
            return Err((Misuse::NotResumable, session));
        }
        if session.jid().to_bare_ref() != config.jid.to_bare_ref() {
            return Err((Misuse::WrongAddress, session));
        }
        shared.resuming = Some(session);
        Ok(())
    }

    /// Initiator: logs in with a token that the server has issued, if it still offers its mechanism and the connection
    /// can be bound as it says; else the stream is as without. The stream is told before it is authenticated, best at
    /// once, and not with a token that has [expired](FastToken::expiry). A token that the server does not take is
    /// followed by the other credentials in the same stream, except to log out.
    ///
    /// The attempt is counted in `token`: keep it again before what [`poll_transmit`](Self::poll_transmit) gives is
    /// sent.
    ///
    /// # Errors
    /// [`Misuse::NoTokens`], and nothing is counted.
    pub fn use_token(&mut self, token: &mut FastToken, purpose: TokenUse) -> Result<(), Misuse> {
        let (Config::Initiator(config), Some(negotiation)) =
            (&self.inner.config, &mut self.inner.negotiation)
        else {
            return Err(Misuse::NoTokens);
        };
        let shared = &mut negotiation.shared;
        let sasl2 = config.sasl2.as_ref();
        if !sasl2.is_some_and(Sasl2::is_identified) || shared.facts.contains(Facts::AUTHENTICATED) {
            return Err(Misuse::NoTokens);
        }
        token.count_attempt();
        shared.token = Some((token.clone(), purpose));
        Ok(())
    }

    /// Initiator: tells the server whether the user is looking (XEP-0352), if the server wants to know and does not
    /// know it yet; gives whether it was told. A stream begins active, also one that was resumed.
    ///
    /// # Errors
    /// [`Misuse::NotEstablished`] or [`Misuse::Closed`].
    pub fn set_active(&mut self, active: bool) -> Result<bool, Misuse> {
        self.inner.may_send()?;
        if !self.inner.offers.client_state || self.inner.is_active == active {
            return Ok(false);
        }
        let name = if active { "active" } else { "inactive" };
        let mut writer = Writer::in_stream(&mut self.inner.output, ns::CLIENT);
        writer.empty(name, ns::CLIENT_STATE);
        writer.finish().map_err(Misuse::Write)?;
        (self.inner.is_active, self.inner.has_sent) = (active, true);
        Ok(true)
    }

    /// What is left of a managed stream that is over: the session, to be resumed by another stream or to
    /// be searched for what was not acknowledged. Gives it once.
    pub fn take_session(&mut self) -> Option<ManagedSession> {
        self.inner.session.take()
    }

    /// Closes the stream. The peer may send on until it has closed too; wait for [`Event::Closed`], which
    /// comes in bounded time. Before the stream is established there is nothing to wait for.
    pub fn close(&mut self, now: Instant) {
        self.close_for(None, now);
    }

    /// Receiver of a stream over WebSocket: closes it, and sends the client to another endpoint
    /// (RFC 7395 §3.6.1). Over TCP [`fail`](Self::fail) does that with `see-other-host`.
    pub fn redirect(&mut self, uri: &str, now: Instant) {
        self.close_for(Some(uri), now);
    }

    fn close_for(&mut self, redirection: Option<&str>, now: Instant) {
        match self.inner.stage {
            Stage::Negotiating => {
                self.inner.write_end(redirection);
                self.inner.closed(false);
            }
            Stage::Established => {
                self.inner.end_session();
                self.inner.write_end(redirection);
                self.inner.stage = Stage::Closing;
                (self.inner.keepalive, self.inner.idle) = (None, None);
                self.inner.deadline = Some(now + self.inner.close_timeout());
            }
            Stage::Closing | Stage::Closed => {}
        }
    }

    /// Ends the stream with an error that the peer is told: a policy it broke, a newer stream that takes
    /// its place, a shutdown.
    pub fn fail(&mut self, error: StreamError) {
        self.inner.end_with(Error::Failed(error));
    }

    /// Moves what is to be sent behind what `out` holds; says whether there was anything. Where `out` is
    /// empty the buffers are exchanged, and nothing is copied: with an empty `Vec` of no capacity the
    /// stream is left without a buffer.
    ///
    /// Over [WebSocket](Framing::WebSocket) each call gives one message: send it, empty `out`, call again.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) -> bool {
        if self.inner.output.is_empty() {
            return false;
        }
        if self.inner.config.wire() == Wire::WebSocket {
            self.inner.transmit_message(out);
            return true;
        }
        if out.is_empty() {
            core::mem::swap(out, &mut self.inner.output);
        } else {
            out.append(&mut self.inner.output);
        }
        true
    }

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.inner.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout); `None` for never.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let management = self.inner.management.as_ref();
        let management = management.and_then(|management| management.timeout());
        let management = management.filter(|_| self.is_established());
        let inner = &self.inner;
        [inner.deadline, inner.keepalive, inner.idle, management]
            .into_iter()
            .flatten()
            .min()
    }

    /// One step of the negotiation.
    fn negotiate(&mut self, scratch: &mut Scratch, input: &mut &[u8], now: Instant) {
        let Some(negotiation) = &mut self.inner.negotiation else {
            return;
        };
        match negotiation.phase {
            Phase::Answer(..) => return,
            // What still came in the clear is nobody's.
            Phase::Handshake => {
                *input = &[];
                return;
            }
            _ => {}
        }
        let before = input.len();
        let wire = self.inner.config.wire();
        let is_open = negotiation.phase != Phase::Header;
        let arrival = wire.read(is_open, &mut self.parser, scratch, input);
        let is_header = matches!(arrival, Ok(Arrival::Header(_)));
        let taken = before.saturating_sub(input.len());
        if let Config::Receiver(config) = &self.inner.config
            && !negotiation.shared.facts.contains(Facts::AUTHENTICATED)
        {
            negotiation.received = negotiation.received.saturating_add(taken as u64);
            if negotiation.received > u64::from(config.unauthenticated_bytes) {
                let text = "too many bytes before authentication";
                self.inner
                    .end_with(violation(StreamCondition::PolicyViolation, text));
                *input = &[];
                return;
            }
        }
        let more_input = !input.is_empty();
        let step = match arrival {
            Ok(Arrival::Header(header)) => self.inner.handle_header(header),
            Ok(Arrival::Element(element)) => self.inner.handle_element(element, more_input),
            Ok(Arrival::End(redirection)) => {
                let state = self.inner.state();
                let redirected = self.inner.redirected(redirection);
                Err(redirected.unwrap_or(Error::Disconnected(state)))
            }
            // Not even white space may come between the steps (XEP-0388 §2.4).
            Ok(Arrival::Space) if self.inner.is_exclusive() => {
                let text = "white space during authentication";
                Err(violation(StreamCondition::PolicyViolation, text))
            }
            Ok(Arrival::Nothing | Arrival::Space) => Ok(Step::Nothing),
            Err(error) => Err(error),
        };
        if is_header && wire == Wire::Component {
            self.parser.restart();
        }
        self.follow(step, now);
        if self.inner.stage == Stage::Closed {
            *input = &[];
        }
    }

    fn handle_answer(
        &mut self,
        ticket: Ticket,
        answer: Answer<'_>,
        question: Question,
        now: Instant,
    ) -> Result<(), Misuse> {
        let index = self.inner.waiting_for(ticket, question);
        self.answer(index.ok_or(Misuse::UnknownTicket)?, answer, now);
        Ok(())
    }

    /// The feature of that index has its answer.
    fn answer(&mut self, index: usize, answer: Answer<'_>, now: Instant) {
        let inner = &mut self.inner;
        let Some(negotiation) = &mut inner.negotiation else {
            return;
        };
        let Some(slot) = negotiation.features.get_mut(index) else {
            return;
        };
        let mut context = Context {
            shared: &mut negotiation.shared,
            output: &mut inner.output,
            events: &mut inner.events,
            more_input: false,
        };
        let progress = slot.feature.answer(answer, &mut context);
        // A component hears our header only now.
        inner.is_open |= inner.config.wire() == Wire::Component;
        self.follow(progress.map(|progress| Step::Feature(index, progress)), now);
    }

    /// Goes where the step leads.
    fn follow(&mut self, mut step: Result<Step, Error>, now: Instant) {
        let is_initiator = matches!(self.inner.config, Config::Initiator(_));
        loop {
            let (index, progress) = match step {
                Ok(Step::Feature(index, progress)) => (index, progress),
                Ok(Step::Complete) => return self.establish(now),
                Ok(Step::Nothing) => return,
                Err(error) => return self.inner.end_with(error),
            };
            let Some(negotiation) = &mut self.inner.negotiation else {
                return;
            };
            match progress {
                Progress::Wait | Progress::Open => {
                    negotiation.phase = if is_initiator {
                        Phase::Active(index)
                    } else {
                        Phase::Choice
                    };
                }
                Progress::Answer(ticket) => negotiation.phase = Phase::Answer(index, ticket),
                Progress::Handshake => {
                    negotiation.phase = Phase::Handshake;
                    self.inner.is_silent = true;
                }
                Progress::Restart => {
                    negotiation.phase = Phase::Header;
                    self.restart();
                }
                Progress::Features if is_initiator => negotiation.phase = Phase::Features,
                Progress::Features | Progress::Bound => {
                    negotiation.phase = Phase::Choice;
                    if let Config::Receiver(config) = &self.inner.config {
                        self.parser.set_limits(config.limits);
                    }
                    let mut writer = Writer::in_stream(&mut self.inner.output, ns::CLIENT);
                    negotiation.list(&mut writer);
                    if writer.finish().is_err() {
                        let condition = StreamCondition::InternalServerError;
                        return self.inner.end_with(Error::Failed(condition.into()));
                    }
                    if progress == Progress::Bound {
                        self.establish(now);
                    }
                }
                Progress::Done if is_initiator => {
                    negotiation.take_offer(index);
                    step = self.inner.begin_next();
                    continue;
                }
                Progress::Done => self.establish(now),
            }
            return;
        }
    }

    /// A new stream on the same connection; the parser knows nothing of the old one.
    fn restart(&mut self) {
        self.parser.restart();
        self.inner.id = None;
        if let (Config::Receiver(config), Some(negotiation)) =
            (&self.inner.config, &self.inner.negotiation)
            && negotiation.shared.facts.contains(Facts::AUTHENTICATED)
        {
            self.parser.set_limits(config.limits);
        }
        self.inner.is_open = false;
        self.inner.begin();
    }

    fn establish(&mut self, now: Instant) {
        let inner = &mut self.inner;
        let Some(mut negotiation) = inner.negotiation.take() else {
            return;
        };
        inner.stage = Stage::Established;
        inner.deadline = None;
        if let Config::Receiver(config) = &inner.config {
            self.parser.set_limits(config.limits);
        }
        inner.offers = core::mem::take(&mut negotiation.shared.offers);
        inner.keepalive = inner.keepalive_interval().map(|interval| now + interval);
        inner.idle = inner.idle_timeout().map(|timeout| now + timeout);
        let shared = &mut negotiation.shared;
        not_resumed(None, shared, |event| inner.events.push_back(event));
        let Some(jid) = shared.bound.take() else {
            return;
        };
        if shared.management.is_none()
            && let Config::Receiver(config) = &inner.config
            && let Some(config) = config.management.clone()
        {
            let id = shared.entropy.token();
            shared.management = Some(Management::offered(jid.clone(), id, config));
        }
        inner.management = shared.management.take().map(Box::new);
        inner.jid = Some(jid.clone());
        inner.is_active = !shared.is_inactive;
        let resumed = shared.facts.contains(Facts::RESUMED);
        inner.events.push_back(Event::Established { jid, resumed });
    }
}

impl Inner {
    fn state(&self) -> State {
        let Some(negotiation) = &self.negotiation else {
            return match self.stage {
                Stage::Established => State::Established,
                Stage::Closing => State::Closing,
                Stage::Closed | Stage::Negotiating => State::Closed,
            };
        };
        let facts = negotiation.shared.facts;
        let active = match negotiation.phase {
            Phase::Handshake => return State::Handshake,
            Phase::Active(index) | Phase::Answer(index, _) => negotiation.features.get(index),
            Phase::Choice if facts.contains(Facts::AUTHENTICATED) => return State::Binding,
            Phase::Choice if facts.contains(Facts::SECURE) => return State::Authenticating,
            _ => None,
        };
        match active.map(|slot| slot.feature.terms().kind) {
            Some(FeatureKind::Sasl | FeatureKind::Component) => State::Authenticating,
            Some(FeatureKind::Bind | FeatureKind::Session | FeatureKind::Management) => {
                State::Binding
            }
            Some(FeatureKind::StartTls) | None => State::Opening,
        }
    }

    /// The initiator speaks first.
    fn begin(&mut self) {
        let (Config::Initiator(config), Some(negotiation)) = (&self.config, &self.negotiation)
        else {
            return;
        };
        if negotiation.phase == Phase::Header {
            let secure = negotiation.shared.facts.contains(Facts::SECURE);
            header::write_initial(&mut self.output, config, secure);
            self.is_open = true;
        }
    }

    fn handle_header(&mut self, header: ElementRef<'_>) -> Result<Step, Error> {
        let phase = self
            .negotiation
            .as_ref()
            .map(|negotiation| negotiation.phase);
        if phase != Some(Phase::Header) {
            return Err(unexpected(header));
        }
        match self.config.clone() {
            Config::Initiator(_) if self.config.wire() == Wire::Component => {
                header::check_component(header)?;
                self.id = header.attribute("id").map(Box::from);
                return self.begin_handshake();
            }
            Config::Receiver(_) if self.config.wire() == Wire::Component => {
                header::check_component(header)?;
                let domain = header::address(header, "to")?.filter(Jid::is_bare);
                if let Some(negotiation) = &mut self.negotiation {
                    negotiation.shared.host = domain.filter(|domain| domain.local().is_none());
                }
                return self.begin_handshake();
            }
            Config::Initiator(_) => {
                header::check(header)?;
                self.id = header.attribute("id").map(Box::from);
                if let Some(negotiation) = &mut self.negotiation {
                    negotiation.phase = Phase::Features;
                }
            }
            Config::Receiver(config) => self.handle_initial_header(header, &config)?,
        }
        Ok(Step::Nothing)
    }

    /// A component's stream has no features: the handshake comes at once.
    fn begin_handshake(&mut self) -> Result<Step, Error> {
        let Some(negotiation) = &mut self.negotiation else {
            return Ok(Step::Nothing);
        };
        negotiation.shared.id = self.id.clone();
        let Some(slot) = negotiation.features.first_mut() else {
            return Ok(Step::Nothing);
        };
        let mut context = Context {
            shared: &mut negotiation.shared,
            output: &mut self.output,
            events: &mut self.events,
            more_input: false,
        };
        let progress = slot.feature.begin(&mut context)?;
        Ok(Step::Feature(0, progress))
    }

    /// The receiver's own header goes out whatever is wrong with the initial one (RFC 6120 §4.9.1.2).
    fn handle_initial_header(
        &mut self,
        header: ElementRef<'_>,
        config: &ReceiverConfig,
    ) -> Result<(), Error> {
        let Some(negotiation) = &mut self.negotiation else {
            return Ok(());
        };
        let shared = &mut negotiation.shared;
        let (to, from) = (
            header::address(header, "to"),
            header::address(header, "from"),
        );
        let served = |to: &Jid| {
            config
                .domains
                .iter()
                .find(|served| served.domain() == to.domain())
        };
        let host = to.as_ref().ok().and_then(Option::as_ref).and_then(served);
        let id = shared.entropy.token();
        let wanted = header.lang();
        let lang = header::language(&config.languages, wanted.as_deref());
        if let Some(speaker) = host.or(config.domains.first()) {
            let to = from.as_ref().ok().and_then(Option::as_ref);
            header::write_response(&mut self.output, config.wire(), speaker, to, &id, lang);
            self.is_open = true;
        }
        self.id = Some(id.into_boxed_str());
        header::check(header)?;
        header::check_declarations(header)?;
        to?;
        let from = from?;
        let Some(host) = host else {
            return Err(violation(
                StreamCondition::HostUnknown,
                "that domain is not served here",
            ));
        };
        let account = shared.account.as_ref();
        if account
            .zip(from.as_ref())
            .is_some_and(|(account, from)| from.to_bare_ref() != *account)
        {
            let text = "the stream's from is not who authenticated";
            return Err(violation(StreamCondition::InvalidFrom, text));
        }
        if account.is_some_and(|account| account.domain() != host.domain()) {
            let text = "authenticated for another domain";
            return Err(violation(StreamCondition::HostUnknown, text));
        }
        (shared.host, shared.from) = (Some(host.clone()), from);
        negotiation.phase = Phase::Choice;
        let mut writer = Writer::in_stream(&mut self.output, ns::CLIENT);
        negotiation.list(&mut writer);
        writer
            .finish()
            .map_err(|_| Error::Failed(StreamError::new(StreamCondition::InternalServerError)))
    }

    /// An element before the stream is established.
    fn handle_element(&mut self, element: ElementRef<'_>, more_input: bool) -> Result<Step, Error> {
        if let Ok(error) = element.read::<StreamError>() {
            return Err(Error::Refused(error));
        }
        let Some(negotiation) = &mut self.negotiation else {
            return Ok(Step::Nothing);
        };
        let (index, permitted) = match negotiation.phase {
            Phase::Features if element.is("features", ns::STREAMS) => {
                negotiation.parse(element);
                return self.begin_next();
            }
            Phase::Active(index) => (index, true),
            // Over WebSocket a header is an element like others.
            Phase::Header => {
                let text = "that opens no stream";
                return Err(violation(StreamCondition::InvalidNamespace, text));
            }
            Phase::Choice
                if negotiation.shared.is_exclusive && element.namespace() != ns::SASL2 =>
            {
                let text = "nothing else may come during authentication";
                return Err(violation(StreamCondition::PolicyViolation, text));
            }
            Phase::Choice => {
                let mut slots = negotiation.features.iter().enumerate();
                let picked = slots.find(|(_, slot)| slot.feature.takes(element));
                let (index, slot) = picked.ok_or_else(|| unexpected(element))?;
                (index, negotiation.is_permitted(&*slot.feature))
            }
            _ => return Err(unexpected(element)),
        };
        let Some(slot) = negotiation.features.get_mut(index) else {
            return Ok(Step::Nothing);
        };
        let mut context = Context {
            shared: &mut negotiation.shared,
            output: &mut self.output,
            events: &mut self.events,
            more_input,
        };
        let progress = if permitted {
            slot.feature.handle(element, &mut context)?
        } else {
            slot.feature.refuse(&mut context)?
        };
        Ok(Step::Feature(index, progress))
    }

    /// The initiator takes up the next feature.
    fn begin_next(&mut self) -> Result<Step, Error> {
        let Some(negotiation) = &mut self.negotiation else {
            return Ok(Step::Nothing);
        };
        let Choice::Begin(index) = negotiation.choose()? else {
            return Ok(Step::Complete);
        };
        let Some(slot) = negotiation.features.get_mut(index) else {
            return Ok(Step::Nothing);
        };
        let mut context = Context {
            shared: &mut negotiation.shared,
            output: &mut self.output,
            events: &mut self.events,
            more_input: false,
        };
        let progress = slot.feature.begin(&mut context)?;
        Ok(Step::Feature(index, progress))
    }

    /// Whether the element is a stanza for the application.
    fn accept(&mut self, element: ElementRef<'_>, now: Instant) -> bool {
        if StanzaKind::of(element).is_some() && element.namespace() == ns::CLIENT {
            if let Some(management) = &mut self.management {
                management.handled();
            }
            if let (Config::Receiver(_), Wire::Component, Some(domain)) =
                (&self.config, self.config.wire(), &self.jid)
                && let Err(error) = check_addresses(element, domain)
            {
                self.end_with(error);
                return false;
            }
            return !self.answers(element);
        }
        if element.namespace() == ns::STREAM_MANAGEMENT && self.manage(element, now) {
            return false;
        }
        if let Ok(error) = element.read::<StreamError>() {
            self.end_with(Error::Refused(error));
            return false;
        }
        // New features on an established stream change what was told.
        if element.is("features", ns::STREAMS) && matches!(self.config, Config::Initiator(_)) {
            self.offers = Offers::read(element);
            return false;
        }
        if let Config::Receiver(config) = &self.config
            && config.client_state
            && element.namespace() == ns::CLIENT_STATE
            && let active @ ("active" | "inactive") = element.name()
        {
            let active = active == "active";
            self.events.push_back(Event::ClientState { active });
            return false;
        }
        self.end_with(unexpected(element));
        false
    }

    /// What of the negotiation may come late: a receiver answers it itself.
    fn answers(&mut self, stanza: ElementRef<'_>) -> bool {
        let Config::Receiver(config) = &self.config else {
            return false;
        };
        let is_client = config.wire() != Wire::Component;
        if self.stage != Stage::Established || stanza.name() != "iq" || !is_client {
            return false;
        }
        let session = bind::asks_for(stanza, "session", ns::SESSION) && config.legacy_session;
        if !session && !bind::asks_for(stanza, "bind", ns::BIND) {
            return false;
        }
        let to = stanza.attribute("to");
        if to.is_some_and(|to| config.domains.iter().all(|domain| domain.as_str() != to)) {
            return false;
        }
        let id = stanza.attribute("id").unwrap_or_default();
        let management = self.management.as_ref();
        if management.is_some_and(|management| !management.has_room(1, stanza.bytes().len())) {
            return false;
        }
        let before = self.output.len();
        let mut writer = Writer::in_stream(&mut self.output, ns::CLIENT);
        if session {
            writer.payload(&IqBuilder::result(&id));
        } else {
            error_reply(stanza, &StanzaCondition::NotAllowed.into(), &mut writer);
        }
        // Nothing is written that did not come in as XML.
        writer.finish().is_ok() && self.sent(before).is_ok()
    }

    /// Sees to an element of stream management; says whether it has a place in the stream.
    fn manage(&mut self, element: ElementRef<'_>, now: Instant) -> bool {
        if self.stage == Stage::Closing {
            // Our closing tag has said it all.
            return true;
        }
        let Some(management) = &mut self.management else {
            return false;
        };
        let events = &mut self.events;
        let tell = |event| events.push_back(event);
        match management.handle(element, &mut self.output, tell, now) {
            Ok(Outcome::Done) => true,
            Ok(Outcome::Refused) => {
                self.management = None;
                true
            }
            Ok(Outcome::Unexpected) => false,
            Err(error) => {
                self.end_with(error);
                true
            }
        }
    }

    /// What stands in the output from `start` on was written by the application, and is taken back where it
    /// cannot be sent.
    fn sent(&mut self, start: usize) -> Result<(), Misuse> {
        let written = self.output.get(start..).unwrap_or_default();
        if written.is_empty() {
            return Err(Misuse::NoStanza);
        }
        if let Some(limit) = self.offers.max_bytes {
            let is_long = |bytes: &[u8]| bytes.len() > usize::try_from(limit).unwrap_or(usize::MAX);
            if is_long(written) && elements(written).any(|element| is_long(element.bytes)) {
                self.output.truncate(start);
                return Err(Misuse::TooLong(limit));
            }
        }
        if let Some(management) = &mut self.management {
            let stanzas = elements(written).filter(|element| element.is_stanza());
            if !management.has_room(stanzas.count(), written.len()) {
                self.output.truncate(start);
                return Err(Misuse::QueueFull);
            }
            management.sent(&mut self.output, start);
        }
        self.has_sent = true;
        Ok(())
    }

    fn handle_end(&mut self, redirection: Option<String>) {
        if self.stage == Stage::Established {
            self.end_session();
            if let Some(error) = self.redirected(redirection) {
                return self.end_with(error);
            }
            self.write_end(None);
        }
        self.closed(true);
    }

    /// Where an initiator is sent instead; nowhere that is less secure.
    fn redirected(&self, redirection: Option<String>) -> Option<Error> {
        let may_follow = |uri: &String| {
            matches!(self.config, Config::Initiator(_))
                && (is_secure(uri) || self.config.encryption() == Encryption::None)
        };
        let uri = redirection.filter(may_follow)?;
        Some(Error::Redirected { uri })
    }

    /// Gives the next message to be sent.
    fn transmit_message(&mut self, out: &mut Vec<u8>) {
        let lang = match &self.config {
            Config::Initiator(config) => config.lang.as_deref(),
            Config::Receiver(_) => None,
        };
        let waiting = self.output.get(self.transmitted..).unwrap_or_default();
        let taken = write_message(waiting, lang, out);
        self.transmitted = self.transmitted.saturating_add(taken);
        if self.transmitted >= self.output.len() {
            (self.output, self.transmitted) = (Vec::new(), 0);
        }
    }

    /// One of the sides closes the stream, and the session with it. The peer is told what was handled, so that
    /// it need not send that again (XEP-0198 §4).
    fn end_session(&mut self) {
        if let Some(management) = &mut self.management {
            management.acknowledge(&mut self.output);
            management.end();
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            let state = self.state();
            let phase = self
                .negotiation
                .as_ref()
                .map(|negotiation| negotiation.phase);
            match (self.stage, phase) {
                (Stage::Closing, _) => self.closed(false),
                (_, Some(Phase::Answer(..))) => self.end_with(Error::Unanswered(state)),
                _ => self.end_with(Error::Timeout(state)),
            }
        }
        if self.stage == Stage::Established
            && let Some(management) = &mut self.management
            && management.handle_timeout(&mut self.output, now)
        {
            // An error that came through would end the session, which the next stream is to resume.
            self.is_silent = true;
            self.end_with(Error::Unacknowledged);
        }
        if self.idle.is_some_and(|due| due <= now) {
            if !core::mem::take(&mut self.has_heard) {
                return self.end_with(Error::Timeout(self.state()));
            }
            self.idle = self.idle_timeout().map(|timeout| now + timeout);
        }
        if self.keepalive.is_some_and(|due| due <= now) {
            if !self.has_sent {
                self.output.push(b' ');
            }
            self.has_sent = false;
            self.keepalive = self.keepalive_interval().map(|interval| now + interval);
        }
    }

    /// Whether an authentication is under way that nothing may come into.
    fn is_exclusive(&self) -> bool {
        let negotiation = self.negotiation.as_ref();
        negotiation.is_some_and(|negotiation| negotiation.shared.is_exclusive)
    }

    /// The feature that waits for the answer to that ticket.
    fn waiting_for(&self, ticket: Ticket, question: Question) -> Option<usize> {
        let negotiation = self.negotiation.as_ref()?;
        match negotiation.phase {
            Phase::Answer(index, open) if open == ticket => {
                (negotiation.shared.question == Some(question)).then_some(index)
            }
            _ => None,
        }
    }

    fn may_send(&self) -> Result<(), Misuse> {
        match self.stage {
            Stage::Established => Ok(()),
            Stage::Negotiating => Err(Misuse::NotEstablished),
            Stage::Closing | Stage::Closed => Err(Misuse::Closed),
        }
    }

    /// Tells the peer, as far as it can be told, and the application.
    fn end_with(&mut self, error: Error) {
        match self.stage {
            Stage::Negotiating | Stage::Established => {}
            // Our closing tag is out: there is nothing left to say.
            Stage::Closing => return self.closed(false),
            Stage::Closed => return,
        }
        if let Some(told) = error.told().filter(|_| !self.is_silent) {
            self.write_header();
            let before = self.output.len();
            let mut writer = Writer::in_stream(&mut self.output, ns::CLIENT);
            writer.payload(&told);
            if writer.finish().is_err() {
                // A text of the application's that XML cannot carry.
                self.output.truncate(before);
                let mut writer = Writer::in_stream(&mut self.output, ns::CLIENT);
                writer.payload(&StreamError::new(told.condition));
                let _ = writer.finish();
            }
        }
        self.write_end(None);
        self.over();
        self.events.push_back(Event::Failed(error));
    }

    /// A receiver's error needs a stream to stand in (RFC 6120 §4.9.1.2).
    fn write_header(&mut self) {
        let (Config::Receiver(config), Some(negotiation)) = (&self.config, &mut self.negotiation)
        else {
            return;
        };
        if self.is_open {
            return;
        }
        if let Some(domain) = config.domains.first() {
            let id = negotiation.shared.entropy.token();
            let lang = header::language(&config.languages, None);
            header::write_response(&mut self.output, config.wire(), domain, None, &id, lang);
            self.is_open = true;
        }
    }

    fn write_end(&mut self, redirection: Option<&str>) {
        if self.is_open && !self.is_silent {
            let wire = self.config.wire();
            wire.write_end(redirection, &mut self.output);
            self.is_open = false;
        }
    }

    fn closed(&mut self, clean: bool) {
        self.over();
        self.events.push_back(Event::Closed { clean });
    }

    fn over(&mut self) {
        self.stage = Stage::Closed;
        let negotiated = self
            .negotiation
            .take()
            .map(|negotiation| negotiation.shared);
        let (resuming, management) = match negotiated {
            Some(shared) => (shared.resuming, shared.management),
            None => (None, self.management.take().map(|management| *management)),
        };
        self.session = resuming.or_else(|| management.and_then(Management::into_session));
        (self.deadline, self.keepalive, self.idle) = (None, None, None);
    }

    fn close_timeout(&self) -> Duration {
        match &self.config {
            Config::Initiator(config) => config.close_timeout,
            Config::Receiver(config) => config.close_timeout,
        }
    }

    fn keepalive_interval(&self) -> Option<Duration> {
        if self.config.wire() == Wire::WebSocket {
            // There a space is no message; the WebSocket has its own pings (RFC 7395 §3.8).
            return None;
        }
        match &self.config {
            Config::Initiator(config) => {
                // Spaces come twice as far apart as this at the most.
                let idle = self.offers.idle.map(|idle| idle / 2);
                let interval = config.keepalive?;
                Some(idle.map_or(interval, |idle| interval.min(idle)))
            }
            Config::Receiver(config) => config.keepalive,
        }
    }

    fn idle_timeout(&self) -> Option<Duration> {
        match &self.config {
            Config::Initiator(_) => None,
            Config::Receiver(config) => config.idle_timeout,
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("state", &self.state())
            .field("jid", &self.inner.jid)
            .field("id", &self.inner.id)
            .field("buffered", &self.inner.output.len())
            .finish_non_exhaustive()
    }
}

/// What an element led to.
enum Step {
    Nothing,
    Feature(usize, Progress),
    /// Nothing is left to negotiate.
    Complete,
}

/// An element that has no place in the stream as it is: a stanza before authentication, or none at all.
fn unexpected(element: ElementRef<'_>) -> Error {
    if StanzaKind::of(element).is_some() && element.namespace() == ns::CLIENT {
        return violation(StreamCondition::NotAuthorized, "stanzas do not flow yet");
    }
    violation(
        StreamCondition::UnsupportedStanzaType,
        "that element has no place here",
    )
}
