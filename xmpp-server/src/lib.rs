//! XMPP server runtime on tokio: accounts, sessions, routing, roster and presence.
