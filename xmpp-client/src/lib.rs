//! An XMPP client on tokio that stays connected: log in, send and receive stanzas, ask and be answered.
//!
//! [`Client::connect`] opens the connection, negotiates the stream and hands back two halves: the [`Client`], which
//! sends and can be cloned, and [`Incoming`], which gives what happens. One task of the current runtime moves the bytes
//! and connects again when the network fails; there is no thread, and nothing runs while nothing happens.
//!
//! # A first program
//!
//! ```no_run
//! use xmpp_client::{Client, Config, Event};
//! use xmpp_core::stanza::{MessageBuilder, MessageType, PresenceBuilder, PresenceType, Stanza};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("reader@example.org/desk".parse()?, "correct horse");
//! let (client, mut incoming) = Client::connect(config).await?;
//! loop {
//!     match incoming.next_event().await? {
//!         // The first time, and when the server has forgotten the session: nobody sees us yet.
//!         Event::Connected { resumed: false, .. } => {
//!             client.send(&PresenceBuilder::new(PresenceType::Available)).await?;
//!         }
//!         Event::Stanza(element) => {
//!             if let Ok(Stanza::Message(message)) = Stanza::parse(element.root())
//!                 && let (Some(from), Some(body)) = (message.from(), message.body())
//!             {
//!                 client.send(&MessageBuilder::new(MessageType::Chat).to(from).body(&body)).await?;
//!             }
//!         }
//!         _ => {}
//!     }
//! }
//! # }
//! ```
//!
//! # What can be relied on
//!
//! - **Whom to blame.** [`ConnectError`] tells a wrong password from a wrong host, a certificate that is not trusted,
//!   a server without TLS, and a network that is down.
//! - **It stays connected.** A lost connection is noticed ([`Config::ping`]) and made again after a random time within a
//!   window that grows ([`Backoff`]), at once where the network has changed ([`Client::reconnect_now`]). Where the server
//!   manages streams (XEP-0198) the session goes on as if nothing had happened; with SASL2 a token logs in (XEP-0484).
//!   A login that is refused is never tried again.
//! - **No stanza is lost, none comes twice and none overtakes another**, however often a connection is cut, as long as
//!   the server keeps the session. When it has given that up, what it has not acknowledged is sent again in the new one,
//!   with the time when it was sent first. With a [`Store`] all that holds across a restart of the program.
//! - **Nothing grows without bound.** Sending waits while more than [`Config::send_buffer`] bytes are unsent; reading
//!   stops while [`Config::inbox`] events have not been taken, so that the peer has to wait.
//! - **Nothing is lost in silence.** [`Client::send`] returns a [`Delivery`] that ends as acknowledged, sent or failed; a
//!   request ends with its reply, an error, a timeout, the loss of the session, or the end of the client.
//! - **Futures may be dropped** at any time. A dropped request forgets its reply; a stanza is sent whole or not at all.
//! - **Every request is answered, and carried out once.** A stanza that cannot be understood (a malformed address, a
//!   request without payload) is answered as RFC 6120 §8.3 says, and a request that the application did not
//!   [take on](Config::handle) with `service-unavailable`. Neither reaches the application; nor does a request of type
//!   `set` that a device sends again, with the same id, because its answer was late: it gets the same answer.

mod backoff;
mod client;
mod config;
mod delivery;
mod dial;
mod error;
mod incoming;
mod link;
mod negotiate;
mod outbox;
mod session;
mod shared;
mod store;

pub use backoff::Backoff;
pub use client::{Client, Reply};
pub use config::Config;
pub use delivery::{Delivery, DeliveryError, DeliveryState};
pub use dial::Dial;
pub use error::{ConnectError, End, RequestError, SendError};
pub use incoming::{Event, Incoming};
pub use store::{FileStore, Record, Store};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
