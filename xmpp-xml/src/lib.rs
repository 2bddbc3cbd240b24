//! Strict, zero-copy XML stream parser, writer and typed payloads for XMPP.
