//! XMPP addresses, stanzas, errors and stream negotiation without I/O.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod disco;
pub mod entropy;
pub mod error;
pub mod jid;
pub mod mux;
pub mod ns;
pub mod ping;
pub mod stanza;
pub mod stream;
pub mod time;
