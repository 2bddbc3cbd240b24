//! SASL mechanisms for XMPP, client and server, without I/O.
