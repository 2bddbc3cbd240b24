//! XMPP client runtime on tokio.
