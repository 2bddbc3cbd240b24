//! XMPP addresses, stanzas, errors and stream negotiation without I/O.
