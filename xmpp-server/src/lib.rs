//! XMPP server runtime on tokio: accounts, sessions, routing, roster and presence.

mod accounts;
mod config;
mod connection;
mod delivery;
mod exchange;
mod outbox;
mod presence;
mod registry;
mod roster;
mod router;
mod server;
mod service;
pub mod storage;
pub mod subscription;

pub use accounts::{AccountError, Accounts};
pub use config::ServerConfig;
pub use router::Conflict;
pub use server::{Server, ServerError};
