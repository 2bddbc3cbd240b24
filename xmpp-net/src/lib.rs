//! Transports for XMPP: TCP and TLS on tokio and rustls.
