//! An XMPP server on tokio: accounts, sessions, routing, roster and presence.
//!
//! A [`Server`] is started from a [`ServerConfig`] and a [store](storage). It listens where it is told, and its
//! [`Accounts`] are added and removed while it runs:
//!
//! ```
//! use std::sync::Arc;
//! use xmpp_server::storage::Memory;
//! use xmpp_server::{Server, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // In earnest: `.tls(TlsServer::from_pem_files(..)?)` and `Redb::open("example.com.store")?`.
//! let config = ServerConfig::new("example.com")?.plain_text_without_tls();
//! let server = Server::start(config, Arc::new(Memory::new())).await?;
//! server.accounts().create("juliet", "r0m30myr0m30").await?;
//! let address = server.listen("127.0.0.1:0").await?;
//! println!("listening at {address}");
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to find what
//!
//! Rules of the standards are pure functions, apart from sockets and storage: who gets a message (`delivery`), what
//! a subscription stanza changes ([`subscription`], and `exchange` for both accounts at once), what a client may
//! ask of its roster (`roster`). `registry` knows who is connected, `presence` tells them of each other, `router`
//! brings stanzas to where they belong: it *decides*, *commits* to the store, and only then tells anybody. What the
//! server answers itself stands in `services`, one file for each extension. `connection` drives one client's
//! stream, `outbox` is what waits for it, `pending` what is being written, `hibernation` what is left of a session
//! whose connection was lost, `idle` what an inactive client need not hear at once, `tokens` what clients log in with
//! again. `gate` says who is let in, and how fast; `metrics` what has become of it.
//!
//! # What is promised
//!
//! - A change that was answered is on the disk.
//! - A stanza that was accepted is delivered to the client's connection, kept on the disk until its receiver comes, or
//!   its sender is told, except where RFC 6121 demands silence.
//! - Stanzas from one client to another arrive in the order in which they were sent.
//! - No client makes the server hold more than its limits allow, whatever it sends or does not read.

mod accounts;
mod config;
mod connection;
mod delivery;
mod exchange;
mod gate;
mod hibernation;
mod idle;
mod metrics;
mod outbox;
mod pending;
mod presence;
mod registry;
mod roster;
mod router;
mod server;
mod services;
pub mod storage;
pub mod subscription;
mod tokens;

pub use accounts::{AccountError, Accounts};
pub use config::ServerConfig;
pub use gate::Rate;
pub use metrics::Metrics;
pub use router::Conflict;
pub use server::{Server, ServerError};
pub use services::ContactAddress;
