//! An XMPP client on tokio: log in, send and receive stanzas, ask and be answered.
//!
//! [`Client::connect`] opens the connection, negotiates the stream and hands back two halves: the [`Client`], which
//! sends and can be cloned, and [`Incoming`], which gives the stanzas that arrive. One task of the current runtime
//! moves the bytes; there is no thread, and nothing runs while nothing happens.
//!
//! # A first program
//!
//! ```no_run
//! use xmpp_client::{Client, Config};
//! use xmpp_core::ping::Ping;
//! use xmpp_core::stanza::{MessageBuilder, MessageType, PresenceBuilder, PresenceType, Stanza};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::new("reader@example.org/desk".parse()?, "correct horse");
//! let (client, mut incoming) = Client::connect(config).await?;
//! client.send(&PresenceBuilder::new(PresenceType::Available)).await?;
//! client.get(Some(&"example.org".parse()?), &Ping).await?;
//!
//! while let Ok(element) = incoming.next().await {
//!     if let Ok(Stanza::Message(message)) = Stanza::parse(element.root())
//!         && let (Some(from), Some(body)) = (message.from(), message.body())
//!     {
//!         client.send(&MessageBuilder::new(MessageType::Chat).to(from).body(&body)).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # What can be relied on
//!
//! - **Whom to blame.** [`ConnectError`] tells a wrong password from a wrong host, a certificate that is not trusted,
//!   a server without TLS, and a network that is down.
//! - **Nothing grows without bound.** Sending waits while more than [`Config::send_buffer`] bytes are unsent; reading
//!   stops while [`Config::inbox`] stanzas have not been taken, so that the peer has to wait.
//! - **Nothing is lost in silence.** [`Client::send`] returns a [`Delivery`] that ends as sent or failed; a request
//!   ends with its reply, an error, a timeout, or the end of the stream.
//! - **Futures may be dropped** at any time. A dropped request forgets its reply; a stanza is sent whole or not at all.
//! - **Every request is answered.** A stanza that cannot be understood (a malformed address, a request without
//!   payload) is answered as RFC 6120 §8.3 says, and a request that the application did not
//!   [take on](Config::handle) with `service-unavailable`. Neither reaches the application.

mod client;
mod config;
mod driver;
mod error;
mod negotiate;
mod shared;

pub use client::{Client, Incoming, Reply};
pub use config::Config;
pub use error::{ConnectError, End, RequestError, SendError};
pub use shared::{Delivery, DeliveryState};
