//! Reading sensors over XMPP (XEP-0323): requester and device engines without I/O.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod device;
pub mod model;
pub mod payload;
pub mod requester;
mod stanza;
