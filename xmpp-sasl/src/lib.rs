//! SASL mechanisms for XMPP, client and server, without I/O.
//!
//! | mechanism | what proves who one is | standard |
//! |---|---|---|
//! | EXTERNAL | the certificate that TLS verified | [RFC 4422], XEP-0178 |
//! | SCRAM-SHA-1, -256, -512, SHA3-512, each also -PLUS | a password that is never sent, or keys made from it | [RFC 5802], [RFC 7677] |
//! | HT-SHA-256-EXPR, -UNIQ, -ENDP, -NONE, and with SHA-512 | a token from an earlier login | draft-schmaus-kitten-sasl-ht-09, XEP-0484 |
//! | OAUTHBEARER | a token of OAuth 2.0 | [RFC 7628] |
//! | PLAIN | the password itself | [RFC 4616] |
//! | ANONYMOUS | nothing | [RFC 4505] |
//!
//! Messages go in and come out as bytes; sockets, XML, clocks and random numbers stay with the caller. [`wire`] has the
//! base64 of XMPP around them. Exchanges are bound to the channel below by `tls-exporter` ([RFC 9266]), `tls-unique`
//! and `tls-server-end-point` ([RFC 5929]); the client notices what was taken from the server's offer (XEP-0440,
//! XEP-0474); [`Upgrade`] brings an account to a stronger hash function (XEP-0480).
//!
//! # A complete exchange
//!
//! ```
//! use xmpp_sasl::{
//!     Channel, ChannelBinding, Client, Credentials, Hash, Nonce, Policy, Server, ServerConfig, Step,
//!     StoredCredentials,
//! };
//!
//! // Registration: the server keeps salt, iterations and two keys, never the password.
//! let account = StoredCredentials::derive(Hash::Sha256, "pencil", b"sixteen byte salt", 10_000)?;
//!
//! // Both ends of one TLS connection; the exporter's bytes are the same on both sides.
//! let channel = Channel::tls().binding(ChannelBinding::tls_exporter([7; 32]));
//! let config = ServerConfig::new([1; 32]); // kept secret and never changed
//!
//! // What the server offers on this channel, and what the client picks from it.
//! let offer = config.offer(&channel);
//! let mut client = Client::select(
//!     offer.iter().map(|mechanism| mechanism.name()),
//!     &Credentials::password("user", "pencil"),
//!     &channel,
//!     &Policy::default(),
//!     Nonce::new([2; 18]), // fresh random bytes in earnest
//! )?;
//! assert_eq!(client.mechanism().name(), "SCRAM-SHA-256-PLUS");
//!
//! let mut server =
//!     Server::start(&config, client.mechanism().name(), &channel, Nonce::new([3; 18]))?;
//! let mut step = server.handle_initial(client.initial_response().as_deref())?;
//! loop {
//!     step = match step {
//!         Step::Lookup { user, .. } => {
//!             let known = (user == "user").then(|| account.clone());
//!             server.handle_lookup(known.as_ref())?
//!         }
//!         Step::Challenge(challenge) => {
//!             let response = client.handle_challenge(&challenge)?;
//!             server.handle_response(&response)?
//!         }
//!         Step::Authorize { .. } => server.handle_authorization(false)?,
//!         Step::Success { user, data, .. } => {
//!             client.handle_success(data.as_deref())?; // verifies the server's signature
//!             assert_eq!(user, "user");
//!             break;
//!         }
//!         // Certificates, tokens and bearer tokens ask for other things.
//!         _ => unreachable!("no other step exists for SCRAM and PLAIN"),
//!     };
//! }
//! assert!(client.is_authenticated() && server.is_authenticated());
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # What is refused
//!
//! - **Client.** A mechanism that [`Policy`] does not name or that the [`Credentials`] are not for; PLAIN unless it is
//!   allowed; all but SCRAM and ANONYMOUS unless the channel is encrypted; an offer that is not the server's; an
//!   iteration count outside the policy's bounds (before any hashing); a server nonce that does not extend ours;
//!   success of SCRAM or of a token without the server's verified proof. There is no fall-back to a weaker mechanism:
//!   one choice is made, and it stands or fails.
//! - **Server.** A mechanism that was not offered; a client that says it saw no channel binding where it was
//!   offered; binding data, nonce or proof that does not match; a token of another mechanism. An unknown user gets the
//!   same challenge at every attempt, the same work and the same failure as a known one with a wrong password.
//! - **Both.** Messages over [`Limits`], attributes out of order, mandatory extensions, base64 that is not
//!   canonical, and every message after the first fault or after the end.
//!
//! # Names of users
//!
//! The user name of SCRAM, PLAIN and tokens is prepared by SASLprep ([RFC 4013]), which keeps case; the localpart of an
//! address by the profile UsernameCaseMapped (RFC 7622 §3.3), which does not. A server maps the one to the other by
//! making an address of the name in [`Step::Lookup`] and looking up that: then `Juliet` and `juliet` are one account.
//! Hashes are over the name as it was received (RFC 5802 §5.1).
//!
//! # Errors
//!
//! [`Error`] on the client and [`Failure`] on the server say who is to [`Blame`]; [`Failure::condition`] is what to
//! send in `<failure/>` (RFC 6120 §6.5). After an error the machine answers nothing more: make a new one.
//!
//! # Features
//!
//! - `std` (default) changes no behaviour. Without it the crate is `no_std` with `alloc`.
//! - `sha3` adds SCRAM-SHA3-512 and its -PLUS.
//! - `digest-md5` adds the client's side of DIGEST-MD5 (RFC 2831), off unless the policy allows it.
//! - `sasl` adds the module `adapter`, between this crate and the traits of the crate `sasl` 0.5.
//!
//! [RFC 4013]: https://www.rfc-editor.org/rfc/rfc4013
//! [RFC 4422]: https://www.rfc-editor.org/rfc/rfc4422
//! [RFC 4505]: https://www.rfc-editor.org/rfc/rfc4505
//! [RFC 4616]: https://www.rfc-editor.org/rfc/rfc4616
//! [RFC 5802]: https://www.rfc-editor.org/rfc/rfc5802
//! [RFC 5929]: https://www.rfc-editor.org/rfc/rfc5929
//! [RFC 7628]: https://www.rfc-editor.org/rfc/rfc7628
//! [RFC 7677]: https://www.rfc-editor.org/rfc/rfc7677
//! [RFC 9266]: https://www.rfc-editor.org/rfc/rfc9266

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

#[cfg(feature = "sasl")]
pub mod adapter;
mod anonymous;
mod bearer;
mod channel;
mod client;
mod credentials;
#[cfg(feature = "digest-md5")]
mod digest_md5;
mod end_point;
mod error;
mod external;
mod hash;
mod keys;
mod limits;
mod mechanism;
mod nonce;
mod pbkdf2;
mod plain;
mod policy;
mod prepare;
mod scram;
mod server;
mod single;
mod token;
mod upgrade;
pub mod wire;

pub use bearer::BearerError;
pub use channel::{BindingKind, Channel, ChannelBinding};
pub use client::Client;
pub use credentials::Credentials;
pub use end_point::CertificateError;
pub use error::{Blame, Condition, Error, Failure, MessageError, ServerError, UnknownName};
pub use hash::Hash;
pub use keys::{Derivation, DeriveError, DerivedKeys, StoredCredentials, TextError};
pub use limits::Limits;
pub use mechanism::Mechanism;
pub use nonce::{InvalidNonce, Nonce};
pub use policy::Policy;
pub use prepare::{Preparation, PrepareError, saslprep};
pub use server::{Server, ServerConfig, Step};
pub use token::{Token, TokenSlots};
pub use upgrade::Upgrade;

/// The programs of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
