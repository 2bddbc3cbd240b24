//! Streams without sockets: one machine that is spoken to by hand, and two that speak to each other, in
//! virtual time.
