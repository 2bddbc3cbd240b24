//! XMPP addresses, stanzas, errors and stream negotiation, without I/O.
//!
//! - [`stream`]: one machine for both sides of a client-to-server stream: header, STARTTLS, SASL in both
//!   profiles, with tokens and tasks, resource binding, stream management and resumption, stanzas, closing; over TCP and WebSocket, and
//!   for components.
//! - [`stanza`]: message, presence and IQ, as views over what arrived and as builders that write straight
//!   into the output. [`error`]: what is wrong with a stanza or a stream. [`language`]: the best of several
//!   texts.
//! - [`jid`]: addresses by RFC 7622, escaping (XEP-0106), conversions to and from the crate `jid`.
//! - [`mux`]: who handles which stanza, and replies to requests. [`repeat`]: requests that come twice.
//! - [`time`], [`entropy`]: what the caller brings along instead of a clock and a random source.
//!
//! **Engines that extensions share**
//!
//! - [`disco`]: service discovery (XEP-0030, XEP-0128). [`caps`]: what others can do, by the hashes in their
//!   presence (XEP-0115, XEP-0390).
//! - [`form`]: data forms (XEP-0004) with validation, layout, media and dynamic forms (XEP-0122, XEP-0141,
//!   XEP-0221, XEP-0336).
//! - [`command`]: ad-hoc commands (XEP-0050). [`session`]: sessions of peers in virtual time.
//! - [`result_set`]: results in pages (XEP-0059).
//!
//! **Payloads that extensions share**
//!
//! - About messages: [`delay`] (XEP-0203), [`hint`] (XEP-0334), [`stanza_id`] (XEP-0359), [`receipt`]
//!   (XEP-0184), [`header`] (XEP-0131), [`forward`] (XEP-0297).
//! - About entities: [`ping`] (XEP-0199), [`version`] (XEP-0092), [`entity_time`] (XEP-0202),
//!   [`last_activity`] (XEP-0012).
//! - [`datetime`]: dates, times and zones (XEP-0082). [`ns`]: all namespaces.
//!
//! Sockets, TLS, clock and randomness are the caller's. Everything here can be tested, replayed and
//! simulated in one thread.
//!
//! # The rule for every machine
//!
//! Methods come in four kinds: getters; `handle_*`, something has arrived; mutators, the application wants
//! something; `poll_*`, what to do now. **After any `handle_*` or mutator, drain `poll_*` until it is
//! empty.**
//!
//! # A first program
//!
//! A client and a server in one process, from the first byte to the last. Each side is driven like a
//! program would drive it that has a socket in the middle and a TLS library below.
//!
//! ```
//! use std::time::Duration;
//!
//! use xmpp_core::entropy::Entropy;
//! use xmpp_core::jid::Jid;
//! use xmpp_core::stanza::{MessageBuilder, MessageType, Stanza};
//! use xmpp_core::stream::{
//!     CredentialsAnswer, Event, InitiatorConfig, ReceiverConfig, Stream, TlsInfo,
//! };
//! use xmpp_core::time::Instant;
//! use xmpp_sasl::{Credentials, Hash, Mechanism, ServerConfig, StoredCredentials};
//! use xmpp_xml::Scratch;
//!
//! /// One side: the machine, and what its program does with it.
//! struct Side {
//!     stream: Stream,
//!     /// What the socket has received and the machine has not taken yet.
//!     inbox: Vec<u8>,
//!     account: Option<StoredCredentials>,
//!     wants_tls: bool,
//!     bodies: Vec<String>,
//!     closed: bool,
//! }
//!
//! impl Side {
//!     fn new(stream: Stream, account: Option<StoredCredentials>) -> Side {
//!         let (inbox, bodies) = (Vec::new(), Vec::new());
//!         Side { stream, inbox, account, wants_tls: false, bodies, closed: false }
//!     }
//!
//!     /// Hands over what has arrived, does what the machine asks for, and gives what is to be sent.
//!     fn drive(&mut self, scratch: &mut Scratch, now: Instant) -> Vec<u8> {
//!         let mut out = Vec::new();
//!         let inbox = std::mem::take(&mut self.inbox);
//!         let mut input = &inbox[..];
//!         loop {
//!             if let Some(stanza) = self.stream.handle_bytes(scratch, &mut input, now) {
//!                 if let Ok(Stanza::Message(message)) = Stanza::parse(stanza) {
//!                     self.bodies.extend(message.body().map(|body| body.into_owned()));
//!                 }
//!             }
//!             while let Some(event) = self.stream.poll_event() {
//!                 self.handle_event(event, now);
//!             }
//!             self.stream.poll_transmit(&mut out);
//!             if input.is_empty() || self.stream.is_waiting() {
//!                 break;
//!             }
//!         }
//!         self.inbox = input.to_vec();
//!         // A program with a socket would now sleep until `poll_timeout` at the latest.
//!         assert!(self.stream.poll_timeout().is_none_or(|timeout| timeout > now));
//!         out
//!     }
//!
//!     fn handle_event(&mut self, event: Event, now: Instant) {
//!         match event {
//!             Event::StartTls => self.wants_tls = true,
//!             Event::Lookup { ticket, .. } => {
//!                 let answer = match self.account.clone() {
//!                     Some(account) => CredentialsAnswer::Found(account),
//!                     None => CredentialsAnswer::Unknown,
//!                 };
//!                 self.stream.handle_credentials(ticket, answer, now).unwrap();
//!             }
//!             Event::Bind { ticket, jid, .. } => {
//!                 self.stream.handle_bind(ticket, Ok(jid), now).unwrap();
//!             }
//!             Event::Failed(error) => panic!("{error}"),
//!             Event::Closed { clean } => self.closed = clean,
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let now = Instant::from_origin(Duration::ZERO);
//! let account = StoredCredentials::derive(Hash::Sha256, "r0m30myr0m30", b"sixteen byte salt", 4096)?;
//! let jid: Jid = "juliet@example.com/balcony".parse()?;
//!
//! // In earnest the seeds come from the system's random source.
//! let config = InitiatorConfig::new(jid.clone(), Credentials::password("juliet", "r0m30myr0m30"));
//! let mut client = Side::new(Stream::initiator(config, Entropy::from_seed([1; 32]), now), None);
//! let sasl = ServerConfig::new([7; 32])
//!     .mechanisms([Mechanism::ScramSha256Plus, Mechanism::ScramSha256]);
//! let config = ReceiverConfig::new("example.com".parse()?, sasl);
//! let mut server = Side::new(Stream::receiver(config, Entropy::from_seed([2; 32]), now), Some(account));
//!
//! let mut scratch = Scratch::new();
//! let mut said_hello = false;
//! while !(client.closed && server.closed) {
//!     let sent = client.drive(&mut scratch, now);
//!     server.inbox.extend(sent);
//!     let sent = server.drive(&mut scratch, now);
//!     client.inbox.extend(sent);
//!
//!     if client.wants_tls && server.wants_tls {
//!         // Here the handshake would happen. Both ends of it export the same secret.
//!         for side in [&mut client, &mut server] {
//!             side.wants_tls = false;
//!             side.stream.handle_tls(TlsInfo::new().exporter(Some([5; 32])), now)?;
//!         }
//!     }
//!     if client.stream.is_established() && !said_hello {
//!         let hello = MessageBuilder::new(MessageType::Chat).body("Hello");
//!         client.stream.send(|writer| {
//!             writer.payload(&hello);
//!         })?;
//!         client.stream.close(now);
//!         said_hello = true;
//!     }
//! }
//! assert_eq!(server.bodies, ["Hello"]);
//! assert_eq!(server.stream.jid(), Some(&jid));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Errors
//!
//! Every error says who has to mend it: the peer, which is told a condition of RFC 6120; the caller; or the
//! network ([`stream::Error::blame`]). What the caller does at the wrong time changes nothing and is a
//! [`stream::Misuse`].
//!
//! # Limits
//!
//! | what | default | where |
//! |---|---|---|
//! | bytes of a stanza, depth, attributes, … | 262,144, 128, 256, … | [`xmpp_xml::Limits`] |
//! | bytes before authentication | 65,536 | [`unauthenticated_bytes`](stream::ReceiverConfig::unauthenticated_bytes) |
//! | attempts to authenticate | 3 | [`authentication_attempts`](stream::ReceiverConfig::authentication_attempts) |
//! | attempts to bind | 5 | [`bind_attempts`](stream::ReceiverConfig::bind_attempts) |
//! | time for the negotiation | 60 s | [`negotiation_timeout`](stream::ReceiverConfig::negotiation_timeout) |
//! | time for closing | 5 s | [`close_timeout`](stream::ReceiverConfig::close_timeout) |
//! | stanzas that wait for acknowledgement | 1,000 | [`queue_stanzas`](stream::ManagementConfig::queue_stanzas) |
//! | their bytes | 1,048,576 | [`queue_bytes`](stream::ManagementConfig::queue_bytes) |
//! | time for an acknowledgement | 60 s | [`acknowledgement_timeout`](stream::ManagementConfig::acknowledgement_timeout) |
//! | open requests | 1,024 | [`request_limit`](mux::Mux::request_limit) |
//! | octets of a part of an address | 1,023 | [`MAX_PART_BYTES`](jid::MAX_PART_BYTES) |
//!
//! | elements of a form | 8,192 | [`Form::read`](form::Form::read) |
//! | octets of a pattern, and of a value it is matched with | 1,024, 16,384 | [`form::validate`] |
//! | sessions, and of one peer | 1,024, 16 | [`Sessions::limit`](session::Sessions::limit) |
//! | items of a page | 100 | [`page_limit`](disco::Disco::page_limit) |
//! | entities followed, and bytes of what they can do | 4,096, 1 MiB | [`CapsCache`](caps::CapsCache) |
//! | answers that are kept, and their bytes | 1,024, 256 KiB | [`Repeats`](repeat::Repeats) |
//!
//! # Features
//! - `std` (default): the Unicode tables for addresses outside ASCII, and the patterns of form fields.
//!   Without it the crate needs only `alloc`; such addresses are refused, and patterns are not looked at.
//! - `jid`: conversions to and from the addresses of the crate `jid`.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod caps;
pub mod command;
pub mod datetime;
pub mod delay;
pub mod disco;
pub mod entity_time;
pub mod entropy;
pub mod error;
pub mod form;
pub mod forward;
pub mod header;
pub mod hint;
pub mod jid;
pub mod language;
pub mod last_activity;
pub mod mux;
pub mod ns;
pub mod ping;
pub mod receipt;
pub mod repeat;
pub mod result_set;
pub mod session;
pub mod stanza;
pub mod stanza_id;
pub mod stream;
pub mod time;
pub mod version;

/// The first program of the README, which is tested with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
