//! XMPP server runtime on tokio: accounts, sessions, routing, roster and presence.

pub mod storage;
pub mod subscription;
